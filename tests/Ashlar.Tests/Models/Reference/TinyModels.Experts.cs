namespace Ashlar.Tests.Models.Reference;

// Models whose tokens choose among experts. Routers are larger than they need to be, so that no choice is close.
static partial class TinyModels
{
    const double RouterGain = 2;

    static TinyModel Mixtral()
    {
        var model = new TinyModel("mixtral", """
            {
              "architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "vocab_size": 97, "hidden_size": 40,
              "intermediate_size": 72, "num_hidden_layers": 2, "num_attention_heads": 5, "num_key_value_heads": 1,
              "hidden_act": "silu", "max_position_embeddings": 64, "attention_dropout": 0.0, "initializer_range": 0.02,
              "num_experts_per_tok": 2, "num_local_experts": 8, "output_router_logits": false, "rms_norm_eps": 1e-05,
              "rope_theta": 1000000.0, "router_aux_loss_coef": 0.02, "sliding_window": null, "tie_word_embeddings": false,
              "torch_dtype": "bfloat16", "transformers_version": "4.36.0.dev0", "use_cache": true, "bos_token_id": 1,
              "eos_token_id": 2
            }
            """);
        int width = model["hidden_size"], hidden = model["intermediate_size"], experts = model["num_local_experts"];
        foreach (string layer in Frame(model))
        {
            Attention(model, layer, inBias: false, outBias: false);
            model.Linear($"{layer}.block_sparse_moe.gate", experts, width, gain: RouterGain);
            for (int expert = 0; expert < experts; expert++)
            {
                model.Linear($"{layer}.block_sparse_moe.experts.{expert}.w1", hidden, width, gain: 1.5);
                model.Linear($"{layer}.block_sparse_moe.experts.{expert}.w2", width, hidden, gain: 1.5);
                model.Linear($"{layer}.block_sparse_moe.experts.{expert}.w3", hidden, width, gain: 1.5);
            }
        }
        return model;
    }

    static TinyModel Qwen2Moe()
    {
        var model = new TinyModel("qwen2-moe", """
            {
              "architectures": ["Qwen2MoeForCausalLM"], "model_type": "qwen2_moe", "vocab_size": 103, "hidden_size": 40,
              "intermediate_size": 104, "num_hidden_layers": 2, "num_attention_heads": 5, "num_key_value_heads": 5,
              "hidden_act": "silu", "max_position_embeddings": 64, "max_window_layers": 21, "attention_dropout": 0.0,
              "decoder_sparse_step": 1, "initializer_range": 0.02, "moe_intermediate_size": 24, "norm_topk_prob": false,
              "num_experts": 7, "num_experts_per_tok": 3, "output_router_logits": false, "rms_norm_eps": 1e-06,
              "rope_theta": 1000000.0, "router_aux_loss_coef": 0.001, "shared_expert_intermediate_size": 56, "sliding_window": 64,
              "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.39.0.dev0", "use_cache": true,
              "use_sliding_window": false, "bos_token_id": 1, "eos_token_id": 2
            }
            """);
        foreach (string layer in Frame(model))
        {
            Attention(model, layer, inBias: true, outBias: false);
            Experts(model, $"{layer}.mlp", model["num_experts"], model["moe_intermediate_size"]);
            model.Gated($"{layer}.mlp.shared_expert", model["shared_expert_intermediate_size"], model["hidden_size"]);
            model.Linear($"{layer}.mlp.shared_expert_gate", 1, model["hidden_size"]);
        }
        return model;
    }

