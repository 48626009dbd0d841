namespace Ashlar;

/// <summary>Choices whose length depends on the data, in a tensor of the greatest length and with a count.</summary>
/// <remarks>
/// The shape of a tensor is known before it is computed, so that programs can be recorded and memory planned. What PyTorch and
/// NumPy cut to the length that was found comes padded here: the first <c>count</c> elements are the answer. Outside of a
/// recorded function <c>result[..(int)count.Item&lt;long&gt;()]</c> cuts them off.
/// </remarks>
public static class Compaction
{
    extension(Tensor x)
    {
        /// <summary>The elements where a mask is true, in row-major order, padded to the number of all elements.</summary>
        /// <param name="mask">bool; this tensor and the mask broadcast.</param>
        /// <param name="fill">What stands behind the chosen elements.</param>
        /// <returns>[elements], and how many were chosen, an int64 scalar. Gradients flow to the chosen elements.</returns>
        /// <exception cref="DTypeException">ASH0223: the mask is not bool.</exception>
        public (Tensor Values, Tensor Count) MaskedSelect(Tensor mask, double fill = 0)
        {
            if (mask.DType != DType.Bool) throw new DTypeException("ASH0223",
                $"MaskedSelect needs a bool mask, but got {mask.Type}.", "compare first, for example x > 0.");
            var shape = Promotion.Meet("MaskedSelect", x, mask);
            var chosen = new Tensor(Nodes.Stretch(mask.Node, shape)).Flatten();
            var values = new Tensor(Nodes.Stretch(x.Node, shape)).Flatten();
            return (Packed(values, chosen, Tensor.Full([chosen.Shape[0]], fill).Cast(x.DType)), chosen.Sum());
        }

        /// <summary>Where the elements are that are not 0, in row-major order, padded to the number of all elements.</summary>
        /// <param name="fill">The index that stands behind those found.</param>
        /// <returns>int32 [elements, rank], and how many there are, an int64 scalar.</returns>
        public (Tensor Indices, Tensor Count) Nonzero(int fill = 0)
        {
            var chosen = x.Flatten().Cast(DType.Bool);
            var axes = new List<Tensor>();
            for (int axis = 0; axis < x.Rank; axis++)
                axes.Add(Packed(Tensor.Iota(x.Shape, axis).Flatten(), chosen, Tensor.Full([chosen.Shape[0]], fill, DType.Int32)));
            var indices = axes.Count == 0 ? Tensor.Zeros([1, 0], DType.Int32) : Tensor.Stack([.. axes], -1);
            return (indices, chosen.Sum());
        }

        /// <summary>The different elements in order, padded to the number of all elements; NaNs are one.</summary>
        /// <param name="fill">What stands behind them.</param>
        /// <returns>
        /// The values [elements]; for each element of this tensor the int32 index of its value, in this tensor's shape; how often
        /// each value occurs, int32 [elements], 0 behind the last; and how many different ones there are, an int64 scalar.
        /// </returns>
        public (Tensor Values, Tensor Inverse, Tensor Counts, Tensor Count) Unique(double fill = 0)
        {
            var flat = x.Flatten();
            Extent length = flat.Shape[0];
            if (length == 0)
                return (flat, Tensor.Zeros(x.Shape, DType.Int32), Tensor.Zeros([0], DType.Int32), Tensor.Zeros([], DType.Int64));
            var order = flat.ArgSort(0);
            var sorted = flat.Gather(0, order);
            Tensor before = sorted.Narrow(0, 0, length - 1), after = sorted.Narrow(0, 1, length - 1);
            var differs = after.NotEqualTo(before);
            if (x.DType.IsFloat) differs &= !(after.IsNaN() & before.IsNaN());
            var first = Tensor.Concat([Tensor.Ones([1], DType.Bool), differs]);
            var place = (first.CumSum(0) - 1).Cast(DType.Int32);   // of each element in order
            var values = Tensor.Full([length], fill).Cast(x.DType).Scatter(0, place, sorted);
            var inverse = Tensor.Zeros([length], DType.Int32).Scatter(0, order, place).Reshape(x.Shape);
            var counts = Tensor.Zeros([length], DType.Int32).ScatterAdd(0, place, 1);
            return (values, inverse, counts, first.Sum());
        }
    }

    // The chosen values at the front of a vector; the others go to a place behind the end, which is cut off.
    static Tensor Packed(Tensor values, Tensor chosen, Tensor rest)
    {
        Extent length = values.Shape[0];
        var behind = new Tensor(Nodes.SizeLike(length, Nodes.Constant(0L, DType.Int64, values.Shape)));
        var place = Tensor.Where(chosen, chosen.CumSum(0) - 1, behind);
        return rest.Pad([(0, 1)]).Scatter(0, place, values).Narrow(0, 0, length);
    }
}
