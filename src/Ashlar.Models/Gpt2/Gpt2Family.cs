using Ashlar.Formats;

namespace Ashlar.Models.Gpt2;

/// <summary>GPT-2: learned positions, layer norms, biases everywhere, no gates.</summary>
/// <remarks>Radford et al. 2019, "Language models are unsupervised multitask learners".</remarks>
public sealed class Gpt2Family : ModelFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> ModelTypes => ["gpt2"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["gpt2"];

    /// <inheritdoc/>
    public override DecoderConfig Read(JsonKeys keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        int width = keys.Integer("n_embd"), heads = keys.Integer("n_head");
        foreach (string key in (string[])["scale_attn_by_inverse_layer_idx", "add_cross_attention"]) keys.Allow(key, false);
        keys.Allow("scale_attn_weights", true);
        keys.Ignore("n_ctx", "reorder_and_upcast_attn", "summary_type", "summary_use_proj", "summary_activation",
            "summary_proj_to_labels", "summary_first_dropout");
        return Common(new()
        {
            Family = "gpt2",
            Width = width,
            Heads = heads,
            KvHeads = heads,
            HeadWidth = width / Math.Max(1, heads),
            FeedForward = keys.Integer("n_inner", 4 * width),
            Vocabulary = keys.Integer("vocab_size"),
            Context = keys.Integer("n_positions"),
            Layers = Enumerable.Repeat(new AttentionLayer(null, null), keys.Layers("n_layer")).ToValueList(),
            NormEpsilon = keys.Number("layer_norm_epsilon", 1e-5),
            TiedEmbeddings = keys.Flag("tie_word_embeddings", true),
            Activation = keys.Text("activation_function", "gelu_new") switch
            {
                "gelu_new" or "gelu_pytorch_tanh" or "gelu_fast" => ActivationKind.GeluTanh,
                "gelu" => ActivationKind.Gelu,
                var other =>
                    throw keys.Unsupported("activation_function", other,
                        "gelu_new, gelu_pytorch_tanh, gelu_fast and gelu are computed"),
            },
        });
    }

    /// <inheritdoc/>
    public override DecoderConfig Read(GgufKeys keys, Gguf file)
    {
        var config = GgufDecoder.Read(keys, file, "gpt2", interleaved: false) with { Activation = ActivationKind.GeluTanh };
        return Common(config with { Layers = config.Layers.Select(layer => layer with { Rope = null }).ToValueList() });
    }

    /// <inheritdoc/>
    public override DecoderNames Names(bool isGguf) => isGguf ? DecoderNames.Gguf : Published("");

    /// <inheritdoc/>
    public override DecoderLoader Loader(DecoderConfig config, bool isGguf, WeightReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        if (isGguf) return base.Loader(config, isGguf, reader);
        // masks, which some files keep
        reader.Skip(name => name.EndsWith(".attn.bias", StringComparison.Ordinal)
            || name.EndsWith(".attn.masked_bias", StringComparison.Ordinal));
        return new Gpt2Loader(config, Published(reader.Has("transformer.wte.weight") ? "transformer." : ""), reader);
    }

    static DecoderNames Published(string prefix) => new()
    {
        Embedding = $"{prefix}wte",
        Positions = $"{prefix}wpe",
        FinalNorm = $"{prefix}ln_f",
        Layer = $"{prefix}h.{{0}}.",
        AttentionNorm = "ln_1",
        FeedForwardNorm = "ln_2",
        Qkv = "attn.c_attn",
        Output = "attn.c_proj",
        Up = "mlp.c_fc",
        Down = "mlp.c_proj",
    };

    static DecoderConfig Common(DecoderConfig config) => config with
    {
        Norm = NormKind.Layer,
        QkvBias = true,
        OutputBias = true,
        FeedForwardBias = true,
        FusedQkv = true,
        Gated = false,
        LearnedPositions = true,
    };
}

/// <summary>Reads matrices that lie as [inputs, outputs], unlike everyone else's.</summary>
sealed class Gpt2Loader(DecoderConfig config, DecoderNames names, WeightReader reader) : DecoderLoader(config, names, reader)
{
    protected override Projection Linear(long inputs, bool bias, params (string Name, long Outputs)[] parts)
    {
        var (name, outputs) = parts.Single();
        var entry = Reader.Entry($"{name}.weight", inputs, outputs);
        var added = bias ? Reader.Dense($"{name}.bias", outputs) : null;
        return Reader.Rearranged(entry, (int)outputs, (int)inputs, (numbers, _, output, row) =>
        {
            for (int i = 0; i < row.Length; i++) row[i] = numbers[i * (int)outputs + output];
        }, added);
    }
}