    static TinyModel Qwen3Moe(bool dense)
    {
        var model = new TinyModel(dense ? "qwen3-moe" : "qwen3-moe-all", """
            {
              "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "vocab_size": 103, "hidden_size": 48,
              "intermediate_size": 88, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2,
              "head_dim": 16, "hidden_act": "silu", "max_position_embeddings": 64, "max_window_layers": 4,
              "attention_bias": false, "attention_dropout": 0.0, "decoder_sparse_step": 2, "initializer_range": 0.02,
              "mlp_only_layers": [3], "moe_intermediate_size": 40, "norm_topk_prob": true, "num_experts": 9,
              "num_experts_per_tok": 3, "output_router_logits": false, "rms_norm_eps": 1e-06, "rope_scaling": null,
              "rope_theta": 1000000.0, "router_aux_loss_coef": 0.001, "sliding_window": null, "tie_word_embeddings": false,
              "torch_dtype": "bfloat16", "transformers_version": "4.51.0", "use_cache": true, "use_sliding_window": false,
              "bos_token_id": 1, "eos_token_id": 2
            }
            """);
        if (!dense)
        {
            // as all published ones are
            (model.Config["decoder_sparse_step"], model.Config["num_hidden_layers"]) = (1, 2);
            model.Config["mlp_only_layers"] = new System.Text.Json.Nodes.JsonArray();
        }
        string[] layers = Frame(model);
        for (int i = 0; i < layers.Length; i++)
        {
            Attention(model, layers[i], inBias: false, outBias: false);
            HeadNorms(model, layers[i], 1);
            if (i == 1 || !dense) Experts(model, $"{layers[i]}.mlp", model["num_experts"], model["moe_intermediate_size"]);
            else model.Gated($"{layers[i]}.mlp", model["intermediate_size"], model["hidden_size"]);
        }
        return model;
    }

    static TinyModel GptOss(bool blocks)
    {
        var model = new TinyModel(blocks ? "gpt-oss" : "gpt-oss-plain", """
            {
              "architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss", "vocab_size": 97, "hidden_size": 64,
              "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
              "head_dim": 24, "hidden_act": "silu", "max_position_embeddings": 128, "initial_context_length": 16,
              "attention_bias": true, "attention_dropout": 0.0, "experts_per_token": 3, "initializer_range": 0.02,
              "layer_types": ["sliding_attention", "full_attention"], "num_experts_per_tok": 3, "num_local_experts": 5,
              "output_router_logits": false, "rms_norm_eps": 1e-05,
              "rope_scaling": {"beta_fast": 4.0, "beta_slow": 1.0, "factor": 8.0, "original_max_position_embeddings": 16,
                "rope_type": "yarn", "truncate": false},
              "rope_theta": 1500, "router_aux_loss_coef": 0.9, "sliding_window": 6, "swiglu_limit": 7.0,
              "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.55.0.dev0", "use_cache": true,
              "eos_token_id": 2, "pad_token_id": 1
            }
            """);
        if (blocks)
            model.Config["quantization_config"] = System.Text.Json.Nodes.JsonNode.Parse("""
                {"modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"],
                 "quant_method": "mxfp4"}
                """);
        int width = model["hidden_size"], hidden = model["intermediate_size"], experts = model["num_local_experts"];
        foreach (string layer in Frame(model))
        {
            Attention(model, layer, inBias: true, outBias: true);
            model.Random($"{layer}.self_attn.sinks", 1.5, model["num_attention_heads"]);
            model.Linear($"{layer}.mlp.router", experts, width, bias: true, gain: RouterGain);
            foreach (var (part, outputs, inputs) in ((string, int, int)[])[("gate_up_proj", 2 * hidden, width),
                ("down_proj", width, hidden)])
            {
                string name = $"{layer}.mlp.experts.{part}";
                model.Random($"{name}_bias", 0.3, experts, outputs);
                if (blocks)
                {
                    // values of a random block have a deviation near 2.9: gates far beyond their limit, then back to the size
                    // that came in
                    int power = part == "down_proj" ? 118 : 123;
                    model.RandomBytes($"{name}_blocks", 0, 256, experts, outputs, inputs / 32, 16);
                    model.RandomBytes($"{name}_scales", power, power + 3, experts, outputs, inputs / 32);
                }
                else model.Random(name, (part == "down_proj" ? 0.15 : 4) / Math.Sqrt(inputs), experts, inputs, outputs);
            }
        }
        return model;
    }

