using Ashlar.Graph;

namespace Ashlar.Runtime;

/// <summary>What the compiler is told besides the function.</summary>
/// <param name="Level">How hard to work.</param>
/// <param name="Donations">Pairs (result, parameter): the result may be written over the parameter's memory, and the caller
/// passes one buffer for both.</param>
public sealed record CompileOptions(OptimizationLevel Level = OptimizationLevel.O2,
    ValueList<(int Result, int Parameter)>? Donations = null);

/// <summary>A place that allocates memory and runs programs: the reference interpreter, the CPU, later a GPU.</summary>
public interface IBackend
{
    /// <summary>The name users give: <c>cpu</c>, <c>reference</c>.</summary>
    string Name { get; }

    /// <summary>The machine it runs on, as caches of measurements name it: what is measured on one says nothing about
    /// another.</summary>
    string Machine => Name;

    /// <summary>Memory for <paramref name="bytes"/> bytes, not cleared. It returns to the backend when nobody refers to
    /// it.</summary>
    /// <exception cref="OutOfMemoryOnDeviceException">The device has not that much memory.</exception>
    Buffer Allocate(long bytes);

    /// <summary>Compiles a function whose extents may hold symbols; each symbol occurs bare as an extent of some
    /// parameter.</summary>
    IProgram Compile(Function function, CompileOptions options);
}

/// <summary>A compiled function. Safe to run from several threads, one run at a time.</summary>
public interface IProgram
{
    /// <summary>The symbols of the function, in the order in which <see cref="Run"/> takes their values.</summary>
    IReadOnlyList<Symbol> Symbols { get; }

    /// <summary>Runs the function. Allocates nothing on the managed heap once warm.</summary>
    /// <param name="inputs">One buffer per parameter.</param>
    /// <param name="outputs">One buffer per result, large enough; for a donated result the parameter's own.</param>
    /// <param name="symbols">The value of each symbol.</param>
    /// <exception cref="KernelException">An index of a gather or scatter was out of range.</exception>
    void Run(ReadOnlySpan<Buffer> inputs, ReadOnlySpan<Buffer> outputs, ReadOnlySpan<long> symbols);

    /// <summary>Does what the first run with these values would do before it runs, so that it need not. By default that is
    /// nothing.</summary>
    /// <param name="symbols">The value of each symbol.</param>
    void Prepare(ReadOnlySpan<long> symbols)
    {
    }

    /// <summary>What was made of the function: kernels, memory plan, peak bytes before and after planning.</summary>
    string Describe();
}

/// <summary>Memory of a device that the host can address. Returns to its pool when nobody refers to it.</summary>
public abstract class Buffer
{
    /// <summary>Where the memory begins; aligned to 64 bytes at least.</summary>
    public abstract nint Address { get; }

    /// <summary>How many bytes may be used.</summary>
    public abstract long Bytes { get; }
}
