using Ashlar.Backends.Cpu.Contractions;
using Ashlar.Backends.Cpu.Vec;
using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu.Lowering;

// Matrix products of tiles: Target[i, j] += sum over k of Left[i, k] * Right[k, j].
//
// How this works. Both factors are brought into a form where the left is a plain array of the target's type and the right one
// that is
// contiguous along j; where they are not (a transpose, 16-bit floats, bytes), they are packed into scratch first, which costs one
// pass over
// them. What is left is a product of three strided arrays, which functions of their own compute (DotKernels): a kernel with
// several products
// stays within the budget in which RyuJIT optimises it.
internal sealed partial class TileLowering
{
    // Fewer rows do not pay for packing the right side.
    const long FewestPackedRows = 4;

    readonly Dictionary<(string Role, DType DType, Shape Shape), Tile> packed = [];

    void Product(Dot dot)
    {
        if (ProductOnTiles(dot, replaces: false)) return;
        var dtype = dot.Target.DType;
        LoopVariable i = dot.Row.Variable, j = dot.Column.Variable, k = dot.Inner.Variable;
        bool runsAcross = dot.Right is { Op: Op.Load } load && load.Guard() is null && Runs(load, j, k);
        if (!runsAcross && i.Count.Max < FewestPackedRows)
        {
            // As a reduction along k, in vectors if that axis is contiguous.
            Node[] place = [i.Index(), j.Index()];
            Group([new Reduce(Op.ReduceSum, dot.Target, [.. place],
                Nodes.Binary(Op.Mul, Nodes.Cast(dot.Left, dtype), Nodes.Cast(dot.Right, dtype)),
                [dot.Row, dot.Column], [dot.Inner], Accumulate: true)]);
            return;
        }
        NoteProduct(dot, "in vector registers");
        var right = PackedRight(dot);
        var left = PackedLeft(dot);
        Multiply(dot, left, right);
    }

    // Contiguous along one variable, and fixed strides along both.
    bool Runs(Node load, LoopVariable contiguous, LoopVariable other)
    {
        var flat = Flat(load.Source(), load.Indices());
        return flat.FactorOf(contiguous.Index()) == 1 && HasFixedStrides(flat, contiguous, other);
    }

    bool HasFixedStrides(Affine flat, LoopVariable one, LoopVariable other) =>
        flat.Terms.All(term => term.Atom.Op == Op.Index || (Dependences(term.Atom).Variables & (Bit(one) | Bit(other))) == 0);

    // The left side as loads of the target's type.
    Node PackedLeft(Dot dot)
    {
        var dtype = dot.Target.DType;
        LoopVariable i = dot.Row.Variable, k = dot.Inner.Variable;
        if (dot.Left is { Op: Op.Load } load && load.DType == dtype && load.Guard() is null && IsSimple(load)) return load;
        var tile = Scratch("left", dtype, [i.Count, k.Count]);
        Group([new Tiles.Store(tile, [i.Index(), k.Index()], Nodes.Cast(dot.Left, dtype), [dot.Row, dot.Inner])]);
        return tile.Load([i.Index(), k.Index()]);

        bool IsSimple(Node load)
        {
            var flat = Flat(load.Source(), load.Indices());
            return flat.FactorOf(i.Index()).IsConstant && flat.FactorOf(k.Index()).IsConstant && HasFixedStrides(flat, i, k);
        }
    }

    // The right side as loads of the target's type that are contiguous along j.
    Node PackedRight(Dot dot)
    {
        var dtype = dot.Target.DType;
        LoopVariable j = dot.Column.Variable, k = dot.Inner.Variable;
        var value = Nodes.Cast(dot.Right, dtype);
        var load = dot.Right is { Op: Op.Load } plain && plain.Guard() is null ? plain : null;
        if (load is not null && load.DType == dtype && Runs(load, j, k)) return load;

        // Rows of whole vectors, so that a transpose may store past the edge.
        var panel = Scratch("right", dtype,
            [k.Count, j.Count.TryGetValue(out long columns) ? (columns + 15) / 16 * 16 : j.Count + 16]);
        Node[] at = [k.Index(), j.Index()];
        if (load is not null && Runs(load, k, j))
        {
            var rows = load;
            if (load.DType != dtype)
            {
                var wide = Scratch("rows", dtype, [j.Count, k.Count]);
                Group([new Tiles.Store(wide, [j.Index(), k.Index()], value, [dot.Column, dot.Inner])]);
                rows = wide.Load([j.Index(), k.Index()]);
            }
            Transpose(rows, dot, panel);
        }
        else Group([new Tiles.Store(panel, [.. at], value, [dot.Inner, dot.Column])]);
        return panel.Load(at);
    }

