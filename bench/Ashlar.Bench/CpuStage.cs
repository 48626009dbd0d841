using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Programs;

namespace Ashlar.Bench;

/// <summary>Benchmarks on this machine's processor.</summary>
public static class CpuStage
{
    /// <summary>The threads that a program takes unless told otherwise.</summary>
    public static int DefaultThreads => Workers.CountFrom(AshlarEnvironment.Threads.Value, Environment.ProcessorCount);

    /// <summary>A stage on this many threads. Programs and limits share them, so that neither waits beside the other.</summary>
    public static Stage Make(int threads)
    {
        var workers = new Workers(threads);
        var limits = new Limits(Isa.Chosen, workers);
        return new(threads, new CpuBackend(Isa.Chosen, workers), limit => limits.Sample(limit, threads),
            kernel => new KernelCache(Isa.Chosen, threads: 1).Get([kernel]))
        {
            Workers = workers,
        };
    }
}
