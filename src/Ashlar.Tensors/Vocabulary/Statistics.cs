namespace Ashlar;

/// <summary>What a quantile between two elements is.</summary>
public enum QuantileMode
{
    /// <summary>A number between both, in proportion to the distances.</summary>
    Linear,
    /// <summary>The lesser of both.</summary>
    Lower,
    /// <summary>The greater of both.</summary>
    Higher,
    /// <summary>The nearer of both; the one at the even place where both are as near.</summary>
    Nearest,
    /// <summary>The mean of both.</summary>
    Midpoint,
}

/// <summary>Quantiles, histograms, reductions that leave NaN out, differences, and distances between vectors.</summary>
public static class Statistics
{
    extension(Tensor x)
    {
        /// <summary>The number that a share of an axis lies below.</summary>
        /// <param name="share">From 0 (the least) to 1 (the greatest); 0.5 is the median.</param>
        /// <param name="axis">Null takes all elements.</param>
        /// <param name="keepAxis">Leaves the axis with the extent 1.</param>
        /// <param name="mode">What lies between two elements.</param>
        /// <returns>A float type, without the axis; NaN where the axis holds one.</returns>
        /// <exception cref="RangeException">ASH0185: the share is not from 0 to 1.</exception>
        /// <exception cref="ShapeException">ASH0120: there is no element.</exception>
        public Tensor Quantile(double share, int? axis = null, bool keepAxis = false, QuantileMode mode = QuantileMode.Linear) =>
            OfSorted(x, [share], axis, keepAxis, mode)[0];

        /// <summary>Several quantiles of an axis, which is put in order once.</summary>
        /// <param name="shares">Each from 0 to 1.</param>
        /// <param name="axis">Null takes all elements.</param>
        /// <param name="mode">What lies between two elements.</param>
        /// <returns>A float type; the first axis is that of the shares, the named one is gone.</returns>
        /// <exception cref="RangeException">ASH0185: a share is not from 0 to 1.</exception>
        /// <exception cref="ShapeException">ASH0120: there is no element.</exception>
        public Tensor Quantile(ReadOnlySpan<double> shares, int? axis = null, QuantileMode mode = QuantileMode.Linear) =>
            Tensor.Stack(OfSorted(x, shares, axis, false, mode));

        /// <summary>The number that some percent of an axis lie below: <c>Quantile(percent / 100)</c>.</summary>
        /// <param name="percent">From 0 to 100.</param>
        /// <param name="axis">Null takes all elements.</param>
        /// <param name="keepAxis">Leaves the axis with the extent 1.</param>
        /// <param name="mode">What lies between two elements.</param>
        /// <exception cref="RangeException">ASH0185: the number is not from 0 to 100.</exception>
        public Tensor Percentile(double percent, int? axis = null, bool keepAxis = false,
            QuantileMode mode = QuantileMode.Linear) =>
            x.Quantile(percent / 100, axis, keepAxis, mode);

        /// <summary>How many elements lie in each of some intervals of one width; elements outside, and NaN, in none.</summary>
        /// <param name="bins">How many intervals.</param>
        /// <param name="range">Where the first begins and the last ends. Null: at the least and the greatest element, which must
        /// be finite.</param>
        /// <returns>Counts, int64 [bins], and edges, float64 [bins + 1]. Each interval holds its lower edge; the last one holds
        /// both.</returns>
        /// <exception cref="RangeException">ASH0185: there is no interval, or the range is empty.</exception>
        public (Tensor Counts, Tensor Edges) Histogram(int bins = 10, (double Low, double High)? range = null)
        {
            if (bins < 1)
                throw new RangeException("ASH0185", $"Histogram of {x.Type} was given {bins} bins.", "use at least one.");
            var numbers = x.Flatten().Cast(DType.Float64);
            Tensor low, high;
            if (range is var (first, last))
            {
                if (!(first < last && double.IsFinite(last - first))) throw new RangeException("ASH0185",
                    $"Histogram of {x.Type} was given the range from {first} to {last}.",
                    "give a finite range that ends above its start.");
                (low, high) = (Tensor.Full([], first, DType.Float64), Tensor.Full([], last, DType.Float64));
            }
            else
            {
                (low, high) = (numbers.Min(), numbers.Max());
                var same = low.EqualTo(high);   // as NumPy: an interval of width 1 around equal numbers
                (low, high) = (Tensor.Where(same, low - 0.5, low), Tensor.Where(same, high + 0.5, high));
            }
            var steps = Tensor.Arange(bins + 1, DType.Float64);
            var edges = Tensor.Where(steps.EqualTo(bins), high, low + steps * ((high - low) / bins));
            var inside = (numbers >= low) & (numbers <= high);
            var place = Tensor.Where(inside, ((numbers - low) * (bins / (high - low))).Floor(), 0.0).Clamp(0, bins - 1)
                .Cast(DType.Int32);
            // The product is rounded: an element on an edge belongs above it.
            place -= (numbers < edges.Take(place)).Cast(DType.Int32);
            place = place.Maximum(0);
            place = (place + (numbers >= edges.Take(place + 1)).Cast(DType.Int32)).Minimum(bins - 1);
            var counts = Tensor.Zeros([bins], DType.Int64).ScatterAdd(0, place, inside.Cast(DType.Int64));
            return (counts, edges);
        }

