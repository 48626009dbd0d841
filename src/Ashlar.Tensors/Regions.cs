namespace Ashlar;

/// <summary>Functions inside graphs: custom gradients, and what gradients are taken of.</summary>
static class Regions
{
    static long placeholders;

    /// <summary>A node that stands for an argument while a function is traced. Its name makes it unlike every other.</summary>
    public static Node Placeholder(DType dtype, Shape shape, string? name = null) =>
        Nodes.Parameter(0, dtype, shape, $"#{Interlocked.Increment(ref placeholders)}{(name is null ? "" : " " + name)}");

    public static Tensor[] Pull(Tensor[] parameters, Func<IReadOnlyList<Node>, Node[]> pull)
    {
        // A state's value may be known by two nodes: before and after it was computed.
        Node[][] identities = [.. parameters.Select(parameter => parameter.Identities.ToArray())];
        var gradients = pull([.. identities.SelectMany(nodes => nodes)]);
        var result = new Tensor[parameters.Length];
        int next = 0;
        for (int i = 0; i < result.Length; i++)
        {
            var sum = gradients[next++];
            for (int j = 1; j < identities[i].Length; j++) sum += gradients[next++];
            result[i] = new(sum);
        }
        return result;
    }

    public static Tensor Stop(Tensor x)
    {
        if (!x.DType.IsFloat) return x;
        var parameter = Nodes.Parameter(0, x.DType, x.Shape);
        var backward = new Function([parameter, Nodes.Parameter(1, x.DType, x.Shape), Nodes.Parameter(2, x.DType, x.Shape)],
            [parameter.Like(0)]);
        return new(Node.Of(Op.Custom, [x.Node], new CustomAttributes(new([parameter], [parameter]), backward, "stop_gradient")));
    }

    public static Tensor Custom(Func<Tensor[], Tensor> forward, Func<Tensor, Tensor, Tensor[], Tensor[]> backward,
        Tensor[] inputs, string name)
    {
        Node[] x = [.. inputs.Select(input => Placeholder(input.DType, input.Shape))];
        Tensor[] arguments = [.. x.Select(node => new Tensor(node))];
        var result = forward(arguments);
        var (dy, y) = (Placeholder(result.DType, result.Shape), Placeholder(result.DType, result.Shape));
        var gradients = backward(new(dy), new(y), arguments);
        if (gradients.Length != x.Length)
            throw new GraphException("ASH0304",
                $"the gradient of '{name}' gave {gradients.Length} tensors for {x.Length} inputs.",
                "return one gradient per input, in order.");
        for (int i = 0; i < x.Length; i++)
            if (gradients[i].Shape != x[i].Shape || gradients[i].DType != x[i].DType)
                throw new ShapeException("ASH0162",
                    $"the gradient of '{name}' for input {i}, {inputs[i].Type}, is {gradients[i].Type}.",
                    "return gradients like their inputs: sum over broadcast axes.");

        // What either function reads besides its arguments becomes an argument too: functions in graphs are closed.
        Node[] all = [result.Node, .. gradients.Select(gradient => gradient.Node)];
        var inside = new HashSet<Node>([dy, y, .. x]);
        foreach (var node in Traversal.PostOrder(all))
            if (node.Inputs.Any(inside.Contains)) inside.Add(node);
        Node? Outside(Node node) => inside.Contains(node) || node.Op is Op.Constant or Op.Size or Op.Iota ? null : node;
        var outside = Capture.Of(all, [dy, y, .. x], Outside).Buffers;

        var closed = Capture.Of([result.Node], [.. x, .. outside], Outside).Function;
        Node[] pulled = [.. gradients.Select(gradient => gradient.Node), .. outside.Select(node => node.Like(0))];
        var adjoint = Capture.Of(pulled, [dy, y, .. x, .. outside], Outside).Function;
        return new(Node.Of(Op.Custom, [.. inputs.Select(input => input.Node), .. outside],
            new CustomAttributes(closed, adjoint, name)));
    }
}
