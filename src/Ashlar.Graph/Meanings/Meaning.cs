namespace Ashlar.Graph;

/// <summary>Element type and shape of a node's result.</summary>
public readonly record struct NodeType(DType DType, Shape Shape);

/// <summary>From (gradient of the result, the node, its inputs) to one gradient per input; null where there is none.</summary>
public delegate Node?[] GradientRule(Node dy, Node y, IReadOnlyList<Node> x);

/// <summary>What an op means. How it runs is the compiler's business.</summary>
/// <param name="Op">The op.</param>
/// <param name="Name">What the text form calls it.</param>
/// <param name="Infer">The shape rule: checks the inputs and gives the result's type, or throws at the caller's line.</param>
public sealed record Meaning(Op Op, string Name, Func<Node[], Attributes?, NodeType> Infer)
{
    /// <summary>Of an elementwise op: the result's element from the inputs' elements.</summary>
    public Func<double[], double>? Element { get; init; }

    /// <summary>Of an elementwise op on integers or bools whose result is not <see cref="Element"/>'s: exact, before wrapping to
    /// the type.</summary>
    public Func<long[], long>? Integer { get; init; }

    /// <summary>Of any other primitive: the whole result from the whole inputs. The node has no symbols left; integers are
    /// wrapped later.</summary>
    public Func<Node, Value[], Value>? Evaluate { get; init; }

    /// <summary>Reverse-mode rule; null for ops without one (integers, comparisons) and for those that decompose.</summary>
    public GradientRule? Gradient { get; init; }

    /// <summary>Of a composite: the same value in simpler ops.</summary>
    public Func<Node, Node>? Decompose { get; init; }

    /// <summary>True when each element of the result depends on the inputs' elements at the same place alone.</summary>
    public bool IsElementwise => Element is not null || Op is Op.Cast or Op.BitCast;
}

/// <summary>The table of all ops, one row each, kept in one file per family.</summary>
public static class Meanings
{
    static readonly Meaning[] table = Fill();

    /// <summary>The row of an op.</summary>
    public static Meaning Of(Op op) => table[(int)op];

    /// <summary>Every row, in the order of <see cref="Op"/>.</summary>
    public static IReadOnlyList<Meaning> All => table;

    static Meaning[] Fill()
    {
        var rows = new Meaning[Enum.GetValues<Op>().Length];
        foreach (var row in (Meaning[])[.. Leaves.Rows, .. Elementwise.Rows, .. Movement.Rows, .. Reductions.Rows,
            .. Indexing.Rows,
                 .. Contraction.Rows, .. PackedWeights.Rows, .. Regions.Rows, .. Composites.Rows, .. TileLeaves.Rows])
            rows[(int)row.Op] = row;
        return rows;
    }
}
