using System.Collections.Concurrent;
using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>Byte-level byte-pair encoding: frequent byte sequences are tokens, and every text can be encoded.</summary>
/// <remarks>
/// Text is cut into words, the bytes of a word are merged pair by pair in the order in which the pairs were learned. Words that
/// came before are remembered. Sennrich, Haddow and Birch 2016, arXiv:1508.07909; on bytes, Radford et al. 2019 (GPT-2).
/// </remarks>
public sealed class BpeTokenizer : Tokenizer
{
    const int RememberedWords = 1 << 16;   // of at most RememberedBytes: a few MB
    const int RememberedBytes = 48;

    readonly byte[]?[] bytes;       // by token; null where a number is not used
    readonly int[] ofBytes;         // the token of each byte
    readonly Merge[] merges;
    readonly Dictionary<long, (int Rank, int Result)> ranks;
    readonly AddedTokens added;
    readonly bool splitWords;
    readonly ConcurrentDictionary<byte[], int[]> remembered = new(ByteSequences.Comparer);

    /// <summary>A tokenizer of this vocabulary.</summary>
    /// <param name="bytes">
    /// What each token stands for; null where a number is not used, or is used by an added token. Every byte has a token.
    /// </param>
    /// <param name="merges">In the order in which they were learned.</param>
    /// <param name="added">Tokens that are found as a whole.</param>
    /// <param name="splitWords">False merges across words.</param>
    internal BpeTokenizer(IEnumerable<byte[]?> bytes, IEnumerable<Merge> merges, IEnumerable<AddedToken> added, bool splitWords = true)
    {
        this.bytes = [.. bytes];
        this.merges = [.. merges];
        this.added = new([.. added]);
        this.splitWords = splitWords;
        ofBytes = new int[256];
        for (int token = this.bytes.Length - 1; token >= 0; token--)
            if (this.bytes[token] is [byte only]) ofBytes[only] = token;
        ranks = new(this.merges.Length);
        foreach (var (rank, merge) in this.merges.Index()) ranks.TryAdd(WordMerger.Key(merge.Left, merge.Right), (rank, merge.Result));
        foreach (var token in this.added.All)
        {
            if (token.Token >= this.bytes.Length) Array.Resize(ref this.bytes, token.Token + 1);
            this.bytes[token.Token] = Encoding.UTF8.GetBytes(token.Text);
        }
    }

    /// <inheritdoc/>
    public override string Kind => "bpe";

    /// <inheritdoc/>
    public override int VocabularySize => bytes.Length;

    /// <summary>What was learned, in order.</summary>
    public IReadOnlyList<Merge> Merges => merges;

    /// <summary>Tokens that are found in text as a whole.</summary>
    public IReadOnlyList<AddedToken> Added => added.All;

    /// <summary>Learns a tokenizer from text.</summary>
    /// <param name="pieces">UTF-8, cut between words; read once.</param>
    /// <param name="vocabularySize">
    /// How many tokens, special ones included; at least 256 more than those. The result has fewer where the text holds too few
    /// pairs that come often enough.
    /// </param>
    /// <param name="special">Tokens that stand for no text, such as the end of a document; they get the last numbers.</param>
    /// <param name="leastCount">Pairs that come less often are not merged.</param>
    /// <remarks>The same text always gives the same tokenizer: of pairs that come equally often the one with the smaller tokens
    /// is merged.</remarks>
    /// <exception cref="TokenizerException">The vocabulary is too small, or a piece is not UTF-8.</exception>
    public static BpeTokenizer Train(
        IEnumerable<ReadOnlyMemory<byte>> pieces, int vocabularySize, IReadOnlyList<string>? special = null, int leastCount = 2) =>
        BpeTrainer.Train(pieces, vocabularySize, special ?? [], leastCount);

    /// <summary>Learns a tokenizer from a text.</summary>
    /// <inheritdoc cref="Train(IEnumerable{ReadOnlyMemory{byte}}, int, IReadOnlyList{string}?, int)"/>
    public static BpeTokenizer Train(string text, int vocabularySize, IReadOnlyList<string>? special = null, int leastCount = 2) =>
        Train([Encoding.UTF8.GetBytes(text)], vocabularySize, special, leastCount);

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Bytes(int token) =>
        (uint)token < (uint)bytes.Length && bytes[token] is { } known ? known : throw NoSuchToken(token);

    /// <summary>The tokenizer as a <c>tokenizer.json</c>, which the tokenizers library of Hugging Face reads too.</summary>
    public override byte[] ToJson() => TokenizerJson.WriteBpe(bytes, merges, added.All, splitWords);

    private protected override void EncodeUtf8(ReadOnlySpan<byte> utf8, List<int> tokens)
    {
        var merger = new WordMerger(ranks);
        while (added.Find(utf8) is (int at, { } found, int length))
        {
            EncodeText(utf8[..at], merger, tokens);
            tokens.Add(found.Token);
            utf8 = utf8[(at + length)..];
        }
        EncodeText(utf8, merger, tokens);
    }

    void EncodeText(ReadOnlySpan<byte> utf8, WordMerger merger, List<int> tokens)
    {
        if (utf8.IsEmpty) return;
        if (!splitWords)
        {
            merger.Encode(utf8, ofBytes, tokens);
            return;
        }
        var known = remembered.GetAlternateLookup<ReadOnlySpan<byte>>();
        foreach (var word in new WordSplitter(utf8))
        {
            if (word.Length > RememberedBytes)
            {
                merger.Encode(word, ofBytes, tokens);
                continue;
            }
            if (!known.TryGetValue(word, out int[]? result))
            {
                int before = tokens.Count;
                merger.Encode(word, ofBytes, tokens);
                if (remembered.Count < RememberedWords) known.TryAdd(word, [.. tokens[before..]]);
                continue;
            }
            tokens.AddRange(result);
        }
    }
}
