using Ashlar.Backends.Cpu.Contractions;
using Ashlar.Backends.Cpu.Matrix;
using Ashlar.Backends.Cpu.Tuning;
using Ashlar.Graph;

namespace Ashlar.Backends.Cpu.Weights;

/// <summary>Products of many rows with packed weights on the tile unit, in bfloat16 with float32 sums.</summary>
/// <remarks>
/// Weights of bfloat16 lie as tiles already; all others are decoded by the engine, a panel of an inner block at a time, into the
/// cache from which the tiles come. Experts are one grouped product: rows are gathered as they are packed and scattered as they
/// are stored.
/// </remarks>
sealed unsafe class TileWeightProduct(WeightEncoding encoding) : WeightProduct
{
    readonly MatrixContraction engine = encoding.Code == WeightCode.BF16
        ? new(TileProduct.BF16, rightIsPacked: true) { Tuned = TunedProducts.Current }
        : new(TileProduct.BF16, decoder: new(encoding));

    static ContractionCall Product(in WeightCall of) => new()
    {
        Rows = of.Rows,
        Columns = of.Weight.Rows,
        Inner = of.Weight.Columns,
        Left = new(of.X, of.Type, of.Weight.Columns, 1),
        Right = new(of.Data, DType.BFloat16, 0, 0),
        Result = new(of.Y, DType.Float32, of.Weight.Rows, 1),
    };

    static bool HasExperts(in WeightCall call) => call.Weight.Count > 1 || call.Experts != 0;

    static long GroupBytes(in WeightCall call) => Aligned(RowGroups.BytesFor(call.Rows, call.Weight.Count));

    public override long ScratchBytes(in WeightCall call, int workers) =>
        !HasExperts(call) ? engine.ScratchBytes(Product(call), workers)
        : GroupBytes(call) + engine.GroupScratchBytes(Product(call), call.Weight.Count, workers);

    public override void Run(in WeightCall call, Workers workers, byte* scratch)
    {
        if (call.Rows == 0) return;
        if (!HasExperts(call))
        {
            engine.Run(Product(call), workers, scratch);
            return;
        }
        var groups = RowGroups.Of((int*)call.Experts, (int)call.Rows, (int)call.Weight.Count, scratch);
        engine.RunGroups(Product(call), groups, call.Weight.Count, call.Weight.Layout.Bytes, workers, scratch + GroupBytes(call));
    }
}
