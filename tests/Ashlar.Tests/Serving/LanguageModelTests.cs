using System.Text.Json.Nodes;
using Ashlar.Backends.Cpu;
using Ashlar.Formats;
using Ashlar.Models;
using Ashlar.Serving;
using Ashlar.Tests.Formats;
using Ashlar.Tests.Models.Reference;
using Ashlar.Tests.Tensors;

namespace Ashlar.Tests.Serving;

public sealed class LanguageModelTests() : DeviceTests(new Device(new CpuBackend())), IDisposable
{
    static readonly LanguageModelOptions exact = new(Engine: new(DType.Float32, Context: 128, MostTexts: 1));

    readonly TemporaryFolder folder = new();

    void IDisposable.Dispose()
    {
        folder.Dispose();
        Dispose();
    }

    LanguageModel Tiny(out TinyModel tiny, LanguageModelOptions? options = null)
    {
        tiny = TinyModels.Make("llama2");
        return LanguageModel.Load(tiny.Write(folder.Path), options ?? exact);
    }

    static int[] Ids(IEnumerable<GeneratedToken> tokens) => [.. tokens.Select(token => token.Id)];

    [Fact]
    public void Greedy_TakesTheLikeliestOfTheReference()
    {
        using var model = Tiny(out var tiny);
        List<int> text = [.. TinyModels.Text(tiny, 9)];
        var made = model.Generate(text.ToArray(), new(12) { LogProbabilities = 2 }).ToList();
        foreach (var token in made)
        {
            double[] logits = tiny.Logits(text.ToArray())[^1];
            Assert.Equal(Array.IndexOf(logits, logits.Max()), token.Id);
            Assert.Equal(logits.Max() - Math.Log(logits.Sum(Math.Exp)), token.LogProbability!.Value, 1e-3);
            Assert.Equal(2, token.Likeliest.Count);
            text.Add(token.Id);
        }
        Assert.Equal(FinishReason.Length, made[^1].Finish);
        Assert.All(made.SkipLast(1), token => Assert.Null(token.Finish));
    }

    [Theory]
    [InlineData("{\"do_sample\": true, \"temperature\": 0.6, \"top_k\": 20, \"top_p\": 0.95, \"eos_token_id\": [1, 2]}", 0.6f,
        20, 0.95f, "")]
    [InlineData("{\"do_sample\": false, \"temperature\": 0.6}", 0f, 0, 1f, "")]
    [InlineData("{\"temperature\": null, \"top_p\": 0.5, \"num_beams\": 4, \"guidance_scale\": 1}", 1f, 0, 0.5f, "num_beams 4")]
    public void Defaults_AreThoseOfTheMakers(string config, float temperature, int topK, float topP, string notDone)
    {
        using var model = Advised(config);
        Assert.Equal((temperature, topK, topP),
            (model.Defaults!.Sampling.Temperature, model.Defaults.Sampling.TopK, model.Defaults.Sampling.TopP));
        Assert.Equal(notDone, string.Join(", ", model.Defaults.NotDone));
    }

    [Theory]
    [InlineData("{\"temperature\": \"warm\"}", "warm"), InlineData("{\"top_p\": 7}", "top_p is 7"), InlineData("[]", "no object"),
        InlineData("{", "cannot be used")]
    public void Defaults_ThatCannotBe_AreAnError(string config, string word)
    {
        Fails<ModelFileException>(() => Advised(config), "ASH0461", word);
    }

    [Fact]
    public void Defaults_AreNone_WhereTheFilesDoNotSay()
    {
        using var model = Advised("{\"eos_token_id\": 2}");
        Assert.Null(model.Defaults);
    }

    LanguageModel Advised(string config)
    {
        string path = TinyModels.Make("llama2").Write(folder.Path);
        File.WriteAllText(folder.File("generation_config.json"), config);
        return LanguageModel.Load(path, exact);
    }

    [Fact]
    public void Seed_Replays()
    {
        using var model = Tiny(out var tiny);
        int[] Run(long seed) => Ids(model.Generate(TinyModels.Text(tiny, 5), new(30) { Sampling = new(1), Seed = seed }));
        Assert.Equal(Run(5), Run(5));
        Assert.NotEqual(Run(5), Run(6));
    }

    [Fact]
    public void KnownText_IsNotReadAgain_AndChangesNothing()
    {
        using var model = Tiny(out var tiny);
        int[] first = TinyModels.Text(tiny, 20), second = [.. first[..13], 5, 6, 7, 8];
        var options = new GenerationOptions(8);
        using var text = model.Engine.NewText();
        int[] answer = Ids(model.Generate(first, options, text));
        Assert.Equal(Ids(model.Generate(first, options)), answer);
        Assert.Equal(27, text.Count);   // the last token was not read
        Assert.Equal(Ids(model.Generate(second, options)), Ids(model.Generate(second, options, text)));
        Assert.Equal(answer, Ids(model.Generate(first, options, text)));
        int[] longer = [.. first, .. answer, 9];
        var steps = new Reported();
        Assert.Equal(Ids(model.Generate(longer, options)), Ids(model.Generate(longer, options, text, steps)));
        Assert.Equal(2, steps.Last);    // of 29 tokens 27 were known
    }

