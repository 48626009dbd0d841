using Ashlar.Graph;
using static Ashlar.Graph.Nodes;

namespace Ashlar.Compiler.Passes;

/// <summary>Finds hand-written softmax, norms and activations, and gives them their names, so that kernels for them
/// apply.</summary>
/// <remarks>
/// Runs on graphs that <see cref="Algebra"/> and <see cref="MovementRules"/> have brought to normal form. Norms are raised where
/// they are
/// computed in one type throughout; with casts inside, rounding would change.
/// </remarks>
static class RaiseComposites
{
    public static RuleSet Rules { get; } = new("raise composites")
    {
        { "exp(x - max x) / sum = softmax", Softmax },
        { "x - max x - log sum exp = log softmax", LogSoftmax },
        { "-log softmax at the target = cross-entropy", CrossEntropy },
        { "x / sqrt(mean x^2 + e) * w = rms norm", RmsNorm },
        { "rms norm of (x - mean) + b = layer norm", LayerNorm },
        { "silu(gate) * up = swiglu", n => n switch
        {
            (Op.Mul, [(Op.Silu, [var gate]), var up]) => SwiGlu(gate, up),
            (Op.Mul, [var up, (Op.Silu, [var gate])]) => SwiGlu(gate, up),
            _ => null,
        } },
        { "an expression with the values of gelu is gelu", Activation.Raise },
    };

    static Node? Softmax(Node n)
    {
        Node? e = n switch
        {
            (Op.Div, [(Op.Exp, _) top, var below]) when IsRowSum(below, top, out _) => top,
            (Op.Mul, [(Op.Exp, _) top, var below]) when IsSpread(below, out var rate, out _) && rate is (Op.Recip, [var sum])
                && IsSumOf(sum, top) => top,
            _ => null,
        };
        if (e is null) return null;
        IsSpread(n.Inputs[1], out _, out int axis);
        return Nodes.Softmax(e.Inputs[0] is (Op.Sub, [var x, var top1]) && IsMaxOf(top1, x, axis) ? x : e.Inputs[0], axis);
    }

    // x - max - log(sum(exp(x - max))) in either order, or x - log(sum(exp(x)))
    static Node? LogSoftmax(Node n)
    {
        if (n is not (Op.Sub, [var low, var log])) return null;
        if (!IsSpread(log, out var small, out int axis)
            || small is not (Op.Log, [(Op.ReduceSum, [(Op.Exp, [var inside])]) sum])) return null;
        if (inside != low || !IsOver(sum, axis)) return null;
        return Nodes.LogSoftmax(low is (Op.Sub, [var x, var top]) && IsMaxOf(top, x, axis) ? x : low, axis);
    }

    static Node? CrossEntropy(Node n)
    {
        if (n is not (Op.Neg, [var picked])) return null;
        if (picked is (Op.Reshape, [{ Op: Op.Gather } inside])) picked = inside;
        if (picked is not (Op.Gather, [(Op.LogSoftmax, [var logits]) y, var indices])) return null;
        int last = logits.Shape.Rank - 1;
        if (y.Get<AxisAttributes>().Axis != last || picked.Get<AxisAttributes>().Axis != last
            || indices.Shape[last] != 1) return null;
        return Reshape(Nodes.CrossEntropy(logits, Reshape(indices, indices.Shape[..^1])), n.Shape);
    }

    static Node? RmsNorm(Node n)
    {
        foreach (var (scaled, weight) in Products(n))
            if (Weight(weight, n) is { } w)
                foreach (var (x, rate) in Products(scaled))
                    if (Rate(rate, x) is { } epsilon) return Nodes.RmsNorm(x, w, epsilon);
        return null;
    }

    static Node? LayerNorm(Node n)
    {
        if (n.Op != Op.Add) return null;
        foreach (var (scaled, shift) in ((Node, Node)[])[(n.Inputs[0], n.Inputs[1]), (n.Inputs[1], n.Inputs[0])])
            if (scaled is (Op.RmsNorm, [(Op.Sub, [var x, var mean]), var weight]) && IsMeanOf(mean, x)
                && Weight(shift, n) is { } bias)
                return Nodes.LayerNorm(x, weight, bias, scaled.Get<NormAttributes>().Epsilon);
        return null;
    }

