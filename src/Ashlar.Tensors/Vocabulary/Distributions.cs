namespace Ashlar;

/// <summary>Random numbers of other distributions, and random choices. Of one seed and key they are always the same.</summary>
public static class Distributions
{
    extension(Tensor)
    {
        /// <summary>Exponentially distributed numbers from 0, of mean 1 / rate.</summary>
        /// <param name="seed">Which numbers.</param>
        /// <param name="shape">The extents.</param>
        /// <param name="rate">Above 0.</param>
        /// <param name="dtype">A float type.</param>
        /// <param name="key">An integer scalar that chooses among the numbers of a seed.</param>
        /// <exception cref="RangeException">ASH0185: the rate is not above 0.</exception>
        public static Tensor RandomExponential(long seed, Shape shape, double rate = 1, DType dtype = DType.Float32,
            Tensor? key = null) =>
            (Waiting(seed, shape, dtype, key) * (1 / Positive("RandomExponential", "rate", rate))).Cast(dtype);

        /// <summary>Numbers of Laplace's distribution: exponential on both sides of the mean.</summary>
        /// <param name="seed">Which numbers.</param>
        /// <param name="shape">The extents.</param>
        /// <param name="mean">The middle.</param>
        /// <param name="scale">The mean distance from the middle, above 0.</param>
        /// <param name="dtype">A float type.</param>
        /// <param name="key">An integer scalar that chooses among the numbers of a seed.</param>
        /// <exception cref="RangeException">ASH0185: the scale is not above 0.</exception>
        public static Tensor RandomLaplace(long seed, Shape shape, double mean = 0, double scale = 1, DType dtype = DType.Float32,
            Tensor? key = null)
        {
            var distance = Waiting(seed, shape, dtype, key) * Positive("RandomLaplace", "scale", scale);
            var below = RandomNumbers.Uniform(seed, 1, shape, DType.Float32, key) < 0.5;
            return (Tensor.Where(below, -distance, distance) + mean).Cast(dtype);
        }

        /// <summary>Numbers of Gumbel's distribution: the greatest of many of a kind.</summary>
        /// <param name="seed">Which numbers.</param>
        /// <param name="shape">The extents.</param>
        /// <param name="dtype">A float type.</param>
        /// <param name="key">An integer scalar that chooses among the numbers of a seed.</param>
        /// <remarks>Added to logits, the greatest sum chooses by their probabilities.</remarks>
        public static Tensor RandomGumbel(long seed, Shape shape, DType dtype = DType.Float32, Tensor? key = null) =>
            (-(-RandomNumbers.Uniform(seed, 0, shape, DType.Float64, key).Log()).Log()).Cast(RandomNumbers.Float(dtype));

        /// <summary>Normally distributed numbers, of those within two bounds.</summary>
        /// <param name="seed">Which numbers.</param>
        /// <param name="shape">The extents.</param>
        /// <param name="low">The least, in deviations from the mean.</param>
        /// <param name="high">The greatest, in deviations from the mean.</param>
        /// <param name="mean">Of the whole distribution.</param>
        /// <param name="deviation">Of the whole distribution, above 0.</param>
        /// <param name="dtype">A float type.</param>
        /// <param name="key">An integer scalar that chooses among the numbers of a seed.</param>
        /// <exception cref="RangeException">ASH0185: hardly a number lies within the bounds (less than one of 10^9), or the
        /// deviation is not above 0.</exception>
        public static Tensor RandomTruncatedNormal(long seed, Shape shape, double low = -2, double high = 2, double mean = 0,
            double deviation = 1,
            DType dtype = DType.Float32, Tensor? key = null)
        {
            double below = Math.Max(-1, SpecialFunctions.Erf(low / Math.Sqrt(2))),
                above = Math.Min(1, SpecialFunctions.Erf(high / Math.Sqrt(2)));
            if (!(above - below >= 2e-9)) throw new RangeException("ASH0185",
                $"RandomTruncatedNormal was given the bounds {low} and {high}, with hardly a number between.",
                "give bounds in order, near 0 on one side at least.");
            var share = RandomNumbers.Uniform(seed, 0, shape, DType.Float64, key) * (above - below) + below;
            var number = (share.ErfInv() * Math.Sqrt(2)).Clamp(low, high);
            return (number * Positive("RandomTruncatedNormal", "deviation", deviation) + mean).Cast(RandomNumbers.Float(dtype));
        }
    }

    extension(Tensor x)
    {
        /// <summary>One random class per row of these logits (the last axis), as likely as softmax says.</summary>
        /// <param name="seed">Which numbers.</param>
        /// <param name="key">An integer scalar that chooses among the numbers of a seed.</param>
        /// <returns>int32, without the last axis. A class of minus infinity is never chosen, unless all are.</returns>
        public Tensor Categorical(long seed, Tensor? key = null)
        {
            Classes("Categorical", x);
            return (x.Cast(DType.Float32) + Tensor.RandomGumbel(seed, x.Shape, key: key)).ArgMax(-1);
        }

        /// <summary>Random classes, as likely as these weights (the last axis).</summary>
        /// <param name="samples">How many for each row.</param>
        /// <param name="seed">Which numbers.</param>
        /// <param name="replacement">True may choose a class again; false chooses each at most once.</param>
        /// <param name="key">An integer scalar that chooses among the numbers of a seed.</param>
        /// <returns>int32 [..., samples] for weights [..., classes], which are 0 or more and need not add up to 1.</returns>
        /// <exception cref="ShapeException">ASH0157: without replacement more are asked for than there are.</exception>
        /// <exception cref="RangeException">ASH0185: the number of samples is below 1.</exception>
        public Tensor Multinomial(int samples, long seed, bool replacement = true, Tensor? key = null)
        {
            Classes("Multinomial", x);
            if (samples < 1)
                throw new RangeException("ASH0185", $"Multinomial of {x.Type} was asked for {samples} samples.",
                    "ask for at least one.");
            var logits = x.Cast(DType.Float32).Log();
            if (!replacement) return (logits + Tensor.RandomGumbel(seed, x.Shape, key: key)).TopK(samples).Indices;
            var rows = logits.Unsqueeze(-2).BroadcastTo([.. x.Shape[..^1], samples, x.Shape[^1]]);
            return (rows + Tensor.RandomGumbel(seed, rows.Shape, key: key)).ArgMax(-1);
        }
    }

    // Exponential numbers of mean 1: the logarithm's argument is in (0, 1].
    static Tensor Waiting(long seed, Shape shape, DType dtype, Tensor? key) =>
        -(1 - RandomNumbers.Uniform(seed, 0, shape,
            RandomNumbers.Float(dtype) == DType.Float64 ? DType.Float64 : DType.Float32, key)).Log();

    static double Positive(string what, string name, double value) => value is > 0 and < double.PositiveInfinity ? value
        : throw new RangeException("ASH0185", $"{what} was given the {name} {value}.", "give a finite number above 0.");

    static void Classes(string what, Tensor x)
    {
        if (x.Rank == 0) throw new ShapeException("ASH0105",
            $"{what} needs an axis of classes, but got {x.Type}.", "pass [..., classes].");
    }
}
