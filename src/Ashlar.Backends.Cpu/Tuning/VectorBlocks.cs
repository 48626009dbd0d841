using System.Globalization;
using Ashlar.Backends.Cpu.Contractions;

namespace Ashlar.Backends.Cpu.Tuning;

/// <summary>What can be chosen about a product on the vectors. Sizes, not counts, so that it holds for every shape of a
/// class.</summary>
/// <param name="IsSwapped">The transposed product is computed: the operands change places.</param>
/// <param name="Tile">The register tile.</param>
/// <param name="Rows">Rows of an item, at most; of the transposed product where that is computed.</param>
/// <param name="Columns">Columns of an item, at most.</param>
/// <param name="Inner">Inner indices of a block, at most.</param>
/// <param name="ReadsLeftInPlace">The left operand is read where it lies.</param>
/// <param name="Workers">Threads that take part, at most.</param>
readonly record struct VectorBlocks(bool IsSwapped, RegisterTile Tile, long Rows, long Columns, long Inner,
    bool ReadsLeftInPlace, int Workers)
{
    static readonly RegisterTile[] wideTiles = [new(9, 3), new(14, 2), new(6, 4)], tiles = [new(6, 2), new(4, 2)];
    static readonly long[] rowSizes = [96, 256, 512, 1008], columnSizes = [288, 576, 1152], innerSizes = [256, 384, 512, 640];

    /// <summary>The blocking of one product.</summary>
    /// <param name="facts">How its operands lie; of the transposed product where <see cref="IsSwapped"/>.</param>
    /// <param name="batch">Products.</param>
    /// <param name="rows">Rows, of the transposed product likewise.</param>
    /// <param name="columns">Columns, likewise.</param>
    /// <param name="inner">Products per sum.</param>
    /// <returns>Null where this config is not legal for it: scratch memory is as large as the engine planned it.</returns>
    public Blocking? For(in BlockingCase facts, long batch, long rows, long columns, long inner)
    {
        bool hasTile = Tile.Rows <= RegisterTile.MostRows(facts.Isa) && Tile.Vectors <= RegisterTile.MostVectors(facts.Isa)
            && Tile.Rows * Tile.Vectors + Tile.Vectors + 1 <= facts.Isa.VectorRegisters;
        if (!hasTile || Inner > Blocking.MostInner || ReadsLeftInPlace && facts.Left != OperandAccess.InPlace) return null;
        long blocks = Math.Max(1, Over(inner, Inner)), each = Math.Max(1, Math.Min(inner, Over(Over(inner, blocks), 8) * 8));
        blocks = Math.Max(1, Over(inner, each));
        long rowBlocks = Over(rows, Rows), columnBlocks = Over(columns, Columns), itemRows = Over(rows, rowBlocks),
            itemColumns = Over(columns, columnBlocks);
        if (itemRows > Blocking.MostItemRows) return null;
        if (!ReadsLeftInPlace && itemRows * each * facts.ElementBytes > Blocking.LeftBytes) return null;
        // The last vector of a row of sums may be a part of one.
        if (blocks > 1 && facts.ResultIsScratch
            && itemRows * (itemColumns + 2L * Tile.Vectors * facts.Lanes) * facts.ElementBytes > Blocking.SumBytes) return null;
        return new(rowBlocks, columnBlocks, each, blocks, Tile, (int)Math.Min(Workers, batch * rowBlocks * columnBlocks),
            ReadsLeftInPlace, Streams: false);
    }

    /// <summary>Every config that is legal for a product, each blocking once. Few rows against a large matrix are streamed;
    /// nothing is chosen about them.</summary>
    /// <param name="facts">How the operands lie, and how they do in the transposed product; null where that must not be
    /// computed.</param>
    /// <param name="key">Extents.</param>
    public static List<VectorBlocks> Of((BlockingCase Straight, BlockingCase? Swapped) facts, in ProductKey key)
    {
        var blockings = new HashSet<(bool, Blocking)>();
        var configs = new List<VectorBlocks>();
        foreach (bool isSwapped in facts.Swapped is null ? (bool[])[false] : [false, true])
        {
            var here = isSwapped ? facts.Swapped!.Value : facts.Straight;
            var (rows, columns) = isSwapped ? (key.Columns, key.Rows) : (key.Rows, key.Columns);
            foreach (var tile in here.Isa.VectorRegisters >= 32 ? wideTiles : tiles)
                foreach (long itemRows in Sizes(rowSizes, rows))
                    foreach (long itemColumns in Sizes(columnSizes, columns))
                        foreach (long inner in innerSizes)
                            foreach (bool isInPlace in (bool[])[false, true])
                            {
                                var config =
                                    new VectorBlocks(isSwapped, tile, itemRows, itemColumns, inner, isInPlace, key.Threads);
                                if (config.For(here, key.Batch, rows, columns, key.Inner) is not { } blocking
                                    || blocking.Workers < key.Threads) continue;
                                if (blockings.Add((isSwapped, blocking))) configs.Add(config);
                            }
        }
        return configs;
    }

    /// <summary>The config that a blocking has.</summary>
    public static VectorBlocks Of(in Blocking blocking, bool isSwapped, long rows, long columns) =>
        new(isSwapped, blocking.Tile, Over(rows, blocking.RowBlocks), Over(columns, blocking.ColumnBlocks), blocking.Inner,
            blocking.ReadsLeftInPlace, blocking.Workers);

    /// <summary>The config of this text; null where it is none.</summary>
    public static VectorBlocks? Parse(string text)
    {
        if (ConfigText.Read(text) is not { Count: 7 } values) return null;
        if (!values.TryGetValue("swapped", out string? swapped) || !values.TryGetValue("left", out string? left)
            || !values.TryGetValue("tile", out string? tile)) return null;
        if (swapped is not ("yes" or "no") || left is not ("packed" or "in_place") || tile.Split('x') is not [var high, var wide])
            return null;
        if (!int.TryParse(high, NumberStyles.None, CultureInfo.InvariantCulture, out int tileRows)
            || !int.TryParse(wide, NumberStyles.None, CultureInfo.InvariantCulture, out int vectors)) return null;
        if (tileRows < 1 || vectors < 1) return null;
        return (values.Number("rows"), values.Number("columns"), values.Number("inner"), values.Number("workers")) is ({ } rows,
            { } columns, { } inner, >= 1 and <= 1024 and var workers)
            ? new(swapped == "yes", new(tileRows, vectors), rows, columns, inner, left == "in_place", (int)workers) : null;
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"tile={Tile.Rows}x{Tile.Vectors} rows={Rows} columns={Columns} inner={Inner} left={(ReadsLeftInPlace ? "in_place" : "packed")} swapped={(IsSwapped ? "yes" : "no")} workers={Workers}");

    static IEnumerable<long> Sizes(long[] sizes, long extent) => [.. sizes.Where(size => size < extent), extent];

    static long Over(long count, long by) => (count + by - 1) / by;
}
