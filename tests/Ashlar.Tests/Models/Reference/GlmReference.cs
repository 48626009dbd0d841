using static Ashlar.Tests.Models.Reference.ReferenceMath;

namespace Ashlar.Tests.Models.Reference;

/// <summary>GLM-4 (arXiv:2406.12793), and GLM-4-0414, which also normalises what layers add.</summary>
static class GlmReference
{
    public static double[][] Logits(ReferenceConfig config, ReferenceWeights weights, ReadOnlySpan<int> tokens)
    {
        bool normalisesResults = config.Text("model_type", "") == "glm4";
        int width = config.Integer("hidden_size"), heads = config.Integer("num_attention_heads");
        int keyHeads = config.Integer("num_key_value_heads"), headWidth = config.Integer("head_dim", width / heads);
        double epsilon = config.Number("rms_norm_eps");
        bool bias = config.Flag("attention_bias", false);
        var rope = ReferenceRope.Of(config, (int)(headWidth * config.Number("partial_rotary_factor", 0.5)), interleaved: true);

        var x = weights.Embed("model.embed_tokens.weight", tokens);
        for (int layer = 0; layer < config.Integer("num_hidden_layers"); layer++)
        {
            string name = $"model.layers.{layer}";
            var normed = weights.RmsNorm(x, $"{name}.input_layernorm", epsilon);
            var q = rope.Turn(weights.Linear(normed, $"{name}.self_attn.q_proj", bias), heads);
            var k = rope.Turn(weights.Linear(normed, $"{name}.self_attn.k_proj", bias), keyHeads);
            var v = weights.Linear(normed, $"{name}.self_attn.v_proj", bias);
            var added = weights.Linear(Attend(q, k, v, heads, keyHeads, 1 / Math.Sqrt(headWidth), Causal),
                $"{name}.self_attn.o_proj");
            if (normalisesResults) added = weights.RmsNorm(added, $"{name}.post_self_attn_layernorm", epsilon);
            x = Plus(x, added);

            normed = weights.RmsNorm(x, $"{name}.post_attention_layernorm", epsilon);
            added = [.. normed.Select(row => PhiReference.FusedMlp(weights, $"{name}.mlp", row))];
            if (normalisesResults) added = weights.RmsNorm(added, $"{name}.post_mlp_layernorm", epsilon);
            x = Plus(x, added);
        }
        return weights.Head(weights.RmsNorm(x, "model.norm", epsilon), config.Flag("tie_word_embeddings", false));
    }
}
