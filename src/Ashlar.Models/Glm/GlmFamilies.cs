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
    public override DecoderConfig Read(GgufKeys keys, Gguf file) => GgufDecoder.Read(keys, file, "glm", interleaved: true) with { FusedGateUp = true };

    internal static DecoderConfig Common(string family, JsonKeys keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        int width = keys.Integer("hidden_size"), heads = keys.Integer("num_attention_heads"), headWidth = keys.Integer("head_dim", width / Math.Max(1, heads));
        keys.Allow("hidden_act", "silu");
        var rope = LlamaFamily.RopeOf(keys, (int)(headWidth * keys.Number("partial_rotary_factor", 0.5)), interleaved: true);
        return new()
        {
            Family = family,
            Width = width,
            Heads = heads,
            KvHeads = keys.Integer("num_key_value_heads", heads),
            HeadWidth = headWidth,
            FeedForward = keys.Integer("intermediate_size"),
            Vocabulary = keys.Integer("vocab_size"),
            Context = keys.Integer("max_position_embeddings"),
            Layers = Enumerable.Repeat(new AttentionLayer(null, rope), keys.Integer("num_hidden_layers")).ToValueList(),
            NormEpsilon = keys.Number("rms_norm_eps"),
            QkvBias = keys.Flag("attention_bias", false),
            FusedGateUp = true,
            TiedEmbeddings = keys.Flag("tie_word_embeddings", false),
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
