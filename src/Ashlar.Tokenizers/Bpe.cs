namespace Ashlar.Tokenizers;

/// <summary>Two tokens that become one.</summary>
/// <param name="Left">The token before.</param>
/// <param name="Right">The token behind.</param>
/// <param name="Result">The token that they become.</param>
public readonly record struct Merge(int Left, int Right, int Result);

/// <summary>
/// A token that is found in text as a whole, before words are cut: the end of a document, the turn of a speaker.
/// </summary>
/// <param name="Text">Its text, such as <c>&lt;|endoftext|&gt;</c>.</param>
/// <param name="Token">Its number.</param>
/// <param name="IsSpecial">True where it is a sign to the model, not text.</param>
public sealed record AddedToken(string Text, int Token, bool IsSpecial = true);

/// <summary>Applies merges to the bytes of one word: the earliest learned first, and of one kind the leftmost first.</summary>
/// <remarks>
/// A queue holds the merges that are possible; each one done makes at most two new ones, so a word of n bytes takes O(n log n)
/// also where it is a million bytes long. Not thread-safe.
/// </remarks>
sealed class WordMerger(Dictionary<long, (int Rank, int Result)> merges)
{
    readonly PriorityQueue<(int At, int Left, int Right), long> possible = new();
    int[] tokens = new int[32], next = new int[32], previous = new int[32];

    /// <summary>A pair of tokens as one key.</summary>
    public static long Key(int left, int right) => (long)left << 32 | (uint)right;

    /// <summary>Appends the tokens of a word to a list.</summary>
    /// <param name="word">At least one byte.</param>
    /// <param name="ofBytes">The token of each byte.</param>
    /// <param name="result">Keeps what it holds.</param>
    public void Encode(ReadOnlySpan<byte> word, ReadOnlySpan<int> ofBytes, List<int> result)
    {
        if (tokens.Length < word.Length)
        {
            int size = Math.Max(word.Length, tokens.Length * 2);
            (tokens, next, previous) = (new int[size], new int[size], new int[size]);
        }
        int count = word.Length;
        for (int i = 0; i < count; i++) (tokens[i], next[i], previous[i]) = (ofBytes[word[i]], i + 1, i - 1);
        for (int i = 0; i + 1 < count; i++) Consider(i, i + 1);
        while (possible.TryDequeue(out var merge, out _))
        {
            int right = next[merge.At];
            // another merge took one of them
            if (tokens[merge.At] != merge.Left || right >= count || tokens[right] != merge.Right) continue;
            tokens[merge.At] = merges[Key(merge.Left, merge.Right)].Result;
            tokens[right] = -1;
            int behind = next[merge.At] = next[right];
            if (behind < count)
            {
                previous[behind] = merge.At;
                Consider(merge.At, behind);
            }
            if (previous[merge.At] >= 0) Consider(previous[merge.At], merge.At);
        }
        for (int i = 0; i < count; i = next[i]) result.Add(tokens[i]);
    }

    void Consider(int left, int right)
    {
        if (merges.TryGetValue(Key(tokens[left], tokens[right]), out var merge))
            possible.Enqueue((left, tokens[left], tokens[right]), (long)merge.Rank << 32 | (uint)left);
    }
}
