using System.Text.Json;
using Microsoft.Extensions.AI;

namespace Ashlar.Serving;

/// <summary>Finds calls of tools in an answer: <c>&lt;tool_call&gt;{"name": ..., "arguments": {...}}&lt;/tool_call&gt;</c>.</summary>
/// <remarks>For one answer. What may be the begin of a tag is held back, and a call until it is whole. What is no call stays text.</remarks>
sealed class ToolCallSplitter
{
    const string Open = "<tool_call>", Close = "</tool_call>";

    string held = "";
    bool isCall;

    /// <summary>How many calls there were.</summary>
    public int Calls { get; private set; }

    /// <summary>Takes a piece of the answer apart.</summary>
    public IReadOnlyList<AIContent> Add(string piece)
    {
        var parts = new List<AIContent>();
        string text = held + piece;
        while (true)
        {
            string tag = isCall ? Close : Open;
            int at = text.IndexOf(tag, StringComparison.Ordinal);
            if (at >= 0)
            {
                if (isCall) parts.Add(Read(text[..at], isWhole: true));
                else if (at > 0) parts.Add(new TextContent(text[..at]));
                (isCall, text) = (!isCall, text[(at + tag.Length)..]);
                continue;
            }
            int kept = isCall ? text.Length : Math.Min(tag.Length - 1, text.Length);
            while (!isCall && kept > 0 && !text.AsSpan(text.Length - kept).SequenceEqual(tag.AsSpan(0, kept))) kept--;
            held = text[^kept..];
            if (kept < text.Length) parts.Add(new TextContent(text[..^kept]));
            return parts;
        }
    }

    /// <summary>What was held back, at the end. Some models end their answer in place of a call's closing tag.</summary>
    public IReadOnlyList<AIContent> Rest()
    {
        string rest = held;
        held = "";
        return isCall ? [Read(rest, isWhole: false)] : rest.Length > 0 ? [new TextContent(rest)] : [];
    }

    AIContent Read(string call, bool isWhole)
    {
        try
        {
            using var json = JsonDocument.Parse(call);
            var root = json.RootElement;
            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("name", out var name) && name.ValueKind == JsonValueKind.String)
            {
                var arguments = new Dictionary<string, object?>();
                if (root.TryGetProperty("arguments", out var given) || root.TryGetProperty("parameters", out given))
                {
                    if (given.ValueKind is not (JsonValueKind.Object or JsonValueKind.Null)) return Text();
                    if (given.ValueKind == JsonValueKind.Object)
                        foreach (var argument in given.EnumerateObject()) arguments[argument.Name] = argument.Value.Clone();
                }
                // Templates of Mistral's family want ids of nine letters and digits.
                return new FunctionCallContent($"call{Calls++:00000}", name.GetString()!, arguments);
            }
        }
        catch (JsonException)
        {
            // what the model wrote is no JSON: the reader of its answer sees it as it is
        }
        return Text();

        TextContent Text() => new(isWhole ? Open + call + Close : Open + call);
    }
}
