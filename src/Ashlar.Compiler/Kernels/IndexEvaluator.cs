using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Compiler.Kernels;

/// <summary>The value of one element of a node, as a scalar expression over loop variables.</summary>
/// <remarks>
/// How movement disappears: asked for element (i, j) of a transpose, it asks the input for (j, i); a slice adds its start, a
/// reshape divides and takes rests, which <see cref="Affine"/> simplifies. Elementwise ops become the same ops over scalars.
/// It stops at nodes that are in memory, or that the kernel computes in a statement of its own: <paramref name="stop"/> gives
/// their value. 16-bit floats are computed in float32 and small integers in int32; values come out in the compute type of their
/// node.
/// </remarks>
/// <param name="stop">The value of a node that is not inlined, at an index, under a guard; null to inline the node.</param>
sealed class IndexEvaluator(Func<Node, Affine[], Node?, Node?> stop)
{
    readonly Dictionary<Key, Node> known = [];

    readonly record struct Key(Node Node, ValueList<long> Index, Node? Guard);

    /// <summary>Element <paramref name="index"/> of <paramref name="node"/>, in its compute type.</summary>
    /// <param name="node">Any node.</param>
    /// <param name="index">One expression per axis.</param>
    /// <param name="guard">A bool scalar; where it is false the value is not needed and memory must not be touched.</param>
    public Node Value(Node node, Affine[] index, Node? guard = null)
    {
        var key = new Key(node, index.Select(axis => axis.ToNode().Id).ToValueList(), guard);
        if (!known.TryGetValue(key, out var value)) known[key] = value = stop(node, index, guard) ?? Inline(node, index, guard);
        return value;
    }

    Node Inline(Node node, Affine[] index, Node? guard)
    {
        switch (node.Op)
        {
            case Op.Constant:
                var constant = node.Get<ConstantAttributes>();
                return node.DType.IsFloat
                    ? Nodes.Constant(constant.Value, node.DType.Compute, Shape.Scalar)
                    : Nodes.Constant(constant.Integer, node.DType.Compute, Shape.Scalar);
            case Op.Size:
                return node;
            case Op.Iota:
                return Nodes.Cast(index[node.Get<IotaAttributes>().Axis].ToNode(), node.DType.Compute);
            case Op.Cast:
                return Rounded(Value(node.Inputs[0], index, guard), node.DType);
            case Op.BitCast:
                var bits = Nodes.BitCast(Nodes.Cast(Value(node.Inputs[0], index, guard), node.Inputs[0].DType), node.DType);
                return Nodes.Cast(bits, node.DType.Compute);
            case Op.Barrier:
                return Value(node.Inputs[0], index, guard);
            case Op.Reshape:
                return Value(node.Inputs[0], Unflatten(Flatten(index, node.Shape), node.Inputs[0].Shape), guard);
            case Op.Permute:
                var order = node.Get<PermuteAttributes>().Order;
                var permuted = new Affine[index.Length];
                for (int i = 0; i < index.Length; i++) permuted[order[i]] = index[i];
                return Value(node.Inputs[0], permuted, guard);
            case Op.Broadcast:
                var from = node.Inputs[0].Shape;
                return Value(node.Inputs[0], [.. index.Select((axis, i) => from[i] == 1 ? Affine.Of(0) : axis)], guard);
            case Op.Slice:
                var slice = node.Get<SliceAttributes>();
                return Value(node.Inputs[0], [.. index.Select((axis, i) => axis * slice.Steps[i] + slice.Starts[i])], guard);
            case Op.Flip:
                var flipped = node.Get<AxesAttributes>().Axes;
                return Value(node.Inputs[0],
                    [.. index.Select((axis, i) => flipped.Contains(i) ? axis * -1 + (node.Shape[i] - 1) : axis)], guard);
            case Op.Window:
                var window = node.Get<WindowAttributes>();
                var joined = index[window.Axis] * window.Stride + index[window.Axis + 1] * window.Dilation;
                return Value(node.Inputs[0], [.. index[..window.Axis], joined, .. index[(window.Axis + 2)..]], guard);
            case Op.Pad:
                return Pad(node, index, guard);
            case Op.Concat:
                return Concat(node, index, guard);
            case Op.Gather:
                return Gather(node, index, guard);
            default:
                if (node.Meaning.Element is null)
                    throw new InvalidOperationException($"{node} must be computed by a statement of its own");
                return Elementwise(node, index, guard);
        }
    }

    Node Elementwise(Node node, Affine[] index, Node? guard)
    {
        var inputs = new Node[node.Inputs.Count];
        for (int i = 0; i < inputs.Length; i++) inputs[i] = Value(node.Inputs[i], index, guard);
        var value = Node.Of(node.Op, inputs, node.Attributes);
        // Wraps as the small type does.
        return node.DType is DType.Int8 or DType.Int16 or DType.UInt8 ? Rounded(value, node.DType) : value;
    }

