using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>The vocabulary that a GGUF file holds in its metadata, <c>tokenizer.*</c>.</summary>
/// <remarks>
/// Types are those of the file: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. Where a file leaves a value
/// out, the default of llama.cpp for that kind of vocabulary holds. Patterns of words are those of the models' own
/// <c>tokenizer.json</c>; where llama.cpp only comes near (GPT-4o, tekken), they are exact here.
/// </remarks>
public sealed record GgufVocabulary
{
    const int UnknownType = 2, ControlType = 3, UserDefined = 4, Unused = 5, ByteType = 6;

    /// <summary><c>tokenizer.ggml.model</c>: gpt2, llama, bert, t5.</summary>
    public required string Model { get; init; }

    /// <summary><c>tokenizer.ggml.pre</c>: how words are cut; null where the file does not say.</summary>
    public string? Pre { get; init; }

    /// <summary>The texts of the tokens, UTF-8.</summary>
    public required IReadOnlyList<byte[]> Tokens { get; init; }

    /// <summary>By token; null where the file has none.</summary>
    public IReadOnlyList<float>? Scores { get; init; }

    /// <summary>By token; null where the file has none.</summary>
    public IReadOnlyList<int>? Types { get; init; }

    /// <summary>Pairs of texts with a blank between, UTF-8, in order; null where the file has none.</summary>
    public IReadOnlyList<byte[]>? Merges { get; init; }

    /// <summary><c>bos_token_id</c>.</summary>
    public int? Begin { get; init; }

    /// <summary><c>eos_token_id</c>.</summary>
    public int? End { get; init; }

    /// <summary><c>eot_token_id</c>: the end of a turn.</summary>
    public int? EndOfTurn { get; init; }

    /// <summary><c>eom_token_id</c>: the end of a message.</summary>
    public int? EndOfMessage { get; init; }

    /// <summary><c>unknown_token_id</c>.</summary>
    public int? Unknown { get; init; }

    /// <summary><c>seperator_token_id</c> (so spelled).</summary>
    public int? Separator { get; init; }

    /// <summary><c>padding_token_id</c>.</summary>
    public int? Padding { get; init; }

    /// <summary><c>mask_token_id</c>.</summary>
    public int? Mask { get; init; }

    /// <summary><c>add_bos_token</c>.</summary>
    public bool? AddBegin { get; init; }

    /// <summary><c>add_eos_token</c>.</summary>
    public bool? AddEnd { get; init; }

    /// <summary><c>add_sep_token</c>.</summary>
    public bool? AddSeparator { get; init; }

    /// <summary><c>add_space_prefix</c>.</summary>
    public bool? AddSpacePrefix { get; init; }

    /// <summary><c>remove_extra_whitespaces</c>.</summary>
    public bool? RemoveExtraWhitespaces { get; init; }

    /// <summary><c>precompiled_charsmap</c>; null where the file has none.</summary>
    public byte[]? PrecompiledCharsmap { get; init; }

    /// <summary><c>normalizer.lowercase</c>, of word pieces.</summary>
    public bool? Lowercase { get; init; }

    /// <summary><c>normalizer.strip_accents</c>, of word pieces.</summary>
    public bool? StripAccents { get; init; }

    /// <summary><c>general.name</c>: Phi-3's special tokens take the white space behind them, which only the name
    /// tells.</summary>
    public string? ModelName { get; init; }

    /// <summary><c>tokenizer.chat_template</c> as <c>default</c>, and <c>tokenizer.chat_template.NAME</c>.</summary>
    public IReadOnlyDictionary<string, string> ChatTemplates { get; init; } = new Dictionary<string, string>();

