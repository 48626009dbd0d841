namespace Ashlar.Graph;

/// <summary>A pure function: results over parameters. Parameter i is an <see cref="Op.Parameter"/> node of index i.</summary>
/// <param name="Parameters">The arguments, in order; <see cref="Op.Parameter"/> nodes.</param>
/// <param name="Results">What the function computes.</param>
public sealed record Function(ValueList<Node> Parameters, ValueList<Node> Results)
{
    /// <summary>The results with nodes in place of the parameters.</summary>
    public Node[] Inline(IReadOnlyList<Node> arguments)
    {
        var map = new Dictionary<Node, Node>();
        for (int i = 0; i < Parameters.Count; i++) map[Parameters[i]] = arguments[i];
        return Traversal.Rewrite(Results, node => map.GetValueOrDefault(node));
    }

    /// <summary>Every node the results need, inputs before users.</summary>
    public List<Node> Order() => Traversal.PostOrder(Results);

    /// <summary>The extents of all parameters and nodes, of nested functions too.</summary>
    public IEnumerable<Extent> Extents =>
        Traversal.PostOrder(Parameters.Concat(Results)).Where(node => node.Attributes is not null)
            .SelectMany(node => node.Attributes!.Extents);

    /// <summary>Every symbol that occurs, once each, by name.</summary>
    public IReadOnlyList<Symbol> Symbols => [.. Extents.SelectMany(extent => extent.Symbols).Distinct().Order()];

    /// <summary>The same function with other extents, such as numbers, in place of its symbols.</summary>
    public Function Substitute(Func<Symbol, Extent> values)
    {
        var all = Substitution.Of([.. Parameters, .. Results], values);
        return new(all[..Parameters.Count].ToValueList(), all[Parameters.Count..].ToValueList());
    }
}
