using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>How a byte-pair model treats what its merges do not cover.</summary>
sealed record BytePairOptions
{
    /// <summary>Words begin as bytes, not as characters.</summary>
    public bool Bytes { get; init; }

    /// <summary>Stands for a character without a token; null where such a character is an error.</summary>
    public int? Unknown { get; init; }

    /// <summary>Unknown characters side by side are one token.</summary>
    public bool FuseUnknown { get; init; }

    /// <summary>A character without a token becomes its bytes, <c>&lt;0x0A&gt;</c>.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>A word that is a token is that token, whatever the merges say.</summary>
    public bool WholeWordsFirst { get; init; }

    /// <summary>Written before every part of a word but the first.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>Written behind the last part of a word.</summary>
    public string Suffix { get; init; } = "";
}

/// <summary>Byte-pair encoding: within a word, the pair of the lowest rank is merged first, of equals the leftmost.</summary>
/// <remarks>
/// Short words are merged by scanning, long ones by a queue, so a word of n symbols takes O(n log n) also where it is a million
/// bytes long. Sennrich, Haddow and Birch 2016, arXiv:1508.07909; on scores, Kudo and Richardson 2018, arXiv:1808.06226.
/// </remarks>
sealed class BytePairModel : TokenModel
{
    const int ScannedSymbols = 100;   // longer words take the queue

    readonly PairTable merges;
    readonly BytePairOptions options;
    readonly int[] ofByte = new int[256];            // -1 where a byte has no token
    readonly PairTable ofCharacter = new(1024);      // (0, code point)
    readonly int[] ofAscii = new int[128];           // -1 where there is none
    readonly List<byte[]> extra = [];                // symbols that are in merges but are no tokens, from Vocabulary.Count on
    readonly ByteTokens? byteTokens;
    readonly WordCache cache = new();

    BytePairModel(Vocabulary vocabulary, PairTable merges, BytePairOptions options) : base(vocabulary)
    {
        (this.merges, this.options) = (merges, options);
        Array.Fill(ofByte, -1);
        Array.Fill(ofAscii, -1);
        byteTokens = options.ByteFallback ? vocabulary.FindByteTokens() : null;
        for (int token = 0; token < vocabulary.Count; token++) AddSymbol(vocabulary[token], token);
    }

    /// <summary>A model of merges in order.</summary>
    public static BytePairModel OfMerges(Vocabulary vocabulary, PairTable merges, BytePairOptions options) =>
        new(vocabulary, merges, options);

    /// <summary>A model of bytes and of merges as texts, of which some may join to what is no token; that becomes its
    /// bytes.</summary>
    public static BytePairModel OfMerges(Vocabulary vocabulary, IEnumerable<(byte[] Left, byte[] Right)> merges,
        BytePairOptions options)
    {
        var table = new PairTable(vocabulary.Count);
        var model = new BytePairModel(vocabulary, table, options);
        var extra = new Dictionary<byte[], int>(ByteSequences.Comparer);
        foreach (var (rank, (left, right)) in merges.Index())
            table.TryAdd(Symbol(left), Symbol(right), rank, Symbol([.. left, .. right]));
        return model;

        int Symbol(byte[] bytes)
        {
            if (vocabulary.TryFind(bytes, out int token) || extra.TryGetValue(bytes, out token)) return token;
            model.extra.Add(bytes);
            return extra[bytes] = vocabulary.Count + model.extra.Count - 1;
        }
    }

    /// <summary>A model whose merges are all pairs that make up a token, with the rank of that token.</summary>
    /// <param name="vocabulary">The tokens.</param>
    /// <param name="rankOf">By token; null where a token cannot come out of merges.</param>
    /// <param name="options">What is not covered.</param>
    /// <remarks>SentencePiece (ranks by falling score) and tiktoken (the token is the rank) keep no merges.</remarks>
    public static BytePairModel OfRanks(Vocabulary vocabulary, Func<int, int?> rankOf, BytePairOptions options)
    {
        var model = new BytePairModel(vocabulary, new PairTable(vocabulary.Count * 2), options);
        if (!options.Bytes) model.FindExtraCharacters(rankOf);
        for (int token = 0; token < vocabulary.Count; token++)
        {
            if (vocabulary[token] is not { Length: > 1 } bytes || rankOf(token) is not { } rank) continue;
            for (int cut = 1; cut < bytes.Length; cut++)
            {
                if (!options.Bytes && (bytes[cut] & 0xc0) == 0x80) continue;
                if (model.TrySymbol(bytes.AsSpan(0, cut), rankOf, out int left)
                    && model.TrySymbol(bytes.AsSpan(cut), rankOf, out int right))
                    model.merges.TryAdd(left, right, rank, token);
            }
        }
        return model;
    }

    /// <inheritdoc/>
    public override string Kind => "bpe";

    /// <summary>The first byte that has no token; null where all have.</summary>
    public int? MissingByte => Array.IndexOf(ofByte, -1) is var at and >= 0 ? at : null;

