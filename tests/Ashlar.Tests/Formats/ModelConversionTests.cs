using System.Text.Json.Nodes;
using Ashlar.Formats;
using Ashlar.Tests.Models.Reference;

namespace Ashlar.Tests.Formats;

public sealed class ModelConversionTests : IDisposable
{
    readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    static ConversionResult Convert(string from, string to, WeightType? type = null, long? part = null) =>
        ModelConversion.Convert(from, to, type, part, null, CancellationToken.None);

    static float[] Values(WeightFile file, string name)
    {
        var entry = file[name];
        float[] values = new float[entry.Elements];
        BlockCodec.Of(entry.Type).Decode(file.Bytes(entry).Span, values);
        return values;
    }

    string Write(TinyModel model, string name)
    {
        Directory.CreateDirectory(folder.File(name));
        return model.Write(folder.File(name));
    }

    public static TheoryData<string> Families =>
    [
        "llama2", "llama3.1", "llama-biases", "smollm2", "mistral-v0.1", "mistral-nemo", "smollm3", "mixtral", "qwen2.5",
        "qwen2.5-yarn", "qwen2-moe", "qwen3", "qwen3-moe",
        "gemma2", "gemma3", "gemma3-linear", "phi3", "phi3-long", "phi4", "phi4-mini", "glm4-0414", "gpt-oss", "deepseek-v2-lite",
        "deepseek-v2", "deepseek-v3", "gpt2", "gpt2-prefixed", "bert",
    ];

    [Theory, MemberData(nameof(Families))]
    public void EveryFamily_ComesBackAsItWas(string name)
    {
        var model = TinyModels.Make(name);
        string from = Write(model, "from");
        var there = Convert(from, folder.File("model.gguf"));
        Convert(folder.File("model.gguf"), folder.File("back"));
        using var before = WeightFile.Open(from);
        using var after = WeightFile.Open(folder.File("back"));
        using var gguf = Gguf.Open(folder.File("model.gguf"));
        Assert.Equal(there.Architecture, gguf.Architecture);
        int leftOut = there.Notes.Where(note => note.StartsWith("left out", StringComparison.Ordinal))
            .Sum(note => int.Parse(note.Split(' ')[2]));
        Assert.Equal(before.Entries.Count - leftOut, after.Entries.Count);
        foreach (var entry in after.Entries)
        {
            string old = before.TryGet(entry.Name, out _)
                ? entry.Name
                : name == "bert" ? $"bert.{entry.Name}" : $"transformer.{entry.Name}";
            Assert.Equal(before[old].Extents, entry.Extents);
            float[] was = Values(before, old), now = Values(after, entry.Name);
            // A norm of Gemma is rounded where 1 is added to it.
            double bound = there.Architecture.StartsWith("gemma", StringComparison.Ordinal)
                && entry.Name.Contains("norm", StringComparison.Ordinal) ? 1.2e-7 : 0;
            Assert.All(was.Zip(now), pair => Assert.InRange(Math.Abs(pair.First - pair.Second), 0, bound));
        }
        var config = JsonNode.Parse(File.ReadAllText(folder.File("back/config.json")))!.AsObject();
        config["torch_dtype"] = model.Config["torch_dtype"]?.DeepClone();
        if (config["torch_dtype"] is null) config.Remove("torch_dtype");
        Assert.True(JsonNode.DeepEquals(model.Config, config));
    }

