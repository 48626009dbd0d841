using System.Text.Json;
using Ashlar.Backends.Cpu;
using Ashlar.Models;
using Ashlar.Serving;
using Ashlar.Tests.Formats;
using Ashlar.Tests.Tensors;
using Microsoft.Extensions.AI;

namespace Ashlar.Tests.Serving;

public sealed class LocalChatClientTests() : DeviceTests(new Device(new CpuBackend())), IDisposable
{
    readonly TemporaryFolder folder = new();

    void IDisposable.Dispose()
    {
        folder.Dispose();
        Dispose();
    }

    LocalChatClient Client(params string[] words) =>
        LocalChatClient.Open(ScriptedModel.Write(folder.Path, words), new(Engine: new(DType.Float32, MostTexts: 1)), new(400)
        {
            Sampling = new(0),
        });

    [Fact]
    public async Task Answer_ComesWithUsageAndReason()
    {
        using var client = Client(" A stone", " is hard", ".");
        var response = await client.GetResponseAsync("What?");
        Assert.Equal("A stone is hard.", response.Text);
        Assert.Equal(ChatFinishReason.Stop, response.FinishReason);
        Assert.Equal((4, 0), (response.Usage!.OutputTokenCount, response.Usage.CachedInputTokenCount));
        Assert.Equal(response.Usage.InputTokenCount + 4, response.Usage.TotalTokenCount);
        Assert.Equal(client.GetService<LanguageModel>()!.Name, response.ModelId);
        Assert.Equal(ChatFinishReason.Length,
            (await client.GetResponseAsync("What?", new() { MaxOutputTokens = 2 })).FinishReason);
        Assert.Equal("A st", (await client.GetResponseAsync("What?", new() { StopSequences = ["one is"] })).Text);
    }

    [Fact]
    public async Task Stream_GivesPiecesAsTheyCome_AndReasoningApart()
    {
        using var client = Client("<think>", "\nIt is", " easy.", "</think>", "\n\nA", " stone");
        var updates = new List<ChatResponseUpdate>();
        await foreach (var update in client.GetStreamingResponseAsync("What?")) updates.Add(update);
        var contents = updates.SelectMany(update => update.Contents).ToList();
        Assert.Equal(["It is", " easy."], contents.OfType<TextReasoningContent>().Select(part => part.Text));
        Assert.Equal(["A", " stone"], contents.OfType<TextContent>().Select(part => part.Text));
        Assert.IsType<UsageContent>(contents[^1]);
        Assert.InRange(((UsageContent)contents[^1]).Details.ReasoningTokenCount!.Value, 2, 4);
        Assert.All(updates.SkipLast(1), update => Assert.Null(update.FinishReason));
        Assert.All(updates,
            update => Assert.Equal((ChatRole.Assistant, updates[0].ResponseId), (update.Role!.Value, update.ResponseId)));

        var silent = await client.GetResponseAsync("What?", new() { Reasoning = new() { Output = ReasoningOutput.None } });
        Assert.Empty(silent.Messages.SelectMany(message => message.Contents).OfType<TextReasoningContent>());
        Assert.Equal("A stone", silent.Text);
    }

    [Fact]
    public async Task Conversation_IsReadOnce()
    {
        using var client = Client("Yes", ".");
        List<ChatMessage> messages = [new(ChatRole.System, "Be short."), new(ChatRole.User, "Is it?")];
        var first = await client.GetResponseAsync(messages);
        messages.AddMessages(first);
        messages.Add(new(ChatRole.User, "Really?"));
        var second = await client.GetResponseAsync(messages);
        Assert.Equal("Yes.", second.Text);
        Assert.True(second.Usage!.CachedInputTokenCount >= first.Usage!.InputTokenCount - 1);
        var (again, instructed) = (await client.GetResponseAsync(messages),
            await client.GetResponseAsync(messages, new() { Instructions = "Be kind." }));
        Assert.Equal(again.Usage!.InputTokenCount - 1, again.Usage.CachedInputTokenCount);
        Assert.Equal(again.Usage.InputTokenCount + "Be kind.\n\n".Length, instructed.Usage!.InputTokenCount);
    }

