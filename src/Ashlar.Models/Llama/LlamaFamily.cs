using Ashlar.Formats;

namespace Ashlar.Models.Llama;

/// <summary>Llama 2, 3 and 3.x, and the many models that share its architecture, SmolLM 1 and 2 among them.</summary>
/// <remarks>Touvron et al. 2023, arXiv:2307.09288; Llama team 2024, arXiv:2407.21783.</remarks>
public sealed class LlamaFamily : ModelFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> ModelTypes => ["llama"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["llama"];

    /// <inheritdoc/>
    public override DecoderConfig Read(JsonKeys keys)
    {
        var config = Common("llama", keys);
        keys.Ignore("is_llama_config");
        keys.Allow("rope_interleaved", false);
        return config with
        {
            QkvBias = keys.Flag("attention_bias", false),
            OutputBias = keys.Flag("attention_bias", false),
            FeedForwardBias = keys.Flag("mlp_bias", false),
        };
    }

    /// <inheritdoc/>
    public override DecoderLoader Loader(DecoderConfig config, bool isGguf, WeightReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        reader.Skip(name => name == "rope_freqs.weight");   // read with the config
        return base.Loader(config, isGguf, reader);
    }

    /// <inheritdoc/>
    public override DecoderConfig Read(GgufKeys keys, Gguf file)
    {
        ArgumentNullException.ThrowIfNull(keys);
        int experts = keys.Integer("expert_count", 0);
        var config = GgufDecoder.Read(keys, file, "llama", interleaved: true);
        if (experts == 0)
        {
            keys.Ignore("expert_used_count");
            return config with { FeedForwardBias = GgufDecoder.Has(file, "blk.0.ffn_gate.bias") };
        }
        // Mixtral goes by the name of llama in GGUF files.
        return config with
        {
            Family = "mixtral",
            Experts = new(experts, keys.Integer("expert_used_count"), config.FeedForward) { SoftmaxOfChosen = true },
        };
    }

    /// <summary>The keys that Llama and its descendants have.</summary>
    /// <param name="family">What the config is to call itself.</param>
    /// <param name="keys">The config.json.</param>
    /// <param name="rotated">The share of each head that is rotated.</param>
    /// <param name="interleaved">Rotated pairs are neighbours.</param>
    public static DecoderConfig Common(string family, JsonKeys keys, double rotated = 1, bool interleaved = false)
    {
        ArgumentNullException.ThrowIfNull(keys);
        int width = keys.Integer("hidden_size"), heads = keys.Integer("num_attention_heads");
        int headWidth = keys.Integer("head_dim", width / Math.Max(1, heads));
        keys.Allow("hidden_act", "silu");
        keys.Allow("rope_interleaved", false);
        keys.Ignore("is_llama_config");
        var layer = new AttentionLayer(null, RopeOf(keys, (int)(headWidth * rotated), interleaved));
        return new()
        {
            Family = family,
            Width = width,
            Heads = heads,
            KvHeads = keys.Integer("num_key_value_heads", heads),
            HeadWidth = headWidth,
            FeedForward = keys.Integer("intermediate_size"),
            Vocabulary = keys.Integer("vocab_size"),
            Context = keys.Integer("max_position_embeddings", 2048),
            Layers = Enumerable.Repeat(layer, keys.Layers("num_hidden_layers")).ToValueList(),
            NormEpsilon = keys.Number("rms_norm_eps", 1e-6),
            TiedEmbeddings = keys.Flag("tie_word_embeddings", false),
        };
    }

    /// <summary>Rotary positions as <c>rope_theta</c> and <c>rope_scaling</c> (or <c>rope_parameters</c>) say.</summary>
    /// <param name="keys">The config.</param>
    /// <param name="width">Numbers of a head that are rotated.</param>
    /// <param name="interleaved">Pairs are neighbours.</param>
    /// <param name="usual">The base where the config names none.</param>
    public static Rope RopeOf(ModelKeys keys, int width, bool interleaved = false, double usual = 10000)
    {
        ArgumentNullException.ThrowIfNull(keys);
        var scaling = keys.Part("rope_scaling") ?? keys.Part("rope_parameters");
        double theta = keys.NumberOrNone("rope_theta") ?? scaling?.NumberOrNone("rope_theta") ?? usual;
        scaling?.Ignore("rope_theta", "rope_type", "type");
        var rope = Rope.Plain(width, theta, interleaved);
        if (scaling is null) return rope;
        rope = Stretched(rope, theta, keys, scaling);
        scaling.ThrowIfUnread();
        return rope;
    }

    internal static Rope Stretched(Rope rope, double theta, ModelKeys keys, ModelKeys scaling)
    {
        string kind = scaling.Text("rope_type", scaling.Text("type", "default"));
        switch (kind)
        {
            case "default":
                scaling.Ignore("factor", "partial_rotary_factor");
                return rope;
            case "linear":
                return rope.Linear(scaling.Number("factor"));
            case "llama3":
                return rope.Llama3(scaling.Number("factor"), scaling.Number("low_freq_factor"),
                    scaling.Number("high_freq_factor"), scaling.Number("original_max_position_embeddings"));
            case "yarn":
                double factor = scaling.Number("factor");
                double context = scaling.NumberOrNone("original_max_position_embeddings")
                    ?? keys.Integer("max_position_embeddings") / factor;
                return rope.Yarn(theta, factor, context, scaling.Number("beta_fast", 32), scaling.Number("beta_slow", 1),
                    scaling.NumberOrNone("attention_factor"),
                    scaling.Flag("truncate", true));
            default:
                throw scaling.Unsupported("rope_type", kind, "default, linear, llama3 and yarn are computed");
        }
    }
}
