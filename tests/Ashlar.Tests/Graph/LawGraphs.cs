using Ashlar.Graph;
using static Ashlar.Graph.Nodes;

namespace Ashlar.Tests.Graph;

/// <summary>Small random expressions rich in what laws look for: constants, repeated operands, movement over movement.</summary>
sealed class LawGraphs(int seed)
{
    static readonly double[] specials = [0, -0.0, 1, -1, 2.5, -3, 0.75, double.PositiveInfinity, double.NegativeInfinity,
        double.NaN, 1e30, 7];

    readonly Random random = new(seed);
    readonly List<Node> parameters = [];

    public Function Make()
    {
        var dtype = Choose(DType.Float64, DType.Float64, DType.Float32, DType.Int32, DType.Bool, DType.UInt8);
        var root = Expr(dtype, RandomShape(), 2 + random.Next(2));
        return new([.. parameters], [root]);
    }

    /// <summary>Arguments with zeros of both signs, infinities and NaN among them.</summary>
    public static Value[] Arguments(Function function, int seed)
    {
        var random = new Random(seed);
        return [.. function.Parameters.Select(parameter =>
        {
            var value = Arrays.Random(random, parameter);
            if (parameter.DType.IsFloat)
                for (int i = 0; i < value.Data.Length; i++)
                    if (random.Next(2) == 0) value.Data[i] = specials[random.Next(specials.Length)];
            return value;
        })];
    }

    Node Expr(DType dtype, Shape shape, int depth)
    {
        if (depth <= 0) return Leaf(dtype, shape);
        var x = () => Expr(dtype, shape, depth - 1);
        return random.Next(12) switch
        {
            0 or 1 => Unary1(dtype, x, depth),
            2 or 3 or 4 => Pair(dtype, x),
            5 => Choice(dtype, shape, depth),
            6 when dtype == DType.Bool => Comparison(shape, depth),
            6 => Casted(dtype, shape, depth),
            7 => random.Next(2) == 0 ? Barrier(x(), x()) : Barrier(x(), Leaf(DType.Float32, [2])),
            8 => Reduction(dtype, shape, depth),
            _ => Moved(dtype, shape, depth),
        };
    }

    Node Leaf(DType dtype, Shape shape)
    {
        switch (random.Next(5))
        {
            case 0 or 1:
                return dtype == DType.Bool ? Constant(random.Next(2), dtype, shape)
                    : Constant(Choose(0, 1, -1, 2, 0.5, 3, 4), dtype, shape);
            case 2 when shape.Rank > 0 && dtype != DType.Bool:
                return Iota(random.Next(shape.Rank), dtype, shape);
            case 3 when dtype == DType.Int64 && shape.Rank == 0:
                return Node.Of(Op.Size, [], new SizeAttributes(3));
        }
        // Few different parameters, so that operands repeat.
        var known = parameters.Where(node => node.DType == dtype && node.Shape == shape).ToArray();
        if (known.Length > 0 && random.Next(3) > 0) return known[random.Next(known.Length)];
        var made = Parameter(parameters.Count, dtype, shape);
        parameters.Add(made);
        return made;
    }

    Node Unary1(DType dtype, Func<Node> x, int depth)
    {
        var inner = x();
        if (dtype == DType.Bool) return Unary(Op.Not, random.Next(2) == 0 ? Unary(Op.Not, inner) : inner);
        Op[] ops = dtype.IsFloat ? [Op.Neg, Op.Neg, Op.Abs, Op.Floor, Op.Round, Op.Recip, Op.Sqrt, Op.Exp]
            : [Op.Neg, Op.Neg, Op.Abs, Op.Not];
        var once = Unary(Choose(ops), inner);
        if (dtype.IsFloat && random.Next(6) == 0) return Unary(Op.Recip, Unary(Op.Sqrt, inner));
        if (dtype == DType.Float64 && random.Next(5) == 0) return BitCast(BitCast(inner, DType.Int64), dtype);
        if (dtype == DType.UInt8 && random.Next(3) == 0) return BitCast(BitCast(inner, DType.Int8), dtype);
        return random.Next(2) == 0 ? Unary(Choose(ops), once) : once;
    }

