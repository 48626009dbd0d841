using static Ashlar.Graph.Nodes;

namespace Ashlar.Graph;

/// <summary>Rows of the ops that make axes vanish, or run along one.</summary>
static class Reductions
{
    public static readonly Meaning[] Rows =
    [
        Reduce(Op.ReduceSum, "reduce_sum", numbers: true) with
        {
            Evaluate = (node, x) => Fold(node, x[0], 0, (a, b) => a + b),
            Gradient = (dy, y, x) => [Spread(dy, Axes(y), x[0].Shape)],
        },
        Reduce(Op.ReduceProd, "reduce_prod", numbers: true) with
        {
            Evaluate = (node, x) => Fold(node, x[0], 1, Times(node.DType)),
            Gradient = ProductOfOthers,
        },
        Reduce(Op.ReduceMax, "reduce_max", numbers: false) with
        {
            Evaluate = (node, x) => Fold(node, x[0], Conversion.Range(node.DType).Least, Math.Max),
            Gradient = Winners,
        },
        Reduce(Op.ReduceMin, "reduce_min", numbers: false) with
        {
            Evaluate = (node, x) => Fold(node, x[0], Conversion.Range(node.DType).Greatest, Math.Min),
            Gradient = Winners,
        },
        Arg(Op.ArgMax, "arg_max", (a, b) => a > b),
        Arg(Op.ArgMin, "arg_min", (a, b) => a < b),
        new(Op.Fold, "fold", (x, a) =>
        {
            Rules.Arity(Op.Fold, x, 1);
            var window = Rules.Expect<WindowAttributes>(Op.Fold, a);
            Rules.Number(Op.Fold, x[0]);
            Rules.Axis(Op.Fold, x[0], window.Axis);
            Rules.Axis(Op.Fold, x[0], window.Axis + 1);
            if (x[0].Shape[window.Axis] != window.Positions || x[0].Shape[window.Axis + 1] != window.Size)
                throw new ShapeException("ASH0119",
                    $"Fold needs axes {window.Axis} and {window.Axis + 1} of {window.Positions} positions and {window.Size} members, "
                    + $"but got {x[0].Shape}.",
                    "pass what Window of the same sizes makes.");
            return new(x[0].DType, x[0].Shape.Without(window.Axis + 1).With(window.Axis, window.Length));
        })
        {
            Evaluate = (node, x) =>
            {
                var result = Value.Zeros(node.Shape.Values);
                long i = 0;
                foreach (long at in Strided.Offsets(x[0].Extents, 0,
                    Movement.WindowStrides(result.Extents, node.Get<WindowAttributes>())))
                    result.Data[at] += x[0].Data[i++];
                return result;
            },
            Gradient = (dy, y, _) =>
            {
                var window = y.Get<WindowAttributes>();
                return [Window(dy, window.Axis, window.Size, window.Stride, window.Dilation)];
            },
        },
        Scan(Op.CumSum, "cum_sum", _ => (a, b) => a + b) with
        {
            Gradient = (dy, y, _) => [Nodes.Scan(Op.CumSum, dy, y.Get<ScanAttributes>().Axis, !y.Get<ScanAttributes>().Reverse)],
        },
        Scan(Op.CumProd, "cum_prod", Times) with { Gradient = RunningProduct },
        Scan(Op.CumMax, "cum_max", _ => Math.Max) with { Gradient = RunningWinner },
        new(Op.ArgSort, "arg_sort", (x, a) =>
        {
            Rules.Arity(Op.ArgSort, x, 1);
            Rules.Axis(Op.ArgSort, x[0], Rules.Expect<SortAttributes>(Op.ArgSort, a).Axis);
            return new(DType.Int32, x[0].Shape);
        })
        {
            Evaluate = (node, x) =>
            {
                var (axis, descending) = node.Get<SortAttributes>();
                return AlongAxis(x[0], axis, row =>
                {
                    var indices = Enumerable.Range(0, row.Length);
                    var sorted = descending ? indices.OrderByDescending(i => row[i], nanGreatest)
                        : indices.OrderBy(i => row[i], nanGreatest);
                    return [.. sorted.Select(i => (double)i)];
                });
            },
        },
    ];

