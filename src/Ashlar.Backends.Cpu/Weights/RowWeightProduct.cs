using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Ashlar.Graph;

namespace Ashlar.Backends.Cpu.Weights;

/// <summary>Products of few rows with packed weights by <see cref="RowKernels"/>: as fast as weights come from memory.</summary>
/// <remarks>
/// Rows go in chunks (<see cref="RowKernelKey.MostRows"/>). Each panel of an inner block is read from memory for the first chunk
/// and found in the nearest cache by the others. Each worker has panels that lie one after another and takes some at a time, so
/// that the beginning of the next ones is fetched while these end; who is done early takes from the end of another's
/// (<see cref="OwnedItems"/>).
/// </remarks>
sealed unsafe class RowWeightProduct : WeightProduct
{
    const int ItemsPerWorker = 8;                      // so that a disturbed worker does not hold up the rest
    const double WorthAnotherThread = 64 << 10;        // bytes of weights: some 5 us
    const long WindowBytes = 64 << 10;

    static readonly byte[] tables = Tables();

    readonly WeightEncoding encoding;
    readonly nint[] kernels;                           // by rows, what they fetch, whether they add
    readonly int mostRows;
    readonly Action<int, int> work;
    WeightCall call;
    RowGroups groups;
    Workers? pool;
    readonly OwnedItems items = new();
    RunSizes sizes;                                    // panels that are taken at a time
    byte* records;
    long window;                                       // panels that are fetched together
    nint* results;                                     // of each place in the order of groups
    byte* own;
    float* sums;                                       // [rows, N] for a gate to take, where there is one

    /// <summary>Why these kernels cannot run here; null where they can.</summary>
    public static string? WhyNot(Isa isa) => isa != Isa.Avx512 ? $"the path {isa.Name} has no 512-bit vectors"
        : !Processor.Current.HasAvx512Vnni ? "this processor has no 512-bit dot products of bytes"
        : null;

    /// <param name="encoding">How weights are stored.</param>
    public RowWeightProduct(WeightEncoding encoding)
    {
        this.encoding = encoding;
        work = Work;
        mostRows = RowKernelKey.MostRows(encoding);
        kernels = new nint[mostRows * 8];
        for (int i = 0; i < kernels.Length; i++)
            kernels[i] =
                (nint)RowKernels.Get(new(encoding, i / 8 + 1, (i & 1) != 0,
                    RowKernelKey.ShareOf(i / 2 % RowKernelKey.Shares))).Entry;
    }

    /// <summary>Where the table of int4 codes lies, four times, each value plus 128.</summary>
    public static nint TableOf(WeightEncoding encoding) =>
        System.Runtime.InteropServices.Marshal.UnsafeAddrOfPinnedArrayElement(tables, (int)encoding.Table * 64);

    static byte[] Tables()
    {
        var all = GC.AllocateArray<byte>(4 * 64 + 64, pinned: true);
        foreach (var table in Enum.GetValues<WeightTable>())
            for (int i = 0; i < 64; i++)
                all[(int)table * 64 + i] =
                    (byte)(WeightDecoding.Table(WeightEncoding.Int4(table: table))[i % 16] + WeightLayout.ByteOffset);
        return all;
    }

    long RecordBytes(in WeightCall call) => call.Rows * call.Weight.Layout.Steps * RowRecord.BytesFor(encoding);

    static long WorkerBytes(in WeightCall call) => Aligned(call.Weight.Layout.Steps * WeightLayout.StepSide * sizeof(float));

    public override long ScratchBytes(in WeightCall call, int workers) =>
        Aligned(RowGroups.BytesFor(call.Rows, call.Weight.Count))
        + Aligned(call.Rows * sizeof(nint)) + Aligned(RecordBytes(call)) + workers * WorkerBytes(call) + SumBytes(call);

    static long SumBytes(in WeightCall call) => call.Weight.Gate is null ? 0 : call.Rows * call.Weight.Rows * sizeof(float);

    public override void Run(in WeightCall call, Workers workers, byte* scratch)
    {
        if (call.Rows == 0) return;
        this.call = call;
        pool = workers;
        var layout = call.Weight.Layout;
        groups = RowGroups.Of((int*)call.Experts, (int)call.Rows, (int)call.Weight.Count, scratch);
        results = (nint*)(scratch + Aligned(RowGroups.BytesFor(call.Rows, call.Weight.Count)));
        records = (byte*)results + Aligned(call.Rows * sizeof(nint));
        own = records + Aligned(RecordBytes(call));
        sums = (float*)(own + workers.Count * WorkerBytes(call));
        for (int place = 0; place < call.Rows; place++)
            results[place] = call.Weight.Gate is null
                ? call.Y + (nint)(groups.Row(place) * layout.Rows * sizeof(float))
                : (nint)(sums + place * layout.Rows);
        int helpers =
            (int)Math.Clamp(groups.Count * layout.Bytes * Math.Max(1, call.Rows / 16.0) / WorthAnotherThread, 1, workers.Count);
        window =
            Math.Clamp((WindowBytes + layout.BlockSteps * layout.StepBytes / 2) / (layout.BlockSteps * layout.StepBytes), 1, 4);
        long wanted = helpers == 1
            ? 1
            : Math.Clamp((helpers * ItemsPerWorker + groups.Count - 1) / groups.Count, 1, layout.Panels);
        // Whole windows: what is left over would be fetched in part only.
        long most = (layout.Panels + wanted - 1) / wanted;
        if (most > window) most = (most + window - 1) / window * window;
        sizes = new(most, window, layout.Panels);
        items.Share(groups.Count * layout.Panels, helpers);
        workers.Run(helpers, work);
    }

