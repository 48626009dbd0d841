using System.Text.Json;
using Ashlar.Tokenizers;
using Microsoft.Extensions.AI;

namespace Ashlar.Serving;

/// <summary>How a family of models writes calls of tools into its answers.</summary>
/// <param name="Open">What calls begin with; a special token, or text.</param>
/// <param name="Close">What they end with; null: the answer's end.</param>
/// <param name="Parse">The calls of what stands between; null where these are none.</param>
/// <param name="IsWhole">A whole answer that begins with a brace is a call too, without <paramref name="Open"/>.</param>
sealed record ToolFormat(string Open, string? Close, Func<string, IReadOnlyList<FunctionCallContent>?> Parse,
    bool IsWhole = false)
{
    const string DeepSeekCall = "<｜tool▁call▁begin｜>", DeepSeekEnd = "<｜tool▁call▁end｜>", DeepSeekSeparator = "<｜tool▁sep｜>";

    /// <summary>Qwen, Hermes, SmolLM, and most others: a JSON object between tags; GLM 4.5 names and values between tags of their
    /// own.</summary>
    public static ToolFormat Tagged { get; } = new("<tool_call>", "</tool_call>", body => Json(body) ?? Pairs(body));

    /// <summary>Mistral: a list of objects, or since 2025 each call as name, [ARGS] and an object.</summary>
    public static ToolFormat Mistral { get; } =
        new("[TOOL_CALLS]", null, body => Json(body) ?? Named(body, "[TOOL_CALLS]", "[ARGS]", "[CALL_ID]"));

    /// <summary>Llama 3.1 and later: the answer is an object with <c>name</c> and <c>parameters</c>, or several, divided by
    /// semicolons.</summary>
    public static ToolFormat Llama { get; } = new("<|python_tag|>", null, Json, IsWhole: true);

    /// <summary>Phi 4 mini: a list of objects.</summary>
    public static ToolFormat Phi { get; } = new("<|tool_call|>", "<|/tool_call|>", Json);

    /// <summary>DeepSeek V3, R1 and V3.1.</summary>
    public static ToolFormat DeepSeek { get; } = new("<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>", Fenced);

    /// <summary>The format of a model, by its special tokens and its template.</summary>
    public static ToolFormat Of(Tokenizer tokenizer, string template)
    {
        bool Says(ToolFormat format) => template.Contains(format.Open, StringComparison.Ordinal);
        bool Knows(ToolFormat format) => tokenizer.Find(format.Open) is not null;
        foreach (var format in (ToolFormat[])[Mistral, DeepSeek, Phi])
            if (Says(format) || Knows(format) && !Says(Tagged)) return format;
        return !Says(Tagged) && (Says(Llama) || Knows(Llama)) ? Llama : Tagged;
    }

    /// <summary>Whether a special token belongs to calls, so that its name is a part of what is parsed.</summary>
    public bool Marks(string name) =>
        name == Open || name == Close || name is "[ARGS]" or "[CALL_ID]" or DeepSeekCall or DeepSeekEnd or DeepSeekSeparator;

    // One object, a list of them, or several one after the other.
    static List<FunctionCallContent>? Json(string body)
    {
        var calls = new List<FunctionCallContent>();
        byte[] utf8 = System.Text.Encoding.UTF8.GetBytes(body);
        int at = 0;
        try
        {
            while (true)
            {
                while (at < utf8.Length
                    && (utf8[at] is (byte)';' or (byte)',' && calls.Count > 0 || char.IsWhiteSpace((char)utf8[at]))) at++;
                if (at == utf8.Length) return calls.Count > 0 ? calls : null;
                var reader = new Utf8JsonReader(utf8.AsSpan(at));
                using var json = JsonDocument.ParseValue(ref reader);
                at += (int)reader.BytesConsumed;
                if (json.RootElement.ValueKind == JsonValueKind.Array)
                {
                    foreach (var element in json.RootElement.EnumerateArray())
                        if (Call(element) is { } one) calls.Add(one);
                        else return null;
                    continue;
                }
                if (Call(json.RootElement) is not { } call) return null;
                calls.Add(call);
            }
        }
        catch (JsonException)
        {
            return null;   // what the model wrote is no JSON: the reader of its answer sees it as it is
        }
    }

    static FunctionCallContent? Call(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object) return null;
        if (root.TryGetProperty("function", out var within) && within.ValueKind == JsonValueKind.Object) root = within;
        if (!root.TryGetProperty("name", out var name) || name.ValueKind != JsonValueKind.String) return null;
        if (!root.TryGetProperty("arguments", out var given) && !root.TryGetProperty("parameters", out given))
            return new("", name.GetString()!, new Dictionary<string, object?>());
        return Arguments(given) is { } arguments ? new("", name.GetString()!, arguments) : null;
    }

    static Dictionary<string, object?>? Arguments(JsonElement given)
    {
        if (given.ValueKind == JsonValueKind.Null) return [];
        if (given.ValueKind != JsonValueKind.Object) return null;
        var arguments = new Dictionary<string, object?>();
        foreach (var argument in given.EnumerateObject()) arguments[argument.Name] = argument.Value.Clone();
        return arguments;
    }

    /// <summary>A call whose arguments stand alone; null where they are no object.</summary>
    public static FunctionCallContent? Call(string name, string arguments)
    {
        if (name.Length == 0) return null;
        if (string.IsNullOrWhiteSpace(arguments)) return new("", name, new Dictionary<string, object?>());
        try
        {
            using var json = JsonDocument.Parse(arguments);
            return Arguments(json.RootElement) is { } read ? new("", name, read) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    // name[ARGS]{...}, again after another opening mark
    static List<FunctionCallContent>? Named(string body, string open, string separator, string id)
    {
        var calls = new List<FunctionCallContent>();
        foreach (string one in body.Split(open, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            int at = one.IndexOf(separator, StringComparison.Ordinal), brace = one.IndexOf('{', StringComparison.Ordinal);
            string name = at >= 0 ? one[..at] : brace > 0 ? one[..brace] : one,
                arguments = at >= 0 ? one[(at + separator.Length)..] : brace > 0 ? one[brace..] : "";
            if (name.IndexOf(id, StringComparison.Ordinal) is >= 0 and var behind) name = name[..behind];
            if (at < 0 && brace <= 0 || Call(name.Trim(), arguments) is not { } call) return null;
            calls.Add(call);
        }
        return calls.Count > 0 ? calls : null;
    }

    // <name>\n<arg_key>k</arg_key>\n<arg_value>v</arg_value>...
    static List<FunctionCallContent>? Pairs(string body)
    {
        const string key = "<arg_key>", keyEnd = "</arg_key>", value = "<arg_value>", valueEnd = "</arg_value>";
        int at = body.IndexOf(key, StringComparison.Ordinal);
        string name = (at < 0 ? body : body[..at]).Trim();
        if (at < 0 || name.Length == 0 || name.Any(char.IsWhiteSpace)) return null;
        var arguments = new Dictionary<string, object?>();
        while (at >= 0)
        {
            int end = body.IndexOf(keyEnd, at, StringComparison.Ordinal),
                from = body.IndexOf(value, at, StringComparison.Ordinal);
            int to = from < 0 ? -1 : body.IndexOf(valueEnd, from, StringComparison.Ordinal);
            if (end < 0 || to < 0) return null;
            arguments[body[(at + key.Length)..end].Trim()] = Value(body[(from + value.Length)..to].Trim());
            at = body.IndexOf(key, to, StringComparison.Ordinal);
        }
        return [new("", name, arguments)];
    }

    // Texts stand without quotes, everything else as JSON.
    static object Value(string text)
    {
        try
        {
            using var json = JsonDocument.Parse(text);
            return json.RootElement.Clone();
        }
        catch (JsonException)
        {
            return text;
        }
    }

    // V3: function, separator, name, then the object in a fence; V3.1: name, separator, the object.
    static List<FunctionCallContent>? Fenced(string body)
    {
        const string fence = "```json";
        var calls = new List<FunctionCallContent>();
        foreach (string one in body.Split(DeepSeekCall, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string call = one.Replace(DeepSeekEnd, "", StringComparison.Ordinal);
            int separator = call.IndexOf(DeepSeekSeparator, StringComparison.Ordinal);
            if (separator < 0) return null;
            string before = call[..separator].Trim(), after = call[(separator + DeepSeekSeparator.Length)..];
            int at = after.IndexOf(fence, StringComparison.Ordinal);
            var read = at < 0
                ? Call(before, after)
                : Call(after[..at].Trim(), after[(at + fence.Length)..].TrimEnd().TrimEnd('`'));
            if (read is null) return null;
            calls.Add(read);
        }
        return calls.Count > 0 ? calls : null;
    }
}
