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
sealed unsafe class TileWeightProduct : WeightProduct
{
    const long LeastBytesPast = 2 << 20;

    readonly MatrixContraction engine;
    WeightCall call;
    RowGroups groups;
    bool past;

    /// <param name="weight">How weights are stored, and whether they have a gate.</param>
    public TileWeightProduct(WeightAttributes weight)
    {
        BlockFunction? gate = weight.Gate is null ? null : Gate;
        engine = weight.Encoding.Code == WeightCode.BF16
            ? new(TileProduct.BF16, epilogue: gate, rightIsPacked: true) { Tuned = TunedProducts.Current }
            : new(TileProduct.BF16, epilogue: gate, decoder: new(weight.Encoding));
    }

    static ContractionCall Product(in WeightCall of) => new()
    {
        Rows = of.Rows,
        Columns = of.Weight.Rows,
        Inner = of.Weight.Columns,
        Left = new(of.X, of.Type, of.Weight.Columns, 1),
        Right = new(of.Data, DType.BFloat16, 0, 0),
        Result = new(of.Weight.Gate is null ? of.Y : 0, DType.Float32, of.Weight.Rows, 1),
    };

    static bool HasExperts(in WeightCall call) => call.Weight.Count > 1 || call.Experts != 0;

    static long GroupBytes(in WeightCall call) => Aligned(RowGroups.BytesFor(call.Rows, call.Weight.Count));

    public override long ScratchBytes(in WeightCall call, int workers) =>
        !HasExperts(call) ? engine.ScratchBytes(Product(call), workers)
        : GroupBytes(call) + engine.GroupScratchBytes(Product(call), call.Weight.Count, workers);

    public override void Run(in WeightCall call, Workers workers, byte* scratch)
    {
        if (call.Rows == 0) return;
        (this.call, groups) = (call, default);
        past = call.Weight.Outputs % WeightLayout.TileSide == 0 && call.Y % 64 == 0
            && call.Rows * call.Weight.Outputs * sizeof(float) >= LeastBytesPast;
        if (!HasExperts(call))
        {
            engine.Run(Product(call), workers, scratch);
            return;
        }
        groups = RowGroups.Of((int*)call.Experts, (int)call.Rows, (int)call.Weight.Count, scratch);
        engine.RunGroups(Product(call), groups, call.Weight.Count, call.Weight.Layout.Bytes, workers, scratch + GroupBytes(call));
    }

    // Finished sums of some rows, which no longer come by in the order of the result where they were sorted by experts.
    void Gate(BlockPlace* place)
    {
        long outputs = call.Weight.Outputs, panels = place->Columns / WeightLayout.PanelSide;
        float* to = (float*)call.Y + place->Column / 2;
        for (long i = 0; i < place->Rows; i++)
        {
            long row = groups.Count == 0 ? place->Row + i : groups.Row((int)(place->Row + i));
            Gating.Row(call.Weight.Gate!.Value, (float*)place->Data + i * place->Stride, panels, to + row * outputs, past);
        }
    }
}
