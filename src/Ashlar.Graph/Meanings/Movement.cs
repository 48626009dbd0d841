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
                throw new ShapeException("ASH0107", $"Reshape cannot turn {x[0].Shape} ({x[0].Shape.Elements} elements) into {shape} ({shape.Elements} elements).",
                    "make the products of the extents equal.");
            return new(x[0].DType, shape);
        }),
        new(Op.Permute, "permute", (x, a) =>
        {
            Rules.Arity(Op.Permute, x, 1);
            var order = Rules.Expect<PermuteAttributes>(Op.Permute, a).Order;
            if (!order.Order().SequenceEqual(Enumerable.Range(0, x[0].Shape.Rank)))
                throw new ShapeException("ASH0108", $"Permute was given the order {order} for {x[0].Shape}.", $"name each axis from 0 to {x[0].Shape.Rank - 1} once.");
            return new(x[0].DType, Shape.Of(order.Select(axis => x[0].Shape[axis])));
        }),
        new(Op.Broadcast, "broadcast", (x, a) =>
        {
            Rules.Arity(Op.Broadcast, x, 1);
            var shape = Rules.Expect<ShapeAttributes>(Op.Broadcast, a).Shape;
            bool fits = shape.Rank == x[0].Shape.Rank && Enumerable.Range(0, shape.Rank).All(i => x[0].Shape[i] == shape[i] || x[0].Shape[i] == 1);
            if (!fits)
                throw new ShapeException("ASH0109", $"Broadcast cannot stretch {x[0].Shape} to {shape}.", "every axis must be equal or have the extent 1; add axes by reshaping.");
            return new(x[0].DType, shape);
        }),
        new(Op.Slice, "slice", (x, a) =>
        {
            Rules.Arity(Op.Slice, x, 1);
            var slice = Rules.Expect<SliceAttributes>(Op.Slice, a);
            int rank = x[0].Shape.Rank;
            if (slice.Starts.Count != rank || slice.Counts.Count != rank || slice.Steps.Count != rank)
                throw new ShapeException("ASH0113", $"Slice needs {rank} starts, counts and steps for {x[0].Shape}, but got {slice.Starts.Count}, {slice.Counts.Count} and {slice.Steps.Count}.",
                    "give one of each per axis.");
            for (int i = 0; i < rank; i++)
            {
                Extent past = x[0].Shape[i] - 1 - (slice.Starts[i] + (slice.Counts[i] - 1) * slice.Steps[i]);
                if (slice.Steps[i] < 1 || slice.Starts[i].Min < 0 || slice.Counts[i] != 0 && past.Min < 0)
                    throw new ShapeException("ASH0114", $"Slice takes {slice.Counts[i]} elements from {slice.Starts[i]} in steps of {slice.Steps[i]} on axis {i}, which has {x[0].Shape[i]}.",
                        "stay within the axis, with steps of at least 1.");
            }
            return new(x[0].DType, Shape.Of(slice.Counts));
        }),
        new(Op.Pad, "pad", (x, a) =>
        {
            Rules.Arity(Op.Pad, x, 2);
            var pad = Rules.Expect<PadAttributes>(Op.Pad, a);
            int rank = x[0].Shape.Rank;
            if (x[1].DType != x[0].DType || x[1].Shape.Rank != 0 || pad.Before.Count != rank || pad.After.Count != rank)
                throw new ShapeException("ASH0115", $"Pad of {Rules.Types(x)} needs a scalar filler of the same type and one width before and after per axis.", "pass a scalar of the input's element type.");
            if (pad.Before.Concat(pad.After).Any(width => width.Min < 0))
                throw new ShapeException("ASH0116", $"Pad was given a width that can be negative: before {pad.Before}, after {pad.After}.", "use Slice to cut elements off.");
            return new(x[0].DType, Shape.Of(Enumerable.Range(0, rank).Select(i => pad.Before[i] + x[0].Shape[i] + pad.After[i])));
        }),
        new(Op.Flip, "flip", (x, a) =>
        {
            Rules.Arity(Op.Flip, x, 1);
            foreach (int axis in Rules.Expect<AxesAttributes>(Op.Flip, a).Axes) Rules.Axis(Op.Flip, x[0], axis);
            return new(x[0].DType, x[0].Shape);
        }),
        new(Op.Concat, "concat", (x, a) =>
        {
            int axis = Rules.Expect<AxisAttributes>(Op.Concat, a).Axis;
            if (x.Length == 0) throw new GraphException("ASH0302", "Concat takes at least one input, but got none.", "pass the tensors to join.");
            Rules.Axis(Op.Concat, x[0], axis);
            foreach (var input in x)
                if (input.DType != x[0].DType || input.Shape.Rank != x[0].Shape.Rank || input.Shape.Without(axis) != x[0].Shape.Without(axis))
                    throw new ShapeException("ASH0117", $"Concat along axis {axis} cannot join {Rules.Types(x)}.", "all other extents and the element types must be equal.");
            return new(x[0].DType, x[0].Shape.With(axis, x.Aggregate((Extent)0, (sum, input) => sum + input.Shape[axis])));
        }),
        new(Op.Window, "window", (x, a) =>
        {
            Rules.Arity(Op.Window, x, 1);
            var window = Rules.Expect<WindowAttributes>(Op.Window, a);
            Rules.Axis(Op.Window, x[0], window.Axis);
            if (window.Size < 1 || window.Stride < 1 || window.Dilation < 1 || window.Length != x[0].Shape[window.Axis] || (window.Length - window.Dilation * (window.Size - 1) - 1).Min < 0)
                throw new ShapeException("ASH0118", $"windows of {window.Size} with stride {window.Stride} and dilation {window.Dilation} do not fit axis {window.Axis} of {x[0].Shape}.",
                    "pad the axis, or use a smaller window.");
            return new(x[0].DType, x[0].Shape.With(window.Axis, window.Positions).Insert(window.Axis + 1, window.Size));
        }),
    ];
}
