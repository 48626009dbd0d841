using static Ashlar.Tests.Models.Reference.ReferenceMath;

namespace Ashlar.Tests.Models.Reference;

/// <summary>GPT-OSS: OpenAI 2025, arXiv:2508.10925; experts as MXFP4 blocks or as plain numbers.</summary>
static class GptOssReference
{
    // The values of the 4-bit floats of the OCP Microscaling formats, version 1.0, table 5.
    static readonly double[] E2M1 = [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6];

    public static double[][] Logits(ReferenceConfig config, ReferenceWeights weights, ReadOnlySpan<int> tokens)
    {
        int width = config.Integer("hidden_size"), heads = config.Integer("num_attention_heads");
        int keyHeads = config.Integer("num_key_value_heads"), headWidth = config.Integer("head_dim", width / heads);
        double epsilon = config.Number("rms_norm_eps");
        bool bias = config.Flag("attention_bias", true);
        var rope = ReferenceRope.Of(config, headWidth);

        var x = weights.Embed("model.embed_tokens.weight", tokens);
        for (int layer = 0; layer < config.Integer("num_hidden_layers"); layer++)
        {
            string name = $"model.layers.{layer}", attention = $"{name}.self_attn";
            var normed = weights.RmsNorm(x, $"{name}.input_layernorm", epsilon);
            var q = rope.Turn(weights.Linear(normed, $"{attention}.q_proj", bias), heads);
            var k = rope.Turn(weights.Linear(normed, $"{attention}.k_proj", bias), keyHeads);
            var v = weights.Linear(normed, $"{attention}.v_proj", bias);
            bool slides = config.Texts("layer_types")[layer] == "sliding_attention";
            var sees = slides ? Sliding(config.Integer("sliding_window")) : Causal;
            var attended =
                Attend(q, k, v, heads, keyHeads, 1 / Math.Sqrt(headWidth), sees, sinks: weights.Vector($"{attention}.sinks"));
            x = Plus(x, weights.Linear(attended, $"{attention}.o_proj", bias));
            normed = weights.RmsNorm(x, $"{name}.post_attention_layernorm", epsilon);
            x = Plus(x, [.. normed.Select(row => Mixture(config, weights, $"{name}.mlp", row))]);
        }
        return weights.Head(weights.RmsNorm(x, "model.norm", epsilon), config.Flag("tie_word_embeddings", false));
    }

    static double[] Mixture(ReferenceConfig config, ReferenceWeights weights, string name, double[] x)
    {
        double limit = config.Number("swiglu_limit", 7);
        double[] scores = weights.Linear(x, $"{name}.router", bias: true);
        Assert.Equal(config.Integer("num_local_experts"), scores.Length);
        int[] chosen = Greatest(scores, config.Integer("num_experts_per_tok"));
        double[] shares = Softmax([.. chosen.Select(expert => scores[expert])]);
        var sum = new double[x.Length];
        for (int n = 0; n < chosen.Length; n++)
        {
            // even numbers are gates, odd ones what they scale
            double[] both = Expert(weights, $"{name}.experts.gate_up_proj", chosen[n], x);
            var hidden = new double[both.Length / 2];
            for (int i = 0; i < hidden.Length; i++)
            {
                double gate = Math.Min(both[2 * i], limit), up = Math.Clamp(both[2 * i + 1], -limit, limit);
                hidden[i] = (up + 1) * gate * Sigmoid(1.702 * gate);
            }
            sum = Plus(sum, Times(Expert(weights, $"{name}.experts.down_proj", chosen[n], hidden), shares[n]));
        }
        return sum;
    }

    static double[] Expert(ReferenceWeights weights, string name, int expert, double[] x)
    {
        var (biasShape, bias) = weights.Tensor($"{name}_bias");
        var y = new double[biasShape[1]];
        var element = Elements(weights, name);
        for (int o = 0; o < y.Length; o++)
        {
            y[o] = bias[expert * y.Length + o];
            for (int i = 0; i < x.Length; i++) y[o] += element(expert, o, i) * x[i];
        }
        return y;
    }

    /// <summary>The numbers of the experts' matrices by expert, output and input: plain files hold [experts, inputs, outputs]; in
    /// blocks, 16 bytes hold 32 neighbouring inputs of an output, low halves first, and a byte their power of two.</summary>
    public static Func<int, int, int, double> Elements(ReferenceWeights weights, string name)
    {
        if (weights.Has(name))
        {
            var (shape, data) = weights.Tensor(name);
            return (expert, output, input) => data[(expert * shape[1] + input) * shape[2] + output];
        }
        var (blockShape, blocks) = weights.Tensor($"{name}_blocks");
        var (_, scales) = weights.Tensor($"{name}_scales");
        return (expert, output, input) =>
        {
            int block = (expert * blockShape[1] + output) * blockShape[2] + input / 32;
            int pair = (int)blocks[block * 16 + input % 32 / 2];
            return E2M1[input % 2 == 0 ? pair & 15 : pair >> 4] * Math.Pow(2, scales[block] - 127);
        };
    }
}
