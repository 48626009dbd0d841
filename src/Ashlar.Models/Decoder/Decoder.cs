using Ashlar.Formats;

namespace Ashlar.Models;

/// <summary>A decoder-only language model, ready to run: layers with packed weights.</summary>
/// <remarks>
/// Embeddings are looked up where the file lies mapped, so that they take no memory of their own. Everything else of a step is
/// one program: <see cref="Forward"/> is traced by whoever owns the cache. Dispose it when no step runs any more.
/// </remarks>
public sealed class Decoder : IDisposable
{
    readonly WeightFile file;
    readonly WeightEntry embedding;
    readonly BlockCodec codec;
    readonly float[]? positions;          // [context, width]
    readonly Rope[] ropes;
    readonly Norm finalNorm;
    readonly Projection head;

    internal Decoder(DecoderConfig config, WeightFile file, WeightEntry embedding, float[]? positions,
        IReadOnlyList<DecoderLayer> layers, Norm finalNorm, Projection head)
    {
        (Config, this.file, this.embedding, this.positions, Layers, this.finalNorm, this.head) =
            (config, file, embedding, positions, layers, finalNorm, head);
        codec = BlockCodec.Of(embedding.Type);
        ropes = [.. config.Layers.Select(layer => layer.Rope).OfType<Rope>().Distinct()];
        FeatureWidth = config.Width + Ropes.Sum(rope => rope.Width);
    }

    /// <summary>What it is made of.</summary>
    public DecoderConfig Config { get; }

    /// <summary>The layers.</summary>
    public IReadOnlyList<DecoderLayer> Layers { get; }

    /// <summary>The kinds of rotary positions, each once.</summary>
    public IReadOnlyList<Rope> Ropes => ropes;

    /// <summary>Numbers per token that <see cref="Features"/> writes: the embedding, then cosines and sines of each kind of
    /// positions.</summary>
    public int FeatureWidth { get; }

    /// <summary>Bytes of all matrices, packed; embeddings are not among them, unless they are the matrix of logits too.</summary>
    public long WeightBytes => Projections().Sum(part => part.Bytes);

    /// <summary>Bytes of all weights as they lie in the file.</summary>
    public long FileBytes => file.Entries.Sum(entry => entry.Bytes);

    /// <summary>True where every matrix is float32: such models are small, or exactness is wanted.</summary>
    public bool IsFloat32 => Projections().All(part => part.Bytes == part.Count * sizeof(float));

    /// <summary>Numbers of all matrices, likewise.</summary>
    public long WeightCount => Projections().Sum(part => part.Count);

    IEnumerable<(long Bytes, long Count)> Projections() =>
        Layers.SelectMany(layer => layer.Attention.Sizes.Concat(layer.FeedForward.Sizes)).Append((head.Bytes, head.Count));

    /// <summary>What goes into a step: the embedding of each token, and how far its place turns it.</summary>
    /// <param name="tokens">Ids.</param>
    /// <param name="place">The place of the first token in its text; the others follow.</param>
    /// <param name="length">How long the text is expected to become; LongRoPE chooses by it.</param>
    /// <param name="features">[tokens, <see cref="FeatureWidth"/>]</param>
    /// <exception cref="ModelException">ASH0353: a token is not of the vocabulary.</exception>
    public void Features(ReadOnlySpan<int> tokens, int place, int length, Span<float> features)
    {
        long rowBytes = (long)Config.Width / codec.Elements * codec.Bytes;
        ThrowUnlessKnown(tokens);
        for (int t = 0; t < tokens.Length; t++)
        {
            var row = features.Slice(t * FeatureWidth, FeatureWidth);
            var embedded = row[..Config.Width];
            codec.Decode(file.Span(embedding, tokens[t] * rowBytes, (int)rowBytes), embedded);
            if (Config.EmbeddingScale != 1)
                foreach (ref float number in embedded) number *= (float)Config.EmbeddingScale;
            if (positions is not null)
                for (int i = 0; i < embedded.Length; i++) embedded[i] += positions[(place + t) * Config.Width + i];
            int at = Config.Width;
            foreach (var rope in ropes)
            {
                rope.Turn(place + t, length, row.Slice(at, rope.Width / 2), row.Slice(at + rope.Width / 2, rope.Width / 2));
                at += rope.Width;
            }
        }
    }

