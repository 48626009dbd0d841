using Ashlar.Backends.Cpu.Matrix;
using Ashlar.Backends.Cpu.Programs;
using Ashlar.Graph;

namespace Ashlar.Backends.Cpu.Attention;

/// <summary>Attention over a paged cache: takes up new keys and values, then goes through the pages once with an online
/// softmax.</summary>
/// <remarks>
/// An item is a block of new tokens of one text for one key/value head, with all query heads that share it: what is read of a
/// page serves them all. Few items over long texts are split along the pages and joined afterwards. Each worker has items of its
/// own, so that the beginning of the next one is fetched while this one ends; who is done early takes from the end of another's.
/// </remarks>
sealed class PagedAttentionKernel(PagedAttention attention, Isa isa, bool usesTiles) : CpuKernel
{
    /// <summary>What it computes.</summary>
    public PagedAttention Attention => attention;

    /// <summary>True where the tile unit multiplies, if there are rows enough.</summary>
    public bool UsesTiles { get; } = usesTiles && attention.Layout.DType != DType.Float32
        && MatrixUnit.Takes(isa, TileProduct.BF16);

    public override unsafe CpuLaunch Bind(Func<Symbol, long> symbols, nint* buffers, Workers workers)
    {
        int tokens = (int)attention.Inputs[0].Shape[0].Evaluate(symbols);
        var tables = attention.Inputs[6].Shape;
        return new PagedAttentionLaunch(this, tokens, (int)tables[0].Evaluate(symbols), (int)tables[1].Evaluate(symbols),
            buffers, workers);
    }
}

/// <summary>A run of new tokens of one text.</summary>
/// <param name="First">The first of them, among the new tokens of all texts.</param>
/// <param name="Count">How many.</param>
/// <param name="Text">Which text.</param>
/// <param name="Place">The place of the first one in its text.</param>
readonly record struct TokenRun(int First, int Count, int Text, int Place);

/// <summary>What one worker computes at a time.</summary>
/// <param name="Run">Which run.</param>
/// <param name="Offset">The first of its tokens.</param>
/// <param name="Count">How many tokens.</param>
/// <param name="Head">The key/value head.</param>
/// <param name="Part">Which part of the pages, of as many as the launch has.</param>
/// <param name="Partial">Where a part's results wait to be joined.</param>
readonly record struct AttentionItem(TokenRun Run, int Offset, int Count, int Head, int Part, int Partial);

sealed unsafe class PagedAttentionLaunch : CpuLaunch
{
    const int RowsAtOnce = 64;        // query rows of an item: two panels of tiles
    const int FewRows = 4;            // for which a tile's sixteen cost more than vectors
    const int WorthSplitting = 16;    // pages of a part
    const int ItemsPerWorker = 8;     // so that a disturbed worker does not hold up the rest

    readonly nint* buffers;
    readonly Workers workers;
    readonly int tokens, texts, mostPages, tokensAtOnce;
    readonly TokenRun[] runs;
    readonly AttentionItem[] items;
    readonly OwnedItems owned = new();
    readonly Action<int, int> work;
    readonly AttentionScratch plan;
    readonly TokenScratch? tokenPlan;
    readonly long workerBytes;
    int itemCount, parts;
    bool itemsWrite, byTokens;
    byte* scratch;

    public PagedAttentionLaunch(PagedAttentionKernel kernel, int tokens, int texts, int mostPages, nint* buffers, Workers workers)
    {
        (Kernel, this.tokens, this.texts, this.mostPages, this.workers) = (kernel, tokens, texts, mostPages, workers);
        this.buffers = buffers;
        int group = Attention.Heads / Attention.KvHeads;
        tokensAtOnce = Math.Max(1, RowsAtOnce / group);
        runs = new TokenRun[tokens];
        int split = ItemsPerWorker * workers.Count;   // more items than these are never split
        MostParts = tokens == 0 ? 1 : Math.Max(1, split / Attention.KvHeads);
        items = new AttentionItem[Math.Max(tokens * Attention.KvHeads, split)];
        int mostRows = Math.Min(tokensAtOnce, Math.Max(1, tokens)) * group;
        UsesTiles = kernel.UsesTiles && mostRows > FewRows;
        plan = new(Attention, mostRows, UsesTiles);
        if (kernel.UsesTiles && group <= TokenBlock.MostRows && TokenBlock.Takes(Attention.Layout))
            tokenPlan = new(Attention.Layout);
        workerBytes = Aligned(Math.Max(plan.Bytes, tokenPlan is null ? 0 : Aligned(tokenPlan.Bytes) + plan.PartialBytes));
        PartialBytes = MostParts == 1 ? 0 : split * plan.PartialBytes;
        work = Work;
    }

