namespace Ashlar.Graph;

/// <summary>Ways through a graph. None recurses: graphs may be deeper than the stack.</summary>
public static class Traversal
{
    /// <summary>Every node that <paramref name="roots"/> need, each once, inputs before users.</summary>
    /// <param name="roots">Where to begin.</param>
    /// <param name="stopAt">Nodes whose inputs are not visited; null for none.</param>
    public static List<Node> PostOrder(IEnumerable<Node> roots, Func<Node, bool>? stopAt = null)
    {
        var order = new List<Node>();
        var seen = new HashSet<Node>();
        var stack = new Stack<(Node Node, int Next)>();
        foreach (var root in roots)
        {
            if (!seen.Add(root)) continue;
            stack.Push((root, 0));
            while (stack.TryPop(out var top))
            {
                if (top.Next == top.Node.Inputs.Count || stopAt is not null && stopAt(top.Node))
                {
                    order.Add(top.Node);
                    continue;
                }
                stack.Push((top.Node, top.Next + 1));
                var input = top.Node.Inputs[top.Next];
                if (seen.Add(input)) stack.Push((input, 0));
            }
        }
        return order;
    }

    /// <summary>Rebuilds a graph bottom-up: <paramref name="replace"/> sees each node with its inputs already rebuilt.</summary>
    /// <param name="roots">The results to rebuild.</param>
    /// <param name="replace">Another node to stand in, or null to keep the one given.</param>
    /// <param name="stopAt">Nodes that are replaced without rebuilding what is below them; null for none.</param>
    /// <returns>The rebuilt roots, in order.</returns>
    public static Node[] Rewrite(IEnumerable<Node> roots, Func<Node, Node?> replace, Func<Node, bool>? stopAt = null)
    {
        var list = roots.ToArray();
        var map = new Dictionary<Node, Node>();
        foreach (var node in PostOrder(list, stopAt))
        {
            if (stopAt is not null && stopAt(node))
            {
                map[node] = replace(node) ?? node;
                continue;
            }
            var inputs = new Node[node.Inputs.Count];
            for (int i = 0; i < inputs.Length; i++) inputs[i] = map[node.Inputs[i]];
            var rebuilt = node.With(inputs);
            map[node] = replace(rebuilt) ?? rebuilt;
        }
        return Array.ConvertAll(list, root => map[root]);
    }

    /// <summary>For each node under <paramref name="roots"/>, the nodes that use it, once per use.</summary>
    public static Dictionary<Node, List<Node>> Users(IEnumerable<Node> roots)
    {
        var users = new Dictionary<Node, List<Node>>();
        foreach (var node in PostOrder(roots))
        {
            users.TryAdd(node, []);
            foreach (var input in node.Inputs) users[input].Add(node);
        }
        return users;
    }
}
