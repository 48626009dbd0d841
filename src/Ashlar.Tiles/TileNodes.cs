using Ashlar.Graph;

namespace Ashlar.Tiles;

/// <summary>Builds the leaves of tile expressions.</summary>
public static class TileNodes
{
    /// <summary>The value of a loop variable.</summary>
    public static Node Index(this LoopVariable variable) => Node.Of(Op.Index, [], new IndexAttributes(variable));

    /// <summary>An element. The indices are int64 scalars, one per axis.</summary>
    public static Node Load(this Memory memory, ReadOnlySpan<Node> indices, Node? guard = null) =>
        Node.Of(Op.Load,
            guard is null ? indices : [.. indices, guard], new LoadAttributes(memory, memory.DType, memory.Shape.Rank));

    /// <summary>An int64 number.</summary>
    public static Node Number(long value) => Nodes.Constant(value, DType.Int64, Shape.Scalar);

    /// <summary>The index, checked against the axis when the kernel runs; <paramref name="site"/> names the op for the
    /// error.</summary>
    public static Node Bound(Node index, Node extent, string site) =>
        Node.Of(Op.Bound, [index, extent], new BoundAttributes(site));

    /// <summary>The memory that a Load node reads.</summary>
    public static Memory Source(this Node load) => (Memory)load.Get<LoadAttributes>().Source;

    /// <summary>The indices of a Load node, without its guard.</summary>
    public static Node[] Indices(this Node load) => [.. load.Inputs.Take(load.Get<LoadAttributes>().Rank)];

    /// <summary>The guard of a Load node; null when it has none.</summary>
    public static Node? Guard(this Node load) => load.Inputs.Count > load.Get<LoadAttributes>().Rank ? load.Inputs[^1] : null;

    /// <summary>The variable of an Index node.</summary>
    public static LoopVariable Variable(this Node index) => (LoopVariable)index.Get<IndexAttributes>().Variable;
}
