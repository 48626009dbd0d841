using System.Text.Json;
using System.Text.Json.Nodes;

namespace Ashlar.Formats;

/// <summary>The config.json of a model, read for conversion: every key is used, known to be without effect, or an
/// error.</summary>
sealed class ModelConfig
{
    // Keys that say how a model was trained or is served, not what it computes.
    static readonly HashSet<string> harmless = new(StringComparer.Ordinal)
    {
        "architectures", "model_type", "torch_dtype", "dtype", "transformers_version", "use_cache", "initializer_range",
            "bos_token_id", "eos_token_id", "pad_token_id",
        "attention_dropout", "hidden_dropout", "embd_pdrop", "resid_pdrop", "attn_pdrop", "attention_probs_dropout_prob",
            "hidden_dropout_prob", "classifier_dropout",
        "pretraining_tp", "auto_map", "_name_or_path", "max_window_layers", "tie_word_embeddings", "output_router_logits",
            "router_aux_loss_coef", "aux_loss_alpha", "seq_aux",
        "task_specific_params", "summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type",
            "summary_use_proj", "transformers.js_config",
        "is_llama_config", "gradient_checkpointing", "cache_implementation", "ep_size", "sliding_window_size", "n_ctx",
            "output_past", "scale_attn_weights",
        "full_attn_mod", "interpolate_factor", "experts_per_token", "initial_context_length", "moe_layer_freq",
            "decoder_sparse_step", "mlp_only_layers", "attention_bias", "mlp_bias",
        "id2label", "label2id", "unsloth_fixed", "unsloth_version", "max_sequence_length", "mm_tokens_per_image", "vocab_file",
            "return_dict", "chunk_size_feed_forward",
    };

    // Keys that the conversion reads by itself.
    static readonly HashSet<string> read = new(StringComparer.Ordinal)
    {
        "hidden_act", "hidden_activation", "activation_function", "rope_scaling", "rope_parameters", "rope_theta",
            "partial_rotary_factor", "head_dim", "use_sliding_window",
        "no_rope_layers", "no_rope_layer_interval", "layer_types", "sliding_window_pattern", "rope_local_base_freq",
            "query_pre_attn_scalar", "quantization_config",
        "original_max_position_embeddings", "qk_nope_head_dim", "scoring_func", "topk_method", "num_nextn_predict_layers",
            "num_key_value_heads", "swiglu_limit",
        "position_embedding_type", "n_inner",
    };

    readonly JsonElement json;

    public ModelConfig(JsonElement json, string where) => (this.json, Where) = (json, where);

    /// <summary>Where it came from, for errors.</summary>
    public string Where { get; }

    public string Text => json.GetRawText();

    public string Class => json.Member("architectures") is { ValueKind: JsonValueKind.Array } list && list.GetArrayLength() > 0
        ? list[0].ToString() : "";

    public JsonElement? this[string key] => json.Member(key);

    /// <summary>What the angles of positions are scaled by: of older and of newer files.</summary>
    public JsonElement? RopeScaling =>
        json.Member("rope_scaling") ?? (json.Member("rope_parameters") is { ValueKind: JsonValueKind.Object } given
        && (given.Text("rope_type") ?? "default") != "default" ? given : null);

    public long Int(string key) => Number(key) is { } number && number == Math.Floor(number) ? (long)number
        : throw Missing(key, "a whole number");

    public double? Number(string key) => json.Member(key) is { ValueKind: JsonValueKind.Number } value ? value.GetDouble()
        : key == "rope_theta" && json.Member("rope_parameters")?.Member(key) is { ValueKind: JsonValueKind.Number } inner
            ? inner.GetDouble() : null;

    public long HeadWidth => Number("head_dim") is { } given ? (long)given : Int("hidden_size") / Int("num_attention_heads");

    public long KeyHeads => Number("num_key_value_heads") is { } given ? (long)given : Int("num_attention_heads");

