using System.Collections.Concurrent;
using Ashlar.Tiles;
using static Ashlar.Tiles.KernelMath;

namespace Ashlar.Kernels;

/// <summary>What a FlashAttention kernel is made for.</summary>
/// <param name="HeadWidth">Elements of one head.</param>
/// <param name="Group">Query heads that share one key-value head.</param>
/// <param name="Causal">Query i of T sees the keys up to i + S - T.</param>
/// <param name="Scale">What scores are multiplied with, above 0; null for 1 / sqrt(head width).</param>
/// <param name="DType">Element type of queries, keys, values and result; sums are float32.</param>
/// <param name="QueryTile">Queries per step of the grid.</param>
/// <param name="KeyTile">Keys per step of the loop.</param>
/// <param name="Stages">How many tiles of keys ahead loads begin.</param>
public sealed record AttentionConfig(int HeadWidth, int Group = 1, bool Causal = true, float? Scale = null,
    DType DType = DType.Float32,
    int QueryTile = 64, int KeyTile = 64, int Stages = 2)
{
    /// <summary>How many keys a query sees at most, of those up to i + S - T; null for all (Beltagy et al. 2020,
    /// arXiv:2004.05150).</summary>
    public int? Window { get; init; }

    /// <summary>Scores become cap * tanh(score / cap), as in Gemma 2 (arXiv:2408.00118); null leaves them.</summary>
    public float? SoftCap { get; init; }

    /// <summary>Whether every head has a learnt score of its own that takes part in the softmax and has no value: the input
    /// <c>sink</c>, float32 [H] (Xiao et al. 2023, arXiv:2309.17453).</summary>
    public bool Sinks { get; init; }

    /// <summary>Whether sequences have lengths of their own: the input <c>lengths</c>, int32 [B]. Keys from there on are not
    /// seen.</summary>
    public bool Lengths { get; init; }

    /// <summary>The config with tiles that were measured to be quick on a processor with a tile unit
    /// (docs/performance/attention.md).</summary>
    /// <param name="headWidth">Elements of one head.</param>
    /// <param name="group">Query heads that share one key-value head.</param>
    /// <param name="causal">Query i of T sees the keys up to i + S - T.</param>
    /// <param name="dtype">Element type.</param>
    /// <param name="keys">How many keys, where that is known.</param>
    public static AttentionConfig Tuned(int headWidth, int group = 1, bool causal = true, DType dtype = DType.BFloat16,
        long? keys = null) => dtype != DType.BFloat16
            ? new(headWidth, group, causal, DType: dtype)
            : new(headWidth, group, causal, DType: dtype, QueryTile: 256, KeyTile: 256)
            {
                // Results go to memory and back once a tile; with masked edges or less work a score that does not pay.
                ForwardKeyTile = !causal && headWidth >= 128 && keys >= 1024 ? 512 : null,
            };

    /// <summary>Keys per step of the forward kernel's loop, where that is not <see cref="KeyTile"/>.</summary>
    public int? ForwardKeyTile { get; init; }

    /// <summary>In how many parts the backward kernel goes through the keys: its steps are the sequences times the key-value
    /// heads times these, and each part has a sum of the queries' gradient of its own; at least 1.</summary>
    public int BackwardParts { get; init; } = 1;

    /// <summary>As few parts as keep all workers of this machine busy: steps differ in length, so there are four for
    /// each.</summary>
    /// <param name="pairs">Sequences times key-value heads.</param>
    public static int PartsFor(long pairs) =>
        (int)Math.Clamp((4L * Environment.ProcessorCount + pairs - 1) / Math.Max(1, pairs), 1, MostParts);

    // Each part is a sum in float32 of its own.
    const int MostParts = 8;

    /// <summary>The scale that is used.</summary>
    public float ScoreScale => Scale ?? 1 / MathF.Sqrt(HeadWidth);

    // Weights are powers of 2: what a product of query and key, or its tanh, is multiplied with to be an exponent.
    internal float Unit => (SoftCap ?? ScoreScale) * FlashAttention.Log2E;
}

/// <summary>The kernels of one config.</summary>
/// <param name="Forward">As <see cref="FlashAttention.Forward"/>.</param>
/// <param name="Delta">As <see cref="FlashAttention.Delta"/>.</param>
/// <param name="Backward">As <see cref="FlashAttention.Backward"/>.</param>
/// <param name="Queries">As <see cref="FlashAttention.Queries"/>.</param>
public sealed record AttentionKernels(Kernel Forward, Kernel Delta, Kernel Backward, Kernel Queries);

/// <summary>Attention without the matrix of scores: memory grows with the length, not with its square.</summary>
/// <remarks>Source: Dao et al. 2022, arXiv:2205.14135; the order of the loops as in Dao 2023, arXiv:2307.08691, algorithms 1 and
/// 2.</remarks>
public static class FlashAttention
{
    internal const float Log2E = 1.442695f;

