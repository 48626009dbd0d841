using Ashlar.Backends.Cpu.Vec;
using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu.Lowering;

// Expressions. At a level with a vector axis values are vectors of its lanes; elsewhere int64 and truth are scalars (truth of a
// float comparison a mask of one lane) and everything else is a vector of one lane.
internal sealed partial class TileLowering
{
    /// <summary>The value of an expression in the form of the present level.</summary>
    Reg Value(Node node)
    {
        if (node.Op == Op.Constant) return ConstantOf(node);
        var home = Home(node);
        if (level.Axis is { } axis && home.Axis is null) return SpreadOut(node, home, axis.Lanes);
        if (home.Values.TryGetValue(node, out var known)) return known;
        var reg = At(home, () => Compute(node));
        return home.Values[node] = reg;
    }

    /// <summary>The value of an expression that does not depend on the vector axis, as one lane or scalar.</summary>
    Reg One(Node node)
    {
        var outer = level;
        while (outer.Axis is not null) outer = outer.Outer!;
        return ReferenceEquals(outer, level) ? Value(node) : At(outer, () => Value(node));
    }

    Reg At(Level where, Func<Reg> code)
    {
        Reg result = null!;
        var saved = level;
        level = where;
        f.Into(where.Block, () => result = code());
        level = saved;
        return result;
    }

    // One value in every lane, made where the value is.
    Reg SpreadOut(Node node, Level home, int lanes)
    {
        var key = (node, new VecType(Elem.I32, lanes));
        if (home.Spread.TryGetValue(key, out var known)) return known;
        return home.Spread[key] = At(home, () => Spread(node, Value(node), lanes));
    }

    Reg Spread(Node node, Reg one, int lanes)
    {
        if (!one.Type.IsScalar) return f.Broadcast(one, lanes);
        if (node.DType == DType.Bool) return MaskOf(one, new(Elem.I32, lanes));
        return f.Splat(new(ranges.IsInt32(node) ? Elem.I32 : Elem.I64, lanes), one);
    }

    Reg ConstantOf(Node node)
    {
        var constant = node.Get<ConstantAttributes>();
        int lanes = level.Axis?.Lanes ?? 1;
        if (node.DType.IsFloat) return f.Const(VecType.Of(node.DType, lanes), constant.Value);
        if (level.Axis is null && node.DType is DType.Int64 or DType.Bool) return f.Const(constant.Integer);
        if (node.DType == DType.Bool) return f.ConstBits(new(Elem.M32, lanes), constant.Integer != 0 ? -1 : 0);
        return f.ConstBits(new(node.DType == DType.Int64 && !ranges.IsInt32(node) ? Elem.I64 : Elem.I32, lanes),
            constant.Integer);
    }

    int Lanes => level.Axis?.Lanes ?? 1;

    // The value of an int64 expression as a vector of 64-bit or 32-bit lanes.
    Reg Integers(Node node, bool wide)
    {
        var value = Value(node);
        if (value.Type.IsScalar) return f.Splat(new(wide ? Elem.I64 : Elem.I32, 1), value);
        return f.Convert(value, wide ? Elem.I64 : Elem.I32);
    }

    // A truth value as a mask for values of a type.
    Reg MaskOf(Reg truth, VecType type)
    {
        var mask = type.Mask;
        if (truth.Type.IsScalar)
            return f.Bitcast(f.Splat(mask.With(mask.ElemBytes == 4 ? Elem.I32 : Elem.I64), -truth), mask.Elem);
        return f.Convert(truth, mask.Elem);
    }

    // A truth value of one lane as a scalar 0 or 1.
    Reg Truth(Reg truth) => truth.Type.IsScalar ? truth : f.ToScalar(truth) & 1;