    /// <summary>
    /// True where no merge joins a part that ends otherwise with one that begins with this character, so that text may be cut
    /// before it, and words be remembered, without a change to the result.
    /// </summary>
    public bool MayCutBefore(Rune character)
    {
        if (options.Bytes || options.WholeWordsFirst || options.Prefix.Length + options.Suffix.Length > 0) return false;
        if (!ofCharacter.TryFind(0, character.Value, out _, out int symbol) || symbol >= Vocabulary.Count) return false;
        byte[] mark = Encoding.UTF8.GetBytes(character.ToString());
        for (int token = 0; token < Vocabulary.Count; token++)
        {
            if (Vocabulary[token] is not { } bytes) continue;
            for (int at = 1; at < bytes.Length; at++)
                if (bytes.AsSpan(at).StartsWith(mark) && !bytes.AsSpan(0, at).EndsWith(mark) && Makes(token)) return false;
        }
        return true;
    }

    HashSet<int>? made;

    bool Makes(int token) => (made ??= merges.Results().ToHashSet()).Contains(token);

    void AddSymbol(byte[]? bytes, int symbol)
    {
        if (bytes is [byte only] && ofByte[only] < 0) ofByte[only] = symbol;
        if (bytes is null || Rune.DecodeFromUtf8(bytes, out var character, out int length) != System.Buffers.OperationStatus.Done
            || length != bytes.Length) return;
        ofCharacter.TryAdd(0, character.Value, 0, symbol);
        if (character.IsAscii && ofAscii[character.Value] < 0) ofAscii[character.Value] = symbol;
    }

    // A character may be within tokens without being one.
    void FindExtraCharacters(Func<int, int?> rankOf)
    {
        for (int token = 0; token < Vocabulary.Count; token++)
        {
            if (Vocabulary[token] is not { } bytes || rankOf(token) is null) continue;
            for (var left = bytes.AsSpan(); !left.IsEmpty;)
            {
                if (Rune.DecodeFromUtf8(left, out var character, out int length) == System.Buffers.OperationStatus.Done
                    && !ofCharacter.TryFind(0, character.Value, out _, out _))
                {
                    extra.Add(left[..length].ToArray());
                    AddSymbol(extra[^1], Vocabulary.Count + extra.Count - 1);
                }
                left = left[length..];
            }
        }
    }

    bool TrySymbol(ReadOnlySpan<byte> bytes, Func<int, int?> rankOf, out int symbol)
    {
        if (Vocabulary.TryFind(bytes, out symbol) && (rankOf(symbol) is not null || bytes.Length == 1)) return true;
        if (options.Bytes || Rune.DecodeFromUtf8(bytes, out var character, out int length) != System.Buffers.OperationStatus.Done)
            return false;
        return length == bytes.Length && ofCharacter.TryFind(0, character.Value, out _, out symbol);
    }

    /// <inheritdoc/>
    public override void Encode(ReadOnlySpan<byte> word, Scratch scratch, List<int> tokens)
    {
        if (word.Length == 1 && options.Bytes && ofByte[word[0]] is >= 0 and int single)
        {
            tokens.Add(single);
            return;
        }
        if (word.Length > WordCache.LongestWord)
        {
            Merge(word, scratch, tokens);
            return;
        }
        ulong hash = ByteHash.Of(word);
        if (cache.TryAppend(word, hash, tokens)) return;
        int before = tokens.Count;
        Merge(word, scratch, tokens);
        cache.Remember(word, hash, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(tokens)[before..]);
    }

    void Merge(ReadOnlySpan<byte> word, Scratch scratch, List<int> tokens)
    {
        if (options.WholeWordsFirst && Vocabulary.TryFind(word, out int whole))
        {
            tokens.Add(whole);
            return;
        }
        int count = options.Bytes ? SymbolsOfBytes(word, scratch) : SymbolsOfCharacters(word, scratch);
        if (count <= ScannedSymbols) MergeByScanning(scratch, count, tokens);
        else MergeByQueue(scratch, count, tokens);
    }

    int SymbolsOfBytes(ReadOnlySpan<byte> word, Scratch scratch)
    {
        scratch.RoomForSymbols(word.Length);
        for (int i = 0; i < word.Length; i++)
        {
            int symbol = ofByte[word[i]];
            if (symbol < 0) symbol = options.Unknown ?? throw NoToken($"the byte 0x{word[i]:x2}");
            scratch.Symbols[i] = symbol;
        }
        return word.Length;
    }

