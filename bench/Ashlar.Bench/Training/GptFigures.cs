using System.Diagnostics;
using System.Runtime.InteropServices;
using Ashlar.Backends.Cpu;
using Ashlar.Formats;

namespace Ashlar.Bench.Training;

/// <summary>A GPT's training step: its speed against this machine and against PyTorch, and what is not kernels.</summary>
static class GptFigures
{
    const double FirstMilliseconds = 3000, OverheadPercent = 2, LossDifference = 1e-3, TimesTorch = 1.3, TimesFloat32 = 2.5;
    const int WarmSteps = 3, ComparedSteps = 20;

    public static IEnumerable<Benchmark> Benchmarks(IReadOnlyList<int> threads)
    {
        int most = threads.Max();
        // First of all: nothing is compiled yet, as in a user's process.
        yield return new($"train.gpt6.first.t{most}", Target.AtMost(1),
            session => First($"train.gpt6.first.t{most}", session.On(most)));
        foreach (int count in threads)
        {
            yield return new($"train.gpt6.step.t{count}", null,
                session => Step($"train.gpt6.step.t{count}", session.On(count), session.Cancellation));
            yield return new($"train.gpt6.bf16.t{count}", Target.AtLeast(TimesFloat32),
                session => InBFloat16($"train.gpt6.bf16.t{count}", session.On(count), session.Cancellation));
            if (TorchProcess.Script is not null)
                yield return new($"train.gpt6.torch.t{count}", Target.AtLeast(TimesTorch),
                    session => AgainstTorch($"train.gpt6.torch.t{count}", session.On(count), session.Cancellation));
        }
        yield return new($"train.gpt6.overhead.t{most}", Target.AtMost(1),
            session => Overhead($"train.gpt6.overhead.t{most}", session.On(most), session.Cancellation));
        yield return new($"train.gpt6.allocated.t{most}", Target.AtMost(0),
            session => Allocated($"train.gpt6.allocated.t{most}", session.On(most)));
        if (TorchProcess.Script is not null)
            yield return new($"train.gpt6.losses.t{most}", Target.AtMost(1),
                session => Losses($"train.gpt6.losses.t{most}", session.On(most), session.Cancellation));
    }

    /// <summary>From nothing to the first loss, initial weights and compilation included.</summary>
    static Figure First(string name, Stage stage)
    {
        using var selection = new Device(stage.Backend).Select();
        long start = Stopwatch.GetTimestamp();
        new GptTraining().Step(0);
        return Figure.Against(name, Stopwatch.GetElapsedTime(start).TotalMilliseconds, "ms", FirstMilliseconds);
    }

    /// <summary>The products' rate, by the convention of model FLOP utilisation, against the peak of the multiply-adds.</summary>
    static Figure Step(string name, Stage stage, CancellationToken cancellation)
    {
        using var selection = new Device(stage.Backend).Select();
        var training = Warm();
        int number = WarmSteps;
        var outcome = Sampling.Pairs(() => training.Work / Sampling.Seconds(() => training.Step(number++), 1) / 1e9,
            () => stage.SampleLimit(Limit.Fma), cancellation);
        return new(name, outcome.Value, Limits.UnitOf(Limit.Fma), outcome.Limit, outcome.Ratio);
    }

    /// <summary>The step with products of bfloat16, against the one of float32.</summary>
    static Figure InBFloat16(string name, Stage stage, CancellationToken cancellation)
    {
        using var selection = new Device(stage.Backend).Select();
        GptTraining narrow = Warm(products: DType.BFloat16), plain = Warm();
        int number = WarmSteps;
        var outcome = Sampling.Pairs(() => narrow.Tokens / Sampling.Seconds(() => narrow.Step(number++), 1),
            () => plain.Tokens / Sampling.Seconds(() => plain.Step(number), 1), cancellation);
        return new(name, outcome.Value, "tokens/s", outcome.Limit, outcome.Ratio);
    }

    static Figure AgainstTorch(string name, Stage stage, CancellationToken cancellation)
    {
        using var selection = new Device(stage.Backend).Select();
        using var torch = TorchPeer.Start(stage.Threads);
        var training = Warm();
        for (int i = 0; i < WarmSteps; i++) torch.Step();
        int number = WarmSteps;
        var outcome = Sampling.Pairs(() => training.Tokens / Sampling.Seconds(() => training.Step(number++), 1),
            () => training.Tokens / torch.Step().Seconds, cancellation);
        return new(name, outcome.Value, "tokens/s", outcome.Limit, outcome.Ratio);
    }

    /// <summary>The share of a step in which no kernel runs: what the caller, the runtime and the launches take.</summary>
    static Figure Overhead(string name, Stage stage, CancellationToken cancellation)
    {
        var backend = new ProfilingBackend(stage.Backend);
        using var selection = new Device(backend).Select();
        var training = Warm();
        var batches = Enumerable.Range(0, Sampling.FewestPairs).Select(training.BatchOf).ToList();
        var shares = new List<double>();
        foreach (int[] batch in batches)
        {
            cancellation.ThrowIfCancellationRequested();
            backend.KernelSeconds = 0;
            double seconds =
                Sampling.Seconds(() => training.Step(batch.AsSpan(0, training.Tokens), batch.AsSpan(training.Tokens)), 1);
            shares.Add(100 * (1 - backend.KernelSeconds / seconds));
        }
        return Figure.Against(name, Sampling.Median(shares), "%", OverheadPercent);
    }

    /// <summary>Managed bytes that a step of six layers allocates more than one of two.</summary>
    static Figure Allocated(string name, Stage stage)
    {
        using var selection = new Device(stage.Backend).Select();
        return Figure.Against(name, Math.Max(0, Of(6) - Of(2)), "bytes", 0);

        static double Of(int layers)
        {
            const int steps = 3;
            var training = Warm(layers);
            int[] batch = training.BatchOf(0);
            long before = GC.GetTotalAllocatedBytes(precise: true);
            for (int i = 0; i < steps; i++) training.Step(batch.AsSpan(0, training.Tokens), batch.AsSpan(training.Tokens));
            return Math.Floor((GC.GetTotalAllocatedBytes(precise: true) - before) / (double)steps);
        }
    }

    /// <summary>The greatest difference from PyTorch's loss in the first steps, from the same weights on the same
    /// batches.</summary>
    static Figure Losses(string name, Stage stage, CancellationToken cancellation)
    {
        using var selection = new Device(stage.Backend).Select();
        var folder = Directory.CreateTempSubdirectory("ashlar-losses-");
        try
        {
            var training = new GptTraining();
            string weights = Path.Combine(folder.FullName, "weights.safetensors"),
                batches = Path.Combine(folder.FullName, "batches.bin");
            Safetensors.Write(weights,
                [.. training.Weights.Parameters.Select(parameter =>
                    NamedArray.Of<float>(parameter.Name, parameter.Shape, parameter.Value.ToArray<float>()))]);
            using (var file = File.Create(batches))
                for (int i = 0; i < ComparedSteps; i++) file.Write(MemoryMarshal.AsBytes<int>(training.BatchOf(i)));
            using var torch = TorchPeer.Start(stage.Threads, weights, batches);
            double most = 0;
            for (int i = 0; i < ComparedSteps; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                most = Math.Max(most, Math.Abs(training.Step(i) - torch.Step().Loss));
            }
            return Figure.Against(name, most, "nats", LossDifference);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    static GptTraining Warm(int layers = 6, DType? products = null)
    {
        var training = new GptTraining(layers, products);
        for (int i = 0; i < WarmSteps; i++) training.Step(i);
        return training;
    }
}
