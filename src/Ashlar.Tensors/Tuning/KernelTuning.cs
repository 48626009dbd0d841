using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Ashlar.Runtime;
using Ashlar.Runtime.Tuning;
using Ashlar.Tiles;

namespace Ashlar;

/// <summary>One config of a tuned kernel.</summary>
/// <param name="Config">Its text.</param>
/// <param name="Seconds">The shortest time of a run; null where it was rejected.</param>
/// <param name="IsDefault">The one that runs without tuning.</param>
/// <param name="Rejected">Why it was: a wrong result, or the error that it met; null where it was not.</param>
public sealed record KernelCandidate(string Config, double? Seconds, bool IsDefault, string? Rejected);

/// <summary>What tuning a kernel found.</summary>
/// <param name="Kernel">Its name.</param>
/// <param name="Shape">The arguments that it holds for, extents by class.</param>
/// <param name="Candidates">The fastest first; rejected ones last.</param>
public sealed record KernelTuning(string Kernel, string Shape, IReadOnlyList<KernelCandidate> Candidates)
{
    /// <summary>The fastest config that gave the right result.</summary>
    public KernelCandidate Best => Candidates[0];

    /// <summary>What runs without tuning.</summary>
    public KernelCandidate Default => Candidates.First(candidate => candidate.IsDefault);
}

/// <summary>Kernels with configs to choose from, called and tuned with tensors.</summary>
public static class KernelChoices
{
    /// <summary>How many configs are timed unless told otherwise.</summary>
    public const int MostCandidates = 16;

    const int Rounds = 5;
    const double SampleSeconds = 0.004, Behind = 1.25;

    extension(KernelChoice choice)
    {
        /// <summary>The result of the kernel with one output, by the config that was tuned for these arguments, or the
        /// first.</summary>
        /// <param name="inputs">As the kernel takes them.</param>
        public Tensor Call(params ReadOnlySpan<Tensor> inputs) => choice.For(inputs).Call(inputs);

        /// <summary>The results of the kernel, by the config that was tuned for these arguments, or the first.</summary>
        /// <param name="inputs">As the kernel takes them.</param>
        public Tensor[] CallAll(params ReadOnlySpan<Tensor> inputs) => choice.For(inputs).CallAll(inputs);

        /// <summary>The kernel of the config that was tuned for such arguments on the default device; the first config's where
        /// none was.</summary>
        /// <param name="inputs">As the kernel takes them; only types and shapes are looked at.</param>
        public Kernel For(params ReadOnlySpan<Tensor> inputs) => ChosenFrom(TuningCache.Current, choice, inputs);

        /// <summary>Times configs on these arguments on the default device, rejects wrong results, and keeps the fastest for
        /// calls with such arguments.</summary>
        /// <param name="inputs">As the kernel takes them; computed first where they are not.</param>
        /// <param name="most">How many configs are timed: the default, and those of least cost.</param>
        /// <param name="cache">Where the result is kept; null keeps it where <see cref="For"/> looks.</param>
        /// <remarks>Results are compared with the default's, within the error of their element type: run the default against the
        /// interpreter once.</remarks>
        /// <exception cref="DeviceException">There are no arguments, or their extents are not numbers (ASH0661).</exception>
        public KernelTuning Tune(IReadOnlyList<Tensor> inputs, int most = MostCandidates, TuningCache? cache = null)
        {
            if (inputs.Count == 0 || inputs.Any(input => input.Shape.Any(extent => !extent.IsConstant)))
                throw new DeviceException("ASH0661",
                    $"'{choice.Name}' cannot be tuned with {(inputs.Count == 0 ? "no arguments" : "arguments whose extents are symbols")}.",
                    "tune with tensors of the shapes that will be used, before recording.");
            foreach (var input in inputs) input.Realize();
            var first = choice.Options[0];
            var options = choice.Options.Skip(1).OrderBy(option => option.Cost).Take(most - 1).Prepend(first).ToList();
            var field = options.Select(option => new Contender(option, [.. inputs])).ToList();
            foreach (var contender in field) contender.Try(field[0]);
            var running = field.Where(contender => contender.Rejected is null).ToList();
            for (int round = 0; round < Rounds; round++)
            {
                foreach (var contender in running) contender.Sample();
                double best = running.Min(contender => contender.Least);
                running = [.. running.Where(contender => contender.Least <= best * Behind || contender == field[0])];
            }
            var tuning = new KernelTuning(choice.Name, ShapeOf(choice, [.. inputs]),
                [.. field.OrderBy(contender => contender.Rejected is not null).ThenBy(contender => contender.Least)
                    .Select(contender => contender.Result(contender == field[0]))]);
            (cache ?? TuningCache.Current)
                .Add(new(NameOf(choice), Device.Default.Backend.Machine, TuningEntry.CurrentVersion, tuning.Shape,
                    tuning.Best.Config,
                tuning.Best.Seconds!.Value, tuning.Default.Seconds!.Value, TuningEntry.Now));
            return tuning;
        }
    }

