using System.Text.Json;
using System.Text.Json.Nodes;
using Ashlar.Formats;
using Ashlar.Models;
using Ashlar.NN;
using Ashlar.Tests.Formats;
using Ashlar.Tests.Tensors;

namespace Ashlar.Tests.Models.Reference;

/// <summary>The reference models: what they must do whatever their weights, and what others published of them.</summary>
public sealed class ReferenceModelTests() : DeviceTests(Devices.Reference)
{
    static readonly string[] encoders = ["bert", "xlm-roberta", "nomic-bert"];

    public static TheoryData<string> All => [.. TinyModels.All.Keys];

    public static TheoryData<string> Decoders => [.. TinyModels.All.Keys.Except(encoders)];

    [Theory]
    [MemberData(nameof(All))]
    public void Reference_ReadsEveryWeight(string name)
    {
        var model = TinyModels.Make(name);
        var weights = new ReferenceWeights(model.Weights);
        double[][] logits = ReferenceModel.Logits(model.ParsedConfig, weights, TinyModels.Text(model, 47));
        string[] unread = [.. model.Weights.Keys.Except(weights.Read)];
        // published with the models, and no part of what they say
        Assert.All(unread, tensor => Assert.True(tensor is "lm_head.weight" or "pooler.dense.weight" or "pooler.dense.bias"
            || (name == "deepseek-v3" && tensor.StartsWith("model.layers.3.", StringComparison.Ordinal)), tensor));
        double size = Math.Sqrt(logits.Average(row => row.Average(logit => logit * logit)));
        Assert.InRange(size, 0.3, 5);
    }

    [Theory]
    [MemberData(nameof(All))]
    public void Folder_HoldsTheModelAndIsSmall(string name)
    {
        using var folder = new TemporaryFolder();
        var model = TinyModels.Make(name);
        model.Write(folder.Path);
        var (config, weights) = ReferenceModel.Load(folder.Path);
        Assert.True(JsonNode.DeepEquals(model.Config, JsonNode.Parse(config.GetRawText())));
        Assert.Equal(model.Weights.Keys.Order(), weights.Keys.Order());
        Assert.All(weights, weight => Assert.Equal(model.Weights[weight.Key], weight.Value,
            (a, b) => a.Shape.SequenceEqual(b.Shape) && a.Data.SequenceEqual(b.Data)));
        Assert.InRange(new FileInfo(folder.File("model.safetensors")).Length, 1, 1 << 20);
        Assert.Equal(TinyModels.Make(name).Weights.Values.Sum(weight => (double)weight.Data.Sum()),
            model.Weights.Values.Sum(weight => (double)weight.Data.Sum()));
    }

    public static TheoryData<string> Ggufs => [.. TinyGguf.Names];

    [Theory]
    [MemberData(nameof(Ggufs))]
    public void Gguf_HoldsEveryNumberOfTheModel(string name)
    {
        using var folder = new TemporaryFolder();
        var model = TinyGguf.Sayable(name);
        using var file = Gguf.Open(TinyGguf.Of(model).Write(folder.File("tiny.gguf")));
        // rotary factors are of the config; a copy of the table, poolers and layers that predict further are not converted
        long expected = model.Weights.Where(weight => !weight.Key.StartsWith("pooler.", StringComparison.Ordinal)
                && !(name == "deepseek-v3" && weight.Key.StartsWith("model.layers.3.", StringComparison.Ordinal))
                && !weight.Key.EndsWith("_scales", StringComparison.Ordinal))
            .Sum(weight => weight.Value.Data.LongLength * (weight.Key.EndsWith("_blocks", StringComparison.Ordinal) ? 2 : 1));
        if (name == "xlm-roberta") expected -= 2 * model["hidden_size"];
        long found = file.Entries.Where(entry => !entry.Name.StartsWith("rope_", StringComparison.Ordinal))
            .Sum(entry => entry.Extents.Aggregate(1L, (product, extent) => product * extent));
        Assert.Equal(expected, found);
    }

    [Theory]
    [MemberData(nameof(Decoders))]
    public void Logits_DoNotSeeLaterTokens(string name)
    {
        var model = TinyModels.Make(name);
        int[] text = TinyModels.Text(model, 12), other = [.. text];
        other[8] = text[8] == 5 ? 6 : 5;
        double[][] a = model.Logits(text), b = model.Logits(other);
        for (int t = 0; t < 8; t++) Assert.Equal(a[t], b[t]);
        for (int t = 8; t < 12; t++) Assert.True(Distance(a[t], b[t]) > 1e-3);
    }

    [Theory]
    [InlineData("bert")]
    [InlineData("xlm-roberta")]
    [InlineData("nomic-bert")]
    public void Encoders_SeeLaterTokens(string name)
    {
        var model = TinyModels.Make(name);
        int[] text = TinyModels.Text(model, 7), other = [.. text];
        other[6] = text[6] == 5 ? 6 : 5;
        Assert.True(Distance(model.Logits(text)[0], model.Logits(other)[0]) > 1e-3);
    }

