using Ashlar.Tiles;
using static Ashlar.Tiles.KernelMath;

namespace Ashlar.Kernels;

/// <summary>What a FlashAttention kernel is made for.</summary>
/// <param name="HeadWidth">Elements of one head.</param>
/// <param name="Group">Query heads that share one key-value head.</param>
/// <param name="Causal">Query i of T sees the keys up to i + S - T.</param>
/// <param name="Scale">What scores are multiplied with; null for 1 / sqrt(head width).</param>
/// <param name="DType">Element type of queries, keys, values and result; sums are float32.</param>
/// <param name="QueryTile">Queries per step of the grid.</param>
/// <param name="KeyTile">Keys per step of the loop.</param>
/// <param name="Stages">How many tiles of keys ahead loads begin.</param>
public sealed record AttentionConfig(int HeadWidth, int Group = 1, bool Causal = true, float? Scale = null, DType DType = DType.Float32,
    int QueryTile = 64, int KeyTile = 64, int Stages = 2)
{
    /// <summary>The scale that is used.</summary>
    public float ScoreScale => Scale ?? 1 / MathF.Sqrt(HeadWidth);
}

/// <summary>Attention without the matrix of scores: memory grows with the length, not with its square.</summary>
/// <remarks>Source: Dao et al. 2022, arXiv:2205.14135; the order of the loops as in Dao 2023, arXiv:2307.08691, algorithms 1 and 2.</remarks>
public static class FlashAttention
{
    // B batch, H query heads, G key-value heads, T queries, S keys, D head width

    /// <summary>
    /// <c>o = softmax(q k^T * scale) v</c> and the log-sum-exp of each row of scores, which the backward kernels need.
    /// Inputs q [B, T, H, D], k and v [B, S, G, D]; outputs o [B, T, H, D] and lse f32 [B, H, T]. A query that sees no key gets zeros.
    /// </summary>
    public static Kernel Forward(AttentionConfig c) => Kernel.Define("flash_attention", k =>
    {
        var q = k.Input("q", c.DType, "B", "T", "H", c.HeadWidth);
        var key = k.Input("k", c.DType, "B", "S", "G", c.HeadWidth);
        var value = k.Input("v", c.DType, "B", "S", "G", c.HeadWidth);
        var o = k.Output("o", c.DType, "B", "T", "H", c.HeadWidth);
        var lse = k.Output("lse", "B", "H", "T");

        var (b, h, i) = k.Grid("B", "H", ("T", c.QueryTile));
        var g = h / c.Group;
        var ahead = k.Size("S") - k.Size("T");                     // keys that every query sees before its own
        var qi = k.Load(q[b, i, h, ..]);                           // [tile, D]
        var oi = k.Full(0f, i, c.HeadWidth);                       // unnormalised
        var l = k.Full(0f, i);                                     // sum of e^(s - m)
        var m = k.Full(-1e30f, i);                                 // greatest score; finite, so that m - m is 0

        foreach (var j in k.Pipeline(("S", c.KeyTile), c.Stages, until: c.Causal ? i.End + ahead : null))
        {
            var s = k.Keep(Dot(qi, key[b, j, g, ..].T));           // [tile, keys]
            if (c.Causal) k.If(j.End > i.Start + ahead + 1, () => s[..] = Select(j <= i.Rows + ahead, s, float.NegativeInfinity));

            var mNew = k.Keep(Max(m, RowMax(s) * c.ScoreScale));
            var p = k.Keep(Exp(s * c.ScoreScale - mNew.Rows));
            var shrink = k.Keep(Exp(m - mNew));
            l[..] = l * shrink + RowSum(p);
            oi *= shrink.Rows;
            oi += Dot(Cast(p, c.DType), value[b, j, g, ..]);
            m[..] = mNew;
        }
        o[b, i, h, ..] = oi / Max(l, 1e-30f).Rows;
        lse[b, h, i] = m + Log(l);
    });
}