    [Fact]
    public void Text_Ends_WhereTheContextIsFull()
    {
        using var model = Tiny(out var tiny);
        var made = model.Generate(TinyModels.Text(tiny, 60), new(int.MaxValue)).ToList();
        Assert.Equal((5, FinishReason.Length), (made.Count, made[^1].Finish));
    }

    [Fact]
    public void Prompts_ThatCannotBe_AreRefused()
    {
        using var model = Tiny(out var tiny);
        Fails<ModelException>(() => model.Generate(Array.Empty<int>()), "ASH0355");
        Fails<ModelException>(() =>
            model.Generate(TinyModels.Text(tiny, 65)), "ASH0347", "65", "maximum context length is 64 tokens");
        Fails<ModelException>(() => model.Generate(new[] { 3, 97 }).ToList(), "ASH0353", "97");
        Assert.Throws<ArgumentOutOfRangeException>(() => model.Generate(new[] { 3 }, new(0)));
        Fails<ModelFileException>(() => _ = model.Tokenizer, "ASH0737");
        Fails<ModelFileException>(() => _ = model.Template, "ASH0738");
        Assert.Equal(4, model.Generate(new[] { 3 }, new(4)).Count());   // and nothing is left of them
    }

    [Fact]
    public void Cancellation_EndsTheText_AndTheNextOneIsRight()
    {
        using var model = Tiny(out var tiny);
        int[] prompt = TinyModels.Text(tiny, 10);
        using var text = model.Engine.NewText();
        using var source = new CancellationTokenSource();
        int count = 0;
        Assert.ThrowsAny<OperationCanceledException>(() =>
        {
            foreach (var _ in model.Generate(prompt, new(30), text, cancellation: source.Token))
                if (++count == 3) source.Cancel();
        });
        Assert.Equal(3, count);
        Assert.Equal(Ids(model.Generate(prompt, new(6))), Ids(model.Generate(prompt, new(6), text)));
    }

    [Fact]
    public void Text_StopsAtTheEndAndAtStopTexts()
    {
        ScriptedModel.Write(folder.Path, ["one ", "two ", "three", " four"]);
        using var model = LanguageModel.Load(folder.Path, exact);
        int[] prompt = model.Tokenizer.Encode("x<|go|>");
        (string, FinishReason?) Run(GenerationOptions options)
        {
            var made = model.Generate(prompt, options).ToList();
            return (string.Concat(made.Select(token => token.Text)), made[^1].Finish);
        }
        Assert.Equal(("one two three four", FinishReason.Stop), Run(new(20)));
        Assert.Equal(("one two ", FinishReason.Length), Run(new(2)));
        Assert.Equal(("one t", FinishReason.Stop), Run(new(20) { Stop = ["wo th"] }));
        Assert.Equal(("one two ", FinishReason.Length), Run(new(2) { Stop = ["two x"] }));
        Assert.StartsWith("one two three four", Run(new(9) { IgnoreEnd = true }).Item1, StringComparison.Ordinal);
        Assert.Equal(9, model.Generate(prompt, new(9) { IgnoreEnd = true }).Count());
    }

    [Fact]
    public void Tokens_WithoutText_AreTaken_WhenEmbeddingsArePadded()
    {
        ScriptedModel.Write(folder.Path, ["one"]);
        using var model = LanguageModel.Load(folder.Path, exact);
        int padding = model.Decoder.Config.Vocabulary - 1;
        Assert.False(model.Tokenizer.Has(padding));
        var sampling = new SamplingOptions(0) { Bias = new Dictionary<int, float> { [padding] = 1000 } };
        var made = model.Generate(new[] { 65, padding }, new(3) { Sampling = sampling }).ToList();
        Assert.Equal((padding, ""), (made[^1].Id, string.Concat(made.Select(token => token.Text))));
    }

    [DataTheory]
    [InlineData("", "f32"), InlineData("stories260k.gguf", "f32"), InlineData("", "bf16")]
    public void Stories_AreThePublishedOnes(string file, string cache)
    {
        string stories = Path.Combine(DataFact.Folder!, "models", "stories260k"), path = stories;
        if (file.Length > 0) path = Path.Combine(stories, file);
        else
            foreach (string source in Directory.EnumerateFiles(stories, "*")
                .Where(name => !name.EndsWith(".gguf", StringComparison.Ordinal)))
                File.Copy(source, folder.File(Path.GetFileName(source)));
        if (file.Length == 0) path = folder.Path;
        int[] published =
            [.. JsonNode.Parse(File.ReadAllText(Path.Combine(stories, "greedy.json")))!["ids"]!.AsArray().Select(id => (int)id!)];
        using var model =
            LanguageModel.Load(path, new(Engine: new(cache == "f32" ? DType.Float32 : DType.BFloat16, MostTexts: 1)));
        int[] made = Ids(model.Generate(new[] { 1 }, new(published.Length) { IgnoreEnd = true }));
        // Rounded keys and values decide close calls otherwise; the first of them come late.
        if (cache == "f32") Assert.Equal(published, made);
        else Assert.Equal(published[..64], made[..64]);
    }

    sealed class Reported : IProgress<int>
    {
        public int Last { get; set; }

        public void Report(int value) => Last = value;
    }
}

/// <summary>A theory over test data.</summary>
sealed class DataTheoryAttribute : TheoryAttribute
{
    public DataTheoryAttribute() => Skip = DataFact.Folder is null ? "ASHLAR_DATA is not set" : null;
}
