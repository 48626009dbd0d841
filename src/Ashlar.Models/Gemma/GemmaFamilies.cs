using Ashlar.Formats;
using Ashlar.Models.Llama;

namespace Ashlar.Models.Gemma;

/// <summary>Gemma 2: norms before and after each part, every other layer with a window, scores and logits kept within
/// bounds.</summary>
/// <remarks>Gemma team 2024, arXiv:2408.00118.</remarks>
public sealed class Gemma2Family : ModelFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> ModelTypes => ["gemma2"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["gemma2"];

    /// <inheritdoc/>
    public override DecoderConfig Read(JsonKeys keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        var config = Common("gemma2", keys, LlamaFamily.RopeOf(keys, keys.Integer("head_dim", 256)));
        keys.Ignore("sliding_window_size");   // once more the same
        int window = keys.Integer("sliding_window", 4096);
        string[]? kinds = keys.Texts("layer_types");
        return config with
        {
            Layers = Alternating(config.Layers,
                i => kinds is null ? i % 2 == 0 : Slides(keys, kinds, i), window, config.Layers[0].Rope),
        };
    }

    /// <inheritdoc/>
    public override DecoderConfig Read(GgufKeys keys, Gguf file)
    {
        var config = Common(GgufDecoder.Read(keys, file, "gemma2", interleaved: false), keys, largest: 46);
        int window = keys.Integer("attention.sliding_window", 4096);
        return config with { Layers = Alternating(config.Layers, i => i % 2 == 0, window, config.Layers[0].Rope) };
    }

    /// <inheritdoc/>
    public override DecoderNames Names(bool isGguf) => isGguf ? DecoderNames.Gguf : DecoderNames.HuggingFace with
    {
        FeedForwardNorm = "pre_feedforward_layernorm",
    };

    /// <summary>What both versions have; all layers see everything yet.</summary>
    internal static DecoderConfig Common(string family, ModelKeys keys, Rope rope)
    {
        foreach (string key in (string[])["hidden_act", "hidden_activation"]) keys.Allow(key, "gelu_pytorch_tanh");
        keys.Allow("attention_bias", false);
        keys.Allow("use_bidirectional_attention", false);
        int width = keys.Integer("hidden_size");
        return new()
        {
            Family = family,
            Width = width,
            Heads = keys.Integer("num_attention_heads", 8),
            KvHeads = keys.Integer("num_key_value_heads", 4),
            HeadWidth = keys.Integer("head_dim", 256),
            FeedForward = keys.Integer("intermediate_size"),
            Vocabulary = keys.Integer("vocab_size", family == "gemma2" ? 256000 : 262208),
            Context = keys.Integer("max_position_embeddings", family == "gemma2" ? 8192 : 131072),
            Layers = Enumerable.Repeat(new AttentionLayer(null, rope), keys.Layers("num_hidden_layers")).ToValueList(),
            Norm = NormKind.RmsPlusOne,
            NormEpsilon = keys.Number("rms_norm_eps", 1e-6),
            PostNorms = true,
            Activation = ActivationKind.GeluTanh,
            AttentionScale = 1 / Math.Sqrt(keys.Number("query_pre_attn_scalar", 256)),
            AttentionCap = keys.NumberOrNone("attn_logit_softcapping"),
            LogitCap = keys.NumberOrNone("final_logit_softcapping"),
            EmbeddingScale = Math.Sqrt(width),
            TiedEmbeddings = keys.Flag("tie_word_embeddings", true),
        };
    }

    /// <summary>What GGUF files of both versions imply. Their norms hold the 1 already; the scale of attention is not written,
    /// but the largest model has another one.</summary>
    internal static DecoderConfig Common(DecoderConfig config, GgufKeys keys, int largest) => config with
    {
        PostNorms = true,
        Activation = ActivationKind.GeluTanh,
        AttentionScale = 1 / Math.Sqrt(config.Layers.Count == largest ? (double)config.Width / config.Heads : config.HeadWidth),
        AttentionCap = keys.NumberOrNone("attn_logit_softcapping"),
        LogitCap = keys.NumberOrNone("final_logit_softcapping"),
        EmbeddingScale = Math.Sqrt(config.Width),
    };

    /// <summary>Some layers with a window and rotary positions of their own, the others as they are.</summary>
    internal static ValueList<AttentionLayer> Alternating(ValueList<AttentionLayer> layers, Func<int, bool> slides, int window,
        Rope? rope) =>
        layers.Select((layer, i) => slides(i) ? new AttentionLayer(window, rope) : layer).ToValueList();

    /// <summary>Whether the list of kinds says that a layer has a window.</summary>
    internal static bool Slides(ModelKeys keys, string[] kinds, int layer) => layer < kinds.Length && kinds[layer] is "sliding_attention" or "full_attention"
        ? kinds[layer] == "sliding_attention"
        : throw keys.Wrong("layer_types", $"does not say 'sliding_attention' or 'full_attention' of layer {layer}");
}

