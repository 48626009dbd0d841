using Ashlar.Formats;

namespace Ashlar.Models.DeepSeek;

/// <summary>DeepSeek-V2 and V2-Lite: latent attention, and many small experts of which groups are chosen first.</summary>
/// <remarks>DeepSeek-AI 2024, arXiv:2405.04434.</remarks>
public class DeepSeek2Family : ModelFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> ModelTypes => ["deepseek_v2"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["deepseek2"];

    /// <inheritdoc/>
    public override DecoderConfig Read(JsonKeys keys) => Read("deepseek2", keys);

    /// <inheritdoc/>
    public override DecoderConfig Read(GgufKeys keys, Gguf file)
    {
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentNullException.ThrowIfNull(file);
        var config = GgufDecoder.Read(keys, file, "deepseek2", interleaved: true);
        int rotated = keys.Integer("rope.dimension_count"), width = keys.Integer("attention.key_length_mla", config.HeadWidth);
        int value = keys.Integer("attention.value_length_mla", keys.Integer("attention.value_length", width));
        // files keep one of YaRN's two strengths, for both: nothing of it stays on rotated numbers
        double strength = 10 * keys.Number("rope.scaling.yarn_log_multiplier", 0), factor = keys.Number("rope.scaling.factor", 1);
        var rope = config.Layers[0].Rope! with { Factor = 1 };
        int dense = keys.Integer("leading_dense_block_count", 0), inner = keys.Integer("expert_feed_forward_length");
        bool hasBias = GgufDecoder.Has(file, $"blk.{dense}.exp_probs_b.bias");
        int gating = keys.Integer("expert_gating_func", 1);
        if (gating is not (1 or 2))
            throw keys.Unsupported("expert_gating_func", $"{gating}", "1, softmax, and 2, sigmoid, are computed");
        keys.Ignore("nextn_predict_layers");
        return config with
        {
            KvHeads = config.Heads,
            HeadWidth = width,
            Layers = config.Layers.Select(_ => new AttentionLayer(null, rope)).ToValueList(),
            Latent = new(keys.IntegerOrNone("attention.q_lora_rank"), keys.Integer("attention.kv_lora_rank"), width - rotated,
                rotated, value),
            AttentionScale = Math.Pow(strength == 0 ? 1 : Rope.Magnitude(factor, strength), 2) / Math.Sqrt(width),
            ExpertLayers = Enumerable.Range(0, config.Layers.Count).Select(layer => layer >= dense).ToValueList(),
            Experts = new(keys.Integer("expert_count"), keys.Integer("expert_used_count"), inner)
            {
                Sigmoid = gating == 2,
                Renormalize = keys.Flag("expert_weights_norm", false),
                Scale = keys.Number("expert_weights_scale", 1),
                ChoiceBias = hasBias,
                Groups = keys.Integer("expert_group_count", 1),
                UsedGroups = keys.Integer("expert_group_used_count", 1),
                GroupByBestTwo = hasBias,
                SharedWidth = inner * keys.Integer("expert_shared_count", 0),
            },
        };
    }

    /// <inheritdoc/>
    public override DecoderNames Names(bool isGguf) => isGguf ? DecoderNames.Gguf : DecoderNames.HuggingFace with
    {
        SharedGate = "mlp.shared_experts.gate_proj",
        SharedUp = "mlp.shared_experts.up_proj",
        SharedDown = "mlp.shared_experts.down_proj",
    };

    /// <inheritdoc/>
    public override DecoderLoader Loader(DecoderConfig config, bool isGguf, WeightReader reader) =>
        new DeepSeekLoader(config, Names(isGguf), reader, isGguf);

    /// <summary>What the configs of both versions say.</summary>
    /// <param name="family">Its name.</param>
    /// <param name="keys">The config.</param>
    private protected static DecoderConfig Read(string family, JsonKeys keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        bool isThird = family == "deepseek3";
        int heads = keys.Integer("num_attention_heads"), layers = keys.Layers("num_hidden_layers");
        var latent =
            new LatentConfig(keys.IntegerOrNone("q_lora_rank"), keys.Integer("kv_lora_rank"), keys.Integer("qk_nope_head_dim"),
            keys.Integer("qk_rope_head_dim"), keys.Integer("v_head_dim"));
        keys.Allow("hidden_act", "silu");
        foreach (string key in (string[])["attention_bias", "mlp_bias"]) keys.Allow(key, false);
        // further layers predict tokens after the next; keys and values of all heads come of the latent vector
        keys.Ignore("ep_size", "num_nextn_predict_layers", "num_key_value_heads", "head_dim", "qk_head_dim");
        int width = latent.PlainWidth + latent.RotatedWidth;
        var (rope, strength) = RopeOf(keys, latent.RotatedWidth);
        int dense = keys.Integer("first_k_dense_replace", 0), period = keys.Integer("moe_layer_freq", 1);
        return new()
        {
            Family = family,
            Width = keys.Integer("hidden_size"),
            Heads = heads,
            KvHeads = heads,
            HeadWidth = width,
            FeedForward = keys.Integer("intermediate_size"),
            Vocabulary = keys.Integer("vocab_size"),
            Context = keys.Integer("max_position_embeddings"),
            Layers = Enumerable.Repeat(new AttentionLayer(null, rope), layers).ToValueList(),
            NormEpsilon = keys.Number("rms_norm_eps", 1e-6),
            AttentionScale = strength * strength / Math.Sqrt(width),
            Latent = latent,
            Experts = Experts(keys, isThird),
            ExpertLayers = Enumerable.Range(0, layers).Select(layer => layer >= dense && layer % Math.Max(1, period) == 0)
                .ToValueList(),
            TiedEmbeddings = keys.Flag("tie_word_embeddings", false),
        };
    }

    static ExpertsConfig Experts(JsonKeys keys, bool isThird)
    {
        string method = keys.Text("topk_method", isThird ? "noaux_tc" : "greedy"),
            scores = keys.Text("scoring_func", isThird ? "sigmoid" : "softmax");
        if (method is not ("greedy" or "group_limited_greedy" or "noaux_tc"))
            throw keys.Unsupported("topk_method", method, "greedy, group_limited_greedy and noaux_tc are computed");
        if (scores is not ("sigmoid" or "softmax"))
            throw keys.Unsupported("scoring_func", scores, "sigmoid and softmax are computed");
        int used = keys.Integer("num_experts_per_tok"), width = keys.Integer("moe_intermediate_size");
        bool isByBias = method == "noaux_tc", sumsToOne = keys.Flag("norm_topk_prob", isThird) && used > 1;
        double scale = keys.Number("routed_scaling_factor", 1);
        int groups = keys.Integer("n_group", 1), usedGroups = keys.Integer("topk_group", 1);
        return new(keys.Integer("n_routed_experts"), used, width)
        {
            Sigmoid = scores == "sigmoid",
            Renormalize = sumsToOne,
            // the published code of V2 scales only weights that were not made to sum to 1
            Scale = sumsToOne && !isByBias ? 1 : scale,
            ChoiceBias = isByBias,
            Groups = method == "greedy" ? 1 : groups,
            UsedGroups = method == "greedy" ? 1 : usedGroups,
            GroupByBestTwo = isByBias,
            SharedWidth = width * keys.Integer("n_shared_experts", 0),
        };
    }

    // YaRN's strength is given twice: for all products of queries and keys, and in all; the quotient stays on rotated numbers.
    static (Rope Rope, double Strength) RopeOf(JsonKeys keys, int width)
    {
        double theta = keys.Number("rope_theta", 10000);
        var rope = Rope.Plain(width, theta, keys.Flag("rope_interleave", true));
        if (keys.Part("rope_scaling") is not { } scaling) return (rope, 1);
        string kind = scaling.Text("rope_type", scaling.Text("type", "yarn"));
        scaling.Ignore("type", "rope_type");
        if (kind != "yarn") throw scaling.Unsupported("type", kind, "yarn is computed");
        double factor = scaling.Number("factor"), all = scaling.Number("mscale_all_dim", 0), strength = all == 0
            ? 1
            : Rope.Magnitude(factor, all);
        rope = rope.Yarn(theta, factor, scaling.Number("original_max_position_embeddings"), scaling.Number("beta_fast", 32),
            scaling.Number("beta_slow", 1),
            Rope.Magnitude(factor, scaling.Number("mscale", 1)) / strength);
        scaling.ThrowIfUnread();
        return (rope, strength);
    }
}

/// <summary>DeepSeek-V3 and R1: experts are scored by sigmoids, and chosen with a bias that balances them.</summary>
/// <remarks>DeepSeek-AI 2024, arXiv:2412.19437.</remarks>
public sealed class DeepSeek3Family : DeepSeek2Family
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> ModelTypes => ["deepseek_v3"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => [];   // deepseek2, too

    /// <inheritdoc/>
    public override DecoderConfig Read(JsonKeys keys) => Read("deepseek3", keys);
}
