using System.Globalization;
using Ashlar.Backends.Cpu.Contractions;
using Ashlar.Backends.Cpu.Matrix;

namespace Ashlar.Backends.Cpu.Tuning;

using Tiles = Matrix.Tiles;   // here, for the namespace Ashlar.Tiles hides it

/// <summary>What can be chosen about a product on the tile unit that goes by blocks (<see cref="MatrixBlocking"/>). Sizes, not
/// counts, so that it holds for every shape of a class.</summary>
/// <param name="Order">Which operand stays in the first cache.</param>
/// <param name="Rows">Rows of an item, at most.</param>
/// <param name="Columns">Columns of an item, at most.</param>
/// <param name="Steps">Steps of an inner block, at most.</param>
/// <param name="Workers">Threads that take part, at most.</param>
sealed record TileBlocks(MatrixOrder Order, long Rows, long Columns, long Steps, int Workers) : TileConfig
{
    const long MostScratchBytes = 64 << 20;            // of one worker; a config that needs more is not legal

    static readonly long[] sides = [32, 64, 128, 256, 512, 1024], steps = [8, 16, 24, 32];

    /// <summary>The blocking of one product.</summary>
    /// <param name="key">Its extents.</param>
    /// <param name="elementBytes">2 for bfloat16, 1 for bytes.</param>
    /// <returns>Null where this config is not legal for it.</returns>
    public MatrixBlocking? For(in ProductKey key, int elementBytes)
    {
        long allSteps = Tiles.Steps(key.Inner, elementBytes);
        long rowPanels = MatrixBlocking.Over(key.Rows, Tiles.PanelSide),
            columnPanels = MatrixBlocking.Over(key.Columns, Tiles.PanelSide);
        long rowBlocks = MatrixBlocking.Over(key.Rows, Rows), columnBlocks = MatrixBlocking.Over(key.Columns, Columns);
        long itemRows = MatrixBlocking.Over(rowPanels, rowBlocks), itemColumns = MatrixBlocking.Over(columnPanels, columnBlocks);
        // Panels that do not divide evenly leave fewer blocks than asked for.
        (rowBlocks, columnBlocks) = (MatrixBlocking.Over(rowPanels, itemRows), MatrixBlocking.Over(columnPanels, itemColumns));
        var (innerBlocks, innerSteps) = key.RightIsPacked ? MatrixBlocking.InnerBlocksOf(allSteps) : BlocksOf(allSteps, Steps);
        var blocking = new MatrixBlocking(Order, rowBlocks, itemRows * Tiles.PanelSide, columnBlocks,
            itemColumns * Tiles.PanelSide, innerSteps, innerBlocks, allSteps,
            (int)Math.Min(Workers, key.Batch * rowBlocks * columnBlocks));
        return ScratchOf(blocking) <= MostScratchBytes ? blocking : null;
    }

    /// <summary>Every config that is legal for a product, each blocking once.</summary>
    public static List<TileBlocks> Of(in ProductKey key, int elementBytes)
    {
        var blockings = new HashSet<MatrixBlocking>();
        var configs = new List<TileBlocks>();
        foreach (var order in (MatrixOrder[])[MatrixOrder.RowPanels, MatrixOrder.ColumnPanels])
            foreach (long rows in Sizes(key.Rows))
                foreach (long columns in Sizes(key.Columns))
                    foreach (long inner in key.RightIsPacked ? [MatrixBlocking.MostSteps] : steps)
                    {
                        var config = new TileBlocks(order, rows, columns, inner, key.Threads);
                        if (config.For(key, elementBytes) is not { } blocking || blocking.Workers < key.Threads
                            && key.Threads <= Items(key)) continue;
                        if (blockings.Add(blocking)) configs.Add(config);
                    }
        return configs;
    }

    /// <summary>The config that a blocking has.</summary>
    public static TileBlocks Of(in MatrixBlocking blocking) =>
        new(blocking.Order, blocking.Rows, blocking.Columns, Math.Max(1, blocking.Steps), blocking.Workers);

    /// <summary>The config of this text; null where it is none.</summary>
    public static new TileBlocks? Parse(string text)
    {
        if (ConfigText.Read(text) is not { Count: 6 } values || values.GetValueOrDefault("by") != "blocks") return null;
        if (!values.TryGetValue("stays", out string? stays) || stays is not ("left" or "right")) return null;
        return (values.Number("rows"), values.Number("columns"), values.Number("steps"), values.Number("workers")) is ({ } rows,
            { } columns, { } inner, >= 1 and <= 1024 and var workers)
            ? new(stays == "left" ? MatrixOrder.RowPanels : MatrixOrder.ColumnPanels, rows, columns, inner, (int)workers) : null;
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"by=blocks stays={(Order == MatrixOrder.RowPanels ? "left" : "right")} rows={Rows} columns={Columns} steps={Steps} workers={Workers}");

    /// <summary>How an inner axis is cut evenly into blocks of at most so many steps.</summary>
    public static (long Blocks, long Steps) BlocksOf(long all, long most)
    {
        long blocks = Math.Max(1, MatrixBlocking.Over(all, most)), each = Math.Max(1, MatrixBlocking.Over(all, blocks));
        return (Math.Max(1, MatrixBlocking.Over(all, each)), each);
    }

    static long ScratchOf(in MatrixBlocking blocking)
    {
        long steps = Math.Max(1, blocking.AllSteps), rowPanels = blocking.Rows / Tiles.PanelSide,
            columnPanels = blocking.Columns / Tiles.PanelSide;
        bool byRows = blocking.Order == MatrixOrder.RowPanels;
        long panels = byRows ? columnPanels * (blocking.RowBlocks > 1 ? steps : blocking.Steps) : rowPanels * steps;
        return panels * Tiles.StepBytes + (byRows && blocking.InnerBlocks == 1 ? Tiles.PanelSide : blocking.Rows)
            * blocking.Columns * sizeof(float);
    }

    static long Items(in ProductKey key) =>
        key.Batch * MatrixBlocking.Over(key.Rows, Tiles.PanelSide) * MatrixBlocking.Over(key.Columns, Tiles.PanelSide);

    // Narrow blocks of a large extent pack and load more than they multiply.
    static IEnumerable<long> Sizes(long extent) =>
        [.. sides.Where(side => side < extent && (side >= 128 || side * 8 >= extent)),
            MatrixBlocking.Over(extent, Tiles.PanelSide) * Tiles.PanelSide];
}
