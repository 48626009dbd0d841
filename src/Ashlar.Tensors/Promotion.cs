namespace Ashlar;

/// <summary>Brings operands together: one element type by promotion, one shape by broadcasting. The friendly half of strict
/// nodes.</summary>
static class Promotion
{
    /// <summary>Numbers for arithmetic: a bool counts as int32.</summary>
    public static DType Number(DType dtype) => dtype == DType.Bool ? DType.Int32 : dtype;

    /// <summary>Floating point: everything else becomes float32.</summary>
    public static DType Float(DType dtype) => dtype.IsFloat ? dtype : DType.Float32;

    /// <summary>Integers of a sum: 64 bits, as in PyTorch and NumPy, so that counts do not overflow.</summary>
    public static DType Sum(DType dtype) => dtype.IsFloat ? dtype : DType.Int64;

    /// <summary>The element type that operands meet in.</summary>
    public static DType Type(string what, params ReadOnlySpan<Operand> operands)
    {
        DType? met = null;
        foreach (var operand in operands)
            if (operand.Tensor is { } tensor)
                met = met is not { } other ? tensor.DType : DTypes.Promote(other, tensor.DType)
                    ?? throw new DTypeException("ASH0220",
                    $"{what} cannot mix {other.Name} and {tensor.DType.Name} ({List(operands)}): neither holds the other's values.",
                    "cast one operand to the other's type, or both to f32: x.Cast(DType.Float32).");
        foreach (var operand in operands)
            if (operand.Tensor is null)
                met = met switch
                {
                    null => operand.DType,
                    DType.Bool when operand.IsInteger => DType.Int32,
                    { IsFloat: false } when !operand.IsInteger => DType.Float32,
                    _ => met,
                };
        return met!.Value;
    }

    /// <summary>The shape that operands broadcast to.</summary>
    public static Shape Meet(string what, params ReadOnlySpan<Operand> operands)
    {
        var shape = Shape.Scalar;
        foreach (var operand in operands)
            shape = Shape.Broadcast(shape, operand.Shape) ?? throw Mismatch(what, operands, shape, operand.Shape);
        return shape;
    }

    /// <summary>Both operands as tensors of one type; shapes still broadcast.</summary>
    public static (Tensor A, Tensor B) Together(string what, Operand a, Operand b)
    {
        var dtype = Number(Type(what, a, b));
        var shape = Meet(what, [a, b]);
        return (new(a.ToNode(what, dtype, shape)), new(b.ToNode(what, dtype, shape)));
    }

    /// <summary>A binary op on operands brought together.</summary>
    public static Tensor Binary(Op op, string what, Operand a, Operand b, Func<DType, DType>? adjust = null)
    {
        var dtype = Type(what, a, b);
        if (adjust is not null) dtype = adjust(dtype);
        var shape = Meet(what, a, b);
        return new(Nodes.Binary(op, a.ToNode(what, dtype, shape), b.ToNode(what, dtype, shape)));
    }

    /// <summary>A unary op that needs floating point.</summary>
    public static Tensor FloatUnary(Op op, Tensor x) => new(Nodes.Unary(op, Nodes.Cast(x.Node, Float(x.DType))));

    /// <summary>An axis counted from the front or the back.</summary>
    public static int[] Axes(Tensor x, ReadOnlySpan<int> axes)
    {
        if (axes.Length == 0) return [.. Enumerable.Range(0, x.Rank)];
        var list = new int[axes.Length];
        for (int i = 0; i < list.Length; i++)
        {
            list[i] = x.Shape.Axis(axes[i]);
            if (Array.IndexOf(list, list[i], 0, i) >= 0)
                throw new ShapeException("ASH0143",
                    $"axis {axes[i]} of {x.Type} is named twice.", "name each axis once; -1 is the last axis.");
        }
        Array.Sort(list);
        return list;
    }

    static ShapeException Mismatch(string what, ReadOnlySpan<Operand> operands, Shape a, Shape b)
    {
        string where = "";
        for (int i = 1; i <= Math.Min(a.Rank, b.Rank); i++)
            if (a[^i] != b[^i] && a[^i] != 1 && b[^i] != 1)
            {
                where = $"axis {-i} is {a[^i]} in one and {b[^i]} in the other";
                break;
            }
        var (large, small) = a.Rank >= b.Rank ? (a, b) : (b, a);
        string fix = small.Rank < large.Rank && large[..small.Rank] == small
            ? $"the shorter shape matches the leading axes: append an axis with Unsqueeze(-1), so that {small} becomes {small.Insert(small.Rank, 1)}."
            : small.Rank == large.Rank && small.Rank == 2 && small[0] == large[1] && small[1] == large[0]
                ? "transpose one of them with Transpose()."
                : "make the extents equal, or 1 where one tensor repeats: shapes are aligned at the last axis.";
        return new("ASH0142", $"{what} cannot broadcast {List(operands)} together: {where}.", fix);
    }

    static string List(ReadOnlySpan<Operand> operands) =>
        string.Join(" and ", operands.ToArray().Select(operand => operand.ToString()));
}
