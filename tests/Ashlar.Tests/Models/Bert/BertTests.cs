using Ashlar.Backends.Cpu;
using Ashlar.Models;
using Ashlar.Tests.Formats;
using Ashlar.Tests.Models.Reference;
using Ashlar.Tests.Tensors;

namespace Ashlar.Tests.Models.Encoders;

/// <summary>Encoders, read from both formats, against the plain ones.</summary>
public sealed class BertTests() : DeviceTests(new Device(new CpuBackend()))
{
    [Theory]
    [InlineData("bert", false)]
    [InlineData("bert", true)]
    [InlineData("xlm-roberta", false)]
    [InlineData("xlm-roberta", true)]
    [InlineData("nomic-bert", false)]
    [InlineData("nomic-bert", true)]
    public void Hidden_IsThatOfThePlainModel(string name, bool isGguf)
    {
        using var folder = new TemporaryFolder();
        var tiny = TinyModels.Make(name);
        var bert = BertFiles.Load(isGguf ? TinyGguf.Of(tiny).Write(folder.File("tiny.gguf")) : tiny.Write(folder.Path));
        foreach (int length in (int[])[1, 2, 24, 47])
        {
            int[] text = TinyModels.Text(tiny, length);
            double[][] expected = tiny.Logits(text);
            Same(expected.SelectMany(row => row), bert.Hidden(Tensor.From<int>(text, [1, length])));
            Same(BertReference.Embedding(expected, mean: name != "xlm-roberta", normalise: true),
                bert.Embed(Tensor.From<int>(text, [1, length])));
        }
    }

    [Fact]
    public void Texts_DoNotMix_WhenTheyAreReadSideBySide()
    {
        using var folder = new TemporaryFolder();
        var tiny = TinyModels.Make("bert");
        var bert = BertFiles.Load(tiny.Write(folder.Path));
        int[] a = TinyModels.Text(tiny, 9), b = [.. a.Reverse()];
        Same(tiny.Logits(a).Concat(tiny.Logits(b)).SelectMany(row => row), bert.Hidden(Tensor.From<int>([.. a, .. b], [2, 9])));
    }

    [Fact]
    public void Embedding_IsCompiledOnceForAllLengths()
    {
        using var folder = new TemporaryFolder();
        var tiny = TinyModels.Make("bert");
        var bert = BertFiles.Load(tiny.Write(folder.Path));
        var embed = Compiled.Function((Tensor tokens) => bert.Embed(tokens), [1, new Symbol("T", 1, bert.Config.Context)]);
        foreach (int length in (int[])[5, 24, 6])
        {
            int[] text = TinyModels.Text(tiny, length);
            Same(BertReference.Embedding(tiny.Logits(text), mean: true, normalise: true),
                embed(Tensor.From<int>(text, [1, length])));
        }
    }

    [Fact]
    public void Prefix_AndHeadsOfOtherTasks_AreTaken()
    {
        using var folder = new TemporaryFolder();
        var tiny = TinyModels.Make("bert");
        foreach (string name in tiny.Weights.Keys.ToArray())
        {
            tiny.Weights[$"bert.{name}"] = tiny.Weights[name];
            tiny.Weights.Remove(name);
        }
        tiny.Weights["cls.predictions.bias"] = ([95], new float[95]);
        int[] text = TinyModels.Text(tiny, 5);
        Same(tiny.Logits(text).SelectMany(row => row), BertFiles.Load(tiny.Write(folder.Path))
            .Hidden(Tensor.From<int>(text, [1, 5])));
    }

    [Theory]
    [InlineData("bert", "attention_window", "5", "ASH0733", "attention_window")]
    [InlineData("bert", "hidden_act", "\"relu\"", "ASH0734", "relu")]
    [InlineData("bert", "position_embedding_type", "\"relative_key\"", "ASH0734", "relative_key")]
    [InlineData("bert", "is_decoder", "true", "ASH0734", "is_decoder")]
    [InlineData("bert", "num_hidden_layers", "\"two\"", "ASH0732", "two")]
    [InlineData("bert", "num_hidden_layers", "1.5", "ASH0732", "1.5")]
    [InlineData("bert", "num_hidden_layers", "null", "ASH0731", "num_hidden_layers")]
    [InlineData("bert", "layer_norm_eps", "1e999", "ASH0732", "layer_norm_eps")]
    [InlineData("bert", "model_type", "\"modern\"", "ASH0735", "modern")]
    [InlineData("nomic-bert", "prenorm", "true", "ASH0734", "prenorm")]
    [InlineData("nomic-bert", "rotary_scaling_factor", "2", "ASH0734", "rotary_scaling_factor")]
    public void Config_IsRefused(string name, string key, string value, string code, string word)
    {
        using var folder = new TemporaryFolder();
        var tiny = TinyModels.Make(name);
        tiny.Config[key] = "PLACE";
        tiny.Write(folder.Path);
        string path = folder.File("config.json");
        File.WriteAllText(path, File.ReadAllText(path).Replace("\"PLACE\"", value, StringComparison.Ordinal));
        Fails<ModelFileException>(() => BertFiles.Load(folder.Path), code, word, path);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{\"model_type\": \"bert\"")]
    [InlineData("{\"model_type\": \"bert\", \"model_type\": \"bert\"}")]
    public void Config_IsRefused_WhenItIsNoObject(string text)
    {
        using var folder = new TemporaryFolder();
        TinyModels.Make("bert").Write(folder.Path);
        folder.Write("config.json", System.Text.Encoding.UTF8.GetBytes(text));
        Fails<ModelFileException>(() => BertFiles.Load(folder.Path), "ASH0730", "config.json");
    }

