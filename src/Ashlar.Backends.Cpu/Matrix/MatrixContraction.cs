using System.Diagnostics;
using Ashlar.Backends.Cpu.Contractions;
using Ashlar.Backends.Cpu.Tuning;
using Ashlar.Backends.Cpu.Weights;

namespace Ashlar.Backends.Cpu.Matrix;

/// <summary>The matrix product on the tile unit (AMX): bfloat16 with float32 sums, bytes with int32 sums.</summary>
/// <remarks>
/// The same contract as <see cref="Contraction"/>: batches, any strides, elementwise work on operands and result, workers that do
/// not wait for each other. Large products and packed right operands go by strips (<see cref="StripProduct"/>), batches of
/// others, small ones and those that tuning found blocks for by items, as follows. An item goes through blocks of the inner axis.
/// One operand's panel stays in the first cache while the other one's block comes past it from the second
/// (<see cref="MatrixOrder"/>); sums stay in scratch memory until they are finished, since storing tiles into rows far apart
/// costs more than a copy. Bfloat16 denormals count as zero, as the tile unit has it. One call at a time.
/// </remarks>
sealed unsafe class MatrixContraction
{
    const long WorthHugePages = 512 << 10;             // more pages than the first level of translations holds

    const double WorthStrips = 1 << 23;                // products: fewer end before all have met after packing

    readonly Action<int, int> work;
    readonly StripProduct strips;

    ContractionCall call;
    MatrixBlocking blocking;
    MatrixScratch plan;
    Workers? pool;
    long batch;
    byte* scratch;

    /// <param name="product">What is multiplied.</param>
    /// <param name="left">Fills blocks of the left operand, [rows, inner], in its type; null reads
    /// <see cref="ContractionCall.Left"/>, which may be float32 for a product of bfloat16.</param>
    /// <param name="right">Fills blocks of the right operand, [columns, inner], likewise.</param>
    /// <param name="epilogue">Takes finished sums; null stores them to <see cref="ContractionCall.Result"/>, in the type of the
    /// sums or, rounded, in bfloat16.</param>
    /// <param name="blockScratchBytes">What each of these functions needs of <see cref="BlockPlace.Scratch"/>.</param>
    /// <param name="decoder">The right operand is a packed weight that this decodes; null where it is not.</param>
    /// <param name="rightIsPacked">The right operand lies as <see cref="PackedOperand"/> packs it; its batch axes step in
    /// bytes.</param>
    public MatrixContraction(TileProduct product, BlockFunction? left = null, BlockFunction? right = null,
        BlockFunction? epilogue = null,
        long blockScratchBytes = 0, bool rightIsPacked = false, PanelDecoder? decoder = null)
    {
        (Product, Left, Right, Epilogue, BlockScratchBytes, RightIsPacked) =
            (product, left, right, epilogue, blockScratchBytes, rightIsPacked);
        Decoder = decoder;
        work = Work;
        strips = new(this);
    }

    /// <summary>What is multiplied.</summary>
    public TileProduct Product { get; }

    /// <summary>Fills blocks of the left operand, where it is more than a strided array.</summary>
    public BlockFunction? Left { get; }

    /// <summary>Fills blocks of the right operand, where it is more than a strided array.</summary>
    public BlockFunction? Right { get; }

    /// <summary>Decodes the right operand, where it is a packed weight.</summary>
    public PanelDecoder? Decoder { get; }

    /// <summary>Takes finished sums.</summary>
    public BlockFunction? Epilogue { get; }

    /// <summary>What each function needs of its scratch memory.</summary>
    public long BlockScratchBytes { get; }

    /// <summary>The right operand is packed.</summary>
    public bool RightIsPacked { get; }

    /// <summary>Scratch memory that a call needs, for all its workers.</summary>
    /// <param name="product">Its extents; addresses do not matter.</param>
    /// <param name="threads">How many workers may take part.</param>
    public long ScratchBytes(in ContractionCall product, int threads)
    {
        long batches = BatchOf(product), bytes;
        if (GoesByStrips(product, batches, threads, out var cut)) bytes = cut.Bytes;
        else
        {
            var chosen = Choose(product, threads);
            var parts = new MatrixScratch(this, product, chosen);
            bytes = parts.SharedBytes * Math.Max(1, batches) + parts.Bytes * chosen.Workers;
        }
        return bytes < WorthHugePages ? bytes : Math.Max(bytes, Blocks.LeastBytesForHugePages);
    }

    /// <summary>Scratch memory that <see cref="RunGroups"/> needs, however rows are spread over groups.</summary>
    /// <param name="product">Its extents.</param>
    /// <param name="matrices">How many right operands there are.</param>
    /// <param name="threads">How many workers may take part.</param>
    public long GroupScratchBytes(in ContractionCall product, long matrices, int threads) =>
        Math.Max(new StripPlan(this, product, 1, matrices, threads).Bytes, Blocks.LeastBytesForHugePages);

