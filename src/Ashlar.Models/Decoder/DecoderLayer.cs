namespace Ashlar.Models;

/// <summary>What the layers of a step share.</summary>
/// <param name="Turns">Cosines and sines of each kind of rotary positions, [T, pairs] each.</param>
/// <param name="Texts">int32[T]: the text of each token.</param>
/// <param name="Places">int32[T]: its place there.</param>
/// <param name="Tables">int32[texts, pages]: the pages of each text.</param>
/// <param name="CacheType">The element type of the cache.</param>
public sealed record DecoderStep(IReadOnlyDictionary<Rope, (Tensor Cos, Tensor Sin)> Turns, Tensor Texts, Tensor Places,
    Tensor Tables, DType CacheType);

/// <summary>How a layer's numbers are brought to one size.</summary>
/// <param name="Weight">[width]; for <see cref="NormKind.RmsPlusOne"/> with the 1 in it.</param>
/// <param name="Bias">[width]; of <see cref="NormKind.Layer"/> only.</param>
/// <param name="Epsilon">Keeps the root from 0.</param>
public sealed record Norm(Tensor Weight, Tensor? Bias, double Epsilon)
{
    /// <summary>The normalised numbers, shaped like <paramref name="x"/>.</summary>
    public Tensor Apply(Tensor x) => Bias is null ? x.RmsNorm(Weight, Epsilon) : x.LayerNorm(Weight, Bias, Epsilon);
}

/// <summary>What mixes tokens: from normalised tokens and the cache to what is added.</summary>
public interface IAttention
{
    /// <summary>Attention of new tokens.</summary>
    /// <param name="x">float32[T, width]</param>
    /// <param name="step">What all layers share.</param>
    /// <param name="cache">The layer's pages; assigned.</param>
    /// <returns>float32[T, width]</returns>
    Tensor Apply(Tensor x, DecoderStep step, State cache);

    /// <summary>Bytes and numbers of each matrix.</summary>
    IEnumerable<(long Bytes, long Count)> Sizes { get; }
}

/// <summary>What works on each token alone.</summary>
public interface IFeedForward
{
    /// <param name="x">float32[T, width]</param>
    /// <returns>float32[T, width]</returns>
    Tensor Apply(Tensor x);

    /// <summary>Bytes and numbers of each matrix.</summary>
    IEnumerable<(long Bytes, long Count)> Sizes { get; }
}

/// <summary>A layer: attention, then feed-forward, each added to what came in.</summary>
/// <param name="AttentionNorm">Before attention.</param>
/// <param name="Attention">Mixes tokens.</param>
/// <param name="AttentionPostNorm">After attention; null for none.</param>
/// <param name="FeedForwardNorm">Before feed-forward.</param>
/// <param name="FeedForward">Works on each token.</param>
/// <param name="FeedForwardPostNorm">After feed-forward; null for none.</param>
/// <param name="ResidualScale">What is added is multiplied by this.</param>
public sealed record DecoderLayer(Norm AttentionNorm, IAttention Attention, Norm? AttentionPostNorm, Norm FeedForwardNorm,
    IFeedForward FeedForward,
    Norm? FeedForwardPostNorm, double ResidualScale)
{
    /// <summary>The layer on new tokens.</summary>
    public Tensor Apply(Tensor x, DecoderStep step, State cache)
    {
        x = Add(x, Attention.Apply(AttentionNorm.Apply(x), step, cache), AttentionPostNorm);
        return Add(x, FeedForward.Apply(FeedForwardNorm.Apply(x)), FeedForwardPostNorm);
    }

    Tensor Add(Tensor x, Tensor part, Norm? after)
    {
        if (after is not null) part = after.Apply(part);
        return x + (ResidualScale == 1 ? part : part * ResidualScale);
    }
}

