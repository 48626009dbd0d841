using System.Text;

namespace Ashlar.Serving;

/// <summary>Tells what a model thinks from what it says: text between <c>&lt;think&gt;</c> and <c>&lt;/think&gt;</c> is
/// reasoning.</summary>
/// <remarks>For one answer. A tag may come in pieces; what may be the begin of one is held back.</remarks>
public sealed class ReasoningSplitter
{
    const string Open = "<think>", Close = "</think>";

    readonly StringBuilder answer = new(), reasoning = new();
    string held = "";
    bool isReasoning;

    /// <summary>True while the model thinks.</summary>
    public bool IsReasoning => isReasoning;

    /// <summary>What the model says, so far.</summary>
    public string Answer => answer.ToString();

    /// <summary>What it thinks, so far.</summary>
    public string Reasoning => reasoning.ToString();

    /// <summary>Looks at the end of the prompt: some templates open the reasoning for the model.</summary>
    public void Begin(string endOfPrompt)
    {
        ArgumentNullException.ThrowIfNull(endOfPrompt);
        isReasoning = endOfPrompt.TrimEnd().EndsWith(Open, StringComparison.Ordinal);
    }

    /// <summary>Takes a piece of the answer apart.</summary>
    public IReadOnlyList<(string Text, bool IsReasoning)> Add(string piece)
    {
        var parts = new List<(string, bool)>();
        string text = held + piece;
        while (true)
        {
            string tag = isReasoning ? Close : Open;
            int at = text.IndexOf(tag, StringComparison.Ordinal);
            if (at >= 0)
            {
                Take(text[..at], parts);
                (isReasoning, text) = (!isReasoning, text[(at + tag.Length)..]);
                continue;
            }
            int kept = Math.Min(tag.Length - 1, text.Length);
            while (kept > 0 && !text.AsSpan(text.Length - kept).SequenceEqual(tag.AsSpan(0, kept))) kept--;
            held = text[^kept..];
            Take(text[..^kept], parts);
            return parts;
        }
    }

    /// <summary>What was held back, at the end.</summary>
    public IReadOnlyList<(string Text, bool IsReasoning)> Rest()
    {
        var parts = new List<(string, bool)>();
        Take(held, parts);
        held = "";
        return parts;
    }

    void Take(string text, List<(string, bool)> parts)
    {
        if (text.Length == 0) return;
        (isReasoning ? reasoning : answer).Append(text);
        parts.Add((text, isReasoning));
    }
}
