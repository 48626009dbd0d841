using System.Runtime.CompilerServices;

namespace Ashlar;

/// <summary>What fills the border that Pad adds.</summary>
public enum PadMode
{
    /// <summary>One number.</summary>
    Constant,
    /// <summary>The elements mirrored at the edge, the edge itself not repeated: <c>c b | a b c | b a</c>.</summary>
    Reflect,
    /// <summary>The element at the edge: <c>a a | a b c | c c</c>.</summary>
    Replicate,
    /// <summary>The elements from the other side: <c>b c | a b c | a b</c>.</summary>
    Circular,
}

/// <summary>Which element goes where: shapes, axes, joining, cutting, padding. Costs nothing until somebody reads.</summary>
/// <remarks>Axes count from the front, or from the back when negative.</remarks>
public static class Movement
{
    extension(Tensor)
    {
        /// <summary>Joins tensors along an axis that they have; element types promote.</summary>
        public static Tensor Concat(ReadOnlySpan<Tensor> parts, int axis = 0)
        {
            if (parts.Length == 0) throw new ShapeException("ASH0151", "Concat was given no tensors.", "pass at least one.");
            var dtype = Promotion.Type("Concat", [.. parts.ToArray().Select(part => (Operand)part)]);
            return new(Nodes.Concat(parts[0].Shape.Axis(axis),
                [.. parts.ToArray().Select(part => Nodes.Cast(part.Node, dtype))]));
        }

        /// <summary>Joins tensors of one shape along a new axis.</summary>
        public static Tensor Stack(ReadOnlySpan<Tensor> parts, int axis = 0) =>
            Tensor.Concat([.. parts.ToArray().Select(part => part.Unsqueeze(axis))],
                axis < 0 && parts.Length > 0 ? axis + parts[0].Rank + 1 : axis);
    }

    extension(Tensor x)
    {
        /// <summary>The same elements in row-major order under another shape.</summary>
        /// <param name="shape">The extents; one of them may be -1, which takes what is left.</param>
        [OverloadResolutionPriority(1)]
        public Tensor Reshape(params ReadOnlySpan<Extent> shape)
        {
            int open = -1;
            Extent known = 1;
            for (int i = 0; i < shape.Length; i++)
                if (shape[i] != -1) known *= shape[i];
                else if (open < 0) open = i;
                else throw new ShapeException("ASH0152",
                    $"Reshape of {x.Type} was given -1 twice.", "leave at most one extent open.");
            var extents = shape.ToArray();
            if (open >= 0)
                extents[open] = x.Shape.Elements.TryDivide(known, out var rest) ? rest : throw new ShapeException("ASH0107",
                    $"Reshape cannot turn {x.Type} ({x.Shape.Elements} elements) into [{string.Join(", ", extents)}]: {known} does not divide them.",
                    "make the products of the extents equal.");
            return new(Nodes.Reshape(x.Node, Shape.Of(extents)));
        }

        /// <summary>The same elements in row-major order under another shape.</summary>
        public Tensor Reshape(Shape shape) => new(Nodes.Reshape(x.Node, shape));

        /// <summary>Merges neighbouring axes into one.</summary>
        /// <param name="first">The first of them.</param>
        /// <param name="last">The last of them.</param>
        public Tensor Flatten(int first = 0, int last = -1)
        {
            if (x.Rank == 0) return x.Reshape(1);
            (first, last) = (x.Shape.Axis(first), x.Shape.Axis(last));
            if (last < first) throw new ShapeException("ASH0143",
                $"Flatten of {x.Type} from axis {first} to axis {last} runs backwards.", "name the first axis first.");
            return x.Reshape([.. x.Shape[..first], x.Shape[first..(last + 1)].Elements, .. x.Shape[(last + 1)..]]);
        }

