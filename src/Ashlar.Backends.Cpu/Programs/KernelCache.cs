using Ashlar.Compiler.Kernels;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu.Programs;

/// <summary>The kernels compiled so far, by the text of their programs: six equal layers share one.</summary>
/// <remarks>In memory only. Compiling takes about a millisecond per kernel, less than reading machine code back and checking it would be trusted for.</remarks>
sealed class KernelCache(Isa isa)
{
    readonly Dictionary<string, CpuKernel> kernels = [];
    readonly Lock gate = new();

    /// <summary>The compiled kernel of a tile program.</summary>
    public CpuKernel Get(BuiltKernel kernel)
    {
        string key = TileText.Key(kernel.Program);
        lock (gate)
        {
            if (!kernels.TryGetValue(key, out var compiled)) kernels[key] = compiled = kernel.Form is null ? new VecKernel(kernel.Program, isa) : new ContractionKernel(kernel, isa);
            return compiled;
        }
    }
}
