using Ashlar.Backends.Cpu.Contractions;
using Ashlar.Backends.Cpu.Matrix;

namespace Ashlar.Backends.Cpu.Tuning;

using Tiles = Matrix.Tiles;   // here, for the namespace Ashlar.Tiles hides it

/// <summary>Estimates the time of a product from its blocks and the rates of the machine, to rank configs before any is
/// timed.</summary>
/// <remarks>
/// How this works. An item is a block of rows and columns that one worker computes. Its time is that of its products, of the
/// operand blocks that come past from the caches meanwhile (the longer of the two, and part of the shorter, as they overlap
/// imperfectly), of sums that wait between inner blocks, of packing, and of the result. The worker with the most items ends last.
/// Only the order of the estimates matters; constants are of the kernels, rates of the machine.
/// </remarks>
sealed class ProductModel(DeviceProfile profile)
{
    const double Unhidden = 0.5;                       // of operands that are fetched while others are multiplied
    const double Overlap = 0.35;                       // of the shorter of arithmetic and loads that is not hidden
    const double L1Share = 0.75, L2Share = 0.8;        // of a cache that a block may fill and still be found there
    const double CallSeconds = 25e-9;                  // of a micro-kernel: prologue, loop exit, first loads
    const double Fallback = 1e10;                      // where a profile lacks a rate, as on a machine without that cache

    double Rate(Limit limit, bool all = false) => profile.Rate(limit, all) * 1e9 ?? Fallback;

    double PackRate(string name) => profile.Rates.TryGetValue(name, out double rate) ? rate * 1e9 : Fallback;

    // Per thread while all of them read.
    double Shared(Limit limit) => Rate(limit, all: true) / Math.Max(1, profile.Threads);

    double ForkJoinSeconds => profile.Rate(Limit.ForkJoin, all: true) * 1e-6 ?? 0;

    /// <summary>Where a block of so many bytes is found again: bytes a second, for one thread.</summary>
    double RateOf(double bytes) =>
        bytes <= Processor.Current.L1Bytes * L1Share
            ? Rate(Limit.L1Read)
            : bytes <= Processor.Current.L2Bytes * L2Share ? Rate(Limit.L2Read) : FarRate(bytes * profile.Threads);

    double FarRate(double bytes) =>
        profile.Rate(Limit.L3Read, all: true) is not null && bytes < Processor.Current.L3Bytes / 4.0
            ? Shared(Limit.L3Read)
            : Shared(Limit.Read);

    // Products of two panels, as often: what the kernel was measured to do, where what moves is in the second cache.
    double KernelSeconds(double steps, double moving, double staying, double flops, double peak, int elementBytes)
    {
        string name = staying <= Processor.Current.L1Bytes * L1Share ? PackRates.NearTiles : PackRates.WideTiles;
        double compute = steps * flops / peak, loads = steps * Tiles.StepBytes * (1 / RateOf(moving) + 1 / RateOf(staying));
        double seconds = profile.Rates.TryGetValue(name, out double rate)
            ? steps * flops / (rate * 1e9 * 2 / elementBytes)
            : Math.Max(compute, loads) + Overlap * Math.Min(compute, loads);
        return moving <= Processor.Current.L2Bytes * L2Share ? seconds : Math.Max(seconds, loads)
            + Overlap * Math.Min(seconds, loads);
    }

