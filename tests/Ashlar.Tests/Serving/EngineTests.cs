using Ashlar.Backends.Cpu;
using Ashlar.Models;
using Ashlar.Serving;
using Ashlar.Tests.Formats;
using Ashlar.Tests.Models.Reference;
using Ashlar.Tests.Tensors;

namespace Ashlar.Tests.Serving;

public sealed class EngineTests : DeviceTests, IDisposable
{
    readonly TemporaryFolder folder = new();
    readonly TinyModel tiny = TinyModels.Make("llama3.1");
    readonly Decoder model;

    public EngineTests() : base(new Device(new CpuBackend())) => model = ModelFamily.Load(tiny.Write(folder.Path));

    void IDisposable.Dispose()
    {
        model.Dispose();
        folder.Dispose();
        Dispose();
    }

    int[] Text(int length, int seed = 7)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(model.Config.Vocabulary))];
    }

    float[] Logits(Engine engine, TextState text, ReadOnlySpan<int> tokens)
    {
        float[] found = [];
        engine.Read(text, tokens, logits => found = logits.ToArray());
        return found;
    }

    [Fact]
    public void Pages_AreGivenBack_AndTheCacheSaysWhenItIsFull()
    {
        using var engine = new Engine(model, new(DType.Float32, Context: 48, MostTexts: 1, Chunk: 64));
        for (int round = 0; round < 5; round++)
        {
            using TextState all = engine.NewText(), other = engine.NewText();
            float[] fresh = Logits(engine, all, Text(48));
            Fails<ModelException>(() => engine.Read(other, Text(3), null), "ASH0347", "is full");
            all.Truncate(5);
            engine.Read(other, Text(3), null);
            other.Dispose();
            other.Dispose();
            Assert.Equal(fresh, Logits(engine, all, Text(48).AsSpan(5)));
        }
    }

    [Fact]
    public void ReadEach_GivesWhatReadGives_TextByText()
    {
        using var engine = new Engine(model, new(DType.Float32, Context: 200, MostTexts: 4, Chunk: 16));
        int[][] texts = [Text(40, 1), Text(3, 2), Text(20, 3), Text(33, 4)];
        float[][] single = [.. texts.Select(tokens =>
        {
            using var text = engine.NewText();
            return Logits(engine, text, tokens);
        })];
        TextState[] states = [.. texts.Select(_ => engine.NewText())];
        for (int i = 0; i < states.Length; i++) engine.Read(states[i], texts[i].AsSpan(0, texts[i].Length - 1), null);
        float[] all = [];
        engine.ReadEach(states, [.. texts.Select(tokens => tokens[^1])], logits => all = logits.ToArray());
        int vocabulary = model.Config.Vocabulary;
        for (int i = 0; i < states.Length; i++)
            for (int v = 0; v < vocabulary; v++) Assert.Equal(single[i][v], all[i * vocabulary + v], 1e-4f);
        Assert.Equal(texts.Select(text => text.Length), states.Select(state => state.Count));
        foreach (var state in states) state.Dispose();
    }

    [Fact]
    public void Chunks_DoNotChangeWhatIsRead()
    {
        int[] text = Text(45);
        using Engine whole = new(model, new(DType.Float32, Context: 48, MostTexts: 1)),
            pieces = new(model, new(DType.Float32, Context: 48, MostTexts: 1, Chunk: 7));
        using TextState a = whole.NewText(), b = pieces.NewText();
        var steps = new List<int>();
        float[] expected = Logits(whole, a, text), found = [];
        pieces.Read(b, text, logits => found = logits.ToArray(), new Steps(steps));
        for (int v = 0; v < expected.Length; v++) Assert.Equal(expected[v], found[v], 1e-4f);
        Assert.Equal([7, 14, 21, 28, 35, 42, 45], steps);
    }

    [Fact]
    public void Engine_RefusesWhatCannotBe()
    {
        Fails<ModelException>(() => new Engine(model, new(MostTexts: 0)), "ASH0354");
        using var engine = new Engine(model, new(DType.Float32, Context: 32, MostTexts: 2));
        using TextState text = engine.NewText(), gone = engine.NewText();
        gone.Dispose();
        Fails<ModelException>(() => engine.Read(text, [], null), "ASH0355");
        Fails<ModelException>(() => engine.Read(text, [0, model.Config.Vocabulary], null), "ASH0353");
        Fails<ModelException>(() => engine.Read(text, [-1], null), "ASH0353");
        Fails<ModelException>(() => engine.Read(text, Text(33), null), "ASH0347", "33", "32");
        Fails<ModelException>(() => engine.ReadEach([text], [1, 2], _ => { }), "ASH0354");
        Fails<ModelException>(() => engine.ReadEach([text, text], [1, 2], _ => { }), "ASH0354", "same");
        Assert.Throws<ObjectDisposedException>(() => engine.Read(gone, [1], null));
        Assert.Throws<ObjectDisposedException>(() => engine.ReadAll(gone, [1]));
        Assert.Throws<ObjectDisposedException>(() => engine.ReadEach([text, gone], [1, 2], _ => { }));
        Assert.Equal(0, text.Count);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Tokens_CostNoAllocation_OnceTheProgramIsThere(int count)
    {
        using var engine = new Engine(model, new(Context: 400, MostTexts: 3));
        TextState[] texts = [.. Enumerable.Range(0, count).Select(_ => engine.NewText())];
        foreach (var text in texts) engine.Read(text, Text(5), null);
        int[] tokens = Text(count);
        float sum = 0;
        LogitsReader use = logits => sum += logits[0];
        for (int i = 0; i < 20; i++) engine.ReadEach(texts, tokens, use);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 30; i++) engine.ReadEach(texts, tokens, use);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.True(float.IsFinite(sum));
        foreach (var text in texts) text.Dispose();
    }

    [Fact]
    public void Cache_IsOfTheTypeThatTheWeightsAskFor()
    {
        Assert.True(model.IsFloat32);
        using Engine own = new(model), asked = new(model, new(DType.Int8));
        Assert.Equal((DType.Float32, DType.Int8), (own.CacheType, asked.CacheType));
        using var rounded = ModelFamily.Load(tiny.Write(folder.Path), new(WeightEncoding.BF16));
        using var engine = new Engine(rounded);
        Assert.Equal(DType.BFloat16, engine.CacheType);
    }

    [Fact]
    public void ReadAll_GivesTheLogitsOfEachToken_AlsoAfterFewerWereWanted()
    {
        using var engine = new Engine(model, new(DType.Float32, Context: 96, MostTexts: 1, Chunk: 32));
        int[] tokens = Text(20);
        using TextState all = engine.NewText(), one = engine.NewText();
        float[] last = Logits(engine, one, tokens), scores = engine.ReadAll(all, tokens);
        Assert.Equal(20 * model.Config.Vocabulary, scores.Length);
        for (int v = 0; v < last.Length; v++) Assert.Equal(last[v], scores[19 * last.Length + v], 1e-4f);
        float[] before = Logits(engine, one, [3]), after = Logits(engine, all, [3]);
        for (int v = 0; v < last.Length; v++) Assert.Equal(before[v], after[v], 1e-4f);
    }

    sealed class Steps(List<int> steps) : IProgress<int>
    {
        public void Report(int value) => steps.Add(value);
    }
}
