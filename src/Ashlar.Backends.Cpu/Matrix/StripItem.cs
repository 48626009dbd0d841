using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Ashlar.Backends.Cpu.Contractions;

namespace Ashlar.Backends.Cpu.Matrix;

/// <summary>One worker's way through the units of packing and the items of a product by strips.</summary>
unsafe ref struct StripItem
{
    readonly StripProduct product;
    readonly MatrixContraction owner;
    readonly ref readonly ContractionCall call;
    readonly ref readonly StripPlan plan;
    readonly byte* own;
    readonly long* batch;
    readonly nint* rows;                               // of a panel, on their way into it
    readonly int elementBytes;
    readonly long stepElements;
    BlockPlace place;
    StripSegment* segment;
    byte* left;                                        // the matrices of this product of the batch
    byte* right;
    byte* result;
    bool isLeftNear;                                   // this worker went through all rows of the segment already

    public StripItem(StripProduct product, byte* own, long* batch, nint* rows, int worker)
    {
        this.product = product;
        owner = product.Owner;
        call = ref product.Call;
        plan = ref product.Plan;
        this.own = own;
        this.batch = batch;
        this.rows = rows;
        elementBytes = owner.Product.ElementBytes;
        stepElements = Tiles.RowBytes / elementBytes;
        place = new() { Batch = batch, Worker = worker, Scratch = own + plan.Block };
    }

    readonly byte* Sums => own + plan.Sums;

    readonly byte* ResultAt(long row, long panel) =>
        result + (row * call.Result.RowStride + panel * Tiles.PanelSide * call.Result.ColumnStride) * call.Result.DType.Bytes;

    // Of the inner block that begins there.
    readonly long StepsAt(long step) => Math.Min(plan.Steps, plan.AllSteps - step);

    // Only the rows that a panel needs: of the last one half a panel may do.
    readonly int TilesOf(int panel) => !plan.PacksRows || segment->Rows - panel * Tiles.PanelSide > Tiles.Side ? 2 : 1;

    // Of an inner block all panels of the segment follow each other.
    readonly byte* Left(long panel, long step0, long steps) =>
        product.Memory + plan.Left + (segment->Panel * plan.AllSteps + step0 * segment->Panels + panel * steps) * Tiles.StepBytes;

    // Where a panel of an inner block of the packed right operand lies.
    readonly byte* Right(long panel, long step0, long steps) =>
        (plan.SharesRight ? product.Memory + plan.Right + segment->Batch * plan.ColumnPanels * plan.AllSteps
            * Tiles.StepBytes : right)
            + (plan.ColumnPanels * step0 + panel * steps) * Tiles.StepBytes;

    void Locate(long index) =>
        call.Locate(index, owner.RightIsPacked ? 1 : call.Right.DType.Bytes, batch, out left, out right, out result);

    readonly long RowAt(long place) => product.IsGrouped ? product.Groups.Row((int)place) : place;

    /// <summary>Packs some panels of an inner block of the left operand.</summary>
    public void PackLeft(StripSegment* of, long unit)
    {
        segment = of;
        Locate(segment->Batch);
        var (chunk, block) = Math.DivRem(unit - segment->FirstPack, plan.InnerBlocks);
        long step0 = block * plan.Steps, steps = StepsAt(step0), inner0 = step0 * stepElements;
        long inner = Math.Min(steps * stepElements, call.Inner - inner0);
        int first = (int)(chunk * plan.PackPanels), end = (int)Math.Min(segment->Panels, first + plan.PackPanels);
        byte* staging = own + plan.Staging;
        var source = new PanelSource((nint)left, call.Left.DType, call.Left.RowStride, call.Left.ColumnStride);
        if (!plan.PacksRows)
        {
            long row = segment->Place + first * Tiles.PanelSide, count =
                Math.Min((end - first) * Tiles.PanelSide, segment->Rows - first * Tiles.PanelSide);
            TilePacking.PackAll(source.At(row, inner0), count, inner, steps, isLeft: true, elementBytes, staging,
                Left(first, step0, steps), steps * Tiles.StepBytes);
            return;
        }
        for (int panel = first; panel < end; panel++)
        {
            long row = segment->Place + panel * Tiles.PanelSide;
            int count = Math.Min(Tiles.PanelSide, segment->Rows - panel * Tiles.PanelSide);
            byte* to = Left(panel, step0, steps);
            if (owner.Left is { } fill)
            {
                var filled = Filled(fill, row, count, inner0, inner, isLeft: true);
                TilePacking.Pack(filled, count, inner, steps, TilesOf(panel), isLeft: true, elementBytes, staging, to);
                continue;
            }
            for (int i = 0; i < count; i++) rows[i] = source.At(RowAt(row + i), inner0).Data;
            TilePacking.PackRows(rows, count, source.DType, inner, steps, TilesOf(panel), elementBytes, to);
        }
    }

    /// <summary>Packs a part of an inner block of the right operand for everybody.</summary>
    public void PackRight(long unit)
    {
        long chunks = MatrixBlocking.Over(plan.ColumnPanels, StripPlan.PanelsAtOnce);
        (unit, long chunk) = Math.DivRem(unit, chunks);
        var (product, block) = Math.DivRem(unit, plan.InnerBlocks);
        segment = (StripSegment*)this.product.Memory;
        Locate(product);
        long step0 = block * plan.Steps, steps = StepsAt(step0), panel = chunk * StripPlan.PanelsAtOnce;
        byte* to = this.product.Memory + plan.Right + (product * plan.ColumnPanels * plan.AllSteps + plan.ColumnPanels * step0
            + panel * steps) * Tiles.StepBytes;
        PackRight(panel, Math.Min(plan.ColumnPanels, panel + StripPlan.PanelsAtOnce), step0, steps, to);
    }

    void PackRight(long panel, long end, long step0, long steps, byte* to)
    {
        long inner0 = step0 * stepElements, inner = Math.Min(steps * stepElements, call.Inner - inner0),
            column = panel * Tiles.PanelSide;
        long columns = Math.Min(end * Tiles.PanelSide, call.Columns) - column;
        byte* staging = own + plan.Staging;
        if (owner.Right is not { } fill)
        {
            var source = new PanelSource((nint)right, call.Right.DType, call.Right.ColumnStride, call.Right.RowStride);
            TilePacking.PackAll(source.At(column, inner0), columns, inner, steps, isLeft: false, elementBytes, staging, to,
                steps * Tiles.StepBytes);
            return;
        }
        for (; columns > 0; columns -= Tiles.PanelSide, column += Tiles.PanelSide, to += steps * Tiles.StepBytes)
        {
            long count = Math.Min(Tiles.PanelSide, columns);
            TilePacking.Pack(Filled(fill, column, count, inner0, inner, isLeft: false), count, inner, steps, 2, isLeft: false,
                elementBytes, staging, to);
        }
    }

    // What a function computes of an operand, in the staging area.
    PanelSource Filled(BlockFunction fill, long free0, long free, long inner0, long inner, bool isLeft)
    {
        (place.Row, place.Rows, place.Column, place.Columns) = (free0, free, inner0, inner);
        place.Data = own + plan.Staging;
        place.Stride = inner;
        fixed (BlockPlace* here = &place) fill(here);
        return new((nint)place.Data, isLeft ? owner.Product.Left : owner.Product.Right, inner, 1);
    }

    /// <summary>Multiplies all rows of a segment by some columns.</summary>
    public void Run(StripSegment* of, long item)
    {
        isLeftNear = isLeftNear && segment == of && of->Stays;
        segment = of;
        Locate(segment->Batch);
        right += segment->Matrix * product.MatrixBytes * (product.IsGrouped ? 1 : 0);
        long first = (item - segment->FirstItem) * segment->ItemPanels,
            end = Math.Min(plan.ColumnPanels, first + segment->ItemPanels);
        bool isPacked = owner.RightIsPacked || plan.SharesRight;
        if (isPacked) TileArguments.Fetch(Right(first, 0, StepsAt(0)), StepsAt(0) * Tiles.StepBytes);
        for (long panel = first; panel < end; panel += segment->StripPanels)
        {
            Strip(panel, Math.Min(end, panel + segment->StripPanels), end, isPacked);
            isLeftNear = segment->Stays;
        }
    }

    void Strip(long first, long last, long itemEnd, bool isPacked)
    {
        long panelSums = segment->Panels * Tiles.PanelSide * Tiles.PanelSide * sizeof(float);
        // An epilogue wants whole rows; else the sums of a panel lie together. Rows of no power of two fall into different sets.
        long stride = plan.HasEpilogue ? (last - first) * Tiles.PanelSide * sizeof(float)
            + Tiles.RowBytes : Tiles.PanelSide * sizeof(float);
        bool fetchesResult = !product.IsGrouped && !plan.StoresPast, storesRows = last - first > 1 && StoresPast;
        for (long step0 = 0; step0 < plan.AllSteps; step0 += plan.Steps)
        {
            long steps = StepsAt(step0);
            bool isLast = step0 + steps == plan.AllSteps;
            if (plan.PacksStrips) PackRight(first, last, step0, steps, own);
            for (long panel = first; panel < last; panel++)
            {
                var (nextPanel, nextStep) = panel + 1 < last
                    ? (panel + 1, step0)
                    : !isLast ? (first, step0 + steps) : (panel + 1, 0);
                bool hasNext = nextPanel < itemEnd;
                byte* b;
                if (plan.PacksStrips) b = own + (panel - first) * steps * Tiles.StepBytes;
                else if (isPacked) b = Right(panel, step0, steps);
                else
                {
                    b = own;
                    var layout = owner.Decoder!.LayoutOf(call.Columns, call.Inner);
                    var (fetched, fetchedStep) = hasNext ? (nextPanel, nextStep) : (panel, step0);
                    owner.Decoder.Decode(layout, right, panel, step0, fetched, fetchedStep, b);
                }
                byte* sums = Sums + (panel - first) * (plan.HasEpilogue ? Tiles.PanelSide * sizeof(float) : panelSums);
                var arguments = new TileArguments
                {
                    A = (long)Left(0, step0, steps),
                    AStep = steps * Tiles.StepBytes,
                    B = (long)b,
                    C = (long)sums,
                    CStep = Tiles.PanelSide * stride,
                    CStride = stride,
                    CTile = Tiles.Side * stride,
                    Steps = steps,
                };
                int wide = segment->Panels - (TilesOf(segment->Panels - 1) == 2 ? 0 : 1), counted = Math.Max(1, wide);
                int ahead = isPacked && hasNext
                    ? arguments.FetchRight(Right(nextPanel, nextStep, StepsAt(nextStep)), StepsAt(nextStep), steps, counted)
                    : 0;
                int leftLines = PrefetchLeft(ref arguments, panel - first, last - first, step0, steps, counted, itemEnd > last);
                int lines = isLast && fetchesResult ? arguments.FetchResult(call.Result, ResultAt(segment->Place, panel)) : 0;
                arguments.ResultStep = Tiles.PanelSide * arguments.ResultStride;
                if (wide > 0)
                {
                    arguments.Count = wide;
                    TileKernels.Get(new(owner.Product, 2, LeftMoves: true, step0 > 0, ahead, lines, leftLines))(&arguments);
                    (ahead, leftLines) = (0, 0);
                }
                if (wide < segment->Panels)
                {
                    // The kernel has moved all places on.
                    arguments.Count = 1;
                    arguments.C = (long)(sums + wide * arguments.CStep);
                    TileKernels.Get(new(owner.Product, 1, LeftMoves: true, step0 > 0, ahead, lines, leftLines))(&arguments);
                }
                if (isLast && !plan.HasEpilogue && !storesRows) Store(panel, sums);
            }
        }
        if (storesRows) StoreStrip(first, last, panelSums);
        if (owner.Epilogue is not { } epilogue) return;
        for (int panel = 0; panel < segment->Panels; panel++)
        {
            place.Row = segment->Place + panel * Tiles.PanelSide;
            place.Rows = Math.Min(Tiles.PanelSide, segment->Rows - panel * Tiles.PanelSide);
            place.Column = first * Tiles.PanelSide;
            place.Columns = Math.Min(last * Tiles.PanelSide, call.Columns) - place.Column;
            place.Data = Sums + panel * Tiles.PanelSide * stride;
            place.Stride = stride / sizeof(float);
            fixed (BlockPlace* here = &place) epilogue(here);
        }
    }

    // The next inner block of the left operand: each panel of the strip fetches its part. What stays in the cache comes once.
    readonly int PrefetchLeft(ref TileArguments arguments, long panel, long panels, long step0, long steps, long rowPanels,
        bool hasNextStrip)
    {
        if (isLeftNear) return 0;
        long nextStep = step0 + steps < plan.AllSteps ? step0 + steps : 0;
        if (nextStep == 0 && (segment->Stays || plan.InnerBlocks == 1 || !hasNextStrip)) return 0;
        long bytes = StepsAt(nextStep) * segment->Panels * Tiles.StepBytes, all = steps * rowPanels;
        long lines = Math.Min(MatrixBlocking.Over(bytes / Tiles.RowBytes, all * panels), TileKernelKey.MostLeftLines);
        long at = panel * lines * all * Tiles.RowBytes;
        if (at >= bytes) return 0;
        arguments.LeftAhead = (long)Left(0, nextStep, 0) + at;
        return (int)lines;
    }

    // Each line of the result is stored whole and past the caches, but for columns that do not fill a panel.
    readonly bool StoresPast => plan.StoresPast && !call.Accumulate && (nint)result % Tiles.RowBytes == 0;

    // The sums of all panels of a strip, row by row: lines of memory that follow each other are stored in half the time of lines
    // that lie a row apart.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    readonly void StoreStrip(long first, long last, long panelSums)
    {
        var view = call.Result;
        long whole = Math.Min(last, call.Columns / Tiles.PanelSide);
        bool isNarrow = view.DType == DType.BFloat16;
        for (int i = 0; i < segment->Rows; i++)
        {
            byte* row = ResultAt(RowAt(segment->Place + i), first), sums = Sums + i * Tiles.PanelSide * sizeof(float);
            for (long panel = first; panel < whole; panel++, sums += panelSums)
            {
                StorePast(sums, row, isNarrow);
                row += Tiles.PanelSide * view.DType.Bytes;
            }
        }
        for (long panel = whole; panel < last; panel++) Store(panel, Sums + (panel - first) * panelSums);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void StorePast(byte* sums, byte* to, bool isNarrow)
    {
        if (isNarrow)
        {
            TilePacking.Rounded((float*)sums).StoreAlignedNonTemporal((ushort*)to);
            return;
        }
        Vector512.Load(sums).StoreAlignedNonTemporal(to);
        Vector512.Load(sums + Tiles.RowBytes).StoreAlignedNonTemporal(to + Tiles.RowBytes);
    }

    // The sums of a column panel, 32 of each row.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    readonly void Store(long panel, byte* sums)
    {
        var view = call.Result;
        long column = panel * Tiles.PanelSide, columns = Math.Min(Tiles.PanelSide, call.Columns - column),
            stride = view.RowStride * view.DType.Bytes;
        byte* to = result + column * view.ColumnStride * view.DType.Bytes;
        bool isWhole = columns == Tiles.PanelSide && view.ColumnStride == 1 && !call.Accumulate, isPast = StoresPast,
            isNarrow = view.DType == DType.BFloat16;
        for (int i = 0; i < segment->Rows; i++, sums += Tiles.PanelSide * sizeof(float))
        {
            byte* row = to + RowAt(segment->Place + i) * stride;
            if (!isWhole) MatrixItem.StoreRow(view, call.Accumulate, sums, row, columns);
            else if (isPast) StorePast(sums, row, isNarrow);
            else if (isNarrow) TilePacking.Rounded((float*)sums).Store((ushort*)row);
            else
            {
                Vector512.Load(sums).Store(row);
                Vector512.Load(sums + Tiles.RowBytes).Store(row + Tiles.RowBytes);
            }
        }
    }
}