    [Fact]
    public async Task Tools_AreShownToTheModel_AndItsCallsAreFound()
    {
        using var client = Client("Look:", "<tool_call>", "{\"name\": \"weather\", ", "\"arguments\": {\"city\": \"Ulm\"}}",
            "</tool_call>", "\n");
        var options = new ChatOptions { Tools = [new Declared("weather")] };
        List<ChatMessage> messages = [new(ChatRole.User, "Weather?")];
        var plain = await client.GetResponseAsync(messages);
        Assert.Contains("<tool_call>", plain.Text, StringComparison.Ordinal);
        var response = await client.GetResponseAsync(messages, options);
        Assert.Equal(ChatFinishReason.ToolCalls, response.FinishReason);
        Assert.True(response.Usage!.InputTokenCount > plain.Usage!.InputTokenCount + "weather".Length);
        Assert.Equal("Look:", response.Text);
        var call = Assert.Single(response.Messages.SelectMany(message => message.Contents).OfType<FunctionCallContent>());
        Assert.Equal(("weather", "Ulm"), (call.Name, call.Arguments!["city"]!.ToString()));

        messages.AddMessages(response);
        messages.Add(new(ChatRole.Tool,
            [new FunctionResultContent(call.CallId, new Dictionary<string, object?> { ["sky"] = "grey" })]));
        var after = await client.GetResponseAsync(messages, options);
        Assert.True(after.Usage!.InputTokenCount > response.Usage.InputTokenCount + "{\"sky\":\"grey\"}".Length);
        Assert.Contains("<tool_call>",
            (await client.GetResponseAsync("?", new() { Tools = options.Tools, ToolMode = ChatToolMode.None })).Text,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Options_ReachTheSampler()
    {
        using var client = Client("one", " two");
        int two = client.GetService<LanguageModel>()!.Tokenizer.Find(" two")!.Value;
        var options = new ChatOptions
        {
            Temperature = 0.5f,
            TopK = 5,
            TopP = 0.9f,
            Seed = 3,
            MaxOutputTokens = 1,
            AdditionalProperties = new()
            {
                ["min_p"] = 0.05,
                ["typical_p"] = 0.99f,
                ["repetition_penalty"] = 1,
                ["logit_bias"] = new Dictionary<int, float> { [two] = 1000 },
            },
        };
        Assert.Equal("two", (await client.GetResponseAsync("?", options)).Text);
        var raw = new ChatOptions { RawRepresentationFactory = _ => new GenerationOptions(1) { Sampling = new(0) } };
        Assert.Equal("one", (await client.GetResponseAsync("?", raw)).Text);
    }

    [Fact]
    public async Task Requests_ThatCannotBe_AreRefused()
    {
        using var client = Client("one");
        async Task Refuses(string word, ChatOptions options, AIContent? content = null)
        {
            var error = await Assert.ThrowsAsync<ModelException>(() =>
                client.GetResponseAsync([new ChatMessage(ChatRole.User, [content ?? new TextContent("?")])], options));
            Assert.Equal("ASH0356", error.Code);
            Assert.Contains(word, error.Message, StringComparison.Ordinal);
        }
        await Refuses("ChatResponseFormatJson", new() { ResponseFormat = ChatResponseFormat.Json });
        await Refuses("ConversationId", new() { ConversationId = "x" });
        await Refuses("gpt-9", new() { ModelId = "gpt-9" });
        await Refuses("required", new() { Tools = [new Declared("f")], ToolMode = ChatToolMode.RequireAny });
        await Refuses("minp", new() { AdditionalProperties = new() { ["minp"] = 0.1f } });
        await Refuses("no number", new() { AdditionalProperties = new() { ["min_p"] = "0.1" } });
        await Refuses("Temperature", new() { Temperature = -1 });
        await Refuses("TopP", new() { TopP = float.NaN });
        await Refuses("MaxOutputTokens", new() { MaxOutputTokens = 0 });
        await Refuses("UriContent", new(), new UriContent("https://example.org/a.png", "image/png"));
        await Refuses("service's tool", new() { Tools = [new HostedWebSearchTool()] });
        var tooLong = await Assert.ThrowsAsync<ModelException>(() => client.GetResponseAsync(new string('x', 600)));
        Assert.Equal("ASH0347", tooLong.Code);
        Assert.Equal("one", (await client.GetResponseAsync("?", new() { ResponseFormat = ChatResponseFormat.Text })).Text);
    }

    [Fact]
    public async Task Cancellation_EndsTheAnswer_AndTheClientGoesOn()
    {
        using var client = Client("one", " two", " three");
        using var source = new CancellationTokenSource();
        string text = "";
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var update in client.GetStreamingResponseAsync("?", cancellationToken: source.Token))
            {
                text += update.Text;
                await source.CancelAsync();
            }
        });
        Assert.Equal("one", text);
        await foreach (var _ in client.GetStreamingResponseAsync("?")) break;   // who leaves early leaves nothing locked
        string[] answers = [.. (await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => client.GetResponseAsync("?"))))
            .Select(response => response.Text)];
        Assert.Equal(["one two three", "one two three", "one two three"], answers);
    }

    [Fact]
    public async Task Dispose_WaitsForTheAnswerOnItsWay()
    {
        var client = Client("one", " two");
        string text = "";
        await foreach (var update in client.GetStreamingResponseAsync("?"))
        {
            client.Dispose();
            text += update.Text;
        }
        Assert.Equal("one two", text);
        client.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => client.GetResponseAsync("?"));
    }

    [Fact]
    public void Services_AreThere()
    {
        using var client = Client("one");
        var metadata = client.GetService<ChatClientMetadata>()!;
        Assert.Equal(("ashlar", client.GetService<LanguageModel>()!.Name), (metadata.ProviderName, metadata.DefaultModelId));
        Assert.Same(client, client.GetService<IChatClient>());
        Assert.Null(client.GetService(typeof(ChatClientMetadata), "key"));
        Assert.Null(client.GetService<string>());
    }

    [Fact]
    public void Open_Refuses_ModelsThatWereNotMadeToTalk() =>
        Fails<ModelFileException>(() => LocalChatClient.Open(ScriptedModel.Write(folder.Path, ["one"], template: "")), "ASH0738");

    [Fact]
    public async Task Tools_AreRefused_WhereTheTemplateKnowsNone()
    {
        using var client = LocalChatClient.Open(ScriptedModel.Write(folder.Path, ["one"], "{{ messages[0].content }}<|go|>"));
        var error = await Assert.ThrowsAsync<ModelException>(() =>
            client.GetResponseAsync("?", new() { Tools = [new Declared("f")] }));
        Assert.Equal("ASH0356", error.Code);
    }

    sealed class Declared(string name) : AIFunctionDeclaration
    {
        static readonly JsonElement schema =
            JsonDocument.Parse("""{"type":"object","properties":{"city":{"type":"string"}}}""").RootElement;

        public override string Name => name;

        public override string Description => "Tells something.";

        public override JsonElement JsonSchema => schema;
    }
}
