namespace Ashlar.Tokenizers;

/// <summary>Word pieces: again and again the longest token with which the rest of a word begins.</summary>
/// <remarks>A word of which a part has no token is unknown as a whole. Schuster and Nakajima 2012; Devlin et al. 2018.</remarks>
sealed class WordPieceModel : TokenModel
{
    readonly ByteTrie starts = new(), inside = new();
    readonly int unknown, longestWord;

    /// <param name="vocabulary">The tokens.</param>
    /// <param name="startOf">By token: its text at the start of a word; null where it does not begin one.</param>
    /// <param name="insideOf">By token: its text within a word; null where it does not continue one.</param>
    /// <param name="unknown">Stands for a word that cannot be put together.</param>
    /// <param name="longestWord">Words of more characters are unknown.</param>
    public WordPieceModel(Vocabulary vocabulary, Func<int, byte[]?> startOf, Func<int, byte[]?> insideOf, int unknown,
        int longestWord = int.MaxValue)
        : base(vocabulary)
    {
        (this.unknown, this.longestWord) = (unknown, longestWord);
        for (int token = 0; token < vocabulary.Count; token++)
        {
            if (startOf(token) is { Length: > 0 } start) starts.Add(start, token);
            if (insideOf(token) is { Length: > 0 } part) inside.Add(part, token);
        }
    }

    /// <inheritdoc/>
    public override string Kind => "wordpiece";

    /// <inheritdoc/>
    public override void Encode(ReadOnlySpan<byte> word, Scratch scratch, List<int> tokens)
    {
        int before = tokens.Count;
        bool isTooLong = word.Length > longestWord && Characters(word) > longestWord;
        for (int at = 0; at < word.Length;)
        {
            if (!isTooLong && (at == 0 ? starts : inside).TryLongest(word[at..], out int length, out int token))
            {
                tokens.Add(token);
                at += length;
                continue;
            }
            tokens.RemoveRange(before, tokens.Count - before);
            tokens.Add(unknown);
            return;
        }
    }

    static int Characters(ReadOnlySpan<byte> utf8)
    {
        int count = 0;
        foreach (byte value in utf8) count += (value & 0xc0) != 0x80 ? 1 : 0;
        return count;
    }
}
