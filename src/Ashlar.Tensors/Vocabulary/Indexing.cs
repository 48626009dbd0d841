namespace Ashlar;

/// <summary>Reading and writing where other tensors point, and functional updates.</summary>
/// <remarks>Indices count from 0; an index outside its axis is an error when the program runs.</remarks>
public static class Indexing
{
    extension(Tensor x)
    {
        /// <summary>A copy with another value where the indices point: what <c>t[indices] = value</c> does elsewhere.</summary>
        /// <param name="value">Broadcasts to the part that is replaced, and takes this tensor's element type.</param>
        /// <param name="indices">As of the indexer, but for tensors.</param>
        public Tensor With(Operand value, params ReadOnlySpan<AxisIndex> indices) => Slicing.With(x, value, indices);

        /// <summary>Whole slices where indices point: <c>table.Take(tokens)</c> is an embedding.</summary>
        /// <param name="indices">Integers of any shape; its axes take the place of the axis.</param>
        /// <param name="axis">The axis that the indices point along.</param>
        public Tensor Take(Tensor indices, int axis = 0)
        {
            axis = x.Shape.Axis(axis);
            var flat = Index("Take", indices).Reshape(indices.Shape.Elements);
            var shape = x.Shape.With(axis, flat.Shape[0]);
            var lined = flat.Reshape([.. Enumerable.Range(0, x.Rank).Select(i => i == axis ? flat.Shape[0] : 1)]);
            var taken = new Tensor(Nodes.Gather(x.Node, Nodes.Broadcast(lined.Node, shape), axis));
            return taken.Reshape([.. x.Shape[..axis], .. indices.Shape, .. x.Shape[(axis + 1)..]]);
        }

        /// <summary>One element per index: <c>result[i, j] = x[indices[i, j], j]</c> for axis 0, as PyTorch's
        /// <c>gather</c>.</summary>
        /// <param name="axis">The axis that the indices point along.</param>
        /// <param name="indices">Integers; like this tensor but for the axis. Extents of 1 stretch.</param>
        /// <returns>Shaped like the indices.</returns>
        public Tensor Gather(int axis, Tensor indices)
        {
            axis = x.Shape.Axis(axis);
            return new(Nodes.Gather(x.Node, Lined("Gather", x, indices, axis), axis));
        }

        /// <summary>One element per row along the last axis: <c>result[i] = x[i, indices[i]]</c>.</summary>
        /// <param name="indices">[...], integers, without the last axis of this tensor.</param>
        public Tensor Pick(Tensor indices) => x.Gather(-1, indices.Unsqueeze(-1)).Squeeze(-1);

        /// <summary>A copy with <paramref name="updates"/> where the indices point; of several for one place, the last.</summary>
        public Tensor Scatter(int axis, Tensor indices, Operand updates) => Scattered(x, axis, indices, updates, ScatterMode.Set);

        /// <summary>A copy with <paramref name="updates"/> added where the indices point.</summary>
        public Tensor ScatterAdd(int axis, Tensor indices, Operand updates) =>
            Scattered(x, axis, indices, updates, ScatterMode.Add);

        /// <summary>A copy that keeps the greatest of the old value and the updates where the indices point.</summary>
        public Tensor ScatterMax(int axis, Tensor indices, Operand updates) =>
            Scattered(x, axis, indices, updates, ScatterMode.Max);

        /// <summary>A copy that keeps the least of the old value and the updates where the indices point.</summary>
        /// <param name="axis">The axis that the indices point along.</param>
        /// <param name="indices">As of <see cref="Gather"/>.</param>
        /// <param name="updates">Broadcast to the indices.</param>
        public Tensor ScatterMin(int axis, Tensor indices, Operand updates)
        {
            // -x turns the order of floats round; of integers only ~x does, for the least one has no opposite
            Tensor Turned(Tensor t) => t.DType.IsFloat ? -t : ~t;
            return Turned(Turned(x).ScatterMax(axis, indices, Turned(new(updates.ToNode("ScatterMin", x.DType, updates.Shape)))));
        }

