using static Ashlar.Graph.Nodes;

namespace Ashlar.Graph;

/// <summary>Rows of Gather and Scatter: PyTorch's gather and scatter, from which every indexed read and write is made.</summary>
static class Indexing
{
    public static readonly Meaning[] Rows =
    [
        // result[..., i, ...] = data[..., indices[..., i, ...], ...]; the result has the indices' shape
        new(Op.Gather, "gather", (x, a) =>
        {
            Rules.Arity(Op.Gather, x, 2);
            int axis = Rules.Expect<AxisAttributes>(Op.Gather, a).Axis;
            Rules.Axis(Op.Gather, x[0], axis);
            Rules.Index(Op.Gather, x[1]);
            Fits(Op.Gather, x[0], x[1], axis);
            return new(x[0].DType, x[1].Shape);
        })
        {
            Evaluate = (node, x) =>
            {
                var result = Value.Zeros(x[1].Extents);
                Visit(node, x[0], x[1], node.Get<AxisAttributes>().Axis, (at, from) => result.Data[at] = x[0].Data[from]);
                return result;
            },
            Gradient = (dy, y, x) => [Scatter(x[0].Like(0), x[1], dy, y.Get<AxisAttributes>().Axis, ScatterMode.Add), null],
        },
        // inputs: base, indices, updates; the result is the base with the updates put where the indices point
        new(Op.Scatter, "scatter", (x, a) =>
        {
            Rules.Arity(Op.Scatter, x, 3);
            var scatter = Rules.Expect<ScatterAttributes>(Op.Scatter, a);
            Rules.Axis(Op.Scatter, x[0], scatter.Axis);
            Rules.Index(Op.Scatter, x[1]);
            if (scatter.Mode == ScatterMode.Add) Rules.Number(Op.Scatter, x[0]);
            Fits(Op.Scatter, x[0], x[1], scatter.Axis);
            if (x[2].Shape != x[1].Shape || x[2].DType != x[0].DType)
                throw new ShapeException("ASH0121",
                    $"Scatter needs updates of the indices' shape and the base's type, but got {Rules.Types(x)}.",
                    "broadcast the indices or cast the updates.");
            return new(x[0].DType, x[0].Shape);
        })
        {
            Evaluate = (node, x) =>
            {
                var (axis, mode) = node.Get<ScatterAttributes>();
                double[] result = [.. x[0].Data];
                Visit(node, x[0], x[1], axis, (from, at) => result[at] = mode switch
                {
                    ScatterMode.Set => x[2].Data[from],
                    ScatterMode.Add => result[at] + x[2].Data[from],
                    _ => Math.Max(result[at], x[2].Data[from]),
                });
                return new(result, x[0].Extents);
            },
            Gradient = (dy, y, x) => y.Get<ScatterAttributes>().Mode switch
            {
                ScatterMode.Set => Replaced(dy, y, x),
                ScatterMode.Add => [dy, null, Gather(dy, x[1], y.Get<ScatterAttributes>().Axis)],
                _ => Shared(dy, y, x),
            },
        },
    ];

    // Calls visit(place in the indices, place in the data) for each index.
    static void Visit(Node node, Value data, Value indices, int axis, Action<long, long> visit)
    {
        long inner = Strided.Count(data.Extents[(axis + 1)..]);
        long many = indices.Extents[axis], length = data.Extents[axis];
        for (long at = 0; at < indices.Data.LongLength; at++)
        {
            double index = indices.Data[at];
            if (index < 0 || index >= length)
                throw new KernelException("ASH0510",
                    $"{node.Op} met the index {index}, but axis {axis} of {node.Inputs[0].Shape} has {length} elements. "
                    + $"It is the node {node} over {Rules.Types(node.Inputs)}.",
                        "clamp or check the indices; they count from 0, negative ones do not count from the end.");
            visit(at, (at / (many * inner) * length + (long)index) * inner + at % inner);
        }
    }

    // An update reaches the result only where no later one overwrote it: its own position is what the same scatter leaves there.
    static Node?[] Replaced(Node dy, Node y, IReadOnlyList<Node> x)
    {
        int axis = y.Get<ScatterAttributes>().Axis;
        var position = Iota(axis, DType.Int32, x[1].Shape);
        var last = Gather(Scatter(Constant(0, DType.Int32, x[0].Shape), x[1], position, axis, ScatterMode.Set), x[1], axis);
        return
        [
            Scatter(dy, x[1], x[2].Like(0), axis, ScatterMode.Set),
            null,
            Select(Binary(Op.Equal, last, position), Gather(dy, x[1], axis), x[2].Like(0)),
        ];
    }

    // The base and the updates that are equal to the greatest share its gradient evenly.
    static Node?[] Shared(Node dy, Node y, IReadOnlyList<Node> x)
    {
        int axis = y.Get<ScatterAttributes>().Axis;
        var kept = Binary(Op.Equal, x[0], y);
        var won = Binary(Op.Equal, x[2], Gather(y, x[1], axis));
        var winners = Scatter(Cast(kept, y.DType), x[1], Cast(won, y.DType), axis, ScatterMode.Add);
        var share = dy / winners;
        return [Select(kept, share, dy.Like(0)), null, Select(won, Gather(share, x[1], axis), x[2].Like(0))];
    }

    static void Fits(Op op, Node data, Node indices, int axis)
    {
        if (indices.Shape.Rank != data.Shape.Rank || indices.Shape.Without(axis) != data.Shape.Without(axis))
            throw new ShapeException("ASH0122",
                $"{op} along axis {axis} needs indices like the data but for that axis; got {Rules.Types([data, indices])}.",
                "broadcast the indices over the other axes.");
    }
}