    // The two sides of a product, either way round.
    static (Node, Node)[] Products(Node n) => n is (Op.Mul, [var a, var b]) ? [(a, b), (b, a)] : [];

    // A vector over the last axis, stretched to the node's shape.
    static Node? Weight(Node stretched, Node like)
    {
        if (stretched.Shape.Rank == 0 || stretched.DType != like.DType) return null;
        var w = stretched is (Op.Broadcast, [var small]) ? small : stretched;
        for (int axis = 0; axis < w.Shape.Rank - 1; axis++)
            if (w.Shape[axis] != 1) return null;
        return w.Shape.Rank == 0 || w.Shape[^1] != like.Shape[^1] ? null : Reshape(w, [w.Shape[^1]]);
    }

    // The epsilon where this is 1 / sqrt(mean(x * x) + epsilon) over the last axis.
    static double? Rate(Node rate, Node x)
    {
        if (!IsSpread(rate, out var small, out int axis) || axis != x.Shape.Rank - 1) return null;
        if (small is not (Op.Rsqrt, [(Op.Add, [var mean, { Constant: { } epsilon }])])) return null;
        return SumOfMean(mean, x.Shape[^1]) is (Op.ReduceSum, [(Op.Mul, [var a, var b])]) sum && a == x && b == x
            && IsOver(sum, axis) ? epsilon : null;
    }

    static bool IsMeanOf(Node mean, Node x) =>
        IsSpread(mean, out var small, out int axis) && axis == x.Shape.Rank - 1
            && SumOfMean(small, x.Shape[^1]) is (Op.ReduceSum, [var inside]) sum && inside == x && IsOver(sum, axis);

    // The sum of what is a sum over a count.
    static Node? SumOfMean(Node mean, Extent count) => !count.TryGetValue(out long n) ? null : mean switch
    {
        (Op.Div, [var sum, { Constant: { } c }]) when c == n => sum,
        (Op.Mul, [var sum, { Constant: { } c }]) when c == Conversion.Round(1.0 / n, mean.DType) => sum,
        (Op.Reshape, [var inner]) => SumOfMean(inner, count),
        _ => null,
    };

    static bool IsRowSum(Node spread, Node x, out int axis) => IsSpread(spread, out var sum, out axis) && IsSumOf(sum, x)
        && IsOver(sum, axis);

    static bool IsSumOf(Node sum, Node x) => sum is (Op.ReduceSum, [var inside]) && inside == x;

    static bool IsMaxOf(Node spread, Node x, int axis) =>
        IsSpread(spread, out var top, out int over) && over == axis && top is (Op.ReduceMax, [var inside]) && inside == x
            && IsOver(top, axis);

    static bool IsOver(Node reduction, int axis) => reduction.Get<AxesAttributes>().Axes is [var only] && only == axis;

    // A value per row, put back along one axis: Broadcast(Reshape(value)), with elementwise ops allowed between the two.
    static bool IsSpread(Node n, out Node value, out int axis)
    {
        (value, axis) = (n, -1);
        if (n is not (Op.Broadcast, [var kept])) return false;
        for (int i = 0; i < n.Shape.Rank; i++)
            if (kept.Shape[i] != n.Shape[i])
            {
                if (axis >= 0) return false;
                axis = i;
            }
        if (axis < 0) return false;
        int at = axis;
        if (Lowered(kept, at) is not { } low) return false;
        value = low;
        return true;
    }

    // The node without the axis of extent 1: reshapes that put it in are moved out through elementwise ops.
    static Node? Lowered(Node kept, int axis)
    {
        var shape = kept.Shape.Without(axis);
        if (kept is (Op.Reshape, [var x]) && x.Shape == shape) return x;
        if (kept.Attributes is ConstantAttributes c) return Node.Of(Op.Constant, [], c with { Shape = shape });
        if (!kept.Meaning.IsElementwise) return null;
        var inputs = new Node[kept.Inputs.Count];
        for (int i = 0; i < inputs.Length; i++)
        {
            if (Lowered(kept.Inputs[i], axis) is not { } low) return null;
            inputs[i] = low;
        }
        return Node.Of(kept.Op, inputs, kept.Attributes);
    }
}
