using System.Runtime.CompilerServices;
using Ashlar.Graph;

namespace Ashlar.Runtime;

/// <summary>A function of what its nodes read from memory: every buffer became a parameter.</summary>
/// <param name="Function">The parameters given first, then one for each buffer in the order of traversal.</param>
/// <param name="Buffers">What to pass for the parameters made of buffers.</param>
public sealed record Capture(Function Function, IReadOnlyList<Node> Buffers)
{
    /// <summary>Closes nodes over their buffers, so that graphs of one structure over other data become the same
    /// function.</summary>
    /// <param name="results">What the function computes.</param>
    /// <param name="parameters">Nodes that become the first parameters, in order; of any op.</param>
    /// <param name="leafOf">The buffer leaf that stands for a node computed before; null for others.</param>
    /// <exception cref="TraceException">A node needs an argument of a function that was traced elsewhere.</exception>
    public static Capture Of(IReadOnlyList<Node> results, IReadOnlyList<Node> parameters, Func<Node, Node?> leafOf)
    {
        var map = new Dictionary<Node, Node>();
        var list = new List<Node>(parameters.Count);
        var buffers = new List<Node>();
        var leaves = new Dictionary<Node, Node>();
        foreach (var parameter in parameters)
            list.Add(map[parameter] = Nodes.Parameter(list.Count, parameter.DType, parameter.Shape, Name(parameter)));

        var stack = new Stack<(Node Node, int Next)>();
        foreach (var root in results) Visit(root);

        return new(new(list.ToValueList(), results.Select(result => map[result]).ToValueList()), buffers);

        void Visit(Node root)
        {
            if (!Known(root)) stack.Push((root, 0));
            while (stack.TryPop(out var top))
            {
                if (top.Next == top.Node.Inputs.Count)
                {
                    var inputs = new Node[top.Node.Inputs.Count];
                    for (int i = 0; i < inputs.Length; i++) inputs[i] = map[top.Node.Inputs[i]];
                    map[top.Node] = top.Node.With(inputs);
                    continue;
                }
                stack.Push((top.Node, top.Next + 1));
                var input = top.Node.Inputs[top.Next];
                if (!Known(input)) stack.Push((input, 0));
            }
        }

        bool Known(Node node)
        {
            if (map.ContainsKey(node)) return true;
            if (leafOf(node) is not { } leaf)
                return node.Op != Op.Parameter ? false : throw new TraceException("ASH0403",
                    $"a tensor {node.DType.Name}{node.Shape} is an argument of a traced function, but is used outside that function.",
                    "return it from the traced function instead of storing it, or keep it in a State.");
            if (!leaves.TryGetValue(leaf, out var parameter))
            {
                leaves[leaf] = parameter = Nodes.Parameter(list.Count, leaf.DType, leaf.Shape);
                list.Add(parameter);
                buffers.Add(leaf);
            }
            map[node] = parameter;
            return true;
        }
    }

    // Placeholders are called "#17 weight", so that two of one name and shape are two nodes; the number is not part of the
    // structure.
    static string? Name(Node node)
    {
        if (node.Attributes is not ParameterAttributes { Name: { } name } || !name.StartsWith('#'))
            return (node.Attributes as ParameterAttributes)?.Name;
        int blank = name.IndexOf(' ', StringComparison.Ordinal);
        return blank < 0 ? null : name[(blank + 1)..];
    }
}

/// <summary>Buffer leaves: nodes whose value lies in memory.</summary>
public static class Leaf
{
    static readonly ConditionalWeakTable<Node, Node> views = [];

    /// <summary>The node of a buffer's first elements.</summary>
    public static Node Of(Buffer buffer, DType dtype, Shape shape) =>
        Node.Of(Op.Buffer, [], new BufferAttributes(buffer, dtype, shape));

    /// <summary>The leaf that holds the value of a node: the node itself, what the default device computed for it, or a view of
    /// either.</summary>
    /// <returns>Null where the node was not computed.</returns>
    public static Node? Find(Node node)
    {
        if (node.Op == Op.Buffer) return node;
        if (Device.Current?.Computed.TryGetValue(node, out var leaf) == true || views.TryGetValue(node, out leaf)) return leaf;
        if (node.Op is not (Op.Reshape or Op.BitCast) || Find(node.Inputs[0]) is not { } source) return null;
        leaf = Of(BufferOf(source), node.DType, node.Shape);   // the same elements under another name: no copy
        if (source == node.Inputs[0]) views.AddOrUpdate(node, leaf);   // of data; others belong to the device that computed them
        return leaf;
    }

    /// <summary>The memory of a leaf.</summary>
    public static Buffer BufferOf(Node leaf) => (Buffer)leaf.Get<BufferAttributes>().Identity;
}
