using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Ashlar.Backends.Cpu.Lowering;
using Ashlar.Backends.Cpu.Matrix;
using Ashlar.Backends.Cpu.Vec;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu;

/// <summary>What the CPU makes of tile programs, as text for people.</summary>
public static class KernelListing
{
    /// <summary>The Vec functions of a program, one per parallel loop: typed virtual registers, loops and vectors.</summary>
    /// <param name="program">A program that the verifier accepts.</param>
    /// <param name="isa">The instruction path.</param>
    public static string Vec(TileProgram program, Isa isa) =>
        string.Join('\n', TileLowering.Compile(program, isa).Kernel.Phases.Select(phase => VecText.Print(phase.Function)));

    /// <summary>How a program runs: its grid, which statements are one loop, which axis of it is vectors, and which unit products
    /// run on.</summary>
    /// <param name="program">A program that the verifier accepts.</param>
    /// <param name="isa">The instruction path.</param>
    public static string Schedule(TileProgram program, Isa isa)
    {
        var schedule = new StringBuilder();
        TileLowering.Compile(program, isa, schedule);
        return schedule.ToString();
    }

    /// <summary>The machine code of a program in this process, Intel syntax: what the JIT made of each of its functions, then the
    /// assembled kernels of the tile unit that they call.</summary>
    /// <param name="program">A program that the verifier accepts.</param>
    /// <param name="isa">The instruction path.</param>
    /// <exception cref="DeviceException">This machine has no x86-64 instructions (ASH0612), or the system grants no executable
    /// memory (ASH0603).</exception>
    public static unsafe string Disassembly(TileProgram program, Isa isa)
    {
        var (kernel, entries) = TileLowering.Compile(program, isa);
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64)
            throw new DeviceException("ASH0612",
                $"machine code of {RuntimeInformation.ProcessArchitecture} cannot be shown: only that of x86-64 can.",
                "look at the Vec form instead.");
        var text = new StringBuilder();
        foreach (var (phase, entry) in kernel.Phases.Zip(entries))
            text.Append(CultureInfo.InvariantCulture, $"{phase.Function.Name} {isa.Name}:\n").Append(MachineCode.Listing(entry))
                .Append('\n');
        foreach (var (product, adds) in kernel.TileProducts)
            text.Append(CultureInfo.InvariantCulture, $"tile unit, {product.Left.Name} by {product.Right.Name}")
                .Append(adds ? ", adds to its sums:\n" : ", from zero:\n")
                .Append(MachineCode.Listing((byte*)TileDotKernels.Get(product, adds))).Append('\n');
        return text.ToString();
    }
}