    public PagedAttentionKernel Kernel { get; }

    public PagedAttention Attention => Kernel.Attention;

    /// <summary>True where the tile unit multiplies.</summary>
    public bool UsesTiles { get; }

    /// <summary>The most parts that the pages of an item are split into.</summary>
    public int MostParts { get; }

    public long PartialBytes { get; }

    public override long ScratchBytes => Aligned(PartialBytes) + workers.Count * workerBytes;

    public override void Run(byte* memory)
    {
        if (tokens == 0) return;
        if (buffers[3] != buffers[BufferOfCache])
            throw new InvalidOperationException("attention over a paged cache was planned with two memories for one cache.");
        scratch = memory;
        Cut();
        int helpers = Math.Min(itemCount, workers.Count);
        owned.Share(itemCount, helpers);
        workers.Run(helpers, work);
    }

    int BufferOfCache => Attention.Inputs.Count + 1;

    // Checks what the arguments say, and makes items of it: runs from the last token back, for those see most.
    void Cut()
    {
        int* textOf = (int*)buffers[4], placeOf = (int*)buffers[5], tables = (int*)buffers[6];
        long pages = Attention.Inputs[3].Shape[0].Value;
        int count = 0, longest = 0;
        for (int t = 0; t < tokens;)
        {
            int first = t, text = textOf[t], place = placeOf[t];
            if ((uint)text >= (uint)texts) throw Wrong($"token {t} is of text {text}, but there are {texts}");
            while (t < tokens && textOf[t] == text && placeOf[t] == place + (t - first)) t++;
            if (place < 0 || place + (t - first) > (long)mostPages * PageLayout.Tokens)
                throw Wrong(
                    $"places {place} to {place + (t - first) - 1} of text {text} are not within its {mostPages} pages of {PageLayout.Tokens}");
            int used = (place + (t - first) + PageLayout.Tokens - 1) / PageLayout.Tokens;
            for (int i = FirstPage(place); i < used; i++)
                if ((uint)tables[(long)text * mostPages + i] >= pages)
                    throw Wrong($"page {i} of text {text} is page {tables[(long)text * mostPages + i]} of a cache of {pages}");
            longest = Math.Max(longest, used - FirstPage(place));
            runs[count++] = new(first, t - first, text, place);
        }

        int blocks = 0, mostNew = 0;
        for (int r = 0; r < count; r++) mostNew = Math.Max(mostNew, runs[r].Count);
        byTokens = tokenPlan is not null && mostNew * (Attention.Heads / Attention.KvHeads) <= TokenBlock.MostRows;
        for (int r = 0; r < count; r++) blocks += (runs[r].Count + tokensAtOnce - 1) / tokensAtOnce;
        parts = Math.Clamp(ItemsPerWorker * workers.Count / (blocks * Attention.KvHeads), 1,
            Math.Min(MostParts, Math.Max(1, longest / WorthSplitting)));
        itemsWrite = count == tokens;   // of each text just one token, that one item of each head sees
        itemCount = 0;
        for (int r = count - 1; r >= 0; r--)
            for (int block = (runs[r].Count - 1) / tokensAtOnce; block >= 0; block--)
                for (int head = 0; head < Attention.KvHeads; head++)
                    for (int part = 0; part < parts; part++)
                    {
                        int offset = block * tokensAtOnce;
                        items[itemCount] =
                            new(runs[r], offset, Math.Min(tokensAtOnce, runs[r].Count - offset), head, part, itemCount);
                        itemCount++;
                    }
    }

    /// <summary>The first page that a token at a place sees.</summary>
    public int FirstPage(int place) =>
        Attention.Options.Window is { } window ? Math.Max(0, place - window + 1) / PageLayout.Tokens : 0;

    static KernelException Wrong(string what) => new("ASH0588", $"attention over a paged cache cannot run: {what}.",
        "pass tables whose entries are pages of the cache, and places within them.");

