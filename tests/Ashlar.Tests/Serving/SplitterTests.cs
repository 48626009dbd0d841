using Ashlar.Serving;
using Microsoft.Extensions.AI;

namespace Ashlar.Tests.Serving;

public class SplitterTests
{
    static (string Text, bool IsFound) Watch(string[] stops, params string[] pieces)
    {
        var watch = new StopTexts(stops);
        string shown = "";
        foreach (string piece in pieces)
        {
            shown += watch.Add(piece, out bool isFound);
            if (isFound) return (shown, true);
        }
        return (shown + watch.Rest(), false);
    }

    [Theory]
    [InlineData("a b\nUser:c", "a b", true)]
    [InlineData("a b\nUse", "a b\nUse", false)]
    [InlineData("\nUser:", "", true)]
    [InlineData("\n\nUser:x", "\n", true)]
    [InlineData("##", "##", false)]
    [InlineData("a###", "a", true)]
    public void StopTexts_EndTheText_HoweverItIsCut(string text, string expected, bool isFound)
    {
        string[] stops = ["\nUser:", "###", ""];
        Assert.Equal((expected, isFound), Watch(stops, text));
        Assert.Equal((expected, isFound), Watch(stops, [.. text.Select(letter => letter.ToString())]));
        for (int cut = 1; cut < text.Length; cut++) Assert.Equal((expected, isFound), Watch(stops, text[..cut], text[cut..]));
    }

    [Fact]
    public void StopTexts_ShowWhatCanBeNoStop_AtOnce()
    {
        var watch = new StopTexts(["stop"]);
        Assert.Equal("one ", watch.Add("one st", out _));
        Assert.Equal("still ", watch.Add("ill ", out _));
        Assert.Equal("", watch.Rest());
    }

    [Theory]
    [InlineData("hello", "hello", "")]
    [InlineData("<think>why</think>so", "so", "why")]
    [InlineData("a<think>b</think>c<think>d</think>e", "ace", "bd")]
    [InlineData("1 < 2 <thin", "1 < 2 <thin", "")]
    [InlineData("<think>not at an end</thin", "", "not at an end</thin")]
    public void Reasoning_IsToldApart_HoweverItIsCut(string text, string answer, string reasoning)
    {
        for (int size = 1; size <= text.Length; size++)
        {
            var splitter = new ReasoningSplitter();
            var parts = text.Chunk(size).SelectMany(piece => splitter.Add(new string(piece))).ToList();
            parts.AddRange(splitter.Rest());
            Assert.Equal((answer, reasoning), (splitter.Answer, splitter.Reasoning));
            Assert.Equal(answer, string.Concat(parts.Where(part => !part.IsReasoning).Select(part => part.Text)));
            Assert.Equal(reasoning, string.Concat(parts.Where(part => part.IsReasoning).Select(part => part.Text)));
        }
    }

    [Theory]
    [InlineData("assistant\n<think>\n", true)]
    [InlineData("<think>\n\n</think>\n\n", false)]
    public void Reasoning_IsOpen_WhereTheTemplateOpensIt(string prompt, bool isOpen)
    {
        var splitter = new ReasoningSplitter();
        splitter.Begin(prompt);
        Assert.Equal(isOpen, splitter.IsReasoning);
        splitter.Add("x</think>y");
        Assert.Equal(isOpen ? ("y", "x") : ("x</think>y", ""), (splitter.Answer, splitter.Reasoning));
    }

    [Theory]
    [InlineData("I look.<tool_call>\n{\"name\": \"find\", \"arguments\": {\"x\": 2}}\n</tool_call>\n<tool_call>{\"name\":\"now\"}</tool_call>", "I look.\n", "find(x=2) now()")]
    [InlineData("<tool_call>{\"name\": \"find\", \"arguments\": {\"x\": 2}}", "", "find(x=2)")]
    [InlineData("<tool_call>find it</tool_call>!", "<tool_call>find it</tool_call>!", "")]
    [InlineData("<tool_call>{\"name\":\"f\",\"arguments\":[1]}</tool_call>", "<tool_call>{\"name\":\"f\",\"arguments\":[1]}</tool_call>", "")]
    [InlineData("a <tool_ca", "a <tool_ca", "")]
    public void ToolCalls_AreFound_HoweverTheyAreCut(string answer, string text, string calls)
    {
        for (int size = 1; size <= answer.Length; size += 3)
        {
            var splitter = new ToolCallSplitter();
            List<AIContent> parts = [.. answer.Chunk(size).SelectMany(piece => splitter.Add(new string(piece)))];
            parts.AddRange(splitter.Rest());
            Assert.Equal(text, string.Concat(parts.OfType<TextContent>().Select(part => part.Text)));
            Assert.Equal(calls, string.Join(' ', parts.OfType<FunctionCallContent>().Select(call => $"{call.Name}({string.Join(',', call.Arguments!.Select(a => $"{a.Key}={a.Value}"))})")));
            Assert.Equal(splitter.Calls, parts.OfType<FunctionCallContent>().Select(call => call.CallId).Distinct().Count());
        }
    }
}