    // B batch, H query heads, G key-value heads, T queries, S keys, D head width

    /// <summary>
    /// <c>o = softmax(q k^T * scale) v</c> and the log-sum-exp of each row of scores, which the backward kernels need.
    /// Inputs q [B, T, H, D], k and v [B, S, G, D], then sink and lengths where the config has them; outputs o [B, T, H, D] and
    /// lse f32 [B, H, T]. A query that sees no key gets zeros.
    /// </summary>
    public static Kernel Forward(AttentionConfig c) => Kernel.Define("flash_attention", k =>
    {
        var q = k.Input("q", c.DType, "B", "T", "H", c.HeadWidth);
        var key = k.Input("k", c.DType, "B", "S", "G", c.HeadWidth);
        var value = k.Input("v", c.DType, "B", "S", "G", c.HeadWidth);
        var sink = c.Sinks ? k.Input("sink", "H") : null;
        var lengths = c.Lengths ? k.Input("lengths", DType.Int32, "B") : null;
        var o = k.Output("o", c.DType, "B", "T", "H", c.HeadWidth);
        var lse = k.Output("lse", "B", "H", "T");

        var (b, h, i) = k.Grid("B", "H", ("T", c.QueryTile));
        var (g, seen) = (h / c.Group, new Seen(k, c, lengths, b));
        var qi = k.Load(q[b, i, h, ..]);                           // [tile, D]
        var oi = k.Full(0f, i, c.HeadWidth);                       // unnormalised
        var l = k.Full(c.Sinks ? 1f : 0f, i);                      // sum of 2^(z - m)
        var m = k.Full(-1e30f, i);                                 // about the greatest z; finite, so that m - m is 0
        if (sink is not null) m[..] = sink[h] * Log2E;

        foreach (var j in k.Pipeline(("S", c.ForwardKeyTile ?? c.KeyTile), c.Stages, seen.KeysEnd(i), seen.KeysBegin(i)))
        {
            var s = k.Keep(Dot(qi, key[b, j, g, ..].T));           // [tile, keys]; z is Unit times as much
            if (c.SoftCap is { } cap) s[..] = Tanh(s * (c.ScoreScale / cap));
            seen.Only(i, j, i.Rows, j, (s, float.NegativeInfinity));

            var top = RowMax(s) * c.Unit;                          // m need not be the greatest, only near: weights grow to 2^8
            var mNew = k.Keep(Select(top > m + 8f, top, m));
            var p = k.Keep(Cast(Exp2(s * c.Unit - mNew.Rows), c.DType));
            var sum = k.Keep(RowSum(p));
            var shrink = k.Keep(Exp2(m - mNew));                   // mostly 1
            l[..] = l * shrink + sum;
            oi *= shrink.Rows;
            oi += Dot(p, value[b, j, g, ..]);
            m[..] = mNew;
        }
        o[b, i, h, ..] = oi / Max(l, 1e-30f).Rows;
        lse[b, h, i] = m / Log2E + Log(l);
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
    /// All three gradients. Inputs q, k, v as forward, dy [B, T, H, D], lse of forward and <see cref="Delta"/>, both [B, H, T],
    /// then lengths where the config has them; outputs dk and dv [B, S, G, D], summed over the query heads of a group, and dq
    /// as float32 [parts, B, H, T, D], which <see cref="Queries"/> sums.
    /// </summary>
    public static Kernel Backward(AttentionConfig c) => Kernel.Define("flash_attention_backward", k =>
    {
        var q = k.Input("q", c.DType, "B", "T", "H", c.HeadWidth);
        var key = k.Input("k", c.DType, "B", "S", "G", c.HeadWidth);
        var value = k.Input("v", c.DType, "B", "S", "G", c.HeadWidth);
        var dy = k.Input("dy", c.DType, "B", "T", "H", c.HeadWidth);
        var (lse, delta) = (k.Input("lse", "B", "H", "T"), k.Input("delta", "B", "H", "T"));
        var lengths = c.Lengths ? k.Input("lengths", DType.Int32, "B") : null;
        var dk = k.Output("dk", c.DType, "B", "S", "G", c.HeadWidth);
        var dv = k.Output("dv", c.DType, "B", "S", "G", c.HeadWidth);
        var dq = k.Output("dq", c.BackwardParts, "B", "H", "T", c.HeadWidth);
        k.Initialize(dq, 0f);

        // Each step goes through some of the keys alone, so what it adds to dq no other step touches.
        var (b, g, part) = k.Grid("B", "G", c.BackwardParts);
        var seen = new Seen(k, c, lengths, b);
        var tiles = (k.Size("S") + (c.KeyTile - 1)) / c.KeyTile;
        KernelValue Begin(KernelValue part) => part * tiles / c.BackwardParts * c.KeyTile;
        foreach (var j in k.Serial(("S", c.KeyTile), until: Begin(part + 1), from: Begin(part)))
        {
            var (kj, vj) = (k.Load(key[b, j, g, ..]), k.Load(value[b, j, g, ..]));
            var (keys, values) = (k.Full(0f, j, c.HeadWidth), k.Full(0f, j, c.HeadWidth));
            foreach (var member in k.Serial(c.Group))
            {
                var h = g * c.Group + member;
                foreach (var i in k.Pipeline(("T", c.QueryTile), c.Stages, seen.QueriesEnd(j), seen.QueriesBegin(j)))
                {
                    var m = k.Keep(Max(lse[b, h, i], -1e30f) * -Log2E);    // a row without keys has lse -inf
                    var s = k.Keep(Dot(kj, q[b, i, h, ..].T));             // [keys, queries]
                    var dp = k.Keep(Dot(vj, dy[b, i, h, ..].T));
                    if (c.SoftCap is { } cap) s[..] = Tanh(s * (c.ScoreScale / cap));
                    var p = k.Keep(Cast(Exp2(s * c.Unit + m), c.DType));   // e^(scores - lse): the softmax again
                    var ds = k.Keep(Cast(Sloped(c, p * (dp - delta[b, h, i]), s), c.DType));
                    seen.Only(i, j, i, j.Rows, (p, 0f), (ds, 0f));
                    values += Dot(p, dy[b, i, h, ..]);
                    keys += Dot(ds, q[b, i, h, ..]);
                    dq[part, b, h, i, ..] = dq[part, b, h, i, ..] + Dot(ds.T, key[b, j, g, ..]);
                }
            }
            dk[b, j, g, ..] = keys * c.ScoreScale;
            dv[b, j, g, ..] = values;
        }
    });

    /// <summary>The gradient of the queries [B, T, H, D] from the sums [parts, B, H, T, D] that <see cref="Backward"/>
    /// makes.</summary>
    public static Kernel Queries(AttentionConfig c) => Kernel.Define("flash_attention_backward_queries", k =>
    {
        var sums = k.Input("sums", c.BackwardParts, "B", "H", "T", c.HeadWidth);
        var dq = k.Output("dq", c.DType, "B", "T", "H", c.HeadWidth);
        var (b, h, i) = k.Grid("B", "H", ("T", c.QueryTile));
        var sum = sums[0, b, h, i, ..];
        for (int part = 1; part < c.BackwardParts; part++) sum += sums[part, b, h, i, ..];
        dq[b, i, h, ..] = sum * c.ScoreScale;
    });

    /// <summary>All kernels of a config, made once.</summary>
    public static AttentionKernels For(AttentionConfig config) =>
        made.GetOrAdd(config, c => new(Forward(c), Delta(c), Backward(c), Queries(c)));

    static readonly ConcurrentDictionary<AttentionConfig, AttentionKernels> made = [];

    // Through cap * tanh(x / cap), of which s holds the tanh.
    static KernelValue Sloped(AttentionConfig c, KernelValue gradient, KernelValue s) =>
        c.SoftCap is null ? gradient : gradient * (1f - s * s);

    /// <summary>Which queries see which keys: query i those above i + ahead - window, up to i + ahead, below the
    /// length.</summary>
    sealed class Seen(KernelBuilder k, AttentionConfig c, KernelBuffer? lengths, KernelRange b)
    {
        readonly KernelValue ahead = k.Size("S") - k.Size("T");    // keys that every query sees before its own
        readonly KernelValue? length = lengths is null ? null : k.Keep(Cast(lengths[b], DType.Int64));

        public KernelValue? KeysEnd(KernelRange i) => c.Causal ? i.End + ahead : null;

        public KernelValue? KeysBegin(KernelRange i) => c.Window is { } window ? i.Start + ahead - (window - 1) : null;

        public KernelValue? QueriesBegin(KernelRange j) => c.Causal ? j.Start - ahead : null;

        public KernelValue? QueriesEnd(KernelRange j) => c.Window is { } window ? j.End - ahead + (window - 1) : null;

        /// <summary>Sets to a number what is not seen; only tiles that an edge crosses are looked at.</summary>
        public void Only(KernelRange i, KernelRange j, KernelValue query, KernelValue key,
            params (KernelTile Tile, float Hidden)[] tiles)
        {
            if (c.Causal) Mask(j.End > i.Start + ahead + 1, key <= query + ahead);
            if (c.Window is { } window) Mask(j.Start < i.End + ahead - window, key > query + ahead - window);
            if (length is not null) Mask(j.End > length, key < length);

            void Mask(KernelValue crosses, KernelValue sees) => k.If(crosses, () =>
            {
                foreach (var (tile, hidden) in tiles) tile[..] = Select(sees, tile, hidden);
            });
        }
    }
}
