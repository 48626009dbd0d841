namespace Ashlar.Tests.Models.Reference;

// GPT-2 and the encoders.
static partial class TinyModels
{
    const string Gpt2Config = """
        {
          "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "vocab_size": 91, "n_embd": 40, "n_head": 5, "n_layer": 2,
          "n_positions": 64, "n_ctx": 64, "n_inner": null, "activation_function": "gelu_new", "attn_pdrop": 0.1, "embd_pdrop": 0.1,
          "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "reorder_and_upcast_attn": false, "resid_pdrop": 0.1,
          "scale_attn_by_inverse_layer_idx": false, "scale_attn_weights": true, "summary_activation": null,
          "summary_first_dropout": 0.1, "summary_proj_to_labels": true, "summary_type": "cls_index", "summary_use_proj": true,
          "task_specific_params": {"text-generation": {"do_sample": true, "max_length": 50}}, "bos_token_id": 90,
          "eos_token_id": 90
        }
        """;

    static TinyModel Gpt2() => Gpt2Like(new("gpt2", Gpt2Config), "");

    // As later files have it: with a prefix, and with a copy of the tied table.
    static TinyModel Gpt2Prefixed()
    {
        var model = Gpt2Like(new("gpt2-prefixed", Gpt2Config), "transformer.");
        model.Weights["lm_head.weight"] = model.Weights["transformer.wte.weight"];
        return model;
    }

    static TinyModel Gpt2Like(TinyModel model, string prefix)
    {
        int width = model["n_embd"], hidden = 4 * width;
        model.Random($"{prefix}wte.weight", 0.5 / Math.Sqrt(width), model["vocab_size"], width);
        model.Random($"{prefix}wpe.weight", 0.5 / Math.Sqrt(width), model["n_positions"], width);
        model.LayerNorm($"{prefix}ln_f", width);
        for (int layer = 0; layer < model["n_layer"]; layer++)
        {
            string name = $"{prefix}h.{layer}";
            model.LayerNorm($"{name}.ln_1", width);
            model.LayerNorm($"{name}.ln_2", width);
            foreach (var (part, inputs, outputs) in ((string, int, int)[])[("attn.c_attn", width, 3 * width),
                ("attn.c_proj", width, width),
                ("mlp.c_fc", width, hidden), ("mlp.c_proj", hidden, width)])
            {
                model.Random($"{name}.{part}.weight", 1.5 / Math.Sqrt(inputs), inputs, outputs);
                model.Random($"{name}.{part}.bias", 0.3, outputs);
            }
        }
        return model;
    }

    static TinyModel Bert() => BertLike(new("bert", """
        {
          "architectures": ["BertModel"], "model_type": "bert", "vocab_size": 95, "hidden_size": 40, "intermediate_size": 88,
          "num_hidden_layers": 2, "num_attention_heads": 5, "hidden_act": "gelu", "attention_probs_dropout_prob": 0.1,
          "classifier_dropout": null, "gradient_checkpointing": false, "hidden_dropout_prob": 0.1, "initializer_range": 0.02,
          "layer_norm_eps": 1e-12, "max_position_embeddings": 48, "pad_token_id": 0, "position_embedding_type": "absolute",
          "torch_dtype": "float32", "transformers_version": "4.8.2", "type_vocab_size": 2, "use_cache": true
        }
        """), places: 48, mean: true);

    static TinyModel XlmRoberta() => BertLike(new("xlm-roberta", """
        {
          "architectures": ["XLMRobertaModel"], "model_type": "xlm-roberta", "vocab_size": 95, "hidden_size": 48,
          "intermediate_size": 72, "num_hidden_layers": 2, "num_attention_heads": 4, "hidden_act": "gelu",
          "attention_probs_dropout_prob": 0.1, "classifier_dropout": null, "hidden_dropout_prob": 0.1, "initializer_range": 0.02,
          "layer_norm_eps": 1e-05, "max_position_embeddings": 50, "output_past": true, "pad_token_id": 1,
          "position_embedding_type": "absolute", "torch_dtype": "float32", "transformers_version": "4.33.0", "type_vocab_size": 1,
          "use_cache": true, "bos_token_id": 0, "eos_token_id": 2
        }
        """), places: 50, mean: false);

