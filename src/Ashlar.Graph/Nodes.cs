namespace Ashlar.Graph;

/// <summary>Builds nodes: one function per op with its attributes spelled out. The vocabulary of rules, passes and
/// tensors.</summary>
/// <remarks>Strict like the ops: nothing broadcasts or promotes. Axes count from the front. No-op movements return their
/// input.</remarks>
public static class Nodes
{
    /// <summary>An argument of a function.</summary>
    public static Node Parameter(int index, DType dtype, Shape shape, string? name = null) =>
        Node.Of(Op.Parameter, [], new ParameterAttributes(index, dtype, shape, name));

    /// <summary>One number in every element, rounded to a float type; for integers truncated, and it wraps.</summary>
    public static Node Constant(double value, DType dtype, Shape shape) => dtype.IsFloat
        ? Node.Of(Op.Constant, [],
            new ConstantAttributes(BitConverter.DoubleToInt64Bits(Conversion.Round(value, dtype)), dtype, shape))
        : Constant((long)value, dtype, shape);

    /// <summary>One integer in every element; exact for 64 bits.</summary>
    public static Node Constant(long value, DType dtype, Shape shape) => dtype.IsFloat
        ? Constant((double)value, dtype, shape)
        : Node.Of(Op.Constant, [], new ConstantAttributes(Conversion.Wrap(value, dtype), dtype, shape));

    /// <summary>A constant of the type and shape of another node.</summary>
    public static Node Like(this Node node, double value) => Constant(value, node.DType, node.Shape);

    /// <summary>The value of an extent as an int64 scalar.</summary>
    public static Node Size(Extent extent) => extent.TryGetValue(out long value) ? Constant(value, DType.Int64, Shape.Scalar)
        : Node.Of(Op.Size, [], new SizeAttributes(extent));

    /// <summary>The value of an extent, cast and stretched to the type and shape of another node.</summary>
    public static Node SizeLike(Extent extent, Node like) => extent.TryGetValue(out long value)
        ? Constant(value, like.DType, like.Shape)
        : Stretch(Cast(Size(extent), like.DType), like.Shape);

    /// <summary>The index of each element along one axis.</summary>
    public static Node Iota(int axis, DType dtype, Shape shape) => Node.Of(Op.Iota, [], new IotaAttributes(axis, dtype, shape));

    /// <summary>An elementwise op over one input.</summary>
    public static Node Unary(Op op, Node x) => Node.Of(op, [x]);

    /// <summary>An elementwise op over two inputs.</summary>
    public static Node Binary(Op op, Node a, Node b) => Node.Of(op, [a, b]);

    /// <summary>exp(x)</summary>
    public static Node Exp(Node x) => Unary(Op.Exp, x);

    /// <summary>The natural logarithm.</summary>
    public static Node Log(Node x) => Unary(Op.Log, x);

    /// <summary>1 / sqrt(x)</summary>
    public static Node Rsqrt(Node x) => Unary(Op.Rsqrt, x);

    /// <summary>The greater; NaN wins.</summary>
    public static Node Max(Node a, Node b) => Binary(Op.Max, a, b);

    /// <summary>The lesser; NaN wins.</summary>
    public static Node Min(Node a, Node b) => Binary(Op.Min, a, b);

    /// <summary>condition ? a : b</summary>
    public static Node Select(Node condition, Node a, Node b) => Node.Of(Op.Select, [condition, a, b]);

    /// <summary>To another element type by value; the node itself where it has that type.</summary>
    public static Node Cast(Node x, DType dtype) => x.DType == dtype ? x : Node.Of(Op.Cast, [x], new CastAttributes(dtype));

    /// <summary>To another element type of the same size by bits.</summary>
    public static Node BitCast(Node x, DType dtype) => x.DType == dtype ? x : Node.Of(Op.BitCast, [x], new CastAttributes(dtype));

    /// <summary>32 random bits per element from two keys and a counter: Threefry-2x32-20, first word (Salmon et al.
    /// 2011).</summary>
    public static Node RandomBits(Node key0, Node key1, Node counter) => Node.Of(Op.RandomBits, [key0, key1, counter]);

