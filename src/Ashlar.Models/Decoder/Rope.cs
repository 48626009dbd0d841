using System.Globalization;

namespace Ashlar.Models;

/// <summary>Rotary positions of a kind of layer: how fast each pair of a head's numbers turns.</summary>
/// <remarks>Su et al. 2021, arXiv:2104.09864. The ways to stretch it are named by their factories.</remarks>
public sealed record Rope
{
    const int MostWidth = 1 << 16;   // of heads, which have hundreds of numbers

    /// <summary>Positions of these speeds.</summary>
    /// <param name="frequencies">Radians per place, of each pair.</param>
    /// <param name="interleaved">Pairs are neighbours; else the halves of the rotated part.</param>
    /// <param name="factor">What rotated numbers are multiplied by.</param>
    public Rope(ValueList<double> frequencies, bool interleaved = false, double factor = 1)
    {
        ArgumentNullException.ThrowIfNull(frequencies);
        (Frequencies, Interleaved, Factor) = (frequencies, interleaved, factor);
    }

    /// <summary>Radians per place, of each pair.</summary>
    public ValueList<double> Frequencies { get; init; }

    /// <summary>Pairs are neighbours; else the halves of the rotated part.</summary>
    public bool Interleaved { get; init; }

    /// <summary>What rotated numbers are multiplied by.</summary>
    public double Factor { get; init; }

    /// <summary>Frequencies for texts longer than <see cref="LongFrom"/> tokens (LongRoPE); null: the same for all.</summary>
    public ValueList<double>? LongFrequencies { get; init; }

    /// <summary>Texts longer than this take <see cref="LongFrequencies"/>.</summary>
    public int LongFrom { get; init; }

    /// <summary>Numbers of a head that are rotated; they come first.</summary>
    public int Width => 2 * Frequencies.Count;

    /// <summary>As published: pair i turns by <c>base^(-2 i / width)</c> per place.</summary>
    /// <param name="width">Numbers that are rotated, even.</param>
    /// <param name="theta">The base.</param>
    /// <param name="interleaved">Pairs are neighbours.</param>
    public static Rope Plain(int width, double theta, bool interleaved = false)
    {
        if (width is < 2 or > MostWidth || width % 2 != 0 || !(theta > 1) || double.IsInfinity(theta))
            throw new ModelException("ASH0345",
                string.Create(CultureInfo.InvariantCulture, $"rotary positions of {width} numbers with base {theta} cannot be."),
                $"the width must be even and at most {MostWidth}, and the base above 1.");
        return new(Enumerable.Range(0, width / 2).Select(pair => Math.Pow(theta, -2.0 * pair / width))
            .ToValueList(), interleaved);
    }

    /// <summary>All slowed by a factor: position interpolation, Chen et al. 2023, arXiv:2306.15595.</summary>
    public Rope Linear(double factor)
    {
        Check(factor > 0, "factor", factor);
        return this with { Frequencies = Frequencies.Select(frequency => frequency / factor).ToValueList() };
    }

    /// <summary>Llama 3.1: waves longer than the old context are slowed by a factor, short ones kept, those between
    /// mixed.</summary>
    public Rope Llama3(double factor, double low, double high, double context)
    {
        Check(factor > 0, "factor", factor);
        Check(high > low, "high_freq_factor", high);
        Check(context > 0, "original_max_position_embeddings", context);
        return this with
        {
            Frequencies = Frequencies.Select(frequency =>
            {
                double turns = context * frequency / (2 * Math.PI);   // within the old context
                double kept = Math.Clamp((turns - low) / (high - low), 0, 1);
                return kept * frequency + (1 - kept) * frequency / factor;
            }).ToValueList(),
        };
    }

    /// <summary>YaRN: Peng et al. 2023, arXiv:2309.00071. Pairs that turn less than <paramref name="slow"/> times within the old
    /// context are slowed.</summary>
    /// <param name="theta">The base.</param>
    /// <param name="factor">How much longer the new context is.</param>
    /// <param name="context">The old context.</param>
    /// <param name="fast">Pairs that turn more often are kept.</param>
    /// <param name="slow">Pairs that turn less often are slowed by the whole factor.</param>
    /// <param name="magnitude">What rotated numbers are multiplied by; null: the paper's <c>0.1 ln(factor) + 1</c>.</param>
    /// <param name="truncate">The ends of the ramp are rounded to whole pairs.</param>
    public Rope Yarn(double theta, double factor, double context, double fast = 32, double slow = 1, double? magnitude = null,
        bool truncate = true)
    {
        Check(factor > 0, "factor", factor);
        Check(context > 0, "original_max_position_embeddings", context);
        Check(slow > 0, "beta_slow", slow);
        Check(fast > 0, "beta_fast", fast);
        double PairThatTurns(double times) => Width * Math.Log(context / (times * 2 * Math.PI)) / (2 * Math.Log(theta));
        double first = PairThatTurns(fast), last = PairThatTurns(slow);
        if (truncate) (first, last) = (Math.Floor(first), Math.Ceiling(last));
        (first, last) = (Math.Max(first, 0), Math.Min(last, Width - 1));
        if (first == last) last += 0.001;
        return this with
        {
            Frequencies = Frequencies.Select((frequency, pair) =>
            {
                double slowed = Math.Clamp((pair - first) / (last - first), 0, 1);
                return slowed * frequency / factor + (1 - slowed) * frequency;
            }).ToValueList(),
            Factor = magnitude ?? Magnitude(factor),
        };
    }

    /// <summary>The paper's factor of rotated numbers: <c>0.1 strength ln(factor) + 1</c>.</summary>
    public static double Magnitude(double factor, double strength = 1) => factor <= 1 ? 1 : 0.1 * strength * Math.Log(factor) + 1;

    /// <summary>A divisor per pair: what GGUF files keep as <c>rope_freqs.weight</c>, and LongRoPE's, arXiv:2402.13753.</summary>
    public Rope Divided(IReadOnlyList<float> divisors)
    {
        ArgumentNullException.ThrowIfNull(divisors);
        if (divisors.Count != Frequencies.Count)
            throw new ModelException("ASH0345",
                $"{divisors.Count} divisors of rotary frequencies were given for {Frequencies.Count} pairs.",
                "give one per pair.");
        foreach (float divisor in divisors)
            Check(divisor > 0 && float.IsFinite(divisor), "a divisor of its frequencies", divisor);
        return this with { Frequencies = Frequencies.Select((frequency, pair) => frequency / divisors[pair]).ToValueList() };
    }

    static void Check(bool holds, string what, double found)
    {
        if (!holds)
            throw new ModelException("ASH0345",
                string.Create(CultureInfo.InvariantCulture, $"rotary positions are stretched, where {what} is {found}."),
                "check rope_scaling of config.json: factors and lengths are positive, and the high above the low.");
    }

    /// <summary>Cosines and sines of a place.</summary>
    /// <param name="place">From 0.</param>
    /// <param name="length">How long the text is to become; it chooses between short and long frequencies.</param>
    /// <param name="cosines">One per pair.</param>
    /// <param name="sines">One per pair.</param>
    public void Turn(int place, int length, Span<float> cosines, Span<float> sines)
    {
        var frequencies = LongFrequencies is { } slow && length > LongFrom ? slow : Frequencies;
        for (int pair = 0; pair < frequencies.Count; pair++)
        {
            var (sin, cos) = Math.SinCos(place * frequencies[pair]);   // float angles go wrong far out
            (cosines[pair], sines[pair]) = ((float)(cos * Factor), (float)(sin * Factor));
        }
    }
}
