using Ashlar.Graph;

namespace Ashlar.Tiles;

/// <summary>One axis of a statement's domain: <c>Variable</c> takes every value from 0 below <c>Extent</c>.</summary>
/// <param name="Variable">The loop variable.</param>
/// <param name="Extent">An int64 scalar over outer loop variables and sizes; a ragged edge is <c>min(tile, rest)</c>.</param>
public readonly record struct DomainAxis(LoopVariable Variable, Node Extent)
{
    /// <summary>The axis that runs through every value of the variable.</summary>
    public static DomainAxis Whole(LoopVariable variable) => new(variable, Nodes.Size(variable.Count));
}

/// <summary>How the iterations of a loop relate.</summary>
public enum LoopKind
{
    /// <summary>One after another.</summary>
    Serial,
    /// <summary>Independent: in any order, or at once on several workers. Only outermost loops are parallel: they are the
    /// grid.</summary>
    Parallel,
    /// <summary>One after another, with the loads of later iterations started early.</summary>
    Pipelined,
}

/// <summary>What a store does to the element already there.</summary>
public enum StoreMode
{
    /// <summary>Replaces it.</summary>
    Set,
    /// <summary>Adds to it.</summary>
    Add,
    /// <summary>Keeps the greater.</summary>
    Max,
}

/// <summary>A statement of a tile program. Values are <see cref="Node"/>s of scalar shape, evaluated at each point of the
/// domain.</summary>
/// <remarks>
/// Expressions use the elementwise ops of the graph level, with <see cref="Op.Index"/> for loop variables (int64),
/// <see cref="Op.Size"/> for symbolic extents, <see cref="Op.Load"/> for elements of buffers and tiles, <see cref="Op.Bound"/>
/// for checked indices. Integer Div is floor division and Mod has the sign of the divisor, so index arithmetic needs no cases.
/// What the fusion pass relies on, so a lowering does it: neighbouring statements whose domains (Domain then Over) are the same
/// variables and extents run as one loop, so a shared subexpression (one node, since nodes are hash-consed) is computed once per
/// point and an input is loaded once; what does not depend on the inner variables is hoisted out of the loop; a statement with
/// an empty domain is scalar code. Values are in compute types (f32, f64, i32, i64, bool); smaller types occur only in Load, in
/// Store, and in a Cast to a small type and back, which rounds or wraps.
/// </remarks>
public abstract record Statement
{
    /// <summary>The line of a kernel's definition that made it; null where the compiler did. Part of no text form.</summary>
    public SourceLine? Origin { get; init; }

    /// <summary>Where it comes from, for messages: " at File.cs:12", or nothing.</summary>
    internal string At => Origin is null ? "" : $" at {Origin}";
}

/// <summary>A loop over statements.</summary>
/// <param name="Variable">Takes 0, 1, ... below <paramref name="Count"/>.</param>
/// <param name="Count">An int64 scalar over outer loop variables and sizes.</param>
/// <param name="Kind">How iterations relate.</param>
/// <param name="Body">What each iteration does; tiles allocated here live for one iteration.</param>
/// <param name="Stages">Of a pipelined loop: how many iterations ahead loads begin.</param>
public sealed record For(LoopVariable Variable, Node Count, LoopKind Kind, ValueList<Statement> Body, int Stages = 1) : Statement;

/// <summary>Makes a tile that lives to the end of the enclosing body.</summary>
public sealed record Allocate(Tile Tile) : Statement;

/// <summary><c>Target[Indices] = Value</c> for every point of the domain.</summary>
/// <param name="Target">A written buffer or a tile.</param>
/// <param name="Indices">One int64 scalar per axis of the target.</param>
/// <param name="Value">Of the target's element type. It may read the target only at the same indices (an in-place
/// update).</param>
/// <param name="Domain">Outermost first. Points are independent, except where several write one element: then row-major order
/// decides.</param>
/// <param name="Mode">What happens to the old element.</param>
/// <param name="Streaming">The target is much larger than the caches and not read soon: bypass them.</param>
/// <param name="Guard">Points where this bool scalar is false are skipped; null for none.</param>
public sealed record Store(Memory Target, ValueList<Node> Indices, Node Value, ValueList<DomainAxis> Domain,
    StoreMode Mode = StoreMode.Set, bool Streaming = false, Node? Guard = null) : Statement
{
    /// <summary>Bytes of an output from which on its stores should bypass the caches: a plain store would read each line
    /// first.</summary>
    public const long StreamedBytes = 32 << 20;

    /// <summary>Of a store that adds or keeps the greater: iterations of a parallel loop may do it to one element at once. Text
    /// form: <c>atomic</c>.</summary>
    public bool IsAtomic { get; init; }
}

