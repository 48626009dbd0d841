using System.Text;
using System.Text.Json;

namespace Ashlar.Tokenizers;

/// <summary>What the small files beside a tokenizer say: which tokens are special, which end a text, how to talk.</summary>
sealed class FolderConfig
{
    readonly Dictionary<string, JsonElement> files = [];
    readonly string folder;

    FolderConfig(string folder) => this.folder = folder;

    /// <exception cref="TokenizerException">A file is there, but is no JSON.</exception>
    public static FolderConfig Read(string folder)
    {
        var config = new FolderConfig(folder);
        foreach (string name in (string[])["tokenizer_config.json", "special_tokens_map.json", "generation_config.json",
            "config.json", "chat_template.json"])
        {
            string path = Path.Combine(folder, name);
            if (!File.Exists(path)) continue;
            try
            {
                using var document = JsonDocument.Parse(SmallFile.Read(path));
                if (document.RootElement.ValueKind != JsonValueKind.Object) throw new JsonException("it is not an object");
                config.files[name] = document.RootElement.Clone();
            }
            catch (JsonException error)
            {
                throw new TokenizerException("ASH0441", $"{path} is not JSON: {error.Message.TrimEnd('.')}.",
                    "fetch the file again.");
            }
        }
        config.AddedTokens = config.ReadAdded();
        return config;
    }

    /// <summary>The tokens that <c>tokenizer_config.json</c> lists by number.</summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; private set; } = [];

    public bool? AddsBegin => Flag("tokenizer_config.json", "add_bos_token");

    public bool? AddsEnd => Flag("tokenizer_config.json", "add_eos_token");

    JsonElement? Field(string file, string name) =>
        files.TryGetValue(file, out var root) && root.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
            ? value
            : null;

    bool? Flag(string file, string name) =>
        Field(file, name) is { ValueKind: JsonValueKind.True or JsonValueKind.False } value ? value.GetBoolean() : null;

    // A token is a text, or an object with its content.
    static string? TextOf(JsonElement? value) => value switch
    {
        { ValueKind: JsonValueKind.String } text => text.GetString(),
        { ValueKind: JsonValueKind.Object } entry when entry.TryGetProperty("content", out var content) => TextOf(content),
        _ => null,
    };

    string? TokenText(string name) =>
        TextOf(Field("tokenizer_config.json", name)) ?? TextOf(Field("special_tokens_map.json", name));

    AddedToken[] ReadAdded()
    {
        if (Field("tokenizer_config.json", "added_tokens_decoder") is not { ValueKind: JsonValueKind.Object } list) return [];
        var added = new List<AddedToken>();
        foreach (var entry in list.EnumerateObject())
        {
            if (!int.TryParse(entry.Name, out int token) || token is < 0 or >= Vocabulary.Limit
                || TextOf(entry.Value) is not { Length: > 0 } text)
                throw new TokenizerException("ASH0441",
                    $"{Path.Combine(folder, "tokenizer_config.json")} has the added token '{entry.Name}', which is not a number with a text.",
                    "fetch the file again.");
            bool has(string flag) => entry.Value.TryGetProperty(flag, out var value) && value.ValueKind == JsonValueKind.True;
            added.Add(new(text, token, has("special"))
            {
                StripsLeft = has("lstrip"),
                StripsRight = has("rstrip"),
                IsSingleWord = has("single_word"),
                IsNormalized = has("normalized"),
            });
        }
        return [.. added];
    }

    /// <summary>
    /// A tokenizer as its Python class would change it: tokens of <c>tokenizer_config.json</c> take the place of those of the
    /// file, and the classes of Llama and Gemma write the begin and the end as the config says.
    /// </summary>
    public TokenizerPipeline Adjust(TokenizerPipeline tokenizer)
    {
        var parts = tokenizer.Parts;
        if (AddedTokens.Count > 0)
        {
            var byNumber = AddedTokens.ToDictionary(token => token.Token);
            var texts = AddedTokens.Select(token => token.Text).ToHashSet();
            AddedToken[] merged = [.. parts.Added.Where(token => !byNumber.ContainsKey(token.Token)
                && !texts.Contains(token.Text)), .. AddedTokens];
            int count = Math.Max(tokenizer.VocabularySize, merged.Max(token => token.Token) + 1);
            byte[]?[] names =
                [.. Enumerable.Range(0, count).Select(token => tokenizer.Has(token) ? tokenizer.Text(token) : null)];
            foreach (var token in merged) names[token.Token] ??= Encoding.UTF8.GetBytes(token.Text);
            parts = parts with { Added = merged, Names = new Vocabulary(names) };
        }
        string kind = TextOf(Field("tokenizer_config.json", "tokenizer_class")) ?? "";
        if (kind.StartsWith("Llama", StringComparison.Ordinal) || kind.StartsWith("CodeLlama", StringComparison.Ordinal)
            || kind.StartsWith("Gemma", StringComparison.Ordinal)
            || kind.StartsWith("Cohere", StringComparison.Ordinal))
        {
            if (AddsBegin is { } begins && TokenText("bos_token") is { } begin && tokenizer.Find(begin) is { } first)
                parts = parts with
                {
                    Before = begins ? [first] : [],
                };
            if (AddsEnd is { } ends && TokenText("eos_token") is { } end && tokenizer.Find(end) is { } last) parts = parts with
            {
                Behind = ends ? [last] : [],
            };
        }
        return ReferenceEquals(parts, tokenizer.Parts) ? tokenizer : new(parts);
    }

