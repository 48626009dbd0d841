using Ashlar.Kernels;

namespace Ashlar;

/// <summary>Attention by the FlashAttention kernels, which keep no matrix of scores.</summary>
/// <remarks>
/// A composite's gradient is derived from what it expands to, so the choice is made here, where the node is built, not by the
/// compiler: the kernels bring gradients of their own. Those have no gradient again.
/// </remarks>
static class LongAttention
{
    // From this length on the kernels are quicker than products over stored scores (docs/performance/attention.md).
    const long FewestTokens = 1024;

    // Tiles of wider heads outgrow the second cache.
    const long MostHeadWidth = 256;

    /// <summary>softmax(q k^T * scale) v where products are of bfloat16 and sequences long; null elsewhere.</summary>
    public static Tensor? Of(Tensor q, Tensor k, Tensor v, bool causal, double scale)
    {
        bool isNarrow = q.DType == DType.BFloat16 || q.DType == DType.Float32 && Trace.Current?.Products == DType.BFloat16;
        if (!isNarrow || scale <= 0 || k.Rank != 4 || v.Shape != k.Shape || k.DType != q.DType || v.DType != q.DType) return null;
        var (queries, keys) = (q.Shape, k.Shape);
        if (queries[1].Min < FewestTokens || keys[1].Min < FewestTokens || queries[0] != keys[0] || queries[3] != keys[3])
            return null;
        if (!queries[3].TryGetValue(out long width) || width > MostHeadWidth) return null;
        if (!queries[2].TryGetValue(out long heads) || !keys[2].TryGetValue(out long kvHeads) || heads % kvHeads != 0)
            return null;

        long? length = keys[1].TryGetValue(out long known) ? known : null;
        var kernels = FlashAttention.For(AttentionConfig.Tuned((int)width, (int)(heads / kvHeads), causal, keys: length) with
        {
            Scale = (float)scale,
            BackwardParts = AttentionConfig.PartsFor(queries[0].Min * kvHeads),
        });
        return Tensor.CustomGradient(
            x => kernels.Forward.CallAll(Narrow(x))[0].Cast(q.DType),
            (dy, y, x) =>
            {
                Tensor[] inputs = Narrow(x);
                var upstream = dy.Cast(DType.BFloat16);
                var results = kernels.Forward.CallAll(inputs);   // the call of the forward pass: an equal node
                Tensor[] saved = [.. inputs, upstream, results[1], kernels.Delta.Call(upstream, results[0])];
                Tensor[] sums = kernels.Backward.CallAll(saved), gradients = [kernels.Queries.Call(sums[2]), sums[0], sums[1]];
                return [.. gradients.Select(gradient => gradient.Cast(q.DType))];
            }, [q, k, v], "flash_attention");

        static Tensor[] Narrow(Tensor[] x) => [.. x.Select(tensor => tensor.Cast(DType.BFloat16))];
    }
}
