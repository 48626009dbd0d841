using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Ashlar.Formats;

/// <summary>The tokenizer of a folder as metadata of a GGUF file, and back.</summary>
static class TokenizerMetadata
{
    const int Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, Byte = 6;

    /// <summary>Where the format keeps a whole tokenizer.json.</summary>
    const string JsonKey = "tokenizer.huggingface.json";

    static readonly (string Folder, string Gguf)[] roles =
        // the misspelling is the format's
        [("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding"), ("sep", "seperator"), ("cls", "cls"),
            ("mask", "mask")];

    // How words are split, by what the regular expression of a tokenizer.json has that others lack, and what llama.cpp calls it.
    static readonly (string Part, string Name)[] splitters =
    [
        (@"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", "gpt-4o"), (@"\p{N}{1,3}|", "llama-bpe"), (@"\p{L}+|\p{N}|", "qwen2"),
            ("一-龥぀-ゟ゠-ヿ", "deepseek-v3"), ("一-龥ࠀ-一가-퟿", "deepseek-llm"),
    ];

    public static void Add(GgufMetadata metadata, string folder, ModelConfig config, Architecture architecture,
        List<string> notes)
    {
        var settings = ModelJson.Read(folder, "tokenizer_config.json");
        var json = ModelJson.Read(folder, "tokenizer.json");
        byte[]? pieces = File.Exists(Path.Combine(folder, "tokenizer.model"))
            ? File.ReadAllBytes(Path.Combine(folder, "tokenizer.model")) : null;
        if (json is null && pieces is null)
        {
            notes.Add("the folder has no tokenizer.json and no tokenizer.model, so the file has no tokenizer");
            return;
        }
        var model = json?.Member("model");
        string kind = model?.Text("type") ?? "";
        bool isByByte = model?.Member("byte_fallback") is { ValueKind: JsonValueKind.True };
        if (pieces is not null && (json is null || isByByte)) AddPieces(metadata, pieces, json, config);
        else if (kind == "BPE" || kind.Length == 0 && model?.Member("merges") is not null) AddBpe(metadata, json!.Value, config,
            architecture, isByByte);
        else if (kind == "WordPiece") AddWordPiece(metadata, json!.Value, config);
        else throw new ModelFileException("ASH0465",
            $"{folder}: a tokenizer of the kind {kind} has no place in {architecture.Gguf} files.",
            "convert the model with the program of its makers.");
        if (json is { } whole) metadata.SetText(JsonKey, whole.GetRawText());
        AddSpecial(metadata, folder, settings, json, config);
    }

    static void AddSpecial(GgufMetadata metadata, string folder, JsonElement? settings, JsonElement? json, ModelConfig config)
    {
        var ids = new Dictionary<string, long>(StringComparer.Ordinal);
        if (json?.Member("added_tokens") is { ValueKind: JsonValueKind.Array } added)
            foreach (var token in added.EnumerateArray())
                if (token.Text("content") is { } content
                    && token.Member("id") is { ValueKind: JsonValueKind.Number } number
                    && number.TryGetInt64(out long id)) ids[content] = id;
        foreach (var (role, key) in roles)
        {
            var named = settings?.Member($"{role}_token");
            string? text = named is { ValueKind: JsonValueKind.Object } ? named.Value.Text("content") : named?.ToString();
            var given = config[$"{role}_token_id"];
            if (given is { ValueKind: JsonValueKind.Array } several && several.GetArrayLength() > 0) given = several[0];
            if (text is not null && ids.TryGetValue(text, out long id) || given is { ValueKind: JsonValueKind.Number }
                && given.Value.TryGetInt64(out id) && id >= 0)
                metadata.SetInt($"tokenizer.ggml.{key}_token_id", id);
        }
        foreach (string end in (string[])["bos", "eos"])
            if (settings?.Member($"add_{end}_token") is { ValueKind: JsonValueKind.True or JsonValueKind.False } adds)
                metadata.SetBool($"tokenizer.ggml.add_{end}_token", adds.ValueKind == JsonValueKind.True);
        if ((ModelJson.ReadText(folder,
            "chat_template.jinja") ?? settings?.Text("chat_template")) is { } template) metadata.SetText(
            "tokenizer.chat_template", template);
    }

    static void AddPieces(GgufMetadata metadata, byte[] pieces, JsonElement? json, ModelConfig config)
    {
        var (texts, scores, types) = SentencePieces.Read(pieces);
        SetAdded(json, config, texts, scores, types);
        metadata.SetText("tokenizer.ggml.model", "llama");
        metadata.SetText("tokenizer.ggml.pre", "default");
        Set(metadata, texts, types);
        metadata.SetFloats("tokenizer.ggml.scores", scores);
    }