    static TinyModel DeepSeekV2Lite() => DeepSeek(new("deepseek-v2-lite", """
        {
          "architectures": ["DeepseekV2ForCausalLM"], "model_type": "deepseek_v2", "vocab_size": 97, "hidden_size": 40,
          "intermediate_size": 88, "num_hidden_layers": 3, "num_attention_heads": 3, "num_key_value_heads": 3,
          "hidden_act": "silu", "max_position_embeddings": 128, "attention_bias": false, "attention_dropout": 0.0,
          "auto_map": {"AutoConfig": "configuration_deepseek.DeepseekV2Config"}, "aux_loss_alpha": 0.001,
          "first_k_dense_replace": 1, "initializer_range": 0.02, "kv_lora_rank": 24, "moe_intermediate_size": 24,
          "moe_layer_freq": 1, "n_group": 1, "n_routed_experts": 8, "n_shared_experts": 2, "norm_topk_prob": false,
          "num_experts_per_tok": 3, "pretraining_tp": 1, "q_lora_rank": null, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8,
          "rms_norm_eps": 1e-06,
          "rope_scaling": {"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 0.707, "mscale_all_dim": 0.707,
            "original_max_position_embeddings": 64, "type": "yarn"},
          "rope_theta": 10000, "routed_scaling_factor": 1.0, "scoring_func": "softmax", "seq_aux": true,
          "tie_word_embeddings": false, "topk_group": 1, "topk_method": "greedy", "torch_dtype": "bfloat16",
          "transformers_version": "4.33.1", "use_cache": true, "v_head_dim": 24, "bos_token_id": 0, "eos_token_id": 1
        }
        """));

    static TinyModel DeepSeekV2() => DeepSeek(new("deepseek-v2", """
        {
          "architectures": ["DeepseekV2ForCausalLM"], "model_type": "deepseek_v2", "vocab_size": 97, "hidden_size": 48,
          "intermediate_size": 104, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4,
          "hidden_act": "silu", "max_position_embeddings": 128, "attention_bias": false, "attention_dropout": 0.0,
          "aux_loss_alpha": 0.001, "ep_size": 1, "first_k_dense_replace": 1, "initializer_range": 0.02, "kv_lora_rank": 32,
          "moe_intermediate_size": 24, "moe_layer_freq": 1, "n_group": 4, "n_routed_experts": 12, "n_shared_experts": 2,
          "norm_topk_prob": false, "num_experts_per_tok": 3, "pretraining_tp": 1, "q_lora_rank": 40, "qk_nope_head_dim": 16,
          "qk_rope_head_dim": 16, "rms_norm_eps": 1e-06,
          "rope_scaling": {"beta_fast": 8, "beta_slow": 1, "factor": 40, "mscale": 1.0, "mscale_all_dim": 0.707,
            "original_max_position_embeddings": 64, "type": "yarn"},
          "rope_theta": 10000, "routed_scaling_factor": 1.75, "scoring_func": "softmax", "seq_aux": true,
          "tie_word_embeddings": false, "topk_group": 2, "topk_method": "group_limited_greedy", "torch_dtype": "bfloat16",
          "transformers_version": "4.39.3", "use_cache": true, "v_head_dim": 8, "bos_token_id": 0, "eos_token_id": 1
        }
        """));