    // panel[k, j] = rows[j, k]
    void Transpose(Node rows, Dot dot, Tile panel)
    {
        LoopVariable j = dot.Column.Variable, k = dot.Inner.Variable;
        int bytes = panel.DType.Bytes;
        var flat = Flat(rows.Source(), rows.Indices());
        var stride = flat.FactorOf(j.Index());
        var first = flat.Substitute(atom => atom == j.Index() || atom == k.Index() ? Affine.Of(0) : null);
        f.Call(typeof(Panels).GetMethod(nameof(Panels.Transpose))!, Pointer(AddressOf(rows.Source(), first)),
            SizeOf(stride) * bytes, One(dot.Column.Extent), One(dot.Inner.Extent),
            Pointer(panel), SizeOf(panel.Shape[1]) * bytes, f.Const((long)isa * 16 + bytes));
        Forget(Bit(panel));
    }

    // Packed factors are used at once, so equal shapes share memory.
    Tile Scratch(string role, DType dtype, Shape shape)
    {
        if (packed.TryGetValue((role, dtype, shape), out var tile)) return tile;
        packed[(role, dtype, shape)] = tile = new(role, dtype, shape);
        Place(tile);
        return tile;
    }

    // Strides of the left are part of the code that multiplies; others are arguments.
    void Multiply(Dot dot, Node left, Node right)
    {
        var dtype = dot.Target.DType;
        LoopVariable i = dot.Row.Variable, j = dot.Column.Variable, k = dot.Inner.Variable;
        Affine from = Flat(left.Source(), left.Indices()), by = Flat(right.Source(), right.Indices()),
            to = Flat(dot.Target, [i.Index(), j.Index()]);
        int family = DotKernels.Family(isa, dtype, from.FactorOf(i.Index()).Value * dtype.Bytes,
            from.FactorOf(k.Index()).Value * dtype.Bytes);
        f.Call(typeof(DotKernels).GetMethod(nameof(DotKernels.Multiply))!, First(left.Source(), from), First(right.Source(), by),
            Bytes(by.FactorOf(k.Index())),
            First(dot.Target, to), Bytes(to.FactorOf(i.Index())), One(dot.Row.Extent), One(dot.Column.Extent),
                One(dot.Inner.Extent), f.Const(family));

        Reg Bytes(Extent elements) => SizeOf(elements * dtype.Bytes);

        // The element where all three variables are 0.
        Reg First(Memory memory, Affine flat)
        {
            var at = AddressOf(memory,
                flat.Substitute(atom => atom == i.Index() || atom == j.Index() || atom == k.Index() ? Affine.Of(0) : null));
            return Pointer(at);
        }
    }

    Reg Pointer(Address at)
    {
        var address = at.Offset is null ? at.Pointer : at.Pointer + at.Offset;
        return at.Displacement == 0 ? address : address + at.Displacement;
    }
}

/// <summary>Transposes; called from generated code.</summary>
internal static unsafe class Panels
{
    /// <summary><c>to[k][j] = from[j][k]</c>.</summary>
    /// <param name="from">The first element.</param>
    /// <param name="fromStride">Bytes from one j to the next.</param>
    /// <param name="columns">How many j.</param>
    /// <param name="inner">How many k, which are contiguous in <paramref name="from"/>.</param>
    /// <param name="to">Where the first element goes.</param>
    /// <param name="toStride">Bytes from one k to the next.</param>
    /// <param name="form">The path, times 16, plus the bytes of an element.</param>
    public static void Transpose(nint from, long fromStride, long columns, long inner, nint to, long toStride, long form)
    {
        if (columns <= 0 || inner <= 0) return;
        Packing.Transpose((Isa)(form / 16), (int)(form % 16), (byte*)from, fromStride, columns, inner, (byte*)to, toStride);
    }
}