        /// <summary>The sum over axes, NaN left out; none names all.</summary>
        public Tensor NanSum(ReadOnlySpan<int> axes = default, bool keepAxis = false) => Known(x, 0).Sum(axes, keepAxis);

        /// <summary>The mean over axes, NaN left out; none names all. NaN where nothing else is there.</summary>
        public Tensor NanMean(ReadOnlySpan<int> axes = default, bool keepAxis = false)
        {
            var sum = Reductions.Wide(Known(x, 0)).Sum(axes, keepAxis);
            return (sum / (!x.IsNaN()).Sum(axes, keepAxis).Cast(sum.DType)).Cast(Promotion.Float(x.DType));
        }

        /// <summary>The greatest element over axes, NaN left out; none names all. NaN where nothing else is there.</summary>
        public Tensor NanMax(ReadOnlySpan<int> axes = default, bool keepAxis = false) => !x.DType.IsFloat ? x.Max(axes, keepAxis)
            : Tensor.Where(x.IsNaN().All(axes, keepAxis), double.NaN, Known(x, double.NegativeInfinity).Max(axes, keepAxis));

        /// <summary>The least element over axes, NaN left out; none names all. NaN where nothing else is there.</summary>
        public Tensor NanMin(ReadOnlySpan<int> axes = default, bool keepAxis = false) => !x.DType.IsFloat ? x.Min(axes, keepAxis)
            : Tensor.Where(x.IsNaN().All(axes, keepAxis), double.NaN, Known(x, double.PositiveInfinity).Min(axes, keepAxis));

        /// <summary>The greatest element along an axis and where it is, the first of equals; NaN wins.</summary>
        /// <param name="axis">The axis.</param>
        /// <param name="keepAxis">Leaves the axis with the extent 1.</param>
        /// <returns>Values, and int32 indices. The gradient goes to the element at the index.</returns>
        public (Tensor Values, Tensor Indices) MaxWithIndex(int axis, bool keepAxis = false) =>
            At(x, x.ArgMax(axis, keepAxis: true), axis, keepAxis);

        /// <summary>The least element along an axis and where it is, the first of equals; NaN wins.</summary>
        /// <param name="axis">The axis.</param>
        /// <param name="keepAxis">Leaves the axis with the extent 1.</param>
        /// <returns>Values, and int32 indices. The gradient goes to the element at the index.</returns>
        public (Tensor Values, Tensor Indices) MinWithIndex(int axis, bool keepAxis = false) =>
            At(x, x.ArgMin(axis, keepAxis: true), axis, keepAxis);

        /// <summary>Each element of an axis less the one before it.</summary>
        /// <param name="axis">The axis, which gets shorter by <paramref name="order"/>, down to nothing.</param>
        /// <param name="order">How often, from 0.</param>
        /// <returns>Bools give int32; integers wrap.</returns>
        /// <exception cref="RangeException">ASH0185: the order is below 0.</exception>
        public Tensor Diff(int axis = -1, int order = 1)
        {
            if (order < 0)
                throw new RangeException("ASH0185", $"Diff of {x.Type} was given the order {order}.", "use 0 or more.");
            int at = x.Shape.Axis(axis);
            var result = x;
            for (; order > 0; order--)
            {
                Extent rest = result.Shape[at] == 0 ? 0 : result.Shape[at] - 1;
                result = result.Narrow(at, result.Shape[at] - rest, rest) - result.Narrow(at, 0, rest);
            }
            return result;
        }

