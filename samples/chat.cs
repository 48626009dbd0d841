// Chat: a conversation with a downloaded model, as any IChatClient has one.
// dotnet run -c Release samples/chat.cs MODEL     (a GGUF file, or a folder in the Hugging Face layout)
#:project ../src/Ashlar.Serving
#:project ../src/Ashlar.Backends.Cpu
#:property PublishAot=false

using Ashlar;
using Ashlar.Backends.Cpu;
using Ashlar.Serving;
using Microsoft.Extensions.AI;

Device.Use(new CpuBackend());
if (args.Length == 0) return Say("which model? dotnet run -c Release samples/chat.cs MODEL");
using var client = LocalChatClient.Open(args[0]);

List<ChatMessage> messages = [new(ChatRole.System, "You answer in a sentence or two.")];
var options = new ChatOptions { Temperature = 0.7f, MaxOutputTokens = 500 };
for (Console.Write("> "); Console.ReadLine() is { Length: > 0 } line; Console.Write("\n\n> "))
{
    messages.Add(new(ChatRole.User, line));
    var updates = new List<ChatResponseUpdate>();
    await foreach (var update in client.GetStreamingResponseAsync(messages, options))
    {
        Console.Write(update.Text);     // reasoning is in update.Contents, apart
        updates.Add(update);
    }
    messages.AddMessages(updates);      // of the next prompt only what is new is read
    var usage = updates.ToChatResponse().Usage!;
    Console.Write(
        $"\n[{usage.InputTokenCount} tokens asked, {usage.CachedInputTokenCount} of them known; {usage.OutputTokenCount} answered]");
}
return 0;

static int Say(string problem)
{
    Console.Error.WriteLine(problem);
    return 1;
}
