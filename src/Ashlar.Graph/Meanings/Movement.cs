using static Ashlar.Graph.Nodes;

namespace Ashlar.Graph;

/// <summary>Rows of the ops that only move elements. The compiler turns each into index arithmetic of whoever reads it.</summary>
static class Movement
{
    public static readonly Meaning[] Rows =
    [
        new(Op.Reshape, "reshape", (x, a) =>
        {
            Rules.Arity(Op.Reshape, x, 1);
            var shape = Rules.Expect<ShapeAttributes>(Op.Reshape, a).Shape;
            if (shape.Elements != x[0].Shape.Elements)
                throw new ShapeException("ASH0107",
                    $"Reshape cannot turn {x[0].Shape} ({x[0].Shape.Elements} elements) into {shape} ({shape.Elements} elements).",
                    "make the products of the extents equal.");
            return new(x[0].DType, shape);
        })
        {
            Evaluate = (node, x) => new(x[0].Data, node.Shape.Values),
            Gradient = (dy, _, x) => [Reshape(dy, x[0].Shape)],
        },
        new(Op.Permute, "permute", (x, a) =>
        {
            Rules.Arity(Op.Permute, x, 1);
            var order = Rules.Expect<PermuteAttributes>(Op.Permute, a).Order;
            if (!order.Order().SequenceEqual(Enumerable.Range(0, x[0].Shape.Rank)))
                throw new ShapeException("ASH0108", $"Permute was given the order {order} for {x[0].Shape}.",
                    $"name each axis from 0 to {x[0].Shape.Rank - 1} once.");
            return new(x[0].DType, Shape.Of(order.Select(axis => x[0].Shape[axis])));
        })
        {
            Evaluate = (node, x) =>
            {
                long[] strides = Strided.Strides(x[0].Extents);
                return Strided.Read(x[0], node.Shape.Values, 0,
                    [.. node.Get<PermuteAttributes>().Order.Select(axis => strides[axis])]);
            },
            Gradient = (dy, y, _) =>
            {
                var order = y.Get<PermuteAttributes>().Order;
                return [Permute(dy, [.. Enumerable.Range(0, order.Count).Select(order.IndexOf)])];
            },
        },
        new(Op.Broadcast, "broadcast", (x, a) =>
        {
            Rules.Arity(Op.Broadcast, x, 1);
            var shape = Rules.Expect<ShapeAttributes>(Op.Broadcast, a).Shape;
            bool fits = shape.Rank == x[0].Shape.Rank
                && Enumerable.Range(0, shape.Rank).All(i => x[0].Shape[i] == shape[i] || x[0].Shape[i] == 1);
            if (!fits)
                throw new ShapeException("ASH0109", $"Broadcast cannot stretch {x[0].Shape} to {shape}.",
                    "every axis must be equal or have the extent 1; add axes by reshaping.");
            return new(x[0].DType, shape);
        })
        {
            Evaluate = (node, x) =>
            {
                long[] strides = Strided.Strides(x[0].Extents);
                for (int axis = 0; axis < strides.Length; axis++)
                    if (x[0].Extents[axis] == 1) strides[axis] = 0;
                return Strided.Read(x[0], node.Shape.Values, 0, strides);
            },
            Gradient = (dy, y, x) =>
                [Reshape(Sum(dy, [.. Enumerable.Range(0, y.Shape.Rank).Where(axis => y.Shape[axis] != x[0].Shape[axis])]),
                    x[0].Shape)],
        },
        new(Op.Slice, "slice", (x, a) =>
        {
            Rules.Arity(Op.Slice, x, 1);
            var slice = Rules.Expect<SliceAttributes>(Op.Slice, a);
            int rank = x[0].Shape.Rank;
            if (slice.Starts.Count != rank || slice.Counts.Count != rank || slice.Steps.Count != rank)
                throw new ShapeException("ASH0113",
                    $"Slice needs {rank} starts, counts and steps for {x[0].Shape}, "
                    + $"but got {slice.Starts.Count}, {slice.Counts.Count} and {slice.Steps.Count}.",
                    "give one of each per axis.");
            for (int i = 0; i < rank; i++)
            {
                Extent past = x[0].Shape[i] - 1 - (slice.Starts[i] + (slice.Counts[i] - 1) * slice.Steps[i]);
                if (slice.Steps[i] < 1 || slice.Starts[i].Min < 0 || slice.Counts[i] != 0 && past.Min < 0)
                    throw new ShapeException("ASH0114",
                        $"Slice takes {slice.Counts[i]} elements from {slice.Starts[i]} in steps of {slice.Steps[i]} "
                        + $"on axis {i}, which has {x[0].Shape[i]}.",
                        "stay within the axis, with steps of at least 1.");
            }
            return new(x[0].DType, Shape.Of(slice.Counts));
        })
        {
            Evaluate = (node, x) =>
            {
                var slice = node.Get<SliceAttributes>();
                long[] strides = Strided.Strides(x[0].Extents);
                long offset = 0;
                for (int axis = 0; axis < strides.Length; axis++)
                {
                    offset += slice.Starts[axis].Value * strides[axis];
                    strides[axis] *= slice.Steps[axis];
                }
                return Strided.Read(x[0], node.Shape.Values, offset, strides);
            },
            Gradient = (dy, y, x) => [Unslice(dy, y.Get<SliceAttributes>(), x[0].Shape)],
        },
        new(Op.Pad, "pad", (x, a) =>
        {
            Rules.Arity(Op.Pad, x, 2);
            var pad = Rules.Expect<PadAttributes>(Op.Pad, a);
            int rank = x[0].Shape.Rank;
            if (x[1].DType != x[0].DType || x[1].Shape.Rank != 0 || pad.Before.Count != rank || pad.After.Count != rank)
                throw new ShapeException("ASH0115",
                    $"Pad of {Rules.Types(x)} needs a scalar filler of the same type and one width before and after per axis.",
                    "pass a scalar of the input's element type.");
            if (pad.Before.Concat(pad.After).Any(width => width.Min < 0))
                throw new ShapeException("ASH0116",
                    $"Pad was given a width that can be negative: before {pad.Before}, after {pad.After}.",
                    "use Slice to cut elements off.");
            return new(x[0].DType, Shape.Of(Enumerable.Range(0, rank).Select(i => pad.Before[i] + x[0].Shape[i] + pad.After[i])));
        })
        {
            Evaluate = (node, x) =>
            {
                var result = Value.Zeros(node.Shape.Values);
                Array.Fill(result.Data, x[1].Data[0]);
                long[] strides = Strided.Strides(result.Extents);
                var before = node.Get<PadAttributes>().Before;
                Strided.Write(result, x[0], Enumerable.Range(0, strides.Length).Sum(axis => before[axis].Value * strides[axis]),
                    strides);
                return result;
            },
            Gradient = (dy, y, x) =>
            {
                var pad = y.Get<PadAttributes>();
                var outside = Pad(Constant(0, DType.Bool, x[0].Shape), pad.Before, pad.After,
                    Constant(1, DType.Bool, Shape.Scalar));
                return [Slice(dy, pad.Before, x[0].Shape),
                    Sum(Select(outside, dy, dy.Like(0)), [.. Enumerable.Range(0, y.Shape.Rank)])];
            },
        },
        new(Op.Flip, "flip", (x, a) =>
        {
            Rules.Arity(Op.Flip, x, 1);
            var axes = Rules.Expect<AxesAttributes>(Op.Flip, a).Axes;
            foreach (int axis in axes) Rules.Axis(Op.Flip, x[0], axis);
            Rules.Distinct(Op.Flip, axes);
            return new(x[0].DType, x[0].Shape);
        })
        {
            Evaluate = (node, x) =>
            {
                long[] strides = Strided.Strides(x[0].Extents);
                long offset = 0;
                foreach (int axis in node.Get<AxesAttributes>().Axes)
                {
                    offset += Math.Max(0, x[0].Extents[axis] - 1) * strides[axis];
                    strides[axis] = -strides[axis];
                }
                return Strided.Read(x[0], x[0].Extents, offset, strides);
            },
            Gradient = (dy, y, _) => [Flip(dy, y.Get<AxesAttributes>().Axes.Span)],
        },
        new(Op.Concat, "concat", (x, a) =>
        {
            int axis = Rules.Expect<AxisAttributes>(Op.Concat, a).Axis;
            if (x.Length == 0) throw new GraphException("ASH0302", "Concat takes at least one input, but got none.",
                "pass the tensors to join.");
            Rules.Axis(Op.Concat, x[0], axis);
            foreach (var input in x)
                if (input.DType != x[0].DType || input.Shape.Rank != x[0].Shape.Rank
                    || input.Shape.Without(axis) != x[0].Shape.Without(axis))
                    throw new ShapeException("ASH0117", $"Concat along axis {axis} cannot join {Rules.Types(x)}.",
                        "all other extents and the element types must be equal.");
            return new(x[0].DType, x[0].Shape.With(axis, x.Aggregate((Extent)0, (sum, input) => sum + input.Shape[axis])));
        })
        {
            Evaluate = (node, x) =>
            {
                var result = Value.Zeros(node.Shape.Values);
                int axis = node.Get<AxisAttributes>().Axis;
                long[] strides = Strided.Strides(result.Extents);
                long offset = 0;
                foreach (var part in x)
                {
                    Strided.Write(result, part, offset * strides[axis], strides);
                    offset += part.Extents[axis];
                }
                return result;
            },
            Gradient = (dy, y, x) =>
            {
                int axis = y.Get<AxisAttributes>().Axis;
                Extent start = 0;
                var parts = new Node[x.Count];
                for (int i = 0; i < parts.Length; i++)
                {
                    parts[i] = SliceAxis(dy, axis, start, x[i].Shape[axis]);
                    start += x[i].Shape[axis];
                }
                return parts;
            },
        },
        new(Op.Window, "window", (x, a) =>
        {
            Rules.Arity(Op.Window, x, 1);
            var window = Rules.Expect<WindowAttributes>(Op.Window, a);
            Rules.Axis(Op.Window, x[0], window.Axis);
            if (window.Size < 1 || window.Stride < 1 || window.Dilation < 1 || window.Length != x[0].Shape[window.Axis]
                || (window.Length - window.Dilation * (window.Size - 1) - 1).Min < 0)
                throw new ShapeException("ASH0118",
                    $"windows of {window.Size} with stride {window.Stride} and dilation {window.Dilation} "
                    + $"do not fit axis {window.Axis} of {x[0].Shape}.",
                    window.Size < 1 || window.Stride < 1 || window.Dilation < 1 ? "use a size, a stride and a dilation of 1 or more."
                    : "pad the axis, or use a smaller window.");
            return new(x[0].DType, x[0].Shape.With(window.Axis, window.Positions).Insert(window.Axis + 1, window.Size));
        })
        {
            Evaluate = (node, x) =>
                Strided.Read(x[0], node.Shape.Values, 0, WindowStrides(x[0].Extents, node.Get<WindowAttributes>())),
            Gradient = (dy, y, _) =>
            {
                var window = y.Get<WindowAttributes>();
                return [Fold(dy, window.Axis, window.Length, window.Stride, window.Dilation)];
            },
        },
    ];
    /// <summary>The strides that give the windows of an array of these extents, or take them back.</summary>
    internal static long[] WindowStrides(long[] outside, WindowAttributes window)
    {
        long[] strides = Strided.Strides(outside);
        long stride = strides[window.Axis];
        return [.. strides[..window.Axis], stride * window.Stride, stride * window.Dilation, .. strides[(window.Axis + 1)..]];
    }

    // The adjoint of Slice: zeros, with dy where the elements came from. Steps are undone by movement alone, so that it fuses:
    // each element becomes a group of Step, padded with zeros.
    static Node Unslice(Node dy, SliceAttributes slice, Shape shape)
    {
        var zero = Constant(0, dy.DType, Shape.Scalar);
        var spread = dy;
        for (int axis = 0; axis < shape.Rank; axis++)
        {
            long step = slice.Steps[axis];
            Extent count = slice.Counts[axis];
            if (count == 0) return Constant(0, dy.DType, shape);
            if (step == 1) continue;
            var widths = new Extent[shape.Rank + 1];
            var groups = spread.Shape.Insert(axis + 1, 1);
            widths[axis + 1] = step - 1;
            spread = Pad(Reshape(spread, groups), new Extent[shape.Rank + 1], widths, zero);
            spread = Reshape(spread, groups.Without(axis + 1).With(axis, count * step));
            spread = SliceAxis(spread, axis, 0, (count - 1) * step + 1);
        }
        return Pad(spread, slice.Starts, shape.Select((extent, axis) => extent - slice.Starts[axis] - spread.Shape[axis]), zero);
    }
}