    [Theory]
    [InlineData("\"pooling_mode_max_tokens\": false", "\"pooling_mode_max_tokens\": true", "ASH0734")]
    [InlineData("\"pooling_mode_cls_token\": false", "\"pooling_mode_cls_token\": true", "ASH0734")]
    [InlineData("\"pooling_mode_max_tokens\"", "\"pooling_mode_other\"", "ASH0733")]
    public void Pooling_IsRefused(string old, string with, string code)
    {
        using var folder = new TemporaryFolder();
        var tiny = TinyModels.Make("bert");
        const string Path = "1_Pooling/config.json";
        tiny.Files[Path] = tiny.Files[Path].Replace(old, with, StringComparison.Ordinal);
        Fails<ModelFileException>(() => BertFiles.Load(tiny.Write(folder.Path)), code, "pooling_mode");
    }

    [Theory]
    [InlineData("models.Normalize", "models.Dense")]
    [InlineData("\"1_Pooling\"", "\"../1_Pooling\"")]
    public void Steps_AreRefused(string old, string with)
    {
        using var folder = new TemporaryFolder();
        var tiny = TinyModels.Make("bert");
        tiny.Files["modules.json"] = tiny.Files["modules.json"].Replace(old, with, StringComparison.Ordinal);
        var error = Assert.Throws<ModelFileException>(() => BertFiles.Load(tiny.Write(folder.Path)));
        Assert.Contains("modules.json", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Weights_AreRefused()
    {
        void Refused<T>(string code, string word, Action<TinyModel> change) where T : AshlarException
        {
            using var folder = new TemporaryFolder();
            var tiny = TinyModels.Make("bert");
            change(tiny);
            Fails<T>(() => BertFiles.Load(tiny.Write(folder.Path)), code, word);
        }
        Refused<ModelException>("ASH0341", "encoder.layer.1.output.dense.bias",
            tiny => tiny.Weights.Remove("encoder.layer.1.output.dense.bias"));
        Refused<ModelException>("ASH0343", "encoder.layer.2.output.dense.bias",
            tiny => tiny.Weights["encoder.layer.2.output.dense.bias"] = ([1], [1]));
        Refused<ModelException>("ASH0342", "encoder.layer.1.output.dense.bias",
            tiny => tiny.Weights["encoder.layer.1.output.dense.bias"] = ([1], [1]));
        Refused<ModelException>("ASH0352", "NaN", tiny => tiny.Weights["encoder.layer.1.output.dense.bias"].Data[3] = float.NaN);
        Refused<ModelException>("ASH0345", "heads", tiny => tiny.Config["num_attention_heads"] = 3);
    }

    [Fact]
    public void Text_IsRefused_WhenItIsLongerThanTheContext()
    {
        using var folder = new TemporaryFolder();
        var bert = BertFiles.Load(TinyModels.Make("xlm-roberta").Write(folder.Path));
        Assert.Equal(48, bert.Config.Context);
        Fails<ModelException>(() => bert.Hidden(Tensor.From<int>(new int[49], [1, 49])), "ASH0347", "49");
    }

    // float32 against double: numbers are of order 1
    static void Same(IEnumerable<double> expected, Tensor actual)
    {
        float[] found = actual.ToArray<float>();
        double[] wanted = [.. expected];
        Assert.Equal(wanted.Length, found.Length);
        for (int i = 0; i < found.Length; i++)
            Assert.True(Math.Abs(wanted[i] - found[i]) < 2e-5, $"{i}: {found[i]}, not {wanted[i]}");
    }
}
