using System.Collections.Concurrent;
using Ashlar.Compiler.Kernels;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu.Programs;

/// <summary>The kernels compiled so far, by the text of their programs: six equal layers share one.</summary>
/// <remarks>
/// In memory only. Compiling takes a few milliseconds per kernel, less than reading machine code back and checking it would be
/// trusted for. RyuJIT compiles on as many threads as ask, so the kernels of a program share <paramref name="threads"/> of them.
/// </remarks>
sealed class KernelCache(Isa isa, int threads, bool usesTiles = true)
{
    readonly ConcurrentDictionary<string, CpuKernel> kernels = [];

    /// <summary>The compiled kernels of tile programs, in their order.</summary>
    /// <exception cref="AshlarException">A kernel cannot be compiled; of several such the first.</exception>
    public CpuKernel[] Get(IReadOnlyList<BuiltKernel> programs)
    {
        string[] keys = [.. programs.Select(kernel => KeyOf(kernel))];
        var missing = programs.Index().Where(kernel => !kernels.ContainsKey(keys[kernel.Index]))
            .DistinctBy(kernel => keys[kernel.Index]).ToArray();
        Compiling.Each(missing.Length, threads, i => kernels[keys[missing[i].Index]] = Compile(missing[i].Item));
        return [.. keys.Select(key => kernels[key])];
    }

    CpuKernel Compile(BuiltKernel kernel) => kernel switch
    {
        { Library: { } library } => Libraries.Kernel(library, isa, usesTiles),
        _ when WeightKernel.Takes(kernel.Program) => new WeightKernel(kernel.Program, isa, usesTiles),
        { Form: null } => new VecKernel(kernel.Program, isa),
        _ => new ContractionKernel(kernel, isa, usesTiles),
    };

    // A contraction is also what it may round its operands to; a library kernel also the bounds of its symbols, by which it knows
    // them.
    static string KeyOf(BuiltKernel kernel) => kernel switch
    {
        { Library: { } library } =>
            library.Text + string.Concat(library.Inputs.SelectMany(input => input.Shape).SelectMany(extent => extent.Symbols)
            .Distinct().Select(symbol => $" {symbol.Name} {symbol.Min} {symbol.Max} {symbol.MultipleOf}")),
        { Form: { } form } => $"{TileText.Key(kernel.Program)}\n{form.LeftType.Name} {form.RightType.Name}",
        _ => TileText.Key(kernel.Program),
    };
}
