namespace Ashlar.Models;

/// <summary>How the next token is chosen.</summary>
/// <param name="Temperature">0 takes the likeliest token; 1 leaves the distribution as the model gave it.</param>
/// <param name="TopK">Keep the K likeliest tokens; 0 keeps all.</param>
/// <param name="TopP">Keep the smallest set holding more than this share of the probability; 1 keeps all.</param>
public sealed record SamplingOptions(float Temperature = 1, int TopK = 0, float TopP = 1)
{
    /// <summary>Keep tokens at least so likely as this share of the likeliest; 0 keeps all.</summary>
    public float MinP { get; init; }

    /// <summary>Keep the tokens whose surprise is nearest to the expected one and that together have this share of the
    /// probability; 1 keeps all.</summary>
    public float TypicalP { get; init; } = 1;

    /// <summary>Positive logits of tokens that came before are divided by it, negative ones multiplied; 1 changes
    /// nothing.</summary>
    public float RepetitionPenalty { get; init; } = 1;

    /// <summary>Subtracted from the logits of tokens that were generated before.</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Subtracted from the logits of tokens as often as they were generated before.</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Added to the logits of tokens; negative infinity rules one out.</summary>
    public IReadOnlyDictionary<int, float>? Bias { get; init; }

    /// <summary>True where logits change before tokens are chosen.</summary>
    public bool HasPenalties => RepetitionPenalty != 1 || PresencePenalty != 0 || FrequencyPenalty != 0 || Bias is { Count: > 0 };
}

/// <summary>
/// Chooses the next token. In a fixed order: bias, repetition, presence and frequency penalties, temperature, top-k, typical,
/// top-p, min-p.
/// </summary>
/// <remarks>
/// Not thread-safe: it reuses scratch memory, so sampling does not allocate. Top-p: Holtzman et al. 2019, arXiv:1904.09751;
/// typical: Meister et al. 2022, arXiv:2202.00666; min-p: Nguyen et al. 2024, arXiv:2407.01082; repetition: Keskar et al. 2019,
/// arXiv:1909.05858.
/// </remarks>
public sealed class Sampler
{
    const double Unlikely = 1e-4;   // against the likeliest token: few tokens are more likely, and only those are sorted at first

    readonly int[] tokens;
    readonly double[] weights;      // proportional to probability
    readonly double[] keys;         // what they are sorted by
    readonly float[] changed;       // logits after penalties
    readonly int[] counts;          // of tokens generated before; zero between calls

