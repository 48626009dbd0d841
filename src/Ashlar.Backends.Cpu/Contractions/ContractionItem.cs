namespace Ashlar.Backends.Cpu.Contractions;

/// <summary>One worker's way through one item of a contraction: a block of rows and columns of one product.</summary>
unsafe ref struct ContractionItem
{
    // Row panels between two calls of the epilogue: their sums fit the first cache.
    const long FinishedPanels = 8;

    readonly Contraction owner;
    readonly ref readonly ContractionCall call;
    readonly ref readonly Blocking blocking;
    readonly RegisterTile tile;
    readonly int elementBytes, lanes;
    readonly byte* packedLeft;
    readonly byte* packedRight;
    readonly byte* wide;
    readonly byte* sums;
    readonly long* batch;
    readonly bool rightIsInPlace, resultIsScratch, hasResult;
    readonly BlockFunction? leftFunction, rightFunction;
    readonly ItemOffsets offsets;
    BlockPlace place;
    int leftRuns, rightRuns;                           // of the block of the inner axis, where operands have offsets

    byte* left;                                        // the matrices of this product of the batch
    byte* right;
    byte* result;
    long row0, row1, column0, column1;                 // the item
    // Its row panels: the first `higher` have height + 1 rows, the others height.
    long panels, height, higher;
    long columnPanels, vectors, wider;                 // its column panels, likewise, in vectors
    long inner0, inner;                                // the block of the inner axis
    bool isFirst, isLast;                              // of these blocks

    public ContractionItem(Contraction owner, in ContractionCall call, in Blocking blocking, bool isSwapped, byte* scratch,
        long* batch, int worker, ItemOffsets offsets)
    {
        this.owner = owner;
        this.offsets = offsets;
        this.call = ref call;
        this.blocking = ref blocking;
        this.batch = batch;
        tile = blocking.Tile;
        elementBytes = owner.Compute.Bytes;
        lanes = owner.Isa.VectorBytes / elementBytes;
        var memory = owner.Memory;
        packedLeft = scratch;
        packedRight = scratch + memory.Right;
        wide = scratch + memory.Wide;
        sums = scratch + memory.Sums;
        (leftFunction, rightFunction) = isSwapped ? (owner.Right, owner.Left) : (owner.Left, owner.Right);
        var facts = owner.CaseOf(call, isSwapped, 1);
        (rightIsInPlace, resultIsScratch) = (facts.RightIsInPlace,
            facts.ResultIsScratch || blocking.Streams && blocking.InnerBlocks > 1);
        hasResult = call.Result.Data != 0 && call.Result.ColumnStride == 1;
        place = new() { Batch = batch, Worker = worker, Scratch = scratch + memory.Block };
    }

    readonly long VectorBytes => (long)lanes * elementBytes;

    /// <summary>The micro-kernels that the items of a product use.</summary>
    public static HashSet<MicroKey> Keys(Contraction owner, in ContractionCall call, in Blocking blocking, bool isSwapped)
    {
        var keys = new HashSet<MicroKey>();
        var tile = blocking.Tile;
        int lanes = owner.Isa.VectorBytes / owner.Compute.Bytes;
        bool rightIsInPlace = owner.CaseOf(call, isSwapped, 1).RightIsInPlace;
        // Items differ by one panel's height or width at most, so the first and the last have all there are.
        foreach (long rowBlock in (long[])[0, blocking.RowBlocks - 1])
            foreach (long columnBlock in (long[])[0, blocking.ColumnBlocks - 1])
            {
                var (row0, row1) = EvenRange.Of(call.Rows, (int)rowBlock, (int)blocking.RowBlocks);
                var (column0, column1) = EvenRange.Of(call.Columns, (int)columnBlock, (int)blocking.ColumnBlocks, lanes);
                long columnVectors = (column1 - column0 + lanes - 1) / lanes;
                if (row1 == row0 || columnVectors == 0) continue;
                long panels = (row1 - row0 + tile.Rows - 1) / tile.Rows;
                var (height, higher) = Math.DivRem(row1 - row0, panels);
                var (vectors, wider) = Math.DivRem(columnVectors, (columnVectors + tile.Vectors - 1) / tile.Vectors);
                foreach (long high in higher > 0 ? (long[])[height + 1, height] : [height])
                    foreach (long wide in wider > 0 ? (long[])[vectors + 1, vectors] : [vectors])
                        foreach (var access in rightIsInPlace
                            ? (RightAccess[])[panels == 1 ? RightAccess.Streamed : RightAccess.Copied, RightAccess.Packed]
                            : [RightAccess.Packed])
                            keys.Add(new(owner.Isa, owner.Elem, (int)high, (int)wide,
                                blocking.ReadsLeftInPlace ? LeftAccess.Rows : LeftAccess.Columns,
                                access, blocking.Streams && panels < MicroKernels.Unroll ? 2 : 1, !blocking.Streams));
            }
        return keys;
    }

    /// <summary>Computes the item of this number; numbers go through columns, then rows, then the batch.</summary>
    public void Run(long index)
    {
        (long product, index) = Math.DivRem(index, blocking.RowBlocks * blocking.ColumnBlocks);
        (long columnBlock, long rowBlock) = Math.DivRem(index, blocking.RowBlocks);
        call.Locate(product, call.Right.DType.Bytes, batch, out left, out right, out result);
        (row0, row1) = EvenRange.Of(call.Rows, (int)rowBlock, (int)blocking.RowBlocks);
        (column0, column1) = EvenRange.Of(call.Columns, (int)columnBlock, (int)blocking.ColumnBlocks, lanes);
        long rows = row1 - row0, columnVectors = (column1 - column0 + lanes - 1) / lanes;
        if (rows == 0 || columnVectors == 0) return;
        panels = (rows + tile.Rows - 1) / tile.Rows;
        (height, higher) = Math.DivRem(rows, panels);
        columnPanels = (columnVectors + tile.Vectors - 1) / tile.Vectors;
        (vectors, wider) = Math.DivRem(columnVectors, columnPanels);

        for (long block = 0; block < blocking.InnerBlocks; block++)
        {
            inner0 = block * blocking.Inner;
            inner = Math.Min(blocking.Inner, call.Inner - inner0);
            (isFirst, isLast) = (block == 0, block == blocking.InnerBlocks - 1);
            if (call.LeftOffsets is { } leftView) leftRuns = offsets.Left.Begin(leftView, inner0, inner);
            if (call.RightOffsets is { } rightView) rightRuns = offsets.Right.Begin(rightView, inner0, inner);
            if (!blocking.ReadsLeftInPlace) PackLeft();
            long column = column0;
            for (long panel = 0; panel < columnPanels; panel++) column += ColumnPanel(panel, column);
        }
    }

    /// <summary>All row panels of one column panel.</summary>
    /// <returns>How many columns it has.</returns>
    long ColumnPanel(long panel, long column)
    {
        int width = (int)(panel < wider ? vectors + 1 : vectors);
        long columns = Math.Min(width * lanes, column1 - column);
        bool isWhole = columns == width * lanes, isInPlace = rightIsInPlace && isWhole, isDirect = !resultIsScratch && isWhole;
        bool finishes = !isDirect && isLast;
        long slot = resultIsScratch && blocking.InnerBlocks > 1 ? panel : 0;
        byte* tileSums = sums + slot * (row1 - row0) * tile.Vectors * VectorBytes;

        byte* rightRow = right + (inner0 * call.Right.RowStride + column) * elementBytes;
        if (!isInPlace) PackRight(column, columns, width);

        var arguments = new MicroArguments
        {
            BStride = isInPlace ? call.Right.RowStride * elementBytes : 0,
            Packed = packedRight,
            CStride = isDirect ? call.Result.RowStride * elementBytes : width * VectorBytes,
            Inner = inner,
            Accumulate = isFirst && !(isDirect && call.Accumulate) ? 0 : 1,
        };
        int aheadRows = blocking.Streams && panels < MicroKernels.Unroll ? 2 : 1;
        SetChunks(ref arguments);
        byte* ahead = NextRight(panel, column, columns);
        long aheadLeft = ahead == null || arguments.Chunks == 0 ? 0 : inner, aheadEach = arguments.Chunks * aheadRows;

        for (long p = 0, row = row0; p < panels;)
        {
            int high = (int)(p < higher ? height + 1 : height);
            long count = (p < higher ? higher : panels) - p;
            var access = RightAccess.Packed;
            if (isInPlace && p == 0) (access, count) = (panels == 1 ? RightAccess.Streamed : RightAccess.Copied, 1);
            if (finishes) count = Math.Min(count, FinishedPanels);
            if (aheadLeft > 0) count = Math.Min(count, (aheadLeft + aheadEach - 1) / aheadEach);

            if (blocking.ReadsLeftInPlace)
            {
                arguments.AStride = call.Left.RowStride * elementBytes;
                arguments.A = left + (row * call.Left.RowStride + inner0) * elementBytes;
                arguments.AStep = high * arguments.AStride;
            }
            else
            {
                arguments.AStride = high * elementBytes;
                arguments.A = packedLeft + (row - row0) * inner * elementBytes;
                arguments.AStep = high * inner * elementBytes;
            }
            arguments.B = access == RightAccess.Packed ? packedRight : rightRow;
            arguments.C = isDirect
                ? result + (row * call.Result.RowStride + column) * elementBytes
                : tileSums + (row - row0) * width * VectorBytes;
            arguments.Panels = count;
            bool fetches = isLast && hasResult || isDirect;
            arguments.AheadResult = fetches
                ? result + (row * call.Result.RowStride + column) * call.Result.DType.Bytes
                : arguments.C;
            arguments.AheadResultStride = fetches ? call.Result.RowStride * call.Result.DType.Bytes : arguments.CStride;
            arguments.Ahead = aheadLeft > 0 ? ahead : packedRight;
            arguments.AheadStride = aheadLeft > 0 ? call.Right.RowStride * elementBytes : 0;
            MicroKernels.Get(new(owner.Isa, owner.Elem, high, width,
                blocking.ReadsLeftInPlace ? LeftAccess.Rows : LeftAccess.Columns,
                access, aheadRows, !blocking.Streams))(&arguments);

            if (finishes) Finish(row, count * high, column, columns, arguments.C, width * lanes);
            if (aheadLeft > 0) ahead += aheadEach * count * arguments.AheadStride;
            aheadLeft -= aheadEach * count;
            p += count;
            row += count * high;
        }
        return columns;
    }

    /// <summary>Cuts the inner block so that prefetches are spread evenly: a row of the result and of the next panel per
    /// chunk.</summary>
    readonly void SetChunks(ref MicroArguments arguments)
    {
        long unrolled = inner & -MicroKernels.Unroll;
        long wanted = blocking.Streams ? unrolled : Math.Max(tile.Rows + 1, (inner + panels - 1) / panels);
        arguments.Chunk = Math.Max(MicroKernels.Unroll, unrolled / wanted & -MicroKernels.Unroll);
        arguments.Chunks = (unrolled + arguments.Chunk - 1) / arguments.Chunk;
    }

    /// <summary>The first row of the panel that comes after this one; null where the right operand is not read in place or
    /// nothing comes.</summary>
    readonly byte* NextRight(long panel, long column, long columns)
    {
        if (!rightIsInPlace) return null;
        if (panel + 1 < columnPanels) return right + (inner0 * call.Right.RowStride + column + columns) * elementBytes;
        return isLast ? null : right + ((inner0 + inner) * call.Right.RowStride + column0) * elementBytes;
    }

    void PackLeft()
    {
        byte* to = packedLeft;
        if (leftFunction is null && call.LeftOffsets is null && call.Left.RowStride == 1 && call.Left.ColumnStride != 1
            && call.Left.DType == owner.Compute)
        {
            PackLeftColumns();
            return;
        }
        for (long p = 0, row = row0; p < panels; p++)
        {
            long rows = p < higher ? height + 1 : height;
            PackLeftPanel(row, rows, to);
            row += rows;
            to += rows * inner * elementBytes;
        }
    }

    // Rows side by side in memory: some inner indices of all panels at a time, so that each line is read once.
    readonly void PackLeftColumns()
    {
        const long together = 32;
        long step = call.Left.ColumnStride * elementBytes;
        byte* from = left + (row0 + inner0 * call.Left.ColumnStride) * elementBytes;
        for (long k = 0; k < inner; k += together)
        {
            long count = Math.Min(together, inner - k);
            byte* source = from + k * step, to = packedLeft;
            for (long p = 0; p < panels; p++)
            {
                long bytes = (p < higher ? height + 1 : height) * elementBytes;
                Packing.CopyRows(owner.Isa, source, step, count, bytes, to + k * bytes, bytes, isEnd: k + count == inner);
                source += bytes;
                to += bytes * inner;
            }
        }
    }

    void PackLeftPanel(long row, long rows, byte* to)
    {
        long stride = rows * elementBytes;
        if (call.LeftOffsets is { } offsetView)
        {
            PackOffsets(offsetView, offsets.Left, leftRuns, left, (byte*)call.LeftEnd, row, rows, to, stride);
            return;
        }
        if (leftFunction is { } fill)
        {
            Fill(fill, row, rows);
            Packing.Transpose(owner.Isa, elementBytes, wide, inner * elementBytes, rows, inner, to, stride);
            return;
        }
        var view = call.Left;
        int storageBytes = view.DType.Bytes;
        byte* from = left + (row * view.RowStride + inner0 * view.ColumnStride) * storageBytes;
        if (view.DType != owner.Compute)
        {
            Widen(from, view.DType, view.RowStride, view.ColumnStride, rows);
            Packing.Transpose(owner.Isa, elementBytes, wide, inner * elementBytes, rows, inner, to, stride);
        }
        else if (view.ColumnStride == 1)
            Packing.Transpose(owner.Isa, elementBytes, from, view.RowStride * elementBytes, rows, inner, to, stride);
        else if (view.RowStride == 1)
            Packing.CopyRows(owner.Isa, from, view.ColumnStride * elementBytes, inner, stride, to, stride);
        else Packing.Gather(elementBytes, from, view.RowStride * elementBytes, view.ColumnStride * elementBytes, rows,
            inner, to, stride);
    }

    /// <summary>Packs a panel of the right operand, with zeros in the columns that it lacks.</summary>
    void PackRight(long column, long columns, int width)
    {
        long stride = width * VectorBytes;
        var view = call.Right;
        int storageBytes = view.DType.Bytes;
        byte* from = right + (inner0 * view.RowStride + column * view.ColumnStride) * storageBytes;
        if (call.RightOffsets is { } offsetView)
            PackOffsets(offsetView, offsets.Right, rightRuns, right, (byte*)call.RightEnd, column, columns, packedRight, stride);
        else if (rightFunction is { } fill)
        {
            Fill(fill, column, columns);
            Packing.Transpose(owner.Isa, elementBytes, wide, inner * elementBytes, columns, inner, packedRight, stride);
        }
        else if (view.DType != owner.Compute && view.ColumnStride == 1)
        {
            var widen = Widening.Of(owner.Isa, view.DType);
            for (long k = 0; k < inner; k++)
                widen(from + k * view.RowStride * storageBytes, storageBytes, packedRight + k * stride, columns);
        }
        else if (view.DType != owner.Compute)
        {
            Widen(from, view.DType, view.ColumnStride, view.RowStride, columns);
            Packing.Transpose(owner.Isa, elementBytes, wide, inner * elementBytes, columns, inner, packedRight, stride);
        }
        else if (view.ColumnStride == 1)
        {
            Packing.CopyRows(owner.Isa, from, view.RowStride * elementBytes, inner, columns * elementBytes, packedRight, stride);
        }
        else if (view.RowStride == 1)
        {
            Packing.Transpose(owner.Isa, elementBytes, from, view.ColumnStride * elementBytes, columns, inner,
                packedRight, stride);
        }
        else
        {
            Packing.Gather(elementBytes, from, view.ColumnStride * elementBytes, view.RowStride * elementBytes, columns, inner,
                packedRight, stride);
        }
        Packing.Clear(packedRight, stride, inner, columns * elementBytes, stride);
    }

    // Vectors of free indices where those follow each other in memory, else rows of inner indices, which are turned.
    readonly void PackOffsets(OffsetView view, OperandOffsets inside, int runs, byte* from, byte* end, long first, long count,
        byte* to, long stride)
    {
        OffsetView.Write(view.Free, first, count, offsets.Free);
        if (!view.RunsInside)
        {
            int freeRuns = OffsetRun.Write(offsets.Free, count, offsets.FreeRuns);
            OffsetPacking.AcrossRuns(owner.Isa, elementBytes, from, end, inside.Inner, inner, offsets.FreeRuns,
                freeRuns, to, stride);
            return;
        }
        for (long i = 0; i < count; i++)
            OffsetPacking.AlongRuns(owner.Isa, elementBytes, from + offsets.Free[i] * elementBytes, end, inside.Runs, runs,
                wide + i * inner * elementBytes);
        Packing.Transpose(owner.Isa, elementBytes, wide, inner * elementBytes, count, inner, to, stride);
    }

    /// <summary>Rows of an operand of another type, widened: [rows, inner] into <see cref="wide"/>.</summary>
    readonly void Widen(byte* from, DType storage, long freeStride, long innerStride, long rows)
    {
        var widen = Widening.Of(owner.Isa, storage);
        for (long i = 0; i < rows; i++)
            widen(from + i * freeStride * storage.Bytes, innerStride * storage.Bytes, wide + i * inner * elementBytes, inner);
    }

    /// <summary>Rows of an operand from its function: [rows, inner] into <see cref="wide"/>.</summary>
    void Fill(BlockFunction fill, long row, long rows)
    {
        (place.Row, place.Rows, place.Column, place.Columns) = (row, rows, inner0, inner);
        place.Data = wide;
        place.Stride = inner;
        fixed (BlockPlace* here = &place) fill(here);
    }

    /// <summary>Hands finished sums to the epilogue, or stores them.</summary>
    void Finish(long row, long rows, long column, long columns, byte* from, long stride)
    {
        if (owner.Epilogue is { } epilogue)
        {
            (place.Row, place.Rows, place.Column, place.Columns) = (row, rows, column, columns);
            place.Data = from;
            place.Stride = stride;
            fixed (BlockPlace* here = &place) epilogue(here);
            return;
        }
        var view = call.Result;
        byte* to = result + (row * view.RowStride + column * view.ColumnStride) * elementBytes;
        switch (owner.Compute)
        {
            case DType.Float32: Store((float*)from, stride, rows, columns, (float*)to, view, call.Accumulate); break;
            case DType.Float64: Store((double*)from, stride, rows, columns, (double*)to, view, call.Accumulate); break;
            case DType.Int32: Store((int*)from, stride, rows, columns, (int*)to, view, call.Accumulate); break;
            default: Store((long*)from, stride, rows, columns, (long*)to, view, call.Accumulate); break;
        }
    }

    static void Store<T>(T* from, long stride, long rows, long columns, T* to, in MatrixView view, bool accumulate)
        where T : unmanaged, System.Numerics.INumberBase<T>
    {
        for (long i = 0; i < rows; i++, from += stride, to += view.RowStride)
        {
            if (accumulate)
                for (long j = 0; j < columns; j++) to[j * view.ColumnStride] = unchecked(to[j * view.ColumnStride] + from[j]);
            else if (view.ColumnStride == 1) new ReadOnlySpan<T>(from, (int)columns).CopyTo(new Span<T>(to, (int)columns));
            else
                for (long j = 0; j < columns; j++) to[j * view.ColumnStride] = from[j];
        }
    }
}
