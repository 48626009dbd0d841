using static Ashlar.Tests.Models.Reference.ReferenceMath;

namespace Ashlar.Tests.Models.Reference;

/// <summary>BERT (Devlin et al. 2018, arXiv:1810.04805), RoBERTa's numbering of places (arXiv:1907.11692), and nomic-embed
/// (arXiv:2402.01613) with rotary positions and SwiGLU.</summary>
static class BertReference
{
    /// <summary>What the encoder says of each token: [T][width]. Every token sees every other.</summary>
    public static double[][] Hidden(ReferenceConfig config, ReferenceWeights weights, ReadOnlySpan<int> tokens) =>
        config.Text("model_type", "bert") == "nomic_bert" ? Nomic(config, weights, tokens) : Bert(config, weights, tokens);

    /// <summary>One vector for the text: of the first token or the mean of all, of length 1 where
    /// <paramref name="normalise"/>.</summary>
    public static double[] Embedding(double[][] hidden, bool mean, bool normalise)
    {
        double[] vector = mean ? Times(hidden.Aggregate(Plus), 1.0 / hidden.Length) : hidden[0];
        return normalise ? Times(vector, 1 / Math.Sqrt(vector.Sum(value => value * value))) : vector;
    }

    static bool All(int place, int other) => true;

    static double[][] Bert(ReferenceConfig config, ReferenceWeights weights, ReadOnlySpan<int> tokens)
    {
        string prefix = weights.Has("bert.embeddings.word_embeddings.weight") ? "bert." : "";
        int heads = config.Integer("num_attention_heads"), width = config.Integer("hidden_size");
        double epsilon = config.Number("layer_norm_eps", 1e-12);
        var activation = Activation(config.Text("hidden_act", "gelu"));
        // RoBERTa counts places from the one after its padding token's number
        int first = config.Text("model_type", "bert") == "bert" ? 0 : config.Integer("pad_token_id") + 1;

        var x = weights.Embed($"{prefix}embeddings.word_embeddings.weight", tokens);
        x = Plus(x, weights.Embed($"{prefix}embeddings.position_embeddings.weight", [.. Enumerable.Range(first, tokens.Length)]));
        x = Plus(x, weights.Embed($"{prefix}embeddings.token_type_embeddings.weight", new int[tokens.Length]));
        x = weights.LayerNorm(x, $"{prefix}embeddings.LayerNorm", epsilon);
        for (int layer = 0; layer < config.Integer("num_hidden_layers"); layer++)
        {
            string name = $"{prefix}encoder.layer.{layer}";
            double[][] Project(string part) => weights.Linear(x, $"{name}.attention.self.{part}", bias: true);
            var attended =
                Attend(Project("query"), Project("key"), Project("value"), heads, heads, 1 / Math.Sqrt(width / heads), All);
            x = Plus(x, weights.Linear(attended, $"{name}.attention.output.dense", bias: true));
            x = weights.LayerNorm(x, $"{name}.attention.output.LayerNorm", epsilon);
            var inner = weights.Linear(x, $"{name}.intermediate.dense", bias: true);
            double[][] hidden = [.. inner.Select(row => (double[])[.. row.Select(activation)])];
            x = Plus(x, weights.Linear(hidden, $"{name}.output.dense", bias: true));
            x = weights.LayerNorm(x, $"{name}.output.LayerNorm", epsilon);
        }
        return x;
    }

    static double[][] Nomic(ReferenceConfig config, ReferenceWeights weights, ReadOnlySpan<int> tokens)
    {
        int heads = config.Integer("n_head"), width = config.Integer("n_embd");
        double epsilon = config.Number("layer_norm_epsilon");
        int turned = (int)(width / heads * config.Number("rotary_emb_fraction"));
        var rope = new ReferenceRope(ReferenceRope.Plain(turned, config.Number("rotary_emb_base")),
            config.Flag("rotary_emb_interleaved", false));
        bool bias = config.Flag("qkv_proj_bias", true);

        var x = weights.Embed("embeddings.word_embeddings.weight", tokens);
        x = Plus(x, weights.Embed("embeddings.token_type_embeddings.weight", new int[tokens.Length]));
        x = weights.LayerNorm(x, "emb_ln", epsilon);
        for (int layer = 0; layer < config.Integer("n_layer"); layer++)
        {
            string name = $"encoder.layers.{layer}";
            var fused = weights.Linear(x, $"{name}.attn.Wqkv", bias);
            double[][] q = [.. fused.Select((row, place) => rope.Turn(row[..width], heads, place))];
            double[][] k = [.. fused.Select((row, place) => rope.Turn(row[width..(2 * width)], heads, place))];
            double[][] v = [.. fused.Select(row => row[(2 * width)..])];
            var attended = Attend(q, k, v, heads, heads, 1 / Math.Sqrt(width / heads), All);
            x = weights.LayerNorm(Plus(x, weights.Linear(attended, $"{name}.attn.out_proj", bias)), $"{name}.norm1", epsilon);
            var added = x.Select(row => weights.GatedMlp(row, $"{name}.mlp.fc12", $"{name}.mlp.fc11", $"{name}.mlp.fc2", Silu));
            x = weights.LayerNorm(Plus(x, [.. added]), $"{name}.norm2", epsilon);
        }
        return x;
    }
}
