
namespace Ashlar.Backends.Cpu.Programs;

/// <summary>A tile program compiled for this machine. One kernel serves every launch of the same program text.</summary>
abstract class CpuKernel
{
    /// <summary>A launch for given sizes.</summary>
    /// <param name="symbols">The value of each symbol.</param>
    /// <param name="buffers">One address per buffer of the tile program; filled before each run, so it may change between runs.</param>
    public abstract unsafe CpuLaunch Bind(Func<Symbol, long> symbols, nint* buffers);
}

/// <summary>A kernel with its sizes known. Runs as often as its program does, without allocating.</summary>
abstract class CpuLaunch
{
    /// <summary>Bytes of scratch memory that a run needs in all, when it may use this many workers.</summary>
    public abstract long ScratchBytes(int workers);

    /// <summary>Runs the kernel on the pool's workers and returns when it is done.</summary>
    /// <param name="workers">The pool.</param>
    /// <param name="scratch">At least <see cref="ScratchBytes"/> bytes, aligned to 128, that nobody else uses meanwhile.</param>
    public abstract unsafe void Run(Workers workers, byte* scratch);
}