    /// <summary>Seconds of a product on the tile unit that goes by blocks.</summary>
    /// <param name="key">What is multiplied.</param>
    /// <param name="blocking">How it is cut.</param>
    public double Seconds(in ProductKey key, in MatrixBlocking blocking)
    {
        int elementBytes = key.DType.Bytes;
        bool byRows = blocking.Order == MatrixOrder.RowPanels;
        double peak = Rate(elementBytes == 2 ? Limit.AmxBF16 : Limit.AmxInt8), allSteps = Math.Max(1, blocking.AllSteps),
            steps = Math.Min(blocking.Steps, allSteps);
        double rowPanels = Math.Min(blocking.Rows, Rounded(key.Rows)) / Tiles.PanelSide,
            columnPanels = Math.Min(blocking.Columns, Rounded(key.Columns)) / Tiles.PanelSide;
        double pairs = rowPanels * columnPanels, step = Tiles.StepBytes, flopsPerStep = 2.0 * Tiles.PanelSide * Tiles.PanelSide
            * Tiles.RowBytes / elementBytes;
        double resultBytes = elementBytes == 2 ? 2 : 4;

        // Operands: one panel stays, the block of the other one moves past it, once per panel that stays.
        double movingPanels = byRows ? columnPanels : rowPanels, moving = movingPanels * (byRows ? steps : allSteps) * step,
            staying = steps * step;
        double fromMoving = moving + staying + movingPanels * (byRows ? Tiles.PanelSide : 0) * Tiles.PanelSide * 4;
        double item = KernelSeconds(pairs * allSteps, fromMoving, staying, flopsPerStep, peak, elementBytes);
        item += CallSeconds * blocking.InnerBlocks * (byRows ? rowPanels : columnPanels) + pairs * blocking.InnerBlocks * 12e-9;

        // Sums: stored and loaded again between inner blocks, then read once and written out.
        double sums = pairs * Tiles.PanelSide * Tiles.PanelSide * 4;
        double sumRate = RateOf(byRows && blocking.InnerBlocks == 1 ? columnPanels * Tiles.PanelSide * Tiles.PanelSide * 4 : sums
            + moving * 0.5);
        item += sums * (2 * blocking.InnerBlocks - 1 + 1) / sumRate;
        item += sums / 4 * resultBytes / FarRate(OperandBytes(key, elementBytes)) * 1.5;

        // Packing: what stays over several items is packed once for them.
        double bytesLeft = rowPanels * Tiles.PanelSide * key.Inner * elementBytes, bytesRight = columnPanels * Tiles.PanelSide
            * key.Inner * elementBytes;
        double far = FarRate(OperandBytes(key, elementBytes));
        double left = bytesLeft * (1 / PackRate(key.Left == OperandAccess.InPlace ? PackRates.TileCopy : PackRates.TileInterleave)
            + (byRows && key.Left == OperandAccess.InPlace ? Unhidden : 1) / far);
        double right = key.RightIsPacked
            ? 0
            : bytesRight
                * (1 / PackRate(key.Right == OperandAccess.InPlace ? PackRates.TileInterleave : PackRates.TileTranspose)
                    + 1 / far);
        if (key.RightIsPacked) item += bytesRight / far * (blocking.RowBlocks > 1 ? 1 : 0.6);
        // Columns far apart are read a line at a time where an item is narrow.
        if (!key.RightIsPacked && key.Right == OperandAccess.InPlace
            && (byRows ? columnPanels : 1) * Tiles.PanelSide * elementBytes < 256) right *= 1.5;

        double items = key.Batch * blocking.RowBlocks * blocking.ColumnBlocks, each = Math.Ceiling(items / blocking.Workers);
        double kept = byRows ? right : left, again = byRows ? left : right;
        double run = byRows ? blocking.RowBlocks : blocking.ColumnBlocks;              // items in a row that use the kept operand
        double keptTimes = byRows && blocking.RowBlocks == 1 ? each : Math.Ceiling(each / run);
        return each * (item + again) + keptTimes * kept + ForkJoinSeconds;
    }

    /// <summary>Seconds of a product on the tile unit that goes by strips.</summary>
    /// <param name="key">What is multiplied.</param>
    /// <param name="strips">How it is cut, with the sizes that it gets.</param>
    public double Seconds(in ProductKey key, StripBlocks strips)
    {
        int elementBytes = key.DType.Bytes;
        double peak = Rate(elementBytes == 2 ? Limit.AmxBF16 : Limit.AmxInt8), far = FarRate(OperandBytes(key, elementBytes));
        double allSteps = Math.Max(1, Tiles.Steps(key.Inner, elementBytes)), steps = Math.Min(strips.Steps, allSteps),
            innerBlocks = Math.Ceiling(allSteps / steps);
        double rowPanels = Rounded(key.Rows) / Tiles.PanelSide, columnPanels = Rounded(key.Columns) / Tiles.PanelSide,
            step = Tiles.StepBytes;
        double segments = key.Batch * Math.Ceiling(rowPanels * Tiles.PanelSide / strips.Rows),
            panels = strips.Rows / Tiles.PanelSide;
        double itemPanels = strips.Columns / Tiles.PanelSide, stripPanels = strips.Strip / Tiles.PanelSide,
            items = segments * Math.Ceiling(columnPanels / itemPanels);
        double pairs = panels * itemPanels, flopsPerStep =
            2.0 * Tiles.PanelSide * Tiles.PanelSide * Tiles.RowBytes / elementBytes;
        double panelSums = Tiles.PanelSide * Tiles.PanelSide * sizeof(float), sums = panels * stripPanels * panelSums;

        // A panel of the right operand stays in the first cache; the rows' block comes past it from the second.
        double moving = panels * steps * step, item = KernelSeconds(pairs * allSteps, moving + sums / 2, steps * step,
            flopsPerStep, peak, elementBytes) + itemPanels * innerBlocks * (CallSeconds + panels * 12e-9);

        // Sums wait between inner blocks, once around in the strip; the last ones are stored.
        double all = pairs * panelSums, resultBytes = all / 4 * (elementBytes == 2 ? 2 : 4);
        item += all * 2 * (innerBlocks - 1) / RateOf(sums + (stripPanels > 1 ? moving : steps * step))
            + all / RateOf(panels * panelSums) + resultBytes / far;

        // The next rows and the next panel are fetched meanwhile: what of that does not hide.
        bool stays = panels * allSteps * step <= StripPlan.LeftBytes;
        double comes = panels * allSteps * step * (stays ? 1 : Math.Ceiling(itemPanels / stripPanels));
        item += Unhidden * (comes + itemPanels * allSteps * step * (strips.SharesRight ? 1 : 0)) / far;

        // Packing: the left operand by all, the right one by all or strip by strip.
        double packsLeft = key.Rows * (double)key.Inner * elementBytes * key.Batch
            * (1 / PackRate(key.Left == OperandAccess.InPlace ? PackRates.TileCopy : PackRates.TileInterleave) + 1 / far);
        double bytesRight = key.Inner * (double)elementBytes * Tiles.PanelSide,
            packsRight =
                1 / PackRate(key.Right == OperandAccess.InPlace ? PackRates.TileInterleave : PackRates.TileTranspose) + 1 / far;
        if (!strips.SharesRight)
            item += itemPanels * bytesRight * packsRight * (key.Right == OperandAccess.InPlace
                && strips.Strip * elementBytes < 256 ? 1.5 : 1);
        double together =
            packsLeft + (strips.SharesRight && !key.RightIsPacked ? columnPanels * bytesRight * packsRight * key.Batch : 0);
        return together / strips.Workers + Math.Ceiling(items / strips.Workers) * item + ForkJoinSeconds * 2;
    }

