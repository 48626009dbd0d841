using Ashlar.Backends.Cpu.Contractions;
using Ashlar.Backends.Cpu.Matrix;
using Ashlar.Graph;

namespace Ashlar.Backends.Cpu.Weights;

/// <summary>Products of many rows with packed weights on the tile unit, in bfloat16 with float32 sums.</summary>
/// <remarks>
/// Weights of bfloat16 lie as tiles already; all others are decoded by the engine, a panel of an inner block at a time, into the cache
/// from which the tiles come. Experts run one after another, each with its own rows side by side.
/// </remarks>
sealed unsafe class TileWeightProduct : WeightProduct
{
    readonly WeightEncoding encoding;
    readonly MatrixContraction engine;
    readonly Action<int, int> gather, scatter;
    WeightCall call;
    RowGroups groups;
    byte* rows;                                        // of experts: activations in the order of groups
    byte* sums;                                        // and results

    /// <param name="encoding">How weights are stored.</param>
    public TileWeightProduct(WeightEncoding encoding)
    {
        this.encoding = encoding;
        engine = encoding.Code == WeightCode.BF16 ? new(TileProduct.BF16, rightIsPacked: true) : new(TileProduct.BF16, decoder: new(encoding));
        (gather, scatter) = (Gather, Scatter);
    }

    ContractionCall Product(in WeightCall of, long count) => new()
    {
        Rows = count,
        Columns = of.Weight.Rows,
        Inner = of.Weight.Columns,
        Left = new(of.X, of.Type, of.Weight.Columns, 1),
        Right = new(of.Data, DType.BFloat16, 0, 0),
        Result = new(of.Y, DType.Float32, of.Weight.Rows, 1),
    };

    static bool HasExperts(in WeightCall call) => call.Weight.Count > 1 || call.Experts != 0;

    static long RowBytes(in WeightCall call) => call.Weight.Columns * call.Type.Bytes;

    static long GroupBytes(in WeightCall call) => Aligned(RowGroups.BytesFor(call.Rows, call.Weight.Count))
        + Aligned(call.Rows * RowBytes(call)) + Aligned(call.Rows * call.Weight.Rows * sizeof(float));

    public override long ScratchBytes(in WeightCall call, int workers)
    {
        if (!HasExperts(call)) return engine.ScratchBytes(Product(call, call.Rows), workers);
        // However many rows an expert gets; what the engine needs changes with whole panels of rows only.
        long most = 0;
        for (long count = WeightLayout.PanelSide; count < call.Rows + WeightLayout.PanelSide; count += WeightLayout.PanelSide)
            most = Math.Max(most, engine.ScratchBytes(Product(call, count), workers));
        return GroupBytes(call) + most;
    }

    public override void Run(in WeightCall call, Workers workers, byte* scratch)
    {
        if (call.Rows == 0) return;
        if (!HasExperts(call))
        {
            engine.Run(Product(call, call.Rows), workers, scratch);
            return;
        }
        this.call = call;
        groups = RowGroups.Of((int*)call.Experts, (int)call.Rows, (int)call.Weight.Count, scratch);
        rows = scratch + Aligned(RowGroups.BytesFor(call.Rows, call.Weight.Count));
        sums = rows + Aligned(call.Rows * RowBytes(call));
        workers.Run(gather);
        for (int i = 0; i < groups.Count; i++)
        {
            var group = groups[i];
            engine.Run(Product(call with
            {
                X = (nint)(rows + group.First * RowBytes(call)),
                Data = call.Data + (nint)(group.Matrix * call.Weight.Layout.Bytes),
                Y = (nint)(sums + group.First * call.Weight.Rows * sizeof(float)),
            }, group.Count), workers, scratch + GroupBytes(call));
        }
        workers.Run(scatter);
    }

    void Gather(int worker, int workers)
    {
        long bytes = RowBytes(call);
        var (first, end) = EvenRange.Of(call.Rows, worker, workers);
        for (long place = first; place < end; place++)
            new ReadOnlySpan<byte>((byte*)call.X + groups.Row((int)place) * bytes, (int)bytes).CopyTo(new(rows + place * bytes, (int)bytes));
    }

    void Scatter(int worker, int workers)
    {
        long bytes = call.Weight.Rows * sizeof(float);
        var (first, end) = EvenRange.Of(call.Rows, worker, workers);
        for (long place = first; place < end; place++)
            new ReadOnlySpan<byte>(sums + place * bytes, (int)bytes).CopyTo(new((byte*)call.Y + groups.Row((int)place) * bytes, (int)bytes));
    }
}

/// <summary>Decodes panels of packed weights into the order of tiles.</summary>
sealed unsafe class PanelDecoder
{
    readonly WeightEncoding encoding;
    readonly ExecutableMemory kernel;
    readonly nint table;

    /// <param name="encoding">Any but bfloat16, which needs no decoding.</param>
    public PanelDecoder(WeightEncoding encoding)
    {
        (this.encoding, kernel) = (encoding, TileDecoding.Get(encoding));
        table = RowWeightProduct.TableOf(encoding);
    }

    /// <summary>The layout of a matrix [columns, inner].</summary>
    public WeightLayout LayoutOf(long columns, long inner) => new(encoding, columns, inner);

    /// <summary>Decodes an inner block of a panel, and fetches another meanwhile.</summary>
    /// <param name="layout">Of the matrix.</param>
    /// <param name="matrix">Its first byte.</param>
    /// <param name="panel">Which 32 outputs.</param>
    /// <param name="step">The first step, which begins an inner block.</param>
    /// <param name="nextPanel">The panel that is fetched.</param>
    /// <param name="nextStep">Its first step, which begins an inner block.</param>
    /// <param name="to">Tiles, aligned to 64.</param>
    public void Decode(in WeightLayout layout, byte* matrix, long panel, long step, long nextPanel, long nextStep, byte* to)
    {
        long next = Math.Min(layout.BlockSteps, layout.Steps - nextStep) * layout.StepBytes;
        var arguments = new DecodeArguments
        {
            From = (long)(matrix + layout.Offset(panel, step)),
            To = (long)to,
            Steps = Math.Min(layout.BlockSteps, layout.Steps - step),
            Masks = TileDecoding.MasksAddress,
            Table = table,
            Ahead = (long)(matrix + layout.Offset(nextPanel, nextStep)),
            AheadStride = (next / 4 + 63) / 64 * 64,
        };
        ((delegate* unmanaged<DecodeArguments*, void>)kernel.Entry)(&arguments);
    }
}
