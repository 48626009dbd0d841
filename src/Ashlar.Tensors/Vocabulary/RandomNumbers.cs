namespace Ashlar;

/// <summary>Random tensors, from counters: the numbers depend on the seed, the key and the place alone, on every
/// device.</summary>
/// <remarks>
/// Nothing is remembered between calls: one seed gives the same numbers each time. In a compiled step pass a <c>key</c>, such as
/// the number of the step, to draw anew. Source: Threefry-2x32-20, Salmon et al. 2011, doi:10.1145/2063384.2063405.
/// </remarks>
public static class RandomNumbers
{
    extension(Tensor)
    {
        /// <summary>Uniform float32 numbers in [0, 1).</summary>
        public static Tensor Random(long seed, params ReadOnlySpan<Extent> shape) => Tensor.Random(seed, Shape.Create(shape));

        /// <summary>Uniform numbers in [0, 1).</summary>
        /// <param name="seed">Which numbers.</param>
        /// <param name="shape">The extents.</param>
        /// <param name="dtype">A float type. Each has as many random bits as it has bits of precision.</param>
        /// <param name="key">An integer scalar that chooses among the numbers of a seed.</param>
        public static Tensor Random(long seed, Shape shape, DType dtype = DType.Float32, Tensor? key = null) =>
            Uniform(seed, 0, shape, dtype, key);

        /// <summary>Normally distributed float32 numbers of mean 0 and deviation 1.</summary>
        public static Tensor RandomNormal(long seed, params ReadOnlySpan<Extent> shape) =>
            Tensor.RandomNormal(seed, Shape.Create(shape));

        /// <summary>Normally distributed numbers of mean 0 and deviation 1.</summary>
        /// <param name="seed">Which numbers.</param>
        /// <param name="shape">The extents.</param>
        /// <param name="dtype">A float type.</param>
        /// <param name="key">An integer scalar that chooses among the numbers of a seed.</param>
        /// <remarks>Box and Muller 1958, in float32 (float64 for that type): magnitudes end at 5.8 (8.6).</remarks>
        public static Tensor RandomNormal(long seed, Shape shape, DType dtype = DType.Float32, Tensor? key = null)
        {
            var wide = Float(dtype) == DType.Float64 ? DType.Float64 : DType.Float32;
            var radius = ((1 - Uniform(seed, 0, shape, wide, key)).Log() * -2).Sqrt();   // the argument is in (0, 1]
            return (radius * (Uniform(seed, 1, shape, wide, key) * (2 * Math.PI)).Cos()).Cast(dtype);
        }

        /// <summary>Whole numbers from <paramref name="low"/> to below <paramref name="high"/>, each as likely.</summary>
        /// <param name="seed">Which numbers.</param>
        /// <param name="low">The least.</param>
        /// <param name="high">One above the greatest; less than 2^53 above the least.</param>
        /// <param name="shape">The extents.</param>
        /// <param name="dtype">An integer type.</param>
        /// <param name="key">An integer scalar that chooses among the numbers of a seed.</param>
        /// <exception cref="RangeException">ASH0185: the range is empty or too wide. ASH0186: the element type cannot hold
        /// it.</exception>
        public static Tensor RandomInt(long seed, long low, long high, Shape shape, DType dtype = DType.Int32, Tensor? key = null)
        {
            if (high <= low || (Int128)high - low > 1L << 53) throw new RangeException("ASH0185",
                $"RandomInt was given the range from {low} to below {high}.",
                $"give a second number above {low}, by at most 2^53.");
            if (!dtype.IsInteger) throw new DTypeException("ASH0205",
                $"RandomInt cannot make {dtype.Name}.", "choose an integer type, or cast the result.");
            var (least, greatest) = Operand.Range(dtype);
            if (low < least || high - 1 > greatest) throw new RangeException("ASH0186",
                $"RandomInt was asked for numbers from {low} to {high - 1}, but {dtype.Name} goes from {least} to {greatest}.",
                "choose a wider integer type, or a range within it.");
            var scaled = (Uniform(seed, 0, shape, DType.Float64, key) * (high - low)).Floor();
            return (scaled.Cast(DType.Int64) + low).Cast(dtype);
        }

