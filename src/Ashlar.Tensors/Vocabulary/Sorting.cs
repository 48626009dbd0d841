namespace Ashlar;

/// <summary>Order along an axis. Sorts are stable; NaN counts as greatest.</summary>
public static class Sorting
{
    extension(Tensor x)
    {
        /// <summary>The elements of an axis in order.</summary>
        public Tensor Sort(int axis = -1, bool descending = false) => x.Gather(axis, x.ArgSort(axis, descending));

        /// <summary>The indices that put an axis in order.</summary>
        /// <returns>int32, shaped like this tensor.</returns>
        public Tensor ArgSort(int axis = -1, bool descending = false) =>
            new(Nodes.ArgSort(x.Node, x.Shape.Axis(axis), descending));

        /// <summary>The greatest (or least) elements of an axis, in order, and where they are.</summary>
        /// <param name="count">How many.</param>
        /// <param name="axis">The axis.</param>
        /// <param name="largest">False takes the least.</param>
        /// <returns>Values, and int32 indices; the axis has <paramref name="count"/> elements.</returns>
        public (Tensor Values, Tensor Indices) TopK(Extent count, int axis = -1, bool largest = true)
        {
            int at = x.Shape.Axis(axis);
            if (count.Min < 0 || (x.Shape[at] - count).Min < 0)
                throw new ShapeException("ASH0157",
                    $"TopK cannot take {count} of axis {at} of {x.Type}, which has {x.Shape[at]} elements.",
                    "take at most as many as there are.");
            var indices = x.ArgSort(at, largest).Narrow(at, 0, count);
            return (x.Gather(at, indices), indices);
        }

        /// <summary>The middle of the elements of an axis in order; the lower one of two, as in PyTorch.</summary>
        /// <returns>Without the axis; NaN where the axis holds one. <c>Quantile(0.5)</c> is the mean of the two, as NumPy's
        /// median.</returns>
        /// <exception cref="ShapeException">ASH0120: the axis may be empty.</exception>
        public Tensor Median(int axis = -1)
        {
            int at = x.Shape.Axis(axis);
            if (x.Shape[at].Min < 1) throw new ShapeException("ASH0120",
                $"Median of axis {at} of {x.Type} may have no element, and then no value.", "give the axis a least extent of 1.");
            var sorted = x.Sort(at);
            var middle = sorted.Narrow(at, (x.Shape[at].Value - 1) / 2, 1).Squeeze(at);
            if (!x.DType.IsFloat) return middle;
            var last = sorted.Narrow(at, x.Shape[at] - 1, 1).Squeeze(at);   // where NaN sorts
            return Tensor.Where(last.IsNaN(), last, middle);
        }

        /// <summary>Where each element would enter this sorted vector: how many of its elements are less, or not
        /// greater.</summary>
        /// <param name="values">Any shape. NaN counts as greatest, as in Sort.</param>
        /// <param name="right">Counts equal elements too.</param>
        /// <returns>int64, shaped like <paramref name="values"/>.</returns>
        public Tensor SearchSorted(Tensor values, bool right = false)
        {
            if (x.Rank != 1) throw new ShapeException("ASH0105",
                $"SearchSorted needs one sorted axis, but got {x.Type}.", "pass a vector.");
            var column = values.Unsqueeze(-1);
            var before = right ? x <= column : x < column;
            if (values.DType.IsFloat) before |= right ? column.IsNaN() : column.IsNaN() & !x.IsNaN();
            return before.Sum(-1);
        }
    }
}
