namespace Ashlar;

/// <summary>What lies between the elements of an axis that is resized.</summary>
public enum ResizeMode
{
    /// <summary>The element whose interval holds the place, as PyTorch's <c>nearest</c>.</summary>
    Nearest,
    /// <summary>The straight line between two neighbours: bilinear for two axes, trilinear for three.</summary>
    Linear,
}

/// <summary>Changing the extents of the last axes: interpolation, and pools that adapt to a size.</summary>
public static class Resizing
{
    extension(Tensor x)
    {
        /// <summary>The last axes in other sizes, as PyTorch's <c>interpolate</c>.</summary>
        /// <param name="sizes">One for each of the last axes: <c>[height, width]</c> for [N, C, H, W].</param>
        /// <param name="mode">What lies between elements.</param>
        /// <param name="alignCorners">For <see cref="ResizeMode.Linear"/>: the first and the last element stay where they are;
        /// else the borders of the image do.</param>
        /// <returns>Of the same element type where that is a float; <see cref="ResizeMode.Linear"/> turns integers into
        /// float32.</returns>
        /// <exception cref="ShapeException">ASH0188: there are more sizes than axes, a size is below 1, or an axis is empty; or
        /// corners of nearest elements are to be aligned.</exception>
        public Tensor Resize(ReadOnlySpan<long> sizes, ResizeMode mode = ResizeMode.Linear, bool alignCorners = false)
        {
            Check("Resize", x, sizes);
            if (alignCorners && mode == ResizeMode.Nearest) throw new ShapeException("ASH0188",
                $"Resize of {x.Type} was asked to align the corners of nearest elements.",
                "leave alignCorners to ResizeMode.Linear.");
            var result = mode == ResizeMode.Linear ? x.Cast(Promotion.Float(x.DType)) : x;
            for (int i = 0; i < sizes.Length; i++)
            {
                int axis = x.Rank - sizes.Length + i;
                long length = x.Shape[axis].Value, size = sizes[i];
                if (size == length) continue;
                result = mode == ResizeMode.Nearest
                    ? result.Take(Places(size, place => place * length / size), axis)
                    : Between(result, axis, length, size, alignCorners);
            }
            return result;
        }

        /// <summary>The last axes several times as long: <see cref="Resize"/> by a factor.</summary>
        /// <param name="factor">Above 0; the extents are rounded down.</param>
        /// <param name="axes">How many of the last axes.</param>
        /// <param name="mode">What lies between elements.</param>
        /// <exception cref="RangeException">ASH0185: the factor is not above 0.</exception>
        public Tensor Upsample(double factor, int axes = 2, ResizeMode mode = ResizeMode.Nearest)
        {
            if (factor is not (> 0 and < double.PositiveInfinity)) throw new RangeException("ASH0185",
                $"Upsample of {x.Type} was given the factor {factor}.", "give a number above 0, such as 2.");
            if (axes < 0 || axes > x.Rank) throw new ShapeException("ASH0188",
                $"Upsample of {axes} axes was given {x.Type}.", "name at most as many axes as there are.");
            return x.Resize([.. Enumerable.Range(x.Rank - axes, axes).Select(axis =>
                (long)Math.Floor(x.Shape[axis].Value * factor))], mode);
        }

        /// <summary>The mean of windows that divide the last axes as evenly as they can.</summary>
        /// <param name="sizes">How many windows for each of the last axes: <c>[7, 7]</c>.</param>
        /// <remarks>Window i of S over an axis of N goes from floor(i N / S) to ceil((i + 1) N / S), as in PyTorch; windows may
        /// overlap.</remarks>
        /// <exception cref="ShapeException">ASH0188: there are more sizes than axes, a size is below 1, or an axis is
        /// empty.</exception>
        public Tensor AdaptiveAvgPool(params ReadOnlySpan<long> sizes) =>
            Adapt("AdaptiveAvgPool", x.Cast(Promotion.Float(x.DType)), sizes, greatest: false);

        /// <summary>The greatest element of windows that divide the last axes as evenly as they can.</summary>
        /// <param name="sizes">How many windows for each of the last axes: <c>[7, 7]</c>.</param>
        /// <remarks>The windows are those of <see cref="AdaptiveAvgPool"/>.</remarks>
        /// <exception cref="ShapeException">ASH0188: there are more sizes than axes, a size is below 1, or an axis is
        /// empty.</exception>
        public Tensor AdaptiveMaxPool(params ReadOnlySpan<long> sizes) => Adapt("AdaptiveMaxPool", x, sizes, greatest: true);

