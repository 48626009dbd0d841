using static Ashlar.Tests.Models.Reference.ReferenceMath;

namespace Ashlar.Tests.Models.Reference;

/// <summary>Llama 2 (arXiv:2307.09288) and 3 (arXiv:2407.21783), and what is built alike: Mistral 7B (arXiv:2310.06825),
/// SmolLM2, and SmolLM3, some of whose layers know no positions.</summary>
static class LlamaReference
{
    public static double[][] Logits(ReferenceConfig config, ReferenceWeights weights, ReadOnlySpan<int> tokens)
    {
        int width = config.Integer("hidden_size"), heads = config.Integer("num_attention_heads");
        int keyHeads = config.Integer("num_key_value_heads", heads), headWidth = config.Integer("head_dim", width / heads);
        double epsilon = config.Number("rms_norm_eps", 1e-6);
        bool attentionBias = config.Flag("attention_bias", false), mlpBias = config.Flag("mlp_bias", false);
        var rope = ReferenceRope.Of(config, headWidth);
        var sees = Sliding(config.IntegerOrNone("sliding_window"));

        var x = weights.Embed("model.embed_tokens.weight", tokens);
        for (int layer = 0; layer < config.Integer("num_hidden_layers"); layer++)
        {
            string name = $"model.layers.{layer}";
            var normed = weights.RmsNorm(x, $"{name}.input_layernorm", epsilon);
            var q = weights.Linear(normed, $"{name}.self_attn.q_proj", attentionBias);
            var k = weights.Linear(normed, $"{name}.self_attn.k_proj", attentionBias);
            var v = weights.Linear(normed, $"{name}.self_attn.v_proj", attentionBias);
            if (KnowsPositions(config, layer))
            {
                q = rope.Turn(q, heads);
                k = rope.Turn(k, keyHeads);
            }
            var attended = Attend(q, k, v, heads, keyHeads, 1 / Math.Sqrt(headWidth), sees);
            x = Plus(x, weights.Linear(attended, $"{name}.self_attn.o_proj", attentionBias));
            normed = weights.RmsNorm(x, $"{name}.post_attention_layernorm", epsilon);
            x = Plus(x, weights.GatedMlp(normed, $"{name}.mlp", Silu, mlpBias));
        }
        return weights.Head(weights.RmsNorm(x, "model.norm", epsilon), config.Flag("tie_word_embeddings", false));
    }

    // SmolLM3: 1 in no_rope_layers is a layer that does turn, in spite of the name.
    static bool KnowsPositions(ReferenceConfig config, int layer) =>
        config.Has("no_rope_layers") ? config.Numbers("no_rope_layers")[layer] != 0
        : !config.Has("no_rope_layer_interval") || (layer + 1) % config.Integer("no_rope_layer_interval") != 0;
}