    Node Pair(DType dtype, Func<Node> x)
    {
        var a = x();
        var b = random.Next(4) == 0 ? a : x();
        if (random.Next(3) == 0) b = Leaf(dtype, a.Shape);
        if (random.Next(4) == 0 && dtype != DType.Bool) b = a.Like(Choose(0, 1, -1));
        if (dtype == DType.Bool) return Binary(Choose(Op.And, Op.Or, Op.Xor, Op.Max), a, b);
        if (!dtype.IsFloat && random.Next(3) == 0) a = Binary(Choose(Op.Add, Op.Mul), a, a.Like(random.Next(1, 4)));
        if (!dtype.IsFloat && random.Next(3) == 0) b = a.Like(random.Next(4));
        if (!dtype.IsFloat) return Binary(Choose(Op.Add, Op.Add, Op.Sub, Op.Mul, Op.Mul, Op.Div, Op.And, Op.Or, Op.Xor, Op.Shl,
            Op.Shr, Op.Max), a, b);
        if (random.Next(4) == 0) (a, b) = random
            .Next(3) switch
        { 0 => (-a, -b), 1 => (Unary(Op.Abs, a), Unary(Op.Abs, a)), _ => (-a, b) };
        return random.Next(6) switch
        {
            0 => Binary(Op.Pow, a, a.Like(Choose(0, 1, -1, 2, 3, 0.5))),
            1 => Binary(Op.Div, a, a.Like(Choose(1, 2, 0.25, 3, -4))),
            2 => Binary(Op.Div, a.Like(Choose(1, 2)), b),
            _ => Binary(Choose(Op.Add, Op.Add, Op.Sub, Op.Sub, Op.Mul, Op.Mul, Op.Div, Op.Max, Op.Min), a, b),
        };
    }

    Node Choice(DType dtype, Shape shape, int depth)
    {
        Node c = Expr(DType.Bool, shape, depth - 1), a = Expr(dtype, shape, depth - 1), b = random.Next(4) == 0 ? a
            : Expr(dtype, shape, depth - 1);
        if (random.Next(4) == 0) c = Unary(Op.Not, c);
        if (random.Next(3) == 0) a = Select(c, a, Leaf(dtype, shape));
        if (random.Next(3) == 0) b = Select(c, Leaf(dtype, shape), b);
        if (dtype == DType.Bool && random.Next(2) == 0) (a, b) = (Constant(random.Next(2), dtype, shape),
            Constant(random.Next(2), dtype, shape));
        return Select(c, a, b);
    }

    Node Comparison(Shape shape, int depth)
    {
        var dtype = Choose(DType.Float64, DType.Int32, DType.Int64, DType.UInt8);
        var op = Choose(Op.Less, Op.LessEqual, Op.Equal, Op.NotEqual);
        if (shape.Rank > 0 && random.Next(2) == 0) return Binary(op, Iota(random.Next(shape.Rank), dtype, shape),
            Constant(random.Next(-1, 4), dtype, shape));
        var a = Expr(dtype, shape, depth - 1);
        return Binary(op, a, random.Next(3) == 0 ? a : Expr(dtype, shape, depth - 1));
    }

    Node Casted(DType dtype, Shape shape, int depth)
    {
        DType[] types = [.. DTypes.All];
        var x = Expr(Choose(types), shape, depth - 1);
        if (random.Next(8) == 0) return Node.Of(Op.Cast, [Expr(dtype, shape, depth - 1)], new CastAttributes(dtype));
        return Cast(random.Next(4) > 0 ? Cast(x, Choose(types)) : x, dtype);
    }

    Node Reduction(DType dtype, Shape shape, int depth)
    {
        int axis = random.Next(shape.Rank + 1);
        Shape source = shape.Insert(axis, Choose(1, 2, 3));
        var op = dtype == DType.Bool ? Choose(Op.ReduceMax, Op.ReduceMin)
            : Choose(Op.ReduceSum, Op.ReduceSum, Op.ReduceMax, Op.ReduceMin, Op.ReduceProd);
        var x = random.Next(3) switch
        {
            0 => Stretch1(dtype, source, axis, depth - 1),
            1 => Permuted(dtype, source, depth - 1),
            _ => Expr(dtype, source, depth - 1),
        };
        return Reduce(op, x, axis);
    }

    Node Moved(DType dtype, Shape shape, int depth)
    {
        if (shape.Rank == 0) return Reshape(Expr(dtype, [1], depth - 1), []);
        int rank = shape.Rank, axis = random.Next(rank);
        switch (random.Next(9))
        {
            case 0: return Node.Of(Op.Reshape, [Expr(dtype, Alike(shape), depth - 1)], new ShapeAttributes(shape));
            case 1: return Permuted(dtype, shape, depth - 1);
            case 2 or 3: return Stretch1(dtype, shape, axis, depth - 1);
            case 4: return Sliced(dtype, shape, depth - 1);
            case 5: return Padded(dtype, shape, axis, depth - 1);
            case 6:
                return Flip(random.Next(2) == 0 ? Flip(Expr(dtype, shape, depth - 1), random.Next(rank))
                : Expr(dtype, shape, depth - 1), axis);
            case 7: return Joined(dtype, shape, axis, depth - 1);
            default: return Contracted(dtype, shape, depth - 1) ?? Sliced(dtype, shape, depth - 1);
        }
    }

