namespace Ashlar.Tokenizers;

/// <summary>Words that came before and their tokens: bounded, filled once, read by any thread without a lock.</summary>
/// <remarks>
/// A word has four places; when all are taken it is not remembered, so that in a steady state nothing is allocated. Text is
/// Zipfian: the words that come first are nearly always those that come often.
/// </remarks>
sealed class WordCache
{
    const int Places = 1 << 16;      // of at most LongestWord bytes and as many tokens: at most some 20 MB, usually 5
    public const int LongestWord = 40;

    sealed record Entry(byte[] Word, int[] Tokens);

    readonly Entry?[] entries = new Entry?[Places + 4];

    /// <summary>Appends the tokens of a word that is known.</summary>
    public bool TryAppend(ReadOnlySpan<byte> word, ulong hash, List<int> tokens)
    {
        int at = (int)(hash & Places - 1);
        for (int i = 0; i < 4; i++)
        {
            if (entries[at + i] is not { } entry) return false;
            if (!word.SequenceEqual(entry.Word)) continue;
            int[] known = entry.Tokens;
            if (known.Length == 1) tokens.Add(known[0]);
            else tokens.AddRange((ReadOnlySpan<int>)known);
            return true;
        }
        return false;
    }

    public void Remember(ReadOnlySpan<byte> word, ulong hash, ReadOnlySpan<int> tokens)
    {
        int at = (int)(hash & Places - 1);
        for (int i = 0; i < 4; i++)
        {
            if (entries[at + i] is not null) continue;
            // Two threads may remember at once; then one word is lost, or is there twice, and both are right.
            Volatile.Write(ref entries[at + i], new(word.ToArray(), tokens.ToArray()));
            return;
        }
    }
}
