namespace Ashlar.Graph;

/// <summary>Derivatives as graphs: the rules of <see cref="Meanings"/>, applied along every path.</summary>
public static class Gradients
{
    /// <summary>The gradient of a scalar with respect to each of <paramref name="parameters"/>; zeros where it does not depend on
    /// one.</summary>
    /// <exception cref="GraphException">The loss is not one floating-point number, or depends on an op without a
    /// gradient.</exception>
    public static Node[] Of(Node loss, IReadOnlyList<Node> parameters)
    {
        if (loss.Shape.Rank != 0)
            throw new GraphException("ASH0311", $"the gradient of {loss} needs a scalar, but it has the shape {loss.Shape}.",
                "reduce the loss to one number, by a mean or a sum, or pass the gradient of the result as a seed.");
        Float(loss, "loss");
        return Of([loss], [loss.Like(1)], parameters);
    }

    /// <summary>Vector-Jacobian product: the gradient of sum(outputs * seeds) with respect to each of
    /// <paramref name="parameters"/>.</summary>
    /// <param name="outputs">What is differentiated.</param>
    /// <param name="seeds">For each output, a node of its type and shape.</param>
    /// <param name="parameters">Any nodes; one may depend on another, then its gradient includes what goes through the
    /// other.</param>
    public static Node[] Of(IReadOnlyList<Node> outputs, IReadOnlyList<Node> seeds, IReadOnlyList<Node> parameters) =>
        Pull(outputs, seeds, parameters, independent: false);

    /// <summary>Jacobian-vector product: how the outputs change when each input changes along its tangent.</summary>
    /// <param name="outputs">What is differentiated.</param>
    /// <param name="inputs">The nodes that change; each is taken as independent of the others.</param>
    /// <param name="tangents">For each input, a node of its type and shape.</param>
    /// <remarks>
    /// The vector-Jacobian product is linear in its seed, so differentiating it with respect to the seed gives the
    /// Jacobian-vector product, and the seed itself drops out (J. Townsend 2017, "A new trick for calculating
    /// Jacobian vector products").
    /// One rule per op then serves both modes, and what the first pass built for its own sake is never reached.
    /// </remarks>
    public static Node[] Jvp(IReadOnlyList<Node> outputs, IReadOnlyList<Node> inputs, IReadOnlyList<Node> tangents)
    {
        Match(inputs, tangents, "tangent");
        // A buffer of an identity that nobody else has: no user's node can be this one.
        Node[] seeds = [.. outputs.Select(output =>
            Node.Of(Op.Buffer, [], new BufferAttributes(new object(), output.DType, output.Shape)))];
        var pulled = Pull(outputs, seeds, inputs, independent: true);
        var pushed = Pull(pulled, tangents, seeds, independent: true);
        // The value does not depend on the seed, but the barriers of recomputed regions still name it.
        return Traversal.Rewrite(pushed, node => node.Op == Op.Buffer && Array.IndexOf(seeds, node) >= 0 ? node.Like(0) : null);
    }

    /// <summary>The gradients of <paramref name="y"/> with respect to inputs taken as independent; a repeated input gets its
    /// gradient once.</summary>
    internal static Node?[] Through(Node y, Node dy, IReadOnlyList<Node> x)
    {
        Node[] distinct = [.. x.Where(node => node.DType.IsFloat).Distinct()];
        var gradients = Pull([y], [dy], distinct, independent: true).ToList();
        var left = distinct.ToList();
        var result = new Node?[x.Count];
        for (int i = 0; i < x.Count; i++)
        {
            int at = left.IndexOf(x[i]);
            if (at < 0) continue;
            result[i] = gradients[at];
            left.RemoveAt(at);
            gradients.RemoveAt(at);
        }
        return result;
    }

    static Node[] Pull(IReadOnlyList<Node> outputs, IReadOnlyList<Node> seeds, IReadOnlyList<Node> parameters, bool independent)
    {
        Match(outputs, seeds, "seed");
        foreach (var output in outputs) Float(output, "result to differentiate");
        foreach (var parameter in parameters) Float(parameter, "node to differentiate with respect to");

        var targets = parameters.ToHashSet();
        var order = Traversal.PostOrder(outputs);
        var active = new HashSet<Node>();   // floats that depend on a target
        foreach (var node in order)
            if (targets.Contains(node) || node.DType.IsFloat && node.Inputs.Any(active.Contains)) active.Add(node);

        var gradients = new Dictionary<Node, Node>();
        void Add(Node node, Node gradient) =>
            gradients[node] = gradients.TryGetValue(node, out var sum) ? sum + gradient : gradient;

        for (int i = 0; i < outputs.Count; i++)
            if (active.Contains(outputs[i])) Add(outputs[i], seeds[i]);
        foreach (var node in Enumerable.Reverse(order))
        {
            if (!active.Contains(node) || !gradients.TryGetValue(node, out var dy)) continue;
            if (independent && targets.Contains(node) || !node.Inputs.Any(active.Contains)) continue;
            var parts = Rule(node, dy);
            for (int i = 0; i < parts.Length; i++)
                if (parts[i] is { } part && active.Contains(node.Inputs[i])) Add(node.Inputs[i], part);
        }
        return [.. parameters.Select(parameter =>
            gradients.TryGetValue(parameter, out var gradient) ? gradient : parameter.Like(0))];
    }

    static Node?[] Rule(Node node, Node dy)
    {
        if (node.Meaning.Gradient is { } rule) return rule(dy, node, node.Inputs);
        if (node.Meaning.Decompose is { } decompose) return Through(decompose(node), dy, node.Inputs);
        if (node.Attributes is KernelAttributes call)
            throw new KernelException("ASH0570",
                $"the kernel '{call.Kernel.Name}' has no gradient, but one is asked through its result {node.DType.Name}{node.Shape}.",
                "give it one: Tensor.CustomGradient(x => kernel.Call(x), (dy, y, x) => [...], inputs), or cut it off with StopGradient.");
        throw new GraphException("ASH0312",
            $"{node.Op} has no gradient, but the loss depends on {node} over {Rules.Types(node.Inputs)}.",
            "compute it outside the differentiated function, or give the function a gradient of its own.");
    }

    static void Match(IReadOnlyList<Node> nodes, IReadOnlyList<Node> others, string what)
    {
        if (nodes.Count != others.Count)
            throw new GraphException("ASH0313", $"{nodes.Count} nodes need as many {what}s, but got {others.Count}.",
                $"pass one {what} per node.");
        for (int i = 0; i < nodes.Count; i++)
            if (nodes[i].Shape != others[i].Shape || nodes[i].DType != others[i].DType)
                throw new ShapeException("ASH0131",
                    $"the {what} of {nodes[i].DType.Name}{nodes[i].Shape} must be like it, "
                    + $"but is {others[i].DType.Name}{others[i].Shape}.",
                    $"cast or broadcast the {what}.");
    }

    static void Float(Node node, string what)
    {
        if (!node.DType.IsFloat)
            throw new GraphException("ASH0310", $"the {what} must be floating-point, but is {node.DType.Name}{node.Shape}.",
                "cast to f32 before, or leave it out.");
    }
}
