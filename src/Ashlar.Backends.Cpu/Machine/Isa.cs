using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Ashlar.Backends.Cpu;

/// <summary>An instruction path: which vector instructions generated code may use. Wider paths come first.</summary>
public enum Isa
{
    /// <summary>512-bit vectors with masks: AVX-512 F, BW, CD, DQ and VL.</summary>
    Avx512,
    /// <summary>256-bit vectors with fused multiply-add: AVX2 and FMA.</summary>
    Avx2,
    /// <summary>128-bit vectors of .NET's portable vocabulary: every machine.</summary>
    Portable,
}

/// <summary>Which paths this machine has, which one runs, and what each is.</summary>
/// <remarks>
/// Code generators take an <see cref="Isa"/> as an argument, so that tests run every path in one process; only the outermost
/// caller reads <c>Isa.Chosen</c>. Units beside the vectors (AMX, VNNI) are properties of <see cref="Processor"/>.
/// </remarks>
public static class Isas
{
    static readonly string[] names = ["avx512", "avx2", "portable"];

    // Vector512 says no on processors that have AVX-512 but clock down for it; 256 bits are faster there.
    static readonly Isa[] available =
    [
        .. Vector512.IsHardwareAccelerated && Avx512BW.VL.IsSupported && Avx512DQ.VL.IsSupported ? [Isa.Avx512] : (Isa[])[],
        .. Avx2.IsSupported && Fma.IsSupported ? [Isa.Avx2] : (Isa[])[],
        Isa.Portable,
    ];

    static readonly Lazy<Isa> chosen = new(() => Choose(AshlarEnvironment.Isa.Value, available));

    extension(Isa isa)
    {
        /// <summary>The paths this machine can run, the fastest first.</summary>
        public static IReadOnlyList<Isa> Available => available;

        /// <summary>The path that runs: the one that ASHLAR_ISA names, or the widest this machine has.</summary>
        /// <exception cref="DeviceException">ASHLAR_ISA names no path, or one that this machine lacks.</exception>
        public static Isa Chosen => chosen.Value;

        /// <summary>The name in ASHLAR_ISA, in text forms and in cache keys.</summary>
        public string Name => names[(int)isa];

        /// <summary>Bytes of one vector register.</summary>
        public int VectorBytes => 64 >> (int)isa;

        /// <summary>How many vector registers the instructions can name.</summary>
        public int VectorRegisters => isa == Isa.Avx512 || isa == Isa.Portable && !X86Base.IsSupported ? 32 : 16;

        /// <summary>True where this machine can run the path.</summary>
        public bool IsAvailable => available.Contains(isa);
    }

    /// <summary>The path that a value of ASHLAR_ISA asks for on a machine that has these paths.</summary>
    /// <param name="value">Null asks for the first of <paramref name="available"/>.</param>
    /// <param name="available">The fastest first.</param>
    internal static Isa Choose(string? value, IReadOnlyList<Isa> available)
    {
        if (value is null) return available[0];
        int index = Array.FindIndex(names, name => name.Equals(value, StringComparison.OrdinalIgnoreCase));
        string choices = string.Join(", ", available.Select(isa => isa.Name));
        if (index < 0)
            throw new DeviceException("ASH0601",
                $"{AshlarEnvironment.Isa.Name} is '{value}', which is no instruction path. This machine has {choices}.",
                $"set it to one of {choices}, or unset it to take {available[0].Name}.");
        if (!available.Contains((Isa)index))
            throw new DeviceException("ASH0601",
                $"{AshlarEnvironment.Isa.Name} asks for {names[index]}, which this machine lacks. It has {choices}.",
                $"set it to one of {choices}, or unset it to take {available[0].Name}.");
        return (Isa)index;
    }
}
