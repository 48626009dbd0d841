using Ashlar.Backends.Cpu.Vec;
using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu.Lowering;

// Sums, products, extremes and their places.
internal sealed partial class TileLowering
{
    /// <summary>The registers of one running reduction over the vector axis.</summary>
    sealed class Accumulator(Reduce reduce)
    {
        public Reduce Reduce => reduce;

        /// <summary>One per unrolled copy.</summary>
        public Total[] Vectors { get; set; } = [];

        /// <summary>What the scalar rest adds up to; null where the rest is a partial vector.</summary>
        public Total? Scalar { get; set; }

        /// <summary>Where each row of a strip leaves its lanes, to be folded together; null where each row is by
        /// itself.</summary>
        public Extent? Folded { get; set; }
    }

    /// <summary>A value so far, and for ArgMax and ArgMin its place.</summary>
    readonly record struct Total(Reg Value, Reg? Place);

    static bool Picks(Reduce reduce) => reduce.Op is Op.ArgMax or Op.ArgMin;

    static VecOp Combiner(Op op) => op switch
    {
        Op.ReduceSum or Op.CumSum => VecOp.Add,
        Op.ReduceProd or Op.CumProd => VecOp.Mul,
        Op.ReduceMin or Op.ArgMin => VecOp.Min,
        _ => VecOp.Max,
    };

    // The type values are accumulated in: truth as bits of a mask, where the greater is or.
    static VecType RunningType(DType dtype, int lanes) => dtype == DType.Bool ? new(Elem.M32, lanes) : VecType.Of(dtype, lanes);

    Reg IdentityOf(Op op, VecType type, DType dtype)
    {
        if (type.IsMask) return f.ConstBits(type, op is Op.ReduceMin or Op.ArgMin ? -1 : 0);
        switch (Combiner(op))
        {
            case VecOp.Add: return f.ConstBits(type, 0);
            case VecOp.Mul: return type.IsFloat ? f.Const(type, 1) : f.ConstBits(type, 1);
        }
        bool least = Combiner(op) == VecOp.Max;   // the greatest so far begins with the least there is
        if (type.IsFloat) return f.Const(type, least ? double.NegativeInfinity : double.PositiveInfinity);
        return f.ConstBits(type, dtype switch
        {
            DType.UInt8 => least ? 0 : byte.MaxValue,
            DType.Int8 => least ? sbyte.MinValue : sbyte.MaxValue,
            DType.Int16 => least ? short.MinValue : short.MaxValue,
            DType.Int32 => least ? int.MinValue : int.MaxValue,
            _ => least ? long.MinValue : long.MaxValue,
        });
    }

    // Where the result of an empty reduction is stored at once.
    Total Identity(Reduce reduce)
    {
        var type = RunningType(reduce.Value.DType, 1);
        // Of one point.
        if (reduce.Over.Count == 0)
            return new(RunningValue(reduce.Value, type), Picks(reduce) ? f.ConstBits(new(Elem.I32, 1), 0) : null);
        return new(IdentityOf(reduce.Op, type, reduce.Value.DType), Picks(reduce) ? f.ConstBits(new(Elem.I32, 1), 0) : null);
    }

    void Start(Accumulator accumulator, LoopPlan plan)
    {
        var reduce = accumulator.Reduce;
        if (plan.Axis < 0)
        {
            accumulator.Vectors = [StartVector(reduce, 1)];
            return;
        }
        accumulator.Vectors = [.. Enumerable.Range(0, plan.Unroll).Select(_ => StartVector(reduce, plan.Lanes))];
        if (!plan.CanMask) accumulator.Scalar = StartVector(reduce, 1);
    }

    Total StartVector(Reduce reduce, int lanes)
    {
        var type = RunningType(reduce.Value.DType, lanes);
        var value = f.Var(IdentityOf(reduce.Op, type, reduce.Value.DType), "sum");
        // Places are counted in the width of the values, so that one mask serves both. Nothing better than the identity so far:
        // the greatest number.
        return new(value, Picks(reduce) ? f.Var(f.ConstBits(PlaceType(type), PlaceLimit(type)), "place") : null);
    }

    static VecType PlaceType(VecType type) => type.With(type.ElemBytes == 4 ? Elem.I32 : Elem.I64);

