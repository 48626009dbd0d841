using System.CommandLine;
using System.Text.Json.Nodes;
using Ashlar.Backends.Cpu;
using Ashlar.Cli;
using Ashlar.Tests.Formats;
using Ashlar.Tests.Serving;
using Ashlar.Tests.Tensors;

namespace Ashlar.Tests.Cli;

/// <summary>generate and chat over model files.</summary>
public sealed class LanguageCommandsTests() : DeviceTests(new Device(new CpuBackend())), IDisposable
{
    readonly TemporaryFolder folder = new();

    void IDisposable.Dispose()
    {
        folder.Dispose();
        Dispose();
    }

    static async Task<(int Code, string Output, string Error)> Run(string input, params string[] args)
    {
        StringWriter output = new(), error = new();
        Command[] verbs = [GenerateCommand.Define(() => { }), ChatCommand.Define(() => { }, new StringReader(input))];
        int code = await CommandLine.Run(verbs, args, output, error);
        return (code, output.ToString(), error.ToString());
    }

    [DataTheory]
    [InlineData("")]
    [InlineData("stories260k.gguf")]
    public async Task Generate_PrintsThePublishedStory(string file)
    {
        string stories = Path.Combine(DataFact.Folder!, "models", "stories260k");
        var published = JsonNode.Parse(File.ReadAllText(Path.Combine(stories, "greedy.json")))!;
        var (code, output, error) = await Run("", "generate", Path.Combine(stories, file), "--prompt-ids", "1", "--max-tokens",
            "256", "--temperature", "0", "--json");
        Assert.True(code == 0, error);
        var json = JsonNode.Parse(output)!;
        Assert.Equal(published["ids"]!.ToJsonString(), json["tokens"]!.ToJsonString());
        Assert.Equal((string)published["text"]!, (string)json["text"]!);
        Assert.Equal((1, "length"), ((int)json["prompt_tokens"]!, (string)json["finish_reason"]!));
        Assert.True((double)json["timings"]!["tokens_per_second"]! > 0);
    }

    [Fact]
    public async Task Generate_PrintsTextOrJson()
    {
        string model = ScriptedModel.Write(folder.Path, [" one", " two", " three"]);
        Assert.Equal((0, "x<|go|> one two three"), await Text("--prompt", "x<|go|>"));
        Assert.Equal((0, "x<|go|> one"), await Text("--prompt", "x<|go|>", "--stop", " tw"));
        var (_, output, _) =
            await Run("", "generate", model, "--prompt", "x<|go|>", "--temperature", "0", "--json", "--logprobs", "2");
        var json = JsonNode.Parse(output)!;
        Assert.Equal((" one two three", "stop", 2),
            ((string)json["text"]!, (string)json["finish_reason"]!, (int)json["prompt_tokens"]!));
        Assert.Equal(json["tokens"]!.AsArray().Count, json["logprobs"]!.AsArray().Count);
        Assert.Equal(2, json["logprobs"]![0]!["top"]!.AsArray().Count);

        async Task<(int, string)> Text(params string[] more)
        {
            var (code, output, error) = await Run("", ["generate", model, "--temperature", "0", .. more]);
            return (code, output.TrimEnd('\r', '\n') + error);
        }
    }

    [Fact]
    public async Task Generate_NeverChoosesATokenThatABiasRulesOut()
    {
        string model = ScriptedModel.Write(folder.Path, [" one", " two"]);
        var tokenizer = Ashlar.Tokenizers.Tokenizer.Load(Path.Combine(folder.Path, "tokenizer.json"));
        string[] args = ["generate", model, "--prompt", "x<|go|>", "--temperature", "0", "--max-tokens", "1"];
        Assert.Equal("x<|go|> one", (await Run("", args)).Output.TrimEnd());
        var (_, output, error) = await Run("", [.. args, "--logit-bias", $"{tokenizer.Find(" one")}=-inf"]);
        Assert.Equal("", error);
        Assert.DoesNotContain("one", output, StringComparison.Ordinal);
        (_, output, _) = await Run("", [.. args, "--logit-bias", $"{tokenizer.Find(" two")}=1e6"]);
        Assert.Equal("x<|go|> two", output.TrimEnd());
    }

    [Fact]
    public async Task Generate_TakesAsManyTokensAsTheContextHas_WhenAskedForTheMost()
    {
        string model = ScriptedModel.Write(folder.Path, [" one", " two", " three"]);
        var (_, output, _) = await Run("", "generate", model, "--prompt", "x<|go|>", "--temperature", "0", "--max-tokens",
            $"{int.MaxValue}");
        Assert.Equal("x<|go|> one two three", output.TrimEnd());
    }

    [Fact]
    public async Task Generate_AnswersWithIds_WhenTheModelHasNoTokenizer()
    {
        string model = ScriptedModel.Write(folder.Path, [" one", " two"]);
        foreach (string file in Directory.GetFiles(model, "tokenizer*")) File.Delete(file);
        var (code, output, error) =
            await Run("", "generate", model, "--prompt-ids", "1,2", "--max-tokens", "2", "--temperature", "0");
        Assert.Equal((0, ""), (code, error));
        Assert.Matches(@"^\d+,\d+\s*$", output);
    }

