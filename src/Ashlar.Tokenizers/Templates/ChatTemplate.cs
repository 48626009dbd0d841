using System.Text.Json;

namespace Ashlar.Tokenizers;

/// <summary>One turn of a conversation.</summary>
/// <param name="Role">Who speaks: system, user, assistant, tool, or what the model's template knows.</param>
/// <param name="Content">What is said; null where there are only tool calls, or where there are parts.</param>
public sealed record ChatTurn(string Role, string? Content)
{
    /// <summary>What is said, in parts such as <c>{"type": "text", "text": "..."}</c>; takes the place of the content.</summary>
    public JsonElement? Parts { get; init; }

    /// <summary>What the model thought before it spoke.</summary>
    public string? Reasoning { get; init; }

    /// <summary>The tools that are called: a list of <c>{"id", "type", "function": {"name", "arguments"}}</c>.</summary>
    public JsonElement? ToolCalls { get; init; }

    /// <summary>Which call this answers.</summary>
    public string? ToolCallId { get; init; }

    /// <summary>The name of who speaks, or of the tool that answers.</summary>
    public string? Name { get; init; }

    internal Dictionary<string, object?> Fields()
    {
        var fields = new Dictionary<string, object?> { ["role"] = Role };
        if (Parts is { } parts) fields["content"] = parts;
        else if (Content is not null || ToolCalls is null) fields["content"] = Content;
        if (Reasoning is not null) fields["reasoning_content"] = Reasoning;
        if (ToolCalls is { } calls) fields["tool_calls"] = calls;
        if (ToolCallId is not null) fields["tool_call_id"] = ToolCallId;
        if (Name is not null) fields["name"] = Name;
        return fields;
    }
}

/// <summary>What a chat template makes text of.</summary>
public sealed record ChatPrompt
{
    /// <summary>The conversation so far.</summary>
    public required IReadOnlyList<ChatTurn> Turns { get; init; }

    /// <summary>The tools that the model may call, as a list of JSON schemas; null for none.</summary>
    public JsonElement? Tools { get; init; }

    /// <summary>The text ends where the model begins to speak.</summary>
    public bool AddGenerationPrompt { get; init; } = true;

    /// <summary>The text of the token that begins a text; null where there is none.</summary>
    public string? BeginText { get; init; }

    /// <summary>The text of the token that ends a text; null where there is none.</summary>
    public string? EndText { get; init; }

    /// <summary>What else the template is given, such as <c>enable_thinking</c>.</summary>
    public IReadOnlyDictionary<string, object?> More { get; init; } = new Dictionary<string, object?>();
}

/// <summary>A chat template: a conversation as the text that a model was trained on, written in Jinja.</summary>
/// <remarks>
/// Runs as the transformers library runs it (trim_blocks, lstrip_blocks, loop controls, <c>generation</c> blocks,
/// <c>raise_exception</c>, <c>strftime_now</c>, <c>tojson</c> without escapes), with Python's meaning of values, in a sandbox: no
/// reflection, no files, no change of what it is given, and bounds on steps, time, sizes and depth. Immutable and thread-safe.
/// One difference: lists and mappings that are written as text are JSON, as in huggingface.js, unless
/// <see cref="TemplateLimits.PythonContainers"/> is set.
/// </remarks>
public sealed class ChatTemplate
{
    const int LongestTemplate = 4 << 20;

    readonly Block body;
    readonly string name;

    ChatTemplate(Block body, string name, string text) => (this.body, this.name, Text) = (body, name, text);

    /// <summary>The template as it is written.</summary>
    public string Text { get; }

    /// <summary>Reads a template.</summary>
    /// <param name="text">Jinja.</param>
    /// <param name="name">What errors call it.</param>
    /// <exception cref="TokenizerException">It is not well formed; the message names the line.</exception>
    public static ChatTemplate Parse(string text, string name = "the chat template")
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Length > LongestTemplate) throw TemplateError.Limit(name, 1, $"it has {text.Length:N0} characters");
        try
        {
            return new(TemplateParser.Parse(text, name), name, text);
        }
        catch (InsufficientExecutionStackException)
        {
            throw TemplateError.Limit(name, 1, "parts are within parts too deep");
        }
    }

    /// <summary>The text of a conversation.</summary>
    /// <param name="prompt">The conversation, and what belongs to it.</param>
    /// <param name="limits">What may be used up; by default <see cref="TemplateLimits.Default"/>.</param>
    /// <param name="now">What <c>strftime_now</c> tells; by default the time of this machine.</param>
    /// <exception cref="TokenizerException">
    /// The template refuses the conversation, needs what is not there, or wants more than the limits.
    /// </exception>
    public string Render(ChatPrompt prompt, TemplateLimits? limits = null, DateTimeOffset? now = null)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        var variables = new Dictionary<string, object?>(prompt.More)
        {
            ["messages"] = prompt.Turns.Select(turn => turn.Fields()).ToList(),
            ["add_generation_prompt"] = prompt.AddGenerationPrompt,
        };
        // As in transformers: tools and documents are there, though they may be None.
        variables["tools"] = prompt.Tools is { } tools ? tools : null;
        variables.TryAdd("documents", null);
        if (prompt.BeginText is { } begin) variables["bos_token"] = begin;
        if (prompt.EndText is { } end) variables["eos_token"] = end;
        return Render(variables, limits, now);
    }

    /// <summary>The text that the template makes of variables.</summary>
    /// <param name="variables">
    /// By name: null, true and false, numbers, texts, lists, dictionaries, JSON. <c>messages</c> and what the template needs.
    /// </param>
    /// <param name="limits">What may be used up; by default <see cref="TemplateLimits.Default"/>.</param>
    /// <param name="now">What <c>strftime_now</c> tells; by default the time of this machine.</param>
    /// <exception cref="TokenizerException">
    /// The template refuses the conversation, needs what is not there, or wants more than the limits.
    /// </exception>
    public string Render(IReadOnlyDictionary<string, object?> variables, TemplateLimits? limits = null,
        DateTimeOffset? now = null)
    {
        ArgumentNullException.ThrowIfNull(variables);
        var rendering = new Rendering(limits ?? TemplateLimits.Default, now ?? DateTimeOffset.Now);
        var scope = new Scope(null);
        try
        {
            foreach (var (key, value) in variables) scope[key] = Values.From(value);
            body.Run(rendering, scope);
        }
        catch (TemplateProblem problem)
        {
            throw problem.At(name, 1);
        }
        catch (InsufficientExecutionStackException)
        {
            throw TemplateError.Limit(name, 1, "values are within values too deep");
        }
        return rendering.Output.ToString();
    }
}
