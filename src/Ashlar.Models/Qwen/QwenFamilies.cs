using Ashlar.Formats;
using Ashlar.Models.Llama;

namespace Ashlar.Models.Qwen;

/// <summary>Qwen 2 and 2.5: Llama with biases of query, key and value.</summary>
/// <remarks>Qwen team 2024, arXiv:2407.10671 and arXiv:2412.15115.</remarks>
public sealed class Qwen2Family : ModelFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> ModelTypes => ["qwen2"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["qwen2"];

    /// <inheritdoc/>
    public override DecoderConfig Read(JsonKeys keys) => Windowed(LlamaFamily.Common("qwen2", keys), keys) with
    {
        QkvBias = true,
    };

    /// <inheritdoc/>
    public override DecoderConfig Read(GgufKeys keys, Gguf file)
    {
        ArgumentNullException.ThrowIfNull(keys);
        return GgufDecoder.Read(keys, file, "qwen2", interleaved: false);
    }

    /// <summary>Layers from <c>max_window_layers</c> on have a window, where <c>use_sliding_window</c> says so at all.</summary>
    internal static DecoderConfig Windowed(DecoderConfig config, JsonKeys keys)
    {
        bool isUsed = keys.Flag("use_sliding_window", false);
        keys.Allow("use_mrope", false);   // of models that see pictures
        int? window = keys.IntegerOrNone("sliding_window");
        int first = keys.Integer("max_window_layers", 0);
        string[]? kinds = keys.Texts("layer_types");
        return config with
        {
            Layers = config.Layers.Select((layer, i) =>
                layer with
                {
                    Window = isUsed && (kinds is null ? i >= first : kinds[i] == "sliding_attention") ? window : null,
                }).ToValueList(),
        };
    }
}

/// <summary>Qwen 2 with experts: a layer that every token takes, weighed by a gate of its own, beside those that a router
/// chooses.</summary>
/// <remarks>Qwen team 2024, arXiv:2407.10671, section 2.2.2.</remarks>
public sealed class Qwen2MoeFamily : ModelFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> ModelTypes => ["qwen2_moe"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["qwen2moe"];

    /// <inheritdoc/>
    public override DecoderConfig Read(JsonKeys keys) =>
        Sparse(Qwen2Family.Windowed(LlamaFamily.Common("qwen2_moe", keys), keys), keys) with
        {
            QkvBias = true,
        };

    /// <inheritdoc/>
    public override DecoderConfig Read(GgufKeys keys, Gguf file)
    {
        ArgumentNullException.ThrowIfNull(keys);
        return GgufDecoder.Read(keys, file, "qwen2_moe", interleaved: false) with
        {
            Experts =
                new(keys.Integer("expert_count"), keys.Integer("expert_used_count"), keys.Integer("expert_feed_forward_length"))
                {
                    SharedWidth = keys.Integer("expert_shared_feed_forward_length"),
                    SharedGate = true,
                },
        };
    }

    /// <summary>Experts in every layer, or in every n-th, but for those that are named.</summary>
    internal static DecoderConfig Sparse(DecoderConfig config, JsonKeys keys)
    {
        int step = keys.Integer("decoder_sparse_step", 1), shared = keys.Integer("shared_expert_intermediate_size", 0);
        double[] dense = keys.Numbers("mlp_only_layers") ?? [];
        return config with
        {
            Experts = new(keys.Integer("num_experts"), keys.Integer("num_experts_per_tok"), keys.Integer("moe_intermediate_size"))
            {
                Renormalize = keys.Flag("norm_topk_prob", false),
                SharedWidth = shared,
                SharedGate = shared > 0,
            },
            ExpertLayers = Enumerable.Range(0, config.Layers.Count).Select(i => step > 0 && (i + 1) % step == 0
                && !dense.Contains(i)).ToValueList(),
        };
    }
}

/// <summary>Qwen 3: a norm of each query and key head in place of Qwen 2's biases.</summary>
/// <remarks>Qwen team 2025, arXiv:2505.09388.</remarks>
public sealed class Qwen3Family : ModelFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> ModelTypes => ["qwen3"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["qwen3"];

    /// <inheritdoc/>
    public override DecoderConfig Read(JsonKeys keys) =>
        Normed(Qwen2Family.Windowed(LlamaFamily.Common("qwen3", keys), keys), keys);

    /// <inheritdoc/>
    public override DecoderConfig Read(GgufKeys keys, Gguf file)
    {
        ArgumentNullException.ThrowIfNull(keys);
        return GgufDecoder.Read(keys, file, "qwen3", interleaved: false);
    }

    internal static DecoderConfig Normed(DecoderConfig config, JsonKeys keys) => config with
    {
        HeadNorms = true,
        QkvBias = keys.Flag("attention_bias", false),
        OutputBias = keys.Flag("attention_bias", false),
    };
}

/// <summary>Qwen 3 with experts, none of them shared.</summary>
/// <remarks>Qwen team 2025, arXiv:2505.09388.</remarks>
public sealed class Qwen3MoeFamily : ModelFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> ModelTypes => ["qwen3_moe"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["qwen3moe"];

    /// <inheritdoc/>
    public override DecoderConfig Read(JsonKeys keys) =>
        Qwen2MoeFamily.Sparse(Qwen3Family.Normed(Qwen2Family.Windowed(LlamaFamily.Common("qwen3_moe", keys), keys), keys), keys);

    /// <inheritdoc/>
    public override DecoderConfig Read(GgufKeys keys, Gguf file)
    {
        ArgumentNullException.ThrowIfNull(keys);
        return GgufDecoder.Read(keys, file, "qwen3_moe", interleaved: false) with
        {
            Experts =
                new(keys.Integer("expert_count"), keys.Integer("expert_used_count"), keys.Integer("expert_feed_forward_length"))
                {
                    Renormalize = true,
                },
        };
    }
}
