using Ashlar.Formats;
using Ashlar.Models.Llama;

namespace Ashlar.Models.Glm;

/// <summary>GLM-4: half of each head is rotated, in neighbouring pairs; gate and up are one matrix.</summary>
/// <remarks>GLM team 2024, arXiv:2406.12793.</remarks>
public sealed class GlmFamily : ModelFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> ModelTypes => ["glm"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["chatglm"];

    /// <inheritdoc/>
    public override DecoderConfig Read(JsonKeys keys) => Common("glm", keys);

    /// <inheritdoc/>
    public override DecoderConfig Read(GgufKeys keys, Gguf file) => GgufDecoder.Read(keys, file, "glm", interleaved: true) with
    {
        FusedGateUp = true,
    };

    internal static DecoderConfig Common(string family, JsonKeys keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        return LlamaFamily.Common(family, keys, keys.Number("partial_rotary_factor", 0.5), interleaved: true) with
        {
            QkvBias = keys.Flag("attention_bias", false),
            FusedGateUp = true,
        };
    }
}

/// <summary>GLM-4-0414: GLM-4 with norms after each part too.</summary>
/// <remarks>Z.ai 2025; the model's published code.</remarks>
public sealed class Glm4Family : ModelFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> ModelTypes => ["glm4"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["glm4"];

    /// <inheritdoc/>
    public override DecoderConfig Read(JsonKeys keys) => GlmFamily.Common("glm4", keys) with { PostNorms = true };

    /// <inheritdoc/>
    public override DecoderConfig Read(GgufKeys keys, Gguf file) =>
        GgufDecoder.Read(keys, file, "glm4", interleaved: true) with { FusedGateUp = true, PostNorms = true };

    /// <inheritdoc/>
    public override DecoderNames Names(bool isGguf) => isGguf ? DecoderNames.Gguf : DecoderNames.HuggingFace with
    {
        AttentionPostNorm = "post_self_attn_layernorm",
        FeedForwardPostNorm = "post_mlp_layernorm",
    };
}
