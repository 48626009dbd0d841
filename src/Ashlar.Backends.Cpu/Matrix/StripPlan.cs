using Ashlar.Backends.Cpu.Contractions;
using Ashlar.Backends.Cpu.Tuning;

namespace Ashlar.Backends.Cpu.Matrix;

/// <summary>Rows that meet the same right operand: a group, or a part of one of which an inner block stays in the second
/// cache.</summary>
struct StripSegment
{
    /// <summary>Which product of the batch.</summary>
    public long Batch;
    /// <summary>Which matrix of a grouped product.</summary>
    public long Matrix;
    /// <summary>The first row's place in the order of groups.</summary>
    public long Place;
    /// <summary>How many rows.</summary>
    public int Rows;
    /// <summary>Panels of 32 rows, the last one padded.</summary>
    public int Panels;
    /// <summary>The first of them among all.</summary>
    public long Panel;
    /// <summary>The first of the units in which its rows are packed.</summary>
    public long FirstPack;
    /// <summary>The first of its items.</summary>
    public long FirstItem;
    /// <summary>Column panels of an item; the last item may have fewer.</summary>
    public long ItemPanels;
    /// <summary>Column panels of a strip; the last strip of an item may have fewer.</summary>
    public long StripPanels;
    /// <summary>All of the packed rows stay in the second cache.</summary>
    public bool Stays;
}

