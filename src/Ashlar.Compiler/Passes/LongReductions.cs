using Ashlar.Compiler.Kernels;
using Ashlar.Graph;

namespace Ashlar.Compiler.Passes;

/// <summary>Cuts a reduction of many elements to few into two: parts that run in parallel, then their reduction.</summary>
/// <remarks>The number of parts depends on shapes only, never on threads, so results are the same on every machine of one
/// path.</remarks>
static class LongReductions
{
    // Fewer kept elements than this leave workers idle; below these many elements in all one worker is as fast.
    const long FewKept = 2048;
    const long ManyElements = 1 << 16;

    // Parts are sought near this number: enough for many workers, few enough that the second reduction is nothing.
    const long Parts = 32;

    /// <summary>The same function with long reductions cut.</summary>
    public static Function Split(Function function) =>
        function with
        {
            Results = Traversal.Rewrite(function.Results, node =>
                node.Op is Op.ReduceSum or Op.ReduceProd or Op.ReduceMax or Op.ReduceMin ? Split(node) : null).ToValueList(),
        };

    static Node? Split(Node node)
    {
        var input = node.Inputs[0];
        if (!input.Shape.IsConstant || Estimate.Elements(input) < ManyElements) return null;
        int[] axes = Partition.ReducedAxes(node);
        if (Estimate.Elements(node) >= FewKept && !SumsRows(node, axes)) return null;
        bool rows = Partition.IsRowReduction(node);
        if (rows && Estimate.Elements(node) >= Parts) return null;   // a kernel of rows has enough of them

        // Cut the outermost reduced axis that has a divisor near the wanted number of parts.
        foreach (int axis in axes)
        {
            long extent = input.Shape[axis].Value;
            long parts = Divisor(extent);
            if (parts < 2) continue;
            var cut = Nodes.Reshape(input, [.. input.Shape.Take(axis), parts, extent / parts, .. input.Shape.Skip(axis + 1)]);
            int[] inner = [.. axes.Select(other => other >= axis ? other + 1 : other)];
            var partial = Nodes.Reduce(node.Op, cut, inner);
            int place = axis - axes.Count(other => other < axis);
            return Nodes.Reduce(node.Op, partial, place);
        }
        return null;
    }

    // A sum of many rows into one: in parts it joins the kernel that makes the rows, or reads them in the order they lie.
    static bool SumsRows(Node node, int[] axes) =>
        node.Op == Op.ReduceSum && axes.Order().SequenceEqual(Enumerable.Range(0, axes.Length))
            && Estimate.Elements(node) <= 1 << 14
        && Estimate.Elements(node.Inputs[0]) / Math.Max(1, Estimate.Elements(node)) >= 16 * Parts;

    static long Divisor(long extent)
    {
        for (long distance = 0; distance < Parts; distance++)
        {
            if (extent % (Parts + distance) == 0) return Parts + distance;
            if (extent % (Parts - distance) == 0) return Parts - distance;
        }
        return 1;
    }
}
