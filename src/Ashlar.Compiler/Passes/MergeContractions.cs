using Ashlar.Compiler.Kernels;
using Ashlar.Graph;
using static Ashlar.Graph.Nodes;

namespace Ashlar.Compiler.Passes;

/// <summary>Makes one contraction of several that share their left input: queries, keys and values; gate and up.</summary>
/// <remarks>
/// The model counts bytes. Merged, the left input is read and packed once, not once per contraction; but the weights are joined
/// by a
/// copy, and elementwise work that would have run on a result before it reached memory now reads it from there.
/// Weights must be parameters or buffers, perhaps moved: joining computed ones would wait for all of them.
/// </remarks>
static class MergeContractions
{
    // A contraction packs its left input: it reads it, writes the packed form and reads that.
    const int PassesOverLeft = 3;

    /// <summary>The same function with sibling contractions merged where that saves bytes.</summary>
    public static Function Run(Function function)
    {
        var users = Traversal.Users(function.Results);
        var results = function.Results.ToHashSet();
        var map = new Dictionary<Node, Node>();
        foreach (var group in Traversal.PostOrder(function.Results).Where(IsCandidate).GroupBy(Key)
            .Where(group => group.Count() > 1))
        {
            Node[] siblings = [.. group];
            if (Saving(siblings, users, results) > 0) Merge(siblings, map);
        }
        return map.Count == 0 ? function : function with { Results = Replaced(function.Results, map) };
    }

    static bool IsCandidate(Node n) =>
        n.Op == Op.Contract && n.Get<ContractAttributes>().FreeRight(n.Inputs[1].Shape.Rank).Length == 1
            && n.Get<ContractAttributes>().FreeLeft(n.Inputs[0].Shape.Rank).Length > 0 && IsWeight(n.Inputs[1]);

    static bool IsWeight(Node n)
    {
        while (n.Op is Op.Reshape or Op.Permute or Op.Slice or Op.Cast) n = n.Inputs[0];
        return n.Op is Op.Parameter or Op.Buffer;
    }

    // Siblings differ in the right input alone, and there in the free axis alone.
    static (Node Left, Attributes Pairs, Shape Others) Key(Node n) =>
        (n.Inputs[0], n.Attributes!, n.Inputs[1].Shape.Without(Free(n)));

    static int Free(Node n) => n.Get<ContractAttributes>().FreeRight(n.Inputs[1].Shape.Rank)[0];

    static long Saving(Node[] siblings, Dictionary<Node, List<Node>> users, HashSet<Node> results)
    {
        long saved = (siblings.Length - 1) * PassesOverLeft * Estimate.Bytes(siblings[0].Inputs[0]);
        long joined = siblings.Sum(node => 2 * Estimate.Bytes(node.Inputs[1]));
        // Each elementwise user is one epilogue that the plain contractions could have had; two siblings may share one.
        var epilogues = siblings.Where(node =>
            !results.Contains(node) && users[node].Count == 1 && users[node][0].Meaning.IsElementwise)
            .GroupBy(node => users[node][0]);
        long unfused = epilogues.Sum(group => 2 * Estimate.Bytes(group.First()));
        long copied = siblings.Where(results.Contains).Sum(node => 2 * Estimate.Bytes(node));
        return saved - joined - unfused - copied;
    }

    static void Merge(Node[] siblings, Dictionary<Node, Node> map)
    {
        var first = siblings[0];
        var weights = Concat(Free(first), [.. siblings.Select(node => node.Inputs[1])]);
        var merged = Node.Of(Op.Contract, [first.Inputs[0], weights], first.Attributes);
        int axis = merged.Shape.Rank - 1;
        Extent start = 0;
        foreach (var sibling in siblings)
        {
            map[sibling] = SliceAxis(merged, axis, start, sibling.Shape[axis]);
            start += sibling.Shape[axis];
        }
    }

    // The left inputs of merged contractions may themselves hold contractions that were merged, so replacing is repeated.
    static ValueList<Node> Replaced(IReadOnlyList<Node> roots, Dictionary<Node, Node> map)
    {
        var done = new Dictionary<Node, Node>();
        var stack = new Stack<Node>(roots);
        while (stack.TryPeek(out var node))
        {
            if (done.ContainsKey(node)) { stack.Pop(); continue; }
            IReadOnlyList<Node> needed = map.TryGetValue(node, out var other) ? [other] : node.Inputs;
            Node[] missing = [.. needed.Where(input => !done.ContainsKey(input))];
            foreach (var input in missing) stack.Push(input);
            if (missing.Length > 0) continue;
            done[node] = other is not null ? done[other] : node.With([.. node.Inputs.Select(input => done[input])]);
            stack.Pop();
        }
        return roots.Select(root => done[root]).ToValueList();
    }
}
