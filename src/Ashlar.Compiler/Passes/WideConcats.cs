using Ashlar.Graph;

namespace Ashlar.Compiler.Passes;

/// <summary>Makes a tree of a concat of many parts: an element of a concat is found by comparing with the start of each
/// part.</summary>
/// <remarks>Runs after the rules that flatten concats of concats. Stacking 2000 scalars is three levels of at most 16
/// parts.</remarks>
static class WideConcats
{
    const int MostParts = 16;

    /// <summary>The same function with wide concats cut.</summary>
    public static Function Split(Function function) =>
        function with
        {
            Results = Traversal.Rewrite(function.Results,
                node => node.Op == Op.Concat && node.Inputs.Count > MostParts ? Split(node) : null).ToValueList(),
        };

    static Node Split(Node node)
    {
        int axis = node.Get<AxisAttributes>().Axis;
        Node[] parts = [.. node.Inputs];
        while (parts.Length > MostParts)
            parts = [.. parts.Chunk(MostParts).Select(some => some.Length == 1 ? some[0] : Nodes.Concat(axis, some))];
        return Nodes.Concat(axis, parts);
    }
}