    Node Pad(Node node, Affine[] index, Node? guard)
    {
        var pad = node.Get<PadAttributes>();
        var inner = new Affine[index.Length];
        Node? inside = null;
        for (int i = 0; i < index.Length; i++)
        {
            inner[i] = index[i] - Affine.Of(pad.Before[i]);
            if (pad.Before[i] != 0) inside = And(inside, Nodes.Binary(Op.LessEqual, TileNodes.Number(0), inner[i].ToNode()));
            if (pad.After[i] != 0)
                inside = And(inside, Nodes.Binary(Op.Less, inner[i].ToNode(), Nodes.Size(node.Inputs[0].Shape[i])));
        }
        if (inside is null) return Value(node.Inputs[0], inner, guard);
        return Nodes.Select(inside, Value(node.Inputs[0], inner, And(guard, inside)), Value(node.Inputs[1], [], guard));
    }

    Node Concat(Node node, Affine[] index, Node? guard)
    {
        int axis = node.Get<AxisAttributes>().Axis;
        var starts = new Extent[node.Inputs.Count];
        for (int i = 1; i < starts.Length; i++) starts[i] = starts[i - 1] + node.Inputs[i - 1].Shape[axis];
        Node? value = null;
        for (int i = starts.Length - 1; i >= 0; i--)
        {
            var at = (Affine[])index.Clone();
            at[axis] = index[axis] - Affine.Of(starts[i]);
            Node? before = i + 1 < starts.Length ? Nodes.Binary(Op.Less, index[axis].ToNode(), Nodes.Size(starts[i + 1])) : null;
            Node? after = i > 0 ? Nodes.Binary(Op.LessEqual, Nodes.Size(starts[i]), index[axis].ToNode()) : null;
            var part = Value(node.Inputs[i], at, And(And(guard, before), after));
            value = value is null ? part : Nodes.Select(before!, part, value);
        }
        return value!;
    }

    Node Gather(Node node, Affine[] index, Node? guard)
    {
        int axis = node.Get<AxisAttributes>().Axis;
        var chosen = Nodes.Cast(Value(node.Inputs[1], index, guard), DType.Int64);
        var extent = Nodes.Size(node.Inputs[0].Shape[axis]);
        var at = (Affine[])index.Clone();
        string site = $"gather along axis {axis} of {node.Inputs[0].DType.Name}{node.Inputs[0].Shape}";
        var bound = TileNodes.Bound(chosen, extent, site);
        at[axis] = Affine.Of(bound);
        var value = Value(node.Inputs[0], at, guard);
        if (Traversal.PostOrder([value]).Contains(bound)) return value;

        // The data are alike along the axis, a constant for example: the index is not used, but it must be in range all the same.
        // What stands for the value outside of the range differs from it, so that the choice is not one of the same twice.
        if (guard is not null)
            bound = TileNodes.Bound(Nodes.Select(guard, chosen, chosen.Like(0)), Nodes.Max(extent, extent.Like(1)), site);
        var inRange = Nodes.Binary(Op.LessEqual, TileNodes.Number(0), bound);
        return Nodes.Select(inRange, value, value.Like(value.Constant == 0 ? 1 : 0));
    }

    /// <summary>A value cast to a type and back to that type's compute type: what storing and loading it would give.</summary>
    static Node Rounded(Node value, DType dtype) => Nodes.Cast(Nodes.Cast(value, dtype), dtype.Compute);

    /// <summary>Both conditions; null stands for true.</summary>
    public static Node? And(Node? a, Node? b) =>
        a is null ? b : b is null || ReferenceEquals(a, b) ? a : Nodes.Binary(Op.And, a, b);

    /// <summary>The row-major position of an index.</summary>
    public static Affine Flatten(Affine[] index, Shape shape)
    {
        var strides = shape.Strides;
        var flat = Affine.Of(0);
        for (int i = 0; i < index.Length; i++) flat += index[i] * strides[i];
        return flat;
    }

    /// <summary>The index of a row-major position.</summary>
    public static Affine[] Unflatten(Affine flat, Shape shape)
    {
        var strides = shape.Strides;
        var index = new Affine[shape.Rank];
        if (shape.Elements == 0)   // no position to take apart, and strides of 0
        {
            Array.Fill(index, Affine.Of(0));
            return index;
        }
        bool first = true;   // only the outermost axis longer than 1 needs no remainder
        for (int i = 0; i < index.Length; i++)
        {
            if (shape[i] == 1) { index[i] = Affine.Of(0); continue; }
            index[i] = flat.Divide(strides[i]);
            if (!first) index[i] = index[i].Modulo(shape[i]);
            first = false;
        }
        return index;
    }
}