    static TinyModel DeepSeekV3() => DeepSeek(new("deepseek-v3", """
        {
          "architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3", "vocab_size": 97, "hidden_size": 40,
          "intermediate_size": 88, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 4,
          "hidden_act": "silu", "max_position_embeddings": 128, "attention_bias": false, "attention_dropout": 0.0,
          "aux_loss_alpha": 0.001, "ep_size": 1, "first_k_dense_replace": 1, "initializer_range": 0.02, "kv_lora_rank": 24,
          "moe_intermediate_size": 24, "moe_layer_freq": 1, "n_group": 4, "n_routed_experts": 16, "n_shared_experts": 1,
          "norm_topk_prob": true, "num_experts_per_tok": 4, "num_nextn_predict_layers": 1, "pretraining_tp": 1,
          "q_lora_rank": 24, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "rms_norm_eps": 1e-06,
          "rope_scaling": {"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 1.0, "mscale_all_dim": 1.0,
            "original_max_position_embeddings": 64, "type": "yarn"},
          "rope_theta": 10000, "routed_scaling_factor": 2.5, "scoring_func": "sigmoid", "seq_aux": true,
          "tie_word_embeddings": false, "topk_group": 2, "topk_method": "noaux_tc", "torch_dtype": "bfloat16",
          "transformers_version": "4.33.1", "use_cache": true, "v_head_dim": 16, "bos_token_id": 0, "eos_token_id": 1
        }
        """));

    static TinyModel DeepSeek(TinyModel model)
    {
        foreach (string layer in Frame(model)) DeepSeekLayer(model, layer);
        int further = model.Or("num_nextn_predict_layers", 0), width = model["hidden_size"];
        for (int i = model["num_hidden_layers"]; i < model["num_hidden_layers"] + further; i++)
        {
            // a layer that predicts the token after the next: published with the model, and no part of it
            string layer = $"model.layers.{i}";
            foreach (string norm in (string[])["input_layernorm", "post_attention_layernorm", "enorm", "hnorm",
                "shared_head.norm"])
                model.Norm($"{layer}.{norm}", width);
            model.Linear($"{layer}.eh_proj", width, 2 * width);
            model.Random($"{layer}.embed_tokens.weight", 1, model["vocab_size"], width);
            model.Linear($"{layer}.shared_head.head", model["vocab_size"], width);
            DeepSeekLayer(model, layer);
        }
        return model;
    }

    static void DeepSeekLayer(TinyModel model, string layer)
    {
        int width = model["hidden_size"], heads = model["num_attention_heads"], plain = model["qk_nope_head_dim"];
        int turned = model["qk_rope_head_dim"], latent = model["kv_lora_rank"], wide = model["v_head_dim"];
        string attention = $"{layer}.self_attn";
        if (model.Config["q_lora_rank"] is not null)
        {
            model.Linear($"{attention}.q_a_proj", model["q_lora_rank"], width);
            model.Norm($"{attention}.q_a_layernorm", model["q_lora_rank"]);
            model.Linear($"{attention}.q_b_proj", heads * (plain + turned), model["q_lora_rank"], gain: 1.5);
        }
        else model.Linear($"{attention}.q_proj", heads * (plain + turned), width, gain: 1.5);
        model.Linear($"{attention}.kv_a_proj_with_mqa", latent + turned, width, gain: 1.5);
        model.Norm($"{attention}.kv_a_layernorm", latent);
        model.Linear($"{attention}.kv_b_proj", heads * (plain + wide), latent);
        model.Linear($"{attention}.o_proj", width, heads * wide);
        if (layer == "model.layers.0")
        {
            model.Gated($"{layer}.mlp", model["intermediate_size"], width);
            return;
        }
        int experts = model["n_routed_experts"], hidden = model["moe_intermediate_size"];
        Experts(model, $"{layer}.mlp", experts, hidden);
        model.Gated($"{layer}.mlp.shared_experts", hidden * model["n_shared_experts"], width);
        if (model.Config["topk_method"]!.GetValue<string>() == "noaux_tc")
            model.Random($"{layer}.mlp.gate.e_score_correction_bias", 0.1, experts);
    }

    static void Experts(TinyModel model, string path, int experts, int hidden)
    {
        model.Linear($"{path}.gate", experts, model["hidden_size"], gain: RouterGain);
        for (int expert = 0; expert < experts; expert++) model.Gated($"{path}.experts.{expert}", hidden, model["hidden_size"]);
    }
}