    int SymbolsOfCharacters(ReadOnlySpan<byte> word, Scratch scratch)
    {
        scratch.RoomForSymbols(word.Length * (byteTokens is null ? 1 : 1 + 4 * (options.Prefix.Length + options.Suffix.Length)));
        int count = 0;
        bool wasUnknown = false;
        bool isPlain = options.Prefix.Length + options.Suffix.Length == 0;
        int length;
        for (int at = 0; at < word.Length; at += length)
        {
            int symbol;
            bool isKnown;
            if (isPlain && word[at] < 128)
            {
                symbol = ofAscii[word[at]];
                isKnown = symbol >= 0;
                length = 1;
            }
            else
            {
                Rune.DecodeFromUtf8(word[at..], out var character, out length);
                isKnown = isPlain ? ofCharacter.TryFind(0, character.Value, out _, out symbol)
                    : Vocabulary.TryFind(Marked(word, at, length), out symbol);
            }
            if (isKnown)
            {
                scratch.Symbols[count++] = symbol;
                wasUnknown = false;
                continue;
            }
            if (byteTokens is not null && (isPlain ? word.Slice(at, length) : Marked(word, at, length)) is var bytes
                && byteTokens.Have(bytes))
            {
                foreach (byte value in bytes) scratch.Symbols[count++] = byteTokens[value];
                wasUnknown = false;
                continue;
            }
            if (wasUnknown && options.FuseUnknown) continue;
            scratch.Symbols[count++] =
                options.Unknown ?? throw NoToken($"the character '{Encoding.UTF8.GetString(word.Slice(at, length))}'");
            wasUnknown = true;
        }
        return count;
    }

    byte[] Marked(ReadOnlySpan<byte> word, int at, int length) => Encoding.UTF8.GetBytes(
        (at > 0 ? options.Prefix : "") + Encoding.UTF8.GetString(word.Slice(at, length))
            + (at + length == word.Length ? options.Suffix : ""));

    void MergeByScanning(Scratch scratch, int count, List<int> tokens)
    {
        int[] symbols = scratch.Symbols;
        ulong[] pairs = scratch.Pairs;   // rank and result of the pair that begins here
        for (int i = 0; i + 1 < count; i++) pairs[i] = PairOf(symbols[i], symbols[i + 1]);
        while (count > 1)
        {
            int best = 0;
            ulong lowest = pairs[0];
            for (int i = 1; i < count - 1; i++)
            {
                if (pairs[i] >> 32 >= lowest >> 32) continue;
                (best, lowest) = (i, pairs[i]);
            }
            if (lowest == ulong.MaxValue) break;
            symbols[best] = (int)(uint)lowest;
            count--;
            for (int i = best + 1; i < count; i++)
            {
                symbols[i] = symbols[i + 1];
                pairs[i] = pairs[i + 1];
            }
            if (best > 0) pairs[best - 1] = PairOf(symbols[best - 1], symbols[best]);
            pairs[best] = best + 1 < count ? PairOf(symbols[best], symbols[best + 1]) : ulong.MaxValue;
        }
        for (int i = 0; i < count; i++) Emit(symbols[i], tokens);
    }

    ulong PairOf(int left, int right) =>
        merges.TryFind(left, right, out int rank, out int result) ? (ulong)(uint)rank << 32 | (uint)result : ulong.MaxValue;

    void MergeByQueue(Scratch scratch, int count, List<int> tokens)
    {
        int[] symbols = scratch.Symbols;
        if (scratch.Next.Length < symbols.Length)
            (scratch.Next, scratch.Previous) = (new int[symbols.Length], new int[symbols.Length]);
        int[] next = scratch.Next, previous = scratch.Previous;
        var queue = scratch.Queue;
        queue.Clear();
        for (int i = 0; i < count; i++) (next[i], previous[i]) = (i + 1, i - 1);
        for (int i = 0; i + 1 < count; i++) Consider(i, i + 1);
        while (queue.TryDequeue(out var merge, out _))
        {
            int right = next[merge.At];
            // another merge took one of them
            if (symbols[merge.At] != merge.Left || right >= count || symbols[right] != merge.Right) continue;
            symbols[merge.At] = merge.Result;
            symbols[right] = -1;
            int behind = next[merge.At] = next[right];
            if (behind < count)
            {
                previous[behind] = merge.At;
                Consider(merge.At, behind);
            }
            if (previous[merge.At] >= 0) Consider(previous[merge.At], merge.At);
        }
        for (int i = 0; i < count; i = next[i]) Emit(symbols[i], tokens);

        void Consider(int left, int right)
        {
            if (merges.TryFind(symbols[left], symbols[right], out int rank, out int result))
                queue.Enqueue((left, symbols[left], symbols[right], result), (long)rank << 32 | (uint)left);
        }
    }

    void Emit(int symbol, List<int> tokens)
    {
        if (symbol < Vocabulary.Count)
        {
            tokens.Add(symbol);
            return;
        }
        byte[] bytes = extra[symbol - Vocabulary.Count];
        if (options.Bytes)
            foreach (byte value in bytes)
                tokens.Add(ofByte[value] is >= 0 and int token ? token : throw NoToken($"the byte 0x{value:x2}"));
        else if (byteTokens?.Have(bytes) == true) foreach (byte value in bytes) tokens.Add(byteTokens[value]);
        else if (!options.FuseUnknown || tokens.Count == 0 || tokens[^1] != options.Unknown)
            tokens.Add(options.Unknown ?? throw NoToken($"the character '{Encoding.UTF8.GetString(bytes)}'"));
    }

    static TokenizerException NoToken(string what) => new("ASH0440",
        $"{what} has no token, and the tokenizer has none for what is unknown.",
        "leave it out of the text, or use a tokenizer with all bytes.");
}
