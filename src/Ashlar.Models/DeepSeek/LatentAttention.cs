namespace Ashlar.Models.DeepSeek;

/// <summary>Attention whose keys and values are one short vector per token, and one rotated part that all heads share.</summary>
/// <remarks>
/// The matrices that would expand that vector to keys and values of each head are taken into queries and results instead, so
/// the vector itself is key and value of one head that all query heads share, and all that the cache holds. Source: DeepSeek-AI
/// 2024, arXiv:2405.04434, section 2.1. T tokens, H heads, R the vector's width.
/// </remarks>
/// <param name="Config">Widths and kinds.</param>
/// <param name="Layer">Window and rotary positions of this layer.</param>
/// <param name="QueryDown">Compresses queries, [query rank, width]; null: they are not compressed.</param>
/// <param name="QueryNorm">[query rank]; null where they are not.</param>
/// <param name="Query">[H (plain + rotated), query rank or width]</param>
/// <param name="KeyDown">The vector and the rotated part, [R + rotated, width].</param>
/// <param name="KeyNorm">[R]</param>
/// <param name="KeyUp">Takes keys into queries, per head [R, plain].</param>
/// <param name="ValueUp">From the vector to values, per head [value, R].</param>
/// <param name="Output">[width, H value]</param>
public sealed record LatentAttention(DecoderConfig Config, AttentionLayer Layer, Projection? QueryDown, Norm? QueryNorm,
    Projection Query,
    Projection KeyDown, Norm KeyNorm, ExpertProjection KeyUp, ExpertProjection ValueUp, Projection Output) : IAttention
{
    /// <inheritdoc/>
    public Tensor Apply(Tensor x, DecoderStep step, State cache)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(step);
        ArgumentNullException.ThrowIfNull(cache);
        var latent = Config.Latent!;
        var tokens = x.Shape[0];
        int heads = Config.Heads, rank = latent.KeyRank, plain = latent.PlainWidth, rotated = latent.RotatedWidth;
        var head = Tensor.Iota([tokens, heads], 1).Reshape(tokens * heads);                       // of each row of [T H, ...]

        var q = Query.Apply(QueryDown is null ? x : QueryNorm!.Apply(QueryDown.Apply(x))).Reshape(tokens, heads, plain + rotated);
        var inKeys = KeyUp.Apply(q.Narrow(2, 0, plain).Reshape(tokens * heads, plain), head).Reshape(tokens, heads, rank);
        q = Tensor.Concat([inKeys, Rotate(q.Narrow(2, plain, rotated), step)], 2);                // [T, H, R + rotated]

        var both = KeyDown.Apply(x);
        var vector = KeyNorm.Apply(both.Narrow(1, 0, rank)).Reshape(tokens, 1, rank);
        var k = Tensor.Concat([vector, Rotate(both.Narrow(1, rank, rotated).Reshape(tokens, 1, rotated), step)], 2);

        var options =
            new PagedAttentionOptions(Config.AttentionScale ?? 1 / Math.Sqrt(plain + rotated), Layer.Window, Config.AttentionCap);
        var (mixed, written) =
            q.PagedAttention(k, vector, cache.Value, step.CacheType, step.Texts, step.Places, step.Tables, options);
        cache.Value = written;
        var values = ValueUp.Apply(mixed.Reshape(tokens * heads, rank), head);                    // [T H, value]
        return Output.Apply(values.Reshape(tokens, heads * latent.ValueWidth));
    }

    /// <inheritdoc/>
    public IEnumerable<(long Bytes, long Count)> Sizes =>
    [
        .. QueryDown is null ? [] : (IEnumerable<(long, long)>)[(QueryDown.Bytes, QueryDown.Count)], (Query.Bytes, Query.Count),
        (KeyDown.Bytes, KeyDown.Count),
        (KeyUp.Bytes, KeyUp.Count), (ValueUp.Bytes, ValueUp.Count), (Output.Bytes, Output.Count),
    ];

    Tensor Rotate(Tensor x, DecoderStep step) =>
        Layer.Rope is { } rope ? GroupedAttention.Rotate(x, rope, step, rope.Interleaved) : x;
}
