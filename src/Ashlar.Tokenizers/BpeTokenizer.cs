using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>Byte-level byte-pair encoding: frequent byte sequences are tokens, and every text can be encoded.</summary>
/// <remarks>
/// Text is cut into words, the bytes of a word are merged pair by pair in the order in which the pairs were learned. Words that
/// came before are remembered. Sennrich, Haddow and Birch 2016, arXiv:1508.07909; on bytes, Radford et al. 2019 (GPT-2).
/// This is the kind that Ashlar trains; files of other kinds give a <see cref="TokenizerPipeline"/>.
/// </remarks>
public sealed class BpeTokenizer : Tokenizer
{
    readonly byte[]?[] bytes;       // by token; null where a number is not used
    readonly Merge[] merges;
    readonly bool splitWords;
    readonly AddedToken[] added;
    readonly TokenizerPipeline pipeline;

    /// <summary>A tokenizer of this vocabulary.</summary>
    /// <param name="bytes">
    /// What each token stands for; null where a number is not used, or is used by an added token. Every byte has a token.
    /// </param>
    /// <param name="merges">In the order in which they were learned.</param>
    /// <param name="added">Tokens that are found as a whole.</param>
    /// <param name="splitWords">False merges across words.</param>
    internal BpeTokenizer(IEnumerable<byte[]?> bytes, IEnumerable<Merge> merges, IEnumerable<AddedToken> added,
        bool splitWords = true)
    {
        this.bytes = [.. bytes];
        this.merges = [.. merges];
        this.added = [.. added];
        this.splitWords = splitWords;
        var table = new PairTable(this.merges.Length);
        foreach (var (rank, merge) in this.merges.Index()) table.TryAdd(merge.Left, merge.Right, rank, merge.Result);
        var model = BytePairModel.OfMerges(new Vocabulary([.. this.bytes]), table, new() { Bytes = true });
        foreach (var token in this.added)
        {
            if (token.Token >= this.bytes.Length) Array.Resize(ref this.bytes, token.Token + 1);
            this.bytes[token.Token] = Encoding.UTF8.GetBytes(token.Text);
        }
        pipeline = new(new()
        {
            Model = model,
            Names = new Vocabulary(this.bytes),
            PreTokenizers = splitWords ? [new SplitPieces(Gpt2Words.Instance, SplitBehavior.Isolated)] : [],
            Added = this.added,
        });
    }

    /// <inheritdoc/>
    public override string Kind => "bpe";

    /// <inheritdoc/>
    public override int VocabularySize => bytes.Length;

    /// <summary>What was learned, in order.</summary>
    public IReadOnlyList<Merge> Merges => merges;

    /// <inheritdoc/>
    public override IReadOnlyList<AddedToken> Added => added;

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
        IEnumerable<ReadOnlyMemory<byte>> pieces, int vocabularySize, IReadOnlyList<string>? special = null,
        int leastCount = 2) =>
        BpeTrainer.Train(pieces, vocabularySize, special ?? [], leastCount);

    /// <summary>Learns a tokenizer from a text.</summary>
    /// <inheritdoc cref="Train(IEnumerable{ReadOnlyMemory{byte}}, int, IReadOnlyList{string}?, int)"/>
    public static BpeTokenizer Train(string text, int vocabularySize, IReadOnlyList<string>? special = null,
        int leastCount = 2) =>
        Train([Encoding.UTF8.GetBytes(text)], vocabularySize, special, leastCount);

    /// <inheritdoc/>
    public override bool Has(int token) => (uint)token < (uint)bytes.Length && bytes[token] is not null;

    /// <inheritdoc/>
    public override bool IsSpecial(int token) => pipeline.IsSpecial(token);

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Bytes(int token) =>
        (uint)token < (uint)bytes.Length && bytes[token] is { } known ? known : throw NoSuchToken(token);

    /// <inheritdoc/>
    public override int? Find(string name) => pipeline.Find(name);

    /// <summary>The tokenizer as a <c>tokenizer.json</c>, which the tokenizers library of Hugging Face reads too.</summary>
    public override byte[] ToJson() => TokenizerJson.WriteBpe(bytes, merges, added, splitWords);

    private protected override void EncodeUtf8(ReadOnlySpan<byte> utf8, List<int> tokens, bool addSpecial, bool parseSpecial) =>
        pipeline.Encode(utf8, tokens, addSpecial, parseSpecial);
}
