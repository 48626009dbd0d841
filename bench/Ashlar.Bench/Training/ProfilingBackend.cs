using System.Diagnostics;
using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Programs;
using Ashlar.Graph;
using Ashlar.Runtime;
using Buffer = Ashlar.Runtime.Buffer;

namespace Ashlar.Bench.Training;

/// <summary>The processor, with the time that its kernels take added up.</summary>
sealed class ProfilingBackend(IBackend inner) : IBackend
{
    /// <summary>Seconds within kernels so far.</summary>
    public double KernelSeconds { get; set; }

    public string Name => inner.Name;

    public Buffer Allocate(long bytes) => inner.Allocate(bytes);

    public IProgram Compile(Function function, CompileOptions options) =>
        new Profiled(this, (CpuProgram)inner.Compile(function, options));

    sealed class Profiled(ProfilingBackend owner, CpuProgram program) : IProgram
    {
        readonly long[] ticks = new long[program.Launches.Count];

        public IReadOnlyList<Symbol> Symbols => program.Symbols;

        public string Describe() => program.Describe();

        public void Run(ReadOnlySpan<Buffer> inputs, ReadOnlySpan<Buffer> outputs, ReadOnlySpan<long> symbols)
        {
            Array.Clear(ticks);
            program.Profile(inputs, outputs, symbols, ticks);
            long sum = 0;
            foreach (long launch in ticks) sum += launch;
            owner.KernelSeconds += (double)sum / Stopwatch.Frequency;
        }
    }
}
