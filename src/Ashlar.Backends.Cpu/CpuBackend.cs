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

    internal CpuBackend(Isa isa, Workers workers)
    {
        kernels = new(isa);
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
        var compiled = new CpuKernel[plan.Launches.Count];
        for (int i = 0; i < compiled.Length; i++) compiled[i] = kernels.Get(plan.Launches[i].Kernel);
        return new CpuProgram(plan, compiled, workers);
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
