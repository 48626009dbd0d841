using Ashlar.Formats;
using Ashlar.Tests.Models.Reference;

namespace Ashlar.Tests.Formats;

/// <summary>Tokenizers that a file of the other format cannot hold.</summary>
public sealed class TokenizerConversionTests : IDisposable
{
    readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("""{"model": {"type": "Unigram", "vocab": []}}""", "kind Unigram")]
    [InlineData("""{"model": {"type": "BPE", "vocab": {"a": 0, "b": 0}, "merges": []}}""", "'b' the number 0")]
    [InlineData("""{"model": {"type": "BPE", "vocab": {"a": "first"}, "merges": []}}""", "'a' the number \"first\"")]
    [InlineData("""{"model": {"type": "BPE", "vocab": {"a": 20000000}, "merges": []}}""", "20,000,001 tokens")]
    [InlineData("""{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}, "pre_tokenizer": {"type": "Bert"}}""",
        "splits words")]
    [InlineData("""{"model": {"type": "BPE", "vocab": {"a": 0, "ab": 1}, "merges": ["ab"]}}""", "\"ab\"")]
    [InlineData("""{"model": {"type": "BPE", "byte_fallback": true, "vocab": {"a": 0, "ab": 1}, "merges": ["ab"]}}""", "\"ab\"")]
    [InlineData("""{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["a"]]}}""", "[\"a\"]")]
    [InlineData("""{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [7]}}""", "merge 7")]
    public void Convert_NamesTokenizersThatHaveNoPlace(string json, string says) => Refuses("tokenizer.json", json, says);

    [Theory]
    [InlineData("", "no SentencePiece model")]
    [InlineData("\n\u007f", "cut short")]                             // a piece of 127 bytes, none of which is there
    public void Convert_NamesDamagedPieces(string bytes, string says) => Refuses("tokenizer.model", bytes, says);

    void Refuses(string file, string content, string says)
    {
        Directory.CreateDirectory(folder.File("from"));
        string from = TinyModels.Make("llama2").Write(folder.File("from"));
        File.WriteAllText(Path.Combine(from, file), content);
        var error = Assert.Throws<ModelFileException>(() =>
            ModelConversion.Convert(from, folder.File("model.gguf"), null, null, null, CancellationToken.None));
        Assert.True(error.Code == "ASH0465", error.Message);
        Assert.Contains(says, error.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(folder.File("model.gguf")));
    }

    [Fact]
    public void Pieces_NeedAScoreEach()
    {
        var metadata = new GgufMetadata();
        metadata.SetTexts("tokenizer.ggml.tokens", ["<unk>", "a"]);
        metadata.SetFloats("tokenizer.ggml.scores", [0, -1, -2]);
        var error = Assert.Throws<ModelFileException>(() => SentencePieces.Write(metadata));
        Assert.True(error.Code == "ASH0465", error.Message);
        Assert.Contains("2 tokens, 3 scores and 2 kinds", error.Message, StringComparison.Ordinal);
    }
}
