using Ashlar.Graph;
using static Ashlar.Graph.Nodes;

namespace Ashlar.Tests.Graph;

/// <summary>Well-typed random functions over most ops, from a seed: what property tests run on.</summary>
/// <param name="Nodes">About how many ops.</param>
/// <param name="Float">The type of its floats.</param>
/// <param name="Composites">Whether softmax, norms, attention and their kin occur.</param>
/// <param name="Smooth">True leaves out what jumps (floor, comparisons of floats, arg-max), where rounding decides.</param>
/// <param name="Symbolic">Whether some axes have the symbolic extent B.</param>
/// <param name="Ragged">Whether axes are around the widths of vectors and tiles, or empty, in place of 1 to 5.</param>
sealed record RandomGraphs(int Nodes = 15, DType Float = DType.Float64, bool Composites = true, bool Smooth = false,
    bool Symbolic = false, bool Ragged = false)
{
    const long MostRagged = 2500;

    static readonly long[] ragged = [1, 7, 16, 17, 33, 64, 65, 100];

    static readonly Symbol batch = new("B", 1, 64);

    /// <summary>The function of a seed.</summary>
    public Function Make(int seed) => new Maker(this, new Random(seed)).Make();

    /// <summary>Arguments for a function; the symbol B is 3.</summary>
    public static Value[] Arguments(Function function, int seed)
    {
        var random = new Random(seed);
        var number = function.Substitute(_ => 3);
        return [.. number.Parameters.Select(parameter => Arrays.Random(random, parameter))];
    }

    sealed class Maker(RandomGraphs options, Random random)
    {
        readonly List<Node> parameters = [];
        readonly List<Node> pool = [];

        public Function Make()
        {
            for (int i = 0; i < 3; i++) Fresh(options.Float, RandomShape(1 + random.Next(3)));
            Fresh(DType.Int32, RandomShape(1 + random.Next(2)));
            for (int tries = 0; pool.Count < options.Nodes && tries < options.Nodes * 8; tries++)
            {
                try
                {
                    if (Step() is { } node && node.Shape.Elements.Max is var size
                        && (size <= (options.Ragged ? MostRagged : 500) || options.Symbolic && size <= 500 * 64)) pool.Add(node);
                }
                catch (Exception error) when (error is ShapeException or DTypeException)
                {
                    // The dice chose what the rules forbid.
                }
            }
            var used = pool.SelectMany(node => node.Inputs).ToHashSet();
            var results = pool.Where(node => node.Op != Op.Parameter && !used.Contains(node)).TakeLast(3);
            return new([.. parameters], [.. results]);
        }

        Node? Step()
        {
            var x = Pick(_ => true);
            return random.Next(20) switch
            {
                0 or 1 => x.DType.IsFloat ? Smooth1(x) : Integer1(x),
                2 or 3 or 4 => x.DType == DType.Bool ? Binary(Choose(Op.And, Op.Or, Op.Xor), x, Like(x)) : x.DType.IsFloat
                    ? Float2(x, Like(x)) : Integer2(x, Like(x)),
                5 => Compared(x),
                6 => Select(Like(Constant(1, DType.Bool, x.Shape)), x, Like(x)),
                7 => Cast(x, Choose(options.Float, options.Float, DType.Int32, DType.Bool, DType.Int64)) is var cast
                    && Allowed(x, cast) ? cast : null,
                8 or 9 => Moved(x),
                10 => Windowed(x),
                11 or 12 => Reduced(x),
                13 => Scanned(x),
                14 => Axis(x) is var axis && !IsEmpty(x.Shape[axis]) ? Gather(x, Indices(x, axis), axis) : null,
                15 => Scattered(x),
                16 or 17 => Contracted(Floats()),
                _ => options.Composites ? Composite(Floats()) : Smooth1(Floats()),
            };
        }

        // Float to integer jumps; the other way does not.
        bool Allowed(Node x, Node cast) => !options.Smooth || !x.DType.IsFloat || cast.DType.IsFloat;

        Node Smooth1(Node x) => random.Next(options.Smooth ? 11 : 15) switch
        {
            0 => -x,
            1 => Unary(Op.Abs, x),
            2 => Exp(-Unary(Op.Abs, x)),
            3 => Log(Unary(Op.Abs, x) + 0.5),
            4 =>
                Unary(Op.Sin, x),
            5 => Unary(Op.Cos, x),
            6 => Unary(Op.Tanh, x),
            7 => Unary(Op.Erf, x),
            8 => Unary(Op.Sqrt, x * x + 0.1),
            9 =>
                Rsqrt(Unary(Op.Abs, x) + 0.3),
            10 => Unary(Op.Recip, x * x + 0.4),
            _ => Unary(Choose(Op.Floor, Op.Ceil, Op.Round, Op.Trunc, Op.Sign), x),
        };

        Node Integer1(Node x) => x.DType == DType.Bool ? Unary(Op.Not, x) : Unary(Choose(Op.Neg, Op.Abs, Op.Sign, Op.Not), x);

        Node Float2(Node a, Node b) => random.Next(options.Smooth ? 8 : 9) switch
        {
            0 or 1 => a + b,
            2 => a - b,
            3 or 4 => a * b * 0.5,
            5 => a / (Unary(Op.Abs, b) + 0.5),
            6 =>
                Binary(Choose(Op.Max, Op.Min), a, b),
            7 => Binary(Op.Pow, Unary(Op.Abs, a) + 0.5, Unary(Op.Tanh, b)),
            _ => Binary(Op.Mod, a, b),
        };

        Node Integer2(Node a, Node b) =>
            Binary(Choose(Op.Add, Op.Sub, Op.Mul, Op.Div, Op.Mod, Op.Max, Op.Min, Op.And, Op.Or, Op.Xor, Op.Shl, Op.Shr), a, b);

        Node? Compared(Node x) =>
            options.Smooth && x.DType.IsFloat ? null : Binary(Choose(Op.Less, Op.LessEqual, Op.Equal, Op.NotEqual), x, Like(x));

        Node? Moved(Node x)
        {
            int rank = x.Shape.Rank, axis = Axis(x);
            Extent extent = x.Shape[axis];
            switch (random.Next(7))
            {
                case 0: return Reshape(x, rank == 1 ? [1, extent] : [extent, .. x.Shape.Without(axis)]);
                case 1: return Reshape(x, [x.Shape.Elements]);
                case 2: return Permute(x, [.. Enumerable.Range(0, rank).OrderBy(_ => random.Next())]);
                case 3: return Broadcast(Reshape(x, x.Shape.Insert(axis, 1)), x.Shape.Insert(axis, 2));
                case 4:
                    if (!extent.TryGetValue(out long length)) return SliceAxis(x, axis, 0, extent);
                    long step = 1 + random.Next(2), start = random.Next((int)length);
                    return SliceAxis(x, axis, start, (length - start - 1) / step + 1, step);
                case 5:
                    var widths = Enumerable.Range(0, rank).Select(i => (Extent)(i == axis ? 1 + random.Next(2) : 0));
                    return Pad(x, widths, widths.Reverse(), Constant(random.Next(3), x.DType, Shape.Scalar));
                default:
                    return random.Next(2) == 0 ? Flip(x, axis) : Concat(axis, x, Like(x));
            }
        }

        Node Windowed(Node x)
        {
            int axis = Axis(x);
            long size = 1 + random.Next(3), stride = 1 + random.Next(2), dilation = 1 + random.Next(2);
            var windows = Window(x, axis, size, stride, dilation);
            return x.DType == DType.Bool || random.Next(2) == 0 ? windows : Fold(windows, axis, x.Shape[axis], stride, dilation);
        }

        Node? Reduced(Node x)
        {
            int axis = Axis(x);
            int[] axes = x.Shape.Rank > 1 && random.Next(3) == 0 ? [axis, (axis + 1) % x.Shape.Rank] : [axis];
            if (x.DType == DType.Bool) return Reduce(Choose(Op.ReduceMax, Op.ReduceMin), x, axes);
            if (!(options.Smooth && x.DType.IsFloat) && random.Next(4) == 0) return Arg(Choose(Op.ArgMax, Op.ArgMin), x, axis);
            return Reduce(Choose(Op.ReduceSum, Op.ReduceSum, Op.ReduceMax, Op.ReduceMin, Op.ReduceProd),
                x.DType.IsFloat ? Unary(Op.Tanh, x) : x, axes);
        }

        Node? Scanned(Node x)
        {
            if (x.DType == DType.Bool) return null;
            if (!(options.Smooth && x.DType.IsFloat) && random.Next(4) == 0) return ArgSort(x, Axis(x), random.Next(2) == 0);
            return Scan(Choose(Op.CumSum, Op.CumProd, Op.CumMax), x.DType.IsFloat ? Unary(Op.Tanh, x) : x, Axis(x),
                random.Next(2) == 0);
        }

        // No index fits an axis without elements.
        static bool IsEmpty(Extent extent) => extent == 0;

        Node? Scattered(Node x)
        {
            int axis = Axis(x);
            if (IsEmpty(x.Shape[axis])) return null;
            var indices = Indices(x, axis);
            var mode = x.DType == DType.Bool ? ScatterMode.Set : Choose(ScatterMode.Set, ScatterMode.Add, ScatterMode.Max);
            return Scatter(x, indices, Operand(x.DType, indices.Shape), axis, mode);
        }

        Node Contracted(Node x)
        {
            int axis = Axis(x);
            Shape right = [options.Ragged ? RaggedExtent(24) : 2 + random.Next(2), x.Shape[axis]];
            if (x.Shape.Rank < 2 || random.Next(2) == 0) return Contract(x, Operand(x.DType, right), [], [], [axis], [1]) * 0.5;
            int batch = (axis + 1) % x.Shape.Rank;
            return Contract(x, Operand(x.DType, right.Insert(1, x.Shape[batch])), [batch], [1], [axis], [2]) * 0.5;
        }

        Node Composite(Node x)
        {
            Extent width = x.Shape[^1];
            switch (random.Next(10))
            {
                case 0: return Sigmoid(x);
                case 1: return Silu(x);
                case 2: return Gelu(x, random.Next(2) == 0);
                case 3: return Softmax(x, Axis(x));
                case 4: return LogSoftmax(x, Axis(x));
                case 5: return RmsNorm(x, Operand(x.DType, [width]), 1e-2);
                case 6: return LayerNorm(x, Operand(x.DType, [width]), Operand(x.DType, [width]), 1e-2);
                case 7: return IsEmpty(width) ? Silu(x) : CrossEntropy(x, Wrapped(Operand(DType.Int32, x.Shape[..^1]), width));
                case 8: return SwiGlu(x, Like(x));
                default:
                    Shape heads = [2, 3, 2, 4];
                    Node q = Operand(options.Float, heads), k = Operand(options.Float, [2, 3, 1, 4]),
                        table = Operand(options.Float, [3, 2]);
                    return random.Next(2) == 0 ? Rope(q, table, Unary(Op.Sin, table), random.Next(2) == 0)
                        : Attention(q, k, Like(k), 0.5, random.Next(2) == 0);
            }
        }

        // Another node of the same type.
        Node Like(Node x) => Operand(x.DType, x.Shape);

        Node Operand(DType dtype, Shape shape)
        {
            var same = pool.Where(node => node.DType == dtype && node.Shape == shape).ToArray();
            if (same.Length > 0 && random.Next(4) > 0) return same[random.Next(same.Length)];
            if (shape.Rank > 0 && random.Next(4) == 0) return Stretch(Operand(dtype, shape.With(0, 1)), shape);
            if (random.Next(4) == 0 && dtype != DType.Bool && shape.Rank > 0) return Iota(random.Next(shape.Rank), dtype, shape);
            return random.Next(4) == 0 ? Constant(dtype.IsFloat ? random.Next(-2, 3) * 0.5 : random.Next(3), dtype, shape)
                : Fresh(dtype, shape);
        }

        Node Indices(Node x, int axis) =>
            Wrapped(Operand(random.Next(2) == 0 ? DType.Int32 : DType.Int64, x.Shape.With(axis, 1 + random.Next(4))),
            x.Shape[axis]);

        static Node Wrapped(Node index, Extent length) => Binary(Op.Mod, index, SizeLike(length, index));

        Node Fresh(DType dtype, Shape shape)
        {
            var node = Parameter(parameters.Count, dtype, shape);
            parameters.Add(node);
            pool.Add(node);
            return node;
        }

        Node Floats() => Pick(node => node.DType.IsFloat);

        Node Pick(Func<Node, bool> fits)
        {
            var candidates = pool.Where(node => node.Shape.Rank > 0 && fits(node)).ToArray();
            // later ones more often: deeper graphs
            return candidates[Math.Max(random.Next(candidates.Length), random.Next(candidates.Length))];
        }

        int Axis(Node x) => random.Next(x.Shape.Rank);

        Shape RandomShape(int rank)
        {
            if (options.Ragged) return RaggedShape(rank);
            var shape = Shape.Of(Enumerable.Range(0, rank).Select(_ => (Extent)(random.Next(6) == 0 ? 1 : 1 + random.Next(5))));
            return options.Symbolic && random.Next(2) == 0 ? shape.With(0, batch) : shape;
        }

        Shape RaggedShape(int rank)
        {
            long left = MostRagged / 2;
            var extents = new Extent[rank];
            for (int i = 0; i < rank; i++)
            {
                long extent = random.Next(25) == 0 ? 0 : RaggedExtent(left);
                extents[i] = extent;
                left /= Math.Max(1, extent);
            }
            return Shape.Of(extents);
        }

        long RaggedExtent(long most) => Choose(ragged.Where(extent => extent <= most).ToArray());

        T Choose<T>(params T[] choices) => choices[random.Next(choices.Length)];
    }
}
