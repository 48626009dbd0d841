using System.Text;
using Microsoft.Extensions.AI;

namespace Ashlar.Serving;

/// <summary>Takes the tokens of an answer apart: what the model says, what it thinks, and which tools it calls, in the format
/// that it was trained on.</summary>
/// <remarks>
/// Reasoning stands between <c>&lt;think&gt;</c> and <c>&lt;/think&gt;</c>, or in the analysis channel of GPT-OSS. Calls are read
/// as Qwen and Hermes, GLM, Llama 3, Mistral, DeepSeek, Phi 4 and GPT-OSS write them; which it is, special tokens and chat
/// template say. For one answer.
/// </remarks>
public sealed class AnswerReader
{
    const int PromptEnd = 8;   // tokens that show whether the template opened the reasoning

    readonly Tokenizers.Tokenizer tokenizer;
    readonly ReasoningSplitter reasoning = new();
    readonly HarmonySplitter? harmony;
    readonly ToolFormat format;
    readonly ToolCallSplitter? tools;
    readonly StringBuilder answer = new(), thoughts = new();

    /// <summary>Begins an answer.</summary>
    /// <param name="model">Whose answer.</param>
    /// <param name="prompt">The tokens before it.</param>
    /// <param name="hasTools">Calls of tools are looked for.</param>
    public AnswerReader(LanguageModel model, ReadOnlySpan<int> prompt, bool hasTools = false)
    {
        ArgumentNullException.ThrowIfNull(model);
        tokenizer = model.Tokenizer;
        format = ToolFormat.Of(tokenizer, model.HasTemplate ? model.Template.Text : "");
        if (hasTools) tools = new(format);
        if (tokenizer.Find("<|channel|>") is not null && tokenizer.Find("<|message|>") is not null)
            harmony = new(tools is null ? null : tools.Numbered);
        else reasoning.Begin(tokenizer.Decode(prompt[Math.Max(0, prompt.Length - PromptEnd)..]));
    }

    /// <summary>True while the model thinks.</summary>
    public bool IsReasoning => harmony?.IsReasoning ?? reasoning.IsReasoning;

    /// <summary>What the model says, so far.</summary>
    public string Answer => answer.ToString();

    /// <summary>What it thinks, so far.</summary>
    public string Reasoning => thoughts.ToString();

    /// <summary>How many calls of tools there were.</summary>
    public int Calls => tools?.Calls ?? 0;

    /// <summary>Takes a token; the last one of the answer brings what was held back.</summary>
    /// <returns><see cref="TextContent"/>, <see cref="TextReasoningContent"/> and <see cref="FunctionCallContent"/>, in their
    /// order.</returns>
    public IReadOnlyList<AIContent> Add(GeneratedToken token)
    {
        ArgumentNullException.ThrowIfNull(token);
        var parts = new List<AIContent>();
        // Special tokens have no text; those of a format are its marks.
        string? mark = tokenizer.Has(token.Id) && tokenizer.IsSpecial(token.Id) ? tokenizer.Name(token.Id) : null;
        if (harmony is not null)
        {
            parts.AddRange(harmony.Add(token.Text));
            if (mark is not null && HarmonySplitter.Marks(mark)) parts.AddRange(harmony.Mark(mark));
            if (token.Finish is not null) parts.AddRange(harmony.Rest());
        }
        else
        {
            Take(reasoning.Add(mark is not null && tools is not null && format.Marks(mark)
                ? token.Text + mark
                : token.Text), parts);
            if (token.Finish is not null)
            {
                Take(reasoning.Rest(), parts);
                if (tools is not null) parts.AddRange(tools.Rest());
            }
        }
        foreach (var part in parts)
            if (part is TextContent text) answer.Append(text.Text);
            else if (part is TextReasoningContent thought) thoughts.Append(thought.Text);
        return parts;
    }

    void Take(IReadOnlyList<(string Text, bool IsReasoning)> pieces, List<AIContent> parts)
    {
        foreach (var (text, isReasoning) in pieces)
            if (isReasoning) parts.Add(new TextReasoningContent(text));
            else if (tools is not null) parts.AddRange(tools.Add(text));
            else parts.Add(new TextContent(text));
    }
}