    static TinyModel BertLike(TinyModel model, int places, bool mean)
    {
        int width = model["hidden_size"], hidden = model["intermediate_size"];
        model.Random("embeddings.word_embeddings.weight", 1, model["vocab_size"], width);
        model.Random("embeddings.position_embeddings.weight", 0.5, places, width);
        model.Random("embeddings.token_type_embeddings.weight", 0.5, model["type_vocab_size"], width);
        model.LayerNorm("embeddings.LayerNorm", width);
        for (int layer = 0; layer < model["num_hidden_layers"]; layer++)
        {
            string name = $"encoder.layer.{layer}";
            model.Linear($"{name}.attention.self.query", width, width, bias: true, gain: 1.5);
            model.Linear($"{name}.attention.self.key", width, width, bias: true, gain: 1.5);
            model.Linear($"{name}.attention.self.value", width, width, bias: true);
            model.Linear($"{name}.attention.output.dense", width, width, bias: true);
            model.LayerNorm($"{name}.attention.output.LayerNorm", width);
            model.Linear($"{name}.intermediate.dense", hidden, width, bias: true, gain: 1.5);
            model.Linear($"{name}.output.dense", width, hidden, bias: true, gain: 1.5);
            model.LayerNorm($"{name}.output.LayerNorm", width);
        }
        model.Linear("pooler.dense", width, width, bias: true);   // published, and not used for embeddings
        Pooling(model, width, mean);
        return model;
    }

    static TinyModel NomicBert()
    {
        var model = new TinyModel("nomic-bert", """
            {
              "activation_function": "swiglu", "architectures": ["NomicBertModel"], "attn_pdrop": 0.0, "causal": false,
              "dense_seq_output": true, "embd_pdrop": 0.0, "fused_bias_fc": true, "fused_dropout_add_ln": true,
              "initializer_range": 0.02, "layer_norm_epsilon": 1e-12, "mlp_fc1_bias": false, "mlp_fc2_bias": false,
              "model_type": "nomic_bert", "n_embd": 40, "n_head": 5, "n_inner": 72, "n_layer": 2, "n_positions": 64,
              "pad_vocab_size_multiple": 64, "parallel_block": false, "parallel_block_tied_norm": false, "prenorm": false,
              "qkv_proj_bias": false, "reorder_and_upcast_attn": false, "resid_pdrop": 0.0, "rotary_emb_base": 1000,
              "rotary_emb_fraction": 1.0, "rotary_emb_interleaved": false, "rotary_emb_scale_base": null,
              "rotary_scaling_factor": null, "scale_attn_by_inverse_layer_idx": false, "scale_attn_weights": true,
              "torch_dtype": "float32", "transformers_version": "4.37.2", "type_vocab_size": 2, "use_cache": true,
              "use_flash_attn": true, "use_rms_norm": false, "use_xentropy": true, "vocab_size": 95
            }
            """);
        int width = model["n_embd"], hidden = model["n_inner"];
        model.Random("embeddings.word_embeddings.weight", 1, model["vocab_size"], width);
        model.Random("embeddings.token_type_embeddings.weight", 0.5, model["type_vocab_size"], width);
        model.LayerNorm("emb_ln", width);
        for (int layer = 0; layer < model["n_layer"]; layer++)
        {
            string name = $"encoder.layers.{layer}";
            model.Linear($"{name}.attn.Wqkv", 3 * width, width, gain: 1.5);
            model.Linear($"{name}.attn.out_proj", width, width);
            model.LayerNorm($"{name}.norm1", width);
            model.Linear($"{name}.mlp.fc11", hidden, width, gain: 1.5);
            model.Linear($"{name}.mlp.fc12", hidden, width, gain: 1.5);
            model.Linear($"{name}.mlp.fc2", width, hidden, gain: 1.5);
            model.LayerNorm($"{name}.norm2", width);
        }
        Pooling(model, width, mean: true);
        return model;
    }

    // As sentence-transformers says how a text becomes one vector.
    static void Pooling(TinyModel model, int width, bool mean)
    {
        model.Files["modules.json"] = """
            [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
             {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
             {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]
            """;
        string cls = mean ? "false" : "true", average = mean ? "true" : "false";
        model.Files["1_Pooling/config.json"] = $$"""
            {"word_embedding_dimension": {{width}}, "pooling_mode_cls_token": {{cls}}, "pooling_mode_mean_tokens": {{average}},
             "pooling_mode_max_tokens": false, "pooling_mode_mean_sqrt_len_tokens": false}
            """;
    }
}
