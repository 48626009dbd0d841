namespace Ashlar.Graph;

/// <summary>Rows of the composites: patterns with a name, so that gradients and kernels can know them whole.</summary>
static class Composites
{
    public static readonly Meaning[] Rows =
    [
        Unary(Op.Sigmoid, "sigmoid"),
        Unary(Op.Silu, "silu"),
        Unary(Op.Gelu, "gelu"),
        AlongAxis(Op.Softmax, "softmax"),
        AlongAxis(Op.LogSoftmax, "log_softmax"),
        // x, weight [width]
        new(Op.RmsNorm, "rms_norm", (x, a) => Norm(Op.RmsNorm, x, a, 2)),
        // x, weight [width], bias [width]
        new(Op.LayerNorm, "layer_norm", (x, a) => Norm(Op.LayerNorm, x, a, 3)),
        // logits [..., V], targets [...] of i32 or i64 -> the loss of each row [...]
        new(Op.CrossEntropy, "cross_entropy", (x, _) =>
        {
            Rules.Arity(Op.CrossEntropy, x, 2);
            Rules.Float(Op.CrossEntropy, x[0]);
            Rules.Index(Op.CrossEntropy, x[1]);
            if (x[0].Shape.Rank == 0 || x[1].Shape != x[0].Shape[..^1])
                throw new ShapeException("ASH0126", $"CrossEntropy needs logits [..., V] and targets [...], but got {Rules.Types(x)}.", "flatten both to one row per target.");
            return new(x[0].DType, x[1].Shape);
        }),
        // gate, up -> silu(gate) * up
        new(Op.SwiGlu, "swi_glu", (x, _) => { Rules.Arity(Op.SwiGlu, x, 2); Rules.Same(Op.SwiGlu, x); Rules.Float(Op.SwiGlu, x[0]); return new(x[0].DType, x[0].Shape); }),
        // x [..., T, H, D], cos and sin [T, D/2]
        new(Op.Rope, "rope", (x, a) =>
        {
            Rules.Arity(Op.Rope, x, 3);
            Rules.Expect<RopeAttributes>(Op.Rope, a);
            Rules.Float(Op.Rope, x[0]);
            var shape = x[0].Shape;
            if (shape.Rank < 3 || x[1].Shape != x[2].Shape || x[1].Shape.Rank != 2 || x[1].Shape[0] != shape[^3] || x[1].Shape[1] * 2 != shape[^1] || x[1].DType != x[0].DType || x[2].DType != x[0].DType)
                throw new ShapeException("ASH0127", $"Rope needs x [..., T, H, D] and cos, sin [T, D/2] of one type, but got {Rules.Types(x)}.", "split the heads first, and cut the tables to the tokens at hand.");
            return new(x[0].DType, shape);
        }),
        // q [B, T, H, D], k [B, S, K, D], v [B, S, K, E] -> [B, T, H, E]; each key-value head serves H / K query heads
        new(Op.Attention, "attention", (x, a) =>
        {
            Rules.Arity(Op.Attention, x, 3);
            Rules.Expect<AttentionAttributes>(Op.Attention, a);
            Rules.Float(Op.Attention, x[0]);
            foreach (var input in x) Rules.Rank(Op.Attention, input, 4);
            Shape q = x[0].Shape, k = x[1].Shape, v = x[2].Shape;
            bool fits = x.All(input => input.DType == x[0].DType) && q[0] == k[0] && k[0] == v[0] && k[1] == v[1] && k[2] == v[2] && q[3] == k[3] && q[2].TryDivide(k[2], out _);
            if (!fits)
                throw new ShapeException("ASH0128", $"Attention needs q [B, T, H, D], k [B, S, K, D], v [B, S, K, E] with H a multiple of K, but got {Rules.Types(x)}.", "split the heads, and give keys and values the same length.");
            return new(x[0].DType, [q[0], q[1], q[2], v[3]]);
        }),
    ];

    static Meaning Unary(Op op, string name) => new(op, name, (x, _) => { Rules.Arity(op, x, 1); Rules.Float(op, x[0]); return new(x[0].DType, x[0].Shape); });

    static Meaning AlongAxis(Op op, string name) => new(op, name, (x, a) =>
    {
        Rules.Arity(op, x, 1);
        Rules.Float(op, x[0]);
        Rules.Axis(op, x[0], Rules.Expect<AxisAttributes>(op, a).Axis);
        return new(x[0].DType, x[0].Shape);
    });

    static NodeType Norm(Op op, Node[] x, Attributes? attributes, int count)
    {
        Rules.Arity(op, x, count);
        Rules.Expect<NormAttributes>(op, attributes);
        Rules.Float(op, x[0]);
        foreach (var parameter in x[1..])
            if (x[0].Shape.Rank == 0 || parameter.Shape.Rank != 1 || parameter.Shape[0] != x[0].Shape[^1] || parameter.DType != x[0].DType)
                throw new ShapeException("ASH0102", $"{op} needs weights as long as the last axis of its input and of its type, but got {Rules.Types(x)}.", "check the layer's width against the model config.");
        return new(x[0].DType, x[0].Shape);
    }
}
