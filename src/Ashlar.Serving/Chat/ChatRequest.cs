using System.Collections;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ashlar.Models;
using Ashlar.Tokenizers;
using Microsoft.Extensions.AI;

namespace Ashlar.Serving;

/// <summary>What Microsoft.Extensions.AI asks for, in the words of the engine and of chat templates.</summary>
static class ChatRequest
{
    static readonly string[] known = ["min_p", "typical_p", "repetition_penalty", "logit_bias", "chat_template_kwargs"];

    /// <summary>How the answer is chosen and when it ends.</summary>
    /// <exception cref="ModelException">ASH0356: something is asked for that a local model does not do.</exception>
    public static GenerationOptions Generation(ChatOptions? options, GenerationOptions defaults, IChatClient client,
        string modelName)
    {
        if (options is null) return defaults;
        if (options.ResponseFormat is { } format and not ChatResponseFormatText)
            throw Cannot($"{format.GetType().Name} was asked for, but answers are not forced into a form.",
                "ask for it in words, such as \"Answer with JSON alone.\", and check what comes.");
        if (options.ConversationId is not null)
            throw Cannot("a ConversationId was given, but no conversations are kept here.",
                "leave it out, and pass all messages of the conversation each time; what was read before is not read again.");
        if (options.ContinuationToken is not null)
            throw Cannot("a ContinuationToken was given, but answers are not kept here.", "leave it out.");
        if (options.ModelId is { } id && id != modelName)
            throw Cannot($"model '{id}' was asked for, but this is '{modelName}'.",
                "leave ModelId out, or open the other model.");
        if (options.ToolMode is RequiredChatToolMode)
            throw Cannot("a call of a tool was required, but answers are not forced into a form.",
                "use ChatToolMode.Auto, and ask for the call in words.");
        var given = options.RawRepresentationFactory?.Invoke(client) as GenerationOptions ?? defaults;
        var more = options.AdditionalProperties;
        if (more?.Keys.FirstOrDefault(key => !known.Contains(key)) is { } unknown)
            throw Cannot($"'{unknown}' is among the additional properties, which is not known.",
                $"known are {string.Join(", ", known)}.");
        var sampling = given.Sampling;
        sampling = sampling with
        {
            Temperature = Within("Temperature", options.Temperature, 0, 100) ?? sampling.Temperature,
            TopK = (int?)Within("TopK", options.TopK, 0, int.MaxValue) ?? sampling.TopK,
            TopP = Within("TopP", options.TopP, 0, 1) ?? sampling.TopP,
            FrequencyPenalty = Within("FrequencyPenalty", options.FrequencyPenalty, -100, 100) ?? sampling.FrequencyPenalty,
            PresencePenalty = Within("PresencePenalty", options.PresencePenalty, -100, 100) ?? sampling.PresencePenalty,
            MinP = Within("min_p", Number(more, "min_p"), 0, 1) ?? sampling.MinP,
            TypicalP = Within("typical_p", Number(more, "typical_p"), 0, 1) ?? sampling.TypicalP,
            RepetitionPenalty = Within("repetition_penalty", Number(more, "repetition_penalty"), 0.01f, 100)
                ?? sampling.RepetitionPenalty,
            Bias = Bias(more) ?? sampling.Bias,
        };
        if (options.MaxOutputTokens is < 1 and var most) throw Cannot($"MaxOutputTokens is {most}.", "it must be at least 1.");
        return given with
        {
            MostTokens = options.MaxOutputTokens ?? given.MostTokens,
            Seed = options.Seed ?? given.Seed,
            Stop = options.StopSequences is { } stop ? [.. given.Stop, .. stop] : given.Stop,
            Sampling = sampling,
        };
    }

    /// <summary>The conversation as the model's template takes it.</summary>
    /// <exception cref="ModelException">ASH0356: a message holds what the model cannot read, or the template knows no
    /// tools.</exception>
    public static ChatPrompt Prompt(IEnumerable<ChatMessage> messages, ChatOptions? options, ChatTemplate template)
    {
        var turns = new List<ChatTurn>();
        foreach (var message in messages) Add(turns, message);
        if (!string.IsNullOrEmpty(options?.Instructions))
        {
            // Templates know one system turn, at the begin.
            if (turns is [{ Role: "system" } first, ..]) turns[0] = first with
            {
                Content = $"{options.Instructions}\n\n{first.Content}",
            };
            else turns.Insert(0, new("system", options.Instructions));
        }
        var more = new Dictionary<string, object?>();
        if (options?.Reasoning?.Effort is { } effort)
        {
            more["enable_thinking"] = effort != ReasoningEffort.None;
            if (effort != ReasoningEffort.None)
                more["reasoning_effort"] = effort == ReasoningEffort.Low
                    ? "low"
                    : effort == ReasoningEffort.Medium ? "medium" : "high";
        }
        if (options?.AdditionalProperties?.TryGetValue("chat_template_kwargs", out object? kwargs) == true)
        {
            if (kwargs is not IEnumerable<KeyValuePair<string, object?>> pairs)
                throw Cannot("chat_template_kwargs is no dictionary from texts to objects.",
                    "pass a Dictionary<string, object?>.");
            foreach (var (key, value) in pairs) more[key] = value;
        }
        return new() { Turns = turns, Tools = Tools(options, template), More = more };
    }