    void Work(int worker, int workers)
    {
        FetchFirst(worker, workers);
        Prepare(worker, workers);
        pool!.Sync(workers);
        long panels = call.Weight.Layout.Panels;
        while (items.TakeSome(worker, workers, sizes, out long taken, out long count, out long next))
        {
            var (group, first) = Math.DivRem(taken, panels);
            Panels(groups[(int)group], first, first + count, first + count + next);
            if (call.Weight.Gate is { } gate) Pass(gate, groups[(int)group], first, count);
        }
    }

    void Pass(WeightGate gate, RowGroup group, long first, long panels)
    {
        for (int place = group.First; place < group.First + group.Count; place++)
            Gating.Row(gate, sums + place * call.Weight.Rows + first * WeightLayout.PanelSide, panels,
                (float*)call.Y + groups.Row(place) * call.Weight.Outputs + first * WeightLayout.TileSide, past: false);
    }

    // Nobody fetched a worker's first window: it comes while rows are prepared.
    void FetchFirst(int worker, int workers)
    {
        var layout = call.Weight.Layout;
        var (item, end) = EvenRange.Of(groups.Count * layout.Panels, worker, workers);
        if (item == end) return;
        var (group, first) = Math.DivRem(item, layout.Panels);
        long bytes = Math.Min(window, Math.Min(sizes.Of(end - item), layout.Panels - first))
            * Math.Min(layout.BlockSteps, layout.Steps) * layout.StepBytes;
        byte* from = (byte*)call.Data + groups[(int)group].Matrix * layout.Bytes + layout.Offset(first, 0);
        long quarter = (bytes / 4 + 63) / 64 * 64;
        for (byte* stop = from + quarter; from < stop; from += 64)
            for (int i = 0; i < 4; i++) Sse.Prefetch1(from + i * quarter);
    }

    // How many chunks the rows of a group make, and where each begins: evenly, so that none is left with a single row.
    int Chunks(int rows) => (rows + mostRows - 1) / mostRows;

    static int ChunkStart(int chunk, int chunks, int rows) => (int)((long)chunk * rows / chunks);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Prepare(int worker, int workers)
    {
        var layout = call.Weight.Layout;
        long steps = layout.Steps, recordBytes = RowRecord.BytesFor(encoding), padded = steps * WeightLayout.StepSide;
        float* row = (float*)(own + worker * WorkerBytes(call));
        // A single row is cut among workers, several are handed out whole.
        bool cuts = call.Rows < workers;
        var (firstStep, endStep) = cuts ? EvenRange.Of(steps, worker, workers) : (0, steps);
        var (firstRow, endRow) = cuts ? (0, call.Rows) : EvenRange.Of(call.Rows, worker, workers);
        for (int g = 0; g < groups.Count; g++)
        {
            var group = groups[g];
            if (group.First + group.Count <= firstRow || group.First >= endRow) continue;
            int chunks = Chunks(group.Count);
            for (int chunk = 0; chunk < chunks; chunk++)
            {
                int start = ChunkStart(chunk, chunks, group.Count), count = ChunkStart(chunk + 1, chunks, group.Count) - start;
                byte* to = records + (group.First + start) * steps * recordBytes;
                for (int i = 0; i < count; i++)
                {
                    int place = group.First + start + i;
                    if (place < firstRow || place >= endRow) continue;
                    float* from = Floats(groups.Row(place), row, padded, firstStep, endStep);
                    for (long step = firstStep; step < endStep; step++)
                    {
                        byte* record = to + (step * count + i) * recordBytes;
                        if (encoding.IsQuantized) Quantize(from + step * WeightLayout.StepSide, record);
                        else
                        {
                            Vector512.Load(from + step * 32).Store((float*)record);
                            Vector512.Load(from + step * 32 + 16).Store((float*)record + 16);
                        }
                    }
                }
            }
        }
    }