        /// <summary>The cosine of the angle between vectors along an axis.</summary>
        /// <param name="other">Broadcasts.</param>
        /// <param name="axis">The axis of the vectors, which vanishes.</param>
        /// <param name="epsilon">The least length that a vector counts with.</param>
        public Tensor CosineSimilarity(Tensor other, int axis = -1, double epsilon = 1e-8) =>
            (x * other).Sum(axis) / (x.Norm(axis).Maximum(epsilon) * other.Norm(axis).Maximum(epsilon));

        /// <summary>The distance of each row from each row of another matrix.</summary>
        /// <param name="other">[..., R, M]; leading axes broadcast.</param>
        /// <param name="order">Of the norm of the differences: 2 is the Euclidean one.</param>
        /// <returns>[..., P, R] for [..., P, M]. The gradient is 0 where two rows are equal.</returns>
        /// <exception cref="ShapeException">ASH0105: a side has fewer than 2 axes.</exception>
        public Tensor Cdist(Tensor other, double order = 2)
        {
            if (x.Rank < 2 || other.Rank < 2) throw new ShapeException("ASH0105",
                $"Cdist needs matrices of rows, but got {x.Type} and {other.Type}.", "add the axis of rows with Unsqueeze(0).");
            return (x.Unsqueeze(-2) - other.Unsqueeze(-3)).Norm(-1, order: order);
        }
    }

    static Tensor Known(Tensor x, double instead) => x.DType.IsFloat ? Tensor.Where(x.IsNaN(), instead, x) : x;

    static (Tensor, Tensor) At(Tensor x, Tensor index, int axis, bool keepAxis)
    {
        var value = x.Gather(axis, index);
        return keepAxis ? (value, index) : (value.Squeeze(axis), index.Squeeze(axis));
    }

    static Tensor[] OfSorted(Tensor x, ReadOnlySpan<double> shares, int? axis, bool keepAxis, QuantileMode mode)
    {
        foreach (double share in shares)
            if (share is not (>= 0 and <= 1)) throw new RangeException("ASH0185",
                $"a quantile of {x.Type} was asked for the share {share}.", "give a number from 0 to 1, or use Percentile.");
        if (axis is null)
        {
            var all = OfSorted(x.Flatten(), shares, 0, false, mode);
            return keepAxis ? [.. all.Select(one => one.Reshape([.. Enumerable.Repeat((Extent)1, x.Rank)]))] : all;
        }
        int at = x.Shape.Axis(axis.Value);
        if (x.Shape[at].Min < 1) throw new ShapeException("ASH0120",
            $"a quantile of axis {at} of {x.Type} may have no element, and then no value.", "give the axis a least extent of 1.");
        long last = x.Shape[at].Value - 1;
        var sorted = x.Cast(Promotion.Float(x.DType)).Sort(at);
        Tensor Element(double place) => sorted.Narrow(at, (long)place, 1);
        var greatest = Element(last);   // NaN where there is one
        var results = new Tensor[shares.Length];
        for (int i = 0; i < results.Length; i++)
        {
            double place = shares[i] * last, below = Math.Floor(place), above = Math.Ceiling(place);
            var result = mode switch
            {
                QuantileMode.Lower => Element(below),
                QuantileMode.Higher => Element(above),
                QuantileMode.Nearest => Element(Math.Round(place)),
                _ when below == above => Element(below),
                QuantileMode.Midpoint => Between(Element(below), Element(above), 0.5),
                _ => Between(Element(below), Element(above), place - below),
            };
            result = Tensor.Where(greatest.IsNaN(), greatest, result);
            results[i] = keepAxis ? result : result.Squeeze(at);
        }
        return results;
    }

    // Equal infinities have no distance; the weight never is 0.
    static Tensor Between(Tensor low, Tensor high, double weight) =>
        Tensor.Where(low.EqualTo(high), low, low * (1 - weight) + high * weight);
}