    /// <summary>Refuses a key that nobody knows, or a value that the other format cannot say.</summary>
    public void Check(Architecture architecture)
    {
        foreach (var property in json.EnumerateObject())
        {
            if (harmless.Contains(property.Name) || read.Contains(property.Name) || property.Name.StartsWith('_')) continue;
            if (architecture.Config.Any(rule => rule.Folder == property.Name) || IsNeutral(property.Value)) continue;
            // off: see below
            if (architecture.Config.All(rule => rule.Folder != "sliding_window") && property.Name == "sliding_window") continue;
            throw Unsupported(property.Name, "is a key that Ashlar cannot convert");
        }
        if ((this["hidden_act"] ?? this["hidden_activation"] ?? this["activation_function"])?.ToString() is { } activation
            && activation != architecture.Activation)
            throw Unsupported("hidden_act", $"is {activation}, and {architecture.Gguf} models have {architecture.Activation}");
        if (this["use_sliding_window"] is { ValueKind: JsonValueKind.True }) throw Unsupported("use_sliding_window",
            $"is true, which {architecture.Gguf} files cannot say");
        if (this["position_embedding_type"]?.ToString() is { } positions && positions != "absolute") throw Unsupported(
            "position_embedding_type", $"is {positions}");
        if (this["quantization_config"]?.Text("quant_method") is { } method
            && method is not ("mxfp4" or "fp8")) throw Unsupported("quantization_config", $"has the method {method}");
        if (architecture.Gguf == "smollm3" && this["no_rope_layers"] is { ValueKind: JsonValueKind.Array } turned
            && turned.EnumerateArray().Select((value, i) => value.ToString() == ((i + 1) % 4 == 0 ? "0" : "1")).Contains(false))
            throw Unsupported("no_rope_layers", "is not every fourth layer, which smollm3 files cannot say");
    }

    public ModelFileException Unsupported(string key, string problem) => new("ASH0463",
        $"{Where}: '{key}' {problem}.", "convert the model with the program of its makers.");

    ModelFileException Missing(string key, string wanted) =>
        new("ASH0463", $"{Where}: '{key}' is missing or is not {wanted}.", "download the file again.");

    static bool IsNeutral(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.False => true,
        JsonValueKind.Number => value.GetDouble() == 0,
        JsonValueKind.String => value.GetString()!.Length == 0,
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        _ => false,
    };

    /// <summary>The config of a GGUF file: the one that it was made of where it has it, otherwise made of its metadata.</summary>
    public static (ModelConfig Config, Architecture Architecture) Of(Gguf file)
    {
        var said = file.Metadata;
        var family = Architecture.All.Where(one => one.Gguf == file.Architecture).ToArray();
        if (family.Length == 0) throw Unknown(file.Path, file.Architecture);
        if (said.TryText(GgufMetadataOfModel.ConfigKey, out var text))
        {
            var kept = new ModelConfig(ModelJson.Parse(text, $"{GgufMetadataOfModel.ConfigKey} of {file.Path}"), file.Path);
            return (kept, family.FirstOrDefault(one => one.Classes.Contains(kept.Class)) ?? family[0]);
        }
        var architecture = file.Architecture switch
        {
            "llama" when said.Has("llama.expert_count") => family[2],
            "llama" when said.Has("llama.attention.sliding_window") => family[1],
            "deepseek2" when said.TryInt("deepseek2.expert_gating_func", out long gate) && gate == 2 => family[1],
            _ => family[0],
        };
        return (new(ModelJson.Parse(GgufMetadataOfModel.ToConfig(file, architecture).ToJsonString(), file.Path), file.Path),
            architecture);
    }

    public static ModelFileException Unknown(string path, string name) => new("ASH0462",
        $"{path} is of the architecture '{name}', which Ashlar cannot convert. It converts {string.Join(", ", Architecture.All.SelectMany(one => one.Classes))}.",
        "convert the model with the program of its makers.");

    /// <summary>The config with other types named in it.</summary>
    public string WithType(WeightType type)
    {
        var copy = JsonNode.Parse(json.GetRawText())!.AsObject();
        string name = type switch { WeightType.F16 => "float16", WeightType.BF16 => "bfloat16", _ => "float32" };
        copy[copy.ContainsKey("dtype") ? "dtype" : "torch_dtype"] = name;
        return copy.ToJsonString(new() { WriteIndented = true, NewLine = "\n" }) + "\n";
    }
}