    [Fact]
    public async Task Generate_FindsTheTokenizer_BesideAFileOfWeights()
    {
        string model = ScriptedModel.Write(folder.Path, [" one", " two"]);
        var (_, output, error) = await Run("", "generate", Path.Combine(model, "model.safetensors"), "--prompt", "x<|go|>",
            "--temperature", "0");
        Assert.Equal(("x<|go|> one two", ""), (output.TrimEnd(), error));
    }

    [Fact]
    public async Task Chat_SaysWhichTemplateIsMissing()
    {
        var (code, _, error) =
            await Run("", "chat", ScriptedModel.Write(folder.Path, ["one"]), "--template", folder.File("nothing.jinja"));
        Assert.Equal(2, code);
        Assert.Contains("nothing.jinja", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Verbs_SayOneSentence_WhenTheOutputCannotBeWritten()
    {
        var error = new StringWriter();
        int code = await CommandLine.Run([GenerateCommand.Define(() => { })],
            ["generate", ScriptedModel.Write(folder.Path, ["one"]), "--prompt", "x"], new FullDisk(), error);
        Assert.Equal((1, "no space left" + Environment.NewLine), (code, error.ToString()));
    }

    sealed class FullDisk : StringWriter
    {
        public override void Write(string? value) => throw new IOException("no space left");
    }

    [Fact]
    public async Task Generate_KeepsPackedWeights_AndSaysWhere()
    {
        string model = ScriptedModel.Write(folder.Path, [" one", " two"]), cache = folder.File("kept");
        string[] args =
            ["generate", model, "--prompt", "x<|go|>", "--temperature", "0", "--weights", "bf16", "--keep-packed", cache];
        var (_, first, told) = await Run("", args);
        Assert.Contains(cache, told, StringComparison.Ordinal);
        Assert.Single(Directory.GetFiles(cache));
        Assert.Equal((0, first, ""), await Run("", args));
    }

    [Theory]
    [InlineData("ASH0355", "--prompt", "")]
    [InlineData("ASH0353", "--prompt-ids", "3,9999")]
    [InlineData("ASH0347", "--prompt-ids", "1,2,3,4,5,6,7,8,9", "--context", "8")]
    [InlineData("--prompt TEXT", "--max-tokens", "3")]
    [InlineData("'x' is none", "--prompt-ids", "1,x")]
    [InlineData("'many' is nothing that --top-k takes: a whole number.", "--prompt", "x", "--top-k", "many")]
    [InlineData("'hot' is nothing that --temperature takes: a number.", "--prompt", "x", "--temperature", "hot")]
    [InlineData("'abc' is nothing that --seed takes: a whole number.", "--prompt", "x", "--seed", "abc")]
    [InlineData("--stop takes a text", "--prompt", "x", "--stop", "")]
    [InlineData("give --json, too", "--prompt", "x", "--logprobs", "2")]
    [InlineData("--logprobs must be 0 or more", "--prompt", "x", "--json", "--logprobs", "-1")]
    [InlineData("and '5' is not that", "--prompt", "x", "--logit-bias", "5")]
    [InlineData("and '5=nan' is not that", "--prompt", "x", "--logit-bias", "5=nan")]
    [InlineData("ASH0353: a bias is given for token 9999", "--prompt", "x", "--logit-bias", "9999=1")]
    public async Task Generate_SaysWhatIsWrong(string says, params string[] args)
    {
        var (code, _, error) = await Run("", ["generate", ScriptedModel.Write(folder.Path, ["one"]), .. args]);
        Assert.NotEqual(0, code);
        Assert.Contains(says, error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("generate", "--prompt", "x")]
    [InlineData("chat")]
    public async Task Verbs_SayWhatMayBeNamed_WhenAPathDoesNotExist(string verb, params string[] args)
    {
        string path = folder.File("nothing.gguf");
        var (code, _, error) = await Run("", [verb, path, .. args]);
        Assert.Equal(2, code);
        Assert.Contains($"no file or folder '{path}'. What may be named: a", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Generate_SaysWhatAModelHas_WhenAFolderHoldsNone()
    {
        var (code, _, error) = await Run("", "generate", folder.Path, "--prompt-ids", "1");
        Assert.Equal((1, true), (code, error.StartsWith("ASH0450:", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Chat_AnswersEachLineOfAPipe()
    {
        string model = ScriptedModel.Write(folder.Path, ["<think>", "Hm", "</think>", "A stone", " is hard"]);
        var (code, output, error) = await Run("What is it?\n\n/think\nReally?\n/clear\n/nothing\n/exit\nNot asked\n", "chat",
            model, "--temperature", "0", "--system", "Be short.");
        Assert.True(code == 0, error);
        Assert.Equal(2, output.Split("A stone is hard").Length - 1);
        Assert.Equal(1, output.Split("Hm").Length - 1);
        Assert.Contains("/nothing is no command", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Chat_SaysWhatIsWrong_AndGoesOn()
    {
        string model = ScriptedModel.Write(folder.Path, ["one"]);
        var (code, output, _) = await Run(new string('x', 600) + "\nshort\n", "chat", model, "--temperature", "0");
        Assert.Equal(0, code);
        Assert.Contains("ASH0347", output, StringComparison.Ordinal);
        Assert.Contains("one", output[output.IndexOf("ASH0347", StringComparison.Ordinal)..], StringComparison.Ordinal);
        (code, _, string error) = await Run("hello\n", "chat", ScriptedModel.Write(folder.Path, ["one"], template: ""));
        Assert.Equal(1, code);
        Assert.Contains("ASH0738", error, StringComparison.Ordinal);
    }
}
