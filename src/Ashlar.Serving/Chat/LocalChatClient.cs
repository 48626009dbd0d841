using System.Runtime.CompilerServices;
using Ashlar.Models;
using Microsoft.Extensions.AI;

namespace Ashlar.Serving;

/// <summary>A local model as the chat client that .NET programs are written against.</summary>
/// <remarks>
/// <code>
/// Device.Use(new CpuBackend());
/// using var client = LocalChatClient.Open("model.gguf");
/// Console.WriteLine(await client.GetResponseAsync("What is a stone?"));
/// </code>
/// <para>
/// Thread-safe: answers are given one after the other. The conversation stays in the cache, and of the next one only what differs
/// is read. Reasoning comes apart as <see cref="TextReasoningContent"/>; with tools, calls come as
/// <see cref="FunctionCallContent"/> (<see cref="AnswerReader"/> says in which formats they are read), and a function-calling
/// client around this one calls them.
/// </para>
/// <para>
/// Beside the properties of <see cref="ChatOptions"/>, additional properties are taken: <c>min_p</c>, <c>typical_p</c>,
/// <c>repetition_penalty</c>, <c>logit_bias</c> (a dictionary from tokens to numbers), and <c>chat_template_kwargs</c> (a
/// dictionary of what the template is given). A raw representation factory may give a <see cref="GenerationOptions"/>, which the
/// other properties then change.
/// </para>
/// </remarks>
public sealed class LocalChatClient : IChatClient
{
    readonly LanguageModel model;
    readonly GenerationOptions defaults;
    readonly ChatClientMetadata metadata;
    readonly bool ownsModel;
    readonly TextState text;
    readonly SemaphoreSlim turn = new(1, 1);
    readonly Lock freeing = new();
    volatile bool isDisposed;
    bool isFreed;

    /// <summary>A client of a model that is open.</summary>
    /// <param name="model">Stays the caller's to dispose, after the client.</param>
    /// <param name="defaults">How answers are chosen where a request does not say; by default as the model's makers advise
    /// (<see cref="LanguageModel.Defaults"/>), or at temperature 0.8, from the 40 likeliest tokens and 95 % of the probability,
    /// until the context is full.</param>
    /// <exception cref="ModelFileException">ASH0737, ASH0738: the model has no tokenizer, or no chat template.</exception>
    public LocalChatClient(LanguageModel model, GenerationOptions? defaults = null) : this(model, defaults, ownsModel: false) { }

    LocalChatClient(LanguageModel model, GenerationOptions? defaults, bool ownsModel)
    {
        ArgumentNullException.ThrowIfNull(model);
        _ = (model.Template, model.Tokenizer);   // a model without them cannot talk: said before the first question
        (this.model, this.ownsModel) = (model, ownsModel);
        this.defaults = defaults ?? new(int.MaxValue) { Sampling = model.Defaults?.Sampling ?? new(0.8f, 40, 0.95f) };
        metadata = new("ashlar", null, model.Name);
        text = model.Engine.NewText();
    }

    /// <summary>Opens a safetensors folder or a GGUF file.</summary>
    /// <param name="path">A folder or a file.</param>
    /// <param name="options">How weights, cache and template are chosen.</param>
    /// <param name="defaults">How answers are chosen where a request does not say.</param>
    /// <exception cref="ModelFileException">A file is missing or damaged, or the model was not made to talk.</exception>
    /// <exception cref="ModelException">The model is of a kind that Ashlar does not know, or its weights are not those of its
    /// config.</exception>
    public static LocalChatClient Open(string path, LanguageModelOptions? options = null, GenerationOptions? defaults = null)
    {
        var model = LanguageModel.Load(path, options);
        try
        {
            return new(model, defaults, ownsModel: true);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    /// <exception cref="ModelException">The conversation does not fit (ASH0347), or something is asked for that a local model
    /// does not do (ASH0356).</exception>
    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null,
        CancellationToken cancellationToken = default) =>
        await GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken)
            .ConfigureAwait(false);

