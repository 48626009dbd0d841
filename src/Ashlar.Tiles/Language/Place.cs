using Ashlar.Graph;

namespace Ashlar.Tiles;

/// <summary>A part of a buffer or tile that indices name: what is read or stored to.</summary>
sealed class Place
{
    readonly KernelBuilder k;
    readonly Memory memory;
    readonly KernelAxis[] axes;
    readonly Func<Node[], Node>[] indices;
    readonly (Memory, long)[] reads;
    readonly bool isWhole;

    Place(KernelBuilder k, Memory memory, KernelAxis[] axes, Func<Node[], Node>[] indices, (Memory, long)[] reads,
        bool isWhole) =>
        (this.k, this.memory, this.axes, this.indices, this.reads, this.isWhole) = (k, memory, axes, indices, reads, isWhole);

    /// <summary>The part.</summary>
    /// <param name="k">The trace.</param>
    /// <param name="memory">What is indexed.</param>
    /// <param name="own">Its axes.</param>
    /// <param name="given">One index per axis, or <c>..</c> alone.</param>
    public static Place Of(KernelBuilder k, Memory memory, KernelAxis[] own, ReadOnlySpan<KernelIndex> given)
    {
        bool all = given.Length == 1 && given[0].IsWhole;
        if (!all && given.Length != own.Length)
            throw Wrong(memory, $"with {given.Length} indices",
                $"give one index per axis, {own.Length} in all, or '..' alone for everything");
        var axes = new List<KernelAxis>();
        var indices = new Func<Node[], Node>[own.Length];
        var reads = new List<(Memory, long)>();
        bool isWhole = true;
        for (int axis = 0; axis < own.Length; axis++)
        {
            var index = all ? default : given[axis];
            int place = axes.Count;
            isWhole &= index.IsWhole;
            if (index.IsWhole)
            {
                axes.Add(own[axis]);
                indices[axis] = i => i[place];
            }
            else if (index.Number is { } number) indices[axis] = Checked(k, memory, axis, own[axis], TileNodes.Number(number));
            else if (index.Range is { } range)
            {
                _ = KernelMath.BuilderOf(range);
                bool ofTile = memory is Tile && range.Rank == 1;
                if (ofTile ? range.Axes[0].Length != own[axis].Length : (own[axis].Count - range.Axis).Min < 0)
                    throw Wrong(memory, $"on its axis {axis} by a loop over {range.Axis}", ofTile
                        ? "index a tile by '..', by numbers, or by the loop that it was made from"
                            : "loop over the axis itself, or compute positions from it and use those: x[n + 0]");
                if (range.Rank == 1) axes.Add(range.Axes[0]);
                indices[axis] = ofTile ? i => i[place] : range.Rank == 1 ? i => range.At([i[place]]) : _ => range.At([]);
            }
            else
            {
                var value = index.Value!.Settled();
                _ = KernelMath.BuilderOf(value);
                if (!value.DType.IsInteger)
                    throw Wrong(memory, $"on its axis {axis} by {value.Type}", "index by integers: Cast(x, DType.Int32)");
                axes.AddRange(value.Axes);
                reads.AddRange(value.Reads);
                int rank = value.Rank, at = axis;
                var check = Checker(k, memory, axis, own[axis]);
                indices[at] = i => check(Nodes.Cast(value.Number is null ? value.At(i[place..(place + rank)])
                    : value.As(DType.Int64)(0), DType.Int64));
            }
        }
        return new(k, memory, [.. axes], indices, [.. reads], isWhole);
    }

    /// <summary>The part as a value.</summary>
    public KernelValue Load(KernelValue? where)
    {
        if (memory is TileBuffer { Written: true } output && !k.WasWritten(output))
            throw new KernelException("ASH0580",
                $"the output {output} is read before anything is stored to it{KernelBuilder.Where()}.",
                "keep what is read again in a tile, or give the output initial values: k.Initialize(output, 0).");
        var guard = Guard(where);
        return new(k, axes, memory.DType, i =>
            memory.Load([.. indices.Select(index => index(i))],
            guard is null ? null : KernelMath.Operand(guard, DType.Bool, axes, i)),
            [(memory, k.Now), .. reads, .. guard?.Reads ?? []]);
    }

