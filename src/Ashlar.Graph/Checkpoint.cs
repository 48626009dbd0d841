namespace Ashlar.Graph;

/// <summary>Trades time for memory: the inside of a region is computed again for the gradient instead of being kept.</summary>
/// <remarks>Of a region its inputs are kept, nothing else: docs/decisions/0012-checkpoints-keep-inputs.md.</remarks>
public static class Checkpoint
{
    /// <summary>The same value as <paramref name="output"/>, whose gradient recomputes everything between it and
    /// <paramref name="inputs"/>.</summary>
    /// <param name="output">The result of the region, already built over <paramref name="inputs"/>.</param>
    /// <param name="inputs">Where the region begins. Other nodes that it reads, such as weights, are kept too and get their
    /// gradients.</param>
    /// <param name="name">For text forms.</param>
    public static Node Of(Node output, IReadOnlyList<Node> inputs, string name = "checkpoint")
    {
        var (forward, arguments) = Region.Extract(output, inputs);
        if (!forward.Results[0].Inputs.Any()) return output;   // nothing inside
        return Node.Of(Op.Custom, arguments, new CustomAttributes(forward, Backward(forward), name));
    }

    // From (dy, y, x...): the forward function again, over inputs behind barriers that wait for dy. Without the barriers
    // hash-consing would make the recomputed nodes the original ones, and nothing would be saved.
    static Function Backward(Function forward)
    {
        var y = forward.Results[0];
        var dy = Nodes.Parameter(0, y.DType, y.Shape, "dy");
        Node[] parameters = [dy, Nodes.Parameter(1, y.DType, y.Shape, "y"),
            .. forward.Parameters.Select((parameter, i) => Nodes.Parameter(i + 2, parameter.DType, parameter.Shape))];
        Node[] again = [.. parameters[2..].Select(parameter => Nodes.Barrier(parameter, dy))];
        var gradients = Gradients.Through(forward.Inline(again)[0], dy, again);
        return new([.. parameters], gradients.Select((gradient, i) => gradient ?? parameters[i + 2].Like(0)).ToValueList());
    }
}

/// <summary>Makes functions of parts of a graph.</summary>
public static class Region
{
    /// <summary>The function that computes <paramref name="output"/> from <paramref name="inputs"/>, and the nodes to call it
    /// with.</summary>
    /// <returns>
    /// The function, and its arguments: first <paramref name="inputs"/>, then every other node that the region reads without it
    /// depending on them. Constants and sizes stay inside.
    /// </returns>
    public static (Function Function, Node[] Arguments) Extract(Node output, IReadOnlyList<Node> inputs)
    {
        var given = inputs.ToHashSet();
        var inside = new HashSet<Node>();
        var order = Traversal.PostOrder([output]);
        foreach (var node in order)
        {
            bool depends = node.Inputs.Any(input => given.Contains(input) || inside.Contains(input));
            if (!given.Contains(node) && (depends || node == output)) inside.Add(node);
        }

        var arguments = inputs.ToList();
        foreach (var node in order.Where(inside.Contains))
            foreach (var input in node.Inputs)
                if (!inside.Contains(input) && !IsFree(input) && given.Add(input)) arguments.Add(input);

        var map = new Dictionary<Node, Node>();
        var parameters = new Node[arguments.Count];
        for (int i = 0; i < parameters.Length; i++)
            map[arguments[i]] = parameters[i] = Nodes.Parameter(i, arguments[i].DType, arguments[i].Shape);
        foreach (var node in order.Where(inside.Contains))
            map[node] = node.With([.. node.Inputs.Select(input => map.GetValueOrDefault(input, input))]);
        return (new([.. parameters], [map.GetValueOrDefault(output, output)]), [.. arguments]);
    }

    static bool IsFree(Node node) => node.Op is Op.Constant or Op.Size or Op.Iota;
}
