using System.CommandLine;
using System.Text.Json.Nodes;
using Ashlar.Cli;
using Ashlar.Formats;
using Ashlar.Tests.Formats;
using Ashlar.Tests.Models.Reference;

namespace Ashlar.Tests.Cli;

public sealed class ModelCommandsTests : IDisposable
{
    readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    static async Task<(int Code, string Output, string Error)> Run(params string[] args)
    {
        StringWriter output = new(), error = new();
        Command[] verbs = [InspectCommand.Define(), ConvertCommand.Define(), QuantizeCommand.Define((_, _, _) => 7.25)];
        int code = await CommandLine.Run(verbs, args, output, error);
        return (code, output.ToString(), error.ToString());
    }

    string Model(string name = "llama3.1")
    {
        Directory.CreateDirectory(folder.File("model"));
        string path = TinyModels.Make(name).Write(folder.File("model"));
        File.WriteAllText(folder.File("model/tokenizer.json"), """
            {"added_tokens":[{"id":2,"content":"</s>","special":true}],
             "pre_tokenizer":{"type":"ByteLevel","use_regex":true},
             "model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":3},"merges":["a b"]}}
            """);
        File.WriteAllText(folder.File("model/tokenizer_config.json"),
            """{"eos_token":"</s>","add_bos_token":false,"chat_template":"{% for m in messages %}\n{{ m }}\n{% endfor %}"}""");
        return path;
    }

    [Fact]
    public async Task Convert_ThenInspect_ShowsTheModelInBothFormats()
    {
        string model = Model();
        var (code, output, error) = await Run("convert", model, folder.File("m.gguf"), "--dtype", "f16");
        Assert.True(code == 0, error);
        Assert.Contains("llama, 30 tensors", output);
        foreach (string path in (string[])[model, folder.File("m.gguf")])
        {
            (code, output, error) = await Run("inspect", path, "--tensors", "--metadata");
            Assert.True(code == 0, error);
            foreach (string part in (string[])["Types", "Configuration", "Tokenizer", "1 merges", "2 </s>", "Chat template",
                "{{ m }}", "Tensors"]) Assert.Contains(part, output);
            (_, output, _) = await Run("inspect", path, "--json", "--tensors", "--metadata");
            var json = JsonNode.Parse(output)!.AsObject();
            Assert.True((long)json["parameters"]! > 10_000);
            Assert.Equal(json["tensor_count"]!.GetValue<int>(), json["tensors"]!.AsArray().Count);
            Assert.Equal("2 </s>", (string?)json["tokenizer"]!["special"]!["eos"]);
        }
        (code, output, _) = await Run("convert", folder.File("m.gguf"), folder.File("back"), "--split", "10K", "--json");
        Assert.Equal(0, code);
        Assert.True(JsonNode.Parse(output)!["files"]!.AsArray().Count > 1);
    }

    [Fact]
    public async Task Quantize_WritesTheModel_AndReportsTheErrors()
    {
        string model = Model();
        var (code, output, error) =
            await Run("quantize", model, folder.File("q.gguf"), "--to", "q8_0", "--keep", "*attn_v*=bf16");
        Assert.True(code == 0, error);
        Assert.Matches(@"blk\.0\.ffn_gate\.weight +f32 +f16", output);   // rows of 56: no whole number of blocks
        Assert.Matches(@"blk\.0\.attn_v\.weight +f32 +bf16", output);
        Assert.Matches(@"blk\.0\.attn_output\.weight +f32 +q8_0", output);
        string text = folder.Write("text.txt", "hello"u8);
        (_, output, _) = await Run("quantize", model, folder.File("q.gguf"), "--to", "int4", "--json", "--text", text);
        var json = JsonNode.Parse(output)!.AsObject();
        Assert.Equal("q4_0", (string?)json["to"]);
        Assert.Equal(7.25, (double)json["perplexity_after"]!);
        Assert.All(json["tensors"]!.AsArray(), tensor => Assert.True((double)tensor!["relative_error"]! < 0.2));
        Assert.Equal(["model", "q.gguf", "text.txt"], folder.Names.Where(name => !name.Contains('/')));
    }

    [Fact]
    public async Task Quantize_NamesTheModelThatItWasGiven_WhenAWeightIsNotFinite()
    {
        Directory.CreateDirectory(folder.File("bad"));
        var tiny = TinyModels.Make("llama2");
        tiny.Weights["model.layers.1.self_attn.v_proj.weight"].Data[7] = float.NaN;
        string model = tiny.Write(folder.File("bad"));
        var (code, _, error) = await Run("quantize", model, folder.File("q.gguf"), "--to", "q8_0");
        Assert.Equal(1, code);
        Assert.Contains($"'blk.1.attn_v.weight' of {model} holds values that are not finite", error);
        Assert.DoesNotContain(folder.Names, name => name.EndsWith(".gguf", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Quantize_MeasuresTheOldModelFirst_WhenItIsReplaced()
    {
        string model = folder.File("m.gguf"), text = folder.Write("text.txt", "hello"u8);
        await Run("convert", Model(), model);
        var sizes = new List<long>();
        Command[] verbs = [QuantizeCommand.Define((path, _, _) =>
        {
            sizes.Add(new FileInfo(path).Length);
            return sizes.Count;
        })];
        var output = new StringWriter();
        Assert.Equal(0, await CommandLine.Run(verbs, ["quantize", model, model, "--to", "q8_0", "--json", "--text", text], output,
            new StringWriter()));
        Assert.True(sizes[0] > 2 * sizes[1]);
        Assert.Equal(1, (double)JsonNode.Parse(output.ToString())!["perplexity_before"]!);
    }

    [Fact]
    public async Task Inspect_SaysThatAFileIsNoGguf_WhenItIsCalledOne()
    {
        var (code, _, error) = await Run("inspect", folder.Write("page.gguf", "<html>"u8));
        Assert.Equal((1, true), (code, error.StartsWith("ASH0451", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(2, "no file or folder 'nothing.gguf'", "inspect", "nothing.gguf")]
    [InlineData(1, "ASH0466", "quantize", ".", "b", "--to", "q9")]
    [InlineData(1, "ASH0466", "quantize", ".", "b", "--to", "q8_0", "--keep", "x")]
    [InlineData(2, "--to", "quantize", ".", "b")]
    [InlineData(2, "nothing.txt", "quantize", ".", "b", "--to", "q8_0", "--text", "nothing.txt")]
    [InlineData(2, "--split is a size", "convert", ".", "b", "--split", "much")]
    public async Task Verbs_SayWhatIsWrong(int expected, string says, params string[] args)
    {
        var (code, _, error) = await Run(args);
        Assert.Equal(expected, code);
        Assert.Contains(says, error);
    }

    [Theory]
    [InlineData("inspect")]
    [InlineData("convert")]
    [InlineData("quantize")]
    public async Task Help_TeachesWithExamples(string verb)
    {
        var (code, output, _) = await Run(verb, "--help");
        Assert.Equal(0, code);
        Assert.Contains($"  ashlar {verb} ", output);
    }
}