    /// <summary>Seconds of a product on the vectors.</summary>
    /// <param name="key">What is multiplied.</param>
    /// <param name="facts">How the operands lie; of the transposed product where that is computed, as are the other
    /// arguments.</param>
    /// <param name="blocking">How it is cut.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    public double Seconds(in ProductKey key, in BlockingCase facts, in Blocking blocking, long rows, long columns)
    {
        double bytes = facts.ElementBytes, lanes = facts.Lanes, inner = key.Inner;
        double itemRows = Math.Ceiling((double)rows / blocking.RowBlocks),
            itemColumns = Math.Ceiling((double)columns / blocking.ColumnBlocks);
        double vectors = Math.Ceiling(itemColumns / lanes), rowPanels = Math.Ceiling(itemRows / blocking.Tile.Rows),
            columnPanels = Math.Ceiling(vectors / blocking.Tile.Vectors);
        double high = itemRows / rowPanels, wide = vectors / columnPanels;

        // Arithmetic: two vectors a cycle; each inner index also loads a vector per column and a number per row, two a cycle.
        double peak = Rate(Limit.Fma) * 4 / bytes, vectorSeconds = lanes * 2 / peak;   // of one multiply-add
        double products = itemRows * vectors * inner, issue = products * (1 + (high + wide) / (high * wide) * 0.12);
        double compute = issue * vectorSeconds;

        // The column panel stays near, the rows' panels come past it from the second cache.
        double panel = wide * lanes * bytes * blocking.Inner, leftBlock = itemRows * blocking.Inner * bytes;
        double fromLeft = itemRows * inner * bytes * columnPanels / RateOf(leftBlock + 2 * panel);
        double fromRight =
            rowPanels * columnPanels * inner * wide * lanes * bytes / RateOf(panel + high * blocking.Inner * bytes);
        double item = Math.Max(compute, fromLeft + fromRight) + Overlap * Math.Min(compute, fromLeft + fromRight);
        if (blocking.ReadsLeftInPlace && facts.LeftStrideBytes % 4096 == 0) item += fromLeft;      // rows fall into the same sets
        item += rowPanels * columnPanels * blocking.InnerBlocks * high * wide * 2 * vectorSeconds
            + CallSeconds * columnPanels * blocking.InnerBlocks;

        // Sums go out and come back between inner blocks.
        double sums = itemRows * vectors * lanes * bytes, far =
            FarRate((double)(rows * columns + (rows + columns) * key.Inner) * bytes);
        double sumRate = facts.ResultIsScratch ? RateOf(sums + leftBlock) : far;
        item += sums * 2 * (blocking.InnerBlocks - 1) / Math.Min(sumRate, Rate(Limit.L2Read)) + sums * 1.3 / far;

        double left = itemRows * inner * bytes / far, right = itemColumns * inner * bytes / far;
        if (!blocking.ReadsLeftInPlace)
            left += itemRows * inner * bytes / PackRate(facts.Left == OperandAccess.InPlace
                ? PackRates.Transpose
                : PackRates.Copy);
        right += facts.RightIsInPlace ? itemColumns * inner * bytes * 0.2 / PackRate(PackRates.Copy)
            : itemColumns * inner * bytes / PackRate(facts.Right == OperandAccess.Turned ? PackRates.Transpose : PackRates.Copy);
        double items = key.Batch * blocking.RowBlocks * blocking.ColumnBlocks;
        return Math.Ceiling(items / blocking.Workers) * (item + left + right) + ForkJoinSeconds;
    }

    static double OperandBytes(in ProductKey key, int elementBytes) =>
        (double)key.Batch * ((key.Rows + key.Columns) * (double)key.Inner * elementBytes + (double)key.Rows * key.Columns * 4);

    static double Rounded(long extent) => MatrixBlocking.Over(extent, Tiles.PanelSide) * Tiles.PanelSide;
}