    Node Padded(DType dtype, Shape shape, int axis, int depth)
    {
        long width = Math.Min(shape[axis].Value, random.Next(3)), before = random.NextInt64(width + 1);
        var filler = random.Next(2) == 0 ? Constant(0, dtype, []) : Leaf(dtype, []);
        var inner = shape.With(axis, shape[axis] - width);
        var x = random.Next(3) == 0 && inner[axis].Value > 0
            ? Node.Of(Op.Pad, [Expr(dtype, inner.With(axis, inner[axis] - 1), depth), filler],
                new PadAttributes(One(shape.Rank, axis, 1), One(shape.Rank, axis, 0)))
            : Expr(dtype, inner, depth);
        return Node.Of(Op.Pad, [x, filler],
            new PadAttributes(One(shape.Rank, axis, before), One(shape.Rank, axis, width - before)));
    }

    Node Permuted(DType dtype, Shape shape, int depth)
    {
        int[] order = [.. Enumerable.Range(0, shape.Rank).OrderBy(_ => random.Next())];
        var source = new Extent[shape.Rank];
        for (int i = 0; i < order.Length; i++) source[order[i]] = shape[i];
        return Node.Of(Op.Permute, [Expr(dtype, Shape.Of(source), depth)], new PermuteAttributes([.. order]));
    }

    Node Stretch1(DType dtype, Shape shape, int axis, int depth) =>
        Node.Of(Op.Broadcast, [Expr(dtype, shape.With(axis, 1), depth)], new ShapeAttributes(shape));

    Node Sliced(DType dtype, Shape shape, int depth)
    {
        int axis = random.Next(shape.Rank);
        long step = 1 + random.Next(2), start = random.Next(3), count = shape[axis].Value;
        Shape source = shape.With(axis, start + Math.Max(0, count - 1) * step + 1 + random.Next(2));
        var x = random.Next(6) switch
        {
            0 when source[axis].Value > 1 => Joined(dtype, source, axis, depth),
            1 when source[axis].Value > 2 =>
                Pad(Expr(dtype, source.With(axis, source[axis] - 2), depth), One(shape.Rank, axis, 1), One(shape.Rank, axis, 1),
                Leaf(dtype, [])),
            2 when depth > 0 => Sliced(dtype, source, depth - 1),
            3 => Permuted(dtype, source, depth),
            4 => Stretch1(dtype, source, random.Next(shape.Rank), depth),
            _ => Expr(dtype, source, depth),
        };
        return Node.Of(Op.Slice, [x],
            new SliceAttributes(One(shape.Rank, axis, start), [.. shape],
            Enumerable.Range(0, shape.Rank).Select(i => i == axis ? step : 1).ToValueList()));
    }

    Node Joined(DType dtype, Shape shape, int axis, int depth)
    {
        long length = shape[axis].Value, first = random.NextInt64(length + 1);
        Shape left = shape.With(axis, first), right = shape.With(axis, length - first);
        if (random.Next(3) > 0) return Node
            .Of(Op.Concat, [Expr(dtype, left, depth), Expr(dtype, right, depth)], new AxisAttributes(axis));
        if (random.Next(3) == 0) return Node.Of(Op.Concat, [Expr(dtype, shape, depth)], new AxisAttributes(axis));
        var x = Leaf(dtype, shape.With(axis, length + 1));
        return Node.Of(Op.Concat, [SliceAxis(x, axis, 1, first), SliceAxis(x, axis, first + 1, length - first)],
            new AxisAttributes(axis));
    }

    Node? Contracted(DType dtype, Shape shape, int depth)
    {
        if (shape.Rank != 2 || dtype == DType.Bool) return null;
        Node a = Permuted(dtype, [shape[0], 2], depth), b = Permuted(dtype, [2, shape[1]], depth);
        return Contract(a, b, [], [], [1], [0]);
    }

    // Another shape of as many elements.
    Shape Alike(Shape shape) => random.Next(3) switch
    {
        0 => [shape.Elements],
        1 => shape.Insert(random.Next(shape.Rank + 1), 1),
        _ => Shape.Of(shape.Reverse()),
    };

    static ValueList<Extent> One(int rank, int axis, long value) =>
        Enumerable.Range(0, rank).Select(i => (Extent)(i == axis ? value : 0)).ToValueList();

    Shape RandomShape() => Shape.Of(Enumerable.Range(0, random.Next(4)).Select(_ => (Extent)(1 + random.Next(3))));

    T Choose<T>(params T[] choices) => choices[random.Next(choices.Length)];
}
