using System.Runtime.CompilerServices;

namespace Ashlar.Graph;

/// <summary>The loop variable whose value an Index node is. Compared by reference.</summary>
public sealed record IndexAttributes(object Variable) : Attributes
{
    /// <inheritdoc/>
    public bool Equals(IndexAttributes? other) => other is not null && ReferenceEquals(Variable, other.Variable);

    /// <inheritdoc/>
    public override int GetHashCode() => RuntimeHelpers.GetHashCode(Variable);
}

/// <summary>The memory a Load node reads. Compared by reference.</summary>
/// <param name="Source">A buffer or tile of Ashlar.Tiles.</param>
/// <param name="DType">Its element type.</param>
/// <param name="Rank">How many of the inputs are indices; one input more is a bool guard: where it is false, memory is not
/// touched and the value is 0.</param>
public sealed record LoadAttributes(object Source, DType DType, int Rank) : Attributes
{
    /// <inheritdoc/>
    public bool Equals(LoadAttributes? other) =>
        other is not null && ReferenceEquals(Source, other.Source) && DType == other.DType && Rank == other.Rank;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(RuntimeHelpers.GetHashCode(Source), Rank);
}

/// <summary>Which gather or scatter a Bound guards, for the error when an index is out of range.</summary>
public sealed record BoundAttributes(string Site) : Attributes;

/// <summary>Rows of the leaves of tile expressions. The tile interpreter evaluates them.</summary>
static class TileLeaves
{
    public static readonly Meaning[] Rows =
    [
        new(Op.Index, "index", (_, a) => { Rules.Expect<IndexAttributes>(Op.Index, a); return new(DType.Int64, Shape.Scalar); }),
        new(Op.Load, "load", (x, a) =>
        {
            var load = Rules.Expect<LoadAttributes>(Op.Load, a);
            bool guarded = x.Length == load.Rank + 1;
            if (!guarded) Rules.Arity(Op.Load, x, load.Rank);
            for (int i = 0; i < x.Length; i++)
                if (x[i].Shape.Rank != 0 || x[i].DType != (i == load.Rank ? DType.Bool : DType.Int64))
                    throw new KernelException("ASH0501",
                        $"Load needs one i64 scalar per axis and a bool scalar as guard, but got {Rules.Types(x)}.",
                        "cast the indices to i64.");
            return new(load.DType, Shape.Scalar);
        }),
        new(Op.Bound, "bound", (x, a) =>
        {
            Rules.Arity(Op.Bound, x, 2);
            Rules.Same(Op.Bound, x);
            Rules.Expect<BoundAttributes>(Op.Bound, a);
            Rules.Index(Op.Bound, x[0]);
            return new(x[0].DType, x[0].Shape);
        }),
    ];
}