    Reg Compute(Node node)
    {
        switch (node.Op)
        {
            case Op.Size:
                return SizeOf(node.Get<SizeAttributes>().Extent);
            case Op.Index:
                return Position(node);
            case Op.Load:
                return LoadOf(node);
            case Op.Bound:
                return Checked(node);
            case Op.Cast:
                return Cast(node.Inputs[0], node.DType);
            case Op.BitCast:
                return BitCast(node);
            case Op.RandomBits:
                return Threefry(Value(node.Inputs[0]), Value(node.Inputs[1]), Value(node.Inputs[2]));
            case Op.Select:
                return Choose(node);
            case Op.Less or Op.LessEqual or Op.Equal or Op.NotEqual:
                return Compare(node);
        }
        if (node.DType == DType.Bool) return Logic(node);
        if (node.DType == DType.Int64) return level.Axis is null ? ScalarInteger(node) : WideInteger(node);
        if (Fused(node) is { } fused) return fused;
        if (node.Op == Op.Exp && node.DType == DType.Float32 && PowerOf2(node) is { } exponent) return f.Exp2(Value(exponent));
        if (node.Op == Op.Div && node.DType == DType.Float32 && level.Axis is not null && Home(node.Inputs[1]).Axis is null
            && node.Inputs[1].Op != Op.Constant)
            // A row's divisor: one division per row.
            return Value(node.Inputs[0]) * Value(Nodes.Unary(Op.Recip, node.Inputs[1]));
        return Arithmetic(node.Op, Array.ConvertAll([.. node.Inputs], Value), node);
    }

    // How often each value of the present group is used.
    readonly Dictionary<Node, int> uses = [];

    void CountUses(List<Statement> group)
    {
        uses.Clear();
        var roots = group.SelectMany(LoopGroup.Values).ToList();
        foreach (var root in roots) uses[root] = uses.GetValueOrDefault(root) + 1;
        foreach (var node in Traversal.PostOrder(roots))
            foreach (var input in node.Inputs) uses[input] = uses.GetValueOrDefault(input) + 1;
    }

    // A float product that only this sum needs.
    bool IsOwnProduct(Node node) =>
        node.Op == Op.Mul && node.DType is DType.Float32 or DType.Float64 && uses.GetValueOrDefault(node) == 1;

    // a * b + c in one instruction, rounded once.
    Reg? Fused(Node node)
    {
        if (node.Op is not (Op.Add or Op.Sub) || node.DType is not (DType.Float32 or DType.Float64)) return null;
        Node left = node.Inputs[0], right = node.Inputs[1];
        if (ReferenceEquals(left, right)) return null;
        if (node.Op == Op.Add && IsOwnProduct(right) && !IsOwnProduct(left)) (left, right) = (right, left);
        if (IsOwnProduct(left))
        {
            var c = Value(node.Op == Op.Add ? right : Nodes.Unary(Op.Neg, right));   // a row's is negated once
            return f.Fma(Value(left.Inputs[0]), Value(left.Inputs[1]), c);
        }
        return node.Op == Op.Sub && IsOwnProduct(right)
            ? f.Fma(-Value(right.Inputs[0]), Value(right.Inputs[1]), Value(left))
            : null;
    }

    // The x of e^(x ln 2), which is 2^x.
    static Node? PowerOf2(Node exponential) =>
        exponential.Inputs[0] is (Op.Mul, [var x, { Constant: { } factor }]) && Math.Abs(factor - Math.Log(2)) < 1e-7 ? x : null;

    /// <summary>The bits of a value that is rounded to bfloat16, where they take less work than the value: of an exponential that
    /// nothing else needs.</summary>
    Reg? BrainBits(Node value)
    {
        if (value is not (Op.Cast, [{ Op: Op.Exp, DType: DType.Float32 } exponential]) || value.DType != DType.BFloat16
            || uses.GetValueOrDefault(exponential) > 1) return null;
        var exponent = PowerOf2(exponential)
            ?? Nodes.Binary(Op.Mul, exponential.Inputs[0], Nodes.Constant(1.4426950408889634, DType.Float32, Shape.Scalar));
        return f.Exp2BrainBits(Value(exponent));
    }

