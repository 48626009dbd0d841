using static Ashlar.Tests.Models.Reference.ReferenceMath;

namespace Ashlar.Tests.Models.Reference;

/// <summary>Mixtral: Jiang et al. 2024, arXiv:2401.04088.</summary>
static class MixtralReference
{
    public static double[][] Logits(ReferenceConfig config, ReferenceWeights weights, ReadOnlySpan<int> tokens)
    {
        int width = config.Integer("hidden_size"), heads = config.Integer("num_attention_heads");
        int keyHeads = config.Integer("num_key_value_heads", heads), headWidth = config.Integer("head_dim", width / heads);
        double epsilon = config.Number("rms_norm_eps", 1e-5);
        var rope = ReferenceRope.Of(config, headWidth);
        var sees = Sliding(config.IntegerOrNone("sliding_window"));

        var x = weights.Embed("model.embed_tokens.weight", tokens);
        for (int layer = 0; layer < config.Integer("num_hidden_layers"); layer++)
        {
            string name = $"model.layers.{layer}";
            var normed = weights.RmsNorm(x, $"{name}.input_layernorm", epsilon);
            var q = rope.Turn(weights.Linear(normed, $"{name}.self_attn.q_proj"), heads);
            var k = rope.Turn(weights.Linear(normed, $"{name}.self_attn.k_proj"), keyHeads);
            var v = weights.Linear(normed, $"{name}.self_attn.v_proj");
            var attended = Attend(q, k, v, heads, keyHeads, 1 / Math.Sqrt(headWidth), sees);
            x = Plus(x, weights.Linear(attended, $"{name}.self_attn.o_proj"));
            normed = weights.RmsNorm(x, $"{name}.post_attention_layernorm", epsilon);
            x = Plus(x, [.. normed.Select(row => Mixture(config, weights, $"{name}.block_sparse_moe", row))]);
        }
        return weights.Head(weights.RmsNorm(x, "model.norm", epsilon), config.Flag("tie_word_embeddings", false));
    }

    // The softmax runs over the chosen experts alone; in their files w1 is the gate, w3 is up, w2 is down.
    static double[] Mixture(ReferenceConfig config, ReferenceWeights weights, string name, double[] x)
    {
        double[] scores = weights.Linear(x, $"{name}.gate");
        Assert.Equal(config.Integer("num_local_experts"), scores.Length);
        int[] chosen = Greatest(scores, config.Integer("num_experts_per_tok"));
        double[] shares = Softmax([.. chosen.Select(expert => scores[expert])]);
        var sum = new double[x.Length];
        for (int i = 0; i < chosen.Length; i++)
        {
            string expert = $"{name}.experts.{chosen[i]}";
            sum = Plus(sum, Times(weights.GatedMlp(x, $"{expert}.w1", $"{expert}.w3", $"{expert}.w2", Silu), shares[i]));
        }
        return sum;
    }
}
