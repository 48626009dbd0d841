using System.Diagnostics;

namespace Ashlar;

/// <summary>An array of numbers of one type, or the recipe for one: a handle to a node of the graph. Immutable.</summary>
/// <remarks>
/// Building an expression computes nothing. Reading data (<c>ToArray</c>, <c>Item</c>, printing) compiles the whole expression,
/// runs it, and remembers the result, so that it is computed once. Shape and type errors appear where the expression is written.
/// Nothing is to be disposed: memory returns when nobody refers to it. Thread-safe.
/// <para>
/// Gradients flow through everything that an expression was made of, read or not. A long loop that feeds each result into the
/// next keeps it in a <see cref="State"/>, or cuts the history with <c>Detach</c>, or its memory grows with its length.
/// </para>
/// The vocabulary lives in extension blocks, one file per family.
/// </remarks>
[DebuggerDisplay("{Type,nq}")]
public sealed class Tensor
{
    Node? node;                     // null until somebody builds on data that came without one
    Buffer? buffer;                 // null until the value is computed
    WeakReference<Node>? origin;    // of a state's value: what it was computed by, for gradients of expressions made before

    internal Tensor(Node node) => (this.node, DType, Shape) = (node, node.DType, node.Shape);

    internal Tensor(Buffer buffer, DType dtype, Shape shape) => (this.buffer, DType, Shape) = (buffer, dtype, shape);

    /// <summary>The element type.</summary>
    public DType DType { get; }

    /// <summary>The extents of the axes, outermost first; symbolic ones only inside a traced function.</summary>
    public Shape Shape { get; }

    /// <summary>How many axes there are.</summary>
    public int Rank => Shape.Rank;

    /// <summary>Element type and shape as errors write them: <c>f32[2, 3]</c>.</summary>
    public string Type => $"{DType.Name}{Shape}";

    /// <summary>The graph node that this is a handle to.</summary>
    public Node Node
    {
        get
        {
            if (node is null) Interlocked.CompareExchange(ref node, Leaf.Of(buffer!, DType, Shape), null);
            return node;
        }
    }

    /// <summary>The part that the indices choose, one for each axis from the front; axes without an index stay whole.</summary>
    /// <param name="indices">
    /// A number takes one element and the axis vanishes; a range cuts; <see cref="AxisIndex.NewAxis"/> adds an axis of 1;
    /// <see cref="AxisIndex.Ellipsis"/> stands for all axes not named; an integer tensor takes where it points.
    /// </param>
    /// <example><c>t[0]</c>, <c>t[^1]</c>, <c>t[1..3]</c>, <c>t[.., 2]</c>, <c>t[AxisIndex.Ellipsis, 0]</c>,
    /// <c>table[tokens]</c></example>
    /// <exception cref="ShapeException">An index is outside its axis, or there are more indices than axes.</exception>
    public Tensor this[params ReadOnlySpan<AxisIndex> indices] => Slicing.Index(this, indices);

    /// <summary>A handle to a node.</summary>
    public static Tensor FromNode(Node node)
    {
        ArgumentNullException.ThrowIfNull(node);
        return new(node);
    }

    /// <summary>The only element as a number.</summary>
    public static explicit operator float(Tensor x) => x.Item<float>();

    /// <summary>The only element as a number.</summary>
    public static explicit operator double(Tensor x) => x.Item<double>();

    /// <summary>The only element as a number, truncated.</summary>
    public static explicit operator int(Tensor x) => x.Item<int>();

    /// <summary>The only element as a number, truncated.</summary>
    public static explicit operator long(Tensor x) => x.Item<long>();

    /// <summary>True where the only element is not 0.</summary>
    public static explicit operator bool(Tensor x) => x.Item<bool>();

    /// <summary>The elements as NumPy prints them, below a line with type and shape; computes them. In a traced function, the
    /// type alone.</summary>
    public override string ToString() => Printer.Print(this);

    /// <summary>The memory that holds the value; computes it where that was not done.</summary>
    /// <exception cref="TraceException">A function is being traced: there is no value yet.</exception>
    internal Buffer Memory()
    {
        Trace.ForbidReading(this);
        if (buffer is { } known) return known;
        if (Leaf.Find(Node) is { } leaf) Accept(leaf);
        else State.RealizeWith([this]);
        return buffer!;
    }

    /// <summary>Takes the memory that holds the value.</summary>
    internal void Accept(Node leaf) => buffer = Leaf.BufferOf(leaf);

    /// <summary>True where the value lies in memory.</summary>
    internal bool IsRealized => buffer is not null || Leaf.Find(Node) is not null;

    /// <summary>Forgets how the value came about; later expressions start from the data.</summary>
    internal void Cut()
    {
        var memory = Memory();
        if (node is null || node.Op == Op.Buffer) return;
        origin = new(node);
        node = Leaf.Of(memory, DType, Shape);
    }

    /// <summary>The nodes that expressions made of this tensor may hold: the one now, and the one before a cut.</summary>
    internal IEnumerable<Node> Identities => origin is not null && origin.TryGetTarget(out var before) ? [Node, before] : [Node];
}
