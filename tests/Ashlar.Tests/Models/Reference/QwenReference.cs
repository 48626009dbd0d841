using static Ashlar.Tests.Models.Reference.ReferenceMath;

namespace Ashlar.Tests.Models.Reference;

/// <summary>Qwen2 and 2.5 (arXiv:2407.10671, arXiv:2412.15115), Qwen2-MoE, Qwen3 and Qwen3-MoE (arXiv:2505.09388).</summary>
static class QwenReference
{
    public static double[][] Logits(ReferenceConfig config, ReferenceWeights weights, ReadOnlySpan<int> tokens)
    {
        string kind = config.Text("model_type", "");
        bool isThird = kind.StartsWith("qwen3", StringComparison.Ordinal);
        int width = config.Integer("hidden_size"), heads = config.Integer("num_attention_heads");
        int keyHeads = config.Integer("num_key_value_heads", heads), headWidth = config.Integer("head_dim", width / heads);
        double epsilon = config.Number("rms_norm_eps", 1e-6);
        // the second generation has biases that no key tells of; the third has a key
        bool inBias = !isThird || config.Flag("attention_bias", false), outBias = isThird && inBias;
        var rope = ReferenceRope.Of(config, headWidth);

        var x = weights.Embed("model.embed_tokens.weight", tokens);
        for (int layer = 0; layer < config.Integer("num_hidden_layers"); layer++)
        {
            string name = $"model.layers.{layer}", attention = $"{name}.self_attn";
            var normed = weights.RmsNorm(x, $"{name}.input_layernorm", epsilon);
            var q = weights.Linear(normed, $"{attention}.q_proj", inBias);
            var k = weights.Linear(normed, $"{attention}.k_proj", inBias);
            var v = weights.Linear(normed, $"{attention}.v_proj", inBias);
            if (isThird)
            {
                q = weights.RmsNormHeads(q, $"{attention}.q_norm", heads, epsilon);
                k = weights.RmsNormHeads(k, $"{attention}.k_norm", keyHeads, epsilon);
            }
            q = rope.Turn(q, heads);
            k = rope.Turn(k, keyHeads);
            bool slides = config.Flag("use_sliding_window", false) && layer >= config.Integer("max_window_layers");
            var sees = slides ? Sliding(config.Integer("sliding_window")) : Causal;
            var attended = Attend(q, k, v, heads, keyHeads, 1 / Math.Sqrt(headWidth), sees);
            x = Plus(x, weights.Linear(attended, $"{attention}.o_proj", outBias));
            normed = weights.RmsNorm(x, $"{name}.post_attention_layernorm", epsilon);
            x = Plus(x, HasExperts(config, kind, layer)
                ? [.. normed.Select(row => Mixture(config, weights, $"{name}.mlp", row))]
                : weights.GatedMlp(normed, $"{name}.mlp", Silu));
        }
        return weights.Head(weights.RmsNorm(x, "model.norm", epsilon), config.Flag("tie_word_embeddings", false));
    }

    static bool HasExperts(ReferenceConfig config, string kind, int layer) =>
        kind.EndsWith("_moe", StringComparison.Ordinal)
        && !(config.Has("mlp_only_layers") && config.Numbers("mlp_only_layers").Contains(layer))
        && (layer + 1) % config.Integer("decoder_sparse_step", 1) == 0;

    // The softmax runs over all experts, so the chosen shares sum to 1 only where they are made to.
    static double[] Mixture(ReferenceConfig config, ReferenceWeights weights, string name, double[] x)
    {
        double[] shares = Softmax(weights.Linear(x, $"{name}.gate"));
        Assert.Equal(config.Integer("num_experts"), shares.Length);
        int[] chosen = Greatest(shares, config.Integer("num_experts_per_tok"));
        double whole = config.Flag("norm_topk_prob", false) ? chosen.Sum(expert => shares[expert]) : 1;
        var sum = new double[x.Length];
        foreach (int expert in chosen)
            sum = Plus(sum, Times(weights.GatedMlp([x], $"{name}.experts.{expert}", Silu)[0], shares[expert] / whole));
        if (config.Has("shared_expert_intermediate_size"))
            sum = Plus(sum, Times(weights.GatedMlp([x], $"{name}.shared_expert", Silu)[0],
                Sigmoid(weights.Linear(x, $"{name}.shared_expert_gate")[0])));
        return sum;
    }
}
