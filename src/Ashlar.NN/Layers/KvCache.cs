namespace Ashlar.NN;

/// <summary>Keys and values of the tokens that a model has read: what lets the next one be computed alone.</summary>
/// <remarks>
/// States of a fixed capacity, so one compiled step serves all lengths: the place of the first new token is its argument. What
/// lies at or after that place is overwritten or not seen, so a cache is reused for another text by starting at place 0. A place
/// outside of the capacity is an error when the program runs (ASH0510).
/// </remarks>
public sealed class KvCache
{
    /// <summary>An empty cache.</summary>
    /// <param name="layers">Attention layers of the model.</param>
    /// <param name="batch">Texts that are read side by side, all of the same length.</param>
    /// <param name="capacity">The most tokens of each.</param>
    /// <param name="kvHeads">Key-value heads.</param>
    /// <param name="headWidth">Numbers per head.</param>
    /// <param name="dtype">The element type of keys and values.</param>
    public KvCache(int layers, int batch, int capacity, int kvHeads, int headWidth, DType dtype = DType.Float32)
    {
        Widths.ThrowIf(layers < 1 || batch < 1 || capacity < 1 || kvHeads < 1 || headWidth < 1,
            $"a key/value cache of {layers} layers, {batch} texts, {capacity} tokens, "
            + $"{kvHeads} heads of {headWidth} numbers cannot be.",
            "every size must be at least 1.");
        (Batch, Capacity) = (batch, capacity);
        Layers = [.. Enumerable.Range(0, layers)
            .Select(layer => new KvCacheLayer($"cache.{layer}", [batch, capacity, kvHeads, headWidth], dtype))];
    }

    /// <summary>Texts that are read side by side.</summary>
    public int Batch { get; }

    /// <summary>The most tokens of each text.</summary>
    public int Capacity { get; }

    /// <summary>One part per attention layer.</summary>
    public IReadOnlyList<KvCacheLayer> Layers { get; }
}

/// <summary>Keys and values of one attention layer.</summary>
public sealed class KvCacheLayer
{
    internal KvCacheLayer(string name, Shape shape, DType dtype)
    {
        Keys = new($"{name}.keys", Tensor.Zeros(shape, dtype));
        Values = new($"{name}.values", Tensor.Zeros(shape, dtype));
    }

    /// <summary>[B, capacity, K, D]</summary>
    public State Keys { get; }

    /// <summary>[B, capacity, K, D]</summary>
    public State Values { get; }

    /// <summary>Writes keys and values of new tokens to their places.</summary>
    /// <param name="keys">[B, T, K, D]</param>
    /// <param name="values">[B, T, K, D]</param>
    /// <param name="places">[T], integers from 0 to below the capacity.</param>
    /// <returns>Keys and values of all places, [B, capacity, K, D].</returns>
    /// <exception cref="ModelException">The cache is of another batch or of other heads.</exception>
    public (Tensor Keys, Tensor Values) Append(Tensor keys, Tensor values, Tensor places)
    {
        if (keys.Shape[0] != Keys.Shape[0] || keys.Shape[2..] != Keys.Shape[2..])
            throw new ModelException("ASH0347",
                $"a key/value cache of {Keys.Shape} cannot take keys {keys.Type}.",
                "make the cache for the model and for this batch.");
        var rows = places.Reshape(1, places.Shape[0], 1, 1);
        Keys.Value = Keys.Value.Scatter(1, rows, keys.Cast(Keys.DType));
        Values.Value = Values.Value.Scatter(1, rows, values.Cast(Values.DType));
        return (Keys.Value.Cast(keys.DType), Values.Value.Cast(values.DType));
    }
}
