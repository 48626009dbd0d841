using System.Text.Json;
using System.Text.Json.Nodes;

namespace Ashlar.Formats;

/// <summary>The configuration of a model as metadata of a GGUF file, and back.</summary>
static class GgufMetadataOfModel
{
    /// <summary>Where the config.json that a file was made of is kept, so that the way back is exact.</summary>
    public const string ConfigKey = "ashlar.config";

    public static void Add(GgufMetadata metadata, ModelConfig config, Architecture architecture, string folder)
    {
        string family = architecture.Gguf;
        metadata.SetText("general.architecture", family);
        metadata.SetText("general.type", "model");
        metadata.SetText("general.name", Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))));
        foreach (var rule in architecture.Config)
        {
            if (rule.Folder == "rope_theta")
            {
                metadata.SetFloat($"{family}.{rule.Gguf}", config.Number("rope_theta") ?? 10000);
                continue;
            }
            if (config[rule.Folder] is not { } value) continue;
            foreach (string key in ((string?[])[rule.Gguf, rule.Other]).OfType<string>())
                if (rule.Kind == ConfigKind.Bool) metadata.SetBool($"{family}.{key}", value.ValueKind == JsonValueKind.True);
                else if (rule.Kind == ConfigKind.Float) metadata.SetFloat($"{family}.{key}",
                    config.Number(rule.Folder) ?? throw config.Unsupported(rule.Folder, "is no number"));
                else metadata.SetInt($"{family}.{key}", config.Int(rule.Folder));
        }
        AddOfFamily(metadata, config, family, folder);
        AddRopeScaling(metadata, config, family);
        metadata.SetText(ConfigKey, config.Text);
    }

    static void AddOfFamily(GgufMetadata metadata, ModelConfig config, string family, string folder)
    {
        bool hasRope = family is not ("gpt2" or "bert");
        if (hasRope && family != "deepseek2" && !metadata.Has($"{family}.attention.head_count_kv")) metadata.SetInt(
            $"{family}.attention.head_count_kv", config.KeyHeads);
        if (family is "llama" or "smollm3" or "phi3" or "glm4")
            metadata.SetInt($"{family}.rope.dimension_count",
                (long)(config.HeadWidth * (config.Number("partial_rotary_factor") ?? config["rope_parameters"]?.Member(
                    "partial_rotary_factor")?.GetDouble() ?? (family == "glm4" ? 0.5 : 1))));
        if (config.Number("query_pre_attn_scalar") is { } scalar) metadata.SetFloat($"{family}.attention.scale",
            1 / Math.Sqrt(scalar));
        switch (family)
        {
            case "gpt2" when config["n_inner"] is null:
                metadata.SetInt("gpt2.feed_forward_length", 4 * config.Int("n_embd"));
                break;
            case "phi3" when config["sliding_window"] is null:
                metadata.SetInt("phi3.attention.sliding_window", 0);
                break;
            case "gemma3":
                if (config["layer_types"] is { ValueKind: JsonValueKind.Array } layers)
                    metadata.SetBools("gemma3.attention.sliding_window_pattern",
                        [.. layers.EnumerateArray().Select(layer => layer.ToString() == "sliding_attention")]);
                else if (config.Number("sliding_window_pattern") is { } pattern) metadata.SetInt(
                    "gemma3.attention.sliding_window_pattern", (long)pattern);
                if (config.Number("rope_local_base_freq") is { } local) metadata.SetFloat("gemma3.rope.freq_base_swa", local);
                break;
            case "gpt-oss":
                metadata.SetInt("gpt-oss.expert_feed_forward_length", config.Int("intermediate_size"));
                if (config.Number("swiglu_limit") is { } limit) metadata.SetFloat("gpt-oss.swiglu_clamp", limit);
                break;
            case "deepseek2":
                long latent = config.Int("kv_lora_rank"), turned = config.Int("qk_rope_head_dim");
                metadata.SetInt("deepseek2.attention.head_count_kv", 1);   // all heads share one latent vector
                metadata.SetInt("deepseek2.attention.key_length", latent + turned);
                metadata.SetInt("deepseek2.attention.value_length", latent);
                metadata.SetInt("deepseek2.attention.key_length_mla", config.Int("qk_nope_head_dim") + turned);
                metadata.SetInt("deepseek2.expert_gating_func", config["scoring_func"]?.ToString() == "sigmoid" ? 2 : 1);
                break;
            case "bert":
                metadata.SetBool("bert.attention.causal", false);
                if (ModelJson.Read(Path.Combine(folder, "1_Pooling"), "config.json") is { } pooling)
                    metadata.SetInt("bert.pooling_type",
                        pooling.Member("pooling_mode_cls_token") is { ValueKind: JsonValueKind.True } ? 2 : 1);
                break;
        }
    }

    static void AddRopeScaling(GgufMetadata metadata, ModelConfig config, string family)
    {
        if (config.RopeScaling is not { } scaling) return;
        string type = scaling.Text("rope_type") ?? scaling.Text("type") ?? "";
        string prefix = $"{family}.rope.scaling";
        double? Number(string key) => scaling.Member(key) is { ValueKind: JsonValueKind.Number } value ? value.GetDouble() : null;
        switch (type)
        {
            case "llama3" when family is "llama" or "smollm3":
                break;   // a tensor of factors says it: RopeFactors
            case "longrope" or "su" when family == "phi3":
                double longer = config.Int("max_position_embeddings") / (double)config.Int("original_max_position_embeddings");
                metadata.SetFloat($"{prefix}.attn_factor",
                    longer > 1 ? Math.Sqrt(1 + Math.Log(longer) / Math.Log(config.Int("original_max_position_embeddings"))) : 1);
                break;
            case "linear":
                metadata.SetText($"{prefix}.type", "linear");
                metadata.SetFloat($"{prefix}.factor",
                    Number("factor") ?? throw config.Unsupported("rope_scaling", "has no factor"));
                break;
            case "yarn":
                metadata.SetText($"{prefix}.type", "yarn");
                metadata.SetFloat($"{prefix}.factor",
                    Number("factor") ?? throw config.Unsupported("rope_scaling", "has no factor"));
                metadata.SetInt($"{prefix}.original_context_length",
                    (long)(Number("original_max_position_embeddings") ?? config.Int("max_position_embeddings")));
                if (Number("beta_fast") is { } fast) metadata.SetFloat($"{prefix}.yarn_beta_fast", fast);
                if (Number("beta_slow") is { } slow) metadata.SetFloat($"{prefix}.yarn_beta_slow", slow);
                if (family == "deepseek2" && Number("mscale_all_dim") is { } all) metadata.SetFloat(
                    $"{prefix}.yarn_log_multiplier", 0.1 * all);
                break;
            case "default" or "":
                break;
            default:
                throw config.Unsupported("rope_scaling", $"has the type {type}, which {family} files cannot say");
        }
    }

    /// <summary>A config.json of what a file of another program says.</summary>
    public static JsonObject ToConfig(Gguf file, Architecture architecture)
    {
        var said = file.Metadata;
        string family = architecture.Gguf;
        var config = new JsonObject
        {
            ["architectures"] = new JsonArray(architecture.Classes[0]),
            ["model_type"] = architecture.ModelType
        };
        foreach (var rule in architecture.Config)
        {
            string key = $"{family}.{rule.Gguf}";
            if (!said.Has(key)) continue;
            if (said.TypeOf(key) == GgufValueType.List)
                throw new ModelFileException("ASH0463",
                    $"{file.Path}: '{key}' differs between layers, which config.json cannot say.", "keep the model as GGUF.");
            config[rule.Folder] = rule.Kind switch
            {
                ConfigKind.Bool => said.Bool(key),
                ConfigKind.Float => double.Parse(((float)said.Float(key))
                    .ToString(System.Globalization.CultureInfo.InvariantCulture),
                    System.Globalization.CultureInfo.InvariantCulture),
                _ => said.Int(key),
            };
        }
        if (file.TryGet("token_embd.weight", out var embedding)) config["vocab_size"] = embedding.Extents[0];
        config["tie_word_embeddings"] = !file.TryGet("output.weight", out _);
        config[family is "gemma2" or "gemma3" ? "hidden_activation" : family == "gpt2" ? "activation_function" : "hidden_act"] =
            architecture.Activation;
        if (family == "glm4" && said.TryInt("glm4.rope.dimension_count",
            out long turned)) config["partial_rotary_factor"] = turned / (double)said.Int("glm4.attention.key_length");
        if (said.TryFloat($"{family}.attention.scale", out double scale)) config["query_pre_attn_scalar"] = Math.Round(
            1 / (scale * scale), 3);
        if (said.TryText($"{family}.rope.scaling.type", out var type) && type != "none")
        {
            var scaling = new JsonObject { ["rope_type"] = type, ["factor"] = said.Float($"{family}.rope.scaling.factor") };
            if (said.TryInt($"{family}.rope.scaling.original_context_length",
                out long original)) scaling["original_max_position_embeddings"] = original;
            config["rope_scaling"] = scaling;
        }
        else if (file.TryGet("rope_freqs.weight", out var factors)) config["rope_scaling"] = RopeFactors.Guess(file, factors,
            config);
        if (family is "deepseek2" or "gpt-oss" or "gemma2" or "gemma3" or "phi3") throw TooLittle(file, family);
        foreach (var (key, role) in ((string, string)[])[("bos_token_id", "bos"), ("eos_token_id", "eos"),
            ("pad_token_id", "padding")])
            if (said.TryInt($"tokenizer.ggml.{role}_token_id", out long id)) config[key] = id;
        return config;
    }

    // What these families compute depends on settings that files of llama.cpp leave to its source code.
    static ModelFileException TooLittle(Gguf file, string family) => new("ASH0463",
        $"{file.Path} does not have the config.json of its model, and the metadata of {family} files do not say all of it.",
        "download the folder of the model instead; files that Ashlar converts keep it.");
}
