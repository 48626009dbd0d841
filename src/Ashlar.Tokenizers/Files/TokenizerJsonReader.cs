using System.Text;
using System.Text.Json;

namespace Ashlar.Tokenizers;

/// <summary>Reads a <c>tokenizer.json</c> of any kind. Every field is read, or refused.</summary>
sealed class TokenizerJsonReader
{
    readonly JsonPart root;
    readonly JsonPart model;
    readonly string kind;
    readonly string source;
    readonly List<AddedToken> added = [];

    public TokenizerJsonReader(JsonElement file, string source)
    {
        this.source = source;
        root = new(file, "the file", source);
        model = root.Part("model") is { } found
            ? new(root.Field("model")!.Value, "model", source)
            : throw root.Invalid("it has no model");
        kind = model.Text("type") ?? Guess();
        root.Ignore("version", "truncation", "padding");   // the last two are settings of a caller, not of the tokenizer
    }

    // Old files do not say.
    string Guess() => model.Field("merges") is not null ? "BPE" : model.Field("vocab")?.ValueKind == JsonValueKind.Array ? "Unigram"
        : model.Field("max_input_chars_per_word") is not null ? "WordPiece" : "WordLevel";

    public TokenizerPipeline Read(Func<byte[]> json)
    {
        ReadAdded();
        var normalizer = Normalizers.Read(root.Part("normalizer"));
        bool wantsBytes = kind == "BPE" && string.IsNullOrEmpty(model.Text("continuing_subword_prefix"))
            && string.IsNullOrEmpty(model.Text("end_of_word_suffix"));
        var cutting = PreTokenizers.Read(root.Part("pre_tokenizer"), wantsBytes);
        var (before, behind) = PostProcessors.Read(root.Part("post_processor"), FindToken);
        var decoders = Decoders.Read(root.Part("decoder"));
        byte[]?[] texts = ReadVocabulary(out double[] scores);
        // Texts written in the alphabet of bytes are kept as bytes.
        byte[]?[] names = AddNames(texts);
        bool decodesBytes = decoders is [CharactersToBytes, FuseTokens];
        if (cutting.MakesBytes) texts = AsBytes(texts);
        if (decodesBytes)
        {
            names = cutting.MakesBytes ? AddBytes(texts) : AsBytes(names);
            decoders = [new FuseTokens()];
        }
        var vocabulary = new Vocabulary(texts);
        TokenModel made = kind switch
        {
            "BPE" => ReadBpe(vocabulary, cutting.MakesBytes),
            "Unigram" => ReadUnigram(vocabulary, scores),
            "WordPiece" => ReadWordPiece(vocabulary),
            "WordLevel" => model.Done(new WordLevelModel(vocabulary, Unknown(vocabulary, model.Text("unk_token")))),
            _ => throw model.Unsupported($"its model is '{kind}'"),
        };
        return root.Done(new TokenizerPipeline(new()
        {
            Model = made,
            Normalizer = normalizer,
            PreTokenizers = cutting.Steps,
            Decoders = decoders,
            Names = new Vocabulary(names),
            Added = added,
            Before = before,
            Behind = behind,
            Json = json,
        }));
    }

    void ReadAdded()
    {
        var seen = new HashSet<string>();
        foreach (var entry in root.Parts("added_tokens"))
        {
            string text = entry.NeededText("content");
            int token = entry.Number("id") ?? throw entry.Invalid($"{entry.Path} has no id");
            if (token is < 0 or >= Vocabulary.Limit) throw entry.Invalid($"{entry.Path} has the number {token}");
            if (text.Length == 0 || !seen.Add(text)) throw entry.Invalid($"an added token is empty or comes twice: '{text}'");
            added.Add(entry.Done(new AddedToken(text, token, entry.Flag("special"))
            {
                IsSingleWord = entry.Flag("single_word"),
                StripsLeft = entry.Flag("lstrip"),
                StripsRight = entry.Flag("rstrip"),
                IsNormalized = entry.Flag("normalized", !entry.Flag("special")),
            }));
        }
    }

    byte[]?[] ReadVocabulary(out double[] scores)
    {
        var vocabulary = model.Field("vocab") ?? throw model.Invalid("its model has no vocab");
        var texts = new List<byte[]?>();
        scores = [];
        if (kind == "Unigram")
        {
            var values = new List<double>();
            foreach (var entry in vocabulary.EnumerateArray())
            {
                texts.Add(Encoding.UTF8.GetBytes(entry[0].GetString()!));
                values.Add(entry[1].GetDouble());
            }
            scores = [.. values];
        }
        else
        {
            foreach (var entry in vocabulary.EnumerateObject())
            {
                if (entry.Value.ValueKind != JsonValueKind.Number || !entry.Value.TryGetInt32(out int token)
                    || token is < 0 or >= Vocabulary.Limit)
                    throw model.Invalid($"'{entry.Name}' has the number {entry.Value.GetRawText()}");
                while (texts.Count <= token) texts.Add(null);
                if (texts[token] is not null)
                    throw model.Invalid(
                        $"the token {token} comes twice: '{entry.Name}' and '{Encoding.UTF8.GetString(texts[token]!)}'");
                texts[token] = Encoding.UTF8.GetBytes(entry.Name);
            }
        }
        if (texts.Count is 0 or >= Vocabulary.Limit) throw model.Invalid($"its vocabulary has {texts.Count:N0} tokens");
        return [.. texts];
    }

    byte[]?[] AddNames(byte[]?[] texts)
    {
        if (added.Count == 0) return texts;
        byte[]?[] names = new byte[]?[Math.Max(texts.Length, added.Max(token => token.Token) + 1)];
        texts.CopyTo(names, 0);
        foreach (var token in added) names[token.Token] = Encoding.UTF8.GetBytes(token.Text);
        return names;
    }

