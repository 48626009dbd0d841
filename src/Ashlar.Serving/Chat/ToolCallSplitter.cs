using Microsoft.Extensions.AI;

namespace Ashlar.Serving;

/// <summary>Finds calls of tools in an answer.</summary>
/// <param name="format">How the model writes them.</param>
/// <remarks>For one answer. What may be the begin of a mark is held back, and a call until it is whole. What is no call stays
/// text.</remarks>
sealed class ToolCallSplitter(ToolFormat format)
{
    string held = "";
    bool isCall, isBegun, isBare;

    /// <summary>How many calls there were.</summary>
    public int Calls { get; private set; }

    /// <summary>Takes a piece of the answer apart.</summary>
    public IReadOnlyList<AIContent> Add(string piece)
    {
        var parts = new List<AIContent>();
        string text = held + piece;
        if (format.IsWhole && !isBegun && text.AsSpan().TrimStart() is { Length: > 0 } begin)
        {
            isBegun = true;
            isCall = isBare = begin[0] is '{' or '[';
        }
        while (true)
        {
            string? mark = isCall ? format.Close : format.Open;
            int at = mark is null ? -1 : text.IndexOf(mark, StringComparison.Ordinal);
            if (at >= 0)
            {
                if (isCall) Read(text[..at], isClosed: true, parts);
                else if (at > 0) parts.Add(new TextContent(text[..at]));
                (isCall, text) = (!isCall, text[(at + mark!.Length)..]);
                continue;
            }
            int kept = isCall ? text.Length : Math.Min(mark!.Length - 1, text.Length);
            while (!isCall && kept > 0 && !text.AsSpan(text.Length - kept).SequenceEqual(mark.AsSpan(0, kept))) kept--;
            held = text[^kept..];
            if (kept < text.Length) parts.Add(new TextContent(text[..^kept]));
            return parts;
        }
    }

    /// <summary>What was held back, at the end. Some models end their answer in place of a call's closing mark.</summary>
    public IReadOnlyList<AIContent> Rest()
    {
        var parts = new List<AIContent>();
        string rest = held;
        held = "";
        if (isCall) Read(rest, isClosed: false, parts);
        else if (rest.Length > 0) parts.Add(new TextContent(rest));
        isCall = false;
        return parts;
    }

    /// <summary>The call with an id of its own.</summary>
    // Templates of Mistral's family want ids of nine letters and digits.
    public FunctionCallContent Numbered(FunctionCallContent call) => new($"call{Calls++:00000}", call.Name, call.Arguments);

    void Read(string body, bool isClosed, List<AIContent> parts)
    {
        if (format.Parse(body) is { } calls)
        {
            foreach (var call in calls) parts.Add(Numbered(call));
            return;
        }
        string text = (isBare ? "" : format.Open) + body + (isClosed ? format.Close : "");
        if (text.Length > 0) parts.Add(new TextContent(text));
    }
}
