namespace Ashlar.Backends.Cpu.Contractions;

/// <summary>What it takes to bring an operand into panels.</summary>
enum OperandAccess : byte
{
    /// <summary>Nothing: its inner index (left) or its columns (right) are contiguous.</summary>
    InPlace,
    /// <summary>The other index is contiguous.</summary>
    Turned,
    /// <summary>Neither is.</summary>
    Scattered,
    /// <summary>It has another type, or comes from a function.</summary>
    Converted,
}

/// <summary>What the blocking of a contraction depends on besides its extents.</summary>
/// <param name="Isa">The path.</param>
/// <param name="ElementBytes">Bytes of an element in the compute type.</param>
/// <param name="Threads">How many may share the work.</param>
/// <param name="Right">How the right operand lies.</param>
/// <param name="RightStrideBytes">From one inner index to the next.</param>
/// <param name="Left">How the left operand lies.</param>
/// <param name="LeftStrideBytes">From row to row.</param>
/// <param name="ResultIsScratch">Sums go through scratch memory, not straight to the result.</param>
readonly record struct BlockingCase(Isa Isa, int ElementBytes, int Threads, OperandAccess Right, long RightStrideBytes,
    OperandAccess Left, long LeftStrideBytes, bool ResultIsScratch)
{
    /// <summary>The right operand can be read where it lies.</summary>
    public bool RightIsInPlace => Right == OperandAccess.InPlace;

    /// <summary>Elements in a vector.</summary>
    public int Lanes => Isa.VectorBytes / ElementBytes;
}