    [Fact]
    public void Window_LimitsHowFarTokensReach()
    {
        var model = TinyModels.Make("mistral-v0.1");   // 3 layers, each of which reaches 4 tokens further
        int[] text = TinyModels.Text(model), other = [.. text];
        other[0] = text[0] == 5 ? 6 : 5;
        double[][] a = model.Logits(text), b = model.Logits(other);
        for (int t = 0; t <= 12; t++) Assert.True(Distance(a[t], b[t]) > 1e-9, $"place {t}");
        for (int t = 13; t < text.Length; t++) Assert.Equal(a[t], b[t]);
    }

    /// <summary>Each key that makes a difference does, with the tiny models: none would be noticed missing otherwise.</summary>
    [Theory]
    [InlineData("llama2", "rms_norm_eps", "0.1")]
    [InlineData("llama2", "rope_theta", "100.0")]
    [InlineData("llama3.1", "rope_scaling", "null")]
    [InlineData("llama3.1", "rope_theta", "10000.0")]
    [InlineData("llama3.1", "rope_scaling",
        """{"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 8.0, "original_max_position_embeddings": 32, "rope_type": "llama3"}""")]
    [InlineData("llama-biases", "attention_bias", "false")]
    [InlineData("llama-biases", "mlp_bias", "false")]
    [InlineData("llama-biases", "rope_scaling", "null")]
    [InlineData("mistral-v0.1", "sliding_window", "6")]
    [InlineData("smollm3", "no_rope_layers", "[1, 1, 1, 1]")]
    [InlineData("mixtral", "num_experts_per_tok", "3")]
    [InlineData("qwen2.5-yarn", "rope_scaling", "null")]
    [InlineData("qwen2.5-yarn", "rope_scaling",
        """{"factor": 4.0, "original_max_position_embeddings": 32, "type": "yarn", "attention_factor": 1.0}""")]
    [InlineData("qwen2-sliding", "use_sliding_window", "false")]
    [InlineData("qwen2-sliding", "max_window_layers", "2")]
    [InlineData("qwen2-moe", "norm_topk_prob", "true")]
    [InlineData("qwen2-moe", "shared_expert_intermediate_size", "null")]
    [InlineData("qwen3-moe", "norm_topk_prob", "false")]
    [InlineData("gemma2", "attn_logit_softcapping", "null")]
    [InlineData("gemma2", "final_logit_softcapping", "null")]
    [InlineData("gemma2", "query_pre_attn_scalar", "16")]
    [InlineData("gemma2", "sliding_window", "7")]
    [InlineData("gemma3", "sliding_window_pattern", "2")]
    [InlineData("gemma3", "rope_local_base_freq", "10000")]
    [InlineData("gemma3", "query_pre_attn_scalar", "20")]
    [InlineData("gemma3-linear", "rope_scaling", "null")]
    [InlineData("phi3", "sliding_window", "null")]
    [InlineData("phi3-long", "rope_scaling",
        """{"long_factor": [1.5, 2.0, 4.5, 9.0], "short_factor": [1, 1, 1, 1], "type": "longrope"}""")]
    [InlineData("phi3-long", "original_max_position_embeddings", "32")]
    [InlineData("phi4", "rope_theta", "10000")]
    [InlineData("phi4-mini", "max_position_embeddings", "64")]
    [InlineData("glm4-0414", "rope_theta", "500")]
    [InlineData("gpt-oss", "sliding_window", "7")]
    [InlineData("gpt-oss", "swiglu_limit", "8.0")]
    [InlineData("gpt-oss", "num_experts_per_tok", "2")]
    [InlineData("gpt-oss", "rope_scaling",
        """{"beta_fast": 4.0, "beta_slow": 1.0, "factor": 8.0, "original_max_position_embeddings": 16, "rope_type": "yarn", "truncate": true}""")]
    [InlineData("deepseek-v2-lite", "norm_topk_prob", "true")]
    [InlineData("deepseek-v2-lite", "rope_scaling", "null")]
    [InlineData("deepseek-v2", "routed_scaling_factor", "1.0")]
    [InlineData("deepseek-v2", "topk_method", "\"greedy\"")]
    [InlineData("deepseek-v2", "topk_group", "1")]
    [InlineData("deepseek-v3", "norm_topk_prob", "false")]
    [InlineData("deepseek-v3", "topk_group", "1")]
    [InlineData("deepseek-v3", "scoring_func", "\"softmax\"")]
    [InlineData("deepseek-v3", "num_hidden_layers", "2")]
    [InlineData("gpt2", "activation_function", "\"gelu\"")]
    [InlineData("gpt2", "scale_attn_by_inverse_layer_idx", "true")]
    [InlineData("xlm-roberta", "pad_token_id", "0")]
    [InlineData("nomic-bert", "rotary_emb_base", "10000")]
    public void Logits_DependOnTheKey(string name, string key, string value)
    {
        var model = TinyModels.Make(name);
        int[] text = TinyModels.Text(model);
        double[][] before = model.Logits(text);
        model.Config[key] = JsonNode.Parse(value);
        double[][] after = model.Logits(text);
        Assert.True(before.Zip(after, Distance).Max() > 1e-4);
    }

