using Ashlar.Models.Llama;

namespace Ashlar.Models.Mistral;

/// <summary>Mistral: Llama with a window of attention in its first version, and heads of their own width in later ones.</summary>
/// <remarks>Jiang et al. 2023, arXiv:2310.06825. GGUF files call it llama.</remarks>
public sealed class MistralFamily : ModelFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> ModelTypes => ["mistral"];

    /// <inheritdoc/>
    public override DecoderConfig Read(JsonKeys keys) => Windowed(LlamaFamily.Common("mistral", keys), keys);

    internal static DecoderConfig Windowed(DecoderConfig config, JsonKeys keys)
    {
        int? window = keys.IntegerOrNone("sliding_window");
        return config with { Layers = config.Layers.Select(layer => layer with { Window = window }).ToValueList() };
    }
}

/// <summary>Mixtral: Mistral with eight experts, of which each token takes two.</summary>
/// <remarks>Jiang et al. 2024, arXiv:2401.04088. GGUF files call it llama.</remarks>
public sealed class MixtralFamily : ModelFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> ModelTypes => ["mixtral"];

    /// <inheritdoc/>
    public override DecoderConfig Read(JsonKeys keys)
    {
        var config = MistralFamily.Windowed(LlamaFamily.Common("mixtral", keys), keys);
        keys.Ignore("router_jitter_noise");   // of training
        return config with
        {
            Experts = new(keys.Integer("num_local_experts"), keys.Integer("num_experts_per_tok"), config.FeedForward)
            {
                SoftmaxOfChosen = true,
            },
        };
    }

    /// <inheritdoc/>
    public override DecoderNames Names(bool isGguf) => DecoderNames.HuggingFace with
    {
        Router = "block_sparse_moe.gate",
        ExpertGate = "block_sparse_moe.experts.{0}.w1",
        ExpertUp = "block_sparse_moe.experts.{0}.w3",
        ExpertDown = "block_sparse_moe.experts.{0}.w2",
    };
}