    static void AddBpe(GgufMetadata metadata, JsonElement json, ModelConfig config, Architecture architecture, bool isByByte)
    {
        var model = json.Member("model")!.Value;
        var (texts, types) = Vocabulary(json, config);
        string[] merges = model.Member("merges") is { ValueKind: JsonValueKind.Array } list
            ? [.. list.EnumerateArray().Select(Merge)] : [];
        if (isByByte)
        {
            // llama.cpp merges by scores: the earlier a token's merge, the higher its score.
            var scores = new float[texts.Count].ToList();
            var ids = texts.Select((text, id) => (text, id)).DistinctBy(pair => pair.text)
                .ToDictionary(pair => pair.text, pair => pair.id, StringComparer.Ordinal);
            for (int i = merges.Length - 1; i >= 0; i--)
                if (ids.TryGetValue(merges[i].Remove(merges[i].IndexOf(' ', 1), 1), out int id)) scores[id] = -i;
            for (int id = 0; id < texts.Count; id++)
                if (texts[id].Length == 6 && texts[id].StartsWith("<0x", StringComparison.Ordinal)
                    && texts[id][^1] == '>') types[id] = Byte;
            if (model.Text("unk_token") is { } unknown && ids.TryGetValue(unknown, out int unknownId)) types[unknownId] = Unknown;
            metadata.SetText("tokenizer.ggml.model", "llama");
            metadata.SetText("tokenizer.ggml.pre", "default");
            Set(metadata, texts, types);
            metadata.SetFloats("tokenizer.ggml.scores", scores);
            return;
        }
        metadata.SetText("tokenizer.ggml.model", "gpt2");
        metadata.SetText("tokenizer.ggml.pre", Splitter(json, architecture));
        Set(metadata, texts, types);
        metadata.SetTexts("tokenizer.ggml.merges", merges);
    }

    // Two parts with a space between them, as older files have it; newer ones have a list of two.
    static string Merge(JsonElement merge)
    {
        if (merge.ValueKind == JsonValueKind.Array && merge.GetArrayLength() == 2
            && merge[0] is { ValueKind: JsonValueKind.String } first && merge[1] is { ValueKind: JsonValueKind.String } second)
            return $"{first.GetString()} {second.GetString()}";
        if (merge.ValueKind == JsonValueKind.String && merge.GetString() is { Length: > 2 } text
            && text.IndexOf(' ', 1) is > 0 and var space
            && space < text.Length - 1) return text;
        throw new ModelFileException("ASH0465", $"tokenizer.json has the merge {merge.GetRawText()}, which is no pair of tokens.",
            "download the folder again.");
    }

    static void AddWordPiece(GgufMetadata metadata, JsonElement json, ModelConfig config)
    {
        var (texts, types) = Vocabulary(json, config);
        for (int id = 0; id < texts.Count; id++)
            if (types[id] == Normal) texts[id] = texts[id].StartsWith("##", StringComparison.Ordinal) ? texts[id][2..]
                : "▁" + texts[id];
        metadata.SetText("tokenizer.ggml.model", "bert");
        metadata.SetText("tokenizer.ggml.pre", "default");
        Set(metadata, texts, types);
        metadata.SetInt("tokenizer.ggml.token_type_count", config.Number("type_vocab_size") is { } count ? (long)count : 1);
    }

    static void Set(GgufMetadata metadata, List<string> texts, List<int> types)
    {
        metadata.SetTexts("tokenizer.ggml.tokens", texts);
        metadata.SetInts("tokenizer.ggml.token_type", [.. types.Select(type => (long)type)]);
    }

    /// <summary>All tokens by their numbers, as many as the embedding has rows.</summary>
    static (List<string> Texts, List<int> Types) Vocabulary(JsonElement json, ModelConfig config)
    {
        var byId = new SortedDictionary<int, string>();
        if (json.Member("model")?.Member("vocab") is { ValueKind: JsonValueKind.Object } vocabulary)
            foreach (var token in vocabulary.EnumerateObject())
                if (token.Value.ValueKind != JsonValueKind.Number || !token.Value.TryGetInt32(out int id) || id < 0
                    || !byId.TryAdd(id, token.Name))
                    throw new ModelFileException("ASH0465",
                        $"tokenizer.json gives the token '{token.Name}' the number {token.Value.GetRawText()}, which is taken or none.", "download the folder again.");
        long size = Math.Max(config.Number("vocab_size") is { } rows ? (long)rows : 0,
            byId.Count == 0 ? 0 : byId.Keys.Last() + 1L);
        if (size > 1 << 24) throw new ModelFileException("ASH0465", $"the vocabulary would have {size:N0} tokens.",
            "check config.json and tokenizer.json.");
        var texts = Enumerable.Range(0, (int)size).Select(id => byId.GetValueOrDefault(id, $"[PAD{id}]")).ToList();
        var types = Enumerable.Range(0, (int)size).Select(id => byId.ContainsKey(id) ? Normal : Unused).ToList();
        SetAdded(json, config, texts, null, types);
        return (texts, types);
    }

