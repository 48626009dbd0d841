using Ashlar.Backends.Cpu.Vec;
using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu.Lowering;

// Casts, as Ashlar.Graph.Conversion defines them. Values of small types are in registers what they are in memory, widened: a cast
// to float16 rounds, a cast to int8 wraps.
internal sealed partial class TileLowering
{
    Reg Cast(Node from, DType to)
    {
        if (to == DType.BFloat16 && BrainBits(Nodes.Cast(from, to)) is { } bits) return f.HalfBits(VecOp.FromBrainBits, bits);
        if (from.DType == DType.Int64 && to is DType.Int32 or DType.Int16 or DType.Int8 or DType.UInt8 && level.Axis is not null
            && IsModular(from))
            return Wrap(LowBits(from), to);
        var value = Value(from);
        if (to == from.DType) return value;
        if (from.DType == DType.Bool) return FromTruth(value, to);
        if (to == DType.Bool) return IsNotZero(value);
        if (to.IsFloat) return ToFloat(value, from.DType, to, round: true);
        return from.DType.IsFloat ? ToInteger(value, to) : Resize(value, to);
    }

    Reg FromTruth(Reg truth, DType to)
    {
        if (to == DType.Int64 && level.Axis is null) return Truth(truth);
        var type = VecType.Of(to == DType.Int64 ? DType.Int32 : to, Lanes);
        var mask = MaskOf(truth, type);
        return type.IsFloat ? f.Select(mask, f.Const(type, 1), f.Const(type, 0)) : f.Bitcast(mask, type.Elem) & 1;
    }

    Reg IsNotZero(Reg value) => value.Type.IsScalar
        ? f.Compare(VecOp.Ne, value, f.Const(0))
        : f.Compare(VecOp.Ne, value, f.ConstBits(value.Type, 0));

    /// <summary>A number as a float type; without <paramref name="round"/> a 16-bit float may still be a float32, which a store
    /// rounds.</summary>
    Reg ToFloat(Reg value, DType from, DType to, bool round)
    {
        if (value.Type.IsScalar) value = f.Splat(new(Elem.I64, 1), value);
        if (to is DType.Float32 or DType.Float64) return f.Convert(value, VecType.ElemOf(to));
        if (value.Type.Elem != Elem.F32) value = ToOdd(value);
        if (!round || from == to) return value;
        return to == DType.Float16
            ? f.HalfBits(VecOp.FromHalfBits, f.HalfBits(VecOp.ToHalfBits, value))
            : f.HalfBits(VecOp.FromBrainBits, f.HalfBits(VecOp.ToBrainBits, value));
    }

    // To float32 on the way to 16 bits: where that is inexact, the neighbour with an odd last bit, so that the second rounding is
    // right (Boldo and Melquiond 2008, "Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to odd").
    Reg ToOdd(Reg value)
    {
        var near = f.Convert(value, Elem.F32);
        var back = f.Convert(near, value.Type.Elem);
        var bits = f.Bitcast(near, Elem.I32);
        Reg magnitude(Reg x) => f.Unary(VecOp.Abs, x);
        var beyond = f.Convert(magnitude(back) > magnitude(value), Elem.M32);
        var inexact = f.Convert(f.Compare(VecOp.Ne, back, value), Elem.M32) & Ordered(near);
        var towardZero = bits + f.Bitcast(beyond & inexact, Elem.I32);   // a set mask is -1
        var odd = towardZero | (f.Bitcast(inexact, Elem.I32) & 1);
        return f.Bitcast(odd, Elem.F32);
    }

    // Not NaN and not infinite.
    Reg Ordered(Reg x) => f.Unary(VecOp.Abs, x) < f.Const(x.Type, double.PositiveInfinity);

    Reg ToInteger(Reg value, DType to)
    {
        if (to == DType.Int64)
        {
            var wide = f.Convert(value, Elem.I64);
            return level.Axis is null ? f.ToScalar(wide) : wide;
        }
        var integer = f.Convert(value, Elem.I32);   // truncates, saturates, NaN gives 0
        if (to == DType.Int32) return integer;
        var (least, greatest) = Conversion.Range(to);
        return f.Binary(VecOp.Min, f.Binary(VecOp.Max, integer, f.ConstBits(integer.Type, (long)least)),
            f.ConstBits(integer.Type, (long)greatest));
    }

    // Between integer types: the low bits.
    Reg Resize(Reg value, DType to)
    {
        if (to == DType.Int64)
        {
            if (value.Type.IsScalar) return value;
            return level.Axis is null ? f.ToScalar(value) : value;   // 32-bit lanes hold it
        }
        if (value.Type.IsScalar) value = f.Splat(new(Elem.I32, 1), value);
        return Wrap(f.Convert(value, Elem.I32), to);
    }

    Reg Wrap(Reg value, DType to) => to switch
    {
        DType.UInt8 => value & 0xff,
        DType.Int8 => value << 24 >> 24,
        DType.Int16 => value << 16 >> 16,
        _ => value,
    };

    // The low 32 bits of int64 arithmetic need only the low 32 bits of its operands.
    static bool IsModular(Node node) => node.Op switch
    {
        Op.Index or Op.Constant or Op.Size => true,
        Op.Cast => node.Inputs[0].DType is DType.Int32 or DType.Int16 or DType.Int8 or DType.UInt8,
        Op.Add or Op.Sub or Op.Mul or Op.Neg or Op.And or Op.Or or Op.Xor or Op.Not => node.Inputs.All(IsModular),
        _ => false,
    };

    Reg LowBits(Node node)
    {
        var type = new VecType(Elem.I32, Lanes);
        if (Home(node).Axis is null) return f.Splat(type, One(node));
        switch (node.Op)
        {
            case Op.Index:
                var (counter, offset) = level.CounterOf(node.Variable());
                return f.Splat(type, counter) + (f.Iota(type) + f.ConstBits(type, offset));
            case Op.Cast:
                return Value(node.Inputs[0]);
            case Op.Neg:
                return -LowBits(node.Inputs[0]);
            case Op.Not:
                return ~LowBits(node.Inputs[0]);
        }
        Reg a = LowBits(node.Inputs[0]), b = LowBits(node.Inputs[1]);
        return node.Op switch
        {
            Op.Add => a + b,
            Op.Sub => a - b,
            Op.Mul => a * b,
            Op.And => a & b,
            Op.Or => a | b,
            _ => a ^ b,
        };
    }

    Reg BitCast(Node node)
    {
        var value = Value(node.Inputs[0]);
        DType from = node.Inputs[0].DType, to = node.DType;
        if (from == to) return value;
        switch (from, to)
        {
            case (DType.Float16, _) or (DType.BFloat16, _):
                value = f.HalfBits(from == DType.Float16 ? VecOp.ToHalfBits : VecOp.ToBrainBits, value);
                break;
            case (DType.Int64, _):
                value = value.Type.IsScalar ? f.Splat(new(Elem.I64, 1), value) : f.Convert(value, Elem.I64);
                break;
        }
        switch (to)
        {
            case DType.Float16 or DType.BFloat16:
                return f.HalfBits(to == DType.Float16 ? VecOp.FromHalfBits : VecOp.FromBrainBits, value & 0xffff);
            case DType.Int64:
                var bits = f.Bitcast(value, Elem.I64);
                return level.Axis is null ? f.ToScalar(bits) : bits;
            case DType.Int8 or DType.UInt8 or DType.Int16:
                return Wrap(value, to);
            default:
                return f.Bitcast(value, VecType.ElemOf(to));
        }
    }
}