    static readonly Comparer<double> nanGreatest = Comparer<double>.Create((a, b) =>
        double.IsNaN(a) || double.IsNaN(b) ? double.IsNaN(a).CompareTo(double.IsNaN(b)) : a.CompareTo(b));

    static Meaning Reduce(Op op, string name, bool numbers) => new(op, name, (x, a) =>
    {
        Rules.Arity(op, x, 1);
        if (numbers) Rules.Number(op, x[0]);
        var axes = Rules.Expect<AxesAttributes>(op, a).Axes;
        foreach (int axis in axes) Rules.Axis(op, x[0], axis);
        Rules.Distinct(op, axes);
        return new(x[0].DType,
            Shape.Of(Enumerable.Range(0, x[0].Shape.Rank).Where(axis => !axes.Contains(axis)).Select(axis => x[0].Shape[axis])));
    });

    static Meaning Arg(Op op, string name, Func<double, double, bool> better) => new(op, name, (x, a) =>
    {
        Rules.Arity(op, x, 1);
        int axis = Rules.Expect<AxisAttributes>(op, a).Axis;
        Rules.Axis(op, x[0], axis);
        if (x[0].Shape[axis].Min < 1)
            throw new ShapeException("ASH0120",
                $"{op} needs at least one element along axis {axis}, but {x[0].Shape} may have none.",
                "give the axis a least extent of 1.");
        return new(DType.Int32, x[0].Shape.Without(axis));
    })
    {
        Evaluate = (node, x) => FoldRows(Strided.Last(x[0], node.Get<AxisAttributes>().Axis), 1, row =>
        {
            int best = 0;
            for (int i = 1; i < row.Length && !double.IsNaN(row[best]); i++)
                if (double.IsNaN(row[i]) || better(row[i], row[best])) best = i;
            return best;
        }),
    };

    static Meaning Scan(Op op, string name, Func<DType, Func<double, double, double>> combine) => new(op, name, (x, a) =>
    {
        Rules.Arity(op, x, 1);
        Rules.Number(op, x[0]);
        Rules.Axis(op, x[0], Rules.Expect<ScanAttributes>(op, a).Axis);
        return new(x[0].DType, x[0].Shape);
    })
    {
        Evaluate = (node, x) =>
        {
            var (axis, reverse) = node.Get<ScanAttributes>();
            var step = combine(node.DType);
            return AlongAxis(x[0], axis, row =>
            {
                if (reverse) Array.Reverse(row);
                for (int i = 1; i < row.Length; i++) row[i] = step(row[i - 1], row[i]);
                if (reverse) Array.Reverse(row);
                return row;
            });
        },
    };

    static int[] Axes(Node node) => [.. node.Get<AxesAttributes>().Axes];

    // Products of integers wrap, and a double would lose the low bits before they do.
    static Func<double, double, double> Times(DType dtype) =>
        dtype.IsFloat ? (a, b) => a * b : (a, b) => Conversion.Wrap(unchecked((long)a * (long)b), dtype);

    static Value Fold(Node node, Value x, double start, Func<double, double, double> combine) =>
        FoldRows(Strided.Last(x, Axes(node)), Axes(node).Length, row => row.Aggregate(start, combine));

    // The last axes vanish: each of their rows becomes one number.
    static Value FoldRows(Value x, int axes, Func<double[], double> fold)
    {
        var result = Value.Zeros(x.Extents[..^axes]);
        int length = (int)Strided.Count(x.Extents[^axes..]);
        for (int i = 0; i < result.Data.Length; i++) result.Data[i] = fold(x.Data[(i * length)..((i + 1) * length)]);
        return result;
    }