    /// <summary>A sampler for models of this vocabulary.</summary>
    public Sampler(int vocabulary)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabulary, 1);
        (tokens, weights, keys, changed, counts) =
            (new int[vocabulary], new double[vocabulary], new double[vocabulary], new float[vocabulary], new int[vocabulary]);
    }

    /// <summary>Draws a token.</summary>
    /// <param name="logits">[vocabulary], unnormalised; left unchanged.</param>
    /// <param name="options">How.</param>
    /// <param name="uniform">A draw from [0, 1). The caller owns the randomness, so a seed replays exactly.</param>
    /// <param name="before">Tokens of the text so far; for the repetition penalty.</param>
    /// <param name="generated">Those of them that were generated; for presence and frequency penalties.</param>
    public int Sample(ReadOnlySpan<float> logits, SamplingOptions options, double uniform, ReadOnlySpan<int> before = default,
        ReadOnlySpan<int> generated = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (logits.Length != tokens.Length)
            throw new ArgumentException($"{logits.Length} logits for a vocabulary of {tokens.Length}.", nameof(logits));
        if (options.HasPenalties) logits = Changed(logits, options, before, generated);
        int best = IndexOfMax(logits);
        if (options.Temperature == 0) return best;

        double total = 0;
        for (int token = 0; token < tokens.Length; token++)
        {
            tokens[token] = token;
            total += weights[token] = Math.Exp((logits[token] - logits[best]) / options.Temperature);   // at most 1: no overflow
        }
        bool filters = options.TopK > 0 || options.TopP < 1 || options.MinP > 0 || options.TypicalP < 1;
        if (!filters) return tokens[CountToPass(uniform, tokens.Length) - 1];

        int kept = SortLikely(options, total);   // only a filter needs the order
        if (options.TopK > 0) kept = Math.Min(kept, options.TopK);
        if (options.TypicalP < 1) kept = KeepTypical(options.TypicalP, kept);
        if (options.TopP < 1 && (options.TopK > 0 || options.TypicalP < 1 || kept == tokens.Length))
            kept = CountToPass(options.TopP, kept);
        if (options.MinP > 0)
        {
            int likely = 1;
            while (likely < kept && weights[likely] >= options.MinP * weights[0]) likely++;
            kept = likely;
        }
        return tokens[CountToPass(uniform, kept) - 1];
    }

    /// <summary>The natural logarithm of a token's probability, before anything is filtered or penalised.</summary>
    public static double LogProbability(ReadOnlySpan<float> logits, int token)
    {
        float best = logits[IndexOfMax(logits)];
        double total = 0;
        foreach (float logit in logits) total += Math.Exp(logit - best);
        return logits[token] - best - Math.Log(total);
    }

    /// <summary>The likeliest tokens with the logarithms of their probabilities, the likeliest first.</summary>
    public static (int Token, double LogProbability)[] Likeliest(ReadOnlySpan<float> logits, int count)
    {
        float best = logits[IndexOfMax(logits)];
        double total = 0;
        foreach (float logit in logits) total += Math.Exp(logit - best);
        double shift = best + Math.Log(total);
        float[] all = logits.ToArray();
        int[] order = [.. Enumerable.Range(0, all.Length)];
        Array.Sort(all, order);
        return [.. Enumerable.Range(1, Math.Min(count, all.Length)).Select(i => (order[^i], all[^i] - shift))];
    }

    ReadOnlySpan<float> Changed(ReadOnlySpan<float> logits, SamplingOptions options, ReadOnlySpan<int> before,
        ReadOnlySpan<int> generated)
    {
        logits.CopyTo(changed);
        if (options.Bias is { } bias)
            foreach (var (token, added) in bias)
                if ((uint)token < (uint)changed.Length) changed[token] += added;
        if (options.RepetitionPenalty != 1)
        {
            foreach (int token in before)
                if (counts[token]++ == 0)
                    changed[token] = changed[token] > 0
                        ? changed[token] / options.RepetitionPenalty
                        : changed[token] * options.RepetitionPenalty;
            foreach (int token in before) counts[token] = 0;
        }
        if (options.PresencePenalty != 0 || options.FrequencyPenalty != 0)
        {
            foreach (int token in generated)
                changed[token] -= options.FrequencyPenalty + (counts[token]++ == 0 ? options.PresencePenalty : 0);
            foreach (int token in generated) counts[token] = 0;
        }
        return changed;
    }

    // Puts the tokens that filters may keep first, in order, and says how many they are.
    int SortLikely(SamplingOptions options, double total)
    {
        int likely = 0;
        double sum = 0;
        for (int i = 0; i < tokens.Length; i++)
            if (weights[i] >= Unlikely)
            {
                (tokens[likely], tokens[i]) = (tokens[i], tokens[likely]);
                (weights[likely], weights[i]) = (weights[i], weights[likely]);
                sum += weights[likely++];
            }
        // Sorting a vocabulary costs more than a small model's token, so only the likely tokens are sorted where no filter looks
        // at the others.
        bool isEnough = options.TopK > 0 && options.TopK <= likely
            || options.TopK == 0 && options.TypicalP >= 1
            && (options.MinP > Unlikely && options.TopP >= 1 || options.TopP < 1 && sum > options.TopP * total);
        int count = isEnough ? likely : tokens.Length;
        Sort(count);
        if (options.TopK == 0 && options.TopP < 1 && isEnough) return CountOfShare(options.TopP * total, count);
        return count;
    }

    // Top-p without top-k is a share of everything, also of what was not sorted.
    int CountOfShare(double wanted, int count)
    {
        double sum = 0;
        for (int i = 0; i < count; i++)
            if ((sum += weights[i]) > wanted) return i + 1;
        return count;
    }

    // By how far a token's surprise is from the expected one; what is kept is put in order of weight again.
    int KeepTypical(float share, int kept)
    {
        double total = 0, entropy = 0;
        for (int i = 0; i < kept; i++) total += weights[i];
        for (int i = 0; i < kept; i++)
            if (weights[i] > 0) entropy -= weights[i] / total * Math.Log(weights[i] / total);
        for (int i = 0; i < kept; i++)
        {
            keys[i] = weights[i] > 0 ? Math.Abs(-Math.Log(weights[i] / total) - entropy) : double.PositiveInfinity;
            counts[i] = i;
        }
        keys.AsSpan(0, kept).Sort(counts.AsSpan(0, kept));
        int taken = 0;
        for (double sum = 0; taken < kept && sum <= share * total; taken++) sum += weights[counts[taken]];
        for (int i = 0; i < taken; i++) keys[i] = weights[counts[i]];
        for (int i = 0; i < taken; i++) counts[i] = tokens[counts[i]];
        for (int i = 0; i < taken; i++) (weights[i], tokens[i]) = (keys[i], counts[i]);
        counts.AsSpan(0, kept).Clear();
        Sort(taken);
        return taken;
    }

    // Descending: of the negatives, because a comparer of one's own is an object each time.
    void Sort(int count)
    {
        var part = weights.AsSpan(0, count);
        foreach (ref double weight in part) weight = -weight;
        part.Sort(tokens.AsSpan(0, count));
        foreach (ref double weight in part) weight = -weight;
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