/// <summary>How a contraction is cut: items that workers take, and inner blocks of each item.</summary>
/// <param name="RowBlocks">Items along the rows.</param>
/// <param name="ColumnBlocks">Items along the columns.</param>
/// <param name="Inner">Inner indices per inner block; the last block may have fewer.</param>
/// <param name="InnerBlocks">How many inner blocks, at least 1.</param>
/// <param name="Tile">The register tile.</param>
/// <param name="Workers">How many workers take part.</param>
/// <param name="ReadsLeftInPlace">The left operand is read where it lies; otherwise each item packs its part.</param>
/// <param name="Streams">The right operand is read once from afar: short inner blocks, prefetched one panel ahead.</param>
readonly record struct Blocking(long RowBlocks, long ColumnBlocks, long Inner, long InnerBlocks, RegisterTile Tile, int Workers,
    bool ReadsLeftInPlace, bool Streams)
{
    /// <summary>Inner indices per block: a panel of the right operand of twice the first cache still streams well, and the result
    /// moves less.</summary>
    public const long MostInner = 640, UsualInner = 512;

    /// <summary>Bytes of sums that an item keeps in scratch memory.</summary>
    public const long SumBytes = 2 << 20;

    /// <summary>Most rows of an item, however short the inner axis.</summary>
    public const long MostItemRows = 1024;

    /// <summary>Most rows of a product whose right operand is streamed.</summary>
    public const long MostStreamedRows = 64;

    const double WorthAnotherThread = 1.5e5;           // multiply-adds of one vector: about 5 us

    /// <summary>Rows of an item: its packed left operand fills that.</summary>
    public static long MostRows(long inner, int elementBytes, RegisterTile tile) =>
        Math.Clamp(LeftBytes / (Math.Max(inner, 1) * elementBytes) / tile.Rows * tile.Rows, tile.Rows * 4, MostItemRows);

    /// <summary>Bytes of packed left operand that an item keeps: a little more than half of the second cache, so that 512 x 512
    /// fits.</summary>
    public static long LeftBytes { get; } = Processor.Current.L2Bytes * 9 / 16;

    /// <summary>Chooses the blocking of a batch of products.</summary>
    public static Blocking Choose(in BlockingCase facts, long batch, long rows, long columns, long inner)
    {
        var tile = RegisterTile.Of(facts.Isa, Over(columns, facts.Lanes));
        bool streams = facts.RightIsInPlace && rows <= MostStreamedRows
            && (double)inner * columns * facts.ElementBytes > Processor.Current.L2Bytes;
        if (streams) tile = RegisterTile.ForStreams(facts.Isa, rows);
        long lanes = facts.Lanes, width = tile.Vectors * lanes;

        long innerBlocks = Math.Max(1, inner <= MostInner ? 1 : Over(inner, UsualInner));
        if (streams) innerBlocks = Math.Max(innerBlocks, Over(inner, StreamedInner(facts.RightStrideBytes)));
        long innerBlock = Math.Max(1, Math.Min(inner, Over(Over(inner, innerBlocks), 8) * 8));
        innerBlocks = Math.Max(1, Over(inner, innerBlock));

        long rowBlocks = Over(rows, MostRows(innerBlock, facts.ElementBytes, tile)), columnBlocks = 1;
        if (innerBlocks > 1 && (facts.ResultIsScratch || streams))
            columnBlocks =
                Over(columns, Math.Max(width, SumBytes / (Over(rows, rowBlocks) * facts.ElementBytes) / width * width));

        // A thread is worth its start from some microseconds of work on.
        double work = (double)batch * rows * columns * Math.Max(1, inner) / lanes;
        int workers = (int)Math.Clamp(work / WorthAnotherThread, 1, facts.Threads);
        if (workers > 1)
            (rowBlocks, columnBlocks) =
                Spread(batch, rows, columns, rowBlocks, columnBlocks, workers, tile.Rows, width, facts.RightIsInPlace);

        bool inPlace = facts.Left == OperandAccess.InPlace && !streams && columns / columnBlocks <= 1024 && innerBlocks == 1
            && (facts.LeftStrideBytes % 4096 != 0 || rows / rowBlocks <= tile.Rows);
        return new(rowBlocks, columnBlocks, innerBlock, innerBlocks, tile,
            (int)Math.Min(workers, batch * rowBlocks * columnBlocks), inPlace, streams);
    }

    /// <summary>Cycles per inner index of one product, roughly; to compare a product with its transpose.</summary>
    public static double Cost(in BlockingCase facts, in ContractionCall call)
    {
        double rows = call.Rows, columns = call.Columns, padded = Over(call.Columns, facts.Lanes) * facts.Lanes;
        double left = facts.Left switch
        {
            OperandAccess.InPlace => 0.3,
            OperandAccess.Turned => 0.35,
            OperandAccess.Scattered => 2,
            _ => 1.5,
        };
        double right = facts.Right switch
        {
            OperandAccess.InPlace => 0.1,
            OperandAccess.Turned => 0.4,
            OperandAccess.Scattered => 2,
            _ => 1.5,
        };
        double stores = call.Result.ColumnStride == 1 ? 0 : 2 * rows * columns / Math.Max(1, call.Inner);
        return rows * padded / (2 * facts.Lanes) + rows * left + columns * right * Over(call.Rows, MostItemRows / 2) + stores;
    }

    /// <summary>Inner indices of a streamed panel: as many rows as the hardware follows at once, each in a page of its
    /// own.</summary>
    /// <remarks>
    /// Measured on Sapphire Rapids: 48 rows stream at memory speed, 96 at half of it, whatever their distance. Fewer where rows a
    /// large power of two apart fall into so few sets of the second cache (taken to have 16 ways) that two panels do not fit.
    /// </remarks>
    public static long StreamedInner(long strideBytes)
    {
        const long ways = 16, followed = 48;
        long way = Processor.Current.L2Bytes / ways, stride = Math.Max(64, Math.Abs(strideBytes));
        long groups = way / GreatestCommonDivisor(way, stride);
        return Math.Clamp(ways * 3 / 8 * groups, 16, followed);
    }

    // More items, so that every worker gets an equal share: of the candidates the one with the least estimated time.
    static (long Rows, long Columns) Spread(long batch, long rows, long columns, long rowBlocks, long columnBlocks, int workers,
        long tileRows, long tileColumns, bool rightIsInPlace)
    {
        long panels = Over(rows, tileRows), columnPanels = Over(columns, tileColumns);
        double best = double.PositiveInfinity;
        var chosen = (rowBlocks, columnBlocks);
        for (long c = columnBlocks; c <= Math.Min(columnBlocks * workers, columnPanels); c++)
            for (long r = rowBlocks; r <= Math.Min(rowBlocks * workers, panels); r++)
            {
                double itemRows = Over(panels, r) * tileRows, itemColumns = Over(columnPanels, c) * tileColumns;
                // Cycles per inner index: the products, packing the left operand, reading or packing the right one.
                double item = itemRows * itemColumns / 32 + itemRows * 0.35 + itemColumns * (rightIsInPlace ? 0.15 : 0.4);
                double time = Over(batch * r * c, workers) * item;
                if (time < best * 0.995) (best, chosen) = (time, (r, c));
            }
        return chosen;
    }

    static long Over(long count, long by) => (count + by - 1) / by;

    static long GreatestCommonDivisor(long a, long b)
    {
        while (b != 0) (a, b) = (b, a % b);
        return a;
    }
}