        /// <summary>Splits one axis into several; one extent may be -1.</summary>
        public Tensor Unflatten(int axis, params ReadOnlySpan<Extent> extents)
        {
            axis = x.Shape.Axis(axis);
            var split = Tensor.Zeros([x.Shape[axis]], x.DType).Reshape(extents).Shape;
            return x.Reshape([.. x.Shape[..axis], .. split, .. x.Shape[(axis + 1)..]]);
        }

        /// <summary>Puts the axes in another order: axis i of the result is axis <c>order[i]</c>.</summary>
        public Tensor Permute(params ReadOnlySpan<int> order)
        {
            var axes = new int[order.Length];
            for (int i = 0; i < axes.Length; i++) axes[i] = x.Shape.Axis(order[i]);
            return new(Nodes.Permute(x.Node, axes));
        }

        /// <summary>Swaps two axes; by default the last two.</summary>
        public Tensor Transpose(int first = -2, int second = -1)
        {
            int[] order = [.. Enumerable.Range(0, x.Rank)];
            (first, second) = (x.Shape.Axis(first), x.Shape.Axis(second));
            (order[first], order[second]) = (second, first);
            return new(Nodes.Permute(x.Node, order));
        }

        /// <summary>Moves one axis to another place.</summary>
        public Tensor MoveAxis(int from, int to)
        {
            (from, to) = (x.Shape.Axis(from), x.Shape.Axis(to));
            var order = Enumerable.Range(0, x.Rank).Where(axis => axis != from).ToList();
            order.Insert(to, from);
            return new(Nodes.Permute(x.Node, [.. order]));
        }

        /// <summary>Removes axes of extent 1: those named, or all.</summary>
        public Tensor Squeeze(params ReadOnlySpan<int> axes)
        {
            int[] named = axes.Length == 0
                ? [.. Enumerable.Range(0, x.Rank).Where(axis => x.Shape[axis] == 1)]
                : Promotion.Axes(x, axes);
            foreach (int axis in named)
                if (x.Shape[axis] != 1)
                    throw new ShapeException("ASH0153",
                        $"Squeeze cannot remove axis {axis} of {x.Type}, which has {x.Shape[axis]} elements.",
                        "squeeze axes of extent 1 alone.");
            return x.Reshape([.. x.Shape.Where((_, axis) => !named.Contains(axis))]);
        }

        /// <summary>Adds an axis of extent 1 before <paramref name="axis"/>; -1 adds it at the end.</summary>
        public Tensor Unsqueeze(int axis)
        {
            if (axis < -x.Rank - 1 || axis > x.Rank)
                throw new ShapeException("ASH0103",
                    $"Unsqueeze cannot add axis {axis} to {x.Type}.", $"use an axis from {-x.Rank - 1} to {x.Rank}.");
            return x.Reshape([.. x.Shape.Insert(axis < 0 ? axis + x.Rank + 1 : axis, 1)]);
        }

        /// <summary>Stretches axes of extent 1 and adds axes in front, as arithmetic does.</summary>
        public Tensor BroadcastTo(params ReadOnlySpan<Extent> shape)
        {
            var target = Shape.Create(shape);
            if (Shape.Broadcast(x.Shape, target) != target)
                throw new ShapeException("ASH0142",
                    $"BroadcastTo cannot stretch {x.Type} to {target}.",
                    "every axis, aligned at the last, must be equal or have the extent 1.");
            return new(Nodes.Stretch(x.Node, target));
        }

        /// <summary>Stretches axes of extent 1; -1 keeps an axis as it is.</summary>
        public Tensor Expand(params ReadOnlySpan<Extent> shape)
        {
            var extents = shape.ToArray();
            for (int i = 1; i <= Math.Min(extents.Length, x.Rank); i++)
                if (extents[^i] == -1) extents[^i] = x.Shape[^i];
            return x.BroadcastTo(extents);
        }

