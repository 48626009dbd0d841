using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Compiler.Kernels;

/// <summary>Whether movement ops between a contraction and memory can be read as strides.</summary>
static class OperandViews
{
    /// <summary>True when each element of <paramref name="node"/> is an element of one stored node, at an offset that is affine
    /// in the index.</summary>
    public static bool IsStrided(Node node, Func<Node, bool> isOwned)
    {
        bool strided = true;
        var variables = node.Shape.Select((extent, i) => new LoopVariable($"i{i}", extent)).ToArray();
        var evaluator = new IndexEvaluator((inner, index, _) =>
        {
            if (!Partition.IsStored(inner) && !isOwned(inner))
            {
                strided &= inner.Op is Op.Reshape or Op.Permute or Op.Broadcast or Op.Slice or Op.Window;
                return strided ? null : TileNodes.Number(0);
            }
            strided &= index.All(axis => axis.Terms.All(term => term.Atom.Op == Op.Index));
            return TileNodes.Number(0);
        });
        evaluator.Value(node, [.. variables.Select(Affine.Of)]);
        return strided;
    }
}
