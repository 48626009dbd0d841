using static Ashlar.Tests.Models.Reference.ReferenceMath;

namespace Ashlar.Tests.Models.Reference;

/// <summary>Phi-3 and 3.5 (arXiv:2404.14219), Phi-4 (arXiv:2412.08905) and Phi-4-mini (arXiv:2503.01743).</summary>
static class PhiReference
{
    /// <param name="config">The config.</param>
    /// <param name="weights">The weights.</param>
    /// <param name="tokens">The text.</param>
    /// <param name="isLong">Which of LongRoPE's tables counts; null: the long one where the text is longer than the
    /// original context.</param>
    public static double[][] Logits(ReferenceConfig config, ReferenceWeights weights, ReadOnlySpan<int> tokens,
        bool? isLong = null)
    {
        int width = config.Integer("hidden_size"), heads = config.Integer("num_attention_heads");
        int keyHeads = config.Integer("num_key_value_heads", heads), headWidth = config.Integer("head_dim", width / heads);
        double epsilon = config.Number("rms_norm_eps", 1e-5);
        var rope = Rope(config, (int)(headWidth * config.Number("partial_rotary_factor", 1)), tokens.Length, isLong);
        var sees = Sliding(config.IntegerOrNone("sliding_window"));

        var x = weights.Embed("model.embed_tokens.weight", tokens);
        for (int layer = 0; layer < config.Integer("num_hidden_layers"); layer++)
        {
            string name = $"model.layers.{layer}";
            var fused = weights.Linear(weights.RmsNorm(x, $"{name}.input_layernorm", epsilon), $"{name}.self_attn.qkv_proj");
            int queries = heads * headWidth, keys = keyHeads * headWidth;
            double[][] q = [.. fused.Select((row, place) => rope.Turn(row[..queries], heads, place))];
            double[][] k = [.. fused.Select((row, place) => rope.Turn(row[queries..(queries + keys)], keyHeads, place))];
            double[][] v = [.. fused.Select(row => row[(queries + keys)..])];
            var attended = Attend(q, k, v, heads, keyHeads, 1 / Math.Sqrt(headWidth), sees);
            x = Plus(x, weights.Linear(attended, $"{name}.self_attn.o_proj"));
            var normed = weights.RmsNorm(x, $"{name}.post_attention_layernorm", epsilon);
            x = Plus(x, [.. normed.Select(row => FusedMlp(weights, $"{name}.mlp", row))]);
        }
        return weights.Head(weights.RmsNorm(x, "model.norm", epsilon), config.Flag("tie_word_embeddings", false));
    }

    /// <summary>SwiGLU whose gates are the first half of one matrix, and what they scale the second.</summary>
    public static double[] FusedMlp(ReferenceWeights weights, string name, double[] x)
    {
        double[] both = weights.Linear(x, $"{name}.gate_up_proj");
        int hidden = both.Length / 2;
        return weights.Linear([.. Enumerable.Range(0, hidden).Select(i => Silu(both[i]) * both[hidden + i])],
            $"{name}.down_proj");
    }

    static ReferenceRope Rope(ReferenceConfig config, int width, int length, bool? isLong)
    {
        if (config.Part("rope_scaling") is not { } scaling) return ReferenceRope.Of(config, width);
        Assert.Contains(scaling.Text("rope_type", scaling.Text("type", "")), (string[])["longrope", "su"]);
        double original = config.Number("original_max_position_embeddings");
        double stretch = config.Number("max_position_embeddings") / original;
        double factor = scaling.NumberOrNone("attention_factor")
            ?? (stretch <= 1 ? 1 : Math.Sqrt(1 + Math.Log(stretch) / Math.Log(original)));
        double[] divisors = scaling.Numbers(isLong ?? length > original ? "long_factor" : "short_factor");
        return new(ReferenceRope.Divided(ReferenceRope.Plain(width, config.Number("rope_theta")), divisors), Factor: factor);
    }
}
