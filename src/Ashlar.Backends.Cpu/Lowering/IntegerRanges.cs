using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu.Lowering;

/// <summary>Between which numbers an int64 expression stays: where 32 bits hold it, twice as many fit a register.</summary>
internal sealed class IntegerRanges
{
    static readonly (Int128 Least, Int128 Greatest) unknown = (long.MinValue, long.MaxValue);

    readonly Dictionary<Node, (Int128 Least, Int128 Greatest)> known = [];

    /// <summary>True when every value fits an int32.</summary>
    public bool IsInt32(Node node)
    {
        var (least, greatest) = Of(node);
        return least >= int.MinValue && greatest <= int.MaxValue;
    }

    /// <summary>The least and greatest value.</summary>
    public (Int128 Least, Int128 Greatest) Of(Node node)
    {
        if (known.TryGetValue(node, out var range)) return range;
        range = Compute(node);
        if (range.Least < long.MinValue || range.Greatest > long.MaxValue) range = unknown;   // it may wrap
        return known[node] = range;
    }

    (Int128 Least, Int128 Greatest) Compute(Node node)
    {
        (Int128 Least, Int128 Greatest) a, b;
        switch (node.Op)
        {
            case Op.Constant:
                return (node.Get<ConstantAttributes>().Integer, node.Get<ConstantAttributes>().Integer);
            case Op.Size:
                var extent = node.Get<SizeAttributes>().Extent;
                return (extent.Min, extent.Max);
            case Op.Index:
                return (0, Math.Max(node.Variable().Count.Max - 1, 0));
            case Op.Cast when !node.Inputs[0].DType.IsFloat:
                return node.Inputs[0].DType == DType.Int64 ? Of(node.Inputs[0]) : OfType(node.Inputs[0].DType);
            case Op.Bound:
                return (0, Int128.Max(Of(node.Inputs[1]).Greatest - 1, 0));
            case Op.Neg:
                a = Of(node.Inputs[0]);
                return (-a.Greatest, -a.Least);
            case Op.Abs:
                a = Of(node.Inputs[0]);
                return (0, Int128.Max(Int128.Abs(a.Least), Int128.Abs(a.Greatest)));
            case Op.Sign:
                return (-1, 1);
            case Op.Add:
                (a, b) = (Of(node.Inputs[0]), Of(node.Inputs[1]));
                return (a.Least + b.Least, a.Greatest + b.Greatest);
            case Op.Sub:
                (a, b) = (Of(node.Inputs[0]), Of(node.Inputs[1]));
                return (a.Least - b.Greatest, a.Greatest - b.Least);
            case Op.Mul:
                (a, b) = (Of(node.Inputs[0]), Of(node.Inputs[1]));
                if (!IsSmall(a) || !IsSmall(b)) return unknown;
                Int128[] corners = [a.Least * b.Least, a.Least * b.Greatest, a.Greatest * b.Least, a.Greatest * b.Greatest];
                return (corners.Min(), corners.Max());
            case Op.Div:
                (a, b) = (Of(node.Inputs[0]), Of(node.Inputs[1]));
                return b.Least < 1 ? unknown : (Int128.Min(a.Least, 0), Int128.Max(a.Greatest, 0));
            case Op.Mod:
                b = Of(node.Inputs[1]);
                return b.Least < 1 ? unknown : (0, b.Greatest - 1);
            case Op.Min:
                (a, b) = (Of(node.Inputs[0]), Of(node.Inputs[1]));
                return (Int128.Min(a.Least, b.Least), Int128.Min(a.Greatest, b.Greatest));
            case Op.Max:
                (a, b) = (Of(node.Inputs[0]), Of(node.Inputs[1]));
                return (Int128.Max(a.Least, b.Least), Int128.Max(a.Greatest, b.Greatest));
            case Op.Select:
                (a, b) = (Of(node.Inputs[1]), Of(node.Inputs[2]));
                return (Int128.Min(a.Least, b.Least), Int128.Max(a.Greatest, b.Greatest));
            default:
                return OfType(node.DType);
        }
    }

    static bool IsSmall((Int128 Least, Int128 Greatest) range) => range.Least >= long.MinValue && range.Greatest <= long.MaxValue;

    static (Int128 Least, Int128 Greatest) OfType(DType dtype)
    {
        if (dtype.IsFloat || dtype == DType.Int64) return unknown;
        return dtype switch
        {
            DType.Bool => (0, 1),
            DType.UInt8 => (0, 255),
            DType.Int8 => (-128, 127),
            DType.Int16 => (short.MinValue, short.MaxValue),
            _ => (int.MinValue, int.MaxValue),
        };
    }
}
