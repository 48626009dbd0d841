using System.Text.Json.Nodes;
using Ashlar.Backends.Cpu;
using Ashlar.Cli;
using Ashlar.Runtime;

namespace Ashlar.Tests.Cli;

/// <summary>A model of <c>quickstart --quick</c>, trained once for all tests.</summary>
public sealed class QuickstartModel : IDisposable
{
    public string Folder { get; } = Directory.CreateTempSubdirectory("ashlar-quickstart").FullName;

    public Lazy<Task<(int Code, string Output, string Error)>> Training { get; }

    public QuickstartModel() => Training = new(() => Run("", "quickstart", "--quick", "--out", Folder));

    public static async Task<(int Code, string Output, string Error)> Run(string? typed, params string[] args)
    {
        using var selection = new Device(new CpuBackend()).Select();
        var (output, error) = (new StringWriter(), new StringWriter());
        var verbs = new[] { QuickstartCommand.Define(new StringReader(typed ?? ""), isTyping: !string.IsNullOrEmpty(typed),
            () => 1e9), GenerateCommand.Define(() => { }) };
        int code = await CommandLine.Run(verbs, args, output, error);
        return (code, output.ToString(), error.ToString());
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}

public sealed class QuickstartCommandTests(QuickstartModel model) : IClassFixture<QuickstartModel>
{
    async Task<(int Code, string Output, string Error)> Ask(string? typed, params string[] args)
    {
        await model.Training.Value;
        return await QuickstartModel.Run(typed, [.. args,
            .. args[0] == "quickstart" ? ["--out", model.Folder] : Array.Empty<string>()]);
    }

    [Fact]
    public async Task Quickstart_TrainsMeasuresSavesAndAnswers()
    {
        var (code, output, error) = await model.Training.Value;
        Assert.Equal((0, ""), (code, error));
        Assert.Contains("step 1/10  loss ", output);
        Assert.Contains("step 10/10  loss ", output);
        Assert.Contains("Held-out phrasings, never seen in training: ", output);
        Assert.Contains($"Saved in {model.Folder}", output);
        Assert.Contains("\nevery weekday at half past eight\n", output);
        Assert.Equal(["config.json", "model.safetensors", "tokenizer.json"], Directory.GetFiles(model.Folder)
            .Select(Path.GetFileName).Order());
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(model.Folder, "config.json")))!;
        Assert.Equal("schedules", (string?)config["task"]);
        Assert.InRange((double)config["exact_match"]!, 0, 1);
    }

    [Fact]
    public async Task Ask_AnswersPhrases_WithoutTraining()
    {
        var (code, output, error) = await Ask(null, "quickstart", "--ask", "every friday at 17:30", "hourly");
        Assert.Equal((0, ""), (code, error));
        Assert.DoesNotContain("step 1/", output);
        Assert.StartsWith("every friday at 17:30\n", output);
        Assert.Contains("\nhourly\n", output);
    }

    [Fact]
    public async Task Ask_AnswersWhatIsTyped_UntilAnEmptyLine()
    {
        var (code, output, _) = await Ask("daily at noon\n\nnever read\n", "quickstart", "--ask");
        Assert.Equal(0, code);
        Assert.Equal(3, output.Split("> ").Length);          // two questions: an answer, and the end
        Assert.DoesNotContain("never read", output);
    }

    [Fact]
    public async Task Generate_GoesOnFromAPrompt_TheSameForASeed()
    {
        string[] args = ["generate", model.Folder, "--prompt", "every day", "--max-tokens", "12", "--seed", "5"];
        var first = await Ask(null, args);
        Assert.Equal((0, ""), (first.Code, first.Error));
        Assert.StartsWith("every day", first.Output);
        Assert.Equal(first, await Ask(null, args));
        var json = JsonNode.Parse((await Ask(null, [.. args, "--json"])).Output)!;
        Assert.Equal(12, json["tokens"]!.AsArray().Count);
        Assert.Equal(first.Output.TrimEnd('\n'), "every day" + (string?)json["text"]);
    }

    [Theory]
    [InlineData("--ask trains nothing, so it cannot be --quick", "quickstart", "--ask", "--quick")]
    [InlineData("--seed has no meaning", "quickstart", "--ask", "--seed", "3")]
    [InlineData("'--quik' is no option", "quickstart", "--quik")]
    [InlineData("--temperature 0 takes the likeliest", "generate", "x", "--prompt", "a", "--temperature", "0", "--top-k", "3")]
    [InlineData("--top-p must be above 0 and at most 1, and 1.5 is not", "generate", "x", "--prompt", "a", "--top-p", "1.5")]
    [InlineData("--max-tokens must be at least 1, and 0 is not", "generate", "x", "--prompt", "a", "--max-tokens", "0")]
    [InlineData("give what the text begins with", "generate", "x")]
    public async Task Options_AreRefused_WhenWrongOrContradictory(string problem, params string[] args)
    {
        var (code, _, error) = await QuickstartModel.Run(null, args);
        Assert.Equal(2, code);
        Assert.Contains(problem, error);
    }

    [Fact]
    public async Task Ask_SaysThatThereIsNoModel()
    {
        var (code, _, error) =
            await QuickstartModel.Run(null, "quickstart", "--ask", "--out", Path.Combine(model.Folder, "nothing"));
        Assert.Equal(1, code);
        Assert.StartsWith("ASH0503:", error);
    }

    [Fact]
    public async Task Generate_SaysThatThePromptIsEmpty()
    {
        var (code, _, error) = await Ask(null, "generate", model.Folder, "--prompt", "");
        Assert.Equal(1, code);
        Assert.StartsWith("ASH0505:", error);
    }

    [Theory]
    [InlineData("config.json", "{\"format\": \"other\"}", "ASH0503")]
    [InlineData("config.json", "{\"format\": \"ashlar-gpt\", \"version\": 99}", "ASH0504")]
    [InlineData("config.json", "{\"format\":", "ASH0503")]
    [InlineData("config.json", "{\"format\": \"ashlar-gpt\", \"version\": 1, \"model\": {\"vocabulary\": 5, \"depth\": 3}}",
        "ASH0503")]
    [InlineData("model.safetensors", "short", "ASH041")]
    [InlineData("tokenizer.json", "{}", "ASH044")]
    [InlineData("model.safetensors", null, "ASH0410")]
    public async Task Generate_NamesTheFile_WhenAModelIsDamaged(string file, string? content, string code)
    {
        await model.Training.Value;
        string copy = Directory.CreateTempSubdirectory("ashlar-damaged").FullName;
        try
        {
            foreach (string path in Directory.GetFiles(model.Folder)) File.Copy(path, Path.Combine(copy, Path.GetFileName(path)));
            if (content is null) File.Delete(Path.Combine(copy, file));
            else File.WriteAllText(Path.Combine(copy, file), content);
            var (result, _, error) = await QuickstartModel.Run(null, "generate", copy, "--prompt", "a");
            Assert.Equal(1, result);
            Assert.StartsWith(code, error);
            Assert.Contains(copy, error);
        }
        finally { Directory.Delete(copy, recursive: true); }
    }
}