    static long PlaceLimit(VecType type) => type.ElemBytes == 4 ? int.MaxValue : long.MaxValue;

    void Accumulate(Accumulator accumulator, int copy)
    {
        if (copy < 0) AccumulateVector(accumulator.Reduce, accumulator.Scalar!.Value);
        else AccumulateVector(accumulator.Reduce, accumulator.Vectors[copy]);
    }

    // A value in the form it is accumulated in.
    Reg RunningValue(Node node, VecType type)
    {
        var value = Value(node);
        if (node.DType == DType.Bool) return MaskOf(value, type);
        if (value.Type.IsScalar) return f.Splat(type, value);
        return f.Convert(value, type.Elem);
    }

    void AccumulateVector(Reduce reduce, Total running)
    {
        var type = running.Value.Type;
        if (reduce.Op == Op.ReduceSum && IsOwnProduct(reduce.Value) && LanesWithin(type) is null)
        {
            f.Assign(running.Value, f.Fma(Value(reduce.Value.Inputs[0]), Value(reduce.Value.Inputs[1]), running.Value));
            return;
        }
        var value = RunningValue(reduce.Value, type);
        var within = LanesWithin(type);
        if (running.Place is { } place)
        {
            var better = Better(reduce.Op, value, running.Value);
            if (within is not null) better &= within;
            f.Assign(place, f.Select(better, PlaceOf(reduce, place.Type), place));
            f.Assign(running.Value, f.Select(better, value, running.Value));
            return;
        }
        if (within is not null) value = type.IsMask
            ? (reduce.Op == Op.ReduceMin ? value | ~within : value & within)
            : f.Select(within, value, IdentityOf(reduce.Op, type, reduce.Value.DType));
        f.Assign(running.Value, Combine(reduce.Op, running.Value, value));
    }

    Reg Combine(Op op, Reg a, Reg b)
    {
        if (a.Type.IsMask) return op == Op.ReduceMin ? a & b : a | b;
        return f.Binary(Combiner(op), a, b);
    }

    // Greater than the greatest so far, or the first NaN.
    Reg Better(Op op, Reg value, Reg best)
    {
        if (value.Type.IsMask) return op == Op.ArgMax ? value & ~best : best & ~value;
        var better = op == Op.ArgMax ? value > best : value < best;
        if (!value.Type.IsFloat) return better;
        return (better | f.Compare(VecOp.Ne, value, value)) & f.Compare(VecOp.Eq, best, best);
    }

    // The row-major place within the reduced axes.
    Reg PlaceOf(Reduce reduce, VecType type)
    {
        Node place = TileNodes.Number(0);
        foreach (var (variable, extent) in reduce.Over)
            place = Nodes.Binary(Op.Add, Nodes.Binary(Op.Mul, place, extent), variable.Index());
        var normal = AffineOf(place).ToNode();
        if (level.Axis is null) return f.Splat(type, Value(normal));
        return type.Elem == Elem.I32 ? LowBits(normal) : Integers(normal, wide: true);
    }

    /// <summary>All registers of a reduction in one lane.</summary>
    Total Finish(Accumulator accumulator)
    {
        var total = Narrowed(accumulator.Reduce, InOne(accumulator));
        return accumulator.Scalar is { } scalar ? Joined(accumulator.Reduce, total, scalar) : total;
    }

    // The copies of an unrolled loop in one.
    Total InOne(Accumulator accumulator)
    {
        var vectors = accumulator.Vectors.ToList();
        while (vectors.Count > 1)
        {
            // Copies first, lanes last.
            for (int i = 0; i + 1 < vectors.Count; i++)
            {
                vectors[i] = Joined(accumulator.Reduce, vectors[i], vectors[i + 1]);
                vectors.RemoveAt(i + 1);
            }
        }
        return vectors[0];
    }

    // Two totals, lane by lane; of equal values the one that comes first.
    Total Joined(Reduce reduce, Total a, Total b)
    {
        if (a.Place is not { } place) return new(Combine(reduce.Op, a.Value, b.Value), null);
        var better = Better(reduce.Op, b.Value, a.Value);
        Reg same = a.Value.Type.IsMask ? ~(b.Value ^ a.Value) : f.Compare(VecOp.Eq, b.Value, a.Value);
        if (a.Value.Type.IsFloat) same |= f.Compare(VecOp.Ne, b.Value, b.Value) & f.Compare(VecOp.Ne, a.Value, a.Value);
        better |= same & (b.Place! < place);
        return new(f.Select(better, b.Value, a.Value), f.Select(better, b.Place!, place));
    }

