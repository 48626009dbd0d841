using static Ashlar.Graph.Nodes;

namespace Ashlar.Graph;

/// <summary>Rows of the composites: patterns with a name, so that gradients and kernels can know them whole.</summary>
/// <remarks>16-bit floats are widened to float32 inside, values and gradients alike, and rounded once at the end.</remarks>
static class Composites
{
    public static readonly Meaning[] Rows =
    [
        Smooth(Op.Sigmoid, "sigmoid",
            (x, _) => Unary(Op.Recip, Exp(-x) + 1),
            (_, y, _) => y * (1 - y)),
        Smooth(Op.Silu, "silu",
            (x, _) => x * Unary(Op.Sigmoid, x),
            (x, y, _) => SiluSlope(x)),
        Smooth(Op.Gelu, "gelu",
            (x, node) => x * (node.Get<GeluAttributes>().Approximate ? HalfPlusTanh(x) : GaussCumulative(x)),
            (x, _, node) => node.Get<GeluAttributes>().Approximate ? GeluTanhSlope(x) : GaussCumulative(x) + x * GaussDensity(x)),
        AlongAxis(Op.Softmax, "softmax",
            (x, axis) =>
            {
                var e = Exp(x - Spread(Reduce(Op.ReduceMax, x, axis), [axis], x.Shape));   // max subtracted: cannot overflow
                return e / Spread(Sum(e, axis), [axis], x.Shape);
            },
            (dy, y, axis) => y * (dy - Spread(Sum(dy * y, axis), [axis], y.Shape))),
        AlongAxis(Op.LogSoftmax, "log_softmax",
            (x, axis) =>
            {
                var low = x - Spread(Reduce(Op.ReduceMax, x, axis), [axis], x.Shape);
                return low - Spread(Log(Sum(Exp(low), axis)), [axis], x.Shape);
            },
            (dy, y, axis) => dy - Exp(y) * Spread(Sum(dy, axis), [axis], y.Shape)),
        // x, weight [width]
        new(Op.RmsNorm, "rms_norm", (x, a) => Norm(Op.RmsNorm, x, a, 2))
        {
            Decompose = node => Narrow(RmsNormalised(node).Normal * Weight(node.Inputs[1], node), node),
            Gradient = (dy, y, x) =>
            {
                var (normal, rate) = RmsNormalised(y);
                Node d = Wide(dy), g = d * Weight(x[1], y);
                var dx = rate * (g - normal * RowMean(g * normal));
                return [Narrow(dx, x[0]), Narrow(OverRows(d * normal), x[1])];
            },
        },
        // x, weight [width], bias [width]
        new(Op.LayerNorm, "layer_norm", (x, a) => Norm(Op.LayerNorm, x, a, 3))
        {
            Decompose = node => Narrow(LayerNormalised(node).Normal * Weight(node.Inputs[1], node) + Weight(node.Inputs[2], node),
                node),
            Gradient = (dy, y, x) =>
            {
                var (normal, rate) = LayerNormalised(y);
                Node d = Wide(dy), g = d * Weight(x[1], y);
                var dx = rate * (g - RowMean(g) - normal * RowMean(g * normal));
                return [Narrow(dx, x[0]), Narrow(OverRows(d * normal), x[1]), Narrow(OverRows(d), x[2])];
            },
        },
        // logits [..., V], targets [...] of i32 or i64 -> the loss of each row [...]
        new(Op.CrossEntropy, "cross_entropy", (x, _) =>
        {
            Rules.Arity(Op.CrossEntropy, x, 2);
            Rules.Float(Op.CrossEntropy, x[0]);
            Rules.Index(Op.CrossEntropy, x[1]);
            if (x[0].Shape.Rank == 0 || x[1].Shape != x[0].Shape[..^1])
                throw new ShapeException("ASH0126",
                    $"CrossEntropy needs logits [..., V] and targets [...], but got {Rules.Types(x)}.",
                    "flatten both to one row per target.");
            return new(x[0].DType, x[1].Shape);
        })
        {
            Decompose = node =>
            {
                Node x = Wide(node.Inputs[0]), targets = node.Inputs[1];
                int axis = x.Shape.Rank - 1;
                var greatest = Reduce(Op.ReduceMax, x, axis);
                var logSum = Log(Sum(Exp(x - Spread(greatest, [axis], x.Shape)), axis)) + greatest;
                var picked = Gather(x, Reshape(targets, targets.Shape.Insert(axis, 1)), axis);
                return Narrow(logSum - Reshape(picked, targets.Shape), node);
            },
            // (softmax - one-hot) * dy; the one-hot matrix is a comparison, not data
            Gradient = (dy, _, x) =>
            {
                var logits = Wide(x[0]);
                int axis = logits.Shape.Rank - 1;
                var p = AlongAxis(Op.Softmax, logits, axis);
                var hit = Binary(Op.Equal, Iota(axis, x[1].DType, logits.Shape), Spread(x[1], [axis], logits.Shape));
                return [Narrow(Select(hit, p - 1, p) * Spread(Wide(dy), [axis], logits.Shape), x[0]), null];
            },
        },
        // gate, up -> silu(gate) * up
        new(Op.SwiGlu, "swi_glu", (x, _) =>
        {
            Rules.Arity(Op.SwiGlu, x, 2);
            Rules.Same(Op.SwiGlu, x);
            Rules.Float(Op.SwiGlu, x[0]);
            return new(x[0].DType, x[0].Shape);
        })
        {
            Decompose = node => Narrow(Unary(Op.Silu, Wide(node.Inputs[0])) * Wide(node.Inputs[1]), node),
            Gradient = (dy, y, x) =>
            {
                Node d = Wide(dy), gate = Wide(x[0]), up = Wide(x[1]);
                return [Narrow(d * up * SiluSlope(gate), y), Narrow(d * Unary(Op.Silu, gate), y)];
            },
        },
        // x [..., T, H, D], cos and sin [T, D/2]
        new(Op.Rope, "rope", (x, a) =>
        {
            Rules.Arity(Op.Rope, x, 3);
            Rules.Expect<RopeAttributes>(Op.Rope, a);
            Rules.Float(Op.Rope, x[0]);
            var shape = x[0].Shape;
            if (shape.Rank < 3 || x[1].Shape != x[2].Shape || x[1].Shape.Rank != 2 || x[1].Shape[0] != shape[^3]
                || x[1].Shape[1] * 2 != shape[^1] || x[1].DType != x[0].DType || x[2].DType != x[0].DType)
                throw new ShapeException("ASH0127",
                    $"Rope needs x [..., T, H, D] and cos, sin [T, D/2] of one type, but got {Rules.Types(x)}.",
                    "split the heads first, and cut the tables to the tokens at hand.");
            return new(x[0].DType, shape);
        })
        {
            Decompose = Rotary.Rotate,
            Gradient = Rotary.Gradient,
        },
        // q [B, T, H, D], k [B, S, K, D], v [B, S, K, E] -> [B, T, H, E]; each key-value head serves H / K query heads
        new(Op.Attention, "attention", (x, a) =>
        {
            Rules.Arity(Op.Attention, x, 3);
            Rules.Expect<AttentionAttributes>(Op.Attention, a);
            Rules.Float(Op.Attention, x[0]);
            foreach (var input in x) Rules.Rank(Op.Attention, input, 4);
            Shape q = x[0].Shape, k = x[1].Shape, v = x[2].Shape;
            bool fits = x.All(input => input.DType == x[0].DType) && q[0] == k[0] && k[0] == v[0] && k[1] == v[1] && k[2] == v[2]
                && q[3] == k[3] && q[2].TryDivide(k[2], out _);
            if (!fits)
                throw new ShapeException("ASH0128",
                    $"Attention needs q [B, T, H, D], k [B, S, K, D], v [B, S, K, E] with H a multiple of K, but got {Rules.Types(x)}.",
                    "split the heads, and give keys and values the same length.");
            return new(x[0].DType, [q[0], q[1], q[2], v[3]]);
        })
        {
            Decompose = Attend,
        },
    ];