    // Where the row's floats lie: in place where they are whole, else in this worker's memory.
    float* Floats(int row, float* memory, long padded, long firstStep, long endStep)
    {
        long columns = call.Weight.Columns;
        if (call.Type == DType.Float32 && columns == padded) return (float*)call.X + row * columns;
        long first = firstStep * WeightLayout.StepSide, end = Math.Min(columns, endStep * WeightLayout.StepSide);
        if (call.Type == DType.Float32)
            new ReadOnlySpan<float>((float*)call.X + row * columns + first, (int)(end - first))
                .CopyTo(new(memory + first, (int)(end - first)));
        else
        {
            ushort* from = (ushort*)call.X + row * columns;
            for (long k = first; k < end; k++) memory[k] = BitConverter.UInt32BitsToSingle((uint)from[k] << 16);
        }
        for (long k = end; k < endStep * WeightLayout.StepSide; k++) memory[k] = 0;
        return memory;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Quantize(float* from, byte* record)
    {
        Vector512<float> a = Vector512.Load(from), b = Vector512.Load(from + 16);
        var magnitudes = Vector512.Max(Vector512.Abs(a), Vector512.Abs(b));
        var eight = Vector256.Max(magnitudes.GetLower(), magnitudes.GetUpper());
        var four = Vector128.Max(eight.GetLower(), eight.GetUpper());
        float greatest = Math.Max(Math.Max(four[0], four[1]), Math.Max(four[2], four[3]));
        float scale = greatest / 127, inverse = greatest > 1e-30f ? 127 / greatest : 0;   // below, 127 / x may be infinite
        if (greatest <= 1e-30f) scale = 0;
        Vector512<int> ia = Avx512F.ConvertToVector512Int32(a * Vector512.Create(inverse)),
            ib = Avx512F.ConvertToVector512Int32(b * Vector512.Create(inverse));
        Avx512F.ConvertToVector128SByteWithSaturation(ia).Store((sbyte*)record);
        Avx512F.ConvertToVector128SByteWithSaturation(ib).Store((sbyte*)record + 16);
        int sumA = Vector512.Sum(ia), sumB = Vector512.Sum(ib), offset = -RowKernels.OffsetOf(encoding);
        *(float*)(record + RowRecord.Scale) = scale;
        if (encoding.Block == 32) (sumA, sumB) = (sumA + sumB, 0);
        ((int*)(record + RowRecord.Offsets))[0] = offset * sumA;
        ((int*)(record + RowRecord.Offsets))[1] = offset * sumB;
        ((float*)(record + RowRecord.Sums))[0] = scale * sumA;
        ((float*)(record + RowRecord.Sums))[1] = scale * sumB;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Panels(RowGroup group, long first, long last, long next)
    {
        var layout = call.Weight.Layout;
        byte* matrix = (byte*)call.Data + group.Matrix * layout.Bytes;
        long steps = layout.Steps, each = layout.BlockSteps, recordBytes = RowRecord.BytesFor(encoding);
        // Chunks share the fetching, so that memory is at work while any of them is.
        int stepBytes = layout.StepBytes, chunks = Chunks(group.Count), share = chunks == 1
            ? 1
            : chunks < 4 ? 2 : 3, fetching = RowKernelKey.ShareOf(share);
        nint table = TableOf(encoding);
        for (long block = 0; block < steps; block += each)
        {
            long here = Math.Min(each, steps - block);
            for (long panel = first; panel < last; panel++)
            {
                byte* unit = matrix + layout.Offset(panel, block);
                var arguments = new RowArguments { Weights = (long)unit, Steps = here, Table = table };
                bool fetches = Ahead(ref arguments, matrix, first, last, next, panel, block);
                long ahead = here * (stepBytes / 4 / fetching);
                long column = panel * WeightLayout.PanelSide, outputs = Math.Min(WeightLayout.PanelSide, layout.Rows - column);
                for (int chunk = 0; chunk < chunks; chunk++)
                {
                    int start = ChunkStart(chunk, chunks, group.Count),
                        count = ChunkStart(chunk + 1, chunks, group.Count) - start;
                    arguments.Rows = (long)(records + ((group.First + start) * steps + block * count) * recordBytes);
                    arguments.Results = (long)(results + group.First + start);
                    arguments.Column = column * sizeof(float);
                    arguments.Outputs = outputs == WeightLayout.PanelSide ? 0xffffffff : (1L << (int)outputs) - 1;
                    int kernel = (count - 1) * 8 + (fetches && chunk < fetching ? 2 * share : 0) + (block > 0 ? 1 : 0);
                    ((delegate* unmanaged<RowArguments*, void>)kernels[kernel])(&arguments);
                    arguments.Ahead += ahead;
                }
            }
        }
    }

    // Panels go in windows of some 64 KiB. While one is multiplied, the next one is fetched, from its four quarters in turn;
    // behind the last one the first of the item that follows, up to the panel `next`. False where nothing follows.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    bool Ahead(ref RowArguments arguments, byte* matrix, long first, long last, long next, long panel, long block)
    {
        var layout = call.Weight.Layout;
        long here = Math.Min(layout.BlockSteps, layout.Steps - block), within = (panel - first) % window, start = panel - within
            + window, steps = here;
        if (start >= last)
        {
            block += here;
            start = first;
            if (block == layout.Steps)
            {
                if (next == last) return false;
                (block, start, last) = (0, last, next);
            }
            steps = Math.Min(layout.BlockSteps, layout.Steps - block);
        }
        long bytes = Math.Min(window, last - start) * steps * layout.StepBytes;
        arguments.AheadStride = (bytes / 4 + 63) / 64 * 64;
        arguments.Ahead = (long)(matrix + layout.Offset(start, block)) + within * here * (layout.StepBytes / 4);
        return true;
    }
}
