using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Ashlar.Backends.Cpu.Matrix;
using Ashlar.Graph;

namespace Ashlar.Backends.Cpu.Attention;

using Tiles = Matrix.Tiles;   // here, for the namespace Ashlar.Tiles hides it

/// <summary>Where the parts of a worker's scratch memory lie.</summary>
sealed class AttentionScratch
{
    /// <summary>Pages between two updates of the softmax.</summary>
    public const int PagesAtOnce = 8;

    public AttentionScratch(PagedAttention attention, int mostRows, bool tiles)
    {
        var layout = attention.Layout;
        RowTiles = mostRows <= Tiles.Side ? 1 : 2;
        Rows = (mostRows + RowTiles * Tiles.Side - 1) / (RowTiles * Tiles.Side) * (RowTiles * Tiles.Side);
        KeyWidth = (layout.KeyWidth + PageLayout.Panel - 1) / PageLayout.Panel * PageLayout.Panel;
        ValueWidth = layout.PaddedValueWidth;
        ScoreStride = PagesAtOnce * PageLayout.Tokens + 16;   // rows fall into different sets of the cache
        SumStride = ValueWidth + 16;
        Scores = Aligned((long)Rows * KeyWidth * sizeof(float));
        Weights = Scores + Aligned((long)Rows * ScoreStride * sizeof(float));
        Sums = Weights + (tiles ? Aligned((long)Rows * PagesAtOnce * PageLayout.Tokens * 2) : 0);
        Most = Sums + Aligned((long)Rows * SumStride * sizeof(float));
        Totals = Most + Aligned(Rows * sizeof(float));
        Widened = Totals + Aligned(Rows * sizeof(float));
        Bytes = Widened + (layout.HasFactors ? Aligned(Math.Max(KeyWidth, ValueWidth) * PageLayout.Tokens * 2L) : 0);
        PartialBytes = Aligned((long)Rows * (ValueWidth + 2) * sizeof(float));
    }

    public int RowTiles { get; }
    public int Rows { get; }
    public int KeyWidth { get; }
    public int ValueWidth { get; }
    public int ScoreStride { get; }
    public int SumStride { get; }
    public long Scores { get; }
    public long Weights { get; }
    public long Sums { get; }
    public long Most { get; }
    public long Totals { get; }
    public long Widened { get; }
    public long Bytes { get; }
    public long PartialBytes { get; }

    static long Aligned(long bytes) => (bytes + 127) / 128 * 128;
}

