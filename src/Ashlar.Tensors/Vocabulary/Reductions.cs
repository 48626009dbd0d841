namespace Ashlar;

/// <summary>Sums, extremes and statistics over axes, and running ones along an axis.</summary>
/// <remarks>
/// Without axes everything is reduced to a scalar. <c>keepAxis</c> leaves reduced axes with the extent 1. Sums of bools and
/// integers are int64; sums of 16-bit floats are kept in float32 and rounded once.
/// </remarks>
public static class Reductions
{
    extension(Tensor x)
    {
        /// <summary>The sum.</summary>
        public Tensor Sum(int axis, bool keepAxis = false) => x.Sum([axis], keepAxis);

        /// <summary>The sum over several axes; none names all.</summary>
        public Tensor Sum(ReadOnlySpan<int> axes = default, bool keepAxis = false) =>
            Reduce(Op.ReduceSum, x.Cast(Promotion.Sum(x.DType)), axes, keepAxis);

        /// <summary>The product.</summary>
        public Tensor Prod(int axis, bool keepAxis = false) => x.Prod([axis], keepAxis);

        /// <summary>The product over several axes; none names all.</summary>
        public Tensor Prod(ReadOnlySpan<int> axes = default, bool keepAxis = false) =>
            Reduce(Op.ReduceProd, x.Cast(Promotion.Sum(x.DType)), axes, keepAxis);

        /// <summary>The greatest element; NaN wins.</summary>
        public Tensor Max(int axis, bool keepAxis = false) => x.Max([axis], keepAxis);

        /// <summary>The greatest element over several axes; none names all.</summary>
        public Tensor Max(ReadOnlySpan<int> axes = default, bool keepAxis = false) =>
            Extreme(Op.ReduceMax, "Max", x, axes, keepAxis);

        /// <summary>The least element; NaN wins.</summary>
        public Tensor Min(int axis, bool keepAxis = false) => x.Min([axis], keepAxis);

        /// <summary>The least element over several axes; none names all.</summary>
        public Tensor Min(ReadOnlySpan<int> axes = default, bool keepAxis = false) =>
            Extreme(Op.ReduceMin, "Min", x, axes, keepAxis);

        /// <summary>The arithmetic mean; integers give float32.</summary>
        public Tensor Mean(int axis, bool keepAxis = false) => x.Mean([axis], keepAxis);

        /// <summary>The arithmetic mean over several axes; none names all.</summary>
        public Tensor Mean(ReadOnlySpan<int> axes = default, bool keepAxis = false)
        {
            var sum = Wide(x).Sum(axes, keepAxis).Node;
            return new Tensor(sum / Nodes.SizeLike(Count(x, axes), sum)).Cast(Promotion.Float(x.DType));
        }

        /// <summary>The mean square deviation from the mean.</summary>
        public Tensor Variance(int axis, bool keepAxis = false, int correction = 0) => x.Variance([axis], keepAxis, correction);

        /// <summary>The mean square deviation from the mean over several axes; none names all.</summary>
        /// <param name="axes">The axes.</param>
        /// <param name="keepAxis">Leaves the axes with the extent 1.</param>
        /// <param name="correction">0 divides by the count, as NumPy does; 1 by one less, as PyTorch does.</param>
        public Tensor Variance(ReadOnlySpan<int> axes = default, bool keepAxis = false, int correction = 0) =>
            WideVariance(x, axes, keepAxis, correction).Cast(Promotion.Float(x.DType));

        /// <summary>The square root of the variance.</summary>
        public Tensor StandardDeviation(int axis, bool keepAxis = false, int correction = 0) =>
            x.Variance([axis], keepAxis, correction).Sqrt();

        /// <summary>The square root of the variance over several axes; none names all.</summary>
        public Tensor StandardDeviation(ReadOnlySpan<int> axes = default, bool keepAxis = false, int correction = 0) =>
            WideVariance(x, axes, keepAxis, correction).Sqrt().Cast(Promotion.Float(x.DType));

        /// <summary>The length of the vector along an axis.</summary>
        /// <param name="axis">The axis.</param>
        /// <param name="keepAxis">Leaves the axis with the extent 1.</param>
        /// <param name="order">As over several axes.</param>
        public Tensor Norm(int axis, bool keepAxis = false, double order = 2) => x.Norm([axis], keepAxis, order);

