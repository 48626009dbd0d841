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
        }),
        // inputs: base, indices, updates; the result is the base with the updates put where the indices point
        new(Op.Scatter, "scatter", (x, a) =>
        {
            Rules.Arity(Op.Scatter, x, 3);
            int axis = Rules.Expect<ScatterAttributes>(Op.Scatter, a).Axis;
            Rules.Axis(Op.Scatter, x[0], axis);
            Rules.Index(Op.Scatter, x[1]);
            Fits(Op.Scatter, x[0], x[1], axis);
            if (x[2].Shape != x[1].Shape || x[2].DType != x[0].DType)
                throw new ShapeException("ASH0121", $"Scatter needs updates of the indices' shape and the base's type, but got {Rules.Types(x)}.", "broadcast the indices or cast the updates.");
            return new(x[0].DType, x[0].Shape);
        }),
    ];

    static void Fits(Op op, Node data, Node indices, int axis)
    {
        if (indices.Shape.Rank != data.Shape.Rank || indices.Shape.Without(axis) != data.Shape.Without(axis))
            throw new ShapeException("ASH0122", $"{op} along axis {axis} needs indices like the data but for that axis; got {Rules.Types([data, indices])}.",
                "broadcast the indices over the other axes.");
    }
}