        /// <summary>Elements of one axis from <paramref name="start"/> to before <paramref name="stop"/> in steps; as in NumPy,
        /// bounds outside the axis are moved inside.</summary>
        /// <param name="axis">The axis.</param>
        /// <param name="start">Null: from the first, or from the last for a negative step. Negative numbers count from the
        /// back.</param>
        /// <param name="stop">Null: to the end in the direction of the step.</param>
        /// <param name="step">Not 0; negative runs backwards.</param>
        public Tensor Slice(int axis, long? start = null, long? stop = null, long step = 1)
        {
            axis = x.Shape.Axis(axis);
            if (step == 0) throw new ShapeException("ASH0146",
                $"Slice of axis {axis} of {x.Type} was given the step 0.",
                "use a step of 1 or more, or a negative one to run backwards.");
            long length = x.Shape[axis].Value;
            long Inside(long at, long least, long greatest) => Math.Clamp(at < 0 ? at + length : at, least, greatest);
            long from, count;
            if (step > 0)
            {
                from = Inside(start ?? 0, 0, length);
                count = Math.Max(0, (Inside(stop ?? length, 0, length) - from + step - 1) / step);
                return new(Nodes.SliceAxis(x.Node, axis, count == 0 ? 0 : from, count, step));
            }
            from = start is { } s ? Inside(s, -1, length - 1) : length - 1;
            long to = stop is { } e ? Inside(e, -1, length - 1) : -1;
            count = Math.Max(0, (from - to - step - 1) / -step);
            return new(Nodes.Flip(Nodes.SliceAxis(x.Node, axis, count == 0 ? 0 : from + (count - 1) * step, count, -step), axis));
        }

        /// <summary><paramref name="count"/> elements of one axis; both numbers may be symbolic.</summary>
        public Tensor Narrow(int axis, Extent start, Extent count) =>
            new(Nodes.SliceAxis(x.Node, x.Shape.Axis(axis), start, count));

        /// <summary>Cuts an axis into parts of these lengths.</summary>
        /// <exception cref="ShapeException">The lengths do not add up to the axis.</exception>
        public Tensor[] Split(ReadOnlySpan<Extent> lengths, int axis = 0)
        {
            axis = x.Shape.Axis(axis);
            Extent start = 0;
            var parts = new List<(Extent Start, Extent Count)>();
            foreach (var length in lengths)
            {
                parts.Add((start, length));
                start += length;
            }
            if (start != x.Shape[axis])
                throw new ShapeException("ASH0154",
                    $"Split of axis {axis} of {x.Type} was given lengths that add up to {start}.",
                    $"give lengths that add up to {x.Shape[axis]}.");
            return [.. parts.Select(part => x.Narrow(axis, part.Start, part.Count))];
        }

        /// <summary>Cuts an axis into equal parts.</summary>
        /// <exception cref="ShapeException">The axis cannot be cut into that many equal parts.</exception>
        public Tensor[] Chunk(int parts, int axis = 0)
        {
            axis = x.Shape.Axis(axis);
            if (parts < 1 || !x.Shape[axis].TryDivide(parts, out var length))
                throw new ShapeException("ASH0154",
                    $"Chunk cannot cut axis {axis} of {x.Type} into {parts} equal parts.",
                    "choose a number of parts that divides the axis, or use Split with lengths.");
            return [.. Enumerable.Range(0, parts).Select(part => x.Narrow(axis, part * length, length))];
        }

        /// <summary>The slices along an axis, without it.</summary>
        public Tensor[] Unstack(int axis = 0)
        {
            axis = x.Shape.Axis(axis);
            return [.. Enumerable.Range(0, (int)x.Shape[axis].Value).Select(i => x.Narrow(axis, i, 1).Squeeze(axis))];
        }

