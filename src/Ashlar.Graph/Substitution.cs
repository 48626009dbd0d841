namespace Ashlar.Graph;

/// <summary>Puts other extents in place of symbols.</summary>
public static class Substitution
{
    /// <summary>The same nodes with other extents, such as numbers, in place of their symbols.</summary>
    public static Node[] Of(IReadOnlyList<Node> nodes, Func<Symbol, Extent> values)
    {
        // Not Traversal.Rewrite: it would rebuild a user, and check its shapes, before its own attributes are substituted.
        var map = new Dictionary<Node, Node>();
        foreach (var node in Traversal.PostOrder(nodes))
        {
            var attributes = node.Attributes is { } old && old.Extents.Any(extent => !extent.IsConstant) ? old.Substitute(values)
                : node.Attributes;
            Node[] inputs = [.. node.Inputs.Select(input => map[input])];
            map[node] = ReferenceEquals(attributes, node.Attributes) ? node.With(inputs) : Node.Of(node.Op, inputs, attributes);
        }
        return [.. nodes.Select(node => map[node])];
    }

    internal static Shape Substitute(this Shape shape, Func<Symbol, Extent> values) =>
        Shape.Of(shape.Select(extent => extent.Substitute(values)));

    internal static ValueList<Extent> Substitute(this ValueList<Extent> extents, Func<Symbol, Extent> values) =>
        extents.Select(extent => extent.Substitute(values)).ToValueList();
}