        /// <summary>The length of the vector over several axes; none names all.</summary>
        /// <param name="axes">The axes.</param>
        /// <param name="keepAxis">Leaves the axes with the extent 1.</param>
        /// <param name="order">
        /// 2 is the Euclidean one, 1 the sum of magnitudes, infinity the greatest and minus infinity the least magnitude, 0 how
        /// many elements are not 0; any other number p is <c>sum(|x|^p)^(1/p)</c>.
        /// </param>
        /// <returns>A float type. The gradient at a vector of zeros is 0, as in PyTorch.</returns>
        /// <exception cref="RangeException">ASH0185: the order is not a number.</exception>
        public Tensor Norm(ReadOnlySpan<int> axes = default, bool keepAxis = false, double order = 2)
        {
            var wide = Wide(x);
            Tensor length = order switch
            {
                0 => wide.NotEqualTo(0).Cast(wide.DType).Sum(axes, keepAxis),
                1 => wide.Abs().Sum(axes, keepAxis),
                2 => Root(wide.Square().Sum(axes, keepAxis), sum => sum.Sqrt()),
                double.PositiveInfinity => wide.Abs().Max(axes, keepAxis),
                double.NegativeInfinity => wide.Abs().Min(axes, keepAxis),
                > 0 => Root(wide.Abs().Pow(order).Sum(axes, keepAxis), sum => sum.Pow(1 / order)),
                < 0 => wide.Abs().Pow(order).Sum(axes, keepAxis).Pow(1 / order),
                _ => throw new RangeException("ASH0185", $"Norm of {x.Type} was given the order {order}.",
                    "use a number or an infinity."),
            };
            return length.Cast(Promotion.Float(x.DType));
        }

        /// <summary>log(sum(exp(x))), without overflow.</summary>
        public Tensor LogSumExp(int axis, bool keepAxis = false) => x.LogSumExp([axis], keepAxis);

        /// <summary>log(sum(exp(x))) over several axes, without overflow; none names all.</summary>
        public Tensor LogSumExp(ReadOnlySpan<int> axes = default, bool keepAxis = false)
        {
            var wide = Wide(x);
            var greatest = wide.Max(axes, keepAxis: true);
            // Infinities would make NaN of themselves.
            var shift = Tensor.Where(greatest.IsFinite(), greatest, 0.0).StopGradient();
            var sum = (wide - shift).Exp().Sum(axes, keepAxis: true).Log() + shift;
            return (keepAxis ? sum : sum.Reshape(Without(x, axes))).Cast(Promotion.Float(x.DType));
        }

        /// <summary>True where any element is true.</summary>
        public Tensor Any(int axis, bool keepAxis = false) => x.Any([axis], keepAxis);

        /// <summary>True where any element over several axes is true; none names all.</summary>
        public Tensor Any(ReadOnlySpan<int> axes = default, bool keepAxis = false) =>
            Reduce(Op.ReduceMax, x.Cast(DType.Bool).Cast(DType.UInt8), axes, keepAxis).Cast(DType.Bool);

        /// <summary>True where all elements are true.</summary>
        public Tensor All(int axis, bool keepAxis = false) => x.All([axis], keepAxis);

        /// <summary>True where all elements over several axes are true; none names all.</summary>
        public Tensor All(ReadOnlySpan<int> axes = default, bool keepAxis = false) =>
            Reduce(Op.ReduceMin, x.Cast(DType.Bool).Cast(DType.UInt8), axes, keepAxis).Cast(DType.Bool);

        /// <summary>How many elements are not 0.</summary>
        /// <returns>int64</returns>
        public Tensor CountNonZero(ReadOnlySpan<int> axes = default, bool keepAxis = false) =>
            x.Cast(DType.Bool).Sum(axes, keepAxis);

        /// <summary>The index of the greatest element, the first of equals; NaN wins.</summary>
        /// <param name="axis">Null searches all elements in row-major order.</param>
        /// <param name="keepAxis">Leaves the axis with the extent 1.</param>
        /// <returns>int32</returns>
        public Tensor ArgMax(int? axis = null, bool keepAxis = false) => Arg(Op.ArgMax, x, axis, keepAxis);

        /// <summary>The index of the least element, the first of equals; NaN wins.</summary>
        /// <param name="axis">Null searches all elements in row-major order.</param>
        /// <param name="keepAxis">Leaves the axis with the extent 1.</param>
        /// <returns>int32</returns>
        public Tensor ArgMin(int? axis = null, bool keepAxis = false) => Arg(Op.ArgMin, x, axis, keepAxis);

        /// <summary>The sum of the elements so far along an axis.</summary>
        /// <param name="axis">The axis.</param>
        /// <param name="reverse">Starts at the end.</param>
        public Tensor CumSum(int axis, bool reverse = false) =>
            new(Nodes.Scan(Op.CumSum, Nodes.Cast(x.Node, Promotion.Sum(x.DType)), x.Shape.Axis(axis), reverse));

