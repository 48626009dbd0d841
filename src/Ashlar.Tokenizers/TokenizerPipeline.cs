using System.Collections.Concurrent;
using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>What a tokenizer is put together from.</summary>
sealed record PipelineParts
{
    public required TokenModel Model { get; init; }

    public Normalizer? Normalizer { get; init; }

    public IReadOnlyList<PreTokenizer> PreTokenizers { get; init; } = [];

    public IReadOnlyList<DecoderPart> Decoders { get; init; } = [];

    /// <summary>What tokens are called; by default the texts of the model.</summary>
    public Vocabulary? Names { get; init; }

    public IReadOnlyList<AddedToken> Added { get; init; } = [];

    /// <summary>What is looked for where an added token is normalised; by default its text, normalised.</summary>
    public Func<string, byte[]>? NormalizeAdded { get; init; }

    /// <summary>Tokens that are signs, not text, beyond those that are added and special.</summary>
    public IReadOnlySet<int> Special { get; init; } = new HashSet<int>();

    public IReadOnlyList<int> Before { get; init; } = [];

    public IReadOnlyList<int> Behind { get; init; } = [];

    /// <summary>The file, as it was read; null where it was not a <c>tokenizer.json</c>.</summary>
    public Func<byte[]>? Json { get; init; }
}

/// <summary>
/// A tokenizer of any kind: text is normalised, cut into words, and each word is turned into tokens by a model; special tokens
/// come around them; decoders lead back.
/// </summary>
/// <remarks>
/// The order is that of the tokenizers library of Hugging Face: added tokens that are not normalised are found first; what is
/// between them is normalised, and then added tokens that are normalised are found; the rest is cut into words.
/// </remarks>
public sealed class TokenizerPipeline : Tokenizer
{
    readonly PipelineParts parts;
    readonly TokenModel model;
    readonly PreTokenizer[] preTokenizers;
    readonly Vocabulary names;
    readonly HashSet<int> special;
    readonly AddedTokens raw, rawText, normalized, normalizedText;   // all, and those that are not special
    readonly ConcurrentBag<Scratch> scratches = [];

    internal TokenizerPipeline(PipelineParts parts)
    {
        this.parts = parts;
        model = parts.Model;
        names = parts.Names ?? model.Vocabulary;
        special = [.. parts.Special, .. parts.Added.Where(token => token.IsSpecial).Select(token => token.Token)];
        raw = Search(token => !token.IsNormalized);
        rawText = Search(token => !token.IsNormalized && !token.IsSpecial);
        normalized = Search(token => token.IsNormalized);
        normalizedText = Search(token => token.IsNormalized && !token.IsSpecial);
        // A model that takes the text as one word is faster where it can be cut without a change.
        var blank = new Rune('\u2581');
        preTokenizers = parts.PreTokenizers is [] && model is BytePairModel pairs && pairs.MayCutBefore(blank)
            ? [new CutBefore(blank)] : [.. parts.PreTokenizers];
        Decoding = new(names, parts.Decoders);

        AddedTokens Search(Func<AddedToken, bool> wanted) => new(parts.Added.Where(wanted).Select(token =>
            (token, !token.IsNormalized ? Encoding.UTF8.GetBytes(token.Text)
                : parts.NormalizeAdded?.Invoke(token.Text) ?? parts.Normalizer?.Apply(Encoding.UTF8.GetBytes(token.Text))
                ?? Encoding.UTF8.GetBytes(token.Text))));
    }

    internal override Decoding Decoding { get; }

    /// <inheritdoc/>
    public override string Kind => model.Kind;

    /// <inheritdoc/>
    public override int VocabularySize => names.Count;

    /// <inheritdoc/>
    public override IReadOnlyList<AddedToken> Added => parts.Added;

    /// <inheritdoc/>
    public override IReadOnlyList<int> Before => parts.Before;

    /// <inheritdoc/>
    public override IReadOnlyList<int> Behind => parts.Behind;

    internal TokenModel Model => model;

    internal PipelineParts Parts => parts;

    /// <inheritdoc/>
    public override bool Has(int token) => names[token] is not null;

    /// <inheritdoc/>
    public override bool IsSpecial(int token) => special.Contains(token);

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Bytes(int token) => Decoding.Bytes(token, isFirst: false) ?? throw NoSuchToken(token);

    /// <inheritdoc/>
    public override string Name(int token) => Encoding.UTF8.GetString(Text(token));

    /// <inheritdoc/>
    public override int? Find(string name) => names.TryFind(name, out int token) ? token : null;

    internal override byte[] Text(int token) => names[token] ?? throw NoSuchToken(token);

    /// <inheritdoc/>
    public override byte[] ToJson() => parts.Json is { } json ? json() : throw new TokenizerException("ASH0474",
        "this tokenizer was not read from a tokenizer.json, and cannot be written as one.",
        "keep the file from which it was read.");

    private protected override void EncodeUtf8(ReadOnlySpan<byte> utf8, List<int> tokens, bool addSpecial, bool parseSpecial)
    {
        if (addSpecial) tokens.AddRange(parts.Before);
        if (!scratches.TryTake(out var scratch)) scratch = new();
        try
        {
            var search = parseSpecial ? raw : rawText;
            int at = 0;
            while (search.TryFind(utf8, at, out int start, out int end, out var found))
            {
                Section(utf8[at..start], at == 0, parseSpecial, scratch, tokens);
                tokens.Add(found!.Token);
                at = end;
            }
            Section(utf8[at..], at == 0, parseSpecial, scratch, tokens);
        }
        finally
        {
            scratch.Trim();
            scratches.Add(scratch);
        }
        if (addSpecial) tokens.AddRange(parts.Behind);
    }

    void Section(ReadOnlySpan<byte> utf8, bool isStart, bool parseSpecial, Scratch scratch, List<int> tokens)
    {
        if (utf8.IsEmpty) return;
        if (parts.Normalizer is { } normalizer)
        {
            scratch.Text.Clear();
            normalizer.Apply(utf8, scratch.Text);
            utf8 = scratch.Text.Span;
        }
        var search = parseSpecial ? normalized : normalizedText;
        int at = 0;
        while (search.TryFind(utf8, at, out int start, out int end, out var found))
        {
            Plain(utf8[at..start], isStart && at == 0, scratch, tokens);
            tokens.Add(found!.Token);
            at = end;
        }
        Plain(utf8[at..], isStart && at == 0, scratch, tokens);
    }

    void Plain(ReadOnlySpan<byte> utf8, bool isStart, Scratch scratch, List<int> tokens)
    {
        if (utf8.IsEmpty) return;
        var words = scratch.Words;
        words.Set(utf8, isStart);
        foreach (var cutter in preTokenizers) cutter.Cut(words);
        var text = words.Text.Span;
        foreach (var (start, end) in words.Pieces) model.Encode(text[start..end], scratch, tokens);
    }
}