/// <summary>Computes items: a block of query rows against the pages that they see. Belongs to one worker.</summary>
readonly unsafe struct AttentionBlock(PagedAttentionLaunch launch, AttentionScratch plan, byte* memory)
{
    readonly float* queries = (float*)memory;              // scaled; for the tile unit packed in bfloat16
    readonly float* scores = (float*)(memory + plan.Scores);
    readonly byte* weights = memory + plan.Weights;        // scores after the softmax, packed for the tile unit
    readonly float* sums = (float*)(memory + plan.Sums);
    readonly float* most = (float*)(memory + plan.Most);
    readonly float* totals = (float*)(memory + plan.Totals);
    readonly byte* widened = memory + plan.Widened;

    PagedAttention Attention => launch.Attention;

    bool UsesTiles => launch.Kernel.UsesTiles;

    /// <summary>Computes an item, or its part of the pages.</summary>
    /// <param name="item">Which.</param>
    /// <param name="parts">Parts of the pages.</param>
    /// <param name="partial">Where a part leaves its sums; null writes the result.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Compute(in AttentionItem item, int parts, byte* partial)
    {
        int group = Attention.Heads / Attention.KvHeads, rows = item.Count * group;
        var layout = Attention.Layout;
        LoadQueries(item, group);
        for (int r = 0; r < rows; r++) (most[r], totals[r]) = (float.NegativeInfinity, 0);
        new Span<float>(sums, plan.Rows * plan.SumStride).Clear();

        int firstPlace = item.Run.Place + item.Offset, lastPlace = firstPlace + item.Count - 1;
        int firstPage = Attention.Options.Window is { } window ? Math.Max(0, firstPlace - window + 1) / PageLayout.Tokens : 0;
        int pages = lastPlace / PageLayout.Tokens + 1 - firstPage;
        var (begin, end) = EvenRange.Of(pages, item.Part, parts);
        for (long page = firstPage + begin; page < firstPage + end; page += AttentionScratch.PagesAtOnce)
        {
            int count = (int)Math.Min(AttentionScratch.PagesAtOnce, firstPage + end - page);
            // Pages lie anywhere, so no prefetcher follows them: values come while scores are computed, the next keys while
            // values are added up.
            for (int i = 0; i < count; i++)
            {
                byte* at = launch.Page(item.Run.Text, (int)page + i, item.Head);
                Fetch(at + layout.KeyBytes, layout.Bytes - layout.KeyBytes);
                Score(item, at, i, rows);
            }
            for (int r = 0; r < rows; r++)
                Update(r, (int)page * PageLayout.Tokens, count * PageLayout.Tokens, firstPlace + r / group);
            if (Attention.Layout.HasFactors)
                for (int i = 0; i < count; i++) Weigh(launch.Page(item.Run.Text, (int)page + i, item.Head), i, rows);
            if (UsesTiles) Pack(rows, count);
            for (int i = 0; i < count; i++)
            {
                if (page + count + i < firstPage + end)
                    Fetch(launch.Page(item.Run.Text, (int)page + count + i, item.Head), layout.KeyBytes);
                Accumulate(launch.Page(item.Run.Text, (int)page + i, item.Head), i, count, rows);
            }
        }

        if (partial is null)
        {
            for (int r = 0; r < rows; r++) Finish(item, r, group, sums + (long)r * plan.SumStride, most[r], totals[r]);
            return;
        }
        for (int r = 0; r < rows; r++)
        {
            float* to = (float*)partial + (long)r * (plan.ValueWidth + 2);
            (to[0], to[1]) = (most[r], totals[r]);
            new Span<float>(sums + (long)r * plan.SumStride, plan.ValueWidth).CopyTo(new(to + 2, plan.ValueWidth));
        }
    }

    /// <summary>Joins the parts of an item.</summary>
    /// <param name="item">Its first part.</param>
    /// <param name="parts">How many.</param>
    /// <param name="partial">Their sums, one after another.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Join(in AttentionItem item, int parts, byte* partial)
    {
        int group = Attention.Heads / Attention.KvHeads, rows = item.Count * group;
        for (int r = 0; r < rows; r++)
        {
            float largest = float.NegativeInfinity, total = 0;
            for (int part = 0; part < parts; part++) largest = MathF.Max(largest, Row(partial, part, r)[0]);
            new Span<float>(sums, plan.ValueWidth).Clear();
            for (int part = 0; part < parts; part++)
            {
                float* row = Row(partial, part, r);
                if (row[1] == 0) continue;   // saw nothing
                float factor = MathF.Exp(row[0] - largest);
                total += factor * row[1];
                for (int d = 0; d < plan.ValueWidth; d++) sums[d] += factor * row[2 + d];
            }
            Finish(item, r, group, sums, largest, total);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Fetch(byte* from, long bytes)
    {
        if (!Sse.IsSupported) return;
        for (long at = 0; at < bytes; at += 64) Sse.Prefetch1(from + at);
    }

    float* Row(byte* partial, int part, int r) => (float*)(partial + part * plan.PartialBytes) + (long)r * (plan.ValueWidth + 2);

    // Rows of an item: tokens, and within a token the heads that share the key.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void LoadQueries(in AttentionItem item, int group)
    {
        int width = Attention.Layout.KeyWidth, rows = item.Count * group, side = Tiles.Side * plan.RowTiles,
            steps = plan.KeyWidth / PageLayout.Panel;
        float scale = Attention.Options.Softcap is null ? (float)Attention.Options.Scale : 1;
        if (UsesTiles) new Span<byte>(queries, plan.Rows * plan.KeyWidth * 2).Clear();
        for (int r = 0; r < rows; r++)
        {
            float* from = launch.Queries(item.Run.First + item.Offset + r / group)
                + (long)(item.Head * group + r % group) * width;
            if (!UsesTiles)
            {
                float* row = queries + (long)r * plan.KeyWidth;
                for (int d = 0; d < width; d++) row[d] = from[d] * scale;
                for (int d = width; d < plan.KeyWidth; d++) row[d] = 0;
                continue;
            }
            // A left operand of the tile unit: panels of one or two tiles, of each steps of 32 inner indices.
            byte* to = (byte*)queries + ((long)(r / side) * steps * side + r % side) * Tiles.RowBytes;
            for (int d = 0; d < width; d += PageLayout.Panel, to += side * Tiles.RowBytes)
                if (d + PageLayout.Panel <= width)
                    Vector512.Narrow(PagePanels.Round(Vector512.Load(from + d) * scale),
                        PagePanels.Round(Vector512.Load(from + d + 16) * scale)).Store((ushort*)to);
                else
                    for (int i = d; i < width; i++) ((BFloat16*)to)[i - d] = (BFloat16)(from[i] * scale);
        }
    }

    // Scores of one page: its keys as they lie are the right operand.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Score(in AttentionItem item, byte* page, int column, int rows)
    {
        var layout = Attention.Layout;
        byte* keys = layout.HasFactors ? Widen(page, layout.KeyBytes) : page;
        float* to = scores + column * PageLayout.Tokens;
        if (UsesTiles)
            Multiply((byte*)queries, plan.KeyWidth / PageLayout.Panel, 0, plan.KeyWidth / PageLayout.Panel, keys, to,
                plan.ScoreStride, rows, adds: false);
        else PagePanels.Multiply(PanelType, queries, plan.KeyWidth, keys, layout.PaddedKeyWidth, to, plan.ScoreStride,
            rows, adds: false);
        if (!layout.HasFactors) return;
        var factors = (float*)(page + layout.FactorOffset);
        var (low, high) = (Vector512.Load(factors), Vector512.Load(factors + 16));
        for (int r = 0; r < rows; r++, to += plan.ScoreStride)
        {
            (Vector512.Load(to) * low).Store(to);
            (Vector512.Load(to + 16) * high).Store(to + 16);
        }
    }

    // The factors of a page's values go into the weights, after these are summed.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Weigh(byte* page, int column, int rows)
    {
        var factors = (float*)(page + Attention.Layout.FactorOffset) + PageLayout.Tokens;
        var (low, high) = (Vector512.Load(factors), Vector512.Load(factors + 16));
        float* at = scores + column * PageLayout.Tokens;
        for (int r = 0; r < rows; r++, at += plan.ScoreStride)
        {
            (Vector512.Load(at) * low).Store(at);
            (Vector512.Load(at + 16) * high).Store(at + 16);
        }
    }

    // Adds the values of one page, weighted.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Accumulate(byte* page, int column, int columns, int rows)
    {
        var layout = Attention.Layout;
        byte* values = page + layout.KeyBytes;
        if (layout.HasFactors) values = Widen(values, layout.ValueBytes);
        long panelBytes = (long)PageLayout.Panel * PageLayout.Tokens * PanelType.Bytes;
        for (int d = 0; d < plan.ValueWidth; d += PageLayout.Panel, values += panelBytes)
            if (UsesTiles) Multiply(weights, columns, column, 1, values, sums + d, plan.SumStride, rows, adds: true);
            else PagePanels.Multiply(PanelType, scores + column * PageLayout.Tokens, plan.ScoreStride, values, PageLayout.Tokens,
                sums + d, plan.SumStride, rows, adds: true);
    }

    DType PanelType => Attention.Layout.DType == DType.Float32 ? DType.Float32 : DType.BFloat16;

    byte* Widen(byte* codes, long count)
    {
        PagePanels.Widen((sbyte*)codes, widened, count);
        return widened;
    }

    // A product on the tile unit: all rows by one panel of 32 columns, steps [first, first + count) of the left operand's.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Multiply(byte* left, int steps, int first, int count, byte* panel, float* to, long stride, int rows, bool adds)
    {
        int side = Tiles.Side * plan.RowTiles;
        var arguments = new TileArguments
        {
            A = (long)(left + (long)first * side * Tiles.RowBytes),
            B = (long)panel,
            C = (long)to,
            AStep = (long)steps * side * Tiles.RowBytes,
            CStep = side * stride * sizeof(float),
            CStride = stride * sizeof(float),
            CTile = Tiles.Side * stride * sizeof(float),
            Steps = count,
            Count = (rows + side - 1) / side,
        };
        TileKernels.Get(new(TileProduct.BF16, plan.RowTiles, LeftMoves: true, adds, Ahead: 0))(&arguments);
    }

    // Weights in bfloat16, as the tile unit's left operand: a step is a page.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Pack(int rows, int pages)
    {
        int side = Tiles.Side * plan.RowTiles;
        for (int r = 0; r < rows; r++)
        {
            float* from = scores + (long)r * plan.ScoreStride;
            byte* to = weights + ((long)(r / side) * pages * side + r % side) * Tiles.RowBytes;
            for (int page = 0; page < pages; page++, from += PageLayout.Tokens, to += side * Tiles.RowBytes)
                Vector512.Narrow(PagePanels.Round(Vector512.Load(from)), PagePanels.Round(Vector512.Load(from + 16)))
                    .Store((ushort*)to);
        }
    }

    // The online softmax: scores of a row become weights, relative to the largest score so far.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Update(int row, int firstToken, int count, int place)
    {
        float* at = scores + (long)row * plan.ScoreStride;
        int last = Math.Min(count, place - firstToken + 1);
        int first = Attention.Options.Window is { } window ? Math.Max(0, place - window + 1 - firstToken) : 0;
        if (last <= first)
        {
            new Span<float>(at, count).Clear();
            return;
        }
        if (Attention.Options.Softcap is { } cap) Cap(at, count, (float)Attention.Options.Scale, (float)cap);
        for (int i = 0; i < first; i++) at[i] = float.NegativeInfinity;
        for (int i = last; i < count; i++) at[i] = float.NegativeInfinity;
        var largest = Vector512.Load(at);
        for (int i = 16; i < count; i += 16) largest = Vector512.Max(largest, Vector512.Load(at + i));
        float before = most[row], now = before;
        for (int i = 0; i < 16; i++) now = MathF.Max(now, largest[i]);
        if (now != before)
        {
            most[row] = now;
            float factor = before == float.NegativeInfinity ? 0 : MathF.Exp(before - now);
            totals[row] *= factor;
            float* sum = sums + (long)row * plan.SumStride;
            for (int d = 0; d < plan.ValueWidth; d += 16) (Vector512.Load(sum + d) * factor).Store(sum + d);
        }
        var (shift, total) = (Vector512.Create(now), Vector512<float>.Zero);
        for (int i = 0; i < count; i += 16)
        {
            var weight = PagePanels.Exp(Vector512.Load(at + i) - shift);
            total += weight;
            weight.Store(at + i);
        }
        totals[row] += Vector512.Sum(total);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Cap(float* at, int count, float scale, float cap)
    {
        for (int i = 0; i < count; i += 16)
        {
            // tanh x = sign(x) (1 - e) / (1 + e) with e = exp(-2 |x|)
            var x = Vector512.Load(at + i) * (scale / cap);
            var e = PagePanels.Exp(Vector512.Abs(x) * -2f);
            var tanh = (Vector512<float>.One - e) / (Vector512<float>.One + e);
            (Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512<float>.Zero), -tanh, tanh) * cap).Store(at + i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Finish(in AttentionItem item, int row, int group, float* sum, float largest, float total)
    {
        int head = item.Head * group + row % group, width = Attention.Layout.ValueWidth;
        float sink = launch.Sink(head), factor = 1;
        if (sink > largest) (factor, largest) = (MathF.Exp(largest - sink), sink);
        total = total * factor + MathF.Exp(sink - largest);
        float* to = launch.Results(item.Run.First + item.Offset + row / group) + (long)head * width;
        float by = factor / total;
        int whole = 0;
        for (; whole + 16 <= width; whole += 16) (Vector512.Load(sum + whole) * by).Store(to + whole);
        for (int d = whole; d < width; d++) to[d] = sum[d] * by;
    }
}