/// <summary><c>Target[Indices] = Op over Over of Value</c> for every point of the domain.</summary>
/// <param name="Op">ReduceSum, ReduceProd, ReduceMax, ReduceMin; or ArgMax, ArgMin, whose result is the int32 row-major index
/// within <paramref name="Over"/>.</param>
/// <param name="Target">A tile or written buffer. Sums of 16-bit floats are kept in float32: the target then has type
/// f32.</param>
/// <param name="Indices">Over the domain's variables.</param>
/// <param name="Value">Over the variables of the domain and of <paramref name="Over"/>.</param>
/// <param name="Domain">The axes that stay.</param>
/// <param name="Over">The axes that vanish; where empty the result is the op's identity.</param>
/// <param name="Accumulate">Start from the element already there instead of the identity. Not for ArgMax and ArgMin.</param>
public sealed record Reduce(Op Op, Memory Target, ValueList<Node> Indices, Node Value, ValueList<DomainAxis> Domain,
    ValueList<DomainAxis> Over, bool Accumulate = false) : Statement;

/// <summary>A running sum, product or maximum (CumSum, CumProd, CumMax) of <c>Value</c> along one axis.</summary>
/// <param name="Op">CumSum, CumProd or CumMax.</param>
/// <param name="Target">Element type of the value.</param>
/// <param name="Indices">Over the variables of the domain and of <paramref name="Along"/>.</param>
/// <param name="Value">Likewise.</param>
/// <param name="Domain">The other axes.</param>
/// <param name="Along">The axis it runs along.</param>
/// <param name="Reverse">Run from the end.</param>
public sealed record Scan(Op Op, Memory Target, ValueList<Node> Indices, Node Value, ValueList<DomainAxis> Domain,
    DomainAxis Along, bool Reverse) : Statement;

/// <summary>The indices (int32) that sort <c>Value</c> along one axis: stable, NaN counts as greatest.</summary>
/// <param name="Target">Of element type int32.</param>
/// <param name="Indices">Over the variables of the domain and of <paramref name="Along"/>.</param>
/// <param name="Value">The keys, likewise.</param>
/// <param name="Domain">The other axes.</param>
/// <param name="Along">The axis that is sorted.</param>
/// <param name="Descending">The greatest first.</param>
public sealed record Sort(Memory Target, ValueList<Node> Indices, Node Value, ValueList<DomainAxis> Domain, DomainAxis Along,
    bool Descending) : Statement;

/// <summary><c>Target[Row, Column] += sum over Inner of Left * Right</c>: what matrix units do.</summary>
/// <param name="Target">A tile; f32 for floats up to 32 bits, f64, or i32 for small integers.</param>
/// <param name="Left">Over <paramref name="Row"/> and <paramref name="Inner"/>.</param>
/// <param name="Right">Over <paramref name="Inner"/> and <paramref name="Column"/>; of the left's element type.</param>
/// <param name="Row">First axis of the target.</param>
/// <param name="Column">Second axis of the target.</param>
/// <param name="Inner">The axis summed over.</param>
public sealed record Dot(Tile Target, Node Left, Node Right, DomainAxis Row, DomainAxis Column, DomainAxis Inner) : Statement;

/// <summary><c>Target = Op(Inputs)</c> over whole buffers: an op that targets have an engine for, such as a product with packed
/// weights.</summary>
/// <param name="Op">Project, ProjectExperts or WeightRows.</param>
/// <param name="Target">A written buffer of the type that the op gives.</param>
/// <param name="Inputs">The op's inputs.</param>
/// <param name="Weight">What the op is told besides them.</param>
public sealed record Whole(Op Op, TileBuffer Target, ValueList<TileBuffer> Inputs, WeightAttributes Weight) : Statement
{
    /// <summary>The op as a node over parameters that stand for the inputs; throws as the op's rule does.</summary>
    public Node ToNode() => Node.Of(Op, [.. Inputs.Select((input, i) => Nodes.Parameter(i, input.DType, input.Shape))], Weight);
}

/// <summary>Runs the body where the condition, a bool scalar over outer variables, holds.</summary>
public sealed record If(Node Condition, ValueList<Statement> Body) : Statement;

/// <summary>A kernel: buffers and statements. Outermost <see cref="LoopKind.Parallel"/> loops are its grid.</summary>
/// <param name="Name">For listings: lower case with underscores.</param>
/// <param name="Buffers">The arguments, in the order a launch passes them.</param>
/// <param name="Body">What it does.</param>
public sealed record TileProgram(string Name, ValueList<TileBuffer> Buffers, ValueList<Statement> Body);
