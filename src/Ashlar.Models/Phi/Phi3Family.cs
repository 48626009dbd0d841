using Ashlar.Formats;
using Ashlar.Models.Llama;

namespace Ashlar.Models.Phi;

/// <summary>Phi-3, 3.5 and 4: Llama with query, key and value in one matrix, gate and up in another, and LongRoPE for long
/// contexts.</summary>
/// <remarks>Abdin et al. 2024, arXiv:2404.14219 and arXiv:2412.08905; Phi-4-mini: arXiv:2503.01743; LongRoPE: Ding et al. 2024,
/// arXiv:2402.13753.</remarks>
public sealed class Phi3Family : ModelFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> ModelTypes => ["phi3"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["phi3"];

    /// <inheritdoc/>
    public override DecoderConfig Read(JsonKeys keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        int width = keys.Integer("hidden_size"), heads = keys.Integer("num_attention_heads"),
            headWidth = keys.Integer("head_dim", width / Math.Max(1, heads));
        keys.Allow("hidden_act", "silu");
        foreach (string key in (string[])["attention_bias", "mlp_bias", "lm_head_bias"]) keys.Allow(key, false);
        keys.Allow("full_attn_mod", 1);
        keys.Ignore("interpolate_factor", "embedding_dropout");
        int context = keys.Integer("max_position_embeddings", 4096);
        var rope = RopeOf(keys, (int)(headWidth * keys.Number("partial_rotary_factor", 1)), context);
        return new()
        {
            Family = "phi3",
            Width = width,
            Heads = heads,
            KvHeads = keys.Integer("num_key_value_heads", heads),
            HeadWidth = headWidth,
            FeedForward = keys.Integer("intermediate_size"),
            Vocabulary = keys.Integer("vocab_size"),
            Context = context,
            Layers = Enumerable.Repeat(new AttentionLayer(Window(keys.IntegerOrNone("sliding_window"), context), rope),
                keys.Layers("num_hidden_layers")).ToValueList(),
            NormEpsilon = keys.Number("rms_norm_eps", 1e-5),
            FusedQkv = true,
            FusedGateUp = true,
            TiedEmbeddings = keys.Flag("tie_word_embeddings", false),
        };
    }

    /// <inheritdoc/>
    public override DecoderConfig Read(GgufKeys keys, Gguf file)
    {
        ArgumentNullException.ThrowIfNull(file);
        var config = GgufDecoder.Read(keys, file, "phi3", interleaved: false);
        int? window = Window(keys.Integer("attention.sliding_window", 0) is > 0 and var tokens ? tokens : null, config.Context);
        var rope = config.Layers[0].Rope!;
        double factor = keys.Number("rope.scaling.attn_factor", 1);
        int original = keys.Integer("rope.scaling.original_context_length", config.Context);
        if (GgufDecoder.Numbers(file, "rope_factors_short.weight") is { } quick
            && GgufDecoder.Numbers(file, "rope_factors_long.weight") is { } slow)
            rope = rope.Divided(quick) with
            {
                LongFrequencies = rope.Divided(slow).Frequencies,
                LongFrom = original,
                Factor = factor,
            };
        return config with
        {
            FusedGateUp = true,
            Layers = config.Layers.Select(_ => new AttentionLayer(window, rope)).ToValueList(),
        };
    }

    /// <inheritdoc/>
    public override DecoderLoader Loader(DecoderConfig config, bool isGguf, WeightReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        reader.Skip(name => name is "rope_factors_short.weight" or "rope_factors_long.weight");   // read with the config
        return base.Loader(config, isGguf, reader);
    }

    // A window that no text exceeds is none.
    static int? Window(int? window, int context) => window < context ? window : null;

    static Rope RopeOf(JsonKeys keys, int width, int context)
    {
        int original = keys.Integer("original_max_position_embeddings", context);
        var scaling = keys.Part("rope_scaling") ?? keys.Part("rope_parameters");
        string kind = scaling is null ? "default" : scaling.Text("rope_type", scaling.Text("type", "default"));
        if (kind is not ("longrope" or "su")) return LlamaFamily.RopeOf(keys, width);
        double theta = keys.NumberOrNone("rope_theta") ?? scaling!.Number("rope_theta", 10000);
        scaling!.Ignore("type", "rope_type", "rope_theta", "factor", "partial_rotary_factor");
        original = scaling.Integer("original_max_position_embeddings", original);
        double stretch = (double)context / original;
        double factor = scaling.NumberOrNone("attention_factor")
            ?? (stretch <= 1 ? 1 : Math.Sqrt(1 + Math.Log(stretch) / Math.Log(original)));
        var plain = Rope.Plain(width, theta);
        var rope = plain.Divided(Divisors("short_factor")) with
        {
            LongFrequencies = plain.Divided(Divisors("long_factor")).Frequencies,
            LongFrom = original,
            Factor = factor,
        };
        scaling.ThrowIfUnread();
        return rope;

        float[] Divisors(string key) => scaling.Numbers(key) is { } numbers ? [.. numbers.Select(number => (float)number)]
            : throw scaling.Wrong(key, "is missing, which LongRoPE needs");
    }
}