    /// <summary>Adds what the files say about special tokens and templates.</summary>
    public TokenizerFiles Complete(Tokenizer tokenizer, SpecialTokens known)
    {
        int? Named(string name, int? otherwise) => TokenText(name) is { } text ? tokenizer.Find(text) ?? otherwise : otherwise;
        int? begin = Named("bos_token", known.Begin) ?? Numbers("bos_token_id").FirstOrDefault();
        int? end = Named("eos_token", known.End) ?? Numbers("eos_token_id").FirstOrDefault();
        return new()
        {
            Tokenizer = tokenizer,
            Special = new()
            {
                Begin = begin,
                End = end,
                Unknown = Named("unk_token", known.Unknown),
                Padding = Named("pad_token", known.Padding),
                Separator = Named("sep_token", known.Separator),
                Mask = Named("mask_token", known.Mask),
                Stop = SpecialTokens.FindStops(tokenizer, [end, .. Numbers("eos_token_id")]),
            },
            ChatTemplates = Templates(),
        };
    }

    // A number or a list of numbers; the file for generation comes before that of the model.
    int?[] Numbers(string name)
    {
        foreach (string file in (string[])["generation_config.json", "config.json"])
        {
            if (Field(file, name) is not { } value) continue;
            if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int single)) return [single];
            if (value.ValueKind == JsonValueKind.Array)
                return [.. value.EnumerateArray().Where(entry => entry.ValueKind == JsonValueKind.Number)
                    .Select(entry => (int?)entry.GetInt32())];
        }
        return [];
    }

    Dictionary<string, string> Templates()
    {
        var templates = new Dictionary<string, string>();
        foreach (string file in (string[])["tokenizer_config.json", "chat_template.json"])
        {
            if (Field(file, "chat_template") is not { } value) continue;
            if (value.ValueKind == JsonValueKind.String) templates["default"] = value.GetString()!;
            if (value.ValueKind != JsonValueKind.Array) continue;
            foreach (var entry in value.EnumerateArray())
                if (entry.ValueKind == JsonValueKind.Object && entry.TryGetProperty("name", out var name)
                    && entry.TryGetProperty("template", out var text))
                    templates[name.GetString()!] = text.GetString()!;
        }
        // A file of its own comes before the config; more of them have a folder.
        string own = Path.Combine(folder, "chat_template.jinja"), more = Path.Combine(folder, "additional_chat_templates");
        if (File.Exists(own)) templates["default"] = Encoding.UTF8.GetString(SmallFile.Read(own));
        if (Directory.Exists(more))
            foreach (string path in Directory.EnumerateFiles(more, "*.jinja").Order(StringComparer.Ordinal))
                templates[Path.GetFileNameWithoutExtension(path)] = Encoding.UTF8.GetString(SmallFile.Read(path));
        return templates;
    }

    /// <summary>How words are cut for a file of ranks, which does not say.</summary>
    public string TiktokenPattern(string folder, ReadOnlySpan<byte> content)
    {
        string about =
            $"{TextOf(Field("tokenizer_config.json", "tokenizer_class"))} {TextOf(Field("config.json", "model_type"))} {folder}".ToLowerInvariant();
        int ranks = content.Count((byte)'\n');
        if (about.Contains("kimi", StringComparison.Ordinal)) return KnownPatterns.Kimi;
        if (about.Contains("qwen", StringComparison.Ordinal)) return KnownPatterns.Qwen2;
        if (about.Contains("llama", StringComparison.Ordinal)) return KnownPatterns.Llama3;
        return TiktokenFile.PatternOf(ranks);
    }
}
