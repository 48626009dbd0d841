using Ashlar.Backends.Cpu.Programs;
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

    /// <summary>The backend on the instruction set that ASHLAR_ISA or this machine chooses, with the threads that ASHLAR_THREADS names.</summary>
    public CpuBackend() : this(Isa.Chosen, Workers.Shared) { }

    /// <param name="usesTiles">False keeps products on the vectors of the path.</param>
    internal CpuBackend(Isa isa, Workers workers, bool usesTiles = true)
    {
        kernels = new(isa, workers.Count, usesTiles);
        this.workers = workers;
    }

    /// <inheritdoc/>
    public string Name => "cpu";

    /// <inheritdoc/>
    public Buffer Allocate(long bytes) => NativePool.Shared.Rent(Math.Max(bytes, 1));

    /// <inheritdoc/>
    public IProgram Compile(Function function, CompileOptions options)
    {
        var plan = Pipelines.Compile(function, options.Level, options.Donations, Dump);
        return new CpuProgram(plan, kernels.Get([.. plan.Launches.Select(launch => launch.Kernel)]), workers);
    }

    // What ASHLAR_DUMP asks for goes to the error stream, so that a program's own output stays clean.
    static void Dump(string pass, Func<string> text)
    {
        string? asked = AshlarEnvironment.Dump.Value;
        if (asked is null || asked != "all" && asked != pass) return;
        Console.Error.WriteLine($"-- {pass}");
        Console.Error.WriteLine(text());
    }
}