        /// <summary>The mean of each channel.</summary>
        /// <returns>[N, C] for [N, C, ...]</returns>
        /// <exception cref="ShapeException">ASH0105: there is no axis behind the channels.</exception>
        public Tensor GlobalAvgPool() => x.Mean(Behind("GlobalAvgPool", x));

        /// <summary>The greatest element of each channel.</summary>
        /// <returns>[N, C] for [N, C, ...]</returns>
        /// <exception cref="ShapeException">ASH0105: there is no axis behind the channels.</exception>
        public Tensor GlobalMaxPool() => x.Max(Behind("GlobalMaxPool", x));
    }

    static int[] Behind(string what, Tensor x) =>
        x.Rank > 2 ? [.. Enumerable.Range(2, x.Rank - 2)] : throw new ShapeException("ASH0105",
        $"{what} needs axes behind those of the batch and the channels, but got {x.Type}.", "pass [N, C, ...].");

    static Tensor Places(long count, Func<long, long> place)
    {
        var places = new int[count];
        for (int i = 0; i < places.Length; i++) places[i] = (int)place(i);
        return Tensor.From<int>(places);
    }

    static Tensor Between(Tensor x, int axis, long length, long size, bool alignCorners)
    {
        var (low, weight) = (new int[size], new double[size]);
        for (int i = 0; i < low.Length; i++)
        {
            double place = alignCorners
                ? size == 1 ? 0
                : (double)i * (length - 1) / (size - 1) : Math.Max(0, (i + 0.5) * length / size - 0.5);
            low[i] = (int)Math.Min(Math.Floor(place), length - 1);
            weight[i] = place - low[i];
        }
        var first = x.Take(Tensor.From<int>(low), axis);
        var second = x.Take(Places(size, i => Math.Min(low[i] + 1, length - 1)), axis);
        var share = Tensor.From<double>(weight).Cast(x.DType)
            .Reshape([.. Enumerable.Range(0, x.Rank).Select(i => (Extent)(i == axis ? size : 1))]);
        return first + share * (second - first);
    }

    static Tensor Adapt(string what, Tensor x, ReadOnlySpan<long> sizes, bool greatest)
    {
        Check(what, x, sizes);
        for (int i = 0; i < sizes.Length; i++)
        {
            int axis = x.Rank - sizes.Length + i;
            long length = x.Shape[axis].Value, size = sizes[i];
            if (length == size) continue;
            if (length % size == 0)
            {
                var even = x.Unflatten(axis, size, length / size);
                x = greatest ? even.Max(axis + 1) : even.Mean(axis + 1);
                continue;
            }
            long Start(long window) => window * length / size;
            long Count(long window) => ((window + 1) * length + size - 1) / size - Start(window);
            long longest = 0;
            for (long window = 0; window < size; window++) longest = Math.Max(longest, Count(window));
            // [size, longest]: shorter windows repeat their last element, which changes no maximum and is left out of sums.
            var windows = x.Take(Places(size * longest,
                at => Start(at / longest) + Math.Min(at % longest, Count(at / longest) - 1)).Reshape(size, longest), axis);
            if (greatest)
            {
                x = windows.Max(axis + 1);
                continue;
            }
            var shares = new double[size * longest];
            for (int at = 0; at < shares.Length; at++)
                shares[at] = at % longest < Count(at / longest) ? 1.0 / Count(at / longest) : 0;
            int rank = windows.Rank;
            var weights = Tensor.From<double>(shares).Cast(x.DType.Compute)
                .Reshape([.. Enumerable.Range(0, rank).Select(k => (Extent)(k == axis ? size : k == axis + 1 ? longest : 1))]);
            x = (Tensor.Where(weights > 0, windows, 0.0) * weights).Sum(axis + 1).Cast(x.DType);
        }
        return x;
    }

    static void Check(string what, Tensor x, ReadOnlySpan<long> sizes)
    {
        if (sizes.Length > x.Rank) throw new ShapeException("ASH0188",
            $"{what} was given {sizes.Length} sizes for the {x.Rank} axes of {x.Type}.",
            "give one size for each of the last axes.");
        for (int i = 0; i < sizes.Length; i++)
        {
            if (sizes[i] < 1 || sizes[i] > int.MaxValue) throw new ShapeException("ASH0188",
                $"{what} of {x.Type} was given the size {sizes[i]}.", "give a size of 1 or more.");
            if (x.Shape[x.Rank - sizes.Length + i].Min < 1) throw new ShapeException("ASH0188",
                $"{what} was given {x.Type}, whose axis {x.Rank - sizes.Length + i} may be empty.",
                "pass axes with at least one element.");
        }
    }
}