    [Theory]
    [InlineData("deepseek-v2-lite", 1.0)]
    [InlineData("deepseek-v3", 2.5)]
    public void Shares_AreOfTheChosenGroupsAndSumToTheFactor_WhenTheyAreNormalised(string name, double factor)
    {
        var model = TinyModels.Make(name);
        model.Config["norm_topk_prob"] = true;
        var config = new ReferenceConfig(model.ParsedConfig);
        var random = new Random(3);
        for (int i = 0; i < 50; i++)
        {
            double[] scores = [.. Enumerable.Range(0, model["n_routed_experts"]).Select(_ => 4 * random.NextDouble() - 2)];
            var chosen = DeepSeekReference.Choose(config, new(model.Weights), "model.layers.1.mlp", scores);
            Assert.Equal(model["num_experts_per_tok"], chosen.Select(choice => choice.Expert).Distinct().Count());
            int size = model["n_routed_experts"] / model["n_group"];
            Assert.True(chosen.Select(choice => choice.Expert / size).Distinct().Count() <= model["topk_group"]);
            Assert.Equal(factor, chosen.Sum(choice => choice.Share), 1e-9);
        }
    }

    [Fact]
    public void Bias_ChoosesExpertsButDoesNotWeighThem()
    {
        var model = TinyModels.Make("deepseek-v3");
        const string Name = "model.layers.1.mlp";
        float[] bias = model.Weights[$"{Name}.gate.e_score_correction_bias"].Data;
        Array.Clear(bias);
        (bias[12], bias[13]) = (10, 10);
        double[] scores = [.. Enumerable.Range(0, 16).Select(expert => -expert / 8.0)];
        var chosen = DeepSeekReference.Choose(new(model.ParsedConfig), new(model.Weights), Name, scores);
        Assert.Equal([12, 13, 0, 1], chosen.Select(choice => choice.Expert));
        Assert.True(chosen[0].Share < chosen[2].Share);
    }

    [Fact]
    public void LongTable_CountsBeyondTheOriginalContext()
    {
        var model = TinyModels.Make("phi3-long");
        var config = new ReferenceConfig(model.ParsedConfig);
        double[][] Logits(int count, bool? isLong) =>
            PhiReference.Logits(config, new(model.Weights), TinyModels.Text(model, count), isLong);
        Assert.Equal(Logits(16, false)[^1], Logits(16, null)[^1]);
        Assert.Equal(Logits(17, true)[^1], Logits(17, null)[^1]);
        Assert.True(Distance(Logits(16, false)[^1], Logits(16, true)[^1]) > 1e-3);
    }

    [Fact]
    public void Gpt2_IsTheOneThatWasComparedWithNanoGpt()
    {
        var model = TinyModels.Make("gpt2-prefixed");
        int[] text = TinyModels.Text(model);
        var tensors =
            model.Weights.ToDictionary(weight => weight.Key, weight => Tensor.From(weight.Value.Data, weight.Value.Shape));
        var weights = Weights.From(PublishedGpt2.Rename(tensors), DType.Float64);
        var gpt = new Gpt(weights, GptConfig.Gpt2 with { Vocabulary = 91, Layers = 2, Width = 40, Heads = 5, Context = 64 });
        weights.ThrowIfUnused();
        double[] logits = gpt.Forward(Tensor.From(text, [1, text.Length])).ToArray<double>();
        double[] expected = [.. model.Logits(text).SelectMany(row => row)];
        Assert.All(expected.Zip(logits), pair => Assert.Equal(pair.First, pair.Second, 1e-9));
    }

    [DataFact]
    public void Llama_SaysThePublishedText()
    {
        string folder = Path.Combine(DataFact.Folder!, "models", "stories260k");
        using var published = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "greedy.json")));
        int[] expected = [.. published.RootElement.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
        var (config, weights) = ReferenceModel.Load(folder);
        double[][] logits = ReferenceModel.Logits(config, weights, [1, .. expected[..^1]]);
        Assert.Equal(256, expected.Length);
        Assert.Equal(expected, logits.Select(row => ReferenceMath.Greatest(row, 1)[0]));
    }

    static double Distance(double[] a, double[] b) => a.Zip(b, (x, y) => Math.Abs(x - y)).Max();
}