    byte[]?[] AddBytes(byte[]?[] texts)
    {
        byte[]?[] names = AddNames(texts);
        foreach (var token in added) names[token.Token] = AsBytes(names[token.Token]);
        return names;
    }

    static byte[]?[] AsBytes(byte[]?[] texts) => Array.ConvertAll(texts, AsBytes);

    static byte[]? AsBytes(byte[]? text) => text is null ? null : ByteAlphabet.Read(Encoding.UTF8.GetString(text)) ?? text;

    int FindToken(string text)
    {
        if (added.FirstOrDefault(token => token.Text == text) is { } known) return known.Token;
        return model.Field("vocab") is { ValueKind: JsonValueKind.Object } vocabulary
            && vocabulary.TryGetProperty(text, out var token)
            ? token.GetInt32() : throw root.Invalid($"the post_processor names the token '{text}', which does not exist");
    }

    int? Unknown(Vocabulary vocabulary, string? text)
    {
        if (text is null) return null;
        if (vocabulary.TryFind(text, out int token)) return token;
        return added.FirstOrDefault(entry => entry.Text == text)?.Token;
    }

    BytePairModel ReadBpe(Vocabulary vocabulary, bool bytes)
    {
        if (model.Field("dropout") is { } dropout && dropout.GetDouble() != 0)
            throw model.Unsupported(
                $"its merges are left out by chance (dropout {dropout.GetRawText()}), so a text has no one result; set it to null");
        var options = new BytePairOptions
        {
            Bytes = bytes,
            Unknown = Unknown(vocabulary, model.Text("unk_token")),
            FuseUnknown = model.Flag("fuse_unk"),
            ByteFallback = model.Flag("byte_fallback"),
            WholeWordsFirst = model.Flag("ignore_merges"),
            Prefix = model.Text("continuing_subword_prefix") ?? "",
            Suffix = model.Text("end_of_word_suffix") ?? "",
        };
        if (options.ByteFallback && vocabulary.FindByteTokens() is null && options.Unknown is null)
            throw model.Unsupported("it falls back to bytes (byte_fallback), but has no tokens <0x00> to <0xFF>");
        var merges = model.Field("merges") ?? throw model.Invalid("its model has no merges");
        var table = new PairTable(Math.Min(merges.GetArrayLength(), Vocabulary.Limit));
        int prefix = Encoding.UTF8.GetByteCount(options.Prefix);
        byte[] joined = new byte[256];
        int rank = 0;
        foreach (var entry in merges.EnumerateArray())
        {
            string[] parts = entry.ValueKind == JsonValueKind.String
                ? Halves(entry.GetString()!) : [.. entry.EnumerateArray().Select(part => part.GetString()!)];
            byte[] left = [], right = [];
            if (parts.Length == 2) (left, right) = (TextOf(parts[0]), TextOf(parts[1]));
            if (joined.Length < left.Length + right.Length) joined = new byte[left.Length + right.Length];
            left.CopyTo(joined, 0);
            right.AsSpan(Math.Min(prefix, right.Length)).CopyTo(joined.AsSpan(left.Length));
            if (parts.Length != 2 || !vocabulary.TryFind(left, out int leftToken)
                || !vocabulary.TryFind(right, out int rightToken)
                || !vocabulary.TryFind(joined.AsSpan(0, left.Length + Math.Max(0, right.Length - prefix)), out int result))
                throw model.Invalid($"the merge {rank}, '{string.Join(' ', parts)}', does not join two tokens to a third");
            table.TryAdd(leftToken, rightToken, rank++, result);
        }
        return model.Done(BytePairModel.OfMerges(vocabulary, table, options));

        // Blanks may be parts of the tokens themselves: then the blank between is the one that leaves tokens on both sides.
        string[] Halves(string merge)
        {
            string[] halves = merge.Split(' ');
            if (halves.Length == 2) return halves;
            for (int at = merge.IndexOf(' '); at >= 0; at = merge.IndexOf(' ', at + 1))
                if (vocabulary.TryFind(merge[..at], out _) && vocabulary.TryFind(merge[(at + 1)..], out _))
                    return [merge[..at], merge[(at + 1)..]];
            return halves;
        }

        byte[] TextOf(string text) => (bytes ? ByteAlphabet.Read(text) : null) ?? Encoding.UTF8.GetBytes(text);
    }

    UnigramModel ReadUnigram(Vocabulary vocabulary, double[] scores)
    {
        int? unknown = model.Number("unk_id");
        if (unknown is { } token && (uint)token >= (uint)vocabulary.Count)
            throw model.Invalid($"its unk_id is {token}, which is no token");
        return model.Done(new UnigramModel(vocabulary, scores, unknown, model.Flag("byte_fallback")));
    }

    WordPieceModel ReadWordPiece(Vocabulary vocabulary)
    {
        string prefixText = model.Text("continuing_subword_prefix") ?? "##";
        byte[] prefix = Encoding.UTF8.GetBytes(prefixText);
        int longest = model.Number("max_input_chars_per_word") ?? 100;
        string unknown = model.Text("unk_token") ?? "[UNK]";
        return model.Done(new WordPieceModel(vocabulary, token => vocabulary[token],
            token => vocabulary[token] is { } text && text.AsSpan().StartsWith(prefix) ? text[prefix.Length..] : null,
            Unknown(vocabulary, unknown) ?? throw model.Invalid($"its token for unknown words, '{unknown}', does not exist"),
            longest));
    }
}
