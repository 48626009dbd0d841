using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Ashlar.Graph;

namespace Ashlar.Backends.Cpu.Attention;

using Tiles = Matrix.Tiles;   // here, for the namespace Ashlar.Tiles hides it

/// <summary>Where the parts of a worker's scratch memory lie for <see cref="TokenBlock"/>.</summary>
sealed class TokenScratch
{
    public TokenScratch(PageLayout layout)
    {
        Steps = layout.PaddedKeyWidth / PageLayout.Panel;
        ScoreStride = TokenBlock.PagesAtOnce * PageLayout.Tokens + 16;   // rows fall into different sets of the cache
        SumStride = layout.PaddedValueWidth + 16;
        Weights = (long)Steps * Tiles.Bytes;
        Scores = Weights + TokenBlock.PagesAtOnce * Tiles.Bytes;
        Sums = Scores + (long)Tiles.Side * ScoreStride * sizeof(float);
        Bytes = Sums + (long)Tiles.Side * SumStride * sizeof(float);
    }

    public int Steps { get; }
    public int ScoreStride { get; }
    public int SumStride { get; }
    public long Weights { get; }
    public long Scores { get; }
    public long Sums { get; }
    public long Bytes { get; }
}

/// <summary>Computes items of few rows on the tile unit, as exactly as vectors do: what decoding takes. Belongs to one
/// worker.</summary>
/// <remarks>
/// A tile has sixteen rows, and decoding has the few that share a key: so each comes twice, as the upper halves of its numbers
/// and as what they leave over, in bfloat16 both. The sums of the two are right to sixteen bits, and cost what one costs. Pages
/// go in windows of eight; while one is computed the next one comes from memory.
/// </remarks>
readonly unsafe struct TokenBlock(PagedAttentionLaunch launch, TokenScratch plan, byte* memory)
{
    /// <summary>Most rows of an item.</summary>
    public const int MostRows = Tiles.Side / 2;

    /// <summary>Pages between two updates of the softmax.</summary>
    public const int PagesAtOnce = PageKernels.Places;

    readonly byte* queries = memory;                       // tiles of 32 numbers
    readonly byte* weights = memory + plan.Weights;        // a tile per page
    readonly float* scores = (float*)(memory + plan.Scores);
    readonly float* sums = (float*)(memory + plan.Sums);

    /// <summary>Whether items of this kernel can be computed here.</summary>
    public static bool Takes(PageLayout layout) =>
        layout.DType == DType.BFloat16 && layout.PaddedKeyWidth <= PageKernels.MostSteps * PageLayout.Panel
        && Avx512BW.IsSupported;

    /// <summary>Asks for what an item needs first.</summary>
    public void Fetch(in AttentionItem item, int parts)
    {
        byte** ring = stackalloc byte*[PagesAtOnce];
        var (first, end) = launch.PagesOf(item, parts);
        var arguments = new PageArguments { Ring = (long)ring };
        Ahead(ref arguments, item, first, end);
        Rest(ref arguments);
    }

    /// <summary>Computes an item, or its part of the pages. Its first pages were asked for.</summary>
    /// <param name="item">Which, of at most <see cref="MostRows"/> rows.</param>
    /// <param name="parts">Parts of the pages.</param>
    /// <param name="next">The item after it, whose first pages are asked for at its end; null if there is none yet.</param>
    /// <param name="rows">Gets for each row its largest score, the sum of its weights, and the sums of weighted values: as many
    /// numbers as <paramref name="stride"/>.</param>
    /// <param name="stride">Numbers from one row to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Compute(in AttentionItem item, int parts, in AttentionItem? next, float* rows, long stride)
    {
        var layout = launch.Attention.Layout;
        int group = launch.Attention.Heads / launch.Attention.KvHeads, count = item.Count * group;
        int firstPlace = item.Run.Place + item.Offset;
        var (page, endPage) = launch.PagesOf(item, parts);
        LoadQueries(item, group);
        for (int r = 0; r < count; r++) (rows[r * stride], rows[r * stride + 1]) = (float.NegativeInfinity, 0);

        byte** pages = stackalloc byte*[PagesAtOnce], ring = stackalloc byte*[PagesAtOnce];
        for (bool adds = false; page < endPage; adds = true)
        {
            // Of as even windows as can be, for each fetches what the next one has.
            int windows = (endPage - page + PagesAtOnce - 1) / PagesAtOnce, here = (endPage - page + windows - 1) / windows;
            for (int i = 0; i < here; i++) pages[i] = launch.Page(item.Run.Text, page + i, item.Head);
            var arguments = new PageArguments
            {
                Pages = (long)pages,
                Count = here,
                Left = (long)queries,
                Sums = (long)scores,
                Stride = plan.ScoreStride * sizeof(float),
                Ring = (long)ring,
            };
            Coming(ref arguments, item, page + here, endPage, parts, next);
            PageKernels.Scores(plan.Steps)(&arguments);
            for (int r = 0; r < count; r++)
                Weigh(r, rows + r * stride, here, page * PageLayout.Tokens, firstPlace + r / group);
            arguments.Left = (long)weights;
            arguments.Stride = plan.SumStride * sizeof(float);
            arguments.Sums = (long)sums;
            arguments.Offset = layout.KeyBytes;
            for (int left = layout.PaddedValueWidth / Tiles.Side; left > 0;)
            {
                int columns = Math.Min(4, left);
                PageKernels.Values(columns, adds)(&arguments);
                left -= columns;
                arguments.Sums += columns * Tiles.RowBytes;
                arguments.Offset += columns * Tiles.Bytes;
            }
            Rest(ref arguments);
            page += here;
        }
        for (int r = 0; r < count; r++)
        {
            float* upper = sums + (long)r * plan.SumStride, lower = upper + (long)MostRows * plan.SumStride;
            for (int d = 0; d < layout.PaddedValueWidth; d += 16)
                (Vector512.Load(upper + d) + Vector512.Load(lower + d)).Store(rows + r * stride + 2 + d);
        }
    }

    // A window's eight places: its pages, or where they are fewer, parts of them.
    void Ahead(ref PageArguments arguments, in AttentionItem item, int page, int endPage)
    {
        int windows = (endPage - page + PagesAtOnce - 1) / PagesAtOnce;
        arguments.Ahead = arguments.Limit = 0;
        if (windows <= 0) return;
        int count = (endPage - page + windows - 1) / windows, side = 1;
        while (side < count) side *= 2;
        long bytes = launch.Attention.Layout.Bytes * side / PagesAtOnce;
        byte** ring = (byte**)arguments.Ring;
        for (int i = 0; i < PagesAtOnce; i++)
            ring[i] = launch.Page(item.Run.Text, page + Math.Min(i % side, count - 1), item.Head) + i / side * bytes;
        arguments.Limit = bytes;
    }

    // What is computed after the pages before this one.
    void Coming(ref PageArguments arguments, in AttentionItem item, int page, int endPage, int parts, in AttentionItem? next)
    {
        if (page < endPage || next is null)
        {
            Ahead(ref arguments, item, page, endPage);
            return;
        }
        var other = next.GetValueOrDefault();
        var (first, end) = launch.PagesOf(other, parts);
        Ahead(ref arguments, other, first, end);
    }

    static void Rest(ref PageArguments arguments)
    {
        byte** ring = (byte**)arguments.Ring;
        for (; arguments.Ahead < arguments.Limit; arguments.Ahead += 64)
            for (int i = 0; i < PagesAtOnce; i++) Sse.Prefetch1(ring[i] + arguments.Ahead);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void LoadQueries(in AttentionItem item, int group)
    {
        int width = launch.Attention.Layout.KeyWidth, count = item.Count * group;
        float scale = launch.Attention.Options.Softcap is null ? (float)launch.Attention.Options.Scale : 1;
        float* rest = stackalloc float[PageLayout.Panel];
        // What pads the tiles must be numbers.
        new Span<byte>(queries, plan.Steps * Tiles.Bytes).Clear();
        if (count < MostRows) new Span<byte>(weights, PagesAtOnce * Tiles.Bytes).Clear();
        for (int r = 0; r < count; r++)
        {
            float* from = launch.Queries(item.Run.First + item.Offset + r / group)
                + (long)(item.Head * group + r % group) * width;
            byte* to = queries + r * Tiles.RowBytes;
            int d = 0;
            for (; d + PageLayout.Panel <= width; d += PageLayout.Panel, to += Tiles.Bytes)
                Split(Vector512.Load(from + d) * scale, Vector512.Load(from + d + 16) * scale, to);
            if (d == width) continue;
            for (int i = 0; i < PageLayout.Panel; i++) rest[i] = d + i < width ? from[d + i] * scale : 0;
            Split(Vector512.Load(rest), Vector512.Load(rest + 16), to);
        }
    }

    // Thirty-two numbers as two rows of a tile: upper halves, and the upper halves of what they leave over, rounded.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Split(Vector512<float> low, Vector512<float> high, byte* row)
    {
        var halves = (Vector512<ushort>.Indices << 1) + Vector512<ushort>.One;
        var mask = Vector512.Create(0xFFFF_0000);
        Avx512BW.PermuteVar32x16x2(low.AsUInt16(), halves, high.AsUInt16()).Store((ushort*)row);
        low -= (low.AsUInt32() & mask).AsSingle();
        high -= (high.AsUInt32() & mask).AsSingle();
        var half = Vector512.Create(0x8000u);
        Avx512BW.PermuteVar32x16x2((low.AsUInt32() + half).AsUInt16(), halves, (high.AsUInt32() + half).AsUInt16())
            .Store((ushort*)(row + MostRows * Tiles.RowBytes));
    }

    // The online softmax: scores of a row become weights, relative to the largest score so far.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    void Weigh(int row, float* state, int count, int firstToken, int place)
    {
        float* at = scores + (long)row * plan.ScoreStride, lower = at + (long)MostRows * plan.ScoreStride;
        byte* to = weights + row * Tiles.RowBytes;
        int columns = count * PageLayout.Tokens, last = Math.Min(columns, place - firstToken + 1);
        int first = launch.Attention.Options.Window is { } window ? Math.Max(0, place - window + 1 - firstToken) : 0;
        if (last <= first)
        {
            for (int i = 0; i < count; i++, to += Tiles.Bytes)
            {
                Vector512<byte>.Zero.Store(to);
                Vector512<byte>.Zero.Store(to + MostRows * Tiles.RowBytes);
            }
            return;
        }
        for (int i = 0; i < columns; i += 16) (Vector512.Load(at + i) + Vector512.Load(lower + i)).Store(at + i);
        if (launch.Attention.Options.Softcap is { } cap)
            AttentionBlock.Cap(at, columns, (float)launch.Attention.Options.Scale, (float)cap);
        if (first > 0) PagePanels.Hide(at, 0, first);
        if (last < columns) PagePanels.Hide(at, last, columns);
        float before = state[0], now = MathF.Max(before, PagePanels.Max(at, columns));
        if (now != before)
        {
            state[0] = now;
            if (before != float.NegativeInfinity)      // else there is nothing yet
            {
                float factor = MathF.Exp(before - now);
                state[1] *= factor;
                float* upper = sums + (long)row * plan.SumStride, rest = upper + (long)MostRows * plan.SumStride;
                for (int d = 0; d < launch.Attention.Layout.PaddedValueWidth; d += 16)
                {
                    (Vector512.Load(upper + d) * factor).Store(upper + d);
                    (Vector512.Load(rest + d) * factor).Store(rest + d);
                }
            }
        }
        var (shift, total) = (Vector512.Create(now), Vector512<float>.Zero);
        for (int i = 0; i < count; i++, at += PageLayout.Tokens, to += Tiles.Bytes)
        {
            var low = PagePanels.Exp(Vector512.Load(at) - shift);
            var high = PagePanels.Exp(Vector512.Load(at + 16) - shift);
            total += low + high;
            Split(low, high, to);
        }
        state[1] += Vector512.Sum(total);
    }
}
