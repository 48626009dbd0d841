using Ashlar.Graph;

namespace Ashlar.Compiler.Kernels;

/// <summary>What shape of loop nest a kernel is.</summary>
enum KernelKind
{
    /// <summary>Elementwise over all elements of its roots.</summary>
    Map,
    /// <summary>Rows of equal length, with reductions along each row.</summary>
    Rows,
    /// <summary>One contraction, with elementwise work on its result.</summary>
    Contraction,
    /// <summary>One op that is none of these: a scan, a sort, a scatter, a reduction over leading axes.</summary>
    Single,
}

/// <summary>The nodes that one kernel computes: those it stores (roots) and those it inlines on the way.</summary>
sealed class Kernel
{
    /// <summary>What shape of loop nest it is.</summary>
    public required KernelKind Kind { get; set; }

    /// <summary>The nodes whose values it stores.</summary>
    public required List<Node> Roots { get; init; }

    /// <summary>How many rows; for a map the number of elements.</summary>
    public Extent Rows { get; set; } = 1;

    /// <summary>How many elements in a row; 1 for a map.</summary>
    public Extent Columns { get; set; } = 1;

    /// <summary>Of a kernel with sums over rows: how many consecutive rows make one sum; they run one after another. Null without
    /// such sums.</summary>
    public Extent? Part { get; init; }

    /// <summary>The contraction, or the op of a single kernel.</summary>
    public Node? Anchor { get; init; }

    /// <summary>Reductions, and row values, that the kernel computes in statements of their own without storing them.</summary>
    public HashSet<Node> Inner { get; } = [];

    public override string ToString() =>
        $"{Kind} {Rows}x{Columns}: {string.Join(", ", Roots.Select(root => $"{root.Meaning.Name}{root.Shape}"))}";
}

/// <summary>Rough sizes, to compare costs with. Symbols count as 512, or the bound next to it.</summary>
static class Estimate
{
    public static long Of(Extent extent) => extent.Evaluate(symbol => Math.Clamp(512, symbol.Min, symbol.Max));

    public static long Elements(Node node) => Of(node.Shape.Elements);

    public static long Bytes(Node node) => Elements(node) * node.DType.Bytes;

    /// <summary>Instructions per element, roughly: what recomputing costs.</summary>
    public static int Cost(Op op) => op switch
    {
        Op.Exp or Op.Log or Op.Sin or Op.Cos or Op.Tanh or Op.Erf => 12,
        Op.Pow => 24,
        Op.RandomBits => 80,
        Op.Div or Op.Mod or Op.Sqrt or Op.Rsqrt or Op.Recip => 4,
        Op.Constant or Op.Parameter or Op.Buffer or Op.Size or Op.Iota => 0,
        Op.Reshape or Op.Permute or Op.Broadcast or Op.Slice or Op.Flip or Op.Window or Op.Barrier => 0,
        _ => 1,
    };
}