    // The greatest or least lane. That one of them is NaN is asked once, beside the chain of comparisons, which every row waits
    // for.
    Reg Extreme(Op op, Reg lanes)
    {
        var isNaN = f.Any(f.Compare(VecOp.Ne, lanes, lanes));
        var best = f.Var(f.Reduce(op == Op.ReduceMax ? VecOp.MaxFast : VecOp.MinFast, lanes));
        f.If(isNaN, () => f.Assign(best, f.Const(best.Type, double.NaN)));
        return best;
    }

    // The lanes of one vector into one.
    Total Narrowed(Reduce reduce, Total vector)
    {
        int lanes = vector.Value.Type.Lanes;
        if (lanes == 1) return vector;
        if (vector.Place is null)
        {
            var value = vector.Value;
            if (value.Type.IsFloat && reduce.Op is Op.ReduceMax or Op.ReduceMin) return new(Extreme(reduce.Op, value), null);
            while (value.Type.Lanes > 1) value = Combine(reduce.Op, f.Lower(value), f.Upper(value));
            return new(value, null);
        }
        // The best value, then the least place among the lanes that hold it.
        Reg places = vector.Place, values = vector.Value, best = values;
        while (best.Type.Lanes > 1)
            best = Combine(reduce.Op == Op.ArgMin ? Op.ReduceMin : Op.ReduceMax, f.Lower(best), f.Upper(best));
        var all = f.Broadcast(best, lanes);
        Reg holds = values.Type.IsMask ? ~(values ^ all) : f.Compare(VecOp.Eq, values, all);
        if (values.Type.IsFloat) holds |= f.Compare(VecOp.Ne, values, values) & f.Compare(VecOp.Ne, all, all);
        return new(best, f.Reduce(VecOp.Min, f.Select(holds, places, f.ConstBits(places.Type, PlaceLimit(values.Type)))));
    }

    // A place as it is stored. Nothing was better than the identity: all elements are equal to it, so the first is the place.
    Reg PlaceAt(Reg place, VecType values) =>
        f.Convert(f.Select(f.Compare(VecOp.Eq, place, f.ConstBits(place.Type, PlaceLimit(values))),
            f.ConstBits(place.Type, 0), place), Elem.I32);

    // Stores a finished value at the level of the domain.
    void StoreOne(Reduce reduce, Total total)
    {
        var target = reduce.Target;
        var flat = Flat(target, reduce.Indices);
        var value = OneOf(reduce, total);
        if (reduce.Accumulate)
        {
            var old = target is Tile tile && scalars.TryGetValue(tile, out var scalar)
                ? scalar
                : ReadOne(target, AddressOf(target, flat));
            if (target.DType == DType.Bool) (old, value) = Alike(old, value);
            value = target.DType == DType.Bool
                ? (reduce.Op == Op.ReduceMin ? old & value : old | value)
                : f.Binary(Combiner(reduce.Op), old, value);
        }
        PutValue(target, flat, InMemory(value, target.DType), null, stream: false);
    }

    // From the form it was accumulated in to that of an expression.
    Reg OneOf(Reduce reduce, Total total)
    {
        if (total.Place is { } place) return PlaceAt(place, total.Value.Type);
        var value = total.Value;
        if (value.Type.IsMask) return Truth(value);
        return reduce.Target.DType == DType.Int64 ? f.ToScalar(value) : f.Convert(value, VecType.ElemOf(reduce.Target.DType));
    }

    void StoreVector(Reduce reduce, Total running)
    {
        var target = reduce.Target;
        var flat = Flat(target, reduce.Indices);
        var value = running.Place is { } place ? PlaceAt(place, running.Value.Type) : running.Value;
        if (reduce.Accumulate)
        {
            var type = VecType.Of(target.DType, level.Axis!.Lanes);
            var old = AsValue(target, Read(target, flat, WalkOf(flat, level.Axis.Variable), type, null));
            if (target.DType == DType.Bool) (old, value) = Alike(old, value);
            value = Combine(reduce.Op, old, value);
        }
        PutValue(target, flat, InMemory(value, target.DType), null, stream: false);
    }
}
