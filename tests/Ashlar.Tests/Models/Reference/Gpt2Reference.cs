using static Ashlar.Tests.Models.Reference.ReferenceMath;

namespace Ashlar.Tests.Models.Reference;

/// <summary>GPT-2: Radford et al. 2019. Matrices are [inputs, outputs] in its files, unlike everywhere else.</summary>
static class Gpt2Reference
{
    public static double[][] Logits(ReferenceConfig config, ReferenceWeights weights, ReadOnlySpan<int> tokens)
    {
        int heads = config.Integer("n_head");
        double epsilon = config.Number("layer_norm_epsilon", 1e-5);
        var activation = Activation(config.Text("activation_function", "gelu_new"));
        string prefix = weights.Has("transformer.wte.weight") ? "transformer." : "";

        var x = Plus(weights.Embed($"{prefix}wte.weight", tokens),
            weights.Embed($"{prefix}wpe.weight", [.. Enumerable.Range(0, tokens.Length)]));
        for (int layer = 0; layer < config.Integer("n_layer"); layer++)
        {
            string name = $"{prefix}h.{layer}";
            var fused = Conv1D(weights, weights.LayerNorm(x, $"{name}.ln_1", epsilon), $"{name}.attn.c_attn");
            int width = fused[0].Length / 3;
            double[][] q = [.. fused.Select(row => row[..width])];
            double[][] k = [.. fused.Select(row => row[width..(2 * width)])];
            double[][] v = [.. fused.Select(row => row[(2 * width)..])];
            double scale = config.Flag("scale_attn_weights", true) ? 1 / Math.Sqrt(width / heads) : 1;
            if (config.Flag("scale_attn_by_inverse_layer_idx", false)) scale /= layer + 1;
            x = Plus(x, Conv1D(weights, Attend(q, k, v, heads, heads, scale, Causal), $"{name}.attn.c_proj"));
            var hidden = Conv1D(weights, weights.LayerNorm(x, $"{name}.ln_2", epsilon), $"{name}.mlp.c_fc");
            x = Plus(x, Conv1D(weights, [.. hidden.Select(row => (double[])[.. row.Select(activation)])], $"{name}.mlp.c_proj"));
        }
        return weights.Head(weights.LayerNorm(x, $"{prefix}ln_f", epsilon), config.Flag("tie_word_embeddings", true),
            $"{prefix}wte");
    }

    static double[][] Conv1D(ReferenceWeights weights, double[][] x, string name)
    {
        var (shape, data) = weights.Tensor($"{name}.weight");
        double[] bias = weights.Vector($"{name}.bias");
        return [.. x.Select(row =>
        {
            Assert.Equal(row.Length, shape[0]);
            var y = (double[])bias.Clone();
            for (int i = 0; i < row.Length; i++)
                for (int o = 0; o < y.Length; o++)
                    y[o] += row[i] * data[i * y.Length + o];
            return y;
        })];
    }
}
