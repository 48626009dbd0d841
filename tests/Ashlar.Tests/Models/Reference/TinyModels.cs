namespace Ashlar.Tests.Models.Reference;

/// <summary>A small model of every family, with every key that the family's published configs have, and with every kind of layer.
/// Widths are odd multiples of 8, and heads are not the quotient of width and heads where a family may choose.</summary>
static partial class TinyModels
{
    /// <summary>By name: the family, and what is special about the model.</summary>
    public static IReadOnlyDictionary<string, Func<TinyModel>> All { get; } = new Dictionary<string, Func<TinyModel>>
    {
        ["llama2"] = Llama2,
        ["llama3.1"] = Llama31,
        ["llama-biases"] = LlamaBiases,
        ["smollm2"] = SmolLm2,
        ["mistral-v0.1"] = Mistral01,
        ["mistral-nemo"] = MistralNemo,
        ["smollm3"] = SmolLm3,
        ["mixtral"] = Mixtral,
        ["qwen2.5"] = Qwen25,
        ["qwen2.5-yarn"] = Qwen25Yarn,
        ["qwen2-sliding"] = Qwen2Sliding,
        ["qwen2-moe"] = Qwen2Moe,
        ["qwen3"] = Qwen3,
        ["qwen3-moe"] = () => Qwen3Moe(dense: true),
        ["qwen3-moe-all"] = () => Qwen3Moe(dense: false),
        ["gemma2"] = Gemma2,
        ["gemma3"] = Gemma3,
        ["gemma3-linear"] = Gemma3Linear,
        ["phi3"] = Phi3,
        ["phi3-long"] = Phi3Long,
        ["phi4"] = Phi4,
        ["phi4-mini"] = Phi4Mini,
        ["glm4"] = Glm4,
        ["glm4-0414"] = Glm40414,
        ["gpt-oss"] = () => GptOss(blocks: true),
        ["gpt-oss-plain"] = () => GptOss(blocks: false),
        ["deepseek-v2-lite"] = DeepSeekV2Lite,
        ["deepseek-v2"] = DeepSeekV2,
        ["deepseek-v3"] = DeepSeekV3,
        ["gpt2"] = Gpt2,
        ["gpt2-prefixed"] = Gpt2Prefixed,
        ["bert"] = Bert,
        ["xlm-roberta"] = XlmRoberta,
        ["nomic-bert"] = NomicBert,
    };

    public static TinyModel Make(string name) => All[name]();