    // Sizes are run-time arguments; equal extents share one.
    Reg SizeOf(Extent extent)
    {
        if (extent.TryGetValue(out long number)) return f.Const(number);
        int index = sizes.IndexOf(extent);
        if (index < 0)
        {
            index = sizes.Count;
            sizes.Add(extent);
        }
        return f.Size(index);
    }

    Reg Position(Node node)
    {
        var (counter, offset) = level.CounterOf(node.Variable());
        if (level.Axis is not { } axis) return counter + offset;
        var type = new VecType(ranges.IsInt32(node) ? Elem.I32 : Elem.I64, axis.Lanes);
        var lane = f.Iota(type);
        return f.Splat(type, counter) + (offset == 0 ? lane : lane + f.ConstBits(type, offset));
    }

    Reg Arithmetic(Op op, Reg[] x, Node node)
    {
        Reg a = x[0];
        bool floats = a.Type.IsFloat;
        return op switch
        {
            Op.Neg => -a,
            Op.Abs => f.Unary(VecOp.Abs, a),
            Op.Sign => Sign(a),
            Op.Exp => f.Exp(a),
            Op.Log => f.Log(a),
            Op.Sin => f.Sin(a),
            Op.Cos => f.Cos(a),
            Op.Tanh => f.Tanh(a),
            Op.Erf => f.Erf(a),
            Op.Sqrt => f.Unary(VecOp.Sqrt, a),
            Op.Rsqrt => f.Unary(VecOp.Rsqrt, a),
            Op.Recip => IsOfExponential(node.Inputs[0]) ? f.RecipNear(a) : f.Unary(VecOp.Recip, a),
            Op.Floor => f.Unary(VecOp.Floor, a),
            Op.Ceil => f.Unary(VecOp.Ceil, a),
            Op.Round => f.Unary(VecOp.Round, a),
            Op.Trunc => f.Unary(VecOp.Trunc, a),
            Op.Not => ~a,
            Op.Add => a + x[1],
            Op.Sub => a - x[1],
            Op.Mul => a * x[1],
            Op.Div => f.Binary(floats ? VecOp.Div : VecOp.FloorDiv, a, x[1]),
            Op.Mod => f.Binary(VecOp.FloorMod, a, x[1]),
            Op.Pow => Power(a, x[1], node.Inputs[1].Constant),
            Op.Max => f.Binary(VecOp.Max, a, x[1]),
            Op.Min => f.Binary(VecOp.Min, a, x[1]),
            Op.And => a & x[1],
            Op.Or => a | x[1],
            Op.Xor => a ^ x[1],
            Op.Shl => f.Binary(VecOp.Shl, a, x[1]),
            Op.Shr => f.Binary(VecOp.Sar, a, x[1]),
            _ =>
                throw new KernelException("ASH0561",
                    $"the CPU has no code for the op {node.Meaning.Name} on {node.DType.Name}, in the kernel '{program.Name}'.",
                "write it with other elementwise ops."),
        };
    }

    // 1 / (1 + e^x): where an exponential has been rounded already, the last bit of the quotient means nothing.
    static bool IsOfExponential(Node node) => node.Op == Op.Add && node.Inputs.Any(input => input.Op == Op.Exp);

    Reg Sign(Reg a)
    {
        Reg zero = f.ConstBits(a.Type, 0), one = a.Type.IsFloat ? f.Const(a.Type, 1) : f.ConstBits(a.Type, 1);
        var minus = a.Type.IsFloat ? f.Const(a.Type, -1) : f.ConstBits(a.Type, -1);
        return f.Select(a > zero, one, f.Select(a < zero, minus, a));   // 0 and NaN stay themselves
    }

