using Ashlar.Backends.Cpu;
using Ashlar.Serving;
using Ashlar.Tests.Formats;
using Ashlar.Tests.Models.Reference;
using Ashlar.Tests.Tensors;
using Microsoft.Extensions.AI;

namespace Ashlar.Tests.Serving;

public sealed class LocalEmbeddingGeneratorTests() : DeviceTests(new Device(new CpuBackend())), IDisposable
{
    const string Tokenizer = """
        {"added_tokens":[{"id":0,"content":"[PAD]","special":true},{"id":1,"content":"[UNK]","special":true},{"id":2,"content":"[CLS]","special":true},{"id":3,"content":"[SEP]","special":true}],
         "normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true},
         "pre_tokenizer":{"type":"BertPreTokenizer"},
         "post_processor":{"type":"BertProcessing","sep":["[SEP]",3],"cls":["[CLS]",2]},
         "model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,
                  "vocab":{"[PAD]":0,"[UNK]":1,"[CLS]":2,"[SEP]":3,"a":4,"stone":5,"is":6,"hard":7,"##s":8}}}
        """;

    readonly TemporaryFolder folder = new();

    void IDisposable.Dispose()
    {
        folder.Dispose();
        Dispose();
    }

    LocalEmbeddingGenerator Open(out TinyModel tiny)
    {
        tiny = TinyModels.Make("bert");
        tiny.Write(folder.Path);
        File.WriteAllText(folder.File("tokenizer.json"), Tokenizer);
        return LocalEmbeddingGenerator.Open(folder.Path);
    }

    [Fact]
    public async Task Vectors_AreThoseOfThePlainModel()
    {
        using var generator = Open(out var tiny);
        var made = await generator.GenerateAsync(["A stone is hard", "", "stones"]);
        int[][] tokens = [[2, 4, 5, 6, 7, 3], [2, 3], [2, 5, 8, 3]];
        Assert.Equal(12, made.Usage!.InputTokenCount);
        for (int i = 0; i < tokens.Length; i++)
        {
            double[] expected = [.. BertReference.Embedding(tiny.Logits(tokens[i]), mean: true, normalise: true)];
            Assert.Equal(expected.Length, made[i].Dimensions);
            for (int j = 0; j < expected.Length; j++) Assert.Equal(expected[j], made[i].Vector.Span[j], 1e-4);
        }
        Assert.Equal(made[2].Vector.ToArray(), (await generator.GenerateVectorAsync("stones")).ToArray());
    }

    [Fact]
    public async Task Vectors_AreThoseOfSingleTexts_WhenTextsAreReadSideBySide()
    {
        using var generator = Open(out _);
        string[] words = ["a", "stone", "is", "hard", "stones"];
        string[] texts = [.. Enumerable.Range(0, 90).Select(i =>
            string.Join(' ', Enumerable.Range(0, i % 3).Select(j => words[(i + j * 7) % words.Length])))];
        var together = await generator.GenerateAsync(texts);
        Assert.Equal(texts.Length, together.Count);
        for (int i = 0; i < texts.Length; i += 7)
        {
            float[] single = (await generator.GenerateVectorAsync(texts[i])).ToArray();
            for (int j = 0; j < single.Length; j++) Assert.Equal(single[j], together[i].Vector.Span[j], 1e-5f);
        }
    }

    [Fact]
    public async Task Requests_ThatCannotBe_AreRefused()
    {
        using var generator = Open(out var tiny);
        async Task Refuses(string code, string text, EmbeddingGenerationOptions? options = null) =>
            Assert.Equal(code,
                (await Assert.ThrowsAnyAsync<AshlarException>(() => generator.GenerateAsync([text], options))).Code);
        await Refuses("ASH0347", string.Join(' ', Enumerable.Repeat("stone", tiny["max_position_embeddings"])));
        await Refuses("ASH0356", "stone", new() { Dimensions = 3 });
        await Refuses("ASH0356", "stone", new() { ModelId = "other" });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            generator.GenerateAsync(["a"], cancellationToken: new(true)));
        var metadata = generator.GetService<EmbeddingGeneratorMetadata>()!;
        Assert.Equal(("ashlar", tiny["hidden_size"]), (metadata.ProviderName, metadata.DefaultModelDimensions));
        generator.Dispose();
        Assert.Throws<ObjectDisposedException>(() => { _ = generator.GenerateAsync(["a"]); });
    }
}