    /// <summary>A text of the model's vocabulary, the same each time.</summary>
    public static int[] Text(TinyModel model, int length = 24)
    {
        var random = new Random(7);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(3, model["vocab_size"]))];
    }

    static TinyModel Llama2() => LlamaLike(new("llama2", """
        {
          "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 97, "hidden_size": 40,
          "intermediate_size": 88, "num_hidden_layers": 2, "num_attention_heads": 5, "num_key_value_heads": 5,
          "hidden_act": "silu", "max_position_embeddings": 64, "initializer_range": 0.02, "rms_norm_eps": 1e-05,
          "pretraining_tp": 1, "rope_scaling": null, "tie_word_embeddings": false, "torch_dtype": "float32",
          "transformers_version": "4.31.0", "use_cache": true, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0
        }
        """));

    static TinyModel Llama31() => LlamaLike(new("llama3.1", """
        {
          "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 101, "hidden_size": 56,
          "intermediate_size": 104, "num_hidden_layers": 3, "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 16,
          "hidden_act": "silu", "max_position_embeddings": 128, "initializer_range": 0.02, "rms_norm_eps": 1e-05,
          "attention_bias": false, "attention_dropout": 0.0, "mlp_bias": false, "pretraining_tp": 1, "rope_theta": 500000.0,
          "rope_scaling": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 32, "rope_type": "llama3"},
          "tie_word_embeddings": true, "torch_dtype": "bfloat16", "transformers_version": "4.42.3", "use_cache": true,
          "bos_token_id": 1, "eos_token_id": [2, 3, 4]
        }
        """));

    static TinyModel LlamaBiases() => LlamaLike(new("llama-biases", """
        {
          "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 97, "hidden_size": 48,
          "intermediate_size": 72, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
          "hidden_act": "silu", "max_position_embeddings": 64, "initializer_range": 0.02, "rms_norm_eps": 1e-06,
          "attention_bias": true, "attention_dropout": 0.0, "mlp_bias": true, "pretraining_tp": 1, "rope_theta": 10000.0,
          "rope_scaling": {"type": "linear", "factor": 2.0}, "tie_word_embeddings": false, "torch_dtype": "float32",
          "transformers_version": "4.45.0", "use_cache": true, "bos_token_id": 1, "eos_token_id": 2
        }
        """));

    static TinyModel SmolLm2() => LlamaLike(new("smollm2", """
        {
          "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 89, "hidden_size": 72,
          "intermediate_size": 104, "num_hidden_layers": 2, "num_attention_heads": 9, "num_key_value_heads": 3,
          "hidden_act": "silu", "max_position_embeddings": 64, "initializer_range": 0.041666666666666664,
          "is_llama_config": true, "attention_bias": false, "attention_dropout": 0.0, "mlp_bias": false, "pretraining_tp": 1,
          "rms_norm_eps": 1e-05, "rope_interleaved": false, "rope_scaling": null, "rope_theta": 100000,
          "tie_word_embeddings": true, "torch_dtype": "bfloat16", "transformers_version": "4.42.3",
          "transformers.js_config": {"kv_cache_dtype": {"q4f16": "float16", "fp16": "float16"}},
          "use_cache": true, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2
        }
        """));

    static TinyModel Mistral01() => LlamaLike(new("mistral-v0.1", """
        {
          "architectures": ["MistralForCausalLM"], "model_type": "mistral", "vocab_size": 97, "hidden_size": 48,
          "intermediate_size": 88, "num_hidden_layers": 3, "num_attention_heads": 6, "num_key_value_heads": 2,
          "hidden_act": "silu", "max_position_embeddings": 64, "initializer_range": 0.02, "rms_norm_eps": 1e-05,
          "rope_theta": 10000.0, "sliding_window": 5, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
          "transformers_version": "4.34.0.dev0", "use_cache": true, "bos_token_id": 1, "eos_token_id": 2
        }
        """));

    static TinyModel MistralNemo() => LlamaLike(new("mistral-nemo", """
        {
          "architectures": ["MistralForCausalLM"], "model_type": "mistral", "vocab_size": 97, "hidden_size": 40,
          "intermediate_size": 104, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 24,
          "hidden_act": "silu", "max_position_embeddings": 64, "attention_dropout": 0.0, "initializer_range": 0.02,
          "rms_norm_eps": 1e-05, "rope_theta": 1000000.0, "sliding_window": null, "tie_word_embeddings": false,
          "torch_dtype": "bfloat16", "transformers_version": "4.43.0.dev0", "use_cache": true, "bos_token_id": 1,
          "eos_token_id": 2
        }
        """));

    static TinyModel SmolLm3() => LlamaLike(new("smollm3", """
        {
          "architectures": ["SmolLM3ForCausalLM"], "model_type": "smollm3", "vocab_size": 97, "hidden_size": 48,
          "intermediate_size": 88, "num_hidden_layers": 4, "num_attention_heads": 6, "num_key_value_heads": 2,
          "hidden_act": "silu", "max_position_embeddings": 64, "max_window_layers": 28, "initializer_range": 0.02,
          "attention_bias": false, "attention_dropout": 0.0, "mlp_bias": false, "pretraining_tp": 2, "rms_norm_eps": 1e-06,
          "layer_types": ["full_attention", "full_attention", "full_attention", "full_attention"],
          "no_rope_layer_interval": 4, "no_rope_layers": [1, 1, 1, 0], "rope_scaling": null, "rope_theta": 5000000.0,
          "sliding_window": null, "use_sliding_window": false, "torch_dtype": "bfloat16", "transformers_version": "4.54.0.dev0",
          "tie_word_embeddings": true, "use_cache": false, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3
        }
        """));

    static TinyModel Qwen25() => QwenLike(new("qwen2.5", """
        {
          "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "vocab_size": 103, "hidden_size": 56,
          "intermediate_size": 120, "num_hidden_layers": 2, "num_attention_heads": 7, "num_key_value_heads": 1,
          "hidden_act": "silu", "max_position_embeddings": 64, "max_window_layers": 21, "attention_dropout": 0.0,
          "initializer_range": 0.02, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 64,
          "tie_word_embeddings": true, "torch_dtype": "bfloat16", "transformers_version": "4.43.1", "use_cache": true,
          "use_mrope": false, "use_sliding_window": false, "bos_token_id": 1, "eos_token_id": 2
        }
        """));

    static TinyModel Qwen25Yarn() => QwenLike(new("qwen2.5-yarn", """
        {
          "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "vocab_size": 103, "hidden_size": 64,
          "intermediate_size": 120, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
          "hidden_act": "silu", "max_position_embeddings": 32, "max_window_layers": 2, "attention_dropout": 0.0,
          "initializer_range": 0.02, "rms_norm_eps": 1e-06, "rope_theta": 1000.0, "sliding_window": 32,
          "rope_scaling": {"factor": 4.0, "original_max_position_embeddings": 32, "type": "yarn"},
          "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.43.1", "use_cache": true,
          "use_sliding_window": false, "bos_token_id": 1, "eos_token_id": 2
        }
        """));

    static TinyModel Qwen2Sliding() => QwenLike(new("qwen2-sliding", """
        {
          "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "vocab_size": 103, "hidden_size": 40,
          "intermediate_size": 72, "num_hidden_layers": 3, "num_attention_heads": 5, "num_key_value_heads": 5,
          "hidden_act": "silu", "max_position_embeddings": 64, "max_window_layers": 1, "attention_dropout": 0.0,
          "initializer_range": 0.02, "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "sliding_window": 6,
          "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.43.1", "use_cache": true,
          "use_sliding_window": true, "bos_token_id": 1, "eos_token_id": 2
        }
        """));

    static TinyModel Qwen3() => QwenLike(new("qwen3", """
        {
          "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "vocab_size": 103, "hidden_size": 56,
          "intermediate_size": 88, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 24,
          "hidden_act": "silu", "max_position_embeddings": 64, "max_window_layers": 3, "attention_bias": false,
          "attention_dropout": 0.0, "initializer_range": 0.02, "rms_norm_eps": 1e-06, "rope_scaling": null,
          "rope_theta": 1000000, "sliding_window": null, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
          "transformers_version": "4.51.0", "use_cache": true, "use_sliding_window": false, "bos_token_id": 1, "eos_token_id": 2
        }
        """));

    static TinyModel Gemma2() => GemmaLike(new("gemma2", """
        {
          "architectures": ["Gemma2ForCausalLM"], "model_type": "gemma2", "vocab_size": 99, "hidden_size": 48,
          "intermediate_size": 104, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
          "hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh", "max_position_embeddings": 64,
          "attention_bias": false, "attention_dropout": 0.0, "attn_logit_softcapping": 3.0, "final_logit_softcapping": 2.0,
          "cache_implementation": "hybrid", "initializer_range": 0.02, "query_pre_attn_scalar": 12, "rms_norm_eps": 1e-06,
          "rope_theta": 10000.0, "sliding_window": 6, "sliding_window_size": 6, "torch_dtype": "float32",
          "transformers_version": "4.42.0.dev0", "use_cache": true, "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0
        }
        """));

    static TinyModel Gemma3() => GemmaLike(new("gemma3", """
        {
          "architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text", "vocab_size": 99, "hidden_size": 40,
          "intermediate_size": 72, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 16,
          "hidden_activation": "gelu_pytorch_tanh", "max_position_embeddings": 64, "attention_bias": false,
          "attention_dropout": 0.0, "attn_logit_softcapping": null, "final_logit_softcapping": null,
          "cache_implementation": "hybrid", "initializer_range": 0.02, "query_pre_attn_scalar": 16, "rms_norm_eps": 1e-06,
          "rope_local_base_freq": 100, "rope_scaling": null, "rope_theta": 1000000, "sliding_window": 5,
          "sliding_window_pattern": 3, "torch_dtype": "bfloat16", "transformers_version": "4.50.0.dev0", "use_cache": true,
          "bos_token_id": 2, "eos_token_id": [1, 4], "pad_token_id": 0
        }
        """));

    static TinyModel Gemma3Linear() => GemmaLike(new("gemma3-linear", """
        {
          "architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text", "vocab_size": 99, "hidden_size": 56,
          "intermediate_size": 88, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
          "hidden_activation": "gelu_pytorch_tanh", "max_position_embeddings": 64, "attention_bias": false,
          "attention_dropout": 0.0, "attn_logit_softcapping": null, "final_logit_softcapping": null, "initializer_range": 0.02,
          "layer_types": ["sliding_attention", "full_attention", "sliding_attention"], "query_pre_attn_scalar": 20,
          "rms_norm_eps": 1e-06, "rope_local_base_freq": 10000.0, "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
          "rope_theta": 1000.0, "sliding_window": 7, "torch_dtype": "bfloat16", "transformers_version": "4.56.0",
          "use_bidirectional_attention": false, "use_cache": true, "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0
        }
        """));

    static TinyModel Phi3() => PhiLike(new("phi3", """
        {
          "architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "vocab_size": 97, "hidden_size": 48,
          "intermediate_size": 88, "num_hidden_layers": 2, "num_attention_heads": 6, "num_key_value_heads": 6,
          "hidden_act": "silu", "max_position_embeddings": 64, "original_max_position_embeddings": 64, "attention_bias": false,
          "attention_dropout": 0.0, "auto_map": {"AutoConfig": "configuration_phi3.Phi3Config"}, "embd_pdrop": 0.0,
          "initializer_range": 0.02, "resid_pdrop": 0.0, "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 10000.0,
          "sliding_window": 6, "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.40.2",
          "use_cache": true, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2
        }
        """));

    static TinyModel Phi3Long() => PhiLike(new("phi3-long", """
        {
          "architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "vocab_size": 97, "hidden_size": 40,
          "intermediate_size": 72, "num_hidden_layers": 2, "num_attention_heads": 5, "num_key_value_heads": 5,
          "hidden_act": "silu", "max_position_embeddings": 128, "original_max_position_embeddings": 16, "attention_bias": false,
          "attention_dropout": 0.0, "embd_pdrop": 0.0, "initializer_range": 0.02, "resid_pdrop": 0.0, "rms_norm_eps": 1e-05,
          "rope_scaling": {"long_factor": [1.5, 2.0, 4.5, 9.25], "short_factor": [1.0, 1.25, 1.5, 2.75], "type": "longrope"},
          "rope_theta": 10000.0, "sliding_window": 128, "tie_word_embeddings": false, "torch_dtype": "bfloat16",
          "transformers_version": "4.40.2", "use_cache": true, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2
        }
        """));

    static TinyModel Phi4() => PhiLike(new("phi4", """
        {
          "architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "vocab_size": 97, "hidden_size": 40,
          "intermediate_size": 104, "num_hidden_layers": 2, "num_attention_heads": 5, "num_key_value_heads": 1,
          "hidden_act": "silu", "max_position_embeddings": 64, "original_max_position_embeddings": 64, "attention_bias": false,
          "attention_dropout": 0.0, "embd_pdrop": 0.0, "initializer_range": 0.02, "resid_pdrop": 0.0, "rms_norm_eps": 1e-05,
          "rope_scaling": null, "rope_theta": 250000, "sliding_window": null, "tie_word_embeddings": false,
          "torch_dtype": "bfloat16", "transformers_version": "4.47.0", "use_cache": true, "bos_token_id": 1, "eos_token_id": 2,
          "pad_token_id": 3
        }
        """));

    static TinyModel Phi4Mini() => PhiLike(new("phi4-mini", """
        {
          "architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "vocab_size": 97, "hidden_size": 48,
          "intermediate_size": 88, "num_hidden_layers": 2, "num_attention_heads": 3, "num_key_value_heads": 1,
          "hidden_act": "silu", "max_position_embeddings": 128, "original_max_position_embeddings": 32, "attention_bias": false,
          "attention_dropout": 0.0, "embd_pdrop": 0.0, "full_attn_mod": 1, "initializer_range": 0.02, "interpolate_factor": 1,
          "lm_head_bias": false, "mlp_bias": false, "partial_rotary_factor": 0.75, "resid_pdrop": 0.0, "rms_norm_eps": 1e-05,
          "rope_scaling": {"long_factor": [1, 1.1, 1.5, 3, 8, 25], "short_factor": [1, 1, 1, 1.25, 1.5, 2], "type": "longrope"},
          "rope_theta": 10000.0, "sliding_window": 262144, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
          "transformers_version": "4.45.0", "use_cache": true, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2
        }
        """));

    static TinyModel Glm4() => GlmLike(new("glm4", """
        {
          "architectures": ["GlmForCausalLM"], "model_type": "glm", "vocab_size": 97, "hidden_size": 48,
          "intermediate_size": 104, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
          "hidden_act": "silu", "max_position_embeddings": 64, "attention_bias": true, "attention_dropout": 0.0,
          "initializer_range": 0.02, "partial_rotary_factor": 0.5, "rms_norm_eps": 1.5625e-07, "rope_theta": 10000.0,
          "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.47.0.dev0", "use_cache": true,
          "eos_token_id": [1, 2, 3], "pad_token_id": 1
        }
        """));

    static TinyModel Glm40414() => GlmLike(new("glm4-0414", """
        {
          "architectures": ["Glm4ForCausalLM"], "model_type": "glm4", "vocab_size": 97, "hidden_size": 56,
          "intermediate_size": 88, "num_hidden_layers": 2, "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 8,
          "hidden_act": "silu", "max_position_embeddings": 64, "attention_bias": true, "attention_dropout": 0.0,
          "initializer_range": 0.02, "partial_rotary_factor": 0.5, "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
          "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.52.0.dev0", "use_cache": true,
          "eos_token_id": [1, 2, 3], "pad_token_id": 1
        }
        """));

    static TinyModel LlamaLike(TinyModel model)
    {
        foreach (string layer in Frame(model))
        {
            Attention(model, layer, model.Is("attention_bias"), model.Is("attention_bias"));
            model.Gated($"{layer}.mlp", model["intermediate_size"], model["hidden_size"], model.Is("mlp_bias"));
        }
        return model;
    }

    static TinyModel QwenLike(TinyModel model)
    {
        bool isThird = model.Config["model_type"]!.GetValue<string>() == "qwen3";
        foreach (string layer in Frame(model))
        {
            Attention(model, layer, inBias: !isThird, outBias: false);
            if (isThird) HeadNorms(model, layer, 1);
            model.Gated($"{layer}.mlp", model["intermediate_size"], model["hidden_size"]);
        }
        return model;
    }

    static TinyModel GemmaLike(TinyModel model)
    {
        foreach (string layer in Frame(model, centre: 0, tied: true))
        {
            Attention(model, layer, inBias: false, outBias: false);
            if (model.Config["model_type"]!.GetValue<string>() == "gemma3_text") HeadNorms(model, layer, 0);
            model.Norm($"{layer}.pre_feedforward_layernorm", model["hidden_size"], 0);
            model.Norm($"{layer}.post_feedforward_layernorm", model["hidden_size"], 0);
            model.Gated($"{layer}.mlp", model["intermediate_size"], model["hidden_size"]);
        }
        return model;
    }

    static TinyModel PhiLike(TinyModel model)
    {
        int width = model["hidden_size"], hidden = model["intermediate_size"], heads = model["num_attention_heads"];
        int headWidth = width / heads;
        foreach (string layer in Frame(model))
        {
            model.Linear($"{layer}.self_attn.qkv_proj", (heads + 2 * model["num_key_value_heads"]) * headWidth, width, gain: 1.5);
            model.Linear($"{layer}.self_attn.o_proj", width, heads * headWidth);
            model.Linear($"{layer}.mlp.gate_up_proj", 2 * hidden, width, gain: 1.5);
            model.Linear($"{layer}.mlp.down_proj", width, hidden, gain: 1.5);
        }
        return model;
    }

    static TinyModel GlmLike(TinyModel model)
    {
        int width = model["hidden_size"], hidden = model["intermediate_size"];
        foreach (string layer in Frame(model))
        {
            Attention(model, layer, inBias: true, outBias: false);
            if (model.Config["model_type"]!.GetValue<string>() == "glm4")
            {
                model.Norm($"{layer}.post_self_attn_layernorm", width);
                model.Norm($"{layer}.post_mlp_layernorm", width);
            }
            model.Linear($"{layer}.mlp.gate_up_proj", 2 * hidden, width, gain: 1.5);
            model.Linear($"{layer}.mlp.down_proj", width, hidden, gain: 1.5);
        }
        return model;
    }

    // Embedding, last norm, head, and the two norms of each layer; gives the names of the layers.
    static string[] Frame(TinyModel model, double centre = 1, bool? tied = null)
    {
        int width = model["hidden_size"];
        bool isTied = tied ?? model.Is("tie_word_embeddings");
        model.Random("model.embed_tokens.weight", isTied ? 1 / Math.Sqrt(width) : 1, model["vocab_size"], width);
        model.Norm("model.norm", width, centre);
        if (!isTied) model.Linear("lm_head", model["vocab_size"], width);
        string[] layers = [.. Enumerable.Range(0, model["num_hidden_layers"]).Select(layer => $"model.layers.{layer}")];
        foreach (string layer in layers)
        {
            model.Norm($"{layer}.input_layernorm", width, centre);
            model.Norm($"{layer}.post_attention_layernorm", width, centre);
        }
        return layers;
    }

    // Queries and keys are larger than they need to be, so that attention has preferences and positions matter.
    static void Attention(TinyModel model, string layer, bool inBias, bool outBias)
    {
        int width = model["hidden_size"], heads = model["num_attention_heads"], keyHeads = model["num_key_value_heads"];
        int headWidth = model.Or("head_dim", width / heads);
        model.Linear($"{layer}.self_attn.q_proj", heads * headWidth, width, inBias, gain: 1.5);
        model.Linear($"{layer}.self_attn.k_proj", keyHeads * headWidth, width, inBias, gain: 1.5);
        model.Linear($"{layer}.self_attn.v_proj", keyHeads * headWidth, width, inBias);
        model.Linear($"{layer}.self_attn.o_proj", width, heads * headWidth, outBias);
    }

    static void HeadNorms(TinyModel model, string layer, double centre)
    {
        model.Norm($"{layer}.self_attn.q_norm", model["head_dim"], centre);
        model.Norm($"{layer}.self_attn.k_norm", model["head_dim"], centre);
    }
}
