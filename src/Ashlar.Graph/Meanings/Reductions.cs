namespace Ashlar.Graph;

/// <summary>Rows of the ops that make axes vanish, or run along one.</summary>
static class Reductions
{
    public static readonly Meaning[] Rows =
    [
        Reduce(Op.ReduceSum, "reduce_sum", numbers: true),
        Reduce(Op.ReduceProd, "reduce_prod", numbers: true),
        Reduce(Op.ReduceMax, "reduce_max", numbers: false),
        Reduce(Op.ReduceMin, "reduce_min", numbers: false),
        Arg(Op.ArgMax, "arg_max"),
        Arg(Op.ArgMin, "arg_min"),
        new(Op.Fold, "fold", (x, a) =>
        {
            Rules.Arity(Op.Fold, x, 1);
            var window = Rules.Expect<WindowAttributes>(Op.Fold, a);
            Rules.Number(Op.Fold, x[0]);
            Rules.Axis(Op.Fold, x[0], window.Axis);
            Rules.Axis(Op.Fold, x[0], window.Axis + 1);
            if (x[0].Shape[window.Axis] != window.Positions || x[0].Shape[window.Axis + 1] != window.Size)
                throw new ShapeException("ASH0119", $"Fold needs axes {window.Axis} and {window.Axis + 1} of {window.Positions} positions and {window.Size} members, but got {x[0].Shape}.",
                    "pass what Window of the same sizes makes.");
            return new(x[0].DType, x[0].Shape.Without(window.Axis + 1).With(window.Axis, window.Length));
        }),
        Scan(Op.CumSum, "cum_sum"),
        Scan(Op.CumProd, "cum_prod"),
        Scan(Op.CumMax, "cum_max"),
        new(Op.ArgSort, "arg_sort", (x, a) =>
        {
            Rules.Arity(Op.ArgSort, x, 1);
            Rules.Axis(Op.ArgSort, x[0], Rules.Expect<SortAttributes>(Op.ArgSort, a).Axis);
            return new(DType.Int32, x[0].Shape);
        }),
    ];

    static Meaning Reduce(Op op, string name, bool numbers) => new(op, name, (x, a) =>
    {
        Rules.Arity(op, x, 1);
        if (numbers) Rules.Number(op, x[0]);
        var axes = Rules.Expect<AxesAttributes>(op, a).Axes;
        foreach (int axis in axes) Rules.Axis(op, x[0], axis);
        return new(x[0].DType, Shape.Of(Enumerable.Range(0, x[0].Shape.Rank).Where(axis => !axes.Contains(axis)).Select(axis => x[0].Shape[axis])));
    });

    static Meaning Arg(Op op, string name) => new(op, name, (x, a) =>
    {
        Rules.Arity(op, x, 1);
        int axis = Rules.Expect<AxisAttributes>(op, a).Axis;
        Rules.Axis(op, x[0], axis);
        if (x[0].Shape[axis].Min < 1)
            throw new ShapeException("ASH0120", $"{op} needs at least one element along axis {axis}, but {x[0].Shape} may have none.", "give the axis a least extent of 1.");
        return new(DType.Int32, x[0].Shape.Without(axis));
    });

    static Meaning Scan(Op op, string name) => new(op, name, (x, a) =>
    {
        Rules.Arity(op, x, 1);
        Rules.Number(op, x[0]);
        Rules.Axis(op, x[0], Rules.Expect<ScanAttributes>(op, a).Axis);
        return new(x[0].DType, x[0].Shape);
    });
}