    /// <inheritdoc/>
    /// <exception cref="ModelException">The conversation does not fit (ASH0347), or something is asked for that a local model
    /// does not do (ASH0356).</exception>
    public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages,
        ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        ObjectDisposedException.ThrowIf(isDisposed, this);
        var generation = ChatRequest.Generation(options, defaults, this, model.Name);
        return Stream(ChatRequest.Prompt(messages, options, model.Template), generation, options, cancellationToken);
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(ChatClientMetadata) ? metadata
            : serviceType == typeof(LanguageModel) ? model
            : serviceType.IsInstanceOfType(this) ? this : null;
    }

    /// <summary>Gives the conversation's part of the cache back, and the model where the client opened it; after the answer that
    /// is on its way.</summary>
    public void Dispose()
    {
        isDisposed = true;
        Free();
    }

    async IAsyncEnumerable<ChatResponseUpdate> Stream(Tokenizers.ChatPrompt prompt, GenerationOptions generation,
        ChatOptions? options, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await turn.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            ObjectDisposedException.ThrowIf(isDisposed, this);
            int[] tokens = await Task.Run(() => model.Encode(prompt), cancellation).ConfigureAwait(false);
            int cached = LanguageModel.KnownTokens(text, tokens);
            var answer = new Answer(model, tokens, options);
            // Tokens are made beside the caller, and only as they are asked for.
            using var made = model.Generate(tokens, generation, text, cancellation: cancellation).GetEnumerator();
            while (await Task.Run(made.MoveNext, cancellation).ConfigureAwait(false))
            {
                if (answer.Add(made.Current) is { Count: > 0 } contents) yield return answer.Update(contents);
                if (answer.IsEnough) break;
            }
            yield return answer.Last(tokens.Length, cached);
        }
        finally
        {
            turn.Release();
            if (isDisposed) Free();
        }
    }

    // Whoever comes last: the one who disposes, or the answer that was on its way then.
    void Free()
    {
        if (!turn.Wait(0)) return;
        lock (freeing)
            if (!isFreed)
            {
                isFreed = true;
                text.Dispose();
                if (ownsModel) model.Dispose();
            }
        turn.Release();
    }

    // One answer on its way: what its tokens become.
    sealed class Answer
    {
        readonly string modelName;
        readonly AnswerReader reader;
        readonly bool showsReasoning, onlyOneCall;
        readonly string id = Guid.NewGuid().ToString("N");
        readonly DateTimeOffset created = DateTimeOffset.UtcNow;
        int count, reasoningCount;
        bool trims = true, wasReasoning;
        ChatFinishReason finish = ChatFinishReason.Stop;

        public Answer(LanguageModel model, int[] prompt, ChatOptions? options)
        {
            modelName = model.Name;
            reader = new(model, prompt, ChatRequest.HasTools(options));
            showsReasoning = options?.Reasoning?.Output != ReasoningOutput.None;
            onlyOneCall = options?.AllowMultipleToolCalls == false;
        }

        /// <summary>One call was asked for, and it is here.</summary>
        public bool IsEnough => onlyOneCall && reader.Calls > 0;

        public List<AIContent> Add(GeneratedToken token)
        {
            count++;
            if (token.Finish is { } reason)
                finish = reason == FinishReason.Stop ? ChatFinishReason.Stop : ChatFinishReason.Length;
            var contents = new List<AIContent>();
            foreach (var part in reader.Add(token)) Show(part, contents);
            if (reader.IsReasoning) reasoningCount++;
            return contents;
        }

        public ChatResponseUpdate Update(List<AIContent> contents) => new(ChatRole.Assistant, contents)
        {
            ResponseId = id,
            MessageId = id,
            CreatedAt = created,
            ModelId = modelName,
        };

        public ChatResponseUpdate Last(int asked, int cached)
        {
            var usage = new UsageDetails
            {
                InputTokenCount = asked,
                OutputTokenCount = count,
                TotalTokenCount = asked + count,
                CachedInputTokenCount = cached,
                ReasoningTokenCount = reasoningCount,
            };
            var update = Update([new UsageContent(usage)]);
            update.FinishReason = reader.Calls > 0 ? ChatFinishReason.ToolCalls : finish;
            return update;
        }

        void Show(AIContent part, List<AIContent> contents)
        {
            if (part is FunctionCallContent)
            {
                if (onlyOneCall && contents.OfType<FunctionCallContent>().Any()) return;
                contents.Add(part);
                trims = true;
                return;
            }
            bool isReasoning = part is TextReasoningContent;
            if (isReasoning != wasReasoning) (trims, wasReasoning) = (true, isReasoning);
            if (isReasoning && !showsReasoning) return;
            string text = Trimmed(isReasoning ? ((TextReasoningContent)part).Text : ((TextContent)part).Text);
            if (text.Length > 0) contents.Add(isReasoning ? new TextReasoningContent(text) : new TextContent(text));
        }

        // What begins is not begun with white space: templates write it, and models repeat it.
        string Trimmed(string text)
        {
            if (!trims) return text;
            text = text.TrimStart();
            trims = text.Length == 0;
            return text;
        }
    }
}