    /// <summary>Computes a grouped product: the rows of each group by the matrix of the group, which lies packed.</summary>
    /// <param name="product">All rows, and the first matrix.</param>
    /// <param name="groups">Which rows go with which matrix; those of no group are not written.</param>
    /// <param name="matrices">How many matrices there are.</param>
    /// <param name="matrixBytes">From one matrix to the next.</param>
    /// <param name="workers">Who may help.</param>
    /// <param name="memory"><see cref="GroupScratchBytes"/>, aligned to 64 bytes.</param>
    public void RunGroups(in ContractionCall product, in RowGroups groups, long matrices, long matrixBytes,
        Workers workers, byte* memory)
    {
        if (product.Rows == 0 || product.Columns == 0) return;
        strips.Run(product, groups, matrices, matrixBytes, workers, memory);
    }

    bool GoesByStrips(in ContractionCall product, long batches, int threads, out StripPlan cut)
    {
        cut = default;
        if (batches == 0 || product.Rows == 0 || product.Columns == 0 || product.Inner == 0) return false;
        bool isPacked = RightIsPacked || Decoder is not null;
        if (!isPacked && batches > 1) return false;
        // Who asked for blocks, or let them be found, gets them.
        var config = ConfigOf(product, threads);
        if (config is TileBlocks) return false;
        if (!isPacked && config is null && (double)product.Rows * product.Columns * product.Inner < WorthStrips) return false;
        cut = new StripPlan(this, product, batches, 0, threads, config as StripBlocks);
        return cut.PackedBytes <= StripPlan.MostPackedBytes;
    }

    /// <summary>Computes the product.</summary>
    /// <param name="product">Extents, operands and result.</param>
    /// <param name="workers">Who may help.</param>
    /// <param name="memory"><see cref="ScratchBytes"/> for as many workers, aligned to 64 bytes.</param>
    public void Run(in ContractionCall product, Workers workers, byte* memory)
    {
        batch = BatchOf(product);
        if (batch == 0 || product.Rows == 0 || product.Columns == 0) return;
        Debug.Assert(!product.Accumulate || Epilogue is null, "an epilogue sees finished sums only");
        if (GoesByStrips(product, batch, workers.Count, out var cut))
        {
            strips.Run(product, batch, cut, workers, memory);
            return;
        }
        call = product;
        blocking = Choose(product, workers.Count);
        plan = new(this, product, blocking);
        scratch = memory;
        pool = workers;
        workers.Run(blocking.Workers, work);
    }

    /// <summary>Configs that tuning found, which go before what is chosen otherwise; null for none.</summary>
    public TunedProducts? Tuned { get; init; }

    /// <summary>The config of every call: what tuning times. Null leaves the choice.</summary>
    public TileConfig? ForcedConfig { get; set; }

    static long BatchOf(in ContractionCall product)
    {
        long batch = 1;
        for (int axis = 0; axis < product.BatchRank; axis++) batch *= product.Batch[axis].Count;
        return batch;
    }

    MatrixBlocking Choose(in ContractionCall product, int threads) =>
        (ConfigOf(product, threads) as TileBlocks)?.For(KeyOf(product, threads), Product.ElementBytes)
            ?? Modelled(product, threads);

    // What was asked for or found, where it is legal for this product.
    TileConfig? ConfigOf(in ContractionCall product, int threads)
    {
        if (ForcedConfig is null && Tuned is null) return null;
        var key = KeyOf(product, threads);
        return (ForcedConfig ?? Tuned!.OnTiles(key)) switch
        {
            TileBlocks blocks when blocks.For(key, Product.ElementBytes) is not null => blocks,
            StripBlocks strips when strips.IsLegal(key) => strips,
            _ => null,
        };
    }

    /// <summary>How a call is cut, as tuning would say it.</summary>
    internal TileConfig CutOf(in ContractionCall product, int threads) =>
        GoesByStrips(product, BatchOf(product), threads, out var cut)
        ? cut.Config(product.Rows, BatchOf(product)) : TileBlocks.Of(Choose(product, threads));