    [Fact]
    public void Queries_LieInTheOrderOfInterleavedPairs()
    {
        var model = TinyModels.Make("llama2");   // 5 heads of 8
        Convert(Write(model, "from"), folder.File("model.gguf"));
        using var gguf = Gguf.Open(folder.File("model.gguf"));
        float[] was = model.Weights["model.layers.1.self_attn.q_proj.weight"].Data, now = Values(gguf, "blk.1.attn_q.weight");
        for (int row = 0; row < 40; row++)
        {
            int old = row / 8 * 8 + row % 2 * 4 + row % 8 / 2;
            Assert.Equal(was[(old * 40)..(old * 40 + 40)], now[(row * 40)..(row * 40 + 40)]);
        }
        Assert.Equal(model.Weights["model.layers.1.self_attn.v_proj.weight"].Data, Values(gguf, "blk.1.attn_v.weight"));
        Assert.Equal((40, 5, 5, 8), (gguf.Metadata.Int("llama.embedding_length"), gguf.Metadata.Int("llama.attention.head_count"),
            gguf.Metadata.Int("llama.attention.head_count_kv"), gguf.Metadata.Int("llama.rope.dimension_count")));
        Assert.Equal(10000, gguf.Metadata.Float("llama.rope.freq_base"));
    }

    [Fact]
    public void Families_SayWhatOthersExpect()
    {
        Convert(Write(TinyModels.Make("mixtral"), "mixtral"), folder.File("mixtral.gguf"));
        using (var gguf = Gguf.Open(folder.File("mixtral.gguf")))
        {
            Assert.Equal([8, 72, 40], gguf["blk.0.ffn_gate_exps.weight"].Extents);
            Assert.Equal([8, 40, 72], gguf["blk.0.ffn_down_exps.weight"].Extents);
            Assert.Equal((8, 2), (gguf.Metadata.Int("llama.expert_count"), gguf.Metadata.Int("llama.expert_used_count")));
        }
        var gemma = TinyModels.Make("gemma2");
        Convert(Write(gemma, "gemma"), folder.File("gemma.gguf"));
        using (var gguf = Gguf.Open(folder.File("gemma.gguf")))
            Assert.Equal(gemma.Weights["model.layers.0.pre_feedforward_layernorm.weight"].Data.Select(value => value + 1),
                Values(gguf, "blk.0.ffn_norm.weight"));
        Convert(Write(TinyModels.Make("llama3.1"), "llama"), folder.File("llama.gguf"));
        using (var gguf = Gguf.Open(folder.File("llama.gguf")))
        {
            float[] factors = Values(gguf, "rope_freqs.weight");
            Assert.Equal(8, factors.Length);
            Assert.Equal((1f, 8f), (factors[0], factors[^1]));
        }
        var oss = TinyModels.Make("gpt-oss");
        Convert(Write(oss, "oss"), folder.File("oss.gguf"));
        using (var gguf = Gguf.Open(folder.File("oss.gguf")))
        {
            Assert.Equal("blk.0.ffn_up_exps.weight: mxfp4[5, 96, 64]", gguf["blk.0.ffn_up_exps.weight"].ToString());
            float[] blocks = oss.Weights["model.layers.0.mlp.experts.gate_up_proj_blocks"].Data,
                scales = oss.Weights["model.layers.0.mlp.experts.gate_up_proj_scales"].Data;
            float[] up = Values(gguf, "blk.0.ffn_up_exps.weight"), values = [0, 0.5f, 1, 1.5f, 2, 3, 4, 6];
            for (int row = 0; row < 5 * 96; row++)
                for (int column = 0; column < 64; column++)
                {
                    int block = (row / 96 * 192 + row % 96 * 2 + 1) * 2 + column / 32;   // odd rows are ups
                    int code = (int)blocks[block * 16 + column % 32 / 2] >> column % 2 * 4 & 15;
                    Assert.Equal(values[code & 7] * (code > 7 ? -1 : 1) * MathF.Pow(2, scales[block] - 127),
                        up[row * 64 + column]);
                }
        }
        var deep = TinyModels.Make("deepseek-v2");
        Convert(Write(deep, "deep"), folder.File("deep.gguf"));
        using (var gguf = Gguf.Open(folder.File("deep.gguf")))
        {
            Assert.Equal([4, 32, 16], gguf["blk.0.attn_k_b.weight"].Extents);
            Assert.Equal([4, 8, 32], gguf["blk.0.attn_v_b.weight"].Extents);
            float[] both = deep.Weights["model.layers.0.self_attn.kv_b_proj.weight"].Data;
            Assert.Equal(both[(24 + 3) * 32 + 5], Values(gguf, "blk.0.attn_k_b.weight")[(1 * 32 + 5) * 16 + 3]);
            Assert.Equal(both[(24 + 16 + 2) * 32 + 5], Values(gguf, "blk.0.attn_v_b.weight")[(1 * 8 + 2) * 32 + 5]);
        }
    }

