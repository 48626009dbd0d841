using System.Globalization;
using Ashlar.Backends.Cpu.Matrix;

namespace Ashlar.Backends.Cpu.Tuning;

using Tiles = Matrix.Tiles;   // here, for the namespace Ashlar.Tiles hides it

/// <summary>What can be chosen about a product by strips (<see cref="StripPlan"/>). Sizes, not counts, so that it holds for every
/// shape of a class.</summary>
/// <param name="Rows">Rows that come past a panel of columns, at most.</param>
/// <param name="Columns">Columns of an item, at most.</param>
/// <param name="Strip">Columns that go through the inner blocks together, at most: their sums wait meanwhile.</param>
/// <param name="Steps">Steps of an inner block, at most. A packed right operand is cut already.</param>
/// <param name="SharesRight">All workers pack the right operand before the first product; else each packs the strips that it
/// multiplies.</param>
/// <param name="Workers">Threads that take part, at most.</param>
sealed record StripBlocks(long Rows, long Columns, long Strip, long Steps, bool SharesRight, int Workers) : TileConfig
{
    const long MostSumBytes = 4 << 20;                 // of one worker; a config that needs more is not legal

    static readonly long[] rowSizes = [256, 512, 1024], columnSizes = [128, 256, 512, 1024], stripSizes = [32, 64, 128, 256],
    steps = [16, 32];

    /// <summary>The same config with the sizes that a product really gets: equal ones are cut alike.</summary>
    /// <param name="key">Its extents.</param>
    /// <param name="elementBytes">2 for bfloat16, 1 for bytes.</param>
    /// <returns>Null where this config is not legal for it.</returns>
    public StripBlocks? For(in ProductKey key, int elementBytes)
    {
        if (!IsLegal(key)) return null;
        long rowPanels = MatrixBlocking.Over(key.Rows, Tiles.PanelSide),
            columnPanels = MatrixBlocking.Over(key.Columns, Tiles.PanelSide), allSteps = Tiles.Steps(key.Inner, elementBytes);
        long itemPanels = Evenly(columnPanels, Columns / Tiles.PanelSide),
            segmentPanels = Evenly(rowPanels, Rows / Tiles.PanelSide);
        return new StripBlocks(segmentPanels * Tiles.PanelSide, itemPanels * Tiles.PanelSide,
            Evenly(itemPanels, Strip / Tiles.PanelSide) * Tiles.PanelSide,
            StripPlan.InnerBlocksOf(allSteps, key.RightIsPacked, Steps).Steps, SharesRight
                || key.RightIsPacked, Math.Min(Workers, key.Threads));
    }

    /// <summary>Whether a product may be cut so. Asked before every product that was tuned; allocates nothing.</summary>
    public bool IsLegal(in ProductKey key) =>
        Rows % Tiles.PanelSide == 0 && Columns % Tiles.PanelSide == 0 && Strip % Tiles.PanelSide == 0
        && Math.Min(Rows, MatrixBlocking.Over(key.Rows, Tiles.PanelSide) * Tiles.PanelSide) * Math.Min(Strip, Columns)
            * sizeof(float) <= MostSumBytes;

    /// <summary>Every config that is legal for a product, each cut once.</summary>
    public static List<StripBlocks> Of(in ProductKey key, int elementBytes)
    {
        // Batches of operands that are not packed go by blocks.
        if (key.Inner == 0 || key.Batch > 1 && !key.RightIsPacked) return [];
        var cuts = new HashSet<StripBlocks>();
        var configs = new List<StripBlocks>();
        foreach (long rows in Sizes(rowSizes, key.Rows))
            foreach (long columns in Sizes(columnSizes, key.Columns))
                foreach (long strip in stripSizes)
                    foreach (long inner in key.RightIsPacked ? [MatrixBlocking.MostSteps] : steps)
                        // Strips that several segments need are packed once.
                        foreach (bool shares in key.RightIsPacked || key.Rows > rows ? (bool[])[true] : [true, false])
                        {
                            var config = new StripBlocks(rows, columns, strip, inner, shares, key.Threads);
                            if (strip <= columns && config.For(key, elementBytes) is { } settled && cuts.Add(settled))
                                configs.Add(config);
                        }
        return configs;
    }

    /// <summary>The config of this text; null where it is none.</summary>
    public static new StripBlocks? Parse(string text)
    {
        if (ConfigText.Read(text) is not { Count: 7 } values || values.GetValueOrDefault("by") != "strips") return null;
        if (!values.TryGetValue("right", out string? right) || right is not ("shared" or "own")) return null;
        return (values.Number("rows"), values.Number("columns"), values.Number("strip"), values.Number("steps"),
            values.Number("workers"))
            is ({ } rows, { } columns, { } strip, { } inner, >= 1 and <= 1024 and var workers)
            && rows % Tiles.PanelSide == 0 && columns % Tiles.PanelSide == 0 && strip % Tiles.PanelSide == 0
            ? new(rows, columns, strip, inner, right == "shared", (int)workers) : null;
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"by=strips rows={Rows} columns={Columns} strip={Strip} steps={Steps} right={(SharesRight ? "shared" : "own")} workers={Workers}");

    static long Evenly(long all, long most) => MatrixBlocking.Over(all, MatrixBlocking.Over(all, most));

    static IEnumerable<long> Sizes(long[] sizes, long extent) =>
        [.. sizes.Where(size => size < extent),
            .. extent <= sizes[^1] ? [MatrixBlocking.Over(extent, Tiles.PanelSide) * Tiles.PanelSide] : (long[])[]];
}
