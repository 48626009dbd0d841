namespace Ashlar.Backends.Cpu.Programs;

/// <summary>A tile program compiled for this machine. One kernel serves every launch of the same program text.</summary>
abstract class CpuKernel
{
    /// <summary>A launch for given sizes.</summary>
    /// <param name="symbols">The value of each symbol.</param>
    /// <param name="buffers">One address per buffer of the tile program; filled before each run, so it may change between
    /// runs.</param>
    /// <param name="workers">The pool that runs it.</param>
    public abstract unsafe CpuLaunch Bind(Func<Symbol, long> symbols, nint* buffers, Workers workers);
}

/// <summary>A kernel with its sizes known. Runs as often as its program does, without allocating.</summary>
abstract class CpuLaunch
{
    /// <summary>Bytes of scratch memory that a run needs in all.</summary>
    public abstract long ScratchBytes { get; }

    /// <summary>Runs the kernel on the pool's workers and returns when it is done.</summary>
    /// <param name="scratch">At least <see cref="ScratchBytes"/> bytes, aligned to 128, that nobody else uses meanwhile.</param>
    public abstract unsafe void Run(byte* scratch);

    /// <summary>Rounded up so that two workers never share a pair of cache lines.</summary>
    protected static long Aligned(long bytes) => (bytes + 127) / 128 * 128;
}
