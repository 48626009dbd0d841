using Ashlar.Backends.Cpu.Programs;
using Ashlar.Backends.Cpu.Tuning;
using Ashlar.Compiler;
using Ashlar.Graph;
using Ashlar.Runtime;
using Buffer = Ashlar.Runtime.Buffer;

namespace Ashlar.Backends.Cpu;

/// <summary>Runs programs on the processor: machine code made for its instruction set, on Ashlar's own threads.</summary>
/// <remarks>Register it once: <c>Device.Use(new CpuBackend());</c></remarks>
public sealed class CpuBackend : IBackend
{
    readonly KernelCache kernels;
    readonly Workers workers;
    readonly Isa isa;
    readonly Dumps? dumps;
    readonly Lazy<string> machine;

    /// <summary>The backend on the instruction set that ASHLAR_ISA or this machine chooses, with the threads that ASHLAR_THREADS
    /// names.</summary>
    /// <exception cref="DeviceException">A variable of the environment has a value that it does not take: ASH0601, ASH0602,
    /// ASH0605.</exception>
    public CpuBackend() : this(Isa.Chosen, Workers.Shared) { }

    /// <param name="usesTiles">False keeps products on the vectors of the path.</param>
    /// <param name="dumps">What is printed of compilations; null for what ASHLAR_DUMP asks for.</param>
    internal CpuBackend(Isa isa, Workers workers, bool usesTiles = true, Dumps? dumps = null)
    {
        // To the error stream, so that a program's own output stays clean.
        this.dumps = dumps ?? Dumps.Of(AshlarEnvironment.Dump.Value, Console.Error);
        this.isa = isa;
        kernels = new(isa, workers.Count, usesTiles);
        this.workers = workers;
        machine = new(() => $"{DeviceProfile.MachineOf(isa)}, {workers.Count} threads");
    }

    /// <inheritdoc/>
    public string Name => "cpu";

    /// <inheritdoc/>
    public string Machine => machine.Value;

    /// <inheritdoc/>
    public Buffer Allocate(long bytes) => NativePool.Shared.Rent(Math.Max(bytes, 1));

    /// <inheritdoc/>
    public IProgram Compile(Function function, CompileOptions options)
    {
        var plan = Pipelines.Compile(function, options.Level, options.Donations, dumps is null ? null : dumps.Show);
        dumps?.Show(plan, isa);
        return new CpuProgram(plan, kernels.Get([.. plan.Launches.Select(launch => launch.Kernel)]), workers);
    }
}