    // value(x, node) and slope(x, y, node), both wide
    static Meaning Smooth(Op op, string name, Func<Node, Node, Node> value, Func<Node, Node, Node, Node> slope) =>
        new(op, name, (x, a) =>
    {
        Rules.Arity(op, x, 1);
        if (op == Op.Gelu) Rules.Expect<GeluAttributes>(op, a);
        Rules.Float(op, x[0]);
        return new(x[0].DType, x[0].Shape);
    })
        {
            Decompose = node => Narrow(value(Wide(node.Inputs[0]), node), node),
            Gradient = (dy, y, x) => [Narrow(Wide(dy) * slope(Wide(x[0]), Wide(y), y), y)],
        };

    // value(x, axis) and gradient(dy, y, axis), both wide
    static Meaning AlongAxis(Op op, string name, Func<Node, int, Node> value, Func<Node, Node, int, Node> gradient) =>
        new(op, name, (x, a) =>
    {
        Rules.Arity(op, x, 1);
        Rules.Float(op, x[0]);
        Rules.Axis(op, x[0], Rules.Expect<AxisAttributes>(op, a).Axis);
        return new(x[0].DType, x[0].Shape);
    })
        {
            Decompose = node => Narrow(value(Wide(node.Inputs[0]), node.Get<AxisAttributes>().Axis), node),
            Gradient = (dy, y, _) => [Narrow(gradient(Wide(dy), Wide(y), y.Get<AxisAttributes>().Axis), y)],
        };

    static Node AlongAxis(Op op, Node x, int axis) => Node.Of(op, [x], new AxisAttributes(axis));

    internal static Node Wide(Node x) => Cast(x, x.DType.Compute);

    internal static Node Narrow(Node x, Node like) => Cast(x, like.DType);

    static Node SiluSlope(Node x)
    {
        var s = Unary(Op.Sigmoid, x);
        return s * (x * (1 - s) + 1);
    }

