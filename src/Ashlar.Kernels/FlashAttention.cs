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
public sealed record AttentionConfig(int HeadWidth, int Group = 1, bool Causal = true, float? Scale = null,
    DType DType = DType.Float32,
    int QueryTile = 64, int KeyTile = 64, int Stages = 2)
{
    /// <summary>The scale that is used.</summary>
    public float ScoreScale => Scale ?? 1 / MathF.Sqrt(HeadWidth);
}

/// <summary>Attention without the matrix of scores: memory grows with the length, not with its square.</summary>
/// <remarks>Source: Dao et al. 2022, arXiv:2205.14135; the order of the loops as in Dao 2023, arXiv:2307.08691, algorithms 1 and
/// 2.</remarks>
public static class FlashAttention
{
    // B batch, H query heads, G key-value heads, T queries, S keys, D head width

    /// <summary>
    /// <c>o = softmax(q k^T * scale) v</c> and the log-sum-exp of each row of scores, which the backward kernels need.
    /// Inputs q [B, T, H, D], k and v [B, S, G, D]; outputs o [B, T, H, D] and lse f32 [B, H, T]. A query that sees no key gets
    /// zeros.
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

    /// <summary>What both backward kernels subtract: <c>delta = sum over d of dy * o</c>. Inputs dy and o [B, T, H, D]; output
    /// f32 [B, H, T].</summary>
    public static Kernel Delta(AttentionConfig c) => Kernel.Define("flash_attention_delta", k =>
    {
        var dy = k.Input("dy", c.DType, "B", "T", "H", c.HeadWidth);
        var o = k.Input("o", c.DType, "B", "T", "H", c.HeadWidth);
        var delta = k.Output("delta", "B", "H", "T");
        var (b, h, i) = k.Grid("B", "H", ("T", c.QueryTile));
        delta[b, h, i] = RowSum(dy[b, i, h, ..] * o[b, i, h, ..]);
    });

    /// <summary>
    /// The gradient of the queries. Inputs q, k, v as forward, dy [B, T, H, D], lse of forward and <see cref="Delta"/>, both [B,
    /// H, T];
    /// output dq [B, T, H, D].
    /// </summary>
    public static Kernel BackwardQueries(AttentionConfig c) => Kernel.Define("flash_attention_backward_queries", k =>
    {
        var (q, key, value, dy, lse, delta) = Saved(k, c);
        var dq = k.Output("dq", c.DType, "B", "T", "H", c.HeadWidth);

        var (b, h, i) = k.Grid("B", "H", ("T", c.QueryTile));
        var g = h / c.Group;
        var ahead = k.Size("S") - k.Size("T");
        var sum = k.Full(0f, i, c.HeadWidth);
        foreach (var j in k.Pipeline(("S", c.KeyTile), c.Stages, until: c.Causal ? i.End + ahead : null))
        {
            var p = Weights(k, c, q[b, i, h, ..], key[b, j, g, ..], lse[b, h, i], i, j, ahead);
            var ds = k.Keep(p * (Dot(dy[b, i, h, ..], value[b, j, g, ..].T) - delta[b, h, i].Rows));
            sum += Dot(Cast(ds, c.DType), key[b, j, g, ..]);
        }
        dq[b, i, h, ..] = sum * c.ScoreScale;
    });

    /// <summary>
    /// The gradients of keys and values. Inputs as <see cref="BackwardQueries"/>; outputs dk and dv [B, S, G, D], summed over the
    /// query heads of a group.
    /// </summary>
    public static Kernel BackwardKeys(AttentionConfig c) => Kernel.Define("flash_attention_backward_keys", k =>
    {
        var (q, key, value, dy, lse, delta) = Saved(k, c);
        var dk = k.Output("dk", c.DType, "B", "S", "G", c.HeadWidth);
        var dv = k.Output("dv", c.DType, "B", "S", "G", c.HeadWidth);

        var (b, g, j) = k.Grid("B", "G", ("S", c.KeyTile));
        var ahead = k.Size("S") - k.Size("T");
        var (keys, values) = (k.Full(0f, j, c.HeadWidth), k.Full(0f, j, c.HeadWidth));
        foreach (var member in k.Serial(c.Group))
        {
            var h = g * c.Group + member;
            foreach (var i in k.Pipeline(("T", c.QueryTile), c.Stages))
                // queries that see none of these keys are left out
                k.If(c.Causal ? i.End + ahead > j.Start : k.Size("T") > 0, () =>
                {
                    var p = Weights(k, c, q[b, i, h, ..], key[b, j, g, ..], lse[b, h, i], i, j, ahead);
                    values += Dot(Cast(p, c.DType).T, dy[b, i, h, ..]);
                    var ds = k.Keep(p * (Dot(dy[b, i, h, ..], value[b, j, g, ..].T) - delta[b, h, i].Rows));
                    keys += Dot(Cast(ds, c.DType).T, q[b, i, h, ..]);
                });
        }
        dk[b, j, g, ..] = keys * c.ScoreScale;
        dv[b, j, g, ..] = values;
    });

    static (KernelBuffer Q, KernelBuffer Key, KernelBuffer Value, KernelBuffer Dy, KernelBuffer Lse,
        KernelBuffer Delta) Saved(KernelBuilder k, AttentionConfig c) =>
        (k.Input("q", c.DType, "B", "T", "H", c.HeadWidth), k.Input("k", c.DType, "B", "S", "G", c.HeadWidth),
            k.Input("v", c.DType, "B", "S", "G", c.HeadWidth),
            k.Input("dy", c.DType, "B", "T", "H", c.HeadWidth), k.Input("lse", "B", "H", "T"), k.Input("delta", "B", "H", "T"));

    // e^(scores - lse), masked: the rows of softmax again. A row without keys has lse -inf, and weights 0.
    static KernelTile Weights(KernelBuilder k, AttentionConfig c, KernelValue q, KernelValue key, KernelValue lse, KernelRange i,
        KernelRange j, KernelValue ahead)
    {
        var s = Dot(q, key.T) * c.ScoreScale;
        var p = Exp(s - Max(lse, -1e30f).Rows);
        return k.Keep(c.Causal ? Select(j <= i.Rows + ahead, p, 0f) : p);
    }
}