    /// <summary>Whether calls of tools are looked for in the answer.</summary>
    public static bool HasTools(ChatOptions? options) => options is { Tools.Count: > 0, ToolMode: not NoneChatToolMode };

    static JsonElement? Tools(ChatOptions? options, ChatTemplate template)
    {
        if (!HasTools(options)) return null;
        if (!template.Text.Contains("tools", StringComparison.Ordinal))
            throw Cannot("tools were given, but the model's chat template has no place for them.",
                "take a model that was made to call tools, or describe them in a system message.");
        var tools = new JsonArray();
        foreach (var tool in options!.Tools!)
        {
            if (tool is not AIFunctionDeclaration function)
                throw Cannot($"{tool.GetType().Name} '{tool.Name}' is a service's tool, not a function.",
                    "pass functions: AIFunctionFactory.Create.");
            tools.Add((JsonNode)new JsonObject
            {
                ["type"] = "function",
                ["function"] = new JsonObject
                {
                    ["name"] = function.Name,
                    ["description"] = function.Description,
                    ["parameters"] = JsonNode.Parse(function.JsonSchema.GetRawText()),
                },
            });
        }
        return Element(tools);
    }

    static void Add(List<ChatTurn> turns, ChatMessage message)
    {
        string? text = null, reasoning = null;
        var calls = new JsonArray();
        int results = 0;
        foreach (var content in message.Contents)
            switch (content)
            {
                case TextContent part:
                    text += part.Text;
                    break;
                case TextReasoningContent part:
                    reasoning += part.Text;
                    break;
                case FunctionCallContent call:
                    calls.Add((JsonNode)Call(call));
                    break;
                case FunctionResultContent result:
                    results++;
                    turns.Add(new("tool", Result(result)) { ToolCallId = result.CallId, Name = NameOf(turns, result.CallId) });
                    break;
                case UsageContent:
                    break;   // of an answer that is a part of the conversation now
                default:
                    throw Cannot(
                        $"a message of the role {message.Role} holds {content.GetType().Name}, but only text, reasoning, calls of functions and their results are read.", "take it out, or put what it says in words.");
            }
        if (text is null && reasoning is null && calls.Count == 0 && results > 0) return;
        turns.Add(new(message.Role.Value, text ?? (calls.Count > 0 ? null : ""))
        {
            Reasoning = reasoning,
            ToolCalls = calls.Count > 0 ? Element(calls) : null,
            Name = message.AuthorName,
        });
    }

    static JsonObject Call(FunctionCallContent call)
    {
        var arguments = new JsonObject();
        foreach (var (name, value) in call.Arguments ?? new Dictionary<string, object?>()) arguments[name] = Node(value);
        return new()
        {
            ["id"] = call.CallId,
            ["type"] = "function",
            ["function"] = new JsonObject { ["name"] = call.Name, ["arguments"] = arguments },
        };
    }

    static string Result(FunctionResultContent result) => result switch
    {
        { Result: string text } => text,
        { Result: JsonElement { ValueKind: JsonValueKind.String } text } => text.GetString()!,
        { Result: null, Exception: { } problem } => $"Error: {problem.Message}",
        _ => Node(result.Result)?.ToJsonString() ?? "null",
    };

    static string? NameOf(List<ChatTurn> turns, string callId)
    {
        for (int i = turns.Count - 1; i >= 0; i--)
            if (turns[i].ToolCalls is { } calls)
                foreach (var call in calls.EnumerateArray())
                    if (call.GetProperty("id").GetString() == callId)
                        return call.GetProperty("function").GetProperty("name").GetString();
        return null;
    }

    static JsonNode? Node(object? value) => value switch
    {
        null => null,
        JsonNode node => node.DeepClone(),
        _ => JsonSerializer.SerializeToNode(value, AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(object))),
    };

    static JsonElement Element(JsonNode node)
    {
        using var json = JsonDocument.Parse(node.ToJsonString());
        return json.RootElement.Clone();
    }

    static float? Number(AdditionalPropertiesDictionary? more, string name) =>
        more is null || !more.TryGetValue(name, out object? value) || value is null ? null
        : value is JsonElement { ValueKind: JsonValueKind.Number } json ? json.GetSingle()
        : value is not string and not bool and IConvertible number ? number.ToSingle(CultureInfo.InvariantCulture)
        : throw Cannot($"{name} is {value}, which is no number.", "pass a float.");

    static Dictionary<int, float>? Bias(AdditionalPropertiesDictionary? more)
    {
        if (more is null || !more.TryGetValue("logit_bias", out object? value) || value is null) return null;
        return value is IEnumerable<KeyValuePair<int, float>> pairs ? new(pairs)
            : throw Cannot($"logit_bias is {(value is IEnumerable ? value.GetType().Name : value)}.",
                "pass a Dictionary<int, float> from tokens to what is added to their logits.");
    }

    static float? Within(string name, float? value, float least, float most) =>
        value is { } number && !(number >= least && number <= most)
        ? throw Cannot($"{name} is {number.ToString(CultureInfo.InvariantCulture)}.",
            string.Create(CultureInfo.InvariantCulture, $"it must be from {least} to {most}."))
        : value;

    static ModelException Cannot(string problem, string fix) => new("ASH0356", problem, fix);
}