    void Work(int worker, int count)
    {
        byte* memory = scratch + Aligned(PartialBytes) + worker * workerBytes;
        var block = new AttentionBlock(this, plan, memory);
        var token = byTokens ? new TokenBlock(this, tokenPlan!, memory) : default;
        var (first, last) = EvenRange.Of(itemCount, worker, count);
        if (first < last) Fetch(items[first]);
        if (!itemsWrite)
        {
            var (begin, end) = EvenRange.Of(tokens, worker, count);
            end = FirstOfPage(end);
            for (long written = FirstOfPage(begin); written < end; written++)
                for (int head = 0; head < Attention.KvHeads; head++) WriteToken((int)written, head);
            workers.Sync(count);
        }
        bool onTiles = UsesTiles || byTokens;
        if (onTiles) TileKernels.Configure();
        try
        {
            for (long? fetched = first; owned.Take(worker, count, out long taken, out bool isFollowed);)
            {
                if (fetched != taken) Fetch(items[taken]);
                fetched = isFollowed ? taken + 1 : null;
                Compute(items[taken], isFollowed ? items[taken + 1] : null);
            }
        }
        finally
        {
            if (onTiles) TileKernels.Release();
        }
        if (parts == 1) return;
        workers.Sync(count);
        for (int i = worker; i < itemCount / parts; i += count)
            block.Join(items[i * parts], parts, scratch + items[i * parts].Partial * plan.PartialBytes);

        void Fetch(in AttentionItem item)
        {
            if (byTokens) token.Fetch(item, parts);
            else block.Fetch(item, parts);
        }

        void Compute(in AttentionItem item, in AttentionItem? next)
        {
            int place = item.Run.Place;
            if (itemsWrite && PagesOf(item, parts) is var (begin, end) && begin < end && end == place / PageLayout.Tokens + 1)
                WriteToken(item.Run.First, item.Head);
            byte* partial = parts == 1 ? null : scratch + item.Partial * plan.PartialBytes;
            if (!byTokens)
            {
                block.Compute(item, parts, next, partial);
                return;
            }
            float* rows = (float*)(partial != null ? partial : memory + Aligned(tokenPlan!.Bytes));
            int stride = plan.ValueWidth + 2, group = Attention.Heads / Attention.KvHeads;
            token.Compute(item, parts, next, rows, stride);
            if (partial != null) return;
            for (int r = 0; r < item.Count * group; r++)
                block.Finish(item, r, group, rows + r * stride + 2, rows[r * stride], rows[r * stride + 1]);
        }
    }

    /// <summary>The pages that an item sees, or its part of them.</summary>
    public (int First, int End) PagesOf(in AttentionItem item, int parts)
    {
        int firstPlace = item.Run.Place + item.Offset, lastPlace = firstPlace + item.Count - 1, first = FirstPage(firstPlace);
        var (begin, end) = EvenRange.Of(lastPlace / PageLayout.Tokens + 1 - first, item.Part, parts);
        return (first + (int)begin, first + (int)end);
    }

    // The first token from there on that another one's page does not hold: the first of a page clears it, so a page has one
    // writer.
    long FirstOfPage(long token)
    {
        int* textOf = (int*)buffers[4], placeOf = (int*)buffers[5];
        while (token > 0 && token < tokens && textOf[token] == textOf[token - 1] && placeOf[token] % PageLayout.Tokens != 0)
            token++;
        return token;
    }

    /// <summary>Puts key and value of a new token into their page.</summary>
    public void WriteToken(int token, int head)
    {
        var layout = Attention.Layout;
        int place = ((int*)buffers[5])[token];
        PageWriter.Write(layout, Page(((int*)buffers[4])[token], place / PageLayout.Tokens, head), place % PageLayout.Tokens,
            (float*)buffers[1] + ((long)token * Attention.KvHeads + head) * layout.KeyWidth,
            (float*)buffers[2] + ((long)token * Attention.KvHeads + head) * layout.ValueWidth);
    }

    /// <summary>A page of a text for a key/value head.</summary>
    public byte* Page(int text, int index, int head) =>
        (byte*)buffers[3] + ((long)((int*)buffers[6])[(long)text * mostPages + index] * Attention.KvHeads + head)
            * Attention.Layout.Bytes;

    /// <summary>The queries of a token, [heads, width].</summary>
    public float* Queries(int token) => (float*)buffers[0] + (long)token * Attention.Heads * Attention.Layout.KeyWidth;

    /// <summary>Where the results of a token go, [heads, width].</summary>
    public float* Results(int token) =>
        (float*)buffers[Attention.Inputs.Count] + (long)token * Attention.Heads * Attention.Layout.ValueWidth;

    /// <summary>The score of a head's sink.</summary>
    public float Sink(int head) => Attention.Options.HasSinks ? ((float*)buffers[7])[head] : float.NegativeInfinity;
}