    /// <summary>The same elements in row-major order under another shape.</summary>
    public static Node Reshape(Node x, Shape shape) =>
        x.Shape == shape ? x : Node.Of(Op.Reshape, [x], new ShapeAttributes(shape));

    /// <summary>Axis i of the result is axis <c>order[i]</c> of the input.</summary>
    public static Node Permute(Node x, params ReadOnlySpan<int> order)
    {
        for (int i = 0; ; i++)
        {
            if (i == order.Length && i == x.Shape.Rank) return x;
            if (i == order.Length || order[i] != i) return Node.Of(Op.Permute, [x], new PermuteAttributes([.. order]));
        }
    }

    /// <summary>Stretches axes of extent 1; the rank stays.</summary>
    public static Node Broadcast(Node x, Shape shape) =>
        x.Shape == shape ? x : Node.Of(Op.Broadcast, [x], new ShapeAttributes(shape));

    /// <summary>Broadcasts as NumPy does: axes are added in front, extents of 1 stretch.</summary>
    public static Node Stretch(Node x, Shape shape)
    {
        if (x.Shape == shape) return x;
        if (x.Attributes is ConstantAttributes constant && Shape.Broadcast(x.Shape, shape) == shape)
            return Node.Of(Op.Constant, [], constant with { Shape = shape });
        if (x.Shape.Rank < shape.Rank) x = Reshape(x, [.. Enumerable.Repeat((Extent)1, shape.Rank - x.Shape.Rank), .. x.Shape]);
        return Broadcast(x, shape);
    }

    /// <summary>Elements <c>starts[i] + j * steps[i]</c> for j below <c>counts[i]</c>.</summary>
    public static Node Slice(Node x, IEnumerable<Extent> starts, IEnumerable<Extent> counts, IEnumerable<long>? steps = null)
    {
        var attributes = new SliceAttributes(starts.ToValueList(), counts.ToValueList(),
            (steps ?? Enumerable.Repeat(1L, x.Shape.Rank)).ToValueList());
        bool whole = attributes.Starts.All(start => start == 0) && attributes.Steps.All(step => step == 1)
            && attributes.Counts.SequenceEqual(x.Shape);
        return whole ? x : Node.Of(Op.Slice, [x], attributes);
    }

    /// <summary>Elements <c>start + j * step</c> of one axis, for j below <paramref name="count"/>; the other axes
    /// whole.</summary>
    public static Node SliceAxis(Node x, int axis, Extent start, Extent count, long step = 1)
    {
        var starts = new Extent[x.Shape.Rank];
        var steps = new long[x.Shape.Rank];
        Array.Fill(steps, 1);
        (starts[axis], steps[axis]) = (start, step);
        return Slice(x, starts, x.Shape.With(axis, count), steps);
    }

    /// <summary>Adds elements of value <paramref name="filler"/> (a scalar node) before and after each axis.</summary>
    public static Node Pad(Node x, IEnumerable<Extent> before, IEnumerable<Extent> after, Node filler)
    {
        var attributes = new PadAttributes(before.ToValueList(), after.ToValueList());
        return attributes.Before.Concat(attributes.After).All(width => width == 0) ? x : Node.Of(Op.Pad, [x, filler], attributes);
    }

    /// <summary>Turns axes round.</summary>
    public static Node Flip(Node x, params ReadOnlySpan<int> axes) =>
        axes.Length == 0 ? x : Node.Of(Op.Flip, [x], new AxesAttributes([.. axes]));

    /// <summary>Joins along an axis.</summary>
    public static Node Concat(int axis, params ReadOnlySpan<Node> parts) =>
        parts.Length == 1 ? parts[0] : Node.Of(Op.Concat, parts, new AxisAttributes(axis));

    /// <summary>Sliding windows of one axis: it becomes (positions, size).</summary>
    public static Node Window(Node x, int axis, long size, long stride = 1, long dilation = 1) =>
        Node.Of(Op.Window, [x], new WindowAttributes(axis, size, stride, dilation, x.Shape[axis]));

    /// <summary>Sums windows back onto an axis of <paramref name="length"/>: the adjoint of <see cref="Window"/>.</summary>
    public static Node Fold(Node x, int axis, Extent length, long stride = 1, long dilation = 1) =>
        Node.Of(Op.Fold, [x], new WindowAttributes(axis, x.Shape[axis + 1].Value, stride, dilation, length));

