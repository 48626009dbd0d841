using Ashlar.Backends.Cpu.Matrix;
using Ashlar.Backends.Cpu.Programs;
using Ashlar.Graph;

namespace Ashlar.Backends.Cpu.Attention;

/// <summary>Attention over a paged cache: takes up new keys and values, then goes through the pages once with an online
/// softmax.</summary>
/// <remarks>
/// An item is a block of new tokens of one text for one key/value head, with all query heads that share it: what is read of a
/// page serves them all. Few items over long texts are split along the pages and joined afterwards. Workers take items as they
/// come, long ones first.
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

    readonly nint* buffers;
    readonly Workers workers;
    readonly int tokens, texts, mostPages, tokensAtOnce;
    readonly TokenRun[] runs;
    readonly AttentionItem[] items;
    readonly Action<int, int> work;
    readonly AttentionScratch plan;
    int itemCount, parts, next;
    bool itemsWrite;
    byte* scratch;

    public PagedAttentionLaunch(PagedAttentionKernel kernel, int tokens, int texts, int mostPages, nint* buffers, Workers workers)
    {
        (Kernel, this.tokens, this.texts, this.mostPages, this.workers) = (kernel, tokens, texts, mostPages, workers);
        this.buffers = buffers;
        int group = Attention.Heads / Attention.KvHeads;
        tokensAtOnce = Math.Max(1, RowsAtOnce / group);
        runs = new TokenRun[tokens];
        MostParts = tokens == 0 ? 1 : Math.Max(1, 2 * workers.Count / Math.Max(1, Attention.KvHeads));
        items = new AttentionItem[tokens * Attention.KvHeads * MostParts];
        int mostRows = Math.Min(tokensAtOnce, Math.Max(1, tokens)) * group;
        UsesTiles = kernel.UsesTiles && mostRows > FewRows;
        plan = new(Attention, mostRows, UsesTiles);
        PartialBytes = MostParts == 1 ? 0 : items.Length * plan.PartialBytes;
        work = Work;
    }

    public PagedAttentionKernel Kernel { get; }

    public PagedAttention Attention => Kernel.Attention;

    /// <summary>True where the tile unit multiplies.</summary>
    public bool UsesTiles { get; }

    /// <summary>The most parts that the pages of an item are split into.</summary>
    public int MostParts { get; }

    public long PartialBytes { get; }

    public override long ScratchBytes => Aligned(PartialBytes) + workers.Count * Aligned(plan.Bytes);

    public override void Run(byte* memory)
    {
        if (tokens == 0) return;
        if (buffers[3] != buffers[BufferOfCache])
            throw new InvalidOperationException("attention over a paged cache was planned with two memories for one cache.");
        scratch = memory;
        Cut();
        next = -1;
        workers.Run(itemCount == 1 ? 1 : workers.Count, work);
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

        int blocks = 0;
        for (int r = 0; r < count; r++) blocks += (runs[r].Count + tokensAtOnce - 1) / tokensAtOnce;
        parts = Math.Clamp(2 * workers.Count / (blocks * Attention.KvHeads), 1,
            Math.Min(MostParts, Math.Max(1, longest / WorthSplitting)));
        itemsWrite = parts == 1 && count == tokens;   // each key/value head of each text has just one item
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

    int FirstPage(int place) => Attention.Options.Window is { } window ? Math.Max(0, place - window + 1) / PageLayout.Tokens : 0;

    static KernelException Wrong(string what) => new("ASH0588", $"attention over a paged cache cannot run: {what}.",
        "pass tables whose entries are pages of the cache, and places within them.");

    void Work(int worker, int count)
    {
        if (!itemsWrite)
        {
            var (begin, end) = EvenRange.Of(tokens, worker, count);
            end = FirstOfPage(end);
            for (long token = FirstOfPage(begin); token < end; token++)
                for (int head = 0; head < Attention.KvHeads; head++) WriteToken((int)token, head);
            workers.Sync(count);
        }
        var item = new AttentionBlock(this, plan, scratch + Aligned(PartialBytes) + worker * Aligned(plan.Bytes));
        if (UsesTiles) TileKernels.Configure();
        try
        {
            for (int taken = Interlocked.Increment(ref next); taken < itemCount; taken = Interlocked.Increment(ref next))
            {
                var one = items[taken];
                if (itemsWrite) WriteToken(one.Run.First, one.Head);
                item.Compute(one, parts, parts == 1 ? null : scratch + one.Partial * plan.PartialBytes);
            }
        }
        finally
        {
            if (UsesTiles) TileKernels.Release();
        }
        if (parts == 1) return;
        workers.Sync(count);
        for (int i = worker; i < itemCount / parts; i += count)
            item.Join(items[i * parts], parts, scratch + items[i * parts].Partial * plan.PartialBytes);
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

    void WriteToken(int token, int head)
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