    /// <summary>The kernel that a cache names for such arguments.</summary>
    internal static Kernel ChosenFrom(TuningCache cache, KernelChoice choice, ReadOnlySpan<Tensor> inputs)
    {
        if (Device.Current is not { } device) return choice.Default;
        foreach (var input in inputs)
            if (input.Shape.Any(extent => !extent.IsConstant)) return choice.Default;
        return cache.Find(NameOf(choice), device.Backend.Machine, ShapeOf(choice, inputs)) is { } entry
            ? choice.Find(entry.Config) ?? choice.Default
            : choice.Default;
    }

    static string NameOf(KernelChoice choice) => $"kernel.{choice.Name}";

    // The text of the kernel is part of the key: a kernel that was changed is another one.
    static string ShapeOf(KernelChoice choice, ReadOnlySpan<Tensor> inputs)
    {
        var text = new StringBuilder();
        foreach (var input in inputs)
            text.Append(input.DType.Name).Append('[').AppendJoin(',', input.Shape.Select(extent => ExtentClass.Of(extent.Value)))
                .Append("] ");
        string hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(choice.Default.Symbolic.Text)))[..8];
        return text.Append("text=").Append(hash).ToString();
    }

    sealed class Contender(KernelOption option, Tensor[] inputs)
    {
        Func<Tensor, Tensor[]>? run;
        double[][] results = [];

        public string? Rejected { get; private set; }

        public double Least { get; private set; } = double.PositiveInfinity;

        public void Try(Contender usual)
        {
            try
            {
                var kernel = option.Define.Value;
                run = Compiled.Function((Tensor first) => kernel.CallAll([first, .. inputs.AsSpan(1)]));
                results = [.. run(inputs[0]).Select(result => result.Cast(DType.Float64).ToArray<double>())];
            }
            catch (KernelException error) when (this != usual)
            {
                Rejected = error.Message.Split('\n')[0];
                return;
            }
            if (this == usual) return;
            var types = option.Define.Value.Symbolic.Outputs;
            for (int i = 0; i < results.Length; i++)
                if (!AreClose(results[i], usual.results[i], types[i].DType)) Rejected = "wrong result";
            results = [];
        }

        public void Sample()
        {
            long start = Stopwatch.GetTimestamp();
            int runs = 0;
            double seconds;
            do
            {
                foreach (var result in run!(inputs[0])) result.Realize();
                runs++;
                seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            }
            while (seconds < SampleSeconds);
            Least = Math.Min(Least, seconds / runs);
        }

        public KernelCandidate Result(bool isDefault) =>
            new(option.Config, double.IsFinite(Least) ? Least : null, isDefault, Rejected);

        // Another order of summation rounds otherwise: relative to the greatest element, as small ones may be what is left of
        // large ones.
        static bool AreClose(double[] found, double[] expected, DType dtype)
        {
            double tolerance = dtype switch
            {
                DType.BFloat16 => 0.02,
                DType.Float16 => 0.004,
                DType.Float64 => 1e-10,
                DType.Float32 => 2e-4,
                _ => 0,
            };
            double scale = expected.Where(double.IsFinite).Select(Math.Abs).DefaultIfEmpty().Max();
            for (int i = 0; i < expected.Length; i++)
                if (!found[i].Equals(expected[i]) && !(Math.Abs(found[i] - expected[i]) <= tolerance * scale)) return false;
            return found.Length == expected.Length;
        }
    }
}
