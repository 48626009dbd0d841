using static Ashlar.Tests.Models.Reference.ReferenceMath;

namespace Ashlar.Tests.Models.Reference;

/// <summary>DeepSeek-V2 (arXiv:2405.04434) and V3 (arXiv:2412.19437): keys and values are expanded from their latent form, as the
/// papers' equations 37 to 47 and 9 to 18 define them.</summary>
static class DeepSeekReference
{
    public static double[][] Logits(ReferenceConfig config, ReferenceWeights weights, ReadOnlySpan<int> tokens)
    {
        double epsilon = config.Number("rms_norm_eps");
        var x = weights.Embed("model.embed_tokens.weight", tokens);
        // layers beyond num_hidden_layers predict further tokens and take no part in this one
        for (int layer = 0; layer < config.Integer("num_hidden_layers"); layer++)
        {
            string name = $"model.layers.{layer}";
            x = Plus(x, Attention(config, weights, $"{name}.self_attn", weights.RmsNorm(x, $"{name}.input_layernorm", epsilon)));
            var normed = weights.RmsNorm(x, $"{name}.post_attention_layernorm", epsilon);
            bool isDense = layer < config.Integer("first_k_dense_replace") || layer % config.Integer("moe_layer_freq", 1) != 0;
            x = Plus(x, isDense ? weights.GatedMlp(normed, $"{name}.mlp", Silu)
                : [.. normed.Select(row => Mixture(config, weights, $"{name}.mlp", row))]);
        }
        return weights.Head(weights.RmsNorm(x, "model.norm", epsilon), config.Flag("tie_word_embeddings", false));
    }

    static double[][] Attention(ReferenceConfig config, ReferenceWeights weights, string name, double[][] x)
    {
        int heads = config.Integer("num_attention_heads"), plain = config.Integer("qk_nope_head_dim");
        int turned = config.Integer("qk_rope_head_dim"), latent = config.Integer("kv_lora_rank"),
            wide = config.Integer("v_head_dim");
        double epsilon = config.Number("rms_norm_eps");
        bool bias = config.Flag("attention_bias", false);
        var (rope, scale) = Rope(config, turned, plain + turned);

        var q = config.Has("q_lora_rank")
            ? weights.Linear(
                weights.RmsNorm(weights.Linear(x, $"{name}.q_a_proj", bias), $"{name}.q_a_layernorm", epsilon),
                $"{name}.q_b_proj")
            : weights.Linear(x, $"{name}.q_proj");
        var compressed = weights.Linear(x, $"{name}.kv_a_proj_with_mqa", bias);
        double[][] latents = weights.RmsNorm([.. compressed.Select(row => row[..latent])], $"{name}.kv_a_layernorm", epsilon);
        var expanded = weights.Linear(latents, $"{name}.kv_b_proj");   // per head: keys without position, then values

        double[][] queries = new double[x.Length][], keys = new double[x.Length][], values = new double[x.Length][];
        for (int t = 0; t < x.Length; t++)
        {
            double[] sharedKey = rope.Turn(compressed[t][latent..], 1, t);
            List<double> query = [], key = [], value = [];
            for (int h = 0; h < heads; h++)
            {
                double[] head = q[t][(h * (plain + turned))..((h + 1) * (plain + turned))];
                query.AddRange([.. head[..plain], .. rope.Turn(head[plain..], 1, t)]);
                double[] pair = expanded[t][(h * (plain + wide))..((h + 1) * (plain + wide))];
                key.AddRange([.. pair[..plain], .. sharedKey]);
                value.AddRange(pair[plain..]);
            }
            (queries[t], keys[t], values[t]) = ([.. query], [.. key], [.. value]);
        }
        return weights.Linear(Attend(queries, keys, values, heads, heads, scale, Causal), $"{name}.o_proj", bias);
    }

    // Of YaRN's temperature a part stays on the rotations (the quotient), the rest on all products (the square).
    static (ReferenceRope Rope, double Scale) Rope(ReferenceConfig config, int turned, int width)
    {
        double theta = config.Number("rope_theta", 10000), scale = 1 / Math.Sqrt(width);
        bool interleaved = config.Flag("rope_interleave", true);
        if (config.Part("rope_scaling") is not { } scaling) return (new(ReferenceRope.Plain(turned, theta), interleaved), scale);
        Assert.Equal("yarn", scaling.Text("rope_type", scaling.Text("type", "")));
        double factor = scaling.Number("factor"), all = scaling.Number("mscale_all_dim", 0);
        double[] frequencies = ReferenceRope.Yarn(turned, theta, factor, scaling.Number("original_max_position_embeddings"),
            scaling.Number("beta_fast", 32), scaling.Number("beta_slow", 1), truncate: true);
        double whole = ReferenceRope.YarnFactor(factor, all);
        return (new(frequencies, interleaved, ReferenceRope.YarnFactor(factor, scaling.Number("mscale", 1)) / whole),
            scale * whole * whole);
    }

    static double[] Mixture(ReferenceConfig config, ReferenceWeights weights, string name, double[] x)
    {
        var sum = new double[x.Length];
        foreach (var (expert, share) in Choose(config, weights, name, weights.Linear(x, $"{name}.gate")))
            sum = Plus(sum, Times(weights.GatedMlp([x], $"{name}.experts.{expert}", Silu)[0], share));
        return config.Has("n_shared_experts") ? Plus(sum, weights.GatedMlp([x], $"{name}.shared_experts", Silu)[0]) : sum;
    }

    /// <summary>V2: softmax, groups by their best expert. V3: sigmoid, a bias that counts for the choice alone, groups by their
    /// two best experts.</summary>
    public static (int Expert, double Share)[] Choose(ReferenceConfig config, ReferenceWeights weights, string name,
        double[] scores)
    {
        string method = config.Text("topk_method", config.Has("n_group") ? "noaux_tc" : "greedy");
        double[] shares = config.Text("scoring_func", method == "noaux_tc" ? "sigmoid" : "softmax") == "sigmoid"
            ? [.. scores.Select(Sigmoid)] : Softmax(scores);
        double[] preferences = method == "noaux_tc"
            ? Plus(shares, weights.Vector($"{name}.gate.e_score_correction_bias"))
            : shares;
        if (method != "greedy")
        {
            int groups = config.Integer("n_group"), size = scores.Length / groups;
            double[] merits = [.. preferences.Chunk(size).Select(group =>
                method == "noaux_tc" ? group.OrderDescending().Take(2).Sum() : group.Max())];
            int[] open = Greatest(merits, config.Integer("topk_group"));
            preferences =
                [.. preferences.Select((value, expert) => open.Contains(expert / size) ? value : double.NegativeInfinity)];
        }
        int[] chosen = Greatest(preferences, config.Integer("num_experts_per_tok"));
        double factor = config.Number("routed_scaling_factor", 1);
        bool sumsToOne = config.Flag("norm_topk_prob", method == "noaux_tc") && chosen.Length > 1;
        // the published code of V2 scales only shares that were not made to sum to one
        double multiplier = sumsToOne
            ? (method == "noaux_tc" ? factor : 1) / (chosen.Sum(expert => shares[expert]) + 1e-20)
            : factor;
        return [.. chosen.Select(expert => (expert, shares[expert] * multiplier))];
    }
}