    /// <summary>Fails where a token is not of the vocabulary.</summary>
    /// <exception cref="ModelException">ASH0353: one is not.</exception>
    public void ThrowUnlessKnown(ReadOnlySpan<int> tokens)
    {
        foreach (int token in tokens)
            if ((uint)token >= (uint)Config.Vocabulary)
                throw new ModelException("ASH0353", $"token {token} is not of the vocabulary of {Config.Vocabulary} tokens.",
                    "pass ids that the model's own tokenizer gave.");
    }

    /// <summary>Pages of an empty cache, one state per layer.</summary>
    /// <param name="pages">How many, of 32 tokens each.</param>
    /// <param name="dtype">float32, bfloat16 or int8.</param>
    public State[] NewCache(int pages, DType dtype)
    {
        long bytes = new PageLayout(dtype, Config.KeyWidth, Config.ValueWidth).Bytes;
        return [.. Enumerable.Range(0, Layers.Count).Select(layer =>
            new State($"cache.{layer}", Tensor.Zeros([pages, Config.CacheHeads, bytes], DType.UInt8)))];
    }

    /// <summary>Logits of some of the new tokens. To be traced.</summary>
    /// <param name="features">float32[T, <see cref="FeatureWidth"/>]</param>
    /// <param name="tokens">int32[2, T]: the text of each token, and its place there.</param>
    /// <param name="tables">int32[texts, pages]</param>
    /// <param name="wanted">int32[W]: of which tokens.</param>
    /// <param name="cache">From <see cref="NewCache"/>; assigned.</param>
    /// <param name="cacheType">Its element type.</param>
    /// <returns>float32[W, vocabulary]</returns>
    public Tensor Forward(Tensor features, Tensor tokens, Tensor tables, Tensor wanted, IReadOnlyList<State> cache,
        DType cacheType) =>
        Logits(Hidden(features, tokens, tables, wanted, cache, cacheType));

    /// <summary>What the last layer gives for some of the new tokens, normalised: float32[W, width]. To be traced.</summary>
    /// <inheritdoc cref="Forward"/>
    public Tensor Hidden(Tensor features, Tensor tokens, Tensor tables, Tensor wanted, IReadOnlyList<State> cache,
        DType cacheType)
    {
        ArgumentNullException.ThrowIfNull(features);
        ArgumentNullException.ThrowIfNull(tokens);
        ArgumentNullException.ThrowIfNull(cache);
        var turns = new Dictionary<Rope, (Tensor, Tensor)>();
        int at = Config.Width;
        foreach (var rope in Ropes)
        {
            turns[rope] = (features.Narrow(1, at, rope.Width / 2), features.Narrow(1, at + rope.Width / 2, rope.Width / 2));
            at += rope.Width;
        }
        var step = new DecoderStep(turns, tokens.Narrow(0, 0, 1).Squeeze(0), tokens.Narrow(0, 1, 1).Squeeze(0),
            tables, cacheType);
        var x = features.Narrow(1, 0, Config.Width);
        for (int layer = 0; layer < Layers.Count; layer++) x = Layers[layer].Apply(x, step, cache[layer]);
        return finalNorm.Apply(x.Take(wanted));
    }

    /// <summary>Logits of normalised tokens. To be traced.</summary>
    /// <param name="x">float32[W, width]</param>
    public Tensor Logits(Tensor x)
    {
        var logits = head.Apply(x);
        if (Config.LogitScale != 1) logits = logits * Config.LogitScale;
        return Config.LogitCap is { } cap ? (logits * (1 / cap)).Tanh() * cap : logits;
    }

    /// <summary>Unmaps the file.</summary>
    public void Dispose() => file.Dispose();
}
