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
}