    /// <summary>What tuning knows a product by.</summary>
    internal ProductKey KeyOf(in ContractionCall product, int threads)
    {
        // Before a packed right operand all rows are packed first, whatever their type: what is left to choose does not depend on
        // it.
        return new(Product.Left, Left is not null || product.Left.DType != Product.Left && !RightIsPacked
            ? OperandAccess.Converted
            : AccessOf(product.Left.ColumnStride, product.Left.RowStride),
            RightIsPacked ? OperandAccess.InPlace
                : Decoder is not null || Right is not null || product.Right.DType != Product.Right
                ? OperandAccess.Converted
                : AccessOf(product.Right.ColumnStride, product.Right.RowStride),
            RightIsPacked, Math.Max(1, BatchOf(product)), Math.Max(1, product.Rows), Math.Max(1, product.Columns),
            product.Inner, threads);

        static OperandAccess AccessOf(long columnStride, long rowStride) =>
            columnStride == 1 ? OperandAccess.InPlace : rowStride == 1 ? OperandAccess.Turned : OperandAccess.Scattered;
    }

    MatrixBlocking Modelled(in ContractionCall product, int threads) =>
        MatrixBlocking.Choose(Product, threads, Math.Max(1, BatchOf(product)), Math.Max(1, product.Rows),
            Math.Max(1, product.Columns), product.Inner, RightIsPacked);

    // Each worker takes items that follow each other, so that it can keep what it packed for the last one.
    void Work(int worker, int workers)
    {
        long* place = stackalloc long[BatchAxes.Most];
        var (first, end) = EvenRange.Of(batch * blocking.RowBlocks * blocking.ColumnBlocks, worker, workers);
        byte* shared = scratch, own = scratch + plan.SharedBytes * batch + worker * plan.Bytes;
        TileKernels.Configure();
        try
        {
            var item = new MatrixItem(this, in call, in blocking, in plan, shared, own, place, worker);
            if (plan.SharesLeft)
            {
                item.PackShared(batch, worker, workers);
                pool!.Sync(workers);
            }
            for (long index = first; index < end; index++) item.Run(index);
        }
        finally
        {
            TileKernels.Release();
        }
    }
}

/// <summary>Where the parts of a worker's scratch memory lie.</summary>
readonly record struct MatrixScratch
{
    public MatrixScratch(MatrixContraction owner, in ContractionCall call, in MatrixBlocking blocking)
    {
        bool byRows = blocking.Order == MatrixOrder.RowPanels;
        long rowPanels = blocking.Rows / Tiles.PanelSide, columnPanels = blocking.Columns / Tiles.PanelSide;
        // What is needed again for the next item is kept over all steps.
        KeepsRight = byRows && blocking.RowBlocks > 1;
        long steps = Math.Max(1, blocking.AllSteps);
        // Rows that are not just copied are packed once for all items; a copy is as cheap as reading what somebody else packed.
        SharesLeft = byRows && blocking.ColumnBlocks > 1 && blocking.AllSteps > 0
            && (owner.Left is not null || call.Left.DType != owner.Product.Left || call.Left.ColumnStride != 1);
        SharedBytes = SharesLeft ? MatrixBlocking.Over(call.Rows, Tiles.PanelSide) * steps * Tiles.StepBytes : 0;
        // Not a power of two: rows fall into different sets.
        SumStride = blocking.Columns * sizeof(float) + Tiles.RowBytes;
        SumRows = byRows && blocking.InnerBlocks == 1 ? Tiles.PanelSide : blocking.Rows;
        Left = 0;
        Right = Left + (byRows ? blocking.Steps : rowPanels * steps) * Tiles.StepBytes;
        Sums = Right + (owner.RightIsPacked ? 0 : byRows ? columnPanels * (KeepsRight ? steps : blocking.Steps) : blocking.Steps)
            * Tiles.StepBytes;
        Staging = Aligned(Sums + SumRows * SumStride);
        Block = Aligned(Staging + TilePacking.StagingBytes(blocking.Steps));
        Bytes = Aligned(Block + owner.BlockScratchBytes) + 4096;
    }

    /// <summary>True where all workers first pack the left operand together: panel by panel, all steps of each.</summary>
    public bool SharesLeft { get; }

    /// <summary>What that takes for one product of the batch, before the memory of the first worker.</summary>
    public long SharedBytes { get; }

    /// <summary>Packed left operand: a panel of an inner block, or all rows of an item.</summary>
    public long Left { get; }

    /// <summary>Packed right operand: a panel of an inner block, or a block of all columns of an item.</summary>
    public long Right { get; }

    /// <summary>True where the right operand is kept over all inner blocks.</summary>
    public bool KeepsRight { get; }

    /// <summary>Sums, row by row.</summary>
    public long Sums { get; }

    /// <summary>Rows of sums.</summary>
    public long SumRows { get; }

    /// <summary>Bytes from one row of sums to the next.</summary>
    public long SumStride { get; }

    /// <summary>Elements on their way into a panel.</summary>
    public long Staging { get; }

    /// <summary>What block functions use.</summary>
    public long Block { get; }

    /// <summary>All of it.</summary>
    public long Bytes { get; }

    static long Aligned(long bytes) => (bytes + 127) / 128 * 128;
}