    /// <summary>The tokenizer, its special tokens and its templates.</summary>
    /// <param name="source">What errors call the file.</param>
    /// <exception cref="TokenizerException">The vocabulary is not well formed, or of a kind that is not known.</exception>
    public TokenizerFiles Build(string source = "the GGUF file")
    {
        Check(source);
        var vocabulary = this with
        {
            Begin = Begin ?? Default("llama", 1, "bert", 101, "gpt2",
                Tokens.Count > 11 && Tokens[11].AsSpan().SequenceEqual("<|endoftext|>"u8) ? 11 : null),
            End = End ?? Default("llama", 2, "t5", 1, "", null),
            Unknown = Unknown ?? Default("llama", 0, "bert", 100, "t5", 2),
            Separator = Separator ?? Default("bert", 102, "", null, "", null),
            Padding = Padding ?? Default("bert", 0, "t5", 0, "", null),
        };
        var tokenizer = new TokenizerPipeline(Model switch
        {
            "gpt2" => vocabulary.BytePairs(source),
            "llama" => vocabulary.Scored(),
            "bert" => vocabulary.WordPieces(source),
            "t5" => vocabulary.Unigrams(source),
            _ => throw Invalid(source, $"its tokenizer.ggml.model is '{Model}'; known are gpt2, llama, bert and t5"),
        });
        return new()
        {
            Tokenizer = tokenizer,
            Special = new()
            {
                Begin = vocabulary.Begin,
                End = vocabulary.End,
                Unknown = vocabulary.Unknown,
                Padding = vocabulary.Padding,
                Separator = vocabulary.Separator,
                Mask = vocabulary.Mask,
                Stop = SpecialTokens.FindStops(tokenizer, [vocabulary.End, EndOfTurn, EndOfMessage]),
            },
            ChatTemplates = ChatTemplates,
        };
    }

    int? Default(string first, int? of, string second, int? other, string third, int? last) =>
        (Model == first ? of : Model == second ? other : Model == third ? last : null) is { } token && token < Tokens.Count
            ? token
            : null;

    void Check(string source)
    {
        int count = Tokens.Count;
        if (count is 0 or >= Vocabulary.Limit) throw Invalid(source, $"its vocabulary has {count:N0} tokens");
        if (Scores is { } scores && scores.Count != count)
            throw Invalid(source, $"it has {count:N0} tokens but {scores.Count:N0} scores");
        if (Types is { } types && types.Count != count)
            throw Invalid(source, $"it has {count:N0} tokens but {types.Count:N0} types");
        if (Scores?.Any(score => !float.IsFinite(score)) == true) throw Invalid(source, "a score is not finite");
        foreach (var (name, id) in ((string, int?)[])[("bos", Begin), ("eos", End), ("eot", EndOfTurn), ("eom", EndOfMessage),
            ("unknown", Unknown), ("seperator", Separator), ("padding", Padding), ("mask", Mask)])
            if (id is { } token && (uint)token >= (uint)count)
                throw Invalid(source, $"its {name}_token_id is {token}, but it has {count:N0} tokens");
    }

    int TypeOf(int token) => Types?[token] ?? 1;

    AddedToken[] Added()
    {
        bool phi3 = ModelName?.Replace("-", "", StringComparison.Ordinal)
            .Contains("phi3", StringComparison.OrdinalIgnoreCase) == true;
        var added = new List<AddedToken>();
        for (int token = 0; token < Tokens.Count; token++)
        {
            int type = TypeOf(token);
            if (type is not (UnknownType or ControlType or UserDefined) || Tokens[token].Length == 0) continue;
            string text = Encoding.UTF8.GetString(Tokens[token]);
            added.Add(new(text, token, type != UserDefined)
            {
                StripsRight = phi3 && text is not ("<unk>" or "<s>" or "<|endoftext|>"),
            });
        }
        return [.. added];
    }

    (int[] Before, int[] Behind) Around(bool begins, bool ends, bool separates = false)
    {
        int?[] behind = [(AddEnd ?? ends) ? End : null, (AddSeparator ?? separates) ? Separator : null];
        return ((AddBegin ?? begins) && Begin is { } begin ? [begin] : [], [.. behind.OfType<int>().Take(1)]);
    }

    PipelineParts BytePairs(string source)
    {
        var pre = GgufWords.Find(Pre ?? "default") ?? throw Invalid(source,
            $"its tokenizer.ggml.pre is '{Pre}', which is not known; known are {string.Join(", ", GgufWords.Names)}");
        byte[]?[] bytes = [.. Tokens.Select((text, token) => TypeOf(token) is UserDefined or ControlType or UnknownType
            ? text
            : AsBytes(text) ?? text)];
        var vocabulary = new Vocabulary(bytes);
        var options = new BytePairOptions { Bytes = true, WholeWordsFirst = pre.WholeWordsFirst || Merges is null };
        if (Merges is null && Pre != "kimi-k2") throw Invalid(source, "it has no tokenizer.ggml.merges");
        var model = Merges is null ? BytePairModel.OfRanks(vocabulary, token => TypeOf(token) == 1 ? token : null, options)
            : BytePairModel.OfMerges(vocabulary, Merges.Select((merge, rank) => Pair(merge, rank, source)), options);
        var (before, behind) = Around(pre.AddsBegin, ends: false);
        return new()
        {
            Model = model,
            PreTokenizers = [.. pre.Patterns.Select(pattern =>
                new SplitPieces(PreTokenizers.Matcher(pattern, source), SplitBehavior.Isolated))],
            Decoders = [new FuseTokens()],
            Added = Added(),
            Before = before,
            Behind = behind,
        };
    }

