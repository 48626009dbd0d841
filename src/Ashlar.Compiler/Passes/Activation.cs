using Ashlar.Graph;
using static Ashlar.Graph.Nodes;

namespace Ashlar.Compiler.Passes;

/// <summary>Finds sigmoid, silu and gelu however they are spelled: by their values.</summary>
/// <remarks>
/// People write gelu in a dozen ways (where the halves go, x*x*x or pow, constants with 8 or 16 digits). So a small expression of
/// one variable, made of arithmetic and exp, tanh or erf alone, is run at many points and compared. Such expressions are analytic
/// and have few parts, so two that agree to the last digits of their type at all points are the same function or so near that
/// the difference is that of the constants' digits.
/// </remarks>
static class Activation
{
    // Gelu by tanh, the longest, has 11 ops and 5 constants; spelled with a product more it still fits.
    const int MostNodes = 20;

    // from -7 to 7
    static readonly double[] points = [.. Enumerable.Range(0, 48).Select(i => (i - 23.6) * 0.2971 + 0.05 * Math.Sin(i * i))];

    public static Node? Raise(Node n)
    {
        if (n.Op is not (Op.Mul or Op.Recip or Op.Div) || !n.DType.IsFloat || n.DType.Compute != n.DType) return null;
        foreach (var x in Variables(n))
        {
            if (Values(n, x) is not { } values) continue;
            foreach (var candidate in (Node[])[Sigmoid(x), Silu(x), Gelu(x), Gelu(x, approximate: true)])
                if (candidate != n && Agree(values, Values(candidate, x)!, n.DType)) return candidate;
        }
        return null;
    }

    // Nodes near the root over which it may be an expression of one variable: the nearest first.
    static IEnumerable<Node> Variables(Node root)
    {
        var seen = new HashSet<Node>();
        var queue = new Queue<Node>(root.Inputs);
        while (queue.TryDequeue(out var node))
        {
            if (node.Op == Op.Constant || node.Shape != root.Shape || node.DType != root.DType || !seen.Add(node)) continue;
            if (seen.Count > MostNodes) yield break;
            yield return node;
            if (IsPart(node)) foreach (var input in node.Inputs) queue.Enqueue(input);
        }
    }

    // The values at the points, or null where the root is no expression of x alone, or has nothing transcendental in it.
    static double[]? Values(Node root, Node x)
    {
        var inside = new List<Node>();
        var seen = new HashSet<Node>();
        var stack = new Stack<Node>([root]);
        bool transcendental = false;
        while (stack.TryPop(out var node))
        {
            if (node == x || node.Op == Op.Constant || !seen.Add(node)) continue;
            if (!IsPart(node) || node.Shape != root.Shape || inside.Count == MostNodes) return null;
            inside.Add(node);
            transcendental |= node.Op is Op.Exp or Op.Tanh or Op.Erf or Op.Sigmoid or Op.Silu or Op.Gelu;
            foreach (var input in node.Inputs) stack.Push(input);
        }
        if (!transcendental) return null;

        Shape row = [points.Length];
        var map = new Dictionary<Node, Node> { [x] = Parameter(0, DType.Float64, row) };
        Node On(Node node) => map.TryGetValue(node, out var known) ? known : map[node] = node.Constant is { } c
            ? Constant(c, DType.Float64, row)
            : Node.Of(node.Op, [.. node.Inputs.Select(On)], node.Attributes);
        return Interpreter.Run(new Function([map[x]], [On(root)]), [new Value(points, [points.Length])])[0].Data;
    }

    static bool Agree(double[] a, double[] b, DType dtype)
    {
        double tolerance = dtype == DType.Float64 ? 1e-14 : 1e-7;
        for (int i = 0; i < a.Length; i++)
            if (!(Math.Abs(a[i] - b[i]) <= tolerance * Math.Max(1, Math.Abs(b[i])))) return false;
        return true;
    }

    static bool IsPart(Node node) =>
        node.Op is Op.Neg or Op.Add or Op.Sub or Op.Mul or Op.Div or Op.Recip or Op.Exp or Op.Tanh or Op.Erf
        or Op.Sigmoid or Op.Silu or Op.Gelu || node is (Op.Pow, [_, { Constant: { } }]);
}
