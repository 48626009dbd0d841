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
                throw new DTypeException("ASH0202", $"Contract needs inputs of one element type, but got {Rules.Types(x)}.", "cast one input to the other's type.");
            Pair(x, pairs.BatchLeft, pairs.BatchRight, "batch");
            Pair(x, pairs.SumLeft, pairs.SumRight, "summed");
            return new(pairs.DType, Shape.Of([
                .. pairs.BatchLeft.Select(axis => x[0].Shape[axis]),
                .. pairs.FreeLeft(x[0].Shape.Rank).Select(axis => x[0].Shape[axis]),
                .. pairs.FreeRight(x[1].Shape.Rank).Select(axis => x[1].Shape[axis])]));
        }),
    ];

    static void Pair(Node[] x, ValueList<int> left, ValueList<int> right, string kind)
    {
        if (left.Count != right.Count)
            throw new ShapeException("ASH0123", $"Contract pairs {left.Count} {kind} axes of the left input with {right.Count} of the right.", "name as many on each side.");
        for (int i = 0; i < left.Count; i++)
        {
            Rules.Axis(Op.Contract, x[0], left[i]);
            Rules.Axis(Op.Contract, x[1], right[i]);
            if (x[0].Shape[left[i]] != x[1].Shape[right[i]])
                throw new ShapeException("ASH0124", $"Contract pairs axis {left[i]} of {x[0].Shape} with axis {right[i]} of {x[1].Shape} as a {kind} axis, but {x[0].Shape[left[i]]} is not {x[1].Shape[right[i]]}.",
                    "transpose an input, or check the layer's width.");
        }
    }
}
