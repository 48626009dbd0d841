using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Compiler.Kernels;

/// <summary>In which pass over the columns each value of a row kernel can be computed, and which values wait in tiles.</summary>
sealed class Phases
{
    readonly Dictionary<Tile, (Node Reduction, Node Value)> reduced;
    readonly IReadOnlyCollection<LoopVariable> columns;
    readonly Dictionary<Node, int> known = [];

    public Phases(Dictionary<Tile, (Node Reduction, Node Value)> reduced, IReadOnlyCollection<LoopVariable> columns)
    {
        this.reduced = reduced;
        this.columns = columns;
    }

    /// <summary>The last phase that has work.</summary>
    public int Last { get; private set; }

    /// <summary>The pass in which a reduction runs.</summary>
    public int Of(Tile tile) => Of(reduced[tile].Value);

    /// <summary>The first pass in which a value can be computed: one after those of the reductions it reads.</summary>
    public int Of(Node value)
    {
        if (known.TryGetValue(value, out int phase)) return phase;
        foreach (var node in Traversal.PostOrder([value]))
        {
            if (known.ContainsKey(node)) continue;
            int first = node.Op == Op.Load && node.Source() is Tile tile && reduced.ContainsKey(tile) ? Of(tile) + 1 : 0;
            foreach (var input in node.Inputs) first = Math.Max(first, known[input]);
            known[node] = first;
        }
        Last = Math.Max(Last, known[value]);
        return known[value];
    }

    /// <summary>The values that are kept in tiles from the phase that computes them to later ones.</summary>
    public List<(Node Value, int First)> Stage(IEnumerable<Tile> reductions, IReadOnlyList<Node> stores, int cheap)
    {
        var needed = new Dictionary<Node, SortedSet<int>>();
        foreach (var value in reductions.Select(tile => reduced[tile].Value).Concat(stores)) Need(value, [Of(value)]);
        var staged = new List<(Node, int)>();
        foreach (var node in Enumerable.Reverse(Traversal.PostOrder(needed.Keys.ToList())))
        {
            if (!needed.TryGetValue(node, out var phases)) continue;
            if (phases.Count > 1 && VariesByColumn(node) && Cost(node) > cheap)
            {
                int first = phases.Min;
                staged.Add((node, first));
                phases = [first];
            }
            foreach (var input in node.Inputs) Need(input, phases);
        }
        staged.Reverse();   // inner values first: an outer one may read them
        return staged;

        void Need(Node node, SortedSet<int> phases)
        {
            if (!needed.TryGetValue(node, out var all)) needed[node] = all = [];
            all.UnionWith(phases);
        }
    }

    bool VariesByColumn(Node node) => Expressions.DependsOn(node, columns);

    static int Cost(Node value) =>
        Traversal.PostOrder([value]).Sum(node => node.DType == DType.Int64 && node.Op != Op.Load ? 0 : Estimate.Cost(node.Op));
}