        /// <summary>Repeats the whole tensor along each axis, as NumPy's <c>tile</c>.</summary>
        /// <param name="times">One number per axis, aligned at the last; further ones add axes in front.</param>
        public Tensor Tile(params ReadOnlySpan<int> times)
        {
            var padded = x.Rank < times.Length
                ? x.Reshape([.. Enumerable.Repeat((Extent)1, times.Length - x.Rank), .. x.Shape])
                : x;
            int skip = padded.Rank - times.Length;
            var (spread, stretched, merged) = (new List<Extent>(), new List<Extent>(), new List<Extent>());
            for (int axis = 0; axis < padded.Rank; axis++)
            {
                int count = axis < skip ? 1 : times[axis - skip];
                spread.AddRange([1, padded.Shape[axis]]);
                stretched.AddRange([count, padded.Shape[axis]]);
                merged.Add(padded.Shape[axis] * count);
            }
            return padded.Reshape([.. spread]).BroadcastTo([.. stretched]).Reshape([.. merged]);
        }

        /// <summary>Repeats each element of an axis, as NumPy's <c>repeat</c>.</summary>
        public Tensor Repeat(int times, int axis)
        {
            axis = x.Shape.Axis(axis);
            return x.Unsqueeze(axis + 1).BroadcastTo([.. x.Shape.Insert(axis + 1, times)])
                .Reshape([.. x.Shape.With(axis, x.Shape[axis] * times)]);
        }

        /// <summary>Turns axes round: those named, or all.</summary>
        public Tensor Flip(params ReadOnlySpan<int> axes) => new(Nodes.Flip(x.Node, Promotion.Axes(x, axes)));

        /// <summary>Moves the elements of an axis up by <paramref name="shift"/>; those that leave at the end enter at the
        /// front.</summary>
        public Tensor Roll(long shift, int axis = 0)
        {
            axis = x.Shape.Axis(axis);
            if (x.Shape[axis].TryGetValue(out long length))
            {
                if (length == 0) return x;
                shift = (shift % length + length) % length;
            }
            if (shift == 0) return x;
            var cut = shift > 0 ? x.Shape[axis] - shift : -shift;
            return Tensor.Concat([x.Narrow(axis, cut, x.Shape[axis] - cut), x.Narrow(axis, 0, cut)], axis);
        }

        /// <summary>Adds elements before and after axes, as PyTorch's <c>pad</c> but with the axes in order.</summary>
        /// <param name="widths">(before, after) for the last axes in order; axes in front of them stay. A negative width cuts
        /// off.</param>
        /// <param name="mode">What the new elements are.</param>
        /// <param name="value">The number of <see cref="PadMode.Constant"/>.</param>
        /// <exception cref="ShapeException">More elements would be reflected or repeated than there are.</exception>
        public Tensor Pad(ReadOnlySpan<(long Before, long After)> widths, PadMode mode = PadMode.Constant, Operand? value = null)
        {
            if (widths.Length > x.Rank)
                throw new ShapeException("ASH0155",
                    $"Pad of {x.Type} was given {widths.Length} widths for {x.Rank} axes.", "give one pair per axis at most.");
            int skip = x.Rank - widths.Length;
            var result = x;
            if (mode == PadMode.Constant)
            {
                var before = new Extent[x.Rank];
                var after = new Extent[x.Rank];
                for (int i = 0; i < widths.Length; i++)
                {
                    var (low, high) = widths[i];
                    result = result.Narrow(skip + i, Math.Max(0, -low), x.Shape[skip + i] + Math.Min(0, low) + Math.Min(0, high));
                    (before[skip + i], after[skip + i]) = (Math.Max(0, low), Math.Max(0, high));
                }
                return new(Nodes.Pad(result.Node, before, after, (value ?? 0).ToNode("Pad", x.DType, Shape.Scalar)));
            }
            for (int i = 0; i < widths.Length; i++) result = Border(result, skip + i, widths[i].Before, widths[i].After, mode);
            return result;
        }

        /// <summary>Sliding windows of an axis: it becomes two, (positions, size).</summary>
        /// <param name="axis">The axis.</param>
        /// <param name="size">Elements in a window.</param>
        /// <param name="stride">Elements from one window to the next.</param>
        /// <param name="dilation">Elements from one member of a window to the next.</param>
        public Tensor Window(int axis, long size, long stride = 1, long dilation = 1) =>
            new(Nodes.Window(x.Node, x.Shape.Axis(axis), size, stride, dilation));

