using Ashlar.Backends.Cpu;
using Ashlar.Formats;
using Ashlar.Models;
using Ashlar.Serving;
using Ashlar.Tests.Formats;
using Ashlar.Tests.Models.Reference;
using Ashlar.Tests.Tensors;

namespace Ashlar.Tests.Serving;

public sealed class PackedCacheTests() : DeviceTests(new Device(new CpuBackend())), IDisposable
{
    readonly TemporaryFolder folder = new();
    readonly List<string> notices = [];

    void IDisposable.Dispose()
    {
        folder.Dispose();
        Dispose();
    }

    string Model(string name)
    {
        string at = Path.Combine(folder.Path, "model");
        Directory.CreateDirectory(at);
        return TinyModels.Make(name).Write(at);
    }

    // Logits of some tokens, and whether weights were packed.
    (float[] Logits, bool WasWritten) Run(string path, WeightEncoding? encoding, string? cacheFolder = null)
    {
        notices.Clear();
        using var model = ModelFamily.Load(path, new(encoding) { Cache = new(cacheFolder, notices.Add) });
        using var engine = new Engine(model, new(DType.Float32, Context: 32, MostTexts: 1));
        using var text = engine.NewText();
        return (engine.ReadAll(text, [3, 1, 4, 1, 5]), notices.Any(notice => notice.Contains("are kept in")));
    }

    [Theory]
    [InlineData("llama2", "bf16"), InlineData("mixtral", "int8"), InlineData("deepseek-v2", "bf16"), InlineData("gpt2", "int8"),
        InlineData("gpt-oss", null)]
    public void Model_ComputesTheSame_FromItsPackedFile(string name, string? encoding)
    {
        string path = Model(name);
        WeightEncoding? kept = encoding switch { "bf16" => WeightEncoding.BF16, "int8" => WeightEncoding.Int8(), _ => null };
        var (expected, wasWritten) = Run(path, kept);
        Assert.True(wasWritten);
        var (found, wasWrittenAgain) = Run(path, kept);
        Assert.False(wasWrittenAgain);
        Assert.Empty(notices);
        Assert.Equal(expected, found);
    }

    [Fact]
    public void File_LiesWhereItIsWanted_OneForEachEncoding()
    {
        string path = Model("llama2"), cache = Path.Combine(folder.Path, "cache");
        Run(path, WeightEncoding.BF16, cache);
        Run(path, WeightEncoding.Int8(), cache);
        Assert.Equal(2, Directory.GetFiles(cache, "model-*.packed").Length);
        Assert.Empty(Directory.GetFiles(path, "*.packed"));
        Run(path, WeightEncoding.Int8());
        Assert.Single(Directory.GetFiles(path, "model.*.packed"));
    }

    [Fact]
    public void File_IsReplaced_WhereItIsDamagedOrCutShortOrSomethingElse()
    {
        string path = Model("llama2");
        var (expected, _) = Run(path, WeightEncoding.BF16);
        string file = Directory.GetFiles(path, "*.packed").Single();
        byte[] whole = File.ReadAllBytes(file);
        void Check(byte[] content, string word)
        {
            File.WriteAllBytes(file, content);
            var (found, wasWritten) = Run(path, WeightEncoding.BF16);
            Assert.Equal(expected, found);
            Assert.True(wasWritten);
            Assert.Contains(word, notices[0]);
            Assert.Equal(whole, File.ReadAllBytes(file));
        }
        byte[] damaged = [.. whole];
        damaged[^5000] ^= 4;
        Check(damaged, "ASH0739");
        Check(whole[..^64], "ASH0416");
        Check([], "ASH04");
        Check([.. "a text that somebody left"u8], "ASH04");
        using (var other = new MemoryStream())
        {
            Safetensors.Write(other, [NamedArray.Of<byte>("x", [64], new byte[64])]);
            Check(other.ToArray(), "ASH0740");
        }
    }

    [Fact]
    public void LanguageModel_NeverAnswersFromADamagedFile()
    {
        string path = Model("llama2");
        var options = new LanguageModelOptions(new(WeightEncoding.BF16) { Cache = new(null, notices.Add) },
            new(DType.Float32, Context: 32, MostTexts: 1), FirstPrompt: 5);
        float[] Logits()
        {
            notices.Clear();
            using var model = LanguageModel.Load(path, options);
            using var text = model.Engine.NewText();
            return model.Engine.ReadAll(text, [3, 1, 4, 1, 5]);
        }
        float[] expected = Logits();
        string file = Directory.GetFiles(path, "*.packed").Single();
        byte[] damaged = File.ReadAllBytes(file);
        damaged[^5000] ^= 4;
        File.WriteAllBytes(file, damaged);
        Assert.Equal(expected, Logits());
        Assert.Contains("ASH0739", notices[0]);
        Assert.Contains("are kept in", notices[^1]);
        Assert.Equal(expected, Logits());
        Assert.Empty(notices);
    }

    [Fact]
    public void File_IsReplaced_WhereTheModelChanged()
    {
        string path = Model("llama2"), weights = Path.Combine(path, "model.safetensors");
        Run(path, WeightEncoding.BF16);
        var time = File.GetLastWriteTimeUtc(weights);
        byte[] content = File.ReadAllBytes(weights);
        content[^2] ^= 0x01;
        File.WriteAllBytes(weights, content);
        File.SetLastWriteTimeUtc(weights, time);     // length and time alone do not tell
        Assert.True(Run(path, WeightEncoding.BF16).WasWritten);
        Assert.Contains("ASH0740", notices[0]);
        File.SetLastWriteTimeUtc(weights, time.AddSeconds(1));
        Assert.True(Run(path, WeightEncoding.BF16).WasWritten);
        Assert.False(Run(path, WeightEncoding.BF16).WasWritten);
    }

    [Fact]
    public void Model_IsLoaded_WhereNothingCanBeWritten()
    {
        string path = Model("llama2"), occupied = Path.Combine(folder.Path, "occupied");
        File.WriteAllText(occupied, "a file where a folder should be");
        var (logits, wasWritten) = Run(path, WeightEncoding.BF16, occupied);
        Assert.False(wasWritten);
        Assert.Contains("not kept", notices[0]);
        Assert.Equal(Run(path, WeightEncoding.BF16).Logits, logits);
    }

    [Fact]
    public void Names_AreChecked_BeforeAnythingIsPacked()
    {
        var tiny = TinyModels.Make("llama2");
        tiny.Weights.Remove(tiny.Weights.Keys.First(name => name.Contains("layers.1.mlp.down", StringComparison.Ordinal)));
        string at = Path.Combine(folder.Path, "lacking");
        Directory.CreateDirectory(at);
        var shares = new Shares();
        Fails<ModelException>(() =>
            ModelFamily.Load(tiny.Write(at), new(WeightEncoding.BF16, shares)), "ASH0341", "layers.1.mlp.down");
        Assert.True(shares.Most < 0.2, "matrices were packed");
    }

    sealed class Shares : IProgress<double>
    {
        public double Most { get; private set; }

        public void Report(double value) => Most = Math.Max(Most, value);
    }
}
