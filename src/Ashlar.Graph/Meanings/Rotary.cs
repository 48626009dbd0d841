using static Ashlar.Graph.Nodes;

namespace Ashlar.Graph;

/// <summary>Rotary position embedding: each pair of numbers of a head is turned by an angle that grows with the
/// position.</summary>
/// <remarks>Su et al. 2021, arXiv:2104.09864. The pair (a, b) becomes (a cos - b sin, a sin + b cos).</remarks>
static class Rotary
{
    public static Node Rotate(Node node)
    {
        var (a, b) = Split(Composites.Wide(node.Inputs[0]), node);
        Node cos = Table(node.Inputs[1], a), sin = Table(node.Inputs[2], a);
        return Composites.Narrow(Join(a * cos - b * sin, a * sin + b * cos, node), node);
    }

    // Back by the same angle; the tables' gradients are sums over batch and heads.
    public static Node?[] Gradient(Node dy, Node y, IReadOnlyList<Node> x)
    {
        var (a, b) = Split(Composites.Wide(x[0]), y);
        var (da, db) = Split(Composites.Wide(dy), y);
        int rank = y.Shape.Rank;
        int[] others = [.. Enumerable.Range(0, rank).Where(axis => axis != rank - 3 && axis != rank - 1)];
        return
        [
            Node.Of(Op.Rope, [dy, x[1], -x[2]], y.Attributes),
            Composites.Narrow(Sum(da * a + db * b, others), x[1]),
            Composites.Narrow(Sum(db * a - da * b, others), x[2]),
        ];
    }

    // The first and the second of each pair: [..., T, H, D/2] each.
    static (Node First, Node Second) Split(Node x, Node rope)
    {
        int axis = x.Shape.Rank - 1;
        x.Shape[axis].TryDivide(2, out var half);
        if (!rope.Get<RopeAttributes>().Interleaved) return (SliceAxis(x, axis, 0, half), SliceAxis(x, axis, half, half));
        var pairs = Reshape(x, x.Shape.With(axis, half).Insert(axis + 1, 2));
        Node Member(int i) => Reshape(SliceAxis(pairs, axis + 1, i, 1), x.Shape.With(axis, half));
        return (Member(0), Member(1));
    }

    static Node Join(Node first, Node second, Node rope)
    {
        int axis = rope.Shape.Rank - 1;
        if (!rope.Get<RopeAttributes>().Interleaved) return Concat(axis, first, second);
        var single = first.Shape.Insert(axis + 1, 1);
        return Reshape(Concat(axis + 1, Reshape(first, single), Reshape(second, single)), rope.Shape);
    }

    static Node Table(Node table, Node half) =>
        Stretch(Reshape(Composites.Wide(table), [table.Shape[0], 1, table.Shape[1]]), half.Shape);
}