    // Gelu by tanh: Hendrycks and Gimpel 2016, arXiv:1606.08415
    static Node GeluTanh(Node x) => Unary(Op.Tanh, x * (x * x * 0.044715 + 1) * Math.Sqrt(2 / Math.PI));

    // (1 + tanh(u)) / 2 = 1 / (1 + exp(-2 u)): one exponential and one division, no copying of signs.
    static Node HalfPlusTanh(Node x) =>
        Unary(Op.Recip, Unary(Op.Exp, x * (x * x * 0.044715 + 1) * (-2 * Math.Sqrt(2 / Math.PI))) + 1);

    static Node GeluTanhSlope(Node x)
    {
        var t = GeluTanh(x);
        return HalfPlusTanh(x) + x * (1 - t * t) * (x * x * (3 * 0.044715) + 1) * (0.5 * Math.Sqrt(2 / Math.PI));
    }

    static Node GaussCumulative(Node x) => (Unary(Op.Erf, x * Math.Sqrt(0.5)) + 1) * 0.5;

    static Node GaussDensity(Node x) => Exp(x * x * -0.5) * (1 / Math.Sqrt(2 * Math.PI));

    // The mean of each row, in every element of the row.
    static Node RowMean(Node x)
    {
        int axis = x.Shape.Rank - 1;
        var sum = Sum(x, axis);
        return Spread(sum / SizeLike(x.Shape[axis], sum), [axis], x.Shape);
    }

    // The input over its root mean square, and one over that root, in every element. Zhang and Sennrich 2019, arXiv:1910.07467
    static (Node Normal, Node Rate) RmsNormalised(Node norm)
    {
        var x = Wide(norm.Inputs[0]);
        var rate = RowRate(x, norm);
        return (x * rate, rate);
    }

    // The centred input over its standard deviation, and one over that. Ba, Kiros and Hinton 2016, arXiv:1607.06450
    static (Node Normal, Node Rate) LayerNormalised(Node norm)
    {
        var x = Wide(norm.Inputs[0]);
        var centred = x - RowMean(x);
        var rate = RowRate(centred, norm);
        return (centred * rate, rate);
    }

    static Node RowRate(Node x, Node norm)
    {
        int axis = x.Shape.Rank - 1;
        var sum = Sum(x * x, axis);
        return Spread(Rsqrt(sum / SizeLike(x.Shape[axis], sum) + norm.Get<NormAttributes>().Epsilon), [axis], x.Shape);
    }

    static Node Weight(Node weight, Node norm) => Stretch(Wide(weight), norm.Shape);

    static Node OverRows(Node x) => Sum(x, [.. Enumerable.Range(0, x.Shape.Rank - 1)]);

    // softmax(q k^T * scale) v; query t sees the keys up to t + S - T, so the last query sees all. One that sees none gives 0.
    static Node Attend(Node node)
    {
        var (scale, causal) = node.Get<AttentionAttributes>();
        var (q, k, v) = (node.Inputs[0], node.Inputs[1], node.Inputs[2]);
        q.Shape[2].TryDivide(k.Shape[2], out var group);
        Extent queries = q.Shape[1], keys = k.Shape[1];
        var grouped = Reshape(q, [q.Shape[0], queries, k.Shape[2], group, q.Shape[3]]);             // [B, T, K, G, D]
        var scores = Contract(grouped, k, [0, 2], [0, 2], [4], [3], q.DType.Compute) * scale;       // [B, K, T, G, S]
        Node? seen = null;
        if (causal)
        {
            var query = Iota(2, DType.Int32, scores.Shape);
            seen = Binary(Op.LessEqual, Iota(4, DType.Int32, scores.Shape),
                keys == queries ? query : query + SizeLike(keys - queries, query));
            scores = Select(seen, scores, scores.Like(-1e30));   // finite: a row of these is still a row of numbers
        }
        var weights = AlongAxis(Op.Softmax, scores, 4);
        if (seen is not null && (keys - queries).Min < 0) weights = Select(seen, weights, weights.Like(0));
        var mixed = Contract(Cast(weights, v.DType), v, [0, 1], [0, 2], [4], [1]);                  // [B, K, T, G, E]
        return Reshape(Permute(mixed, 0, 2, 1, 3, 4), node.Shape);
    }

    static NodeType Norm(Op op, Node[] x, Attributes? attributes, int count)
    {
        Rules.Arity(op, x, count);
        Rules.Expect<NormAttributes>(op, attributes);
        Rules.Float(op, x[0]);
        foreach (var parameter in x[1..])
            if (x[0].Shape.Rank == 0 || parameter.Shape.Rank != 1 || parameter.Shape[0] != x[0].Shape[^1]
                || parameter.DType != x[0].DType)
                throw new ShapeException("ASH0102",
                    $"{op} needs weights as long as the last axis of its input and of its type, but got {Rules.Types(x)}.",
                    "check the layer's width against the model config.");
        return new(x[0].DType, x[0].Shape);
    }
}
