using Ashlar.Graph;
using static Ashlar.Graph.Nodes;

namespace Ashlar.Compiler.Passes;

/// <summary>Laws of the ops that only move elements, and of reductions over what was moved.</summary>
static class MovementRules
{
    public static RuleSet Rules { get; } = new("movement")
    {
        { "a moved constant is a constant",
            n => n is (>= Op.Reshape and <= Op.Slice or Op.Flip or Op.Window, [{ Attributes: ConstantAttributes c }])
                ? Splat(c, n.Shape)
                : null },
        { "a constant padded with itself is a constant",
            n => n is (Op.Pad, [{ Attributes: ConstantAttributes c }, { Attributes: ConstantAttributes filler }])
                && c.Bits == filler.Bits
                ? Splat(c, n.Shape)
                : null },
        { "one constant joined with itself is a constant",
            n => n.Op == Op.Concat && n.Inputs[0].Attributes is ConstantAttributes c
                && n.Inputs.All(part => part.Attributes is ConstantAttributes other && other.Bits == c.Bits)
                ? Splat(c, n.Shape)
                : null },
        { "reshape of reshape is one reshape", n => n is (Op.Reshape, [(Op.Reshape, [var x])]) ? Reshape(x, n.Shape) : null },
        { "reshape to the same shape is nothing",
            n => n is (Op.Reshape or Op.Broadcast, [var x]) && x.Shape == n.Shape ? x : null },
        { "permute of permute is one permute",
            n => n is (Op.Permute, [(Op.Permute, [var x]) inner])
                ? Permute(x, [.. Order(n).Select(axis => Order(inner)[axis])])
                : null },
        { "permute in order is nothing",
            n => n.Op == Op.Permute && Order(n).SequenceEqual(Enumerable.Range(0, n.Shape.Rank)) ? n.Inputs[0] : null },
        { "permute of axes of extent 1 is reshape",
            n => n.Op == Op.Permute && Order(n).Where(axis => n.Inputs[0].Shape[axis] != 1) is var real
                && real.SequenceEqual(real.Order())
                ? Reshape(n.Inputs[0], n.Shape)
                : null },
        { "broadcast of broadcast is one broadcast",
            n => n is (Op.Broadcast, [(Op.Broadcast, [var x])]) ? Broadcast(x, n.Shape) : null },
        { "flip of flip turns round what only one does",
            n => n is (Op.Flip, [(Op.Flip, [var x]) inner])
                ? Flip(x, [.. Axes(n).Except(Axes(inner)).Concat(Axes(inner).Except(Axes(n))).Order()])
                : null },
        { "flip of axes of extent 1 is nothing",
            n => n.Op == Op.Flip && Axes(n).Any(axis => n.Shape[axis] == 1)
                ? Flip(n.Inputs[0], [.. Axes(n).Where(axis => n.Shape[axis] != 1)])
                : null },
        { "slice of everything is nothing",
            n => n.Attributes is SliceAttributes s && IsWhole(s, n.Inputs[0].Shape) ? n.Inputs[0] : null },
        { "slice of slice is one slice",
            n => n is (Op.Slice, [(Op.Slice, [var x]) inner])
                ? Composed(x, inner.Get<SliceAttributes>(), n.Get<SliceAttributes>())
                : null },
        { "slice of broadcast is broadcast of slice", SliceOfBroadcast },
        { "slice of pad within what was padded is a slice", SliceOfPad },
        { "slice of concat within a part is a slice of the part", SliceOfConcat },
        { "slice of permute is permute of slice",
            n => n is (Op.Slice, [(Op.Permute, [var x]) p]) && n.Get<SliceAttributes>() is var s
                ? Permute(Slice(x, Back(p, s.Starts), Back(p, s.Counts), Back(p, s.Steps)), Order(p))
                : null },
        { "pad by nothing is nothing",
            n => n.Attributes is PadAttributes p && p.Before.Concat(p.After).All(width => width == 0) ? n.Inputs[0] : null },
        { "pad of pad with one filler is one pad",
            n => n is (Op.Pad, [(Op.Pad, [var x, var a]) inner, var b]) && a == b
                ? Pad(x, Plus(inner.Get<PadAttributes>().Before, n.Get<PadAttributes>().Before),
                    Plus(inner.Get<PadAttributes>().After, n.Get<PadAttributes>().After), a)
                : null },
        { "concat of one part is the part", n => n is (Op.Concat, [var only]) ? only : null },
        { "empty parts join nothing",
            n => n.Op == Op.Concat && n.Inputs.Count > 1 && n.Inputs.Any(part => part.Shape[Axis(n)] == 0)
                ? Concat(Axis(n), [.. Full(n)])
                : null },
        { "concat of concat is one concat",
            n => n.Op == Op.Concat && n.Inputs.Any(part => IsConcat(part, Axis(n)))
                ? Concat(Axis(n), [.. n.Inputs.SelectMany(part => IsConcat(part, Axis(n)) ? part.Inputs : [part])])
                : null },
        { "neighbouring slices of one array join to one slice", Rejoined },
        { "what is computed on stretched values can be stretched after", ComputedBeforeStretching },
        { "a reduction over axes of extent 1 is a reshape",
            n => Reduction(n) && Axes(n).Any(axis => n.Inputs[0].Shape[axis] == 1) ? WithoutUnitAxes(n) : null },
        { "the sum of equal numbers is a product",
            n => n.Op == Op.ReduceSum && IsWide(n) && Stretched(n) is { Length: > 0 } axes && AreThere(n, axes)
                ? SumOfBroadcast(n, axes)
                : null },
        { "the greatest of equal numbers is that number",
            n => n.Op is Op.ReduceMax or Op.ReduceMin && Stretched(n) is { Length: > 0 } axes && AreThere(n, axes)
                ? Nodes.Reduce(n.Op, Unstretched(n.Inputs[0], axes), Axes(n))
                : null },
        { "the sum of a constant is a product",
            n => n is (Op.ReduceSum, [{ Attributes: ConstantAttributes c } x]) && IsWide(n) && AreThere(n, Axes(n))
                ? Splat(c, n.Shape) * SizeLike(Extent.Product(Axes(n).Select(axis => x.Shape[axis])), n)
                : null },
        { "the greatest of a constant is the constant",
            n => n is (Op.ReduceMax or Op.ReduceMin, [{ Attributes: ConstantAttributes c }]) && AreThere(n, Axes(n))
                ? Splat(c, n.Shape)
                : null },
        { "a reduction does not care about the order of axes", ReducedBeforePermuting },
        { "a contraction reads through permute", ContractedBeforePermuting },
    };

