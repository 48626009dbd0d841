namespace Ashlar.NN;

/// <summary>What an <see cref="Attention"/> layer is.</summary>
/// <param name="Width">The width of what comes in and goes out.</param>
/// <param name="Heads">Query heads.</param>
public sealed record AttentionConfig(int Width, int Heads)
{
    /// <summary>Key and value heads, each of which serves as many query heads (Ainslie et al. 2023, arXiv:2305.13245); null: one
    /// per query head.</summary>
    public int? KvHeads { get; init; }

    /// <summary>Numbers per head; null: the width over the heads, which must divide it.</summary>
    public int? HeadWidth { get; init; }

    /// <summary>Whether a token sees itself and those before it only.</summary>
    public bool IsCausal { get; init; } = true;

    /// <summary>Whether the projections have a bias.</summary>
    public bool Bias { get; init; } = true;

    /// <summary>Whether queries and keys are normalised (<see cref="RmsNorm"/> over each head) before they are rotated, as in
    /// Qwen 3.</summary>
    public bool NormaliseQueriesAndKeys { get; init; }

    /// <summary>The share of attention that is dropped in training; makes attention keep its matrix of T x T numbers.</summary>
    public double Dropout { get; init; }

    /// <summary>Which random numbers dropout takes.</summary>
    public long DropoutSeed { get; init; }

    /// <summary>How the matrices begin; null: as <see cref="Linear"/>'s.</summary>
    public Initial? Initial { get; init; }

    /// <summary>How the output's matrix begins; null: as the others.</summary>
    public Initial? OutputInitial { get; init; }
}

/// <summary>Self-attention: each token mixes the values of others by how well their keys fit its query.</summary>
/// <remarks>
/// Layers: <c>c_attn</c>, which makes queries, keys and values side by side in one product, <c>c_proj</c>, and with normalised
/// queries and keys <c>q_norm</c> and <c>k_norm</c>. B batch, T tokens, H query heads, K key-value heads, D head width. Source:
/// Vaswani et al. 2017, arXiv:1706.03762.
/// </remarks>
public sealed class Attention
{
    readonly AttentionConfig config;
    readonly int heads, kvHeads, headWidth;
    readonly Linear input, output;
    readonly RmsNorm? queryNorm, keyNorm;
    readonly Rotary? rotary;
    readonly Dropout dropout;

    /// <summary>Asks for the parameters.</summary>
    /// <param name="weights">The layer's scope.</param>
    /// <param name="config">Widths and heads.</param>
    /// <param name="rotary">Turns queries and keys by their places; layers may share it. Null: places are not seen.</param>
    /// <exception cref="ModelException">Heads do not divide the width, or key-value heads the heads.</exception>
    public Attention(Weights weights, AttentionConfig config, Rotary? rotary = null)
    {
        (this.config, this.rotary) = (config, rotary);
        (heads, kvHeads) = (config.Heads, config.KvHeads ?? config.Heads);
        Widths.ThrowIf(heads < 1 || config.HeadWidth is null && config.Width % heads != 0,
            $"{heads} heads do not divide a width of {config.Width}.", "choose a width that is a multiple of the heads.");
        Widths.ThrowIf(kvHeads < 1 || heads % kvHeads != 0,
            $"{kvHeads} key-value heads do not divide {heads} heads.",
            "choose a divisor of the heads; as many as heads is plain attention.");
        headWidth = config.HeadWidth ?? config.Width / heads;
        input = new(weights.Scope("c_attn"), config.Width, (heads + 2 * kvHeads) * headWidth, config.Bias, config.Initial);
        output = new(
            weights.Scope("c_proj"), heads * headWidth, config.Width, config.Bias, config.OutputInitial ?? config.Initial);
        if (config.NormaliseQueriesAndKeys)
            (queryNorm, keyNorm) = (new(weights.Scope("q_norm"), headWidth), new(weights.Scope("k_norm"), headWidth));
        dropout = new(config.Dropout, config.DropoutSeed);
    }

    /// <param name="x">[B, T, width]</param>
    /// <param name="dropoutKey">An integer scalar that differs from step to step; null drops nothing.</param>
    /// <returns>[B, T, width]</returns>
    public Tensor Forward(Tensor x, Tensor? dropoutKey = null)
    {
        var (q, k, v) = Project(x);
        if (rotary is not null) (q, k) = (rotary.Rotate(q), rotary.Rotate(k));
        if (dropoutKey is null || config.Dropout == 0) return Join(q.Attention(k, v, config.IsCausal));
        Extent tokens = x.Shape[1];
        var seen = config.IsCausal ? Tensor.Iota([tokens, tokens], 1) <= Tensor.Iota([tokens, tokens], 0) : null;
        return Join(Mix(q, k, v, seen, dropoutKey));
    }

    /// <summary>Attention of new tokens to all that the cache holds up to each of them, themselves included.</summary>
    /// <param name="x">[B, T, width]</param>
    /// <param name="cache">Keys and values of the tokens before; those of the new ones are added to it.</param>
    /// <param name="places">[T], int32: where each new token stands.</param>
    /// <returns>[B, T, width]</returns>
    public Tensor Forward(Tensor x, KvCacheLayer cache, Tensor places)
    {
        var (q, k, v) = Project(x);
        if (rotary is not null) (q, k) = (rotary.Rotate(q, places), rotary.Rotate(k, places));
        var (keys, values) = cache.Append(k, v, places);
        var seen = Tensor.Iota([places.Shape[0], cache.Keys.Shape[1]], 1) <= places.Unsqueeze(1);   // [T, capacity]
        return Join(Mix(q, keys, values, seen, null));
    }

    // [B, T, width] -> [B, T, H, D], [B, T, K, D], [B, T, K, D]
    (Tensor Queries, Tensor Keys, Tensor Values) Project(Tensor x)
    {
        var all = input.Forward(x);
        Tensor Part(int start, int count) => all.Narrow(-1, start * headWidth, count * headWidth).Unflatten(-1, count, headWidth);
        var (q, k, v) = (Part(0, heads), Part(heads, kvHeads), Part(heads + kvHeads, kvHeads));
        return queryNorm is null ? (q, k, v) : (queryNorm.Forward(q), keyNorm!.Forward(k), v);
    }

    // [B, T, H, D] -> [B, T, width]
    Tensor Join(Tensor mixed) => output.Forward(mixed.Flatten(2));

    // Attention written out, for what the composite op cannot say: q [B, T, H, D], k and v [B, S, K, D], seen [T, S].
    Tensor Mix(Tensor q, Tensor k, Tensor v, Tensor? seen, Tensor? dropoutKey)
    {
        var grouped = q.Unflatten(2, kvHeads, heads / kvHeads);                                       // [B, T, K, G, D]
        var scores = Tensor.Einsum("btkgd,bskd->bktgs", grouped, k) * (1 / Math.Sqrt(headWidth));     // [B, K, T, G, S]
        if (seen is not null)
            scores = Tensor.Where(seen.Unsqueeze(1), scores, -1e30);   // finite: a row of these is still a row of numbers
        var shares = dropout.Forward(scores.Softmax(), dropoutKey);
        return Tensor.Einsum("bktgs,bskd->btkgd", shares, v).Flatten(2, 3);                           // [B, T, H, D]
    }
}
