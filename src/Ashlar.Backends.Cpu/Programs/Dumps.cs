using Ashlar.Compiler;
using Ashlar.Compiler.Planning;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu.Programs;

/// <summary>Prints what the stages of a compilation made, as ASHLAR_DUMP asks.</summary>
/// <remarks>The stages are those of <see cref="Pipelines.Stages"/>, then <c>tiles</c>, the tile program of each kernel, and
/// <c>vec</c>, the Vec functions it is lowered to.</remarks>
sealed class Dumps
{
    const string Tiles = "tiles", Vec = "vec", Every = "all";

    readonly string asked;
    readonly TextWriter to;

    Dumps(string asked, TextWriter to) => (this.asked, this.to) = (asked, to);

    /// <summary>What a value of ASHLAR_DUMP may be.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Pipelines.Stages, Tiles, Vec, Every];

    /// <summary>What a value asks for; null where it is null.</summary>
    /// <param name="value">The value of ASHLAR_DUMP.</param>
    /// <param name="to">Where texts go.</param>
    /// <exception cref="DeviceException">ASH0605: the value names no stage.</exception>
    public static Dumps? Of(string? value, TextWriter to)
    {
        if (value is null) return null;
        if (Names.Contains(value)) return new(value, to);
        throw new DeviceException("ASH0605", $"{AshlarEnvironment.Dump.Name} is '{value}', which is no stage of the compiler.",
            $"set it to one of: {string.Join(", ", Names)}; or unset it.");
    }

    /// <summary>Prints a stage, if it is asked for.</summary>
    /// <param name="stage">One of <see cref="Names"/>.</param>
    /// <param name="text">What it made; called only where it is printed.</param>
    public void Show(string stage, Func<string> text)
    {
        if (asked != Every && asked != stage) return;
        to.WriteLine($"-- {stage}");
        to.WriteLine(text());
    }

    /// <summary>Prints the stages behind the plan.</summary>
    public void Show(Plan plan, Isa isa)
    {
        Show(Tiles, () => string.Join('\n', plan.Launches.Select(launch => TileText.Print(launch.Kernel.Program))));
        Show(Vec, () => string.Join('\n', plan.Launches.Select(launch => VecOf(launch, isa))));
    }

    // Products and library kernels are not written in Vec as a whole: engines of their own run them.
    static string VecOf(Launch launch, Isa isa) => launch.Kernel switch
    {
        { Library: { } library } => $"// {library.Name}: a library kernel",
        { Form: not null, Program: var program } => $"// {program.Name}: a product, run by the contraction engine",
        { Program: var program } when WeightKernel.Takes(program) => $"// {program.Name}: a product with packed weights",
        { Program: var program } => KernelListing.Vec(program, isa),
    };
}
