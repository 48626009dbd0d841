using static Ashlar.Graph.Nodes;

namespace Ashlar.Graph;

/// <summary>The row of Contract: sums of products over paired axes.</summary>
static class Contraction
{
    public static readonly Meaning[] Rows =
    [
        new(Op.Contract, "contract", (x, a) =>
        {
            Rules.Arity(Op.Contract, x, 2);
            var pairs = Rules.Expect<ContractAttributes>(Op.Contract, a);
            Rules.Number(Op.Contract, x[0]);
            if (x[0].DType != x[1].DType)
                throw new DTypeException("ASH0202", $"Contract needs inputs of one element type, but got {Rules.Types(x)}.",
                    "cast one input to the other's type.");
            if (pairs.DType == DType.Bool || pairs.DType.IsInteger && x[0].DType.IsFloat)
                throw new DTypeException("ASH0209", $"Contract of {Rules.Types(x)} cannot give {pairs.DType.Name}.",
                    "contract to a float type, then cast.");
            Pair(x, pairs.BatchLeft, pairs.BatchRight, "batch");
            Pair(x, pairs.SumLeft, pairs.SumRight, "summed");
            Rules.Distinct(Op.Contract, [.. pairs.BatchLeft, .. pairs.SumLeft]);
            Rules.Distinct(Op.Contract, [.. pairs.BatchRight, .. pairs.SumRight]);
            return new(pairs.DType, Shape.Of([
                .. pairs.BatchLeft.Select(axis => x[0].Shape[axis]),
                .. pairs.FreeLeft(x[0].Shape.Rank).Select(axis => x[0].Shape[axis]),
                .. pairs.FreeRight(x[1].Shape.Rank).Select(axis => x[1].Shape[axis])]));
        })
        {
            Evaluate = Evaluate,
            Gradient = Gradient,
        },
    ];

    static Value Evaluate(Node node, Value[] x)
    {
        var pairs = node.Get<ContractAttributes>();
        int[] freeLeft = pairs.FreeLeft(x[0].Extents.Length), freeRight = pairs.FreeRight(x[1].Extents.Length);
        var left = Strided.Last(x[0], [.. pairs.BatchLeft, .. freeLeft, .. pairs.SumLeft]);       // [batch, m, k]
        var right = Strided.Last(x[1], [.. pairs.BatchRight, .. freeRight, .. pairs.SumRight]);   // [batch, n, k]
        var result = Value.Zeros(node.Shape.Values);                                              // [batch, m, n]
        long batches = Strided.Count(pairs.BatchLeft.Select(axis => x[0].Extents[axis]));
        long m = Strided.Count(freeLeft.Select(axis => x[0].Extents[axis]));
        long n = Strided.Count(freeRight.Select(axis => x[1].Extents[axis]));
        long k = Strided.Count(pairs.SumLeft.Select(axis => x[0].Extents[axis]));
        bool exact = !node.Inputs[0].DType.IsFloat;
        for (long batch = 0; batch < batches; batch++)
            for (long i = 0; i < m; i++)
                for (long j = 0; j < n; j++)
                {
                    var row = left.Data.AsSpan((int)((batch * m + i) * k), (int)k);
                    var column = right.Data.AsSpan((int)((batch * n + j) * k), (int)k);
                    result.Data[(batch * m + i) * n + j] = exact ? IntegerDot(row, column) : Dot(row, column);
                }
        return result;
    }

    static double Dot(ReadOnlySpan<double> row, ReadOnlySpan<double> column)
    {
        double sum = 0;
        for (int i = 0; i < row.Length; i++) sum += row[i] * column[i];
        return sum;
    }

    static double IntegerDot(ReadOnlySpan<double> row, ReadOnlySpan<double> column)
    {
        long sum = 0;
        for (int i = 0; i < row.Length; i++) sum = unchecked(sum + (long)row[i] * (long)column[i]);
        return sum;
    }

    // Each input's gradient is a contraction of dy with the other input over the other's free axes. The product is made in the
    // inputs' type, as matrix units need, whatever type the sum was kept in.
    static Node?[] Gradient(Node dy, Node y, IReadOnlyList<Node> x)
    {
        var pairs = y.Get<ContractAttributes>();
        var (a, b) = (x[0], x[1]);
        var d = Cast(dy, a.DType);
        int[] freeA = pairs.FreeLeft(a.Shape.Rank), freeB = pairs.FreeRight(b.Shape.Rank);
        int[] batch = [.. Enumerable.Range(0, pairs.BatchLeft.Count)];
        int[] rows = [.. Enumerable.Range(batch.Length, freeA.Length)];                     // a's free axes in dy
        int[] columns = [.. Enumerable.Range(batch.Length + rows.Length, freeB.Length)];    // b's free axes in dy

        // [batch, free of a, summed as b has them]; where a's last axis is a free one, [batch, summed, free], so that rows stay
        // contiguous
        int[] summedA = [.. pairs.SumRight.Select((axis, i) => (axis, Left: pairs.SumLeft[i])).OrderBy(pair => pair.axis)
            .Select(pair => pair.Left)];
        var da = freeA.Contains(a.Shape.Rank - 1)
            ? Place(Contract(b, d, pairs.BatchRight.Span, batch, freeB, columns), [.. pairs.BatchLeft, .. summedA, .. freeA])
            : Place(Contract(d, b, batch, pairs.BatchRight.Span, columns, freeB), [.. pairs.BatchLeft, .. freeA, .. summedA]);
        // [batch, summed as a has them, free of b]; where b's last axis is summed, [batch, free, summed]
        int[] summedB = [.. pairs.SumLeft.Select((axis, i) => (axis, Right: pairs.SumRight[i])).OrderBy(pair => pair.axis)
            .Select(pair => pair.Right)];
        var db = summedB.Contains(b.Shape.Rank - 1)
            ? Place(Contract(d, a, batch, pairs.BatchLeft.Span, rows, freeA), [.. pairs.BatchRight, .. freeB, .. summedB])
            : Place(Contract(a, d, pairs.BatchLeft.Span, batch, freeA, rows), [.. pairs.BatchRight, .. summedB, .. freeB]);
        return [da, db];
    }

    // Axis i of the gradient is axis axes[i] of the input.
    static Node Place(Node gradient, int[] axes) =>
        Permute(gradient, [.. Enumerable.Range(0, axes.Length).Select(axis => Array.IndexOf(axes, axis))]);

    static void Pair(Node[] x, ValueList<int> left, ValueList<int> right, string kind)
    {
        if (left.Count != right.Count)
            throw new ShapeException("ASH0123",
                $"Contract pairs {left.Count} {kind} axes of the left input with {right.Count} of the right.",
                "name as many on each side.");
        for (int i = 0; i < left.Count; i++)
        {
            Rules.Axis(Op.Contract, x[0], left[i]);
            Rules.Axis(Op.Contract, x[1], right[i]);
            if (x[0].Shape[left[i]] != x[1].Shape[right[i]])
                throw new ShapeException("ASH0124",
                    $"Contract pairs axis {left[i]} of {x[0].Shape} with axis {right[i]} of {x[1].Shape} as a {kind} axis, "
                    + $"but {x[0].Shape[left[i]]} is not {x[1].Shape[right[i]]}.",
                    "transpose an input, or check the layer's width.");
        }
    }
}
