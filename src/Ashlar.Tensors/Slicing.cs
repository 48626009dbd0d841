namespace Ashlar;

/// <summary>What indices mean: each axis becomes a start, a count and a step, then axes vanish, appear or are gathered.</summary>
static class Slicing
{
    /// <summary>One axis of a slice. Count elements from Start in steps of Step (at least 1), turned round where
    /// Reversed.</summary>
    public readonly record struct Cut(Extent Start, Extent Count, long Step, bool Reversed);

    public static Tensor Index(Tensor x, ReadOnlySpan<AxisIndex> indices)
    {
        var expanded = Expand(x, indices);
        var cuts = new List<Cut>();
        var shape = new List<Extent>();
        var gathered = new List<(int Axis, Tensor Indices)>();
        int axis = 0;
        foreach (var index in expanded)
        {
            if (index.Does == AxisIndex.Kind.New)
            {
                shape.Add(1);
                continue;
            }
            if (index.Does == AxisIndex.Kind.Gather) gathered.Add((shape.Count, index.Indices!));
            var cut = index.Does == AxisIndex.Kind.Gather ? new(0, x.Shape[axis], 1, false) : Resolve(x, axis, index);
            cuts.Add(cut);
            if (index.Does != AxisIndex.Kind.At) shape.Add(cut.Count);
            axis++;
        }
        var result = new Tensor(Nodes.Reshape(Apply(x.Node, cuts), Shape.Of(shape)));
        for (int i = gathered.Count - 1; i >= 0; i--) result = result.Take(gathered[i].Indices, gathered[i].Axis);
        return result;
    }

    /// <summary>One index for each axis and each new axis, none for the ellipsis.</summary>
    public static List<AxisIndex> Expand(Tensor x, ReadOnlySpan<AxisIndex> indices)
    {
        int named = 0, rests = 0;
        foreach (var index in indices)
        {
            if (index.Does is AxisIndex.Kind.Rest) rests++;
            else if (index.Does is not AxisIndex.Kind.New) named++;
        }
        if (named > x.Rank || rests > 1)
            throw new ShapeException("ASH0144",
                $"{x.Type} was given {(rests > 1 ? $"{rests} ellipses" : $"{named} indices")}, but has {x.Rank} axes.",
                rests > 1 ? "use one ellipsis at most." : $"give at most {x.Rank} indices; AxisIndex.NewAxis adds an axis.");

        var list = new List<AxisIndex>();
        foreach (var index in indices)
            if (index.Does is AxisIndex.Kind.Rest) list.AddRange(Enumerable.Repeat(AxisIndex.All, x.Rank - named));
            else list.Add(index);
        if (rests == 0) list.AddRange(Enumerable.Repeat(AxisIndex.All, x.Rank - named));
        return list;
    }

    /// <summary>The elements of one axis that an index names.</summary>
    public static Cut Resolve(Tensor x, int axis, AxisIndex index)
    {
        var extent = x.Shape[axis];
        Extent start = index.StartFromEnd ? extent - index.Start : index.Start;
        if (index.Does == AxisIndex.Kind.At)
        {
            if (start.Min < 0 || (extent - 1 - start).Min < 0)
                throw new ShapeException("ASH0145",
                    $"the index {index} is outside axis {axis} of {x.Type}, which has {extent} elements.",
                    extent.TryGetValue(out long length) && length > 0 ? $"use an index from 0 to {length - 1}, or ^1 to ^{length} from the back."
                        : "use an index that is within the axis whatever its symbols are.");
            return new(start, 1, 1, false);
        }

        Extent span = index.IsCount ? index.End : (index.EndFromEnd ? extent - index.End : index.End) - start;
        if (start.Min < 0 || span.Min < 0 || (extent - start - span).Min < 0)
            throw new ShapeException("ASH0145",
                $"the range {index} is not within axis {axis} of {x.Type}, which has {extent} elements.",
                "use a range that starts and ends within the axis, the start first.");
        if (index.Step == 0)
            throw new ShapeException("ASH0146",
                $"the range {index} of axis {axis} of {x.Type} has the step 0.",
                "use a step of 1 or more, or a negative one to run backwards.");
        long step = Math.Abs(index.Step);
        if (step == 1) return new(start, span, 1, index.Step < 0);

        // floor((span - 1) / step) + 1 elements; backwards from the last of the range, so the first one moves up
        Extent? count = null;
        long rest = 0;
        for (; rest < step && count is null; rest++)
            if ((span - 1 - rest).TryDivide(step, out var quotient)) count = quotient + 1;
        if (span == 0) (count, rest) = (0, 1);
        if (count is not { } found)
            throw new ShapeException("ASH0146",
                $"how many elements a step of {step} takes from {span} is not a polynomial in its symbols.",
                $"declare the symbol with multipleOf: {step}.");
        return new(index.Step < 0 ? start + (rest - 1) : start, found, step, index.Step < 0);
    }

