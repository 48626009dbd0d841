namespace Ashlar.Serving;

/// <summary>Arguments and logits of a step in memory that is kept from step to step, and the tensors over it.</summary>
/// <remarks>
/// Tensors do not change while somebody computes with them; these change between steps, and nobody but the engine ever sees them.
/// So a token costs no allocation.
/// </remarks>
sealed class StepMemory : IDisposable
{
    const int Kept = 16;   // shapes of decoding: their tensors are made once

    readonly Memory<float> features;
    readonly Memory<int> tokens, tables, wanted;
    readonly int width, mostPages, vocabulary;
    Memory<float> logits;        // [texts, vocabulary]; more once somebody scored whole chunks
    readonly Dictionary<(int, int, int), (Tensor Features, Tensor Tokens, Tensor Tables, Tensor Wanted, Tensor Logits)> made = [];
    (Tensor Features, Tensor Tokens, Tensor Tables, Tensor Wanted, Tensor Logits) now;
    int count, texts, rows;

    public StepMemory(int mostTokens, int width, int mostTexts, int mostPages, int vocabulary)
    {
        (this.width, this.mostPages, this.vocabulary) = (width, mostPages, vocabulary);
        features = Aligned<float>((long)mostTokens * width);
        tokens = Aligned<int>(2L * mostTokens);
        tables = Aligned<int>((long)mostTexts * mostPages);
        wanted = Aligned<int>(mostTokens);
        logits = Aligned<float>((long)mostTexts * vocabulary);
    }

    /// <summary>The step reads one token of one text.</summary>
    public bool IsToken => count == 1 && texts == 1 && rows == 1;

    public Span<float> Features => features.Span[..(count * width)];

    public Span<int> Wanted => wanted.Span[..rows];

    public Tensor FeatureTensor => now.Features;

    public Tensor TokenTensor => now.Tokens;

    public Tensor TableTensor => now.Tables;

    public Tensor WantedTensor => now.Wanted;

    public Tensor LogitsTensor => now.Logits;

    /// <summary>What the step gave, [wanted, vocabulary].</summary>
    public ReadOnlySpan<float> Logits => logits.Span[..(rows * vocabulary)];

    /// <summary>Begins a step of so many tokens and texts, of which so many logits are wanted.</summary>
    public void Begin(int tokenCount, int textCount, int wantedCount)
    {
        (count, texts, rows) = (tokenCount, textCount, wantedCount);
        if (rows * (long)vocabulary > logits.Length)
        {
            made.Clear();
            logits = Aligned<float>((long)rows * vocabulary);
        }
        if (made.TryGetValue((tokenCount, textCount, wantedCount), out now)) return;
        now = (Tensor.FromMemory<float>(features[..(count * width)], [count, width]),
            Tensor.FromMemory<int>(tokens[..(2 * count)], [2, count]),
            Tensor.FromMemory<int>(tables[..(texts * mostPages)], [texts, mostPages]),
            Tensor.FromMemory<int>(wanted[..rows], [rows]),
            Tensor.FromMemory<float>(logits[..(rows * vocabulary)], [rows, vocabulary]));
        if (tokenCount <= Kept) made[(tokenCount, textCount, wantedCount)] = now;
    }

    /// <summary>Says where tokens belong.</summary>
    /// <param name="first">The first of them in this step.</param>
    /// <param name="added">How many.</param>
    /// <param name="text">Which text of this step.</param>
    /// <param name="place">The place of the first one in it.</param>
    /// <param name="pages">The pages of the text.</param>
    public void Place(int first, int added, int text, int place, List<int> pages)
    {
        var all = tokens.Span;
        for (int i = 0; i < added; i++) (all[first + i], all[count + first + i]) = (text, place + i);
        System.Runtime.InteropServices.CollectionsMarshal.AsSpan(pages).CopyTo(tables.Span[(text * mostPages)..]);
    }

    public void Dispose() => made.Clear();

    // Aligned to a vector, so that tensors take the memory as it is.
    static unsafe Memory<T> Aligned<T>(long elements) where T : unmanaged
    {
        const int alignment = 64;
        T[] memory = GC.AllocateArray<T>(checked((int)(elements + alignment / sizeof(T))), pinned: true);
        long at = (long)System.Runtime.InteropServices.Marshal.UnsafeAddrOfPinnedArrayElement(memory, 0);
        int skipped = (int)((alignment - at % alignment) % alignment / sizeof(T));
        return memory.AsMemory(skipped, (int)elements);
    }
}