/// <summary>Attention with one key/value head for one or several query heads.</summary>
/// <param name="Config">Widths and kinds.</param>
/// <param name="Layer">Window and rotary positions of this layer.</param>
/// <param name="Qkv">Query, key and value at once: [(H + 2 G) D, width].</param>
/// <param name="Output">Back to the width: [width, H D].</param>
/// <param name="QueryNorm">[D]; null for none.</param>
/// <param name="KeyNorm">[D]; null for none.</param>
/// <param name="Sinks">[H]; null for none.</param>
/// <param name="InHalves">Queries and keys were brought into the order in which halves are rotated, whatever the file's positions
/// are.</param>
public sealed record GroupedAttention(DecoderConfig Config, AttentionLayer Layer, Projection Qkv, Projection Output,
    Norm? QueryNorm = null, Norm? KeyNorm = null,
    Tensor? Sinks = null, bool InHalves = false) : IAttention
{
    /// <inheritdoc/>
    public Tensor Apply(Tensor x, DecoderStep step, State cache)
    {
        var tokens = x.Shape[0];
        int heads = Config.Heads, kvHeads = Config.KvHeads, width = Config.HeadWidth;
        var all = Qkv.Apply(x);
        var q = Heads(0, heads, QueryNorm, rotated: true);
        var k = Heads(heads, kvHeads, KeyNorm, rotated: true);
        var v = Heads(heads + kvHeads, kvHeads, null, rotated: false);
        var options = new PagedAttentionOptions(Config.AttentionScale ?? 1 / Math.Sqrt(width), Layer.Window, Config.AttentionCap);
        var (mixed, written) =
            q.PagedAttention(k, v, cache.Value, step.CacheType, step.Texts, step.Places, step.Tables, options, Sinks);
        cache.Value = written;
        return Output.Apply(mixed.Reshape(tokens, heads * width));

        Tensor Heads(int first, int count, Norm? norm, bool rotated)
        {
            var part = all.Narrow(1, first * width, count * width).Reshape(tokens, count, width);
            if (norm is not null) part = norm.Apply(part);
            return rotated && Layer.Rope is { } rope ? Rotate(part, rope, step, rope.Interleaved && !InHalves) : part;
        }
    }

    /// <inheritdoc/>
    public IEnumerable<(long Bytes, long Count)> Sizes => [(Qkv.Bytes, Qkv.Count), (Output.Bytes, Output.Count)];

    /// <summary>Turns the first numbers of each head by the place of its token.</summary>
    /// <param name="x">[T, heads, width]</param>
    /// <param name="rope">How.</param>
    /// <param name="step">Holds cosines and sines.</param>
    /// <param name="interleaved">Pairs are neighbours.</param>
    public static Tensor Rotate(Tensor x, Rope rope, DecoderStep step, bool interleaved)
    {
        ArgumentNullException.ThrowIfNull(rope);
        ArgumentNullException.ThrowIfNull(step);
        var (cos, sin) = step.Turns[rope];
        if (x.Shape[2] == rope.Width) return x.Rope(cos, sin, interleaved);
        var turned = x.Narrow(2, 0, rope.Width).Rope(cos, sin, interleaved);
        return Tensor.Concat([turned, x.Narrow(2, rope.Width, x.Shape[2] - rope.Width)], 2);
    }
}

/// <summary>A feed-forward layer, with a gate or without.</summary>
/// <param name="Activation">The function within.</param>
/// <param name="Up">Gate and up at once, [2 F, width]; without a gate [F, width].</param>
/// <param name="Down">[width, F]</param>
/// <param name="Gated">Whether there is a gate.</param>
public sealed record FeedForward(ActivationKind Activation, Projection Up, Projection Down, bool Gated) : IFeedForward
{
    /// <inheritdoc/>
    public Tensor Apply(Tensor x)
    {
        var inner = Up.Apply(x);
        return Down.Apply(Up.Gate is null ? Activate(inner, Activation, Gated) : inner);
    }

    /// <inheritdoc/>
    public IEnumerable<(long Bytes, long Count)> Sizes => [(Up.Bytes, Up.Count), (Down.Bytes, Down.Count)];

    /// <summary>The function within a feed-forward layer.</summary>
    /// <param name="x">[..., 2 F]: gate, then up; without a gate [..., F].</param>
    /// <param name="kind">Which.</param>
    /// <param name="gated">Whether there is a gate.</param>
    public static Tensor Activate(Tensor x, ActivationKind kind, bool gated)
    {
        if (!gated) return Function(x, kind);
        x.Shape[^1].TryDivide(2, out var half);
        return Gate(x.Narrow(-1, 0, half), x.Narrow(-1, half, half), kind);
    }

