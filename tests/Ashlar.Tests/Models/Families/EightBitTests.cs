using System.Text.Json.Nodes;
using Ashlar.Formats;
using Ashlar.Models;
using Ashlar.Serving;
using Ashlar.Tests.Formats;
using Ashlar.Tests.Models.Reference;
using Ashlar.Tests.Tensors;

namespace Ashlar.Tests.Models.Families;

/// <summary>Checkpoints in FP8 with a scale for each block of 128 by 128, as DeepSeek V3 and Qwen 3 are published too.</summary>
public sealed class EightBitTests : IDisposable
{
    const float Scale = 1 / 64f;   // a power of two: products of it fit into bfloat16

    readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory, InlineData("deepseek-v3"), InlineData("qwen3"), InlineData("qwen3-moe")]
    public void Model_GivesTheLogitsOfItsScaledWeights(string name)
    {
        using var selected = Devices.Reference.Select();   // which rounds no activations
        var tiny = TinyModels.Make(name);
        string path = Write(tiny, (_, scales) => scales);
        using var model = ModelFamily.Load(path);
        using var engine = new Engine(model, new(DType.Float32, Context: 32, MostTexts: 1, Chunk: 32));
        int[] tokens = TinyModels.Text(tiny, 9);
        using var text = engine.NewText(tokens.Length);
        double[] expected = [.. tiny.Logits(tokens).SelectMany(row => row)];
        float[] found = engine.ReadAll(text, tokens);
        for (int i = 0; i < found.Length; i++) Assert.Equal(expected[i], found[i], 1e-4);
    }

    [Fact]
    public void Model_IsRefused_WhenAScaleIsMissing()
    {
        string path = Write(TinyModels.Make("qwen3"),
            (name, scales) => name.Contains("layers.1.mlp.up_proj", StringComparison.Ordinal) ? null : scales);
        var error = Assert.Throws<ModelFileException>(() => ModelFamily.Load(path));
        Assert.Equal("ASH0464", error.Code);
        Assert.Contains("layers.1.mlp.up_proj.weight_scale_inv", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Scales_AreOfBlocks()
    {
        string path = folder.File("model.safetensors");
        byte[] codes = [.. Enumerable.Range(0, 130 * 260).Select(i => (byte)(i % 97))];
        float[] scales = [1, 2, 4, 8, 16, 32], plain = new float[codes.Length];
        WriteOne(path, codes, scales, [2, 3]);
        BlockCodec.Of(WeightType.F8E4M3).Decode(codes, plain);
        using (var file = WeightFile.Open(path))
        {
            float[] found = ScaledWeights.Decode(file, file["w"]);
            for (int i = 0; i < 130; i++)
                for (int j = 0; j < 260; j++)
                    Assert.Equal(plain[i * 260 + j] * scales[i / 128 * 3 + j / 128], found[i * 260 + j]);
        }
        WriteOne(path, codes, scales, [3, 2]);
        using var other = WeightFile.Open(path);
        Assert.Equal("ASH0464", Assert.Throws<ModelFileException>(() => ScaledWeights.Decode(other, other["w"])).Code);
    }

    static void WriteOne(string path, byte[] codes, float[] scales, ValueList<long> blocks) =>
        SafetensorsFolder.Write(Path.GetDirectoryName(path)!,
    [
        new("w", WeightType.F8E4M3, [130, 260], stream => stream.Write(codes)),
        new("w_scale_inv", WeightType.F32, blocks, stream => NamedArray.WriteElements<float>(stream, scales)),
    ]);

    // Matrices of layers as codes and scales; the model itself gets the numbers that these stand for.
    string Write(TinyModel tiny, Func<string, float[], float[]?> scalesOf)
    {
        float[] values = new float[256];
        BlockCodec.Of(WeightType.F8E4M3).Decode([.. Enumerable.Range(0, 256).Select(code => (byte)code)], values);
        var written = new List<NamedWeight>();
        foreach (string name in tiny.Weights.Keys.ToArray())
        {
            var (shape, data) = tiny.Weights[name];
            ValueList<long> extents = [.. shape.Select(extent => (long)extent)];
            if (!name.EndsWith("_proj.weight", StringComparison.Ordinal))
            {
                written.Add(new(name, WeightType.F32, extents, stream => NamedArray.WriteElements<float>(stream, data)));
                continue;
            }
            byte[] codes = [.. data.Select(number => Nearest(values, number / Scale))];
            tiny.Weights[name] = (shape, [.. codes.Select(code => values[code] * Scale)]);
            written.Add(new(name, WeightType.F8E4M3, extents, stream => stream.Write(codes)));
            ValueList<long> blocks = [.. extents.Select(extent => (extent + 127) / 128)];
            if (scalesOf(name, [.. Enumerable.Repeat(Scale, (int)(blocks[0] * blocks[1]))]) is { } scales)
                written.Add(new(name + "_scale_inv", WeightType.F32, blocks,
                    stream => NamedArray.WriteElements<float>(stream, scales)));
        }
        tiny.Config["quantization_config"] = JsonNode.Parse(
            """{"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}""");
        string path = folder.File("fp8");
        SafetensorsFolder.Write(path, written);
        File.WriteAllText(Path.Combine(path, "config.json"), tiny.Config.ToJsonString());
        return path;
    }

    static byte Nearest(float[] values, float number)
    {
        int best = 0;
        for (int code = 0; code < 256; code++)
            if (Math.Abs(values[code] - number) < Math.Abs(values[best] - number)) best = code;
        return (byte)best;
    }
}
