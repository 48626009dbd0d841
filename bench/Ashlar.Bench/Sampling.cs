using System.Diagnostics;

namespace Ashlar.Bench;

/// <summary>Takes samples of a rate and of its limit in turn.</summary>
/// <remarks>
/// Clocks wander and neighbours disturb within seconds, so a value is compared only with the limit sampled right beside it, and
/// the order within a pair changes from pair to pair: what drifts one way then cancels. Medians throughout.
/// </remarks>
public static class Sampling
{
    /// <summary>The least number of pairs of a figure.</summary>
    public const int FewestPairs = 9;

    const int MostPairs = 41;
    const int FewestWarmUps = 3, MostWarmUps = 20;
    const double SecondsPerSample = 0.008, SecondsPerFigure = 0.6, SecondsOfWarmUp = 2, StableWithin = 0.05;

    /// <summary>Medians of the value, of its limit, and of their ratio pair by pair.</summary>
    public readonly record struct Outcome(double Value, double Limit, double Ratio);

    /// <summary>Samples both in turn.</summary>
    /// <param name="value">One sample of the value.</param>
    /// <param name="limit">One sample of its limit, in the same unit.</param>
    /// <param name="cancellation">Looked at between samples.</param>
    public static Outcome Pairs(Func<double> value, Func<double> limit, CancellationToken cancellation)
    {
        List<double> values = [], limits = [], ratios = [];
        long start = Stopwatch.GetTimestamp();
        while (values.Count < FewestPairs || values.Count < MostPairs
            && Stopwatch.GetElapsedTime(start).TotalSeconds < SecondsPerFigure)
        {
            bool limitFirst = values.Count % 2 == 0;
            cancellation.ThrowIfCancellationRequested();
            double first = limitFirst ? limit() : value();
            cancellation.ThrowIfCancellationRequested();
            double second = limitFirst ? value() : limit();
            var (v, l) = limitFirst ? (second, first) : (first, second);
            values.Add(v);
            limits.Add(l);
            ratios.Add(v / l);
        }
        return new(Median(values), Median(limits), Median(ratios));
    }

    /// <summary>The middle one, or the mean of the middle two.</summary>
    public static double Median(IReadOnlyCollection<double> samples)
    {
        ArgumentOutOfRangeException.ThrowIfZero(samples.Count);
        double[] sorted = [.. samples.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>Runs until the time of a run has settled, and finds how many runs fill a sample.</summary>
    /// <param name="run">One run.</param>
    /// <param name="cancellation">Looked at between runs.</param>
    public static int WarmUp(Action run, CancellationToken cancellation)
    {
        long start = Stopwatch.GetTimestamp();
        double last = Seconds(run, 1), best = last;
        for (int runs = 1; ; runs++)
        {
            cancellation.ThrowIfCancellationRequested();
            double seconds = Seconds(run, Repeats(last));
            bool settled = Math.Abs(seconds - best) < StableWithin * best;
            best = Math.Min(best, seconds);
            last = seconds;
            bool late = Stopwatch.GetElapsedTime(start).TotalSeconds > SecondsOfWarmUp || runs >= MostWarmUps;
            if (runs >= FewestWarmUps && (settled || late)) return Repeats(best);
        }
    }

    /// <summary>Seconds of one run, as the mean over some.</summary>
    public static double Seconds(Action run, int repeats)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < repeats; i++) run();
        return Stopwatch.GetElapsedTime(start).TotalSeconds / repeats;
    }

    static int Repeats(double seconds) => (int)Math.Clamp(Math.Ceiling(SecondsPerSample / Math.Max(seconds, 1e-9)), 1, 1_000_000);
}