    static byte[]? AsBytes(ReadOnlySpan<byte> text) => ByteAlphabet.Read(Encoding.UTF8.GetString(text));

    static (byte[] Left, byte[] Right) Pair(byte[] merge, int rank, string source)
    {
        int blank = merge.Length < 3 ? -1 : merge.AsSpan(1).IndexOf((byte)' ') + 1;
        if (blank <= 0 || blank == merge.Length - 1)
            throw Invalid(source, $"the merge {rank}, '{Encoding.UTF8.GetString(merge)}', is not two texts");
        return (AsBytes(merge.AsSpan(0, blank)) ?? merge[..blank], AsBytes(merge.AsSpan(blank + 1)) ?? merge[(blank + 1)..]);
    }

    PipelineParts Scored()
    {
        var vocabulary = new Vocabulary([.. Tokens]);
        float[] scores = [.. Scores ?? new float[Tokens.Count]];
        var model = BytePairModel.OfRanks(vocabulary, SentencePieceModel.Ranks(scores,
            token => TypeOf(token) is 1 or UserDefined or Unused),
            new() { ByteFallback = true, Unknown = Unknown, FuseUnknown = false });
        bool prefix = AddSpacePrefix ?? true;
        var (before, behind) = Around(begins: true, ends: false);
        return new()
        {
            Model = model,
            Normalizer = new SentencePieceNormalizer(null, prefix, removesExtra: false, escapes: true),
            Decoders = SentencePieceModel.Decoders(prefix),
            Added = Added(),
            Before = before,
            Behind = behind,
        };
    }

    PipelineParts WordPieces(string source)
    {
        byte[] mark = "\u2581"u8.ToArray();
        bool lowers = Lowercase ?? true;
        // The file marks the starts of words, not their parts. Tokens in brackets are no parts.
        bool marks = Tokens.Any(text => text.AsSpan().StartsWith(mark));
        if (!marks) throw Invalid(source, "its word pieces are not marked with U+2581");
        var (before, behind) = Around(begins: true, ends: false, separates: true);
        return new()
        {
            Model = new WordPieceModel(new Vocabulary([.. Tokens]),
                token => Tokens[token].AsSpan().StartsWith(mark) ? Tokens[token][mark.Length..] : null,
                token => TypeOf(token) == 1 && !Tokens[token].AsSpan().StartsWith(mark) ? Tokens[token] : null,
                Unknown ?? throw Invalid(source, "it has no unknown_token_id")),
            Normalizer = new BertNormalizer(cleans: true, separatesChinese: true, StripAccents ?? lowers, lowers),
            PreTokenizers = PreTokenizers.Bert,
            Decoders = [new MetaspaceToBlanks(new('\u2581'), dropsFirst: true)],
            Added = Added(),
            Before = before,
            Behind = behind,
        };
    }

    PipelineParts Unigrams(string source)
    {
        var vocabulary = new Vocabulary([.. Tokens]);
        double[] scores = [.. Tokens.Select((_, token) => TypeOf(token) == UserDefined ? 0.0 : Scores?[token] ?? 0)];
        bool prefix = AddSpacePrefix ?? false;
        var (before, behind) = Around(begins: false, ends: true);
        var normal = Enumerable.Range(0, Tokens.Count).Where(token => TypeOf(token) == 1).Select(token => scores[token]);
        return new()
        {
            Model = new UnigramModel(vocabulary, scores, Unknown, byteFallback: Types?.Contains(ByteType) == true,
                token => TypeOf(token) is 1 or UserDefined or Unused, normal.DefaultIfEmpty().Min()),
            Normalizer = new SentencePieceNormalizer(PrecompiledCharsmap is { } map
                ? new(map, source)
                : null, prefix, RemoveExtraWhitespaces ?? false, escapes: true),
            Decoders = SentencePieceModel.Decoders(prefix),
            Added = Added(),
            Before = before,
            Behind = behind,
        };
    }

    static TokenizerException Invalid(string source, string problem) =>
        new("ASH0475", $"{source} has a vocabulary that cannot be used: {problem}.",
            "convert the model again with a newer tool, or report it, with the name of the model.");
}
