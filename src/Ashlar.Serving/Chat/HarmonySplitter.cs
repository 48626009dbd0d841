using System.Text;
using Microsoft.Extensions.AI;

namespace Ashlar.Serving;

/// <summary>Takes answers of GPT-OSS apart: messages of several channels, each with a header.</summary>
/// <remarks>
/// <c>&lt;|channel|&gt;analysis&lt;|message|&gt;...&lt;|end|&gt;&lt;|start|&gt;assistant&lt;|channel|&gt;final&lt;|message|&gt;...&lt;|return|&gt;</c>:
/// analysis is reasoning, final and commentary are said; commentary to a recipient is a call: <c>&lt;|channel|&gt;commentary
/// to=functions.find &lt;|constrain|&gt;json&lt;|message|&gt;{...}&lt;|call|&gt;</c>. Source: the openai-harmony response format.
/// For one answer, which begins within a header.
/// </remarks>
sealed class HarmonySplitter
{
    const string Channel = "<|channel|>", Functions = "functions.", To = "to=";

    readonly StringBuilder header = new(), call = new();
    readonly Func<FunctionCallContent, FunctionCallContent>? numbered;
    string? recipient;
    bool isMessage;

    /// <param name="numbered">Gives a call its id; null where no tools were given: then calls are text.</param>
    public HarmonySplitter(Func<FunctionCallContent, FunctionCallContent>? numbered) => this.numbered = numbered;

    /// <summary>True while the model thinks.</summary>
    public bool IsReasoning { get; private set; }

    /// <summary>Whether a special token is a part of the format.</summary>
    public static bool Marks(string name) =>
        name is Channel or "<|message|>" or "<|start|>" or "<|end|>" or "<|call|>" or "<|return|>" or "<|constrain|>";

    /// <summary>Takes text.</summary>
    public IReadOnlyList<AIContent> Add(string text)
    {
        if (text.Length == 0) return [];
        if (!isMessage) header.Append(text);
        else if (recipient is not null) call.Append(text);
        else return [IsReasoning ? new TextReasoningContent(text) : new TextContent(text)];
        return [];
    }

    /// <summary>Takes a special token.</summary>
    public IReadOnlyList<AIContent> Mark(string name)
    {
        switch (name)
        {
            case Channel or "<|constrain|>":
                if (!isMessage) header.Append(name);
                return [];
            case "<|message|>":
                Begin();
                return [];
            default:
                var ended = End();
                header.Clear();
                return ended;
        }
    }

    /// <summary>What was held back, at the end.</summary>
    public IReadOnlyList<AIContent> Rest()
    {
        var ended = End();
        string rest = header.ToString();
        header.Clear();
        // A model that keeps to no format is shown as it is.
        return rest.Length > 0 && !rest.Contains(Channel, StringComparison.Ordinal) ? [.. ended, new TextContent(rest)] : ended;
    }

    void Begin()
    {
        string all = header.ToString();
        header.Clear();
        int at = all.LastIndexOf(Channel, StringComparison.Ordinal);
        string channel = at < 0 ? "" : Word(all, at + Channel.Length);
        int to = all.IndexOf(To, StringComparison.Ordinal);
        recipient = to < 0 ? null : Word(all, to + To.Length);
        (isMessage, IsReasoning) = (true, channel == "analysis" && recipient is null);
        call.Clear();
    }

    IReadOnlyList<AIContent> End()
    {
        if (!isMessage) return [];
        (isMessage, IsReasoning) = (false, false);
        if (recipient is not { } name) return [];
        recipient = null;
        string body = call.ToString();
        if (name.StartsWith(Functions, StringComparison.Ordinal)) name = name[Functions.Length..];
        return numbered is not null && ToolFormat.Call(name, body) is { } made
            ? [numbered(made)]
            : body.Length > 0 ? [new TextContent(body)] : [];
    }

    static string Word(string text, int from)
    {
        int end = from;
        while (end < text.Length && !char.IsWhiteSpace(text[end]) && text[end] != '<') end++;
        return text[from..end];
    }
}