    static void SetAdded(JsonElement? json, ModelConfig config, List<string> texts, List<float>? scores, List<int> types)
    {
        long size = config.Number("vocab_size") is { } rows ? (long)rows : texts.Count;
        void Grow(long to)
        {
            for (int id = texts.Count; id < to && id < 1 << 24; id++)
            {
                texts.Add($"[PAD{id}]");
                types.Add(Unused);
                scores?.Add(-10000);
            }
        }
        Grow(size);
        if (json?.Member("added_tokens") is not { ValueKind: JsonValueKind.Array } added) return;
        foreach (var token in added.EnumerateArray())
        {
            if (token.Text("content") is not { } content || token.Member("id") is not { ValueKind: JsonValueKind.Number } number
                || !number.TryGetInt32(out int id) || id < 0 || id >= 1 << 24) continue;
            Grow(id + 1L);
            bool isNew = types[id] == Unused || texts[id] != content;
            texts[id] = content;
            if (types[id] is Unknown or Byte) continue;
            types[id] = token.Member("special") is { ValueKind: JsonValueKind.True } ? Control : UserDefined;
            if (isNew && scores is not null) scores[id] = -1000;
        }
    }

    static string Splitter(JsonElement json, Architecture architecture)
    {
        var step = json.Member("pre_tokenizer");
        string text = step is { } given ? Patterns(given) : "";
        if (architecture.Gguf == "glm4") return "glm4";
        foreach (var (part, name) in splitters)
            if (text.Contains(part, StringComparison.Ordinal)) return name == "llama-bpe" && json.Member("model")?.Member(
                "ignore_merges") is not { ValueKind: JsonValueKind.True } ? "dbrx" : name;
        if (text.Contains("Digits", StringComparison.Ordinal)) return "smollm";
        if (text.Contains("ByteLevel+regex", StringComparison.Ordinal)) return "gpt-2";
        throw new ModelFileException("ASH0465", $"tokenizer.json splits words in a way that has no name in GGUF files: {text}",
            "convert the model with the program of its makers.");
    }

    /// <summary>The kinds and patterns of a pre-tokenizer, one after the other.</summary>
    static string Patterns(JsonElement step) => step.Text("type") switch
    {
        "Sequence" => string.Join(' ', step.Member("pretokenizers") is { ValueKind: JsonValueKind.Array } list
            ? list.EnumerateArray().Select(Patterns) : []),
        "Split" => $"Split({step.Member("pattern")?.Text("Regex") ?? step.Member("pattern")?.Text("String")})",
        "ByteLevel" => step.Member("use_regex") is { ValueKind: JsonValueKind.False } ? "ByteLevel" : "ByteLevel+regex",
        var kind => kind ?? "",
    };

    /// <summary>Writes what a file says about its tokenizer beside the weights.</summary>
    public static void Restore(GgufMetadata metadata, string folder, List<string> notes)
    {
        string? Token(string key) => metadata.TryInt($"tokenizer.ggml.{key}_token_id", out long id)
            && metadata.TryTexts("tokenizer.ggml.tokens", out var tokens) && id < tokens.Count ? tokens[(int)id] : null;
        if (metadata.TryText(JsonKey, out var json)) AtomicFile.Write(Path.Combine(folder, "tokenizer.json"),
            Encoding.UTF8.GetBytes(json));
        else if (metadata.TryText("tokenizer.ggml.model", out var kind)
            && kind == "llama" && metadata.Has("tokenizer.ggml.scores"))
            AtomicFile.Write(Path.Combine(folder, "tokenizer.model"), SentencePieces.Write(metadata));
        else if (metadata.Has("tokenizer.ggml.tokens"))
            notes.Add($"the tokenizer ({kind}) was not restored: the file does not have its tokenizer.json");
        var text = new System.Buffers.ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(text, new() { Indented = true, NewLine = "\n" }))
        {
            writer.WriteStartObject();
            foreach (string end in (string[])["bos", "eos"])
                if (metadata.TryBool($"tokenizer.ggml.add_{end}_token", out bool adds)) writer.WriteBoolean($"add_{end}_token",
                    adds);
            foreach (var (role, key) in roles)
                if (Token(key) is { } token) writer.WriteString($"{role}_token", token);
            if (metadata.TryText("tokenizer.chat_template", out var template)) writer.WriteString("chat_template", template);
            writer.WriteEndObject();
        }
        if (metadata.Has("tokenizer.ggml.model")) AtomicFile.Write(Path.Combine(folder, "tokenizer_config.json"),
            text.WrittenSpan.ToArray());
    }
}
