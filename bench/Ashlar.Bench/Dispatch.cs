using System.Diagnostics;
using Ashlar.Compiler;
using Ashlar.Graph;

namespace Ashlar.Bench;

/// <summary>What a launch costs when the kernel itself costs next to nothing.</summary>
static class Dispatch
{
    const int Kernels = 200, Elements = 16;
    const int AllocationRuns = 1000;

    // Long enough that the runtime has compiled the launching code with all optimisation; it waits 100 ms before it begins.
    const double WarmUpSeconds = 0.8;

    public static IEnumerable<Benchmark> Benchmarks(IReadOnlyList<int> threads)
    {
        foreach (int count in threads)
        {
            yield return new($"dispatch.kernel.t{count}", Target.AtMost(1),
                session => Time($"dispatch.kernel.t{count}", session.On(count), session.Cancellation));
            yield return new($"dispatch.allocated.t{count}", Target.AtMost(0),
                session => Allocated($"dispatch.allocated.t{count}", session.On(count), session.Cancellation));
        }
    }

    static Figure Time(string name, Stage stage, CancellationToken cancellation)
    {
        var (run, kernels) = Warm(stage, cancellation);
        int repeats = Sampling.WarmUp(run, cancellation);
        var samples = new List<double>();
        while (samples.Count < 41)
        {
            cancellation.ThrowIfCancellationRequested();
            samples.Add(Sampling.Seconds(run, repeats) / kernels * 1e6);
        }
        return Figure.Against(name, Sampling.Median(samples), "us", 1);
    }

    static Figure Allocated(string name, Stage stage, CancellationToken cancellation)
    {
        var (run, _) = Warm(stage, cancellation);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < AllocationRuns; i++) run();
        return Figure.Against(name, (GC.GetAllocatedBytesForCurrentThread() - before) / (double)AllocationRuns, "bytes", 0);
    }

    static (Action Run, int Kernels) Warm(Stage stage, CancellationToken cancellation)
    {
        var function = Chain();
        int kernels = Pipelines.Compile(function, OptimizationLevel.O0).Launches.Count;
        var program = stage.Backend.Compile(function, new(OptimizationLevel.O0));
        var inputs = Inputs.For(stage.Backend, function, positive: [0, 1]);
        var outputs = Inputs.Results(stage.Backend, function, inputs, null);
        void Run() => program.Run(inputs, outputs, []);
        for (long start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start).TotalSeconds < WarmUpSeconds;)
        {
            cancellation.ThrowIfCancellationRequested();
            Run();
        }
        return (Run, kernels);
    }

    /// <summary>Unlike neighbours, each reading the one before: at O0 a kernel each.</summary>
    internal static Function Chain()
    {
        Node x = Nodes.Parameter(0, DType.Float32, [Elements]), y = Nodes.Parameter(1, DType.Float32, [Elements]), value = x;
        for (int i = 0; i < Kernels; i++)
            value = (i % 4) switch
            {
                0 => value + y,
                1 => value * y,
                2 => Nodes.Unary(Op.Neg, value),
                _ => value - y,
            };
        return new([x, y], [value]);
    }
}
