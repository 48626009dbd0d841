using Ashlar.Graph;

namespace Ashlar.Compiler.Kernels;

/// <summary>How large the expression is that computes an element of a node, from what is in memory: instructions, roughly, and at
/// least one per node.</summary>
/// <remarks>
/// Bounds what a kernel inlines, and so how deep its expressions are. A value that is used twice at one index is computed once
/// and counts once; parts of a concat are computed each under a guard of its own, so what they share counts for each.
/// </remarks>
/// <param name="isStored">Nodes that are in memory, or will be.</param>
sealed class InlineSizes(Func<Node, bool> isStored)
{
    readonly Dictionary<Node, int> sizes = [];

    /// <summary>The size; 0 for what is stored. Inputs must have been asked for before.</summary>
    /// <param name="node">A node.</param>
    /// <param name="most">Where counting may stop: greater sizes are greater than this, no more.</param>
    public int Of(Node node, int most)
    {
        if (isStored(node)) return 0;
        if (sizes.TryGetValue(node, out int known)) return known;
        // A tree that is small enough needs no look at what it shares.
        long tree = Own(node);
        foreach (var input in node.Inputs) tree += isStored(input) ? 0 : sizes[input];
        int size = (int)Math.Min(int.MaxValue, tree);
        if (size > most && !IsGuarding(node)) size = Distinct(node, most);
        return sizes[node] = size;
    }

    /// <summary>The size has to be found anew: an input was stored.</summary>
    public void Forget(Node node) => sizes.Remove(node);

    int Distinct(Node root, int most)
    {
        long size = 0;
        var seen = new HashSet<Node>();
        var stack = new Stack<Node>([root]);
        while (size <= most && stack.TryPop(out var node))
        {
            if (isStored(node) || !seen.Add(node)) continue;
            if (node != root && IsGuarding(node)) { size += sizes[node]; continue; }
            size += Own(node);
            foreach (var input in node.Inputs) stack.Push(input);
        }
        return (int)Math.Min(int.MaxValue, size);
    }

    static bool IsGuarding(Node node) => node.Op is Op.Concat or Op.Pad;

    // A part of a concat is compared and selected; a pad compares with both ends of each axis.
    static int Own(Node node) => node.Op switch
    {
        Op.Concat => 3 * node.Inputs.Count,
        Op.Pad => 2 + 2 * node.Shape.Rank,
        _ => Math.Max(1, Estimate.Cost(node.Op)),
    };
}