    /// <summary>A reduction; the axes vanish.</summary>
    public static Node Reduce(Op op, Node x, params ReadOnlySpan<int> axes)
    {
        if (axes.Length == 0) return x;
        int[] sorted = axes.ToArray();
        Array.Sort(sorted);
        return Node.Of(op, [x], new AxesAttributes([.. sorted]));
    }

    /// <summary>The sum over axes, which vanish.</summary>
    public static Node Sum(Node x, params ReadOnlySpan<int> axes) => Reduce(Op.ReduceSum, x, axes);

    /// <summary>Puts back axes of extent 1 where a reduction took them away, then stretches to
    /// <paramref name="shape"/>.</summary>
    public static Node Spread(Node reduced, ReadOnlySpan<int> axes, Shape shape)
    {
        var kept = shape.ToArray();
        foreach (int axis in axes) kept[axis] = 1;
        return Broadcast(Reshape(reduced, Shape.Of(kept)), shape);
    }

    /// <summary>The index of the greatest (ArgMax) or least (ArgMin) element along an axis; the first of equals, NaN
    /// wins.</summary>
    public static Node Arg(Op op, Node x, int axis) => Node.Of(op, [x], new AxisAttributes(axis));

    /// <summary>A running sum, product or maximum.</summary>
    public static Node Scan(Op op, Node x, int axis, bool reverse = false) => Node.Of(op, [x], new ScanAttributes(axis, reverse));

    /// <summary>The indices that sort an axis; stable, NaN counts as greatest.</summary>
    public static Node ArgSort(Node x, int axis, bool descending = false) =>
        Node.Of(Op.ArgSort, [x], new SortAttributes(axis, descending));

    /// <summary>Reads where indices point along an axis; shaped like the indices.</summary>
    public static Node Gather(Node data, Node indices, int axis) => Node.Of(Op.Gather, [data, indices], new AxisAttributes(axis));

    /// <summary>Writes updates where indices point along an axis.</summary>
    public static Node Scatter(Node data, Node indices, Node updates, int axis, ScatterMode mode) =>
        Node.Of(Op.Scatter, [data, indices, updates], new ScatterAttributes(axis, mode));

    /// <summary>Sums of products over paired axes; the result has batch, free left and free right axes, in that order.</summary>
    public static Node Contract(Node a, Node b, ReadOnlySpan<int> batchA, ReadOnlySpan<int> batchB, ReadOnlySpan<int> sumA,
        ReadOnlySpan<int> sumB, DType? dtype = null) =>
        Node.Of(Op.Contract, [a, b], new ContractAttributes([.. batchA], [.. batchB], [.. sumA], [.. sumB], dtype ?? a.DType));

    /// <summary>The matrix product of the last two axes; leading axes are batch and must be equal.</summary>
    public static Node MatMul(Node a, Node b)
    {
        int[] batch = [.. Enumerable.Range(0, a.Shape.Rank - 2)];
        return Contract(a, b, batch, batch, [a.Shape.Rank - 1], [b.Shape.Rank - 2]);
    }

    /// <summary>x [..., K] times the transpose of a packed matrix [N, K].</summary>
    /// <returns>f32 [..., N]</returns>
    public static Node Project(Node x, Node weight, WeightAttributes layout) => Node.Of(Op.Project, [x, weight], layout);

    /// <summary>Row m of x [M, K] times the transpose of matrix <c>experts[m]</c> of packed ones [N, K].</summary>
    /// <returns>f32 [M, N]</returns>
    public static Node ProjectExperts(Node x, Node weight, Node experts, WeightAttributes layout) =>
        Node.Of(Op.ProjectExperts, [x, weight, experts], layout);

    /// <summary>Rows of a packed matrix [N, K], decoded.</summary>
    /// <returns>f32 [..., K]</returns>
    public static Node WeightRows(Node weight, Node indices, WeightAttributes layout) =>
        Node.Of(Op.WeightRows, [weight, indices], layout);

    /// <summary><paramref name="x"/>, computed only after the others.</summary>
    public static Node Barrier(Node x, params ReadOnlySpan<Node> after) => Node.Of(Op.Barrier, [x, .. after]);

