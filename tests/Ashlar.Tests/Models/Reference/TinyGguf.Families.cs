namespace Ashlar.Tests.Models.Reference;

// What each family is called in GGUF, and what its converter changes.
sealed partial class TinyGguf
{
    /// <summary>The models that GGUF can say; the others have a setting for which it has no key.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. TinyModels.All.Keys.Except(
        ["mistral-v0.1", "qwen2-sliding", "qwen3-moe", "gpt2-prefixed"])];

    /// <summary>The model of a name where GGUF can say it; else changed to what it can.</summary>
    public static TinyModel Sayable(string name)
    {
        var model = TinyModels.Make(name);
        // the scale of attention follows from the widths there, and YaRN's two strengths are one
        if (name is "gemma2" or "gemma3-linear") model.Config["query_pre_attn_scalar"] = model["head_dim"];
        if (name == "deepseek-v2") model.Config["rope_scaling"]!["mscale"] = 0.707;
        return model;
    }

    public static TinyGguf Of(TinyModel model)
    {
        string kind = model.Config["model_type"]!.GetValue<string>();
        return kind switch
        {
            "llama" or "mistral" or "mixtral" => Rotary(model, "llama", interleaves: true),
            "smollm3" => Rotary(model, "smollm3", interleaves: true),
            "qwen2" => Rotary(model, "qwen2"),
            "qwen2_moe" => Rotary(model, "qwen2moe"),
            "qwen3" => Rotary(model, "qwen3"),
            "qwen3_moe" => Rotary(model, "qwen3moe"),
            "gemma2" => Rotary(model, "gemma2", shift: 1),
            "gemma3_text" => Rotary(model, "gemma3", shift: 1),
            "phi3" => Rotary(model, "phi3"),
            "glm" => Rotary(model, "chatglm"),
            "glm4" => Rotary(model, "glm4"),
            "gpt_oss" => Rotary(model, "gpt-oss"),
            "deepseek_v2" or "deepseek_v3" => DeepSeek(model),
            "gpt2" => Gpt2(model),
            "bert" or "xlm-roberta" => Bert(model),
            "nomic_bert" => Nomic(model),
            _ => throw new NotSupportedException(kind),
        };
    }

    static TinyGguf Rotary(TinyModel model, string architecture, bool interleaves = false, float shift = 0)
    {
        var file = new TinyGguf(model, architecture);
        int heads = model["num_attention_heads"], keyHeads = model["num_key_value_heads"];
        file.Sizes("hidden_size", "intermediate_size", "num_hidden_layers", "max_position_embeddings");
        file.Say("attention.head_count", heads);
        file.Say("attention.head_count_kv", keyHeads);
        file.Say("attention.layer_norm_rms_epsilon", file.config.Number("rms_norm_eps"));
        int headWidth = model.Or("head_dim", model["hidden_size"] / heads);
        if (model.Config["head_dim"] is not null)
        {
            file.Say("attention.key_length", headWidth);
            file.Say("attention.value_length", headWidth);
        }
        double share = file.config.Number("partial_rotary_factor", architecture is "chatglm" or "glm4" ? 0.5 : 1);
        file.Say("rope.dimension_count", (int)(headWidth * share));
        if (file.config.Has("rope_theta")) file.Say("rope.freq_base", file.config.Number("rope_theta"));
        file.Scaling(headWidth, share);
        file.Windows(architecture);
        file.Vocabulary();

        file.Add("token_embd.weight", "model.embed_tokens.weight");
        file.AddNorm("output_norm", "model.norm", shift);
        if (model.Weights.ContainsKey("lm_head.weight")) file.Add("output.weight", "lm_head.weight");
        for (int layer = 0; layer < model["num_hidden_layers"]; layer++)
        {
            string from = $"model.layers.{layer}", to = $"blk.{layer}";
            file.AddNorm($"{to}.attn_norm", $"{from}.input_layernorm", shift);
            file.AddLinear($"{to}.attn_q", $"{from}.self_attn.q_proj", interleaves ? Interleave(heads) : null);
            file.AddLinear($"{to}.attn_k", $"{from}.self_attn.k_proj", interleaves ? Interleave(keyHeads) : null);
            file.AddLinear($"{to}.attn_v", $"{from}.self_attn.v_proj");
            file.AddLinear($"{to}.attn_qkv", $"{from}.self_attn.qkv_proj");
            file.AddLinear($"{to}.attn_output", $"{from}.self_attn.o_proj");
            file.AddNorm($"{to}.attn_q_norm", $"{from}.self_attn.q_norm", shift);
            file.AddNorm($"{to}.attn_k_norm", $"{from}.self_attn.k_norm", shift);
            if (model.Weights.ContainsKey($"{from}.self_attn.sinks"))
                file.Add($"{to}.attn_sinks.weight", $"{from}.self_attn.sinks");
            file.Norms(architecture, from, to, shift);
            file.AddLinear($"{to}.ffn_gate", $"{from}.mlp.gate_proj");
            file.AddLinear($"{to}.ffn_up", $"{from}.mlp.up_proj");
            file.AddLinear($"{to}.ffn_up", $"{from}.mlp.gate_up_proj");
            file.AddLinear($"{to}.ffn_down", $"{from}.mlp.down_proj");
            file.Mixture(architecture, from, to);
        }
        return file;
    }

    void Sizes(string width, string hidden, string layers, string context)
    {
        Say("vocab_size", model["vocab_size"]);
        Say("context_length", model[context]);
        Say("embedding_length", model[width]);
        Say("block_count", model[layers]);
        Say("feed_forward_length", model.Or(hidden, 4 * model[width]));
    }

    void Vocabulary()
    {
        Say(":tokenizer.ggml.model", "gpt2");
        Say(":tokenizer.ggml.pre", "default");
        Say(":tokenizer.ggml.tokens", Enumerable.Range(0, model["vocab_size"]).Select(token => $"t{token}").ToArray());
        Say(":tokenizer.ggml.token_type", Enumerable.Repeat(1, model["vocab_size"]).ToArray());
        Say(":tokenizer.ggml.merges", (string[])["t t"]);
        if (config.Has("bos_token_id")) Say(":tokenizer.ggml.bos_token_id", model["bos_token_id"]);
        Say(":tokenizer.ggml.eos_token_id", 2);
    }

    // The same norm is called after what precedes it, or after what follows it.
    void Norms(string architecture, string from, string to, float shift)
    {
        if (architecture is "gemma2" or "gemma3")
        {
            AddNorm($"{to}.post_attention_norm", $"{from}.post_attention_layernorm", shift);
            AddNorm($"{to}.ffn_norm", $"{from}.pre_feedforward_layernorm", shift);
            AddNorm($"{to}.post_ffw_norm", $"{from}.post_feedforward_layernorm", shift);
            return;
        }
        AddNorm(architecture == "gpt-oss" ? $"{to}.post_attention_norm" : $"{to}.ffn_norm", $"{from}.post_attention_layernorm");
        AddNorm($"{to}.post_attention_norm", $"{from}.post_self_attn_layernorm");
        AddNorm($"{to}.post_ffw_norm", $"{from}.post_mlp_layernorm");
    }

    void Scaling(int headWidth, double share)
    {
        if (config.Part("rope_scaling") is not { } scaling) return;
        string kind = scaling.Text("rope_type", scaling.Text("type", ""));
        int width = (int)(headWidth * share);
        double[] plain = ReferenceRope.Plain(width, config.Number("rope_theta", 10000));
        switch (kind)
        {
            case "linear":
                Say("rope.scaling.type", "linear");
                Say("rope.scaling.factor", scaling.Number("factor"));
                break;
            case "yarn":
                Say("rope.scaling.type", "yarn");
                Say("rope.scaling.factor", scaling.Number("factor"));
                Say("rope.scaling.original_context_length", scaling.Integer("original_max_position_embeddings"));
                if (scaling.Has("beta_fast")) Say("rope.scaling.yarn_beta_fast", scaling.Number("beta_fast"));
                if (scaling.Has("beta_slow")) Say("rope.scaling.yarn_beta_slow", scaling.Number("beta_slow"));
                break;
            case "llama3":
                double[] slowed = ReferenceRope.Llama3(plain, scaling.Number("factor"), scaling.Number("low_freq_factor"),
                    scaling.Number("high_freq_factor"), scaling.Number("original_max_position_embeddings"));
                Add("rope_freqs.weight", [plain.Length], [.. plain.Select((frequency, i) => (float)(frequency / slowed[i]))]);
                break;
            case "longrope":
                int original = config.Integer("original_max_position_embeddings");
                double stretch = config.Number("max_position_embeddings") / original;
                Say("rope.scaling.type", "longrope");
                Say("rope.scaling.original_context_length", original);
                Say("rope.scaling.attn_factor", stretch <= 1 ? 1.0 : Math.Sqrt(1 + Math.Log(stretch) / Math.Log(original)));
                Add("rope_factors_long.weight", [plain.Length],
                    [.. scaling.Numbers("long_factor").Select(value => (float)value)]);
                Add("rope_factors_short.weight", [plain.Length],
                    [.. scaling.Numbers("short_factor").Select(value => (float)value)]);
                break;
        }
    }

    void Windows(string architecture)
    {
        if (architecture is "gemma2" or "gemma3" or "gpt-oss") Say("attention.sliding_window", model["sliding_window"]);
        if (architecture == "phi3")
        {
            Say("attention.sliding_window", model.Or("sliding_window", 0));
            if (!config.Has("rope_scaling"))
                Say("rope.scaling.original_context_length", model["original_max_position_embeddings"]);
        }
        if (architecture == "gemma2")
        {
            Say("attn_logit_softcapping", config.Number("attn_logit_softcapping"));
            Say("final_logit_softcapping", config.Number("final_logit_softcapping"));
        }
        if (architecture == "gemma3")
        {
            Say("rope.freq_base_swa", config.Number("rope_local_base_freq"));
            Say("attention.sliding_window_pattern", model.Or("sliding_window_pattern", 2));
        }
    }

    void Mixture(string architecture, string from, string to)
    {
        int count = config.Integer("num_local_experts", config.Integer("num_experts", 0));
        if (count == 0) return;
        if (to == "blk.0")
        {
            Say("expert_count", count);
            Say("expert_used_count", model["num_experts_per_tok"]);
            if (architecture != "llama")
                Say("expert_feed_forward_length", model.Or("moe_intermediate_size", model["intermediate_size"]));
            if (config.Has("shared_expert_intermediate_size"))
                Say("expert_shared_feed_forward_length", model["shared_expert_intermediate_size"]);
        }
        if (architecture == "gpt-oss")
        {
            AddLinear($"{to}.ffn_gate_inp", $"{from}.mlp.router");
            SplitExperts(to, $"{from}.mlp.experts", count);
            return;
        }
        string block = architecture == "llama" ? $"{from}.block_sparse_moe" : $"{from}.mlp";
        if (!model.Weights.ContainsKey($"{block}.gate.weight")) return;
        AddLinear($"{to}.ffn_gate_inp", $"{block}.gate");
        var (gate, up, down) = architecture == "llama" ? ("w1", "w3", "w2") : ("gate_proj", "up_proj", "down_proj");
        AddExperts($"{to}.ffn_gate_exps", count, expert => $"{block}.experts.{expert}.{gate}");
        AddExperts($"{to}.ffn_up_exps", count, expert => $"{block}.experts.{expert}.{up}");
        AddExperts($"{to}.ffn_down_exps", count, expert => $"{block}.experts.{expert}.{down}");
        if (model.Weights.TryGetValue($"{block}.shared_expert_gate.weight", out var share))
            Add($"{to}.ffn_gate_inp_shexp.weight", [share.Shape[1]], share.Data);
        AddLinear($"{to}.ffn_gate_shexp", $"{block}.shared_expert.gate_proj");
        AddLinear($"{to}.ffn_up_shexp", $"{block}.shared_expert.up_proj");
        AddLinear($"{to}.ffn_down_shexp", $"{block}.shared_expert.down_proj");
    }

    // Even outputs of gate_up_proj are gates, odd ones what they scale.
    void SplitExperts(string to, string from, int count)
    {
        foreach (var (name, source, first, step) in ((string, string, int, int)[])[
            ("ffn_gate_exps", "gate_up_proj", 0, 2), ("ffn_up_exps", "gate_up_proj", 1, 2), ("ffn_down_exps", "down_proj", 0, 1)])
        {
            var (biasShape, bias) = model.Weights[$"{from}.{source}_bias"];
            int all = biasShape[1], outputs = all / step;
            var biases = new float[count * outputs];
            for (int i = 0; i < biases.Length; i++) biases[i] = bias[i / outputs * all + first + i % outputs * step];
            Add($"{to}.{name}.bias", [count, outputs], biases);
            if (model.Weights.TryGetValue($"{from}.{source}", out var plain))
            {
                int inputs = plain.Shape[1];
                var data = new float[count * outputs * inputs];
                for (int i = 0; i < data.Length; i++)
                {
                    int expert = i / (outputs * inputs), output = first + i / inputs % outputs * step, input = i % inputs;
                    data[i] = plain.Data[(expert * inputs + input) * all + output];
                }
                Add($"{to}.{name}.weight", [count, outputs, inputs], data);
                continue;
            }
            var (shape, blocks) = model.Weights[$"{from}.{source}_blocks"];
            float[] scales = model.Weights[$"{from}.{source}_scales"].Data;
            int perRow = shape[2];
            byte[] bytes = new byte[count * outputs * perRow * 17];
            for (int i = 0; i < count * outputs * perRow; i++)
            {
                int row = i / perRow / outputs * all + first + i / perRow % outputs * step, block = row * perRow + i % perRow;
                WriteBlock(bytes.AsSpan(i * 17, 17), (byte)scales[block], blocks.AsSpan(block * 16, 16));
            }
            tensors.Add(($"{to}.{name}.weight", Mxfp4, [count, outputs, perRow * 32], bytes));
        }
    }

    static TinyGguf DeepSeek(TinyModel model)
    {
        var file = new TinyGguf(model, "deepseek2");
        var config = file.config;
        int heads = model["num_attention_heads"], plain = model["qk_nope_head_dim"], turned = model["qk_rope_head_dim"];
        int latent = model["kv_lora_rank"], wide = model["v_head_dim"], experts = model["n_routed_experts"];
        file.Sizes("hidden_size", "intermediate_size", "num_hidden_layers", "max_position_embeddings");
        file.Say("attention.head_count", heads);
        file.Say("attention.head_count_kv", 1);   // latents are one key and value for all heads
        file.Say("attention.layer_norm_rms_epsilon", config.Number("rms_norm_eps"));
        file.Say("attention.key_length", latent + turned);
        file.Say("attention.value_length", latent);
        file.Say("attention.key_length_mla", plain + turned);
        file.Say("attention.value_length_mla", wide);
        if (config.Has("q_lora_rank")) file.Say("attention.q_lora_rank", model["q_lora_rank"]);
        file.Say("attention.kv_lora_rank", latent);
        file.Say("rope.dimension_count", turned);
        file.Say("rope.freq_base", config.Number("rope_theta"));
        file.Scaling(turned, 1);
        file.Say("rope.scaling.yarn_log_multiplier", 0.1 * config.Part("rope_scaling")!.Value.Number("mscale_all_dim"));
        file.Say("leading_dense_block_count", model["first_k_dense_replace"]);
        file.Say("expert_count", experts);
        file.Say("expert_used_count", model["num_experts_per_tok"]);
        file.Say("expert_shared_count", model["n_shared_experts"]);
        file.Say("expert_feed_forward_length", model["moe_intermediate_size"]);
        file.Say("expert_weights_scale", config.Number("routed_scaling_factor"));
        if (model.Is("norm_topk_prob")) file.Say("expert_weights_norm", true);
        file.Say("expert_gating_func", config.Text("scoring_func", "") == "sigmoid" ? 2 : 1);
        file.Say("expert_group_count", model["n_group"]);
        file.Say("expert_group_used_count", model["topk_group"]);
        file.Vocabulary();

        file.Add("token_embd.weight", "model.embed_tokens.weight");
        file.AddNorm("output_norm", "model.norm");
        file.Add("output.weight", "lm_head.weight");
        for (int layer = 0; layer < model["num_hidden_layers"]; layer++)
        {
            string from = $"model.layers.{layer}", to = $"blk.{layer}";
            file.AddNorm($"{to}.attn_norm", $"{from}.input_layernorm");
            file.AddLinear($"{to}.attn_q", $"{from}.self_attn.q_proj");
            file.AddLinear($"{to}.attn_q_a", $"{from}.self_attn.q_a_proj");
            file.AddNorm($"{to}.attn_q_a_norm", $"{from}.self_attn.q_a_layernorm");
            file.AddLinear($"{to}.attn_q_b", $"{from}.self_attn.q_b_proj");
            file.AddLinear($"{to}.attn_kv_a_mqa", $"{from}.self_attn.kv_a_proj_with_mqa");
            file.AddNorm($"{to}.attn_kv_a_norm", $"{from}.self_attn.kv_a_layernorm");
            // per head: keys transposed, to be taken into the queries, and values
            float[] both = model.Weights[$"{from}.self_attn.kv_b_proj.weight"].Data;
            var heads2 = both.Chunk((plain + wide) * latent).ToArray();
            file.Add($"{to}.attn_k_b.weight", [heads, latent, plain],
                [.. heads2.SelectMany(head => Transpose(head[..(plain * latent)], plain, latent))]);
            file.Add($"{to}.attn_v_b.weight", [heads, wide, latent], [.. heads2.SelectMany(head => head[(plain * latent)..])]);
            file.AddLinear($"{to}.attn_output", $"{from}.self_attn.o_proj");
            file.AddNorm($"{to}.ffn_norm", $"{from}.post_attention_layernorm");
            foreach (var (name, source) in ((string, string)[])[("ffn_gate", "gate_proj"), ("ffn_up", "up_proj"),
                ("ffn_down", "down_proj")])
            {
                file.AddLinear($"{to}.{name}", $"{from}.mlp.{source}");
                file.AddLinear($"{to}.{name}_shexp", $"{from}.mlp.shared_experts.{source}");
                if (layer >= model["first_k_dense_replace"])
                    file.AddExperts($"{to}.{name}_exps", experts, expert => $"{from}.mlp.experts.{expert}.{source}");
            }
            file.AddLinear($"{to}.ffn_gate_inp", $"{from}.mlp.gate");
            if (model.Weights.ContainsKey($"{from}.mlp.gate.e_score_correction_bias"))
                file.Add($"{to}.exp_probs_b.bias", $"{from}.mlp.gate.e_score_correction_bias");
        }
        return file;
    }

    static TinyGguf Gpt2(TinyModel model)
    {
        var file = new TinyGguf(model, "gpt2");
        file.Sizes("n_embd", "n_inner", "n_layer", "n_ctx");
        file.Say("attention.head_count", model["n_head"]);
        file.Say("attention.layer_norm_epsilon", file.config.Number("layer_norm_epsilon"));
        file.Vocabulary();
        file.Add("token_embd.weight", "wte.weight");
        file.Add("position_embd.weight", "wpe.weight");
        file.AddNorm("output_norm", "ln_f");
        for (int layer = 0; layer < model["n_layer"]; layer++)
        {
            string from = $"h.{layer}", to = $"blk.{layer}";
            file.AddNorm($"{to}.attn_norm", $"{from}.ln_1");
            file.AddNorm($"{to}.ffn_norm", $"{from}.ln_2");
            foreach (var (name, source) in ((string, string)[])[
                ("attn_qkv", "attn.c_attn"), ("attn_output", "attn.c_proj"), ("ffn_up", "mlp.c_fc"), ("ffn_down", "mlp.c_proj")])
            {
                var (shape, data) = model.Weights[$"{from}.{source}.weight"];
                file.Add($"{to}.{name}.weight", [shape[1], shape[0]], Transpose(data, shape[0], shape[1]));
                file.Add($"{to}.{name}.bias", $"{from}.{source}.bias");
            }
        }
        return file;
    }

    void Pooling()
    {
        bool mean = model.Files["1_Pooling/config.json"].Contains("\"pooling_mode_mean_tokens\": true", StringComparison.Ordinal);
        Say("pooling_type", mean ? 1 : 2);
        Say("attention.causal", false);
        Vocabulary();
        Say(":tokenizer.ggml.token_type_count", model.Or("type_vocab_size", 1));
        Add("token_embd.weight", "embeddings.word_embeddings.weight");
        Add("token_types.weight", "embeddings.token_type_embeddings.weight");
    }

    static TinyGguf Bert(TinyModel model)
    {
        var file = new TinyGguf(model, "bert");
        file.Sizes("hidden_size", "intermediate_size", "num_hidden_layers", "max_position_embeddings");
        file.Say("attention.head_count", model["num_attention_heads"]);
        file.Say("attention.layer_norm_epsilon", file.config.Number("layer_norm_eps"));
        file.Pooling();
        file.AddNorm("token_embd_norm", "embeddings.LayerNorm");
        // the places that RoBERTa leaves out at the start are left out of the table
        var (shape, data) = model.Weights["embeddings.position_embeddings.weight"];
        int skipped = file.config.Text("model_type", "") == "bert" ? 0 : model["pad_token_id"] + 1;
        file.Add("position_embd.weight", [shape[0] - skipped, shape[1]], data[(skipped * shape[1])..]);
        for (int layer = 0; layer < model["num_hidden_layers"]; layer++)
        {
            string from = $"encoder.layer.{layer}", to = $"blk.{layer}";
            foreach (var (name, source) in ((string, string)[])[("attn_q", "query"), ("attn_k", "key"), ("attn_v", "value")])
                file.AddLinear($"{to}.{name}", $"{from}.attention.self.{source}");
            file.AddLinear($"{to}.attn_output", $"{from}.attention.output.dense");
            file.AddNorm($"{to}.attn_output_norm", $"{from}.attention.output.LayerNorm");
            file.AddLinear($"{to}.ffn_up", $"{from}.intermediate.dense");
            file.AddLinear($"{to}.ffn_down", $"{from}.output.dense");
            file.AddNorm($"{to}.layer_output_norm", $"{from}.output.LayerNorm");
        }
        return file;
    }

    static TinyGguf Nomic(TinyModel model)
    {
        var file = new TinyGguf(model, "nomic-bert");
        file.Sizes("n_embd", "n_inner", "n_layer", "n_positions");
        file.Say("attention.head_count", model["n_head"]);
        file.Say("attention.layer_norm_epsilon", file.config.Number("layer_norm_epsilon"));
        file.Say("rope.freq_base", file.config.Number("rotary_emb_base"));
        file.Pooling();
        file.AddNorm("token_embd_norm", "emb_ln");
        for (int layer = 0; layer < model["n_layer"]; layer++)
        {
            string from = $"encoder.layers.{layer}", to = $"blk.{layer}";
            file.AddLinear($"{to}.attn_qkv", $"{from}.attn.Wqkv");
            file.AddLinear($"{to}.attn_output", $"{from}.attn.out_proj");
            file.AddNorm($"{to}.attn_output_norm", $"{from}.norm1");
            file.AddLinear($"{to}.ffn_up", $"{from}.mlp.fc11");
            file.AddLinear($"{to}.ffn_gate", $"{from}.mlp.fc12");
            file.AddLinear($"{to}.ffn_down", $"{from}.mlp.fc2");
            file.AddNorm($"{to}.layer_output_norm", $"{from}.norm2");
        }
        return file;
    }
}
