using System.Runtime.InteropServices;

namespace Ashlar.Tokenizers;

/// <summary>A unigram language model: of all ways to cut a word into tokens, the one with the highest sum of scores.</summary>
/// <remarks>
/// A character that is no token costs 10 more than the rarest token. Unknown characters side by side are one token, or their
/// bytes. Sums are kept in double precision. Kudo 2018, arXiv:1804.10959.
/// </remarks>
sealed class UnigramModel : TokenModel
{
    const double UnknownPenalty = 10;

    readonly double[] scores;
    readonly int? unknown;
    readonly ByteTokens? byteTokens;
    readonly double unknownScore;
    readonly ByteTrie trie = new();
    readonly WordCache cache = new();

    /// <param name="vocabulary">The tokens.</param>
    /// <param name="scores">By token; logarithms of probabilities.</param>
    /// <param name="unknown">Stands for what has no token; null where such text is an error.</param>
    /// <param name="byteFallback">Unknown text becomes its bytes.</param>
    /// <param name="isFound">By token: whether it is found in text.</param>
    /// <param name="lowest">The lowest score of all; by default that of all tokens.</param>
    public UnigramModel(Vocabulary vocabulary, double[] scores, int? unknown, bool byteFallback, Func<int, bool>? isFound = null,
        double? lowest = null)
        : base(vocabulary)
    {
        (this.scores, this.unknown) = (scores, unknown);
        byteTokens = byteFallback ? vocabulary.FindByteTokens() : null;
        for (int token = 0; token < vocabulary.Count; token++)
            if (vocabulary[token] is { Length: > 0 } bytes && isFound?.Invoke(token) != false) trie.Add(bytes, token);
        unknownScore = (lowest ?? scores.DefaultIfEmpty().Min()) - UnknownPenalty;
    }

    /// <inheritdoc/>
    public override string Kind => "unigram";

    /// <inheritdoc/>
    public override void Encode(ReadOnlySpan<byte> word, Scratch scratch, List<int> tokens)
    {
        if (word.Length > WordCache.LongestWord)
        {
            Search(word, scratch, tokens);
            return;
        }
        ulong hash = ByteHash.Of(word);
        if (cache.TryAppend(word, hash, tokens)) return;
        int before = tokens.Count;
        Search(word, scratch, tokens);
        cache.Remember(word, hash, CollectionsMarshal.AsSpan(tokens)[before..]);
    }

    void Search(ReadOnlySpan<byte> word, Scratch scratch, List<int> tokens)
    {
        int size = word.Length;
        if (scratch.Scores.Length <= size)
        {
            int room = Math.Max(size + 1, 256);
            (scratch.Scores, scratch.From, scratch.Tokens) = (new double[room], new int[room], new int[room]);
        }
        double[] best = scratch.Scores;   // of the ways that end here
        int[] from = scratch.From, by = scratch.Tokens;
        from.AsSpan(0, size + 1).Fill(-1);
        best[0] = 0;
        for (int at = 0, length; at < size; at += length)
        {
            CharacterKinds.CharacterAt(word, at, out length);
            double here = best[at];
            bool hasCharacter = false;
            for (int end = at, node = 0; end < size && trie.TryStep(node, word[end], out node);)
            {
                end++;
                if (!trie.TryValue(node, out int token)) continue;
                Consider(end, here + scores[token], token);
                hasCharacter |= end - at == length;
            }
            if (!hasCharacter) Consider(at + length, here + unknownScore, -1);

            void Consider(int end, double score, int token)
            {
                if (from[end] >= 0 && score <= best[end]) return;
                (best[end], from[end], by[end]) = (score, at, token);
            }
        }
        int before = tokens.Count;
        for (int end = size; end > 0;)
        {
            int start = from[end];
            if (by[end] >= 0 && by[end] != unknown) tokens.Add(by[end]);
            else
            {
                while (start > 0 && (by[start] < 0 || by[start] == unknown)) start = from[start];
                Unknown(word[start..end], tokens);
            }
            end = start;
        }
        CollectionsMarshal.AsSpan(tokens)[before..].Reverse();
    }

    // Backwards, as all is turned round at the end.
    void Unknown(ReadOnlySpan<byte> text, List<int> tokens)
    {
        if (byteTokens?.Have(text) != true || Vocabulary.TryFind(text, out int whole) && whole == unknown)
            tokens.Add(unknown ?? throw new TokenizerException("ASH0440",
                $"the text '{System.Text.Encoding.UTF8.GetString(text)}' has no token, and the tokenizer has none for what is unknown.",
                "leave it out of the text."));
        else for (int i = text.Length - 1; i >= 0; i--) tokens.Add(byteTokens[text[i]]);
    }
}