    static Node Splat(ConstantAttributes constant, Shape shape) => Node.Of(Op.Constant, [], constant with { Shape = shape });

    static bool Reduction(Node n) => n.Op is >= Op.ReduceSum and <= Op.ReduceMin;

    // A count is exact in these types; a 16-bit float would round it.
    static bool IsWide(Node n) => n.DType is DType.Float32 or DType.Float64;

    // Over no elements a sum is 0 and a maximum infinite, whatever the number.
    static bool AreThere(Node reduction, int[] axes) => axes.All(axis => reduction.Inputs[0].Shape[axis].Min > 0);

    static int Axis(Node n) => n.Get<AxisAttributes>().Axis;

    static int[] Axes(Node n) => [.. n.Get<AxesAttributes>().Axes];

    static int[] Order(Node n) => [.. n.Get<PermuteAttributes>().Order];

    static bool IsConcat(Node n, int axis) => n.Op == Op.Concat && Axis(n) == axis;

    static IEnumerable<Extent> Plus(ValueList<Extent> a, ValueList<Extent> b) => a.Zip(b, (x, y) => x + y);

    // From the axes of a permute's result to those of its input.
    static T[] Back<T>(Node permute, ValueList<T> values)
    {
        var result = new T[values.Count];
        int[] order = Order(permute);
        for (int i = 0; i < order.Length; i++) result[order[i]] = values[i];
        return result;
    }