    [Fact]
    public void Matrices_GetTheTypeAskedFor_AndVectorsStayFloat32()
    {
        Convert(Write(TinyModels.Make("qwen3"), "from"), folder.File("model.gguf"), WeightType.F16, 20_000);
        using var gguf = Gguf.Open(Directory.EnumerateFiles(folder.Path, "model-00001-of-*.gguf").Single());
        Assert.True(gguf.Parts.Count > 1);
        Assert.All(gguf.Entries, entry => Assert.Equal(entry.Extents.Count == 1 ? WeightType.F32 : WeightType.F16, entry.Type));
        Convert(gguf.Path, folder.File("back"), WeightType.BF16);
        using var back = WeightFile.Open(folder.File("back"));
        Assert.All(back.Entries, entry => Assert.Equal(WeightType.BF16, entry.Type));
    }

    [Fact]
    public void EightBitWeights_AreTakenWithTheirScales()
    {
        var model = TinyModels.Make("deepseek-v2-lite");
        string from = Write(model, "from");
        const string Name = "model.layers.0.self_attn.o_proj.weight";
        var (shape, data) = model.Weights[Name];
        byte[] codes = [.. data.Select((_, i) => (byte)(i % 120))];
        using (var old = WeightFile.Open(from))
            SafetensorsFolder.Write(folder.File("eight"),
            [
                .. old.Entries.Where(entry => entry.Name != Name).Select(entry => NamedWeight.Copy(old, entry)),
                new(Name, WeightType.F8E4M3, [.. shape.Select(extent => (long)extent)], stream => stream.Write(codes)),
                new(Name + "_scale_inv", WeightType.F32, [1, 1], stream => stream.Write(BitConverter.GetBytes(0.25f))),
            ]);
        var config = model.Config;
        config["quantization_config"] = JsonNode.Parse("""{"quant_method": "fp8", "weight_block_size": [128, 128]}""");
        File.WriteAllText(folder.File("eight/config.json"), config.ToJsonString());
        Convert(folder.File("eight"), folder.File("eight.gguf"), WeightType.F32);
        float[] plain = new float[codes.Length];
        BlockCodec.Of(WeightType.F8E4M3).Decode(codes, plain);
        using var gguf = Gguf.Open(folder.File("eight.gguf"));
        Assert.Equal(plain.Select(value => value / 4), Values(gguf, "blk.0.attn_output.weight"));
    }

    [Theory]
    [InlineData("ASH0462", "architectures", """["NewForCausalLM"]""", "NewForCausalLM")]
    [InlineData("ASH0463", "hidden_act", "\"relu\"", "relu")]
    [InlineData("ASH0463", "new_setting", "3", "'new_setting'")]
    [InlineData("ASH0463", "num_attention_heads", "null", "'num_attention_heads'")]
    [InlineData("ASH0463", "rope_scaling", """{"type":"other","factor":2}""", "other")]
    [InlineData("ASH0464", "num_hidden_layers", "1", "beyond")]
    [InlineData("ASH0464", "head_dim", "7", "heads of 7")]
    public void Convert_NamesWhatItCannotSay(string code, string key, string value, string says)
    {
        var model = TinyModels.Make("llama2");
        model.Config[key] = JsonNode.Parse(value);
        var error = Assert.Throws<ModelFileException>(() => Convert(Write(model, "from"), folder.File("model.gguf")));
        Assert.True(error.Code == code, error.Message);
        Assert.Contains(says, error.Message);
        Assert.False(File.Exists(folder.File("model.gguf")));
    }

