namespace Ashlar;

/// <summary>A node whose axes have labels, and the product of two of them: what matrix products, einsum and convolutions
/// share.</summary>
/// <param name="Node">The value.</param>
/// <param name="Names">One label per axis, each once.</param>
readonly record struct Labeled(Node Node, int[] Names)
{
    /// <summary>The product of two over labels: shared ones pair up, those not kept are summed, an extent of 1
    /// stretches.</summary>
    /// <param name="a">One factor.</param>
    /// <param name="b">The other factor, of the same element type.</param>
    /// <param name="keep">The labels of the result, in order; each occurs in a factor.</param>
    /// <param name="dtype">The element type of the result.</param>
    public static Labeled Product(Labeled a, Labeled b, int[] keep, DType dtype)
    {
        (a, b) = (a.DropOnes(b), b.DropOnes(a));
        (a, b) = (a.SumOut(b, keep), b.SumOut(a, keep));
        int[] shared = [.. a.Names.Where(b.Names.Contains)];
        int[] batch = [.. shared.Where(keep.Contains)];
        int[] summed = [.. shared.Where(label => !keep.Contains(label))];
        if (summed.Length == 0) return new(Nodes.Cast(a.Spread(keep, b) * b.Spread(keep, a), dtype), keep);

        var (left, right) = (a.Names, b.Names);
        int[] At(int[] names, int[] labels) => [.. labels.Select(label => Array.IndexOf(names, label))];
        var product =
            Nodes.Contract(a.Node, b.Node, At(left, batch), At(right, batch), At(left, summed), At(right, summed), dtype);
        int[] order =
            [.. batch, .. left.Where(label => !shared.Contains(label)), .. right.Where(label => !shared.Contains(label))];
        return new Labeled(product, order).Order(keep);
    }

    /// <summary>The axes in the order of <paramref name="keep"/>; axes not kept are summed.</summary>
    public Labeled Order(int[] keep)
    {
        var reduced = SumOut(new(Node, []), keep);
        return new(Nodes.Permute(reduced.Node, [.. keep.Select(label => Array.IndexOf(reduced.Names, label))]), keep);
    }

    // Without axes of extent 1 that stretch to the other's.
    Labeled DropOnes(Labeled other)
    {
        var (node, names) = this;
        bool Stretches(int axis) => node.Shape[axis] == 1 && other.Extent(names[axis]) is { } extent && extent != 1;
        int[] stays = [.. Enumerable.Range(0, names.Length).Where(axis => !Stretches(axis))];
        return stays.Length == names.Length ? this
            : new(Nodes.Reshape(node, Shape.Of(stays.Select(axis => node.Shape[axis]))), [.. stays.Select(axis => names[axis])]);
    }

    // Without axes that neither the other nor the result has.
    Labeled SumOut(Labeled other, int[] keep)
    {
        var names = Names;
        int[] gone = [.. Enumerable.Range(0, names.Length).Where(axis => !keep.Contains(names[axis])
            && !other.Names.Contains(names[axis]))];
        return gone.Length == 0 ? this : new(Nodes.Sum(Node, gone), [.. names.Where((_, axis) => !gone.Contains(axis))]);
    }

    // Permuted to the order of keep and stretched over the labels that only the other has.
    Node Spread(int[] keep, Labeled other)
    {
        var (node, names) = this;
        var ordered = Nodes.Permute(node, [.. keep.Where(names.Contains).Select(label => Array.IndexOf(names, label))]);
        var self = this;
        var lined = Nodes.Reshape(ordered, Shape.Of(keep.Select(label => self.Extent(label) ?? 1)));
        return Nodes.Broadcast(lined, Shape.Of(keep.Select(label => self.Extent(label) ?? other.Extent(label)!.Value)));
    }

    Extent? Extent(int label) => Array.IndexOf(Names, label) is >= 0 and var axis ? Node.Shape[axis] : default(Extent?);
}
