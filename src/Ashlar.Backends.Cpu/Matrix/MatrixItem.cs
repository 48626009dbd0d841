using Ashlar.Backends.Cpu.Contractions;

namespace Ashlar.Backends.Cpu.Matrix;

/// <summary>One worker's way through items of a product on tiles.</summary>
unsafe ref struct MatrixItem
{
    readonly MatrixContraction owner;
    readonly ref readonly ContractionCall call;
    readonly ref readonly MatrixBlocking blocking;
    readonly ref readonly MatrixScratch plan;
    readonly byte* shared;
    readonly byte* scratch;
    readonly long* batch;
    readonly int elementBytes;
    readonly long stepElements;                        // inner indices of a step
    BlockPlace place;
    (long Matrix, long Block) keptLeft, keptRight;      // what of the operands lies packed in scratch memory

    long batchIndex;
    byte* left;                                        // the matrices of this product of the batch
    byte* right;
    byte* result;
    long row0, row1, column0, column1;                 // the item

    public MatrixItem(MatrixContraction owner, in ContractionCall call, in MatrixBlocking blocking, in MatrixScratch plan,
        byte* shared, byte* scratch,
        long* batch, int worker)
    {
        this.owner = owner;
        this.call = ref call;
        this.blocking = ref blocking;
        this.plan = ref plan;
        this.shared = shared;
        this.scratch = scratch;
        this.batch = batch;
        elementBytes = owner.Product.ElementBytes;
        stepElements = Tiles.RowBytes / elementBytes;
        place = new() { Batch = batch, Worker = worker, Scratch = scratch + plan.Block };
        (keptLeft, keptRight) = ((-1, -1), (-1, -1));
    }

    // Which matrix of the batch: the same one may serve several products.
    readonly long LeftKey => owner.Left is null ? (long)left : batchIndex;

    readonly long RightKey => owner.Right is null ? (long)right : batchIndex;

    readonly byte* Sums => scratch + plan.Sums;

    readonly byte* ResultAt(long row, long column) =>
        result + (row * call.Result.RowStride + column * call.Result.ColumnStride) * call.Result.DType.Bytes;

    public void Run(long index)
    {
        long rowBlock, columnBlock;
        if (blocking.Order == MatrixOrder.RowPanels)
        {
            (index, rowBlock) = Math.DivRem(index, blocking.RowBlocks);
            (batchIndex, columnBlock) = Math.DivRem(index, blocking.ColumnBlocks);
        }
        else
        {
            (index, columnBlock) = Math.DivRem(index, blocking.ColumnBlocks);
            (batchIndex, rowBlock) = Math.DivRem(index, blocking.RowBlocks);
        }
        (row0, column0) = (rowBlock * blocking.Rows, columnBlock * blocking.Columns);
        (row1, column1) = (Math.Min(call.Rows, row0 + blocking.Rows), Math.Min(call.Columns, column0 + blocking.Columns));
        Locate(batchIndex);
        if (call.Inner == 0) Nothing();
        else if (blocking.Order == MatrixOrder.RowPanels) ByRowPanels(columnBlock);
        else ByColumnPanels(rowBlock);
    }

    void Locate(long index) =>
        call.Locate(index, owner.RightIsPacked ? 1 : call.Right.DType.Bytes, batch, out left, out right, out result);

    /// <summary>Packs this worker's share of the left operand for everybody.</summary>
    public void PackShared(long products, int worker, int workers)
    {
        long panels = MatrixBlocking.Over(call.Rows, Tiles.PanelSide), panelBytes = blocking.AllSteps * Tiles.StepBytes;
        const long panelsAtOnce = MatrixBlocking.MostColumns / Tiles.PanelSide;
        long chunks = MatrixBlocking.Over(panels, panelsAtOnce);
        var (first, end) = EvenRange.Of(products * chunks * blocking.InnerBlocks, worker, workers);
        for (long index = first; index < end; index++)
        {
            var (chunk, block) = Math.DivRem(index, blocking.InnerBlocks);
            (batchIndex, chunk) = Math.DivRem(chunk, chunks);
            Locate(batchIndex);
            long row = chunk * panelsAtOnce * Tiles.PanelSide, rows = Math.Min(panelsAtOnce * Tiles.PanelSide, call.Rows - row);
            long step0 = block * blocking.Steps, steps = Math.Min(blocking.Steps, blocking.AllSteps - step0);
            byte* to = Shared(row, step0);
            var source = new PanelSource((nint)left, call.Left.DType, call.Left.RowStride, call.Left.ColumnStride);
            if (owner.Left is null)
            {
                long inner0 = step0 * stepElements, inner = Math.Min(steps * stepElements, call.Inner - inner0);
                TilePacking.PackAll(source.At(row, inner0), rows, inner, steps, isLeft: true, elementBytes,
                    scratch + plan.Staging, to, panelBytes);
            }
            else
                for (long last = row + rows; row < last; row += Tiles.PanelSide, to += panelBytes)
                    Pack(owner.Left, source, row, Math.Min(Tiles.PanelSide, last - row), step0, steps, 2, isLeft: true, to);
        }
    }

    // Where a row panel lies that all workers packed.
    readonly byte* Shared(long row, long step0) =>
        shared + batchIndex * plan.SharedBytes + (row / Tiles.PanelSide * blocking.AllSteps + step0) * Tiles.StepBytes;

    void ByRowPanels(long columnBlock)
    {
        bool isKept = plan.KeepsRight && keptRight == (RightKey, columnBlock);
        long panels = MatrixBlocking.Over(column1 - column0, Tiles.PanelSide);
        for (long block = 0; block < blocking.InnerBlocks; block++)
        {
            long step0 = block * blocking.Steps, steps = Math.Min(blocking.Steps, blocking.AllSteps - step0);
            long panelBytes = steps * Tiles.StepBytes;
            byte* b;
            if (owner.RightIsPacked) b = PackedRight(step0, steps);
            else
            {
                b = scratch + plan.Right + (plan.KeepsRight ? step0 * Tiles.StepBytes * (blocking.Columns / Tiles.PanelSide) : 0);
                if (!isKept) PackRight(column0, column1 - column0, step0, steps, b, panelBytes);
            }

            bool isLast = block + 1 == blocking.InnerBlocks;
            for (long row = row0; row < row1; row += Tiles.PanelSide)
            {
                int tiles = plan.SharesLeft || row1 - row > Tiles.Side ? 2 : 1;
                byte* a = plan.SharesLeft ? Shared(row, step0) : scratch + plan.Left, sums = Sums
                    + (blocking.InnerBlocks == 1 ? 0 : (row - row0) * plan.SumStride);
                if (!plan.SharesLeft) PackLeft(row, Math.Min(row1, row + Tiles.PanelSide), step0, steps, tiles, a);
                var arguments = new TileArguments
                {
                    A = (long)a,
                    B = (long)b,
                    BStep = panelBytes,
                    C = (long)sums,
                    CStep = Tiles.PanelSide * sizeof(float),
                    CStride = plan.SumStride,
                    CTile = Tiles.Side * plan.SumStride,
                    Steps = steps,
                    Count = panels,
                };
                int ahead = PrefetchLeft(ref arguments, row + Tiles.PanelSide, step0, steps, panels);
                int lines = isLast ? arguments.FetchResult(call.Result, ResultAt(row, column0)) : 0;
                arguments.ResultStep = Tiles.PanelSide * call.Result.DType.Bytes;
                TileKernels.Get(new(owner.Product, tiles, LeftMoves: false, block > 0, ahead, lines))(&arguments);
                if (isLast) Finish(row, Math.Min(Tiles.PanelSide, row1 - row), sums);
            }
        }
        keptRight = (RightKey, columnBlock);
    }

    void ByColumnPanels(long rowBlock)
    {
        long rows = row1 - row0, steps = blocking.AllSteps;
        int tiles = rows > Tiles.Side ? 2 : 1;
        long panels = MatrixBlocking.Over(rows, Tiles.PanelSide), panelBytes = steps * tiles * Tiles.Bytes;
        byte* a = scratch + plan.Left;
        if (keptLeft != (LeftKey, rowBlock))
            for (long panel = 0; panel < panels; panel++)
            {
                long row = row0 + panel * Tiles.PanelSide;
                for (long step0 = 0; step0 < steps; step0 += blocking.Steps)
                    PackLeft(row, Math.Min(row1, row + Tiles.PanelSide), step0, Math.Min(blocking.Steps, steps - step0), tiles,
                        a + panel * panelBytes + step0 * tiles * Tiles.Bytes);
            }
        keptLeft = (LeftKey, rowBlock);

        byte* sums = Sums;
        for (long column = column0; column < column1; column += Tiles.PanelSide, sums += Tiles.PanelSide * sizeof(float))
            for (long step0 = 0; step0 < steps; step0 += blocking.Steps)
            {
                long here = Math.Min(blocking.Steps, steps - step0);
                byte* b = owner.RightIsPacked ? PackedRight(step0, here) + (column - column0) / Tiles.PanelSide * here
                    * Tiles.StepBytes : scratch + plan.Right;
                if (!owner.RightIsPacked) PackRight(column, Math.Min(Tiles.PanelSide, column1 - column), step0, here, b, 0);
                var arguments = new TileArguments
                {
                    A = (long)(a + step0 * tiles * Tiles.Bytes),
                    AStep = panelBytes,
                    B = (long)b,
                    C = (long)sums,
                    CStep = Tiles.PanelSide * plan.SumStride,
                    CStride = plan.SumStride,
                    CTile = Tiles.Side * plan.SumStride,
                    Steps = here,
                    Count = panels,
                };
                int ahead = owner.RightIsPacked ? PrefetchRight(ref arguments, column, step0, here, panels) : 0;
                int lines = step0 + here == steps ? arguments.FetchResult(call.Result, ResultAt(row0, column)) : 0;
                arguments.ResultStep = Tiles.PanelSide * arguments.ResultStride;
                TileKernels.Get(new(owner.Product, tiles, LeftMoves: true, step0 > 0, ahead, lines))(&arguments);
            }
        for (long row = row0; row < row1; row += Tiles.PanelSide)
            Finish(row, Math.Min(Tiles.PanelSide, row1 - row), Sums + (row - row0) * plan.SumStride);
    }

    // A sum over no products.
    void Nothing()
    {
        new Span<byte>(Sums, (int)(Tiles.PanelSide * plan.SumStride)).Clear();
        for (long row = row0; row < row1; row += Tiles.PanelSide) Finish(row, Math.Min(Tiles.PanelSide, row1 - row), Sums);
    }

    void PackLeft(long row, long end, long step0, long steps, int tiles, byte* to)
    {
        var source = new PanelSource((nint)left, call.Left.DType, call.Left.RowStride, call.Left.ColumnStride);
        Pack(owner.Left, source, row, end - row, step0, steps, tiles, isLeft: true, to);
    }

    // The rows of the left operand's next panel, while this one is multiplied: a few per column panel.
    readonly int PrefetchLeft(ref TileArguments arguments, long row, long step0, long steps, long panels)
    {
        if (row >= row1 || !plan.SharesLeft && (owner.Left is not null || call.Left.ColumnStride != 1)) return 0;
        // What is packed already is one row, which does as well in parts.
        long rows = MatrixBlocking.Over(Tiles.PanelSide, panels), stride = plan.SharesLeft
            ? steps * Tiles.RowBytes
            : call.Left.RowStride * call.Left.DType.Bytes;
        arguments.Ahead = plan.SharesLeft ? (long)Shared(row, step0) : (long)left + row * stride
            + step0 * stepElements * call.Left.DType.Bytes;
        arguments.AheadStride = stride;
        arguments.AheadStep = rows * stride;
        return (int)Math.Min(rows, TileKernelKey.MostAhead);
    }

    // Of a packed right operand the item's part of an inner block.
    readonly byte* PackedRight(long step0, long steps)
    {
        long panels = MatrixBlocking.Over(call.Columns, Tiles.PanelSide);
        return right + (panels * step0 + column0 / Tiles.PanelSide * steps) * Tiles.StepBytes;
    }

    // The panel of the packed right operand that comes next, while this one is multiplied: some of it per row panel.
    readonly int PrefetchRight(ref TileArguments arguments, long column, long step0, long steps, long panels)
    {
        bool isSameBlock = step0 + steps >= blocking.AllSteps;
        long nextStep = isSameBlock ? 0 : step0 + steps, nextColumn = isSameBlock ? column + Tiles.PanelSide : column;
        if (nextColumn >= call.Columns) return 0;
        long nextSteps = Math.Min(blocking.Steps, blocking.AllSteps - nextStep);
        byte* next = PackedRight(nextStep, nextSteps) + (nextColumn - column0) / Tiles.PanelSide * nextSteps * Tiles.StepBytes;
        return arguments.FetchRight(next, nextSteps, steps, panels);
    }

    void PackRight(long column, long columns, long step0, long steps, byte* to, long panelBytes)
    {
        if (owner.Decoder is { } decoder)
        {
            var layout = decoder.LayoutOf(call.Columns, call.Inner);
            for (long panel = column / Tiles.PanelSide, end = MatrixBlocking.Over(column + columns, Tiles.PanelSide); panel < end;
                panel++, to += panelBytes)
            {
                // What is decoded next: along the block, then the next block; with panels that go through all blocks the other
                // way round.
                bool hasBlock = step0 + steps < blocking.AllSteps, byRows = blocking.Order == MatrixOrder.RowPanels;
                var (nextPanel, nextStep) = byRows && panel + 1 < end ? (panel + 1, step0)
                    : hasBlock ? (byRows ? column / Tiles.PanelSide : panel, step0 + steps)
                    : panel + 1 < layout.Panels && !byRows ? (panel + 1, 0) : (panel, step0);
                decoder.Decode(layout, right, panel, step0, nextPanel, nextStep, to);
            }
            return;
        }
        var source = new PanelSource((nint)right, call.Right.DType, call.Right.ColumnStride, call.Right.RowStride);
        if (owner.Right is null)
        {
            long inner0 = step0 * stepElements, inner = Math.Min(steps * stepElements, call.Inner - inner0);
            TilePacking.PackAll(source.At(column, inner0), columns, inner, steps, isLeft: false, elementBytes,
                scratch + plan.Staging, to, panelBytes);
            return;
        }
        for (long end = column + columns; column < end; column += Tiles.PanelSide, to += panelBytes)
            Pack(owner.Right, source, column, Math.Min(Tiles.PanelSide, end - column), step0, steps, 2, isLeft: false, to);
    }

    void Pack(BlockFunction? fill, PanelSource source, long free0, long free, long step0, long steps, int tiles,
        bool isLeft, byte* to)
    {
        long inner0 = step0 * stepElements, inner = Math.Min(steps * stepElements, call.Inner - inner0);
        byte* staging = scratch + plan.Staging;
        if (fill is null) source = source.At(free0, inner0);
        else
        {
            (place.Row, place.Rows, place.Column, place.Columns) = (free0, free, inner0, inner);
            place.Data = staging;
            place.Stride = inner;
            fixed (BlockPlace* here = &place) fill(here);
            source = new((nint)staging, isLeft ? owner.Product.Left : owner.Product.Right, inner, 1);
        }
        TilePacking.Pack(source, free, inner, steps, tiles, isLeft, elementBytes, staging, to);
    }

    /// <summary>Hands finished sums to the epilogue, or stores them.</summary>
    void Finish(long row, long rows, byte* sums)
    {
        long columns = column1 - column0;
        if (owner.Epilogue is { } epilogue)
        {
            (place.Row, place.Rows, place.Column, place.Columns) = (row, rows, column0, columns);
            place.Data = sums;
            place.Stride = plan.SumStride / sizeof(float);
            fixed (BlockPlace* here = &place) epilogue(here);
            return;
        }
        var view = call.Result;
        byte* to = ResultAt(row, column0);
        for (long i = 0; i < rows; i++, sums += plan.SumStride, to += view.RowStride * view.DType.Bytes)
            StoreRow(view, call.Accumulate, sums, to, columns);
    }

    /// <summary>Stores a row of sums, in the type of the sums or, rounded, in bfloat16.</summary>
    public static void StoreRow(in MatrixView view, bool adds, byte* sums, byte* to, long columns)
    {
        switch (view.DType)
        {
            case DType.Float32: Store((float*)sums, (float*)to, columns, view.ColumnStride, adds); break;
            case DType.Int32: Store((int*)sums, (int*)to, columns, view.ColumnStride, adds); break;
            default: StoreRounded((float*)sums, (ushort*)to, columns, view.ColumnStride); break;
        }
    }

    static void Store<T>(T* from, T* to, long columns, long stride, bool adds) where T : unmanaged, System.Numerics.INumberBase<T>
    {
        if (adds)
            for (long j = 0; j < columns; j++) to[j * stride] = unchecked(to[j * stride] + from[j]);
        else if (stride == 1) new ReadOnlySpan<T>(from, (int)columns).CopyTo(new Span<T>(to, (int)columns));
        else
            for (long j = 0; j < columns; j++) to[j * stride] = from[j];
    }

    static void StoreRounded(float* from, ushort* to, long columns, long stride)
    {
        if (stride == 1) TilePacking.Round(from, to, columns);
        else
            for (long j = 0; j < columns; j++) to[j * stride] = ((BFloat16)from[j]).Bits;
    }
}
