namespace Ashlar;

/// <summary>An environment variable that Ashlar reads.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Meaning">What it does, as one sentence.</param>
/// <param name="Values">The values it takes.</param>
/// <param name="Default">What holds while it is not set.</param>
public sealed record AshlarVariable(string Name, string Meaning, string Values, string Default)
{
    /// <summary>Its value now, without the blanks around it; null while it is unset or blank.</summary>
    public string? Value => Environment.GetEnvironmentVariable(Name)?.Trim() is { Length: > 0 } value ? value : null;
}

/// <summary>The table of every environment variable that Ashlar reads; nothing else in Ashlar names one.</summary>
/// <remarks>The text is kept here, its meaning where it is used. <c>ashlar env</c> prints this table.</remarks>
public static class AshlarEnvironment
{
    /// <summary>Forces one instruction path of the CPU.</summary>
    public static AshlarVariable Isa { get; } =
        new("ASHLAR_ISA", "Forces one instruction path of the CPU.", "avx512 | avx2 | portable", "the widest this machine has");

    /// <summary>Whether products of small types take the tile unit of the CPU.</summary>
    public static AshlarVariable Amx { get; } =
        new("ASHLAR_AMX", "Whether products of bf16 and int8 run on the tile unit (AMX).", "on | off",
            "on where path and machine have it");

    /// <summary>How many threads run a kernel.</summary>
    public static AshlarVariable Threads { get; } =
        new("ASHLAR_THREADS", "How many threads run a kernel.", "1 to 1024", "the number of processors");

    /// <summary>How far programs are optimised.</summary>
    public static AshlarVariable Level { get; } =
        new("ASHLAR_LEVEL", "How far programs are optimised: per op, fused, whole graph.", "O0 | O1 | O2", "O2");

    /// <summary>Prints what each stage of a compilation made.</summary>
    public static AshlarVariable Dump { get; } =
        new("ASHLAR_DUMP", "Prints what a stage of each compilation made, to the error stream.",
            "a stage's name, such as plan, tiles, vec | all", "nothing is printed");

    /// <summary>Where what was measured once is kept: the device profile and tuned configs.</summary>
    public static AshlarVariable Cache { get; } =
        new("ASHLAR_CACHE", "Where the device profile and tuned configs are kept.", "a folder | off",
            "ashlar in the system's cache folder");

    /// <summary>Tests: rewrite the golden files.</summary>
    public static AshlarVariable Accept { get; } =
        new("ASHLAR_ACCEPT", "Tests only: rewrites the golden files.", "1", "compare");

    /// <summary>Tests: where large inputs lie.</summary>
    public static AshlarVariable Data { get; } =
        new("ASHLAR_DATA", "Tests only: where inputs lie that are too large to commit.", "a folder", "those tests are skipped");

    /// <summary>Every variable, in the order of printing.</summary>
    public static IReadOnlyList<AshlarVariable> All { get; } = [Isa, Amx, Threads, Level, Dump, Cache, Accept, Data];
}