    /// <summary>Stores a value that has the axes of the part, or broadcasts to them.</summary>
    public void Store(KernelValue value, StoreMode mode, bool atomic, KernelValue? where)
    {
        _ = KernelMath.BuilderOf(value);
        if (memory is TileBuffer { Written: false })
            throw new KernelException("ASH0580", $"the kernel stores to its input {memory}{KernelBuilder.Where()}.",
                "declare it with k.Output; a kernel changes no inputs.");
        if (isWhole && memory is Tile && mode == StoreMode.Set && where is null && value is KernelProduct { IsOpen: true } product
            && k.TileOf(memory) is { } tile
            && product.DType == memory.DType && product.Axes.Zip(axes).All(pair => pair.First.Length == pair.Second.Length))
        {
            k.Fill(tile, 0);
            product.AddTo(tile);
            return;
        }
        value = value.Settled();
        if (value.Rank > axes.Length || Fits(value.Axes) is false)
            throw new KernelException("ASH0573",
                $"{value.Type} is stored to [{string.Join(", ", axes)}] of {memory}{KernelBuilder.Where()}.",
                "make the shapes equal, or 1 where they broadcast; k.Copy fills a ragged edge with a number.");
        var guard = Guard(where);
        var domain = k.Domain(axes);
        Node[] i = [.. domain.Select(axis => axis.Variable.Index())];
        var store = new Store(memory, [.. indices.Select(index => index(i))], Stored(value, i), [.. domain], mode,
            Guard: guard is null ? null : KernelMath.Operand(guard, DType.Bool, axes, i))
        { IsAtomic = atomic };
        k.Emit(store, memory, [value.Reads, reads, guard?.Reads ?? []]);
    }

    bool Fits(KernelAxis[] from)
    {
        for (int axis = 1; axis <= from.Length; axis++)
            if (!from[^axis].IsOne && from[^axis].Length != axes[^axis].Length) return false;
        return true;
    }

    KernelValue? Guard(KernelValue? where)
    {
        if (where is null) return null;
        var guard = where.Settled();
        if (guard.DType != DType.Bool) throw new KernelException("ASH0574",
            $"{memory} is guarded by {guard.Type}{KernelBuilder.Where()}.", "compare: a condition is a bool.");
        if (guard.Rank > axes.Length || !Fits(guard.Axes))
            throw new KernelException("ASH0573",
                $"[{string.Join(", ", axes)}] of {memory} is guarded by {guard.Type}{KernelBuilder.Where()}.",
                "give the condition the axes of the indices.");
        return guard;
    }

    // 16-bit floats round when they are stored; int32 widens to int64. Other types are not changed on the way.
    Node Stored(KernelValue value, Node[] i)
    {
        var to = memory.DType;
        if (value.Number is { } number)
            return number.IsInteger || to.IsFloat ? value.As(to)(0) : throw Mixed();
        if (value.DType == to || value.DType.Compute == to.Compute && (to.IsFloat || value.DType == to.Compute)
            || value.DType.IsInteger && to == DType.Int64)
            return Nodes.Cast(KernelMath.Operand(value, value.DType, axes, i), to);
        throw Mixed();

        KernelException Mixed() =>
            new("ASH0574", $"{value.Type} is stored to {memory}{KernelBuilder.Where()}: their types do not mix.",
            $"cast the value: Cast(x, DType.{to}).");
    }

    static Func<Node[], Node> Checked(KernelBuilder k, Memory memory, int axis, KernelAxis own, Node position)
    {
        var node = Checker(k, memory, axis, own)(position);
        return _ => node;
    }

    // Positions that may be out of range are checked when the kernel runs.
    static Func<Node, Node> Checker(KernelBuilder k, Memory memory, int axis, KernelAxis own)
    {
        var line = SourceLine.Here();
        return position =>
        {
            var affine = Affine.Of(position);
            if (affine.IsWithin(own.Count)) return affine.ToNode();
            if (affine.IsConstant && (affine.Constant.Max < 0 || (own.Count - affine.Constant).Max <= 0))
                throw new KernelException("ASH0585",
                    $"in '{k.Name}', the index {TileText.Line(position)} is outside of axis {axis} of {memory}, which has "
                    + $"{own.Count} elements, at {line}.",
                    "correct the index; positions count from 0, negative ones do not count from the end.");
            return TileNodes.Bound(position, Nodes.Size(own.Count), $"axis {axis} of {memory} at {line}");
        };
    }

    static KernelException Wrong(Memory memory, string how, string fix) =>
        new("ASH0582", $"{memory} is indexed {how}{KernelBuilder.Where()}.", $"{fix}.");
}