    [Fact]
    public void Convert_NamesTensorsWithoutAPlace()
    {
        var model = TinyModels.Make("llama2");
        model.Norm("model.layers.0.self_attn.k_norm", 8);
        Assert.Contains("'model.layers.0.self_attn.k_norm.weight'",
            Assert.Throws<ModelFileException>(() => Convert(Write(model, "from"), folder.File("model.gguf"))).Message);
        var mixed = TinyModels.Make("mixtral");
        mixed.Weights.Remove("model.layers.1.block_sparse_moe.experts.3.w2.weight");
        Assert.Contains("7 experts", Assert.Throws<ModelFileException>(() =>
            Convert(Write(mixed, "mixed"), folder.File("model.gguf"))).Message);
        Gguf.Write(folder.File("odd.gguf"), Metadata(),
            [new("blk.0.odd.weight", WeightType.F32, [1], stream => stream.Write(new byte[4]))]);
        Assert.Contains("'blk.0.odd.weight'", Assert.Throws<ModelFileException>(() =>
            Convert(folder.File("odd.gguf"), folder.File("back"))).Message);
        Assert.Contains("already", Assert.Throws<ModelFileException>(() =>
            Convert(folder.File("odd.gguf"), folder.File("x.gguf"))).Message);

        static GgufMetadata Metadata()
        {
            var metadata = new GgufMetadata();
            metadata.SetText("general.architecture", "llama");
            return metadata;
        }
    }

    [DataFact]
    public void TheRealModel_IsTheSameInBothFormats()
    {
        string models = Path.Combine(DataFact.Folder!, "models/stories260k");
        Convert(models, folder.File("made.gguf"));
        Convert(Path.Combine(models, "stories260k.gguf"), folder.File("made"));
        using (var published = Gguf.Open(Path.Combine(models, "stories260k.gguf")))
        using (var made = Gguf.Open(folder.File("made.gguf")))
        {
            Assert.Equal(published.Entries.Select(entry => entry.ToString()).Order(),
                made.Entries.Select(entry => entry.ToString()).Order());
            Assert.All(published.Entries,
                entry => Assert.True(published.Bytes(entry).Span.SequenceEqual(made.Bytes(made[entry.Name]).Span), entry.Name));
            foreach (string key in published.Metadata.Keys.Where(key =>
                key is not ("general.name" or "tokenizer.ggml.scores" or "general.file_type")))
                Assert.Equal((key, published.Metadata.ValueText(key)), (key, made.Metadata.ValueText(key)));
            Assert.Equal(published.Metadata.Texts("tokenizer.ggml.tokens"), made.Metadata.Texts("tokenizer.ggml.tokens"));
            Assert.Equal(published.Metadata.Floats("tokenizer.ggml.scores"), made.Metadata.Floats("tokenizer.ggml.scores"));
            Assert.Equal(published.Metadata.Ints("tokenizer.ggml.token_type"), made.Metadata.Ints("tokenizer.ggml.token_type"));
        }
        using (var published = WeightFile.Open(models))
        using (var made = WeightFile.Open(folder.File("made")))
        {
            Assert.Equal(published.Entries.Select(entry => entry.ToString()).Order(),
                made.Entries.Select(entry => entry.ToString()).Order());
            Assert.All(published.Entries,
                entry => Assert.True(published.Bytes(entry).Span.SequenceEqual(made.Bytes(made[entry.Name]).Span), entry.Name));
            var (was, now) = (JsonNode.Parse(File.ReadAllText(Path.Combine(models, "config.json")))!.AsObject(),
                JsonNode.Parse(File.ReadAllText(folder.File("made/config.json")))!.AsObject());
            foreach (var (key, value) in was.Where(pair => pair.Key is not ("attention_bias" or "mlp_bias")))
                Assert.True(JsonNode.DeepEquals(value, now[key]), $"{key}: {value} and {now[key]}");
        }
        Convert(folder.File("made.gguf"), folder.File("again"));
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(File.ReadAllText(Path.Combine(models, "tokenizer.json"))),
            JsonNode.Parse(File.ReadAllText(folder.File("again/tokenizer.json")))));
    }
}
