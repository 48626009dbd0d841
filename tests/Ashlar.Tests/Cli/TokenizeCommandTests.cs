using System.Text.Json.Nodes;
using Ashlar.Cli;
using Ashlar.Tests.Formats;
using Ashlar.Tokenizers;

namespace Ashlar.Tests.Cli;

public sealed class TokenizeCommandTests : IDisposable
{
    readonly string folder = Directory.CreateTempSubdirectory("ashlar-").FullName;

    public TokenizeCommandTests() =>
        File.WriteAllBytes(Path.Combine(folder, "tokenizer.json"),
            BpeTokenizer.Train("the cat sat on the mat, the cat", 270, ["<|end|>"]).ToJson());

    public void Dispose() => Directory.Delete(folder, recursive: true);

    static async Task<(int Code, string Output, string Error)> Run(params string[] args)
    {
        var output = new StringWriter();
        var error = new StringWriter();
        int code = await CommandLine.Run([TokenizeCommand.Define(), DetokenizeCommand.Define()], args, output, error);
        return (code, output.ToString(), error.ToString());
    }

    [Fact]
    public async Task Tokenize_AndBack_GivesTheText()
    {
        const string text = "the cat\n sat <|end|> där";
        var (code, output, _) = await Run("tokenize", folder, "--text", text, "--json");
        Assert.Equal(0, code);
        var json = JsonNode.Parse(output)!;
        int[] tokens = [.. json["tokens"]!.AsArray().Select(token => (int)token!)];
        Assert.Equal(tokens.Length, json["pieces"]!.AsArray().Count);
        Assert.Contains("<|end|>", json["pieces"]!.AsArray().Select(piece => (string)piece!));

        (_, string ids, _) = await Run("tokenize", folder, "--text", text, "--ids");
        Assert.Equal(string.Join(',', tokens), ids.Trim());
        (_, output, _) = await Run("detokenize", folder, "--ids", ids.Trim(), "--json");
        Assert.Equal(text, (string)JsonNode.Parse(output)!["text"]!);
        (_, output, _) = await Run("detokenize", folder, "--ids", ids.Trim(), "--no-special");
        Assert.Equal(text.Replace("<|end|>", ""), output.TrimEnd('\r', '\n'));
    }

    [Fact]
    public async Task Tokenize_TakesSpecialTokensAsText_WhenAsked()
    {
        var (_, with, _) = await Run("tokenize", folder, "--text", "<|end|>", "--ids");
        var (_, without, _) = await Run("tokenize", folder, "--text", "<|end|>", "--ids", "--no-special");
        Assert.DoesNotContain(',', with);
        Assert.Contains(',', without);
    }

    [Fact]
    public async Task Tokenize_ShowsATable()
    {
        string file = Path.Combine(folder, "text");
        File.WriteAllText(file, "the cat\n");
        var (code, output, _) = await Run("tokenize", folder, "--file", file);
        Assert.Equal(0, code);
        Assert.Contains("\u00b7cat", output);
        Assert.Contains("\\n", output);
        Assert.Contains("0a", output);
    }

    [Theory]
    [InlineData(2, "--text", "tokenize", "FOLDER")]
    [InlineData(2, "--json", "tokenize", "FOLDER", "--text", "a", "--ids", "--json")]
    [InlineData(2, "'x'", "detokenize", "FOLDER", "--ids", "1,x")]
    [InlineData(1, "ASH0443", "detokenize", "FOLDER", "--ids", "999999")]
    [InlineData(2, "no file or folder", "tokenize", "FOLDER/none.json", "--text", "a")]
    [InlineData(1, "ASH0441", "tokenize", "FOLDER", "--file", "FOLDER/none")]
    [InlineData(1, "latin is not UTF-8 at byte 3", "tokenize", "FOLDER", "--file", "FOLDER/latin")]
    [InlineData(1, "other.json cannot be", "tokenize", "FOLDER/other.json", "--text", "a")]
    public async Task Tokenize_SaysWhatIsWrong(int expected, string says, params string[] args)
    {
        File.WriteAllBytes(Path.Combine(folder, "latin"), [.. "caf"u8, 0xe9, .. " noir"u8]);
        File.WriteAllBytes(Path.Combine(folder, "other.json"), [0xff, 0xfe, .. "{"u8]);
        var (code, _, error) = await Run([.. args.Select(arg => arg.Replace("FOLDER", folder))]);
        Assert.Equal(expected, code);
        Assert.Contains(says, error);
    }

    [DataFact]
    public async Task Tokenize_ReadsVocabulariesOfGguf()
    {
        var (code, output, _) = await Run("tokenize", Path.Combine(DataFact.Folder!, "tokenizers/gguf/ggml-vocab-llama-spm.gguf"),
            "--text", "Hello world", "--ids");
        Assert.Equal((0, "1,15043,3186"), (code, output.Trim()));
        foreach (string model in (string[])["models/stories260k", "models/stories260k/tokenizer.model",
            "models/stories260k/stories260k.gguf"])
        {
            (code, output, _) =
                await Run("tokenize", Path.Combine(DataFact.Folder!, model), "--text", "Once upon a time", "--ids");
            Assert.Equal((0, "1,403,407,261,378"), (code, output.Trim()));
        }
    }
}
