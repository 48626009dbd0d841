namespace Ashlar.Backends.Cpu.Matrix;

/// <summary>Which operand stays while the other one moves past it.</summary>
enum MatrixOrder : byte
{
    /// <summary>A row panel of the left operand stays in the first cache; the item's part of the right operand comes from the
    /// second.</summary>
    RowPanels,
    /// <summary>A column panel of the right operand stays; the item's rows of the left operand come from the second
    /// cache.</summary>
    ColumnPanels,
}

/// <summary>How a product on tiles is cut: items that workers take, and inner blocks of each.</summary>
/// <param name="Order">Which operand moves.</param>
/// <param name="RowBlocks">Items along the rows.</param>
/// <param name="Rows">Rows of an item, a multiple of a panel's 32; the last item may have fewer.</param>
/// <param name="ColumnBlocks">Items along the columns.</param>
/// <param name="Columns">Columns of an item, likewise.</param>
/// <param name="Steps">Steps per inner block; the last block may have fewer.</param>
/// <param name="InnerBlocks">How many inner blocks, at least 1.</param>
/// <param name="AllSteps">Steps of the whole inner axis.</param>
/// <param name="Workers">How many workers take part.</param>
readonly record struct MatrixBlocking(MatrixOrder Order, long RowBlocks, long Rows, long ColumnBlocks, long Columns, long Steps,
    long InnerBlocks,
    long AllSteps, int Workers)
{
    /// <summary>Steps of an inner block: 512 bfloat16 indices, so that a panel fits the first cache with room to spare.</summary>
    public const long MostSteps = 16;

    /// <summary>Columns of an item: the right operand's block and the sums share the second cache.</summary>
    public const long MostColumns = 512;

    /// <summary>Rows of an item whose sums stay in scratch memory between inner blocks.</summary>
    public const long MostRows = 512;

    const double WorthAnotherThread = 16_000;          // cycles: some 5 us

    /// <summary>Bytes of packed left operand that stay in the second cache while columns go by.</summary>
    public static long LeftBytes { get; } = Processor.Current.L2Bytes * 5 / 8;

    /// <summary>Chooses the blocking of a batch of products.</summary>
    /// <param name="product">What is multiplied.</param>
    /// <param name="threads">How many may share the work.</param>
    /// <param name="batch">Products.</param>
    /// <param name="rightIsPacked">The right operand needs no packing.</param>
    public static MatrixBlocking Choose(TileProduct product, int threads, long batch, long rows, long columns, long inner,
        bool rightIsPacked)
    {
        long steps = Tiles.Steps(inner, product.ElementBytes);
        long rowPanels = Over(rows, Tiles.PanelSide), columnPanels = Over(columns, Tiles.PanelSide);
        var order = rowPanels * Math.Max(1, steps) * Tiles.StepBytes <= LeftBytes && (rightIsPacked || rows <= 256)
            ? MatrixOrder.ColumnPanels
            : MatrixOrder.RowPanels;
        var (innerBlocks, innerSteps) = InnerBlocksOf(steps);

        long mostRows = order == MatrixOrder.RowPanels && innerBlocks > 1 ? MostRows / Tiles.PanelSide : rowPanels,
            mostColumns = MostColumns / Tiles.PanelSide;
        double cycles = batch * Cycles(product, rowPanels, columnPanels, Math.Max(1, steps), rightIsPacked, order);
        int workers = (int)Math.Clamp(cycles / WorthAnotherThread, 1, threads);

        // Of all ways to cut, the one that ends first.
        long leastRows = Over(rowPanels, mostRows), leastColumns = Over(columnPanels, mostColumns);
        double best = double.PositiveInfinity;
        var (chosenRows, chosenColumns) = (leastRows, leastColumns);
        for (long c = leastColumns; c <= Math.Min(leastColumns * 2 * workers, columnPanels); c++)
            for (long r = leastRows; r <= Math.Min(leastRows * 2 * workers, rowPanels); r++)
            {
                long itemRows = Over(rowPanels, r), itemColumns = Over(columnPanels, c);
                if (Over(rowPanels, itemRows) != r || Over(columnPanels, itemColumns) != c) continue;
                double time = Over(batch * r * c, workers) * Cycles(product, itemRows, itemColumns, Math.Max(1, steps),
                    rightIsPacked, order);
                if (time < best * 0.995) (best, chosenRows, chosenColumns) = (time, r, c);
            }
        return new(order, chosenRows, Over(rowPanels, chosenRows) * Tiles.PanelSide, chosenColumns,
            Over(columnPanels, chosenColumns) * Tiles.PanelSide,
            innerSteps, innerBlocks, steps, (int)Math.Min(workers, batch * chosenRows * chosenColumns));
    }

    // Tile products take 16 cycles; packing a line some 2 to 4; sums of an item go out once.
    static double Cycles(TileProduct product, double rowPanels, double columnPanels, double steps, bool rightIsPacked,
        MatrixOrder order) =>
        rowPanels * columnPanels * (steps * 80 + 128) + rowPanels * steps * 80 + (rightIsPacked ? 0 : columnPanels * steps * 128);

    /// <summary>How an inner axis of so many steps is cut: blocks, and steps of each but the last. Packed operands are laid out
    /// by it.</summary>
    public static (long Blocks, long Steps) InnerBlocksOf(long steps)
    {
        long blocks = Math.Max(1, Over(steps, MostSteps)), each = Math.Max(1, Over(steps, blocks));
        return (Math.Max(1, Over(steps, each)), each);
    }

    /// <summary>Rounded up.</summary>
    public static long Over(long count, long by) => (count + by - 1) / by;
}