    public static Node Apply(Node x, IReadOnlyList<Cut> cuts)
    {
        var cut = Nodes.Slice(x, cuts.Select(c => c.Start), cuts.Select(c => c.Count), cuts.Select(c => c.Step));
        return Nodes.Flip(cut, [.. Enumerable.Range(0, cuts.Count).Where(axis => cuts[axis].Reversed)]);
    }

    /// <summary>A copy of <paramref name="x"/> with <paramref name="value"/> where the indices point.</summary>
    public static Tensor With(Tensor x, Operand value, ReadOnlySpan<AxisIndex> indices)
    {
        var cuts = new List<Cut>();
        var shape = new List<Extent>();
        foreach (var index in Expand(x, indices))
        {
            if (index.Does == AxisIndex.Kind.New)
            {
                shape.Add(1);
                continue;
            }
            if (index.Does == AxisIndex.Kind.Gather)
                throw new ShapeException("ASH0147",
                    $"With cannot write where a tensor of indices ({index.Indices!.Type}) points.",
                    "use Scatter(axis, indices, updates).");
            cuts.Add(Resolve(x, cuts.Count, index));
            if (index.Does != AxisIndex.Kind.At) shape.Add(cuts[^1].Count);
        }
        var target = Shape.Of(shape);
        if (Shape.Broadcast(target, value.Shape) != target)
            throw new ShapeException("ASH0142",
                $"With cannot stretch {value} to {target}, the part of {x.Type} that is replaced.",
                "give a value of that shape, or one that broadcasts to it.");
        var part = Nodes.Reshape(value.ToNode("With", x.DType, target), Shape.Of(cuts.Select(cut => cut.Count)));
        part = Nodes.Flip(part, [.. Enumerable.Range(0, cuts.Count).Where(axis => cuts[axis].Reversed)]);
        var mask = Nodes.Constant(1L, DType.Bool, part.Shape);
        return new(Nodes.Select(Place(mask, x.Shape, cuts), Place(part, x.Shape, cuts), x.Node));
    }

    /// <summary>Puts a slice back where it was cut, zeros around it and between its steps: the adjoint of Slice.</summary>
    static Node Place(Node part, Shape shape, IReadOnlyList<Cut> cuts)
    {
        var zero = Nodes.Constant(0L, part.DType, Shape.Scalar);
        for (int axis = 0; axis < cuts.Count; axis++)
        {
            if (cuts[axis].Step == 1) continue;
            // n elements, each followed by step - 1 zeros, less the zeros after the last
            long step = cuts[axis].Step;
            Extent count = part.Shape[axis];
            var spread = Nodes.Reshape(part, part.Shape.Insert(axis + 1, 1));
            var after = new Extent[spread.Shape.Rank];
            after[axis + 1] = step - 1;
            spread = Nodes.Pad(spread, new Extent[after.Length], after, zero);
            spread = Nodes.Reshape(spread, part.Shape.With(axis, count * step));
            part = Nodes.SliceAxis(spread, axis, 0, count == 0 ? 0 : (count - 1) * step + 1);
        }
        var starts = cuts.Select(cut => cut.Start).ToArray();
        return Nodes.Pad(part, starts, shape.Select((extent, axis) => extent - starts[axis] - part.Shape[axis]), zero);
    }
}