    static bool IsWhole(SliceAttributes s, Shape shape) => s.Starts.All(start => start == 0) && s.Steps.All(step => step == 1)
        && s.Counts.SequenceEqual(shape);

    static Node Composed(Node x, SliceAttributes inner, SliceAttributes outer) => Slice(x,
        inner.Starts.Select((start, i) => start + outer.Starts[i] * inner.Steps[i]), outer.Counts,
        inner.Steps.Select((step, i) => step * outer.Steps[i]));

    static Node? SliceOfBroadcast(Node n)
    {
        if (n is not (Op.Slice, [(Op.Broadcast, [var x]) b])) return null;
        var s = n.Get<SliceAttributes>();
        bool Stretches(int axis) => x.Shape[axis] != b.Shape[axis];
        var part = Slice(x, s.Starts.Select((start, i) => Stretches(i) ? 0 : start),
            s.Counts.Select((count, i) => Stretches(i) ? 1 : count),
            s.Steps.Select((step, i) => Stretches(i) ? 1 : step));
        return Broadcast(part, n.Shape);
    }

    static Node? SliceOfPad(Node n)
    {
        if (n is not (Op.Slice, [(Op.Pad, [var x, _]) p])) return null;
        var (s, before) = (n.Get<SliceAttributes>(), p.Get<PadAttributes>().Before);
        for (int i = 0; i < before.Count; i++)
        {
            Extent first = s.Starts[i] - before[i], past = x.Shape[i] - first - ((s.Counts[i] - 1) * s.Steps[i] + 1);
            if (first.Min < 0 || past.Min < 0) return null;
        }
        return Slice(x, s.Starts.Select((start, i) => start - before[i]), s.Counts, s.Steps);
    }

    static Node? SliceOfConcat(Node n)
    {
        if (n is not (Op.Slice, [{ Op: Op.Concat } c])) return null;
        var s = n.Get<SliceAttributes>();
        int axis = Axis(c);
        Extent start = s.Starts[axis];
        foreach (var part in c.Inputs)
        {
            Extent past = part.Shape[axis] - start - ((s.Counts[axis] - 1) * s.Steps[axis] + 1);
            if (start.Min >= 0 && past.Min >= 0) return Slice(part, s.Starts.Select((old, i) => i == axis ? start : old),
                s.Counts, s.Steps);
            start -= part.Shape[axis];
        }
        return null;
    }

    static IEnumerable<Node> Full(Node concat)
    {
        var full = concat.Inputs.Where(part => part.Shape[Axis(concat)] != 0);
        return full.Any() ? full : concat.Inputs.Take(1);
    }

    // concat(x[a : b], x[b : c]) = x[a : c]
    static Node? Rejoined(Node n)
    {
        if (n.Op != Op.Concat) return null;
        int axis = Axis(n);
        for (int i = 1; i < n.Inputs.Count; i++)
        {
            if ((n.Inputs[i - 1], n.Inputs[i]) is not ((Op.Slice, [var x]) left, (Op.Slice, [var y]) right) || x != y) continue;
            SliceAttributes a = left.Get<SliceAttributes>(), b = right.Get<SliceAttributes>();
            bool others = Enumerable.Range(0, a.Starts.Count).All(k => k == axis || a.Starts[k] == b.Starts[k]);
            if (!others || !a.Steps.Equals(b.Steps)
                || a.Starts[axis] + a.Counts[axis] * a.Steps[axis] != b.Starts[axis]) continue;
            var joined = Slice(x, a.Starts, left.Shape.With(axis, a.Counts[axis] + b.Counts[axis]), a.Steps);
            return Concat(axis, [.. n.Inputs.Take(i - 1), joined, .. n.Inputs.Skip(i + 1)]);
        }
        return null;
    }