/// <summary>How a product goes by strips (<see cref="StripProduct"/>), and where the parts of its scratch memory lie.</summary>
readonly record struct StripPlan
{
    /// <summary>Rows of a segment, unless tuning chose others: an inner block of them is a quarter of the usual second cache of 2
    /// MiB.</summary>
    public const long MostRows = 512;

    /// <summary>Bytes of sums that a worker keeps between inner blocks.</summary>
    public const long SumBytes = 512 << 10;

    /// <summary>Column panels that are packed together where the right operand comes as rows.</summary>
    public const long PanelsAtOnce = 16;

    /// <summary>More scratch memory than this for packed operands is not worth it.</summary>
    public const long MostPackedBytes = 512L << 20;

    const long LeastBytesPast = 2 << 20;
    const double WorthAnotherThread = 16_000;          // cycles: some 5 us
    // Who is faster takes more: virtual processors differ from moment to moment.
    const int ItemsPerWorker = 4;
    const long LeastPanels = 4;                        // columns of an item, where narrower ones read the left operand too often

    /// <summary>Bytes of packed rows that stay in the second cache while columns go by.</summary>
    public static long LeftBytes { get; } = Processor.Current.L2Bytes * 5 / 8;

    readonly long askedItem, askedStrip;               // panels, where tuning chose; else 0

    /// <param name="owner">Says where operands and results come from and go.</param>
    /// <param name="call">Extents.</param>
    /// <param name="batch">Products.</param>
    /// <param name="groups">Matrices of a grouped product; else 0.</param>
    /// <param name="threads">How many may share the work.</param>
    /// <param name="config">What tuning chose; null leaves the choice.</param>
    public StripPlan(MatrixContraction owner, in ContractionCall call, long batch, long groups, int threads,
        StripBlocks? config = null)
    {
        bool isPlain = !owner.RightIsPacked && owner.Decoder is null;
        SegmentRows = config?.Rows ?? MostRows;
        (askedItem, askedStrip) = ((config?.Columns ?? 0) / Tiles.PanelSide, (config?.Strip ?? 0) / Tiles.PanelSide);
        AllSteps = Math.Max(1, Tiles.Steps(call.Inner, owner.Product.ElementBytes));
        (InnerBlocks, Steps) = InnerBlocksOf(AllSteps, !isPlain, config?.Steps);
        ColumnPanels = MatrixBlocking.Over(Math.Max(1, call.Columns), Tiles.PanelSide);
        long rowPanels = MatrixBlocking.Over(Math.Max(1, call.Rows), Tiles.PanelSide),
            rowBlocks = MatrixBlocking.Over(call.Rows, SegmentRows);
        bool isGrouped = groups > 0;
        // Each group pads its last panel.
        long panels = isGrouped ? call.Rows / Tiles.PanelSide + Math.Min(groups, call.Rows) : batch * rowPanels;
        MostSegments = isGrouped ? call.Rows / SegmentRows + Math.Min(groups, call.Rows) : batch * Math.Max(1, rowBlocks);
        SharesRight = isPlain && (config?.SharesRight ?? rowBlocks > 1);
        PacksStrips = isPlain && !SharesRight;
        HasEpilogue = owner.Epilogue is not null;
        PacksRows = owner.Left is not null || call.Left.ColumnStride == 1;

        var result = call.Result;
        StoresPast = !HasEpilogue && result.ColumnStride == 1 && result.RowStride * result.DType.Bytes % Tiles.RowBytes == 0
            && batch * call.Rows * call.Columns * result.DType.Bytes >= LeastBytesPast;

        double cycles = (double)panels * ColumnPanels * (AllSteps * 80 + 128);
        Workers = (int)Math.Clamp(cycles / WorthAnotherThread, 1, Math.Min(threads, config?.Workers ?? threads));

        Left = Aligned(MostSegments * SegmentBytes);
        Right = Left + panels * AllSteps * Tiles.StepBytes;
        PackedBytes = Right + (SharesRight ? batch * ColumnPanels * AllSteps * Tiles.StepBytes : 0);
        Own = PackedBytes;
        long most = Math.Min(rowPanels, SegmentRows / Tiles.PanelSide), mostStrip = Math.Min(askedStrip > 0
            ? askedStrip
            : PanelsAtOnce, ColumnPanels);
        Sums = PacksStrips ? mostStrip * Steps * Tiles.StepBytes : owner.Decoder is null ? 0 : Steps * Tiles.StepBytes;
        const long panelSums = Tiles.PanelSide * Tiles.PanelSide * sizeof(float);
        long sums = askedStrip > 0
            ? most * mostStrip * panelSums
            : Math.Max(Math.Min(SumBytes, most * ColumnPanels * panelSums), most * panelSums);
        Staging = Aligned(Sums + sums + most * Tiles.PanelSide * Tiles.RowBytes);
        Block = Aligned(Staging + TilePacking.StagingBytes(Steps));
        OwnBytes = Aligned(Block + owner.BlockScratchBytes) + 4096;
    }

    /// <summary>Rows of a segment, at most; a multiple of a panel's 32.</summary>
    public long SegmentRows { get; }

    /// <summary>Steps of the inner axis, at least 1.</summary>
    public long AllSteps { get; }

    /// <summary>Blocks of the inner axis.</summary>
    public long InnerBlocks { get; }

    /// <summary>Steps of each but the last.</summary>
    public long Steps { get; }

    /// <summary>Panels of 32 columns.</summary>
    public long ColumnPanels { get; }

    /// <summary>How many segments there may be.</summary>
    public long MostSegments { get; }

    /// <summary>All workers pack the right operand together, because several segments need it.</summary>
    public bool SharesRight { get; }

    /// <summary>Each strip of the right operand is packed by the one worker who needs it.</summary>
    public bool PacksStrips { get; }

    /// <summary>Sums go to an epilogue, strip by strip; else each column panel is stored when it is done.</summary>
    public bool HasEpilogue { get; }

    /// <summary>
    /// Results are stored past the caches. Two lines of each row do not follow each other, and rows a power of two apart share so
    /// few sets that what was fetched for them is gone before they are stored.
    /// </summary>
    public bool StoresPast { get; }

    /// <summary>The left operand is packed row by row, wherever each lies or is computed; else as the matrix that it
    /// is.</summary>
    public bool PacksRows { get; }

    /// <summary>How many workers take part.</summary>
    public int Workers { get; }

    /// <summary>The packed left operand, behind the segments.</summary>
    public long Left { get; }

    /// <summary>The packed right operand, where it is shared.</summary>
    public long Right { get; }

    /// <summary>Bytes of segments and packed operands together.</summary>
    public long PackedBytes { get; }

    /// <summary>The memory of the first worker; all of its parts are counted from its beginning, where the right operand's strip
    /// or panel lies.</summary>
    public long Own { get; }

    /// <summary>Sums.</summary>
    public long Sums { get; }

    /// <summary>Elements on their way into a panel.</summary>
    public long Staging { get; }

    /// <summary>What block functions use.</summary>
    public long Block { get; }

    /// <summary>Bytes of a worker.</summary>
    public long OwnBytes { get; }

    /// <summary>All of it.</summary>
    public long Bytes => Own + Workers * OwnBytes;

    /// <summary>Row panels of a unit of packing: one where rows are copied, more where columns of the operand are
    /// contiguous.</summary>
    public long PackPanels => PacksRows ? 1 : PanelsAtOnce;

    /// <summary>Cuts the columns of a segment into items and strips.</summary>
    /// <param name="segment">Its panels are set.</param>
    /// <param name="segments">How many there are.</param>
    /// <returns>Items.</returns>
    public long Cut(ref StripSegment segment, long segments)
    {
        segment.Stays = segment.Panels * AllSteps * Tiles.StepBytes <= LeftBytes;
        if (askedItem > 0)
        {
            segment.ItemPanels = Evenly(ColumnPanels, askedItem);
            segment.StripPanels = Evenly(segment.ItemPanels, askedStrip);
            return MatrixBlocking.Over(ColumnPanels, segment.ItemPanels);
        }
        // With all rows at hand a panel can go through all inner blocks at once; else sums wait in scratch memory.
        long most = Math.Max(1, SumBytes / (segment.Panels * Tiles.PanelSide * Tiles.PanelSide * sizeof(float)));
        long strip = segment.Stays && !PacksStrips && !HasEpilogue
            ? 1
            : Math.Min(most, PacksStrips || segment.Stays ? PanelsAtOnce : most);
        long wanted = Workers == 1 ? 1 : MatrixBlocking.Over(ItemsPerWorker * Workers, segments);
        long least = Math.Min(strip == 1 ? 2 : segment.Stays ? Math.Min(strip, LeastPanels) : strip, ColumnPanels);
        long itemPanels = Math.Max(least, MatrixBlocking.Over(ColumnPanels, wanted)),
            items = MatrixBlocking.Over(ColumnPanels, itemPanels);
        segment.ItemPanels = MatrixBlocking.Over(ColumnPanels, items);
        segment.StripPanels = MatrixBlocking.Over(segment.ItemPanels, MatrixBlocking.Over(segment.ItemPanels, strip));
        return MatrixBlocking.Over(ColumnPanels, segment.ItemPanels);
    }

    /// <summary>The plan as tuning would say it: a product with that config is cut just so.</summary>
    /// <param name="rows">Rows of the product.</param>
    /// <param name="batch">Products.</param>
    public StripBlocks Config(long rows, long batch)
    {
        long blocks = MatrixBlocking.Over(rows, SegmentRows);
        var segment = new StripSegment
        {
            Panels = (int)Evenly(MatrixBlocking.Over(rows, Tiles.PanelSide), SegmentRows / Tiles.PanelSide),
        };
        Cut(ref segment, blocks * batch);
        return new(SegmentRows, segment.ItemPanels * Tiles.PanelSide, segment.StripPanels * Tiles.PanelSide, Steps,
            !PacksStrips, Workers);
    }

    /// <summary>How an inner axis is cut: blocks, and steps of each but the last. A packed operand was cut when it was
    /// packed.</summary>
    /// <param name="steps">Steps of the whole axis.</param>
    /// <param name="isPacked">The right operand is packed.</param>
    /// <param name="most">Steps of a block that tuning chose, at most; null leaves the choice.</param>
    public static (long Blocks, long Steps) InnerBlocksOf(long steps, bool isPacked, long? most) =>
        isPacked || most is null ? MatrixBlocking.InnerBlocksOf(steps) : TileBlocks.BlocksOf(steps, most.Value);

    static long Evenly(long all, long most) => MatrixBlocking.Over(all, MatrixBlocking.Over(all, most));

    static unsafe long SegmentBytes => sizeof(StripSegment);

    static long Aligned(long bytes) => (bytes + 127) / 128 * 128;
}