    // Replaces each row along an axis.
    static Value AlongAxis(Value x, int axis, Func<double[], double[]> change)
    {
        double[] result = [.. x.Data];
        long length = x.Extents[axis], inner = Strided.Count(x.Extents[(axis + 1)..]);
        var row = new double[length];
        for (long start = 0; start < x.Data.LongLength; start += length * inner)
            for (long column = start; column < start + inner; column++)
            {
                for (long i = 0; i < length; i++) row[i] = x.Data[column + i * inner];
                var changed = change(row);
                for (long i = 0; i < length; i++) result[column + i * inner] = changed[i];
            }
        return new(result, x.Extents);
    }

    // The elements equal to the greatest (or least) share its gradient evenly.
    static Node?[] Winners(Node dy, Node y, IReadOnlyList<Node> x)
    {
        int[] axes = Axes(y);
        var won = Binary(Op.Equal, x[0], Spread(y, axes, x[0].Shape));
        var share = dy / Sum(Cast(won, y.DType), axes);
        return [Select(won, Spread(share, axes, x[0].Shape), x[0].Like(0))];
    }

    // Each element's gradient is the product of all others: those before it times those after it. No division, so zeros are
    // right.
    static Node?[] ProductOfOthers(Node dy, Node y, IReadOnlyList<Node> x)
    {
        int[] axes = Axes(y);
        int[] order = [.. Enumerable.Range(0, x[0].Shape.Rank).Where(axis => !axes.Contains(axis)), .. axes];
        var moved = Permute(x[0], order);
        int last = y.Shape.Rank;
        var rows = Reshape(moved, [.. y.Shape, Extent.Product(axes.Select(axis => x[0].Shape[axis]))]);
        var one = Constant(1, y.DType, Shape.Scalar);
        Extent[] none = new Extent[last + 1], single = new Extent[last + 1];
        single[last] = 1;
        var before = Nodes.Scan(Op.CumProd, SliceAxis(Pad(rows, single, none, one), last, 0, rows.Shape[last]), last);
        var after = Nodes.Scan(Op.CumProd, SliceAxis(Pad(rows, none, single, one), last, 1, rows.Shape[last]), last,
            reverse: true);
        var dx = Spread(dy, [last], rows.Shape) * (before * after);
        return [Permute(Reshape(dx, moved.Shape),
            [.. Enumerable.Range(0, order.Length).Select(axis => Array.IndexOf(order, axis))])];
    }

    // dx[i] = sum over the j that i takes part in of dy[j] * (the product up to j without x[i]). Quadratic in the length of the
    // axis, but right where elements are zero, unlike the sum of dy * y over x.
    static Node?[] RunningProduct(Node dy, Node y, IReadOnlyList<Node> x)
    {
        var (axis, reverse) = y.Get<ScanAttributes>();
        var shape = x[0].Shape.Insert(axis, x[0].Shape[axis]);   // i at the axis, j after it
        Node i = Iota(axis, DType.Int32, shape), j = Iota(axis + 1, DType.Int32, shape);
        Node Row(Node row) => Spread(row, [axis], shape);
        var others = Nodes.Scan(Op.CumProd, Select(Binary(Op.Equal, i, j), Constant(1, y.DType, shape), Row(x[0])), axis + 1,
            reverse);
        var takesPart = reverse ? Binary(Op.LessEqual, j, i) : Binary(Op.LessEqual, i, j);
        return [Sum(Select(takesPart, Row(dy) * others, Constant(0, y.DType, shape)), axis + 1)];
    }

    // Each dy goes to the element that was the greatest so far: the nearest one equal to the running maximum.
    static Node?[] RunningWinner(Node dy, Node y, IReadOnlyList<Node> x)
    {
        var (axis, reverse) = y.Get<ScanAttributes>();
        var place = Iota(axis, DType.Int32, y.Shape);
        if (reverse) place = -place;
        var first = reverse ? -SizeLike(y.Shape[axis] - 1, place) : place.Like(0);
        var winner = Nodes.Scan(Op.CumMax, Select(Binary(Op.Equal, x[0], y), place, first), axis, reverse);
        return [Scatter(x[0].Like(0), reverse ? -winner : winner, dy, axis, ScatterMode.Add)];
    }
}