    static Node? ComputedBeforeStretching(Node n)
    {
        if (!n.Meaning.IsElementwise) return null;
        Shape? small = null;
        foreach (var input in n.Inputs)
        {
            if (input.Op == Op.Constant) continue;
            if (input.Op != Op.Broadcast || small is not null && small != input.Inputs[0].Shape) return null;
            small = input.Inputs[0].Shape;
        }
        if (small is null) return null;
        Node[] inputs = [.. n.Inputs.Select(input =>
            input.Attributes is ConstantAttributes c ? Splat(c, small) : input.Inputs[0])];
        return Broadcast(Node.Of(n.Op, inputs, n.Attributes), n.Shape);
    }

    static Node WithoutUnitAxes(Node n)
    {
        var x = n.Inputs[0];
        int[] units = [.. Axes(n).Where(axis => x.Shape[axis] == 1)];
        int[] left = [.. Axes(n).Except(units).Select(axis => axis - units.Count(unit => unit < axis))];
        var flat = Reshape(x, Shape.Of(x.Shape.Where((_, axis) => !units.Contains(axis))));
        return Nodes.Reduce(n.Op, flat, left);
    }

    // The reduced axes along which the input is one number repeated.
    static int[] Stretched(Node n) =>
        n.Inputs[0] is (Op.Broadcast, [var x]) b ? [.. Axes(n).Where(axis => x.Shape[axis] != b.Shape[axis])] : [];

    static Node Unstretched(Node broadcast, int[] axes)
    {
        var x = broadcast.Inputs[0];
        return Broadcast(x, Shape.Of(broadcast.Shape.Select((extent, axis) => axes.Contains(axis) ? 1 : extent)));
    }

    static Node SumOfBroadcast(Node n, int[] axes) =>
        Sum(Unstretched(n.Inputs[0], axes), Axes(n)) * SizeLike(Extent.Product(axes.Select(axis => n.Inputs[0].Shape[axis])), n);

    static Node? ReducedBeforePermuting(Node n)
    {
        if (!Reduction(n) || n.Inputs[0] is not (Op.Permute, [var x]) p) return null;
        int[] order = Order(p);
        var kept = Enumerable.Range(0, order.Length).Except(Axes(n)).Select(axis => order[axis]);
        var reduced = Nodes.Reduce(n.Op, x, [.. Axes(n).Select(axis => order[axis])]);
        int[] left = [.. kept.Order()];
        return Permute(reduced, [.. kept.Select(axis => Array.IndexOf(left, axis))]);
    }

    // Only where the free axes keep their order: then the result is the same, and more contractions become equal.
    static Node? ContractedBeforePermuting(Node n)
    {
        if (n.Op != Op.Contract) return null;
        var (a, b) = (n.Inputs[0], n.Inputs[1]);
        var pairs = n.Get<ContractAttributes>();
        if (a.Op == Op.Permute && Ascending(a, pairs.FreeLeft(a.Shape.Rank)))
            return Node.Of(Op.Contract, [a.Inputs[0], b],
                pairs with { BatchLeft = Through(a, pairs.BatchLeft), SumLeft = Through(a, pairs.SumLeft) });
        if (b.Op == Op.Permute && Ascending(b, pairs.FreeRight(b.Shape.Rank)))
            return Node.Of(Op.Contract, [a, b.Inputs[0]],
                pairs with { BatchRight = Through(b, pairs.BatchRight), SumRight = Through(b, pairs.SumRight) });
        return null;

        static bool Ascending(Node permute, int[] free) => free.Select(axis => Order(permute)[axis]) is var axes
            && axes.SequenceEqual(axes.Order());

        static ValueList<int> Through(Node permute, ValueList<int> axes) =>
            axes.Select(axis => Order(permute)[axis]).ToValueList();
    }
}