        /// <summary>The whole numbers below <paramref name="count"/> in random order.</summary>
        /// <returns>int32, [count]</returns>
        public static Tensor Permutation(long seed, Extent count, Tensor? key = null) => Bits(seed, 0, [count], key).ArgSort(0);

        /// <summary>True with a probability.</summary>
        /// <param name="seed">Which numbers.</param>
        /// <param name="probability">From 0 to 1, a number or a tensor that broadcasts to the shape. Elements of a tensor are not
        /// checked: those of 0 and below, and NaN, give false, those of 1 and above true.</param>
        /// <param name="shape">The extents.</param>
        /// <param name="key">An integer scalar that chooses among the numbers of a seed.</param>
        /// <exception cref="RangeException">ASH0185: a number is not from 0 to 1.</exception>
        public static Tensor Bernoulli(long seed, Operand probability, Shape shape, Tensor? key = null) =>
            probability.Number is null or (>= 0 and <= 1) ? Uniform(seed, 0, shape, DType.Float32, key) < probability
            : throw new RangeException("ASH0185",
                $"Bernoulli was given the probability {probability}.", "give a number from 0 to 1.");
    }

    /// <summary>Uniform numbers in [0, 1); streams of one seed are independent.</summary>
    internal static Tensor Uniform(long seed, int stream, Shape shape, DType dtype, Tensor? key)
    {
        var bits = Bits(seed, 2 * stream, shape, key);
        if (Float(dtype) == DType.Float64)
        {
            var high = ((bits >> 5) & 0x7ffffff).Cast(DType.Float64);                                    // 27 bits
            var low = ((Bits(seed, 2 * stream + 1, shape, key) >> 6) & 0x3ffffff).Cast(DType.Float64);   // 26 bits
            return high * Math.ScaleB(1, -27) + low * Math.ScaleB(1, -53);
        }
        int precision = dtype switch { DType.BFloat16 => 8, DType.Float16 => 11, _ => 24 };
        return (((bits >> (32 - precision)) & ((1 << precision) - 1)).Cast(DType.Float32) * Math.ScaleB(1, -precision))
            .Cast(dtype);
    }

    // 32 bits per element: keys from the seed, the stream and the caller's key; the counter is the element's place.
    static Tensor Bits(long seed, int stream, Shape shape, Tensor? key)
    {
        var first = Nodes.Constant((long)(int)seed, DType.Int32, Shape.Scalar);
        var second = Nodes.Constant((long)((int)(seed >> 32) ^ stream * unchecked((int)0x9e3779b9)), DType.Int32, Shape.Scalar);
        if (key is not null)
        {
            if (!key.DType.IsInteger || key.Shape.Elements != 1)
                throw new DTypeException("ASH0224",
                    $"a random key must be one integer, but got {key.Type}.", "pass a scalar such as the number of the step.");
            var counter = Nodes.Cast(Nodes.Reshape(key.Node, Shape.Scalar), DType.Int32);
            var flipped = Nodes.Unary(Op.Not, second);   // another key pair for the second word
            (first, second) = (Nodes.RandomBits(first, second, counter), Nodes.RandomBits(first, flipped, counter));
        }
        Shape flat = [shape.Elements];
        var bits = Nodes.RandomBits(Nodes.Stretch(first, flat), Nodes.Stretch(second, flat), Nodes.Iota(0, DType.Int32, flat));
        return new(Nodes.Reshape(bits, shape));
    }

    internal static DType Float(DType dtype) =>
        dtype.IsFloat ? dtype : throw new DTypeException("ASH0203",
            $"random real numbers cannot be {dtype.Name}.", "choose a float type, or use RandomInt.");
}
