using static Ashlar.Tests.Models.Reference.ReferenceMath;

namespace Ashlar.Tests.Models.Reference;

/// <summary>Gemma 2 (arXiv:2408.00118) and the text part of Gemma 3 (arXiv:2503.19786).</summary>
static class GemmaReference
{
    public static double[][] Logits(ReferenceConfig config, ReferenceWeights weights, ReadOnlySpan<int> tokens)
    {
        bool isThird = config.Text("model_type", "") == "gemma3_text";
        int width = config.Integer("hidden_size"), heads = config.Integer("num_attention_heads");
        int keyHeads = config.Integer("num_key_value_heads"), headWidth = config.Integer("head_dim", 256);
        double epsilon = config.Number("rms_norm_eps", 1e-6), scale = 1 / Math.Sqrt(config.Number("query_pre_attn_scalar", 256));
        var far = ReferenceRope.Of(config, headWidth);
        var near = isThird
            ? new ReferenceRope(ReferenceRope.Plain(headWidth, config.Number("rope_local_base_freq", 10000)))
            : far;
        bool attentionBias = config.Flag("attention_bias", false);

        double[][] x = [.. weights.Embed("model.embed_tokens.weight", tokens).Select(row => Times(row, Math.Sqrt(width)))];
        for (int layer = 0; layer < config.Integer("num_hidden_layers"); layer++)
        {
            string name = $"model.layers.{layer}", attention = $"{name}.self_attn";
            double[][] Norm(double[][] rows, string part) => weights.RmsNorm(rows, $"{name}.{part}", epsilon, onePlus: true);
            bool slides = Slides(config, isThird, layer);
            var rope = slides ? near : far;

            var normed = Norm(x, "input_layernorm");
            var q = weights.Linear(normed, $"{attention}.q_proj", attentionBias);
            var k = weights.Linear(normed, $"{attention}.k_proj", attentionBias);
            var v = weights.Linear(normed, $"{attention}.v_proj", attentionBias);
            if (isThird)
            {
                q = weights.RmsNormHeads(q, $"{attention}.q_norm", heads, epsilon, onePlus: true);
                k = weights.RmsNormHeads(k, $"{attention}.k_norm", keyHeads, epsilon, onePlus: true);
            }
            q = rope.Turn(q, heads);
            k = rope.Turn(k, keyHeads);
            var sees = slides ? Sliding(config.Integer("sliding_window")) : Causal;
            var attended = Attend(q, k, v, heads, keyHeads, scale, sees, config.NumberOrNone("attn_logit_softcapping"));
            x = Plus(x, Norm(weights.Linear(attended, $"{attention}.o_proj", attentionBias), "post_attention_layernorm"));
            var mixed = weights.GatedMlp(Norm(x, "pre_feedforward_layernorm"), $"{name}.mlp", GeluTanh);
            x = Plus(x, Norm(mixed, "post_feedforward_layernorm"));
        }
        var logits =
            weights.Head(weights.RmsNorm(x, "model.norm", epsilon, onePlus: true), config.Flag("tie_word_embeddings", true));
        if (config.NumberOrNone("final_logit_softcapping") is { } cap)
            logits = [.. logits.Select(row => (double[])[.. row.Select(logit => cap * Math.Tanh(logit / cap))])];
        return logits;
    }

    // Gemma 2: layers 0, 2, 4 slide. Gemma 3: the last of every six does not.
    static bool Slides(ReferenceConfig config, bool isThird, int layer) =>
        config.Has("layer_types") ? config.Texts("layer_types")[layer] == "sliding_attention"
        : isThird ? (layer + 1) % config.Integer("sliding_window_pattern", 6) != 0
        : layer % 2 == 0;
}
