using Ashlar.Backends.Cpu;
using Ashlar.Models;
using Ashlar.Runtime;
using Ashlar.Serving;
using Ashlar.Tests.Models.Reference;
using Ashlar.Tests.Tensors;

namespace Ashlar.Tests.Models.Families;

public sealed class FamilyTests : IDisposable
{
    readonly string folder = Directory.CreateTempSubdirectory("ashlar-family-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("llama2"), InlineData("llama3.1"), InlineData("llama-biases"), InlineData("smollm2")]
    [InlineData("mistral-v0.1"), InlineData("mistral-nemo"), InlineData("mixtral")]
    [InlineData("qwen2.5"), InlineData("qwen2.5-yarn"), InlineData("qwen2-sliding"), InlineData("qwen2-moe")]
    [InlineData("qwen3"), InlineData("qwen3-moe"), InlineData("qwen3-moe-all")]
    [InlineData("gemma2"), InlineData("gemma3"), InlineData("gemma3-linear")]
    [InlineData("phi3"), InlineData("phi3-long"), InlineData("phi4"), InlineData("phi4-mini")]
    [InlineData("smollm3"), InlineData("glm4"), InlineData("glm4-0414")]
    [InlineData("gpt-oss"), InlineData("gpt-oss-plain")]
    [InlineData("deepseek-v2-lite"), InlineData("deepseek-v2"), InlineData("deepseek-v3")]
    [InlineData("gpt2"), InlineData("gpt2-prefixed")]
    public void Family_GivesTheLogitsOfItsReference_FromACheckpoint(string name) =>
        FamilyRun.AssertLikeReference(TinyModels.Make(name).Write(folder), tolerance: ToleranceOf(name));

    [Theory]
    [InlineData("language_model.model.", "")]
    [InlineData("model.language_model.", "model.")]
    public void Gemma3_ReadsTexts_OfACheckpointThatSeesPicturesToo(string path, string outer)
    {
        var text = TinyModels.Make("gemma3-linear");
        string reference = text.Write(Directory.CreateDirectory(Path.Combine(folder, "text")).FullName);
        var whole = new TinyModel("gemma3-whole", """
            {
              "architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3", "boi_token_index": 97,
              "eoi_token_index": 98, "eos_token_id": [1, 4], "image_token_index": 96, "initializer_range": 0.02,
              "mm_tokens_per_image": 4, "torch_dtype": "bfloat16", "transformers_version": "4.50.0.dev0",
              "vision_config": {"hidden_size": 8, "model_type": "siglip_vision_model", "vision_use_head": false}
            }
            """);
        whole.Config["text_config"] = text.Config.DeepClone();
        foreach (var (name, weight) in text.Weights) whole.Weights[path + name["model.".Length..]] = weight;
        whole.Linear($"{outer}vision_tower.vision_model.encoder.layers.0.mlp.fc1", 16, 8, bias: true);
        whole.Random($"{outer}multi_modal_projector.mm_input_projection_weight", 1, 8, 56);
        FamilyRun.AssertLikeReference(whole.Write(Directory.CreateDirectory(Path.Combine(folder, "whole")).FullName), reference);
    }

    [Fact]
    public void Gemma3_KnowsWhatItsConfigLeavesOut()
    {
        var keys = JsonKeys.Parse("config.json", """
            {"model_type": "gemma3", "text_config": {"hidden_size": 2560, "intermediate_size": 10240, "model_type": "gemma3_text",
             "num_hidden_layers": 34, "rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window": 1024}}
            """u8.ToArray());
        var config = new Ashlar.Models.Gemma.Gemma3Family().Read(keys).Checked();
        Assert.Equal((8, 4, 256, 262208), (config.Heads, config.KvHeads, config.HeadWidth, config.Vocabulary));
        Assert.Equal((1024, null), (config.Layers[4].Window, config.Layers[5].Window));
        Assert.Equal(Math.Pow(1e4, -2.0 / 256), config.Layers[4].Rope!.Frequencies[1], 1e-12);
        Assert.Equal(Math.Pow(1e6, -2.0 / 256) / 8, config.Layers[5].Rope!.Frequencies[1], 1e-12);
        Assert.True(config.TiedEmbeddings);
    }

    [Fact]
    public void SmolLm3_SharesItsTable_WhereItsConfigDoesNotSay()
    {
        var tiny = TinyModels.Make("smollm3");
        string reference = tiny.Write(Directory.CreateDirectory(Path.Combine(folder, "said")).FullName);
        Assert.True(tiny.Config.Remove("tie_word_embeddings"));
        FamilyRun.AssertLikeReference(tiny.Write(folder), reference);
    }

    // Activations are rounded to eight bits before they meet weights of four, and its gates are far beyond their limit.
    static double ToleranceOf(string name) => name == "gpt-oss" ? 0.15 : 2e-4;

    [Theory, InlineData(false), InlineData(true)]
    public void GptOss_TakesItsBlocksApartExactly(bool isGguf)
    {
        using var selected = Devices.Reference.Select();   // which rounds no activations
        var tiny = TinyModels.Make("gpt-oss");
        using var model =
            ModelFamily.Load(isGguf ? TinyGguf.Of(tiny).Write(Path.Combine(folder, "tiny.gguf")) : tiny.Write(folder));
        using var engine = new Engine(model, new(DType.Float32, Context: 32, MostTexts: 1, Chunk: 32));
        int[] tokens = TinyModels.Text(tiny, 9);
        using var text = engine.NewText(tokens.Length);
        double[] expected = [.. tiny.Logits(tokens).SelectMany(row => row)];
        float[] found = engine.ReadAll(text, tokens);
        for (int i = 0; i < found.Length; i++) Assert.Equal(expected[i], found[i], 1e-4);
    }

    public static TheoryData<string> Ggufs => [.. TinyGguf.Names.Except(["bert", "xlm-roberta", "nomic-bert"])];

    [Theory, MemberData(nameof(Ggufs))]
    public void Family_GivesTheLogitsOfItsReference_FromGguf(string name)
    {
        var model = TinyGguf.Sayable(name);
        FamilyRun.AssertLikeReference(TinyGguf.Of(model).Write(Path.Combine(folder, "tiny.gguf")), model.Write(folder),
            ToleranceOf(name));
    }

    [Fact]
    public void LongRope_TakesItsTableByTheLengthThatATextIsToHave()
    {
        using var selected = new Device(new CpuBackend()).Select();
        var tiny = TinyModels.Make("phi3-long");
        using var model = ModelFamily.Load(tiny.Write(folder));
        int width = model.FeatureWidth, half = model.Ropes[0].Width / 2;
        var (quick, slow) = (new float[width], new float[width]);
        model.Features([5], 3, length: 16, quick);
        model.Features([5], 3, length: 17, slow);
        double factor = Math.Sqrt(1 + Math.Log(8) / Math.Log(16));   // of 128 tokens over 16
        Assert.Equal(factor * Math.Cos(3 / 1.0), quick[model.Config.Width], 1e-6);
        Assert.Equal(factor * Math.Cos(3 / 1.5), slow[model.Config.Width], 1e-6);
        Assert.Equal(factor * Math.Sin(3 * 1e-3 / 2.75), quick[model.Config.Width + 2 * half - 1], 1e-6);
        Assert.Equal(factor * Math.Sin(3 * 1e-3 / 9.25), slow[model.Config.Width + 2 * half - 1], 1e-6);
    }

    [Theory]
    [InlineData("gemma2", "hidden_activation", "\"relu\"", "relu")]
    [InlineData("gemma3", "layer_types", "[\"full_attention\"]", "layer_types")]
    [InlineData("gemma3", "use_bidirectional_attention", "true", "use_bidirectional_attention")]
    [InlineData("phi3-long", "rope_scaling", "{\"type\": \"longrope\", \"short_factor\": [1, 1, 1, 1]}", "long_factor")]
    [InlineData("phi4", "full_attn_mod", "2", "full_attn_mod")]
    [InlineData("smollm3", "no_rope_layers", "[1, 0]", "no_rope_layers")]
    [InlineData("smollm3", "use_sliding_window", "true", "use_sliding_window")]
    [InlineData("glm4-0414", "attention_scale", "2", "attention_scale")]
    [InlineData("gpt-oss", "swiglu_limit", "8", "swiglu_limit")]
    [InlineData("gpt-oss", "quantization_config", "{\"quant_method\": \"awq\"}", "awq")]
    [InlineData("deepseek-v3", "quantization_config", "{\"quant_method\": \"fp8\"}", "weight_block_size")]
    [InlineData("qwen3", "quantization_config", "{\"quant_method\": \"gptq\"}", "gptq")]
    [InlineData("deepseek-v2", "topk_method", "\"random\"", "random")]
    [InlineData("deepseek-v2", "kv_lora_rank", "null", "kv_lora_rank")]
    [InlineData("gpt2", "scale_attn_by_inverse_layer_idx", "true", "scale_attn_by_inverse_layer_idx")]
    [InlineData("gpt2", "activation_function", "\"relu\"", "relu")]
    [InlineData("gpt2", "n_layer", "0", "layers")]
    [InlineData("llama2", "num_hidden_layers", "2000000000", "num_hidden_layers is 2000000000")]
    [InlineData("deepseek-v2", "num_hidden_layers", "-1", "num_hidden_layers is -1")]
    [InlineData("llama2", "head_dim", "2000000000", "rotary positions of 2000000000")]
    [InlineData("llama2", "rope_scaling", "{\"type\": \"linear\", \"factor\": 0}", "factor is 0")]
    [InlineData("llama2", "rope_scaling", "{\"type\": \"yarn\", \"factor\": -2}", "factor is -2")]
    [InlineData("llama3.1", "rope_scaling",
        "{\"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 4, \"high_freq_factor\": 4, "
            + "\"original_max_position_embeddings\": 8}",
        "high_freq_factor is 4")]
    [InlineData("phi3-long", "rope_scaling",
        "{\"type\": \"longrope\", \"short_factor\": [1, 1, 0, 1], \"long_factor\": [1, 1, 1, 1]}", "divisor")]
    [InlineData("mistral-v0.1", "sliding_window", "0", "window of 0")]
    [InlineData("gemma2", "query_pre_attn_scalar", "0", "scale of attention")]
    [InlineData("gemma2", "attn_logit_softcapping", "0", "bounds of 0")]
    public void Family_RefusesAConfig(string name, string key, string value, string word)
    {
        var model = TinyModels.Make(name);
        model.Config[key] = System.Text.Json.Nodes.JsonNode.Parse(value);
        var error = Assert.ThrowsAny<AshlarException>(() => ModelFamily.Load(model.Write(folder)));
        Assert.Contains(word, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gemma3", "model.layers.1.pre_feedforward_layernorm.weight")]
    [InlineData("phi3", "model.layers.1.self_attn.qkv_proj.weight")]
    [InlineData("glm4-0414", "model.layers.0.post_mlp_layernorm.weight")]
    [InlineData("gpt-oss", "model.layers.1.mlp.experts.down_proj_scales")]
    [InlineData("gpt-oss", "model.layers.0.self_attn.sinks")]
    [InlineData("gpt-oss-plain", "model.layers.0.mlp.experts.gate_up_proj_bias")]
    [InlineData("deepseek-v2-lite", "model.layers.1.self_attn.kv_a_layernorm.weight")]
    [InlineData("deepseek-v3", "model.layers.2.mlp.gate.e_score_correction_bias")]
    [InlineData("gpt2", "h.1.attn.c_attn.bias")]
    [InlineData("gpt2", "wpe.weight")]
    public void Family_NamesTheWeight_WhenThisOneIsMissing(string name, string weight)
    {
        var model = TinyModels.Make(name);
        Assert.True(model.Weights.Remove(weight));
        Assert.Contains(weight, Assert.ThrowsAny<AshlarException>(() => ModelFamily.Load(model.Write(folder))).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gemma3"), InlineData("phi4-mini"), InlineData("smollm3"), InlineData("glm4"), InlineData("gpt-oss"),
        InlineData("deepseek-v3"), InlineData("gpt2")]
    public void Family_NamesTheWeight_WhenAnyIsLeftOver(string name)
    {
        var model = TinyModels.Make(name);
        model.Random("model.layers.0.side.weight", 1, 8);
        Assert.Contains("model.layers.0.side.weight", Assert.Throws<ModelException>(() =>
            ModelFamily.Load(model.Write(folder))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Family_NamesTheKey_WhenItDoesNotKnowIt()
    {
        var model = TinyModels.Make("llama2");
        model.Config["attn_temperature_tuning"] = 4;
        Assert.Contains("attn_temperature_tuning", Assert.Throws<ModelFileException>(() =>
            ModelFamily.Load(model.Write(folder))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Family_NamesTheWeight_WhenItIsMissing()
    {
        var model = TinyModels.Make("llama2");
        model.Weights.Remove("model.layers.1.mlp.up_proj.weight");
        Assert.Contains("'model.layers.1.mlp.up_proj.weight'",
            Assert.Throws<ModelException>(() => ModelFamily.Load(model.Write(folder))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Family_NamesTheWeight_WhenItIsLeftOver()
    {
        var model = TinyModels.Make("llama2");
        model.Linear("model.layers.1.mlp.side_proj", 8, 8);
        Assert.Contains("'model.layers.1.mlp.side_proj.weight'",
            Assert.Throws<ModelException>(() => ModelFamily.Load(model.Write(folder))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Family_NamesTheArchitecture_WhenItIsUnknown()
    {
        var model = TinyModels.Make("llama2");
        model.Config["model_type"] = "mamba";
        var error = Assert.Throws<ModelException>(() => ModelFamily.Load(model.Write(folder)));
        Assert.Equal("ASH0351", error.Code);
        Assert.Contains("'mamba'", error.Message, StringComparison.Ordinal);
        Assert.Contains("llama, ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Family_RefusesWeights_WhenTheyAreNotFinite()
    {
        var model = TinyModels.Make("llama2");
        model.Weights["model.norm.weight"].Data[3] = float.NaN;
        Assert.Contains("model.norm.weight", Assert.Throws<ModelException>(() => ModelFamily.Load(model.Write(folder))).Message,
            StringComparison.Ordinal);
    }
}
