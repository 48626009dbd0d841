using System.Runtime.InteropServices;
using Ashlar.Backends.Cpu.Matrix;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Ashlar.Backends.Cpu;

/// <summary>The tile unit (AMX): the leave to use it, and the layout of its registers.</summary>
static unsafe class Amx
{
    const int XfeatureTileData = 18;

    static readonly Lazy<string?> whyNot = new(() =>
        RuntimeInformation.ProcessArchitecture != Architecture.X64 || !Processor.Current.HasAmxBF16
            ? "this processor has no AMX, or its system does not switch tile state"
        : OperatingSystem.IsLinux() && !LinuxCalls.RequestXfeature(XfeatureTileData)
            ? "the kernel refused this process the tile state"
        : null);

    /// <summary>Why tile instructions must not run here; null where they may. Asks the kernel for leave, once for all
    /// threads.</summary>
    public static string? WhyNot => whyNot.Value;

    /// <summary>The same for products of bytes.</summary>
    public static string? WhyNotInt8 =>
        WhyNot ?? (Processor.Current.HasAmxInt8 ? null : "this processor's tile unit has no products of bytes");

    /// <summary>What <c>ldtilecfg</c> loads: eight tiles of 16 rows of 64 bytes.</summary>
    public static byte[] FullTiles()
    {
        byte[] config = new byte[64];
        config[0] = 1;                                              // palette
        for (int tile = 0; tile < 8; tile++)
        {
            config[16 + 2 * tile] = 64;                             // bytes per row, 16 bits
            config[48 + tile] = 16;                                 // rows
        }
        return config;
    }

    /// <summary>Floating-point operations of an iteration of <see cref="PeakLoop"/>; with bytes it does twice as many.</summary>
    public const double FlopsPerIteration = 6 * 2.0 * 16 * 16 * 32;

    /// <summary><c>void (long iterations, byte* config)</c>: six independent tile products per iteration, no memory, apart as
    /// in every kernel (<see cref="TileSteps"/>).</summary>
    /// <param name="bytes">Of int8 (<c>tdpbssd</c>); else of bfloat16 (<c>tdpbf16ps</c>).</param>
    public static ExecutableMemory PeakLoop(bool bytes)
    {
        var (iterations, config) = OperatingSystem.IsWindows() ? (rcx, rdx) : (rdi, rsi);
        var c = new Assembler(64);
        c.ldtilecfg(__[config]);
        AssemblerRegisterTMM[] tiles = [tmm0, tmm1, tmm2, tmm3, tmm4, tmm5, tmm6, tmm7];
        foreach (var tile in tiles) c.tilezero(tile);
        var loop = c.CreateLabel();
        c.Label(ref loop);
        for (int sum = 0; sum < 6; sum++)
        {
            if (bytes) c.tdpbssd(tiles[sum], tmm6, tmm7);
            else c.tdpbf16ps(tiles[sum], tmm6, tmm7);
            TileSteps.Space(c);
        }
        c.dec(iterations);
        c.jnz(loop);
        c.tilerelease();
        c.ret();
        return ExecutableMemory.Of(c);
    }
}
