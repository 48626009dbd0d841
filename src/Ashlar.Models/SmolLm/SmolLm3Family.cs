using Ashlar.Formats;
using Ashlar.Models.Llama;

namespace Ashlar.Models.SmolLm;

/// <summary>SmolLM 3: Llama, some of whose layers know no positions; SmolLM 1 and 2 are Llamas.</summary>
/// <remarks>Hugging Face 2025; layers without positions: Yang et al. 2025, arXiv:2501.18795.</remarks>
public sealed class SmolLm3Family : ModelFamily
{
    const int Period = 4;

    /// <inheritdoc/>
    public override IReadOnlyList<string> ModelTypes => ["smollm3"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["smollm3"];

    /// <inheritdoc/>
    public override DecoderConfig Read(JsonKeys keys)
    {
        var config = LlamaFamily.Common("smollm3", keys);
        int period = keys.Integer("no_rope_layer_interval", Period);
        // 1 is a layer that does turn, in spite of the name
        double[] turns = keys.Numbers("no_rope_layers")
            ?? [.. Enumerable.Range(1, config.Layers.Count).Select(layer => layer % period == 0 ? 0.0 : 1)];
        if (turns.Length != config.Layers.Count)
            throw keys.Wrong("no_rope_layers", $"has {turns.Length} entries for {config.Layers.Count} layers");
        bool bias = keys.Flag("attention_bias", false);
        keys.Allow("use_sliding_window", false);
        keys.Ignore("sliding_window", "max_window_layers", "layer_types");   // without effect then
        return WithoutRope(config, layer => turns[layer] == 0) with
        {
            QkvBias = bias,
            OutputBias = bias,
            FeedForwardBias = keys.Flag("mlp_bias", false),
            TiedEmbeddings = keys.Flag("tie_word_embeddings", true),   // files may leave out what is usual
        };
    }

    /// <inheritdoc/>
    public override DecoderConfig Read(GgufKeys keys, Gguf file) =>
        WithoutRope(GgufDecoder.Read(keys, file, "smollm3", interleaved: true), layer => (layer + 1) % Period == 0);

    static DecoderConfig WithoutRope(DecoderConfig config, Func<int, bool> isWithout) =>
        config with
        {
            Layers = config.Layers.Select((layer, i) => isWithout(i) ? layer with { Rope = null } : layer).ToValueList(),
        };
}