/// <summary>The text part of Gemma 3: normalised heads, five layers with a window for one without, each kind with its own rotary
/// positions.</summary>
/// <remarks>Gemma team 2025, arXiv:2503.19786.</remarks>
public sealed class Gemma3Family : ModelFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> ModelTypes => ["gemma3_text", Whole];

    // The models that see pictures, all but the smallest: the part that reads and writes texts is as in the others.
    const string Whole = "gemma3";

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["gemma3"];

    /// <inheritdoc/>
    public override DecoderConfig Read(JsonKeys keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        if (keys.Family != Whole) return ReadText(keys);
        keys.Ignore("vision_config", "mm_tokens_per_image", "boi_token_index", "eoi_token_index", "image_token_index");
        keys.Ignore("boi_token_id", "eoi_token_id", "image_token_id");
        keys.Allow("tie_word_embeddings", true);
        var text = keys.Part("text_config") ?? throw keys.Wrong("text_config", "is missing, which describes what reads texts");
        text.Ignore(Bookkeeping);
        var config = ReadText(text);
        text.ThrowIfUnread();
        return config;
    }

    static DecoderConfig ReadText(ModelKeys keys)
    {
        int headWidth = keys.Integer("head_dim", 256);
        var (near, far) = Ropes(keys, headWidth);
        var config = Gemma2Family.Common("gemma3", keys, far) with { HeadNorms = true };
        int window = keys.Integer("sliding_window", 4096), period =
            keys.Integer("sliding_window_pattern", keys.Integer("_sliding_window_pattern", 6));
        string[]? kinds = keys.Texts("layer_types");
        return config with
        {
            Layers = Gemma2Family.Alternating(config.Layers,
                i => kinds is null ? (i + 1) % period != 0 : Gemma2Family.Slides(keys, kinds, i), window, near),
        };
    }

    /// <inheritdoc/>
    public override DecoderConfig Read(GgufKeys keys, Gguf file)
    {
        var config = Gemma2Family.Common(GgufDecoder.Read(keys, file, "gemma3", interleaved: false), keys, largest: 62);
        const string Pattern = "attention.sliding_window_pattern";
        int window = keys.Integer("attention.sliding_window", 4096);
        bool[]? slides = keys.IsList(Pattern) ? keys.Flags(Pattern) : null;
        int period = slides is null ? keys.Integer(Pattern, 6) : 0;
        if (slides is not null && slides.Length != config.Layers.Count)
            throw keys.Wrong(Pattern, $"has {slides.Length} entries for {config.Layers.Count} layers");
        var near = Rope.Plain(config.HeadWidth, keys.Number("rope.freq_base_swa", 10000));
        return config with
        {
            Layers = Gemma2Family.Alternating(config.Layers, i => slides?[i] ?? (i + 1) % period != 0, window, near),
        };
    }

    /// <inheritdoc/>
    public override DecoderNames Names(bool isGguf) => isGguf ? DecoderNames.Gguf : DecoderNames.HuggingFace with
    {
        FeedForwardNorm = "pre_feedforward_layernorm",
    };

    /// <inheritdoc/>
    public override DecoderLoader Loader(DecoderConfig config, bool isGguf, WeightReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        // Older checkpoints have the whole text model in a part, newer ones its layers.
        string? path = isGguf ? null
            : ((string[])["language_model.model.", "model.language_model."]).FirstOrDefault(prefix =>
                reader.Has($"{prefix}embed_tokens.weight"));
        if (path is null) return base.Loader(config, isGguf, reader);
        reader.Skip(name => name.StartsWith("vision_tower.", StringComparison.Ordinal)
            || name.StartsWith("multi_modal_projector.", StringComparison.Ordinal)
            || name.StartsWith("model.vision_tower.", StringComparison.Ordinal)
            || name.StartsWith("model.multi_modal_projector.", StringComparison.Ordinal));
        bool isOlder = path.StartsWith("language_model.", StringComparison.Ordinal);
        return new(config, Names(isGguf) with
        {
            Embedding = $"{path}embed_tokens",
            Layer = $"{path}layers.{{0}}.",
            FinalNorm = $"{path}norm",
            Head = isOlder ? "language_model.lm_head" : "lm_head",
        }, reader);
    }

    static (Rope Near, Rope Far) Ropes(ModelKeys keys, int width)
    {
        // newer files have an object for each kind of layer
        if (!keys.Has("rope_parameters"))
            return (Rope.Plain(width, keys.Number("rope_local_base_freq", 10000)), LlamaFamily.RopeOf(keys, width, usual: 1e6));
        var both = keys.Part("rope_parameters")!;
        var (near, far) = (both.Part("sliding_attention"), both.Part("full_attention"));
        both.ThrowIfUnread();
        if (near is null || far is null)
            throw keys.Wrong("rope_parameters", "does not say both sliding_attention and full_attention");
        return (Of(near), Of(far));

        Rope Of(ModelKeys part)
        {
            double theta = part.Number("rope_theta");
            part.Ignore("type", "rope_type");
            var rope = LlamaFamily.Stretched(Rope.Plain(width, theta), theta, keys, part);
            part.ThrowIfUnread();
            return rope;
        }
    }
}
