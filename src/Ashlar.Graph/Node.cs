using System.Diagnostics.CodeAnalysis;

namespace Ashlar.Graph;

/// <summary>An immutable value of a tensor program: an op over other nodes. Equal nodes are the same object.</summary>
/// <remarks>
/// Nodes are hash-consed: building the same op over the same inputs with equal attributes gives the same node, so common
/// subexpressions never exist twice and structure is compared by reference. The table that does it holds nodes weakly.
/// </remarks>
public sealed class Node
{
    static long count;

    readonly int hash;

    internal Node(Op op, Node[] inputs, Attributes? attributes, DType dtype, Shape shape, int hash)
    {
        Op = op;
        Inputs = inputs;
        Attributes = attributes;
        DType = dtype;
        Shape = shape;
        Id = Interlocked.Increment(ref count);
        this.hash = hash;
    }

    /// <summary>What the node computes.</summary>
    public Op Op { get; }

    /// <summary>The values it computes from.</summary>
    public IReadOnlyList<Node> Inputs { get; }

    /// <summary>What it is told besides its inputs; null when the op needs nothing.</summary>
    public Attributes? Attributes { get; }

    /// <summary>Element type of the result.</summary>
    public DType DType { get; }

    /// <summary>Shape of the result.</summary>
    public Shape Shape { get; }

    /// <summary>Increases in the order of creation, so inputs have lesser ids than their users.</summary>
    public long Id { get; }

    /// <summary>The row of the table that says what this node's op means.</summary>
    public Meaning Meaning => Meanings.Of(Op);

    /// <summary>The node of this op over these inputs. Element type and shape follow from the op's rule.</summary>
    /// <exception cref="ShapeException">The inputs' shapes break the op's rule.</exception>
    /// <exception cref="DTypeException">The inputs' element types break the op's rule.</exception>
    public static Node Of(Op op, ReadOnlySpan<Node> inputs, Attributes? attributes = null) =>
        NodeTable.Intern(op, inputs, attributes);

    /// <summary>The attributes, which are known to be of this type.</summary>
    public T Get<T>() where T : Attributes => (T)Attributes!;

    /// <summary>The number of a constant node; null for other nodes.</summary>
    public double? Constant => Attributes is ConstantAttributes constant ? constant.Value : null;

    /// <summary>The same op and attributes over other inputs; this node itself where nothing changes.</summary>
    public Node With(ReadOnlySpan<Node> inputs)
    {
        bool same = inputs.Length == Inputs.Count;
        for (int i = 0; same && i < inputs.Length; i++) same = ReferenceEquals(inputs[i], Inputs[i]);
        return same ? this : Of(Op, inputs, Attributes);
    }

    /// <summary>For positional patterns: <c>node is (Op.Add, [var a, var b])</c>.</summary>
    public void Deconstruct(out Op op, out IReadOnlyList<Node> inputs)
    {
        op = Op;
        inputs = Inputs;
    }

    /// <summary>Structural hash, fixed when the node was made.</summary>
    public override int GetHashCode() => hash;

    /// <summary>Identity: equal nodes are the same object.</summary>
    public override bool Equals([NotNullWhen(true)] object? obj) => ReferenceEquals(this, obj);

    /// <summary>One line: <c>add f32[4, 8]</c>.</summary>
    public override string ToString() => $"{Meaning.Name} {DType.Name}{Shape}";
}
