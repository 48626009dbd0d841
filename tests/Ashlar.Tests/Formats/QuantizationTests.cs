using Ashlar.Formats;

namespace Ashlar.Tests.Formats;

public sealed class QuantizationTests : IDisposable
{
    readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    string Write(Func<string, float[], float[]>? change = null)
    {
        var metadata = new GgufMetadata();
        metadata.SetText("general.architecture", "llama");
        (string, long[])[] weights =
        [
            ("token_embd.weight", [20, 256]), ("blk.0.attn_norm.weight", [256]), ("blk.0.attn_q.weight", [96, 256]),
            ("blk.0.ffn_down.weight", [8, 96]),
            ("blk.0.ffn_up_exps.weight", [3, 4, 256]), ("blk.0.ffn_gate_inp.weight", [3, 256]), ("blk.0.odd.weight", [5, 20]),
            ("output.weight", [20, 256]),
        ];
        Gguf.Write(folder.File("in.gguf"), metadata, weights.Select(weight =>
        {
            var random = new Random(weight.Item1.Length);
            float[] values =
                [.. Enumerable.Range(0, (int)weight.Item2.Aggregate((a, b) => a * b)).Select(_ => random.NextSingle() - 0.5f)];
            values = change?.Invoke(weight.Item1, values) ?? values;
            return new NamedWeight(weight.Item1, WeightType.F32, [.. weight.Item2],
                stream => stream.Write(GgufBytes.Floats(values)));
        }));
        return folder.File("in.gguf");
    }

    [Fact]
    public void Weights_GetTypesAsOthersChooseThem()
    {
        var report = new List<QuantizationError>();
        var shares = new List<double>();
        var (before, after) =
            QuantizedModel.Write(Write(), folder.File("out.gguf"), new(WeightType.Q4_K, []), report.Add, new Shares(shares));
        using var file = Gguf.Open(folder.File("out.gguf"));
        Assert.Equal(
            ["q6_k", "f32", "q4_k", "q5_0", "q4_k", "f32", "f16", "q6_k"],
            file.Entries.Select(entry => entry.Type.Name));
        Assert.Equal((file.Entries.Sum(entry => entry.Bytes), 14, 2),
            (after, file.Metadata.Int("general.file_type"), file.Metadata.Int("general.quantization_version")));
        Assert.True(before > 4 * after);
        Assert.Equal(1, shares[^1]);
        Assert.Equal(["token_embd.weight", "blk.0.attn_q.weight", "blk.0.ffn_down.weight", "blk.0.ffn_up_exps.weight",
            "blk.0.odd.weight", "output.weight"], report.Select(error => error.Name));

        // The report says what is there: values of each weight against those before.
        using var old = Gguf.Open(folder.File("in.gguf"));
        foreach (var error in report)
        {
            float[] was = new float[error.Elements], now = new float[error.Elements];
            BlockCodec.Of(WeightType.F32).Decode(old.Bytes(old[error.Name]).Span, was);
            BlockCodec.Of(error.To).Decode(file.Bytes(file[error.Name]).Span, now);
            Assert.Equal(Math.Sqrt(was.Zip(now, (a, b) => (a - (double)b) * (a - (double)b)).Average()),
                error.RootMeanSquare, 1e-9);
            Assert.Equal(was.Zip(now, (a, b) => Math.Abs(a - (double)b)).Max(), error.Greatest, 1e-9);
            Assert.InRange(error.Decibels, 20, 120);
        }
    }

    [Fact]
    public void Keep_WinsOverTheRules()
    {
        var plan = new Quantization(Quantization.Parse("int8"), [("output.*", WeightType.F16), ("*ffn_?own*", WeightType.F32)]);
        QuantizedModel.Write(Write(), folder.File("out.gguf"), plan);
        using var file = Gguf.Open(folder.File("out.gguf"));
        Assert.Equal(["q8_0", "f32", "q8_0", "f32", "q8_0", "f32", "f16", "f16"], file.Entries.Select(entry => entry.Type.Name));
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Write_RefusesWeightsThatAreNoNumbers(float bad)
    {
        string path = Write((name, values) => name == "output.weight" ? [.. values[..^1], bad] : values);
        var error = Assert.Throws<ModelFileException>(() =>
            QuantizedModel.Write(path, folder.File("out.gguf"), new(WeightType.Q8_0, [])));
        Assert.Contains("'output.weight'", error.Message);
        Assert.Equal(["in.gguf"], folder.Names);
    }

    [Fact]
    public void Parse_NamesTheTypesThereAre()
    {
        Assert.Equal(WeightType.Q4_K, Quantization.Parse("Q4_K"));
        Assert.Contains("q6_k", Assert.Throws<ModelFileException>(() => Quantization.Parse("q7")).Message);
        Assert.Throws<ModelFileException>(() => Quantization.Parse("i64"));
    }

    sealed class Shares(List<double> shares) : IProgress<double>
    {
        public void Report(double value) => shares.Add(value);
    }
}