        /// <summary>The product of the elements so far along an axis.</summary>
        /// <param name="axis">The axis.</param>
        /// <param name="reverse">Starts at the end.</param>
        public Tensor CumProd(int axis, bool reverse = false) =>
            new(Nodes.Scan(Op.CumProd, Nodes.Cast(x.Node, Promotion.Sum(x.DType)), x.Shape.Axis(axis), reverse));

        /// <summary>The greatest element so far along an axis.</summary>
        /// <param name="axis">The axis.</param>
        /// <param name="reverse">Starts at the end.</param>
        public Tensor CumMax(int axis, bool reverse = false) =>
            new(Nodes.Scan(Op.CumMax, Nodes.Cast(x.Node, Promotion.Number(x.DType)), x.Shape.Axis(axis), reverse));

        /// <summary>The least element so far along an axis.</summary>
        /// <param name="axis">The axis.</param>
        /// <param name="reverse">Starts at the end.</param>
        public Tensor CumMin(int axis, bool reverse = false)
        {
            if (x.DType.IsFloat) return -(-x).CumMax(axis, reverse);
            // -x wraps for the least and for unsigned numbers; ~x turns the order round.
            var number = x.Cast(Promotion.Number(x.DType));
            return ~(~number).CumMax(axis, reverse);
        }

        /// <summary>The sum of the main diagonal of the last two axes.</summary>
        public Tensor Trace() => x.Diagonal().Sum(-1);
    }

    /// <summary>In floating point of 32 bits at least: 16 bits hold neither large sums nor counts.</summary>
    internal static Tensor Wide(Tensor x) => x.Cast(Promotion.Float(x.DType).Compute);

    // f(sum), and 0 with the gradient 0 where the sum is 0: a root has an infinite slope there, which times 0 would be NaN.
    static Tensor Root(Tensor sum, Func<Tensor, Tensor> f)
    {
        var none = sum.EqualTo(0);
        return Tensor.Where(none, sum.ZerosLike(), f(Tensor.Where(none, sum.OnesLike(), sum)));
    }

    static Tensor WideVariance(Tensor x, ReadOnlySpan<int> axes, bool keepAxis, int correction)
    {
        var wide = Wide(x);
        var squares = (wide - wide.Mean(axes, keepAxis: true)).Square().Sum(axes, keepAxis).Node;
        return new(squares / Nodes.SizeLike(Count(x, axes) - correction, squares));
    }

    static Tensor Reduce(Op op, Tensor x, ReadOnlySpan<int> axes, bool keepAxis)
    {
        int[] named = Promotion.Axes(x, axes);
        var reduced = Nodes.Reduce(op, x.Node, named);
        return new(keepAxis
            ? Nodes.Reshape(reduced, Shape.Of(x.Shape.Select((extent, axis) => named.Contains(axis) ? 1 : extent)))
            : reduced);
    }

    static Tensor Extreme(Op op, string what, Tensor x, ReadOnlySpan<int> axes, bool keepAxis)
    {
        if (Count(x, axes).Min < 1)
            throw new ShapeException("ASH0120",
                $"{what} of {x.Type} over [{string.Join(", ", axes.ToArray())}] may have no element, and then no value.",
                "give the axes a least extent of 1.");
        return x.DType == DType.Bool ? Reduce(op, x.Cast(DType.UInt8), axes, keepAxis)
            .Cast(DType.Bool) : Reduce(op, x, axes, keepAxis);
    }

    static Tensor Arg(Op op, Tensor x, int? axis, bool keepAxis)
    {
        if (axis is not { } named)
        {
            var index = Arg(op, x.Reshape(x.Shape.Elements), 0, false);
            return keepAxis ? index.Reshape([.. Enumerable.Repeat((Extent)1, x.Rank)]) : index;
        }
        int at = x.Shape.Axis(named);
        var found = new Tensor(Nodes.Arg(op, x.Node, at));
        return keepAxis ? found.Unsqueeze(at) : found;
    }

    static Extent Count(Tensor x, ReadOnlySpan<int> axes) =>
        Extent.Product(Promotion.Axes(x, axes).Select(axis => x.Shape[axis]));

    static Shape Without(Tensor x, ReadOnlySpan<int> axes)
    {
        int[] named = Promotion.Axes(x, axes);
        return Shape.Of(x.Shape.Where((_, axis) => !named.Contains(axis)));
    }
}