    Reg Power(Reg a, Reg b, double? exponent)
    {
        if (!a.Type.IsFloat) return f.Binary(VecOp.PowCall, a, b);
        switch (exponent)
        {
            case 2: return a * a;
            case 3: return a * a * a;
            case 1: return a;
            case -1: return f.Unary(VecOp.Recip, a);
        }
        return f.Pow(a, b);
    }

    // int64 outside of vectors: scalar code.
    Reg ScalarInteger(Node node)
    {
        if (node.Op is Op.Min or Op.Max && Settled(node) is { } winner) return Value(winner);
        if (node.Op is Op.Pow or Op.Shl or Op.Shr or Op.Sign or Op.Abs)
            return f.ToScalar(Arithmetic(node.Op, [.. node.Inputs.Select(input => Integers(input, wide: true))], node));
        return Arithmetic(node.Op, [.. node.Inputs.Select(Value)], node);
    }

    // The input of Min or Max that always wins: a block of a size that divides its axis is never cut.
    Node? Settled(Node node)
    {
        var (a, b) = (ranges.Of(node.Inputs[0]), ranges.Of(node.Inputs[1]));
        if (node.Op == Op.Max) (a, b) = (b, a);
        return a.Greatest <= b.Least ? node.Inputs[0] : b.Greatest <= a.Least ? node.Inputs[1] : null;
    }

    // int64 within vectors: in 32-bit lanes where nothing needs more.
    Reg WideInteger(Node node)
    {
        bool wide = !IsNarrow(node);
        if (node.Op is Op.Div or Op.Mod && node.Inputs[1].Attributes is ConstantAttributes { Integer: > 0 } divisor
            && DivideBy(node, divisor.Integer, wide) is { } quick) return quick;
        return Arithmetic(node.Op, [.. node.Inputs.Select(input => Integers(input, wide))], node);
    }

    // Floor division by a number, without a division per lane: a power of 2, or 24 bits that a float32 holds.
    Reg? DivideBy(Node node, long divisor, bool wide)
    {
        if (System.Numerics.BitOperations.IsPow2(divisor))
        {
            var x = Integers(node.Inputs[0], wide);
            if (node.Op == Op.Mod) return x & (divisor - 1);
            return f.ShiftBy(VecOp.SarBy, x, System.Numerics.BitOperations.Log2((ulong)divisor));
        }
        var (least, greatest) = ranges.Of(node.Inputs[0]);
        if (wide || least < -(1 << 22) || greatest > 1 << 22 || divisor > 1 << 22) return null;
        var whole = Integers(node.Inputs[0], wide: false);
        var by = f.ConstBits(whole.Type, divisor);
        // The quotient of the floats is at most one off.
        var quotient = f.Convert(f.Unary(VecOp.Floor, f.Convert(whole, Elem.F32) * (1.0 / divisor)), Elem.I32);
        var rest = whole - quotient * by;
        var over = f.Bitcast(f.Compare(VecOp.Ge, rest, by), Elem.I32);   // -1 where set
        var under = rest >> 31;
        return node.Op == Op.Div ? quotient - over + under : rest - (over & by) + (under & by);
    }

    /// <summary>True when an int64 expression over the vector axis can be computed in 32-bit lanes.</summary>
    bool IsNarrow(Node node) => node.Op switch
    {
        Op.Load => false,
        Op.Constant or Op.Size or Op.Index => ranges.IsInt32(node),
        Op.Cast => node.Inputs[0].DType is not DType.Int64 && !node.Inputs[0].DType.IsFloat,
        Op.Select => ranges.IsInt32(node) && IsNarrow(node.Inputs[1]) && IsNarrow(node.Inputs[2]),
        _ => ranges.IsInt32(node) && node.Inputs.All(IsNarrow),
    };

