namespace Ashlar.Models;

/// <summary>How the next token is chosen.</summary>
/// <param name="Temperature">0 takes the likeliest token; 1 leaves the distribution as the model gave it.</param>
/// <param name="TopK">Keep the K likeliest tokens; 0 keeps all.</param>
/// <param name="TopP">Keep the smallest set holding more than this share of the probability; 1 keeps all.</param>
public sealed record SamplingOptions(float Temperature = 1, int TopK = 0, float TopP = 1);

/// <summary>Chooses the next token. Filters run in a fixed order: temperature, then top-k, then top-p.</summary>
/// <remarks>
/// Not thread-safe: it reuses scratch memory, so sampling does not allocate. Top-p: Holtzman et al. 2019, arXiv:1904.09751.
/// </remarks>
public sealed class Sampler
{
    readonly int[] tokens;
    readonly double[] weights;   // proportional to probability

    /// <summary>A sampler for models of this vocabulary.</summary>
    public Sampler(int vocabulary)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabulary, 1);
        (tokens, weights) = (new int[vocabulary], new double[vocabulary]);
    }

    /// <summary>Draws a token.</summary>
    /// <param name="logits">[vocabulary], unnormalised; left unchanged.</param>
    /// <param name="options">How.</param>
    /// <param name="uniform">A draw from [0, 1). The caller owns the randomness, so a seed replays exactly.</param>
    public int Sample(ReadOnlySpan<float> logits, SamplingOptions options, double uniform)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (logits.Length != tokens.Length)
            throw new ArgumentException($"{logits.Length} logits for a vocabulary of {tokens.Length}.", nameof(logits));
        int best = IndexOfMax(logits);
        if (options.Temperature == 0) return best;

        for (int token = 0; token < tokens.Length; token++)
        {
            tokens[token] = token;
            weights[token] = Math.Exp((logits[token] - logits[best]) / options.Temperature);   // at most 1: no overflow
        }

        int kept = tokens.Length;
        if (options.TopK > 0 || options.TopP < 1)
        {
            Sort();   // only a filter needs the order
            if (options.TopK > 0) kept = Math.Min(kept, options.TopK);
            kept = CountToPass(options.TopP, kept);
        }
        return tokens[CountToPass(uniform, kept) - 1];
    }

    // Descending: of the negatives, because a comparer of one's own is an object each time.
    void Sort()
    {
        foreach (ref double weight in weights.AsSpan()) weight = -weight;
        weights.AsSpan().Sort(tokens.AsSpan());
        foreach (ref double weight in weights.AsSpan()) weight = -weight;
    }

    /// <summary>How many of the first <paramref name="kept"/> candidates it takes to pass a share of their weight.</summary>
    int CountToPass(double share, int kept)
    {
        double total = 0, sum = 0;
        foreach (double weight in weights.AsSpan(0, kept)) total += weight;
        for (int i = 0; i < kept; i++)
            if ((sum += weights[i]) > share * total) return i + 1;
        return kept;
    }

    static int IndexOfMax(ReadOnlySpan<float> logits)
    {
        int best = 0;
        for (int i = 1; i < logits.Length; i++)
            if (logits[i] > logits[best]) best = i;
        return best;
    }
}
