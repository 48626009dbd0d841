using Ashlar.Backends.Cpu.Matrix;
using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu.Lowering;

// Products of tiles on the tile unit (AMX), where the types are its own and both factors lie in memory at fixed strides.
internal sealed partial class TileLowering
{
    readonly HashSet<(TileProduct Product, bool Adds)> tileProducts = [];

    /// <summary>True where a store writes the zeros that a dot then adds to.</summary>
    static bool IsCleared(Tiles.Store store, Dot dot) =>
        ReferenceEquals(store.Target, dot.Target) && store is { Mode: StoreMode.Set, Guard: null }
            && store.Value == Nodes.Constant(0, store.Value.DType, Shape.Scalar)
        && store.Domain is [var row, var column] && row == dot.Row && column == dot.Column
        && store.Indices is [var first, var second] && first == row.Variable.Index() && second == column.Variable.Index();

    /// <summary>Calls the tile unit for a dot of bfloat16 or of bytes; false where the dot is for the vectors.</summary>
    /// <param name="dot">The dot.</param>
    /// <param name="replaces">The sums begin at zero, whatever the target holds.</param>
    bool ProductOnTiles(Dot dot, bool replaces)
    {
        if (OnTiles(dot) is not { } product) return false;
        if (Factors(dot) is not { } factors) return false;
        var (left, right) = factors;
        NoteProduct(dot, $"on the tile unit{(replaces ? ", from zero" : "")}");
        tileProducts.Add((product, !replaces));
        LoopVariable i = dot.Row.Variable, j = dot.Column.Variable, k = dot.Inner.Variable;
        var (begin, end) = RangeOf(i, dot.Row.Extent);
        Affine from = Flat(left.Source(), left.Indices()), by = Flat(right.Source(), right.Indices()),
            to = Flat(dot.Target, [i.Index(), j.Index()]);
        bool isPacked = packedRights.TryGetValue(dot, out var packed);
        if (isPacked && strip is { IsWhole: true } at && at.Rows == i && dot.Column.Variable.Count.TryGetValue(out long columns)
            && One(dot.Column.Extent).Known == columns && columns % Matrix.Tiles.PanelSide == 0
            && One(dot.Inner.Extent).Known is { } inner && from.FactorOf(i.Index()).TryGetValue(out long leftRow)
            && from.FactorOf(k.Index()).TryGetValue(out long leftInner) && to.FactorOf(i.Index()).TryGetValue(out long sums)
            && WholeDots.Takes(product, left.DType, leftRow, leftInner, inner))
        {
            f.Call(typeof(WholeDots).GetMethod(nameof(WholeDots.Multiply))!,
                First(dot.Target, to), f.Const(sums * dot.Target.DType.Bytes),
                First(left.Source(), from), f.Const(leftRow * left.DType.Bytes),
                Pointer(AddressOf(packed.Packing.Panels, packed.Place)), f.Const(packed.Packing.PanelBytes),
                f.Const(StripRows / Matrix.Tiles.PanelSide), f.Const(columns / Matrix.Tiles.PanelSide),
                f.Const(Matrix.Tiles.Steps(inner, product.ElementBytes)),
                f.Const(WholeDots.KernelOf(product, adds: !replaces)));
            return true;
        }
        f.Call(typeof(TileDots).GetMethod(nameof(TileDots.Multiply))!,
            First(dot.Target, to), SizeOf(to.FactorOf(i.Index())),
            First(left.Source(), from), SizeOf(from.FactorOf(i.Index())), SizeOf(from.FactorOf(k.Index())),
            isPacked ? Pointer(AddressOf(packed.Packing.Panels, packed.Place)) : First(right.Source(), by),
            isPacked ? f.Const(packed.Packing.PanelBytes) : SizeOf(by.FactorOf(j.Index())),
            isPacked ? f.Const(0) : SizeOf(by.FactorOf(k.Index())),
            end - begin, One(dot.Column.Extent), One(dot.Inner.Extent),
            f.Const(TileDots.KindOf(product, left.DType, right.DType, replaces, isPacked)));
        return true;

        // The element of the first row, where the other two variables are 0.
        Vec.Reg First(Memory memory, Affine flat)
        {
            var rows = flat.FactorOf(i.Index());
            var at = AddressOf(memory, flat.Substitute(atom => atom == i.Index() || atom == j.Index() || atom == k.Index()
                ? Affine.Of(0)
                : null));
            return begin.Known == 0 || rows == 0 ? Pointer(at) : Pointer(at) + begin * SizeOf(rows * memory.DType.Bytes);
        }
    }

    // Both factors as loads that the tile unit takes; null where they are for the vectors.
    (Node Left, Node Right)? Factors(Dot dot) =>
        Stored(dot.Left, dot.Row.Variable, dot.Inner.Variable) is { } left
            && Stored(dot.Right, dot.Column.Variable, dot.Inner.Variable) is { } right ? (left, right) : null;

    // Whether any dot of these statements goes to the tile unit, whose registers must be made ready then.
    bool UsesTiles(IEnumerable<Statement> body) => body.Any(statement => statement switch
    {
        For loop => UsesTiles(loop.Body),
        Tiles.If branch => UsesTiles(branch.Body),
        Dot dot => OnTiles(dot) is not null && Factors(dot) is not null,
        _ => false,
    });

    // What the tile unit makes of the types of a dot; null where they are for the vectors.
    TileProduct? OnTiles(Dot dot) =>
        TileProduct.Of(dot.Left.DType, dot.Right.DType) is { } product && dot.Target.DType == product.Sum
        && MatrixUnit.Takes(isa, product) ? product : null;

    // A factor that is loaded as it is, or float32 that is rounded to bfloat16, which packing does on the way.
    Node? Stored(Node factor, LoopVariable free, LoopVariable inner)
    {
        var load = factor is { Op: Op.Cast, DType: DType.BFloat16 } && factor.Inputs[0].DType == DType.Float32
            ? factor.Inputs[0]
            : factor;
        if (load.Op != Op.Load || load.Guard() is not null || load.Source() is Tile { Shape.Rank: 0 }) return null;
        return HasFixedStrides(Flat(load.Source(), load.Indices()), free, inner) ? load : null;
    }
}