    Reg Choose(Node node)
    {
        Node condition = node.Inputs[0];
        if (node.DType == DType.Int64)
        {
            if (level.Axis is null)
            {
                Reg scalarA = Value(node.Inputs[1]), scalarB = Value(node.Inputs[2]);
                return scalarB ^ ((scalarA ^ scalarB) & -Truth(Value(condition)));
            }
            bool wide = !IsNarrow(node);
            Reg wideA = Integers(node.Inputs[1], wide), wideB = Integers(node.Inputs[2], wide);
            return f.Select(MaskOf(Value(condition), wideA.Type), wideA, wideB);
        }
        Reg a = Value(node.Inputs[1]), b = Value(node.Inputs[2]);
        if (node.DType == DType.Bool)
        {
            Reg c = Value(condition);
            (a, b) = Alike(a, b);
            (a, c) = Alike(a, c);
            (b, c) = Alike(b, c);
            (a, b) = Alike(a, b);
            return (a & c) | (b & Not(c));
        }
        return f.Select(MaskOf(Value(condition), a.Type), a, b);
    }

    Reg Compare(Node node)
    {
        Node left = node.Inputs[0], right = node.Inputs[1];
        var op = node.Op switch { Op.Less => VecOp.Lt, Op.LessEqual => VecOp.Le, Op.Equal => VecOp.Eq, _ => VecOp.Ne };
        if (left.DType == DType.Bool)
        {
            var (a, b) = Alike(Value(left), Value(right));
            return op switch { VecOp.Lt => Not(a) & b, VecOp.Le => Not(a) | b, VecOp.Eq => Not(a ^ b), _ => a ^ b };
        }
        if (left.DType == DType.Int64 && level.Axis is not null)
        {
            bool wide = !(IsNarrow(left) && IsNarrow(right));
            return f.Compare(op, Integers(left, wide), Integers(right, wide));
        }
        return f.Compare(op, Value(left), Value(right));
    }

    Reg Logic(Node node)
    {
        if (node.Op == Op.Not) return Not(Value(node.Inputs[0]));
        var (a, b) = Alike(Value(node.Inputs[0]), Value(node.Inputs[1]));
        return node.Op switch
        {
            Op.And or Op.Min or Op.Mul => a & b,
            Op.Or or Op.Max => a | b,
            Op.Xor => a ^ b,
            _ =>
                throw new KernelException("ASH0561",
                    $"the CPU has no code for the op {node.Meaning.Name} on bool, in the kernel '{program.Name}'.",
                    "write it with and, or, xor and not."),
        };
    }

    Reg Not(Reg truth) => truth.Type.IsScalar ? truth ^ 1 : ~truth;

    // Two truth values in one form: scalars become masks beside masks, and masks take one width.
    (Reg A, Reg B) Alike(Reg a, Reg b)
    {
        if (a.Type == b.Type) return (a, b);
        if (a.Type.IsScalar) return (MaskOf(a, b.Type), b);
        if (b.Type.IsScalar) return (a, MaskOf(b, a.Type));
        return a.Type.ElemBytes < b.Type.ElemBytes ? (a, MaskOf(b, a.Type)) : (MaskOf(a, b.Type), b);
    }

    // Threefry-2x32-20, first word (Salmon et al. 2011): the same function as Ashlar.Graph.Threefry.
    Reg Threefry(Reg key0, Reg key1, Reg counter)
    {
        ReadOnlySpan<int> rotations = [13, 15, 26, 6, 17, 29, 16, 24];
        Reg[] key = [key0, key1, key0 ^ key1 ^ 0x1BD11BDA];
        Reg a = counter + key0, b = key1;
        for (int round = 0; round < 20; round++)
        {
            a += b;
            int by = rotations[round % 8];
            b = (f.ShiftBy(VecOp.ShlBy, b, by) | f.ShiftBy(VecOp.ShrBy, b, 32 - by)) ^ a;
            if (round % 4 != 3) continue;
            int injection = round / 4 + 1;
            a += key[injection % 3];
            b += key[(injection + 1) % 3] + f.ConstBits(a.Type, injection);
        }
        return a;
    }
}
