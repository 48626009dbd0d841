using Ashlar.Backends.Cpu;
using Ashlar.Runtime;
using Buffer = Ashlar.Runtime.Buffer;

namespace Ashlar.Bench;

/// <summary>Times workloads against the limits of the machine.</summary>
public static class Timing
{
    // What a parameter from memory takes in all its copies: several times the last-level cache, whatever that keeps of them.
    const long LeastCopiesBytes = 256 << 20;

    /// <summary>The benchmarks of these workloads, each on each number of threads.</summary>
    public static IEnumerable<Benchmark> Of(IEnumerable<Workload> workloads, IReadOnlyList<int> threads) =>
        from workload in workloads
        from count in threads
        let name = $"{workload.Name}.t{count}"
        select new Benchmark(name, workload.Target, session => Measure(name, workload, session.On(count), session.Cancellation));

    /// <summary>Compiles a workload, runs it until its time settles, then samples it and its limit in turn.</summary>
    public static Figure Measure(string name, Workload workload, Stage stage, CancellationToken cancellation)
    {
        var function = workload.Function();
        var program = stage.Backend.Compile(function, new(OptimizationLevel.O2, workload.Donations));
        var inputs = Inputs.For(stage.Backend, function, workload.Classes, workload.Positive);
        var outputs = Inputs.Results(stage.Backend, function, inputs, workload.Donations);
        var copies = workload.FromMemory is { } fresh ? Copies(stage.Backend, inputs[fresh]) : [];
        int runs = 0;
        void Run()
        {
            if (workload.FromMemory is { } parameter) inputs[parameter] = copies[runs++ % copies.Length];
            program.Run(inputs, outputs, []);
        }

        int repeats = Sampling.WarmUp(Run, cancellation);
        var outcome = Sampling.Pairs(() => workload.Work / Sampling.Seconds(Run, repeats) / 1e9,
            () => Bound(workload, stage.SampleLimit), cancellation);
        GC.KeepAlive(inputs);
        return new(name, outcome.Value, Limits.UnitOf(workload.Limit), outcome.Limit, outcome.Ratio);
    }

    /// <summary>The rate at which the machine could do the work: the nearer of its bounds, in the unit of the first.</summary>
    public static double Bound(Workload workload, Func<Limit, double> sample)
    {
        double bound = sample(workload.Limit);
        return workload.OtherLimit is { } other ? Math.Min(bound, sample(other.Limit) / other.Work * workload.Work) : bound;
    }

    static Buffer[] Copies(IBackend backend, Buffer original)
    {
        long bytes = Math.Max(LeastCopiesBytes, 4 * Processor.Current.L3Bytes);
        var copies = new Buffer[(int)Math.Max(1, (bytes + original.Bytes - 1) / original.Bytes)];
        copies[0] = original;
        for (int i = 1; i < copies.Length; i++)
        {
            copies[i] = backend.Allocate(original.Bytes);
            copies[i].CopyFrom(original, original.Bytes);
        }
        return copies;
    }
}