    /// <summary>Swaps the last two axes.</summary>
    public static Node Transpose(Node x)
    {
        int[] order = [.. Enumerable.Range(0, x.Shape.Rank)];
        (order[^1], order[^2]) = (order[^2], order[^1]);
        return Permute(x, order);
    }

    /// <summary>1 / (1 + exp(-x))</summary>
    public static Node Sigmoid(Node x) => Unary(Op.Sigmoid, x);

    /// <summary>x * sigmoid(x)</summary>
    public static Node Silu(Node x) => Unary(Op.Silu, x);

    /// <summary>x times the normal distribution's cumulative function: through erf, or approximately through tanh.</summary>
    public static Node Gelu(Node x, bool approximate = false) => Node.Of(Op.Gelu, [x], new GeluAttributes(approximate));

    /// <summary>exp(x) over its sum along an axis.</summary>
    public static Node Softmax(Node x, int axis) => Node.Of(Op.Softmax, [x], new AxisAttributes(axis));

    /// <summary>The logarithm of <see cref="Softmax"/>.</summary>
    public static Node LogSoftmax(Node x, int axis) => Node.Of(Op.LogSoftmax, [x], new AxisAttributes(axis));

    /// <summary>x / sqrt(mean(x^2) + epsilon) * weight over the last axis; the weight is [width].</summary>
    public static Node RmsNorm(Node x, Node weight, double epsilon = 1e-6) =>
        Node.Of(Op.RmsNorm, [x, weight], new NormAttributes(epsilon));

    /// <summary>(x - mean) / sqrt(variance + epsilon) * weight + bias over the last axis; weight and bias are [width].</summary>
    public static Node LayerNorm(Node x, Node weight, Node bias, double epsilon = 1e-5) =>
        Node.Of(Op.LayerNorm, [x, weight, bias], new NormAttributes(epsilon));

    /// <summary>The loss of each row: logits [..., V] and targets [...] give [...].</summary>
    public static Node CrossEntropy(Node logits, Node targets) => Node.Of(Op.CrossEntropy, [logits, targets]);

    /// <summary>silu(gate) * up</summary>
    public static Node SwiGlu(Node gate, Node up) => Node.Of(Op.SwiGlu, [gate, up]);

    /// <summary>Rotary embedding of x [..., T, H, D] by tables [T, D/2]; pairs are neighbours or the two halves of a
    /// head.</summary>
    public static Node Rope(Node x, Node cos, Node sin, bool interleaved = false) =>
        Node.Of(Op.Rope, [x, cos, sin], new RopeAttributes(interleaved));

    /// <summary>softmax(q k^T * scale) v with q [B, T, H, D], k [B, S, K, D], v [B, S, K, E]; H is a multiple of K.</summary>
    public static Node Attention(Node q, Node k, Node v, double scale, bool causal) =>
        Node.Of(Op.Attention, [q, k, v], new AttentionAttributes(scale, causal));
}

/// <summary>Arithmetic on nodes as formulas write it; a number takes the type and shape of the node beside it.</summary>
public static class NodeOperators
{
    extension(Node)
    {
        /// <summary>-x</summary>
        public static Node operator -(Node x) => Nodes.Unary(Op.Neg, x);

        /// <summary>a + b</summary>
        public static Node operator +(Node a, Node b) => Nodes.Binary(Op.Add, a, b);

        /// <summary>a + b</summary>
        public static Node operator +(Node a, double b) => a + a.Like(b);

        /// <summary>a - b</summary>
        public static Node operator -(Node a, Node b) => Nodes.Binary(Op.Sub, a, b);

        /// <summary>a - b</summary>
        public static Node operator -(double a, Node b) => b.Like(a) - b;

        /// <summary>a - b</summary>
        public static Node operator -(Node a, double b) => a - a.Like(b);

        /// <summary>a * b</summary>
        public static Node operator *(Node a, Node b) => Nodes.Binary(Op.Mul, a, b);

        /// <summary>a * b</summary>
        public static Node operator *(Node a, double b) => a * a.Like(b);

        /// <summary>a * b</summary>
        public static Node operator *(double a, Node b) => b.Like(a) * b;

        /// <summary>a / b</summary>
        public static Node operator /(Node a, Node b) => Nodes.Binary(Op.Div, a, b);
    }
}