        /// <summary>Sums windows back onto an axis: the adjoint of Window.</summary>
        /// <param name="axis">The axis of positions; the one after it holds the windows' members.</param>
        /// <param name="length">The length of the axis that results.</param>
        /// <param name="stride">Elements from one window to the next.</param>
        /// <param name="dilation">Elements from one member of a window to the next.</param>
        public Tensor Fold(int axis, Extent length, long stride = 1, long dilation = 1) =>
            new(Nodes.Fold(x.Node, x.Shape.Axis(axis), length, stride, dilation));

        /// <summary>The diagonal of two axes, which vanish; it becomes the last axis.</summary>
        /// <param name="offset">Which one: 0 the main one, positive ones above it.</param>
        /// <param name="first">The axis of rows.</param>
        /// <param name="second">The axis of columns.</param>
        public Tensor Diagonal(long offset = 0, int first = -2, int second = -1)
        {
            if (x.Rank < 2) throw new ShapeException("ASH0105",
                $"Diagonal needs at least 2 axes, but got {x.Type}.", "reshape it to a matrix.");
            (first, second) = (x.Shape.Axis(first), x.Shape.Axis(second));
            if (first == second) throw new ShapeException("ASH0143",
                $"Diagonal of {x.Type} was given axis {first} twice.", "name two axes.");
            var matrix =
                x.Permute([.. Enumerable.Range(0, x.Rank).Where(axis => axis != first && axis != second), first, second]);
            var (rows, columns) = (matrix.Shape[^2].Value, matrix.Shape[^1].Value);
            if (offset > 0)
                (matrix, columns) =
                    (matrix.Narrow(-1, Math.Min(offset, columns), Math.Max(0, columns - offset)), Math.Max(0, columns - offset));
            if (offset < 0)
                (matrix, rows) =
                    (matrix.Narrow(-2, Math.Min(-offset, rows), Math.Max(0, rows + offset)), Math.Max(0, rows + offset));
            long n = Math.Min(rows, columns);
            // Row i of [n, n] begins i elements late in rows of n + 1: the diagonal is then the first column.
            var square = matrix.Narrow(-2, 0, n).Narrow(-1, 0, n);
            Shape batch = matrix.Shape[..^2];
            return square.Reshape([.. batch, n * n]).Pad([(0, n)]).Reshape([.. batch, n, n + 1]).Narrow(-1, 0, 1).Squeeze(-1);
        }
    }

    static Tensor Border(Tensor x, int axis, long before, long after, PadMode mode)
    {
        var extent = x.Shape[axis];
        long least = mode switch
        {
            PadMode.Reflect => Math.Max(before, after) + 1,
            PadMode.Circular => Math.Max(before, after),
            _ => 1,
        };
        if (before < 0 || after < 0 || extent.Min < least)
            throw new ShapeException("ASH0156",
                $"Pad cannot add {before} and {after} elements to axis {axis} of {x.Type} by {mode}: it needs at least {least} there.",
                "use smaller widths, or PadMode.Constant.");
        Tensor front = mode switch
        {
            PadMode.Reflect => x.Narrow(axis, 1, before).Flip(axis),
            PadMode.Circular => x.Narrow(axis, extent - before, before),
            _ => x.Narrow(axis, 0, 1).BroadcastTo([.. x.Shape.With(axis, before)]),
        };
        Tensor back = mode switch
        {
            PadMode.Reflect => x.Narrow(axis, extent - 1 - after, after).Flip(axis),
            PadMode.Circular => x.Narrow(axis, 0, after),
            _ => x.Narrow(axis, extent - 1, 1).BroadcastTo([.. x.Shape.With(axis, after)]),
        };
        return Tensor.Concat([.. before > 0 ? [front] : (Tensor[])[], x, .. after > 0 ? [back] : (Tensor[])[]], axis);
    }
}
