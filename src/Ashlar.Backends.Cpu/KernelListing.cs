using Ashlar.Backends.Cpu.Lowering;
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
}