    static Tensor Gate(Tensor gate, Tensor up, ActivationKind kind)
    {
        if (kind == ActivationKind.Silu) return gate.SwiGlu(up);
        if (kind != ActivationKind.ClampedSwiGlu) return Function(gate, kind) * up;
        gate = gate.Minimum(7);
        return (up.Maximum(-7).Minimum(7) + 1) * gate * (gate * 1.702).Sigmoid();
    }

    static Tensor Function(Tensor x, ActivationKind kind) => kind switch
    {
        ActivationKind.Silu => x.Silu(),
        ActivationKind.Gelu => x.Gelu(approximate: false),
        _ => x.Gelu(),
    };
}

/// <summary>Feed-forward layers of which each token takes a few, as a router says.</summary>
/// <param name="Config">How many, and how they are weighed.</param>
/// <param name="Activation">The function within each.</param>
/// <param name="Router">[experts, width]</param>
/// <param name="Up">Gate and up of each expert, [experts, 2 F, width].</param>
/// <param name="Down">[experts, width, F]</param>
/// <param name="ChoiceBias">[experts]: counts when experts are chosen only; null for none.</param>
/// <param name="Shared">A layer that every token takes; null for none.</param>
/// <param name="SharedGate">[1, width]: its sigmoid weighs the shared layer; null for none.</param>
public sealed record ExpertFeedForward(ExpertsConfig Config, ActivationKind Activation, Projection Router, ExpertProjection Up,
    ExpertProjection Down,
    Tensor? ChoiceBias = null, IFeedForward? Shared = null, Projection? SharedGate = null) : IFeedForward
{
    /// <inheritdoc/>
    public Tensor Apply(Tensor x)
    {
        var tokens = x.Shape[0];
        var width = x.Shape[1];
        var (chosen, weights) = Choose(Router.Apply(x));                          // [T, used] each
        var rows = x.Unsqueeze(1).BroadcastTo(tokens, Config.Used, width).Reshape(tokens * Config.Used, width);
        var experts = chosen.Reshape(tokens * Config.Used);
        var inner = Up.Apply(rows, experts);
        if (Up.Gate is null) inner = FeedForward.Activate(inner, Activation, gated: true);
        var y = (Down.Apply(inner, experts).Reshape(tokens, Config.Used, width) * weights.Unsqueeze(-1)).Sum(1);
        if (Shared is null) return y;
        var shared = Shared.Apply(x);
        return y + (SharedGate is null ? shared : shared * SharedGate.Apply(x).Sigmoid());
    }

    /// <inheritdoc/>
    public IEnumerable<(long Bytes, long Count)> Sizes =>
        [(Router.Bytes, Router.Count), (Up.Bytes, Up.Count), (Down.Bytes, Down.Count), .. Shared?.Sizes ?? []];

    (Tensor Chosen, Tensor Weights) Choose(Tensor logits)
    {
        var scores = Config.Sigmoid ? logits.Sigmoid() : Config.SoftmaxOfChosen ? logits : logits.Softmax();
        var choice = ChoiceBias is null ? scores : scores + ChoiceBias;
        if (Config.Groups > 1) choice = WithinGroups(choice);
        var (_, chosen) = choice.TopK(Config.Used);
        var weights = scores.Gather(-1, chosen);
        if (Config.SoftmaxOfChosen) weights = weights.Softmax();
        if (Config.Renormalize) weights = weights / (weights.Sum(-1, keepAxis: true) + 1e-20);
        return (chosen, Config.Scale == 1 ? weights : weights * Config.Scale);
    }

    // Experts outside of the best groups are out of question.
    Tensor WithinGroups(Tensor choice)
    {
        var tokens = choice.Shape[0];
        int each = Config.Count / Config.Groups;
        var groups = choice.Reshape(tokens, Config.Groups, each);
        var best = Config.GroupByBestTwo ? groups.TopK(2).Values.Sum(-1) : groups.Max(-1);
        var kept = best.TopK(Config.UsedGroups).Indices;                          // [T, used groups]
        // [T, groups].
        var isKept = kept.Unsqueeze(-1).EqualTo(Tensor.Arange(Config.Groups).Cast(DType.Int32)).Cast(DType.Float32).Max(1);
        // Below every score, sigmoid or softmax, with its bias.
        return Tensor.Where(isKept.Unsqueeze(-1) > 0, groups, groups.ZerosLike() - 1e30).Reshape(tokens, Config.Count);
    }
}
