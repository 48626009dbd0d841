using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
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
        ScoreRows = tiles ? RowTiles * Tiles.Side : Rows;     // as many as the first cache holds with their pages
        ScoreStride = PagesAtOnce * PageLayout.Tokens + 16;   // rows fall into different sets of the cache
        SumStride = ValueWidth + 16;
        Scores = Aligned((long)Rows * KeyWidth * sizeof(float));
        Weights = Scores + Aligned((long)ScoreRows * ScoreStride * sizeof(float));
        Sums = Weights + (tiles ? Aligned((long)Rows * PagesAtOnce * PageLayout.Tokens * 2) : 0);
        Most = Sums + Aligned((long)Rows * SumStride * sizeof(float));
        Totals = Most + Aligned(Rows * sizeof(float));
        Widened = Totals + Aligned(Rows * sizeof(float));
        Gathered = Widened + (layout.HasFactors ? Aligned(Math.Max(KeyWidth, ValueWidth) * PageLayout.Tokens * 2L) : 0);
        Bytes = Gathered + (tiles ? PagesAtOnce * PagePanels.StepBytes : 0);
        PartialBytes = Aligned((long)Rows * (ValueWidth + 2) * sizeof(float));
    }

    public int RowTiles { get; }
    public int Rows { get; }
    public int KeyWidth { get; }
    public int ValueWidth { get; }
    public int ScoreRows { get; }
    public int ScoreStride { get; }
    public int SumStride { get; }
    public long Scores { get; }
    public long Weights { get; }
    public long Sums { get; }
    public long Most { get; }
    public long Totals { get; }
    public long Widened { get; }
    public long Gathered { get; }
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
    readonly byte* gathered = memory + plan.Gathered;      // a panel of the values of some pages, for the tile unit

    PagedAttention Attention => launch.Attention;

    bool UsesTiles => launch.UsesTiles;

    /// <summary>Asks for what an item needs first.</summary>
    public void Fetch(in AttentionItem item, int parts)
    {
        byte** ring = stackalloc byte*[AttentionScratch.PagesAtOnce];
        var (first, end) = launch.PagesOf(item, parts);
        var ahead = Ahead(item, first, end, ring);
        ahead.Some(ahead.Left);
    }

    /// <summary>Computes an item, or its part of the pages. Its first pages were asked for.</summary>
    /// <param name="item">Which.</param>
    /// <param name="parts">Parts of the pages.</param>
    /// <param name="next">The item after it, whose first pages are asked for at its end; null if there is none yet.</param>
    /// <param name="partial">Where a part leaves its sums; null writes the result.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Compute(in AttentionItem item, int parts, in AttentionItem? next, byte* partial)
    {
        int group = Attention.Heads / Attention.KvHeads, rows = item.Count * group;
        int firstPlace = item.Run.Place + item.Offset;
        var (page, endPage) = launch.PagesOf(item, parts);
        LoadQueries(item, group);
        for (int r = 0; r < rows; r++) (most[r], totals[r]) = (float.NegativeInfinity, 0);

        byte** pages = stackalloc byte*[AttentionScratch.PagesAtOnce], ring = stackalloc byte*[AttentionScratch.PagesAtOnce];
        for (bool adds = false; page < endPage; adds = true)
        {
            int count = Math.Min(AttentionScratch.PagesAtOnce, endPage - page);
            for (int i = 0; i < count; i++) pages[i] = launch.Page(item.Run.Text, page + i, item.Head);
            // Pages lie anywhere, so no prefetcher follows them: the next ones come while these are computed.
            var ahead = Coming(item, page + count, endPage, parts, next, ring);
            int share = (ahead.Left + count - 1) / count;
            for (int top = 0; top < rows; top += plan.ScoreRows)
            {
                int here = Math.Min(plan.ScoreRows, rows - top);
                for (int i = 0; i < count; i++)
                {
                    if (UsesTiles && top == 0) ahead.Some(share);
                    Score(pages[i], i, top, here, ref ahead);
                }
                for (int r = 0; r < here; r++)
                    Weigh(top + r, r, pages, count, page * PageLayout.Tokens, firstPlace + (top + r) / group);
            }
            if (UsesTiles) AccumulateTiles(pages, count, rows, adds);
            else
                for (int i = 0; i < count; i++) Accumulate(pages[i], i, rows, adds || i > 0, ref ahead);
            ahead.Some(ahead.Left);
            page += count;
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

    // The pages from one on, as many as are computed together.
    FetchAhead Ahead(in AttentionItem item, int page, int endPage, byte** ring)
    {
        int count = Math.Min(AttentionScratch.PagesAtOnce, endPage - page);
        for (int i = 0; i < count; i++) ring[i] = launch.Page(item.Run.Text, page + i, item.Head);
        return new(ring, count, Attention.Layout.Bytes);
    }

    // What is computed after the pages before this one.
    FetchAhead Coming(in AttentionItem item, int page, int endPage, int parts, in AttentionItem? next, byte** ring)
    {
        if (page < endPage || next is null) return Ahead(item, page, endPage, ring);
        var other = next.GetValueOrDefault();
        var (first, end) = launch.PagesOf(other, parts);
        return Ahead(other, first, end, ring);
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
            for (int d = 0; d < plan.ValueWidth; d += 16) Vector512<float>.Zero.Store(sums + d);
            for (int part = 0; part < parts; part++)
            {
                float* row = Row(partial, part, r);
                if (row[1] == 0) continue;   // saw nothing
                float factor = MathF.Exp(row[0] - largest);
                total += factor * row[1];
                for (int d = 0; d < plan.ValueWidth; d += 16)
                    (Vector512.Load(sums + d) + Vector512.Load(row + 2 + d) * factor).Store(sums + d);
            }
            Finish(item, r, group, sums, largest, total);
        }
    }

    float* Row(byte* partial, int part, int r) => (float*)(partial + part * plan.PartialBytes) + (long)r * (plan.ValueWidth + 2);

    // Rows of an item: tokens, and within a token the heads that share the key.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void LoadQueries(in AttentionItem item, int group)
    {
        int width = Attention.Layout.KeyWidth, rows = item.Count * group, side = Tiles.Side * plan.RowTiles,
            steps = plan.KeyWidth / PageLayout.Panel;
        float scale = Attention.Options.Softcap is null ? (float)Attention.Options.Scale : 1;
        // What pads the panels must be numbers.
        bool pads = rows < plan.Rows || width < plan.KeyWidth;
        if (UsesTiles && pads) new Span<byte>(queries, plan.Rows * plan.KeyWidth * 2).Clear();
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
                    PagePanels.Brain(Vector512.Load(from + d) * scale, Vector512.Load(from + d + 16) * scale).Store((ushort*)to);
                else
                    for (int i = d; i < width; i++) ((BFloat16*)to)[i - d] = (BFloat16)(from[i] * scale);
        }
    }

    // Scores of one page: its keys as they lie are the right operand.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Score(byte* page, int column, int top, int rows, ref FetchAhead ahead)
    {
        var layout = Attention.Layout;
        byte* keys = layout.HasFactors ? Widen(page, layout.KeyBytes) : page;
        float* to = scores + column * PageLayout.Tokens;
        if (UsesTiles)
            Multiply((byte*)queries + (long)top * plan.KeyWidth * 2, plan.KeyWidth / PageLayout.Panel, keys, to,
                plan.ScoreStride, rows, adds: false);
        else PagePanels.Multiply(PanelType, queries, plan.KeyWidth, keys, layout.PaddedKeyWidth, to, plan.ScoreStride,
            rows, adds: false, ref ahead);
        if (!layout.HasFactors) return;
        var factors = (float*)(page + layout.FactorOffset);
        var (low, high) = (Vector512.Load(factors), Vector512.Load(factors + 16));
        for (int r = 0; r < rows; r++, to += plan.ScoreStride)
        {
            (Vector512.Load(to) * low).Store(to);
            (Vector512.Load(to + 16) * high).Store(to + 16);
        }
    }

    // Adds the values of one page, weighted.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Accumulate(byte* page, int column, int rows, bool adds, ref FetchAhead ahead)
    {
        var layout = Attention.Layout;
        byte* values = page + layout.KeyBytes;
        if (layout.HasFactors) values = Widen(values, layout.ValueBytes);
        long panelBytes = (long)PageLayout.Panel * PageLayout.Tokens * PanelType.Bytes;
        for (int d = 0; d < plan.ValueWidth; d += PageLayout.Panel, values += panelBytes)
            PagePanels.Multiply(PanelType, scores + column * PageLayout.Tokens, plan.ScoreStride, values, PageLayout.Tokens,
                sums + d, plan.SumStride, rows, adds, ref ahead);
    }

    // Adds the values of some pages, weighted, on the tile unit: pages lie apart, so each panel of values is brought together
    // first, and its sums come and go once.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void AccumulateTiles(byte** pages, int count, int rows, bool adds)
    {
        var layout = Attention.Layout;
        const int panel = PageLayout.Panel * PageLayout.Tokens;
        long offset = layout.KeyBytes;
        for (int d = 0; d < plan.ValueWidth; d += PageLayout.Panel, offset += panel * layout.DType.Bytes)
        {
            byte* to = gathered;
            for (int i = 0; i < count; i++, to += PagePanels.StepBytes)
                if (layout.HasFactors) PagePanels.Widen((sbyte*)(pages[i] + offset), to, panel);
                else Unsafe.CopyBlock(to, pages[i] + offset, PagePanels.StepBytes);
            Multiply(weights, count, gathered, sums + d, plan.SumStride, rows, adds);
        }
    }

    DType PanelType => Attention.Layout.DType == DType.Float32 ? DType.Float32 : DType.BFloat16;

    byte* Widen(byte* codes, long count)
    {
        PagePanels.Widen((sbyte*)codes, widened, count);
        return widened;
    }

    // A product on the tile unit: all rows of the left operand by one panel of 32 columns.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Multiply(byte* left, int steps, byte* panel, float* to, long stride, int rows, bool adds)
    {
        int side = Tiles.Side * plan.RowTiles;
        var arguments = new TileArguments
        {
            A = (long)left,
            B = (long)panel,
            C = (long)to,
            AStep = (long)steps * side * Tiles.RowBytes,
            CStep = side * stride * sizeof(float),
            CStride = stride * sizeof(float),
            CTile = Tiles.Side * stride * sizeof(float),
            Steps = steps,
            Count = (rows + side - 1) / side,
        };
        TileKernels.Get(new(TileProduct.BF16, plan.RowTiles, LeftMoves: true, adds, Ahead: 0))(&arguments);
    }

    // The online softmax: scores of a row become weights, relative to the largest score so far. Factors of values go into them
    // after they are summed. For the tile unit they are its left operand in bfloat16, of which a step is a page.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Weigh(int row, int scoreRow, byte** pages, int count, int firstToken, int place)
    {
        float* at = scores + (long)scoreRow * plan.ScoreStride;
        int side = Tiles.Side * plan.RowTiles, columns = count * PageLayout.Tokens;
        byte* packed = weights + ((long)(row / side) * count * side + row % side) * Tiles.RowBytes;
        int last = Math.Min(columns, place - firstToken + 1);
        int first = Attention.Options.Window is { } window ? Math.Max(0, place - window + 1 - firstToken) : 0;
        if (last <= first)
        {
            if (!UsesTiles) new Span<float>(at, columns).Clear();
            else
                for (int i = 0; i < count; i++, packed += side * Tiles.RowBytes) Vector512<byte>.Zero.Store(packed);
            return;
        }
        if (Attention.Options.Softcap is { } cap) Cap(at, columns, (float)Attention.Options.Scale, (float)cap);
        if (first > 0) PagePanels.Hide(at, 0, first);
        if (last < columns) PagePanels.Hide(at, last, columns);
        float before = most[row], now = MathF.Max(before, PagePanels.Max(at, columns));
        if (now != before)
        {
            most[row] = now;
            if (before != float.NegativeInfinity)      // else there is nothing yet
            {
                float factor = MathF.Exp(before - now);
                totals[row] *= factor;
                float* sum = sums + (long)row * plan.SumStride;
                for (int d = 0; d < plan.ValueWidth; d += 16) (Vector512.Load(sum + d) * factor).Store(sum + d);
            }
        }
        var (shift, total) = (Vector512.Create(now), Vector512<float>.Zero);
        long factors = Attention.Layout.FactorOffset + PageLayout.Tokens * sizeof(float);
        for (int i = 0; i < count; i++, at += PageLayout.Tokens, packed += side * Tiles.RowBytes)
        {
            var low = PagePanels.Exp(Vector512.Load(at) - shift);
            var high = PagePanels.Exp(Vector512.Load(at + 16) - shift);
            total += low + high;
            if (Attention.Layout.HasFactors)
            {
                low *= Vector512.Load((float*)(pages[i] + factors));
                high *= Vector512.Load((float*)(pages[i] + factors) + 16);
            }
            if (UsesTiles) Vector512.Narrow(PagePanels.Round(low), PagePanels.Round(high)).Store((ushort*)packed);
            else
            {
                low.Store(at);
                high.Store(at + 16);
            }
        }
        totals[row] += Vector512.Sum(total);
    }

    /// <summary>Scales scores, and bounds them softly.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Cap(float* at, int count, float scale, float cap)
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

    /// <summary>Writes the result of a row.</summary>
    /// <param name="item">Of which item.</param>
    /// <param name="row">Which of its rows.</param>
    /// <param name="group">Heads that share a key.</param>
    /// <param name="sum">Weighted values.</param>
    /// <param name="largest">What weights are relative to.</param>
    /// <param name="total">The sum of the weights.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Finish(in AttentionItem item, int row, int group, float* sum, float largest, float total)
    {
        int head = item.Head * group + row % group, width = Attention.Layout.ValueWidth;
        float factor = 1;
        if (Attention.Options.HasSinks)
        {
            float sink = launch.Sink(head);
            if (sink > largest) (factor, largest) = (MathF.Exp(largest - sink), sink);
            total = total * factor + MathF.Exp(sink - largest);
        }
        float* to = launch.Results(item.Run.First + item.Offset + row / group) + (long)head * width;
        float by = factor / total;
        int whole = 0;
        for (; whole + 16 <= width; whole += 16) (Vector512.Load(sum + whole) * by).Store(to + whole);
        for (int d = whole; d < width; d++) to[d] = sum[d] * by;
    }
}