        /// <summary>A copy multiplied by all updates whose indices point at an element.</summary>
        /// <param name="axis">The axis that the indices point along.</param>
        /// <param name="indices">As of <see cref="Gather"/>.</param>
        /// <param name="updates">Broadcast to the indices; of this tensor's element type.</param>
        /// <remarks>No scatter multiplies by itself: every place of the axis looks at every update, so it suits short
        /// axes.</remarks>
        public Tensor ScatterMul(int axis, Tensor indices, Operand updates)
        {
            axis = x.Shape.Axis(axis);
            var lined = new Tensor(Lined("ScatterMul", x, indices, axis));
            if (Shape.Broadcast(lined.Shape, updates.Shape) != lined.Shape)
                throw new ShapeException("ASH0121",
                    $"ScatterMul needs updates that broadcast to the indices {lined.Type}, but got {updates}.",
                    "give one update per index.");
            var factors = new Tensor(updates.ToNode("ScatterMul", x.DType, lined.Shape)).Unsqueeze(axis);
            var places = Tensor.Arange(x.Shape[axis], DType.Int64);
            var pointed = places.Take(lined).Unsqueeze(axis);   // the indices, checked
            var here =
                pointed.EqualTo(places.Reshape([.. Enumerable.Range(0, x.Rank + 1).Select(i => i == axis ? x.Shape[axis] : 1)]));
            return (x * Tensor.Where(here, factors, factors.OnesLike()).Prod(axis + 1)).Cast(x.DType);
        }

        /// <summary>How often each class occurs.</summary>
        /// <param name="classes">Elements are from 0 to below this.</param>
        /// <returns>int32, [classes]</returns>
        public Tensor BinCount(Extent classes) => Tensor.Zeros([classes], DType.Int32).ScatterAdd(0, x.Flatten(), 1);
    }

    static Tensor Scattered(Tensor x, int axis, Tensor indices, Operand updates, ScatterMode mode)
    {
        axis = x.Shape.Axis(axis);
        var lined = Lined("Scatter", x, indices, axis);
        if (Shape.Broadcast(lined.Shape, updates.Shape) != lined.Shape)
            throw new ShapeException("ASH0121",
                $"Scatter needs updates that broadcast to the indices {lined.DType.Name}{lined.Shape}, but got {updates}.",
                "give one update per index.");
        return new(Nodes.Scatter(x.Node, lined, updates.ToNode("Scatter", x.DType, lined.Shape), axis, mode));
    }

    // The indices stretched over the other axes of the data.
    static Node Lined(string what, Tensor x, Tensor indices, int axis)
    {
        Index(what, indices);
        if (indices.Rank != x.Rank
            || Shape.Broadcast(indices.Shape.With(axis, 1), x.Shape.With(axis, 1)) != x.Shape.With(axis, 1))
            throw new ShapeException("ASH0122",
                $"{what} along axis {axis} of {x.Type} needs indices like it but for that axis, and got {indices.Type}.",
                indices.Rank == 1 && what == "Gather"
                    ? "use Take to read whole slices."
                    : "add axes with Unsqueeze, so that the other axes are equal or 1.");
        return Nodes.Broadcast(indices.Node, x.Shape.With(axis, indices.Shape[axis]));
    }

    static Tensor Index(string what, Tensor indices) => indices.DType switch
    {
        DType.Int32 or DType.Int64 => indices,
        DType.UInt8 or DType.Int8 or DType.Int16 => indices.Cast(DType.Int32),
        DType.Bool => throw new DTypeException("ASH0205",
            $"{what} was given a mask, {indices.Type}: how many elements it chooses would not be known before it runs.",
            "use Where or MaskedFill, which keep the shape."),
        _ => throw new DTypeException("ASH0205",
            $"{what} needs integer indices, but got {indices.Type}.", "cast the indices to i32."),
    };
}
