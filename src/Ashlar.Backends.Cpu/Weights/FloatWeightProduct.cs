using System.Runtime.Intrinsics;
using Ashlar.Graph;

namespace Ashlar.Backends.Cpu.Weights;

/// <summary>Products with packed weights on any machine: panels are decoded to float32 in the caches and multiplied
/// there.</summary>
sealed unsafe class FloatWeightProduct : WeightProduct
{
    readonly Isa isa;
    readonly Action<int, int> work;
    WeightCall call;
    RowGroups groups;
    Workers? pool;
    ChunkedRange items;
    byte* x;                                           // [rows in the order of groups, padded inputs]
    byte* own;
    long workerBytes;

    /// <param name="isa">The width of vectors.</param>
    public FloatWeightProduct(Isa isa)
    {
        this.isa = isa;
        work = Work;
    }

    static long Inner(in WeightCall call) => call.Weight.Layout.Steps * WeightLayout.StepSide;

    static long SumBytes(in WeightCall call) => Aligned(call.Rows * WeightLayout.PanelSide * sizeof(float));

    static long PanelBytes => WeightLayout.MostSteps * WeightLayout.StepSide * WeightLayout.PanelSide * sizeof(float);

    public override long ScratchBytes(in WeightCall call, int workers) =>
        Aligned(RowGroups.BytesFor(call.Rows, call.Weight.Count)) + Aligned(call.Rows * Inner(call) * sizeof(float))
            + workers * (SumBytes(call) + PanelBytes);

    public override void Run(in WeightCall call, Workers workers, byte* scratch)
    {
        if (call.Rows == 0) return;
        this.call = call;
        pool = workers;
        groups = RowGroups.Of((int*)call.Experts, (int)call.Rows, (int)call.Weight.Count, scratch);
        x = scratch + Aligned(RowGroups.BytesFor(call.Rows, call.Weight.Count));
        own = x + Aligned(call.Rows * Inner(call) * sizeof(float));
        workerBytes = SumBytes(call) + PanelBytes;
        items = new(groups.Count * call.Weight.Layout.Panels, 1);
        bool isSmall = (double)call.Rows * call.Weight.Rows * call.Weight.Columns < 1 << 16;
        workers.Run(isSmall ? 1 : workers.Count, work);
    }

    void Work(int worker, int workers)
    {
        var layout = call.Weight.Layout;
        long inner = Inner(call), panels = layout.Panels;
        var (first, end) = EvenRange.Of(call.Rows, worker, workers);
        for (long place = first; place < end; place++) Widen(call, groups.Row((int)place), (float*)x + place * inner, inner);
        pool!.Sync(workers);
        float* panel = (float*)(own + worker * workerBytes), sums = (float*)((byte*)panel + PanelBytes);
        while (items.Take(out long item, out long last))
            for (; item < last; item++) Panel(layout, groups[(int)(item / panels)], item % panels, panel, sums);
    }

    void Panel(in WeightLayout layout, RowGroup group, long panel, float* decoded, float* sums)
    {
        long inner = Inner(call), each = layout.BlockSteps;
        byte* matrix = (byte*)call.Data + group.Matrix * layout.Bytes;
        float* rows = (float*)x + group.First * inner;
        new Span<float>(sums, group.Count * WeightLayout.PanelSide).Clear();
        for (long step = 0; step < layout.Steps; step += each)
        {
            long steps = Math.Min(each, layout.Steps - step);
            WeightDecoding.Panel(layout, matrix + layout.Offset(panel, step), steps, decoded);
            Add(group.Count, steps * WeightLayout.StepSide, rows + step * WeightLayout.StepSide, inner, decoded, sums);
        }
        long column = panel * WeightLayout.PanelSide;
        int columns = (int)Math.Min(WeightLayout.PanelSide, layout.Rows - column);
        if (call.Weight.Gate is { } gate)
        {
            for (int i = 0; i < group.Count; i++)
                Gating.Row(gate, sums + i * WeightLayout.PanelSide, 1,
                    (float*)call.Y + groups.Row(group.First + i) * call.Weight.Outputs + column / 2, past: false);
            return;
        }
        for (int i = 0; i < group.Count; i++)
            new ReadOnlySpan<float>(sums + i * WeightLayout.PanelSide, columns)
                .CopyTo(new((float*)call.Y + groups.Row(group.First + i) * layout.Rows + column, columns));
    }

    void Add(long rows, long inner, float* left, long stride, float* right, float* sums)
    {
        switch (isa)
        {
            case Isa.Avx512: FloatRows<Width512, Vector512<float>>.Add(rows, inner, left, stride, right, sums); break;
            case Isa.Avx2: FloatRows<Width256, Vector256<float>>.Add(rows, inner, left, stride, right, sums); break;
            default: FloatRows<Width128, Vector128<float>>.Add(rows, inner, left, stride, right, sums); break;
        }
    }
}
