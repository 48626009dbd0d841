using Ashlar.Backends.Cpu.Matrix;
using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu.Lowering;

// Products of tiles on the tile unit (AMX), where the types are its own and both factors lie in memory at fixed strides.
internal sealed partial class TileLowering
{
    /// <summary>True where a store writes the zeros that a dot then adds to.</summary>
    static bool IsCleared(Tiles.Store store, Dot dot) =>
        ReferenceEquals(store.Target, dot.Target) && store is { Mode: StoreMode.Set, Guard: null } && store.Value == Nodes.Constant(0, store.Value.DType, Shape.Scalar)
        && store.Domain is [var row, var column] && row == dot.Row && column == dot.Column
        && store.Indices is [var first, var second] && first == row.Variable.Index() && second == column.Variable.Index();

    /// <summary>Calls the tile unit for a dot of bfloat16 or of bytes; false where the dot is for the vectors.</summary>
    /// <param name="dot">The dot.</param>
    /// <param name="replaces">The sums begin at zero, whatever the target holds.</param>
    bool ProductOnTiles(Dot dot, bool replaces)
    {
        if (TileProduct.Of(dot.Left.DType, dot.Right.DType) is not { } product || dot.Target.DType != product.Sum || !MatrixUnit.Takes(isa, product)) return false;
        LoopVariable i = dot.Row.Variable, j = dot.Column.Variable, k = dot.Inner.Variable;
        if (Stored(dot.Left, i, k) is not { } left || Stored(dot.Right, j, k) is not { } right) return false;
        Affine from = Flat(left.Source(), left.Indices()), by = Flat(right.Source(), right.Indices()), to = Flat(dot.Target, [i.Index(), j.Index()]);
        f.Call(typeof(TileDots).GetMethod(nameof(TileDots.Multiply))!,
            First(dot.Target, to), SizeOf(to.FactorOf(i.Index())),
            First(left.Source(), from), SizeOf(from.FactorOf(i.Index())), SizeOf(from.FactorOf(k.Index())),
            First(right.Source(), by), SizeOf(by.FactorOf(j.Index())), SizeOf(by.FactorOf(k.Index())),
            One(dot.Row.Extent), One(dot.Column.Extent), One(dot.Inner.Extent), f.Const(TileDots.KindOf(product, left.DType, right.DType, replaces)));
        return true;

        // The element where all three variables are 0.
        Vec.Reg First(Memory memory, Affine flat) =>
            Pointer(AddressOf(memory, flat.Substitute(atom => atom == i.Index() || atom == j.Index() || atom == k.Index() ? Affine.Of(0) : null)));
    }

    // A factor that is loaded as it is, or float32 that is rounded to bfloat16, which packing does on the way.
    Node? Stored(Node factor, LoopVariable free, LoopVariable inner)
    {
        var load = factor is { Op: Op.Cast, DType: DType.BFloat16 } && factor.Inputs[0].DType == DType.Float32 ? factor.Inputs[0] : factor;
        if (load.Op != Op.Load || load.Guard() is not null || load.Source() is Tile { Shape.Rank: 0 }) return null;
        return HasFixedStrides(Flat(load.Source(), load.Indices()), free, inner) ? load : null;
    }
}
