using System.Globalization;
using System.Text.Json;

namespace Ashlar.Formats;

/// <summary>How many weights of a type a model has.</summary>
/// <param name="Type">The type.</param>
/// <param name="Tensors">How many weights are of it.</param>
/// <param name="Elements">How many elements they have.</param>
/// <param name="Bytes">How many bytes they take.</param>
public sealed record TypeCount(WeightType Type, int Tensors, long Elements, long Bytes);

/// <summary>The tokenizer that lies in or beside a model.</summary>
/// <param name="Kind">What it is: BPE, Unigram, llama, gpt2, ...</param>
/// <param name="Splitter">How it splits texts before merging, where the file says it by name.</param>
/// <param name="Tokens">How many tokens it has.</param>
/// <param name="Merges">How many merges it has.</param>
/// <param name="Special">Tokens with a meaning, by it: bos, eos.</param>
public sealed record TokenizerSummary(string Kind, string? Splitter, int Tokens, int Merges,
    IReadOnlyList<(string Role, string Token)> Special);

/// <summary>What a model is, read from its headers and the files beside them: what <c>ashlar inspect</c> shows.</summary>
/// <param name="Path">What was opened.</param>
/// <param name="Format">GGUF or safetensors.</param>
/// <param name="Architecture">The architecture by the name that the files give it; null where they give none.</param>
/// <param name="Name">The name of the model; null where the files give none.</param>
/// <param name="Parts">How many files hold the weights.</param>
/// <param name="FileBytes">How long they are together.</param>
/// <param name="Types">What the weights are, most bytes first.</param>
/// <param name="Config">Sizes and settings of the architecture, by the names that the files give them.</param>
/// <param name="Tokenizer">The tokenizer; null where there is none.</param>
/// <param name="ChatTemplate">The chat template; null where there is none.</param>
public sealed record ModelSummary(
    string Path, string Format, string? Architecture, string? Name, int Parts, long FileBytes, IReadOnlyList<TypeCount> Types,
    IReadOnlyList<(string Name, string Value)> Config, TokenizerSummary? Tokenizer, string? ChatTemplate)
{
    static readonly string[] roles = ["bos", "eos", "eot", "eom", "unk", "sep", "pad", "cls", "mask"];

    /// <summary>How many elements all weights have.</summary>
    public long Parameters => Types.Sum(type => type.Elements);

    /// <summary>How many weights there are.</summary>
    public int Tensors => Types.Sum(type => type.Tensors);

    /// <summary>How many bytes all weights take.</summary>
    public long WeightBytes => Types.Sum(type => type.Bytes);

    /// <summary>The summary of an open model.</summary>
    /// <exception cref="ModelFileException">A file beside the weights is damaged.</exception>
    public static ModelSummary Of(WeightFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        TypeCount[] types = [.. file.Entries.GroupBy(entry => entry.Type)
            .Select(group => new TypeCount(group.Key, group.Count(), group.Sum(entry => entry.Elements),
                group.Sum(entry => entry.Bytes)))
            .OrderByDescending(count => count.Bytes).ThenBy(count => count.Type)];
        return file switch
        {
            Gguf gguf => OfGguf(gguf, types),
            SafetensorsFolder folder => OfFolder(folder, types),
            _ => throw new ArgumentException($"{file.GetType().Name} is no model.", nameof(file)),
        };
    }

    static ModelSummary OfGguf(Gguf file, TypeCount[] types)
    {
        var said = file.Metadata;
        string? architecture = said.TryText("general.architecture", out var text) ? text : null;
        (string, string)[] config = [.. said.Keys.Where(key =>
            architecture is not null && key.StartsWith(architecture + ".", StringComparison.Ordinal))
            .Select(key => (key[(architecture!.Length + 1)..], said.ValueText(key)))];
        return new(file.Path, "GGUF", architecture, said.TryText("general.name", out var name) ? name : null, file.Parts.Count,
            file.FileBytes, types, config,
            TokenizerOf(said), said.TryText("tokenizer.chat_template", out var template) ? template : null);
    }

    static TokenizerSummary? TokenizerOf(GgufMetadata said)
    {
        if (!said.TryText("tokenizer.ggml.model", out var kind)) return null;
        var tokens = said.TryTexts("tokenizer.ggml.tokens", out var list) ? list : null;
        var special = new List<(string, string)>();
        foreach (string role in roles)
            if (said.TryInt($"tokenizer.ggml.{KeyOf(role)}_token_id", out long id))
                special.Add((role, tokens is not null && id < tokens.Count
                    ? $"{id} {Shown(tokens.Utf8((int)id).Span)}" : id.ToString(CultureInfo.InvariantCulture)));
        return new(kind, said.TryText("tokenizer.ggml.pre", out var pre) ? pre : null, tokens?.Count ?? 0,
            said.Has("tokenizer.ggml.merges") ? said.ListOf("tokenizer.ggml.merges").Count : 0, special);

        static string KeyOf(string role) =>
            role switch { "unk" => "unknown", "pad" => "padding", "sep" => "seperator", _ => role };

        static string Shown(ReadOnlySpan<byte> token) => System.Text.Encoding.UTF8.GetString(token);
    }

    static ModelSummary OfFolder(SafetensorsFolder file, TypeCount[] types)
    {
        var config = ModelJson.Read(file.Folder, "config.json");
        var settings = ModelJson.Read(file.Folder, "tokenizer_config.json");
        string? architecture = null;
        var values = new List<(string, string)>();
        if (config is { } json)
        {
            architecture = json.Member("architectures") is { ValueKind: JsonValueKind.Array } list && list.GetArrayLength() > 0
                ? list[0].ToString() : json.Text("model_type");
            Flatten(json, "", values);
        }
        string? template = ModelJson.ReadText(file.Folder, "chat_template.jinja") ?? settings?.Text("chat_template");
        return new(file.Path, "safetensors", architecture, config?.Text("_name_or_path"), file.Parts.Count, file.FileBytes, types,
            values,
            TokenizerOf(file.Folder, config, settings), template);
    }

    static void Flatten(JsonElement json, string prefix, List<(string, string)> values)
    {
        foreach (var property in json.EnumerateObject())
        {
            if (prefix.Length == 0 && property.Name is "architectures" or "_name_or_path") continue;
            if (property.Value.ValueKind == JsonValueKind.Object) Flatten(property.Value, $"{prefix}{property.Name}.", values);
            else values.Add((prefix + property.Name,
                property.Value.ValueKind == JsonValueKind.String ? property.Value.GetString()! : property.Value.GetRawText()));
        }
    }

    static TokenizerSummary? TokenizerOf(string folder, JsonElement? config, JsonElement? settings)
    {
        if (ModelJson.Read(folder, "tokenizer.json") is not { } json)
            return File.Exists(System.IO.Path.Combine(folder, "tokenizer.model"))
                ? new("SentencePiece (tokenizer.model)", null, 0, 0, Roles(null)) : null;
        var model = json.Member("model");
        var vocabulary = model?.Member("vocab");
        int tokens = vocabulary is { ValueKind: JsonValueKind.Object } named ? named.EnumerateObject().Count()
            : vocabulary is { ValueKind: JsonValueKind.Array } listed ? listed.GetArrayLength() : 0;
        var ids = new Dictionary<string, string>(StringComparer.Ordinal);
        if (json.Member("added_tokens") is { ValueKind: JsonValueKind.Array } added)
            foreach (var token in added.EnumerateArray())
                if (token.Text("content") is { } content && token.Member("id") is { } id && ids.TryAdd(content, id.GetRawText())
                    && IsNew(content)) tokens++;
        return new(model?.Text("type") ?? "BPE", json.Member("pre_tokenizer")?.Text("type"), tokens,
            model?.Member("merges") is { ValueKind: JsonValueKind.Array } merges ? merges.GetArrayLength() : 0, Roles(ids));

        bool IsNew(string content) => vocabulary is not { ValueKind: JsonValueKind.Object } table
            || !table.TryGetProperty(content, out _);

        List<(string, string)> Roles(Dictionary<string, string>? ids)
        {
            var special = new List<(string, string)>();
            foreach (string role in roles)
            {
                var token = settings?.Member($"{role}_token");
                string? text = token is { ValueKind: JsonValueKind.Object } ? token.Value.Text("content") : token?.ToString();
                string? id = text is not null && ids is not null && ids.TryGetValue(text, out var known) ? known
                    : config?.Member($"{role}_token_id")?.GetRawText();
                if (id is not null || text is not null) special.Add(
                    (role, string.Join(' ', ((string?[])[id, text]).OfType<string>())));
            }
            return special;
        }
    }
}
