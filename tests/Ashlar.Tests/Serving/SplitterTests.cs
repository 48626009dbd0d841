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
    [InlineData(
        "I look.<tool_call>\n{\"name\": \"find\", \"arguments\": {\"x\": 2}}\n</tool_call>\n<tool_call>{\"name\":\"now\"}</tool_call>", "I look.\n", "find(x=2) now()")]
    [InlineData("<tool_call>{\"name\": \"find\", \"arguments\": {\"x\": 2}}", "", "find(x=2)")]
    [InlineData("<tool_call>find it</tool_call>!", "<tool_call>find it</tool_call>!", "")]
    [InlineData("<tool_call>{\"name\":\"f\",\"arguments\":[1]}</tool_call>",
        "<tool_call>{\"name\":\"f\",\"arguments\":[1]}</tool_call>", "")]
    [InlineData("a <tool_ca", "a <tool_ca", "")]
    public void ToolCalls_AreFound_HoweverTheyAreCut(string answer, string text, string calls)
    {
        for (int size = 1; size <= answer.Length; size += 3)
        {
            var splitter = new ToolCallSplitter(ToolFormat.Tagged);
            List<AIContent> parts = [.. answer.Chunk(size).SelectMany(piece => splitter.Add(new string(piece)))];
            parts.AddRange(splitter.Rest());
            Assert.Equal(text, string.Concat(parts.OfType<TextContent>().Select(part => part.Text)));
            Assert.Equal(calls,
                string.Join(' ', parts.OfType<FunctionCallContent>().Select(call =>
                    $"{call.Name}({string.Join(',', call.Arguments!.Select(a => $"{a.Key}={a.Value}"))})")));
            Assert.Equal(splitter.Calls, parts.OfType<FunctionCallContent>().Select(call => call.CallId).Distinct().Count());
        }
    }

    static string Written(IEnumerable<AIContent> parts) => string.Concat(parts.Select(part => part switch
    {
        TextReasoningContent thought => $"({thought.Text})",
        FunctionCallContent call =>
            $"{{{call.Name}: {string.Join(", ", call.Arguments!.Select(argument => $"{argument.Key}={argument.Value}"))}}}",
        _ => ((TextContent)part).Text,
    }));

    [Theory]
    [InlineData("Tagged",
        "<tool_call>find\n<arg_key>city</arg_key>\n<arg_value>Rome</arg_value>\n<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>", "{find: city=Rome, days=3}")]
    [InlineData("Mistral",
        "[TOOL_CALLS] [{\"name\": \"find\", \"arguments\": {\"city\": \"Rome\"}}, {\"name\": \"now\", \"arguments\": {}}]",
        "{find: city=Rome}{now: }")]
    [InlineData("Mistral", "Wait.[TOOL_CALLS]find[CALL_ID]ab1[ARGS]{\"city\": \"Rome\"}[TOOL_CALLS]now[ARGS]{}",
        "Wait.{find: city=Rome}{now: }")]
    [InlineData("Mistral", "[TOOL_CALLS] none of these", "[TOOL_CALLS] none of these")]
    [InlineData("Llama", "{\"name\": \"find\", \"parameters\": {\"city\": \"Rome\"}}; {\"name\": \"now\"}",
        "{find: city=Rome}{now: }")]
    [InlineData("Llama", "<|python_tag|>{\"type\": \"function\", \"function\": {\"name\": \"now\", \"parameters\": {}}}",
        "{now: }")]
    [InlineData("Llama", "<|python_tag|>print(1)", "<|python_tag|>print(1)")]
    [InlineData("Llama", "{\"city\": \"Rome\"}", "{\"city\": \"Rome\"}")]
    [InlineData("Llama", "Rome, {1}", "Rome, {1}")]
    [InlineData("Phi", "<|tool_call|>[{\"name\": \"now\", \"arguments\": {}}]<|/tool_call|>", "{now: }")]
    [InlineData("DeepSeek",
        "So:<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>find\n```json\n{\"city\": \"Rome\"}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>now\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>", "So:{find: city=Rome}{now: }")]
    [InlineData("DeepSeek",
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>find<｜tool▁sep｜>{\"city\": \"Rome\"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        "{find: city=Rome}")]
    public void ToolCalls_AreReadAsFamiliesWriteThem_HoweverTheyAreCut(string family, string answer, string expected)
    {
        var format = (ToolFormat)typeof(ToolFormat).GetProperty(family)!.GetValue(null)!;
        for (int size = 1; size <= answer.Length; size += 3)
        {
            var splitter = new ToolCallSplitter(format);
            List<AIContent> parts = [.. answer.Chunk(size).SelectMany(piece => splitter.Add(new string(piece)))];
            parts.AddRange(splitter.Rest());
            Assert.Equal(expected, Written(parts));
        }
    }

    [Theory]
    [InlineData("<|channel|>analysis<|message|>Why?<|end|><|start|>assistant<|channel|>final<|message|>So.<|return|>",
        "(Why?)So.")]
    [InlineData("<|channel|>commentary to=functions.find <|constrain|>json<|message|>{\"city\": \"Rome\"}<|call|>",
        "{find: city=Rome}")]
    [InlineData(" to=functions.now<|channel|>commentary json<|message|><|call|>", "{now: }")]
    [InlineData(
        "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant<|channel|>commentary to=functions.f<|message|>no object", "I look.no object")]
    [InlineData("<|channel|>final<|message|>cut sho", "cut sho")]
    [InlineData("no format at all", "no format at all")]
    public void Harmony_TellsChannelsApart(string answer, string expected)
    {
        foreach (int size in (int[])[1, 4, 100])
        {
            var counter = new ToolCallSplitter(ToolFormat.Tagged);
            var splitter = new HarmonySplitter(counter.Numbered);
            var parts = new List<AIContent>();
            foreach (string word in System.Text.RegularExpressions.Regex.Split(answer, @"(<\|[a-z]+\|>)"))
                if (word.StartsWith("<|", StringComparison.Ordinal)) parts.AddRange(splitter.Mark(word));
                else
                    foreach (char[] piece in word.Chunk(size)) parts.AddRange(splitter.Add(new string(piece)));
            parts.AddRange(splitter.Rest());
            Assert.Equal(expected, Written(parts).Replace(")(", "", StringComparison.Ordinal));
        }
    }
}
