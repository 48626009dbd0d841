using Ashlar.Formats;
using Ashlar.Models.Llama;

namespace Ashlar.Models.GptOss;

/// <summary>GPT-OSS: experts in four-bit floats, heads with a score that has no value, every other layer with a short
/// window.</summary>
/// <remarks>OpenAI 2025, arXiv:2508.10925.</remarks>
public sealed class GptOssFamily : ModelFamily
{
    /// <inheritdoc/>
    public override IReadOnlyList<string> ModelTypes => ["gpt_oss"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> Architectures => ["gpt-oss"];

    /// <inheritdoc/>
    public override DecoderConfig Read(JsonKeys keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        var config = LlamaFamily.Common("gpt-oss", keys);
        keys.Allow("swiglu_limit", 7.0);
        keys.Ignore("experts_per_token", "initial_context_length");   // once more the same
        int window = keys.Integer("sliding_window", 128);
        string[]? kinds = keys.Texts("layer_types");
        bool bias = keys.Flag("attention_bias", true);
        bool Slides(int layer) => kinds is null ? layer % 2 == 0 : Gemma.Gemma2Family.Slides(keys, kinds, layer);
        return Common(config with { QkvBias = bias, OutputBias = bias }, keys.Integer("num_local_experts"),
            keys.Integer("num_experts_per_tok"), window, Slides);
    }

    private protected override void AllowStorage(ModelKeys storage) => storage.Allow("quant_method", "mxfp4");

    /// <inheritdoc/>
    public override DecoderConfig Read(GgufKeys keys, Gguf file)
    {
        ArgumentNullException.ThrowIfNull(keys);
        var config = GgufDecoder.Read(keys, file, "gpt-oss", interleaved: false, truncate: false);
        int experts = keys.Integer("expert_count"), used = keys.Integer("expert_used_count"),
            inner = keys.Integer("expert_feed_forward_length", config.FeedForward);
        return Common(config with { FeedForward = inner }, experts, used, keys.Integer("attention.sliding_window"),
            layer => layer % 2 == 0);
    }

    /// <inheritdoc/>
    public override DecoderNames Names(bool isGguf) => isGguf
        ? DecoderNames.Gguf with { FeedForwardNorm = "post_attention_norm" } : DecoderNames.HuggingFace with
        {
            Router =
            "mlp.router"
        };

    /// <inheritdoc/>
    public override DecoderLoader Loader(DecoderConfig config, bool isGguf, WeightReader reader) =>
        isGguf ? base.Loader(config, isGguf, reader) : new GptOssLoader(config, Names(isGguf), reader);

    static DecoderConfig Common(DecoderConfig config, int experts, int used, int window, Func<int, bool> slides) => config with
    {
        Sinks = true,
        Activation = ActivationKind.ClampedSwiGlu,
        Experts = new(experts, used, config.FeedForward) { SoftmaxOfChosen = true, RouterBias = true, Bias = true },
        Layers = config.Layers.Select((layer, i) => layer with { Window = slides(i) ? window : null }).ToValueList(),
    };
}

/// <summary>Reads the experts of published checkpoints: one weight for all, in which outputs of gate and up take turns; as blocks
/// of four-bit floats, or as numbers [experts, inputs, outputs].</summary>
sealed class GptOssLoader(DecoderConfig config, DecoderNames names, WeightReader reader) : DecoderLoader(config, names, reader)
{
    const int Block = 32, BlockBytes = Block / 2;

    protected override IFeedForward Experts(string path)
    {
        var experts = Config.Experts!;
        return new ExpertFeedForward(experts, Config.Activation,
            Linear(Config.Width, bias: true, (path + Names.Router, experts.Count)),
            Matrices($"{path}mlp.experts.gate_up_proj", 2 * experts.Width, Config.Width, step: 2),
            Matrices($"{path}mlp.experts.down_proj", Config.Width, experts.Width, step: 1));
    }

    // Outputs that take turns come to lie in runs: all gates, then all that they weigh.
    ExpertProjection Matrices(string name, int outputs, int inputs, int step)
    {
        int count = Config.Experts!.Count, run = outputs / step;
        float[] bias = Reader.Numbers($"{name}_bias", count, outputs), turned = new float[bias.Length];
        for (int i = 0; i < bias.Length; i++) turned[i] = bias[i / outputs * outputs + From(i % outputs)];
        var added = Tensor.From<float>(turned, [count, outputs]);

        if (Reader.Has(name))
        {
            var entry = Reader.Entry(name, count, inputs, outputs);
            WeightEntry[] slices = [.. Enumerable.Range(0, count).Select(expert => WeightReader.Slice(entry, expert))];
            return Reader.Rearranged(slices, count, outputs, inputs, (numbers, _, output, row) =>
            {
                for (int i = 0; i < inputs; i++) row[i] = numbers[i * outputs + From(output)];
            }, added);
        }
        if (inputs % Block != 0)
            throw new ModelException("ASH0342", $"'{name}' has {inputs} inputs, which are no whole number of blocks of {Block}.",
                "check the config.");
        int perRow = inputs / Block;
        var blocks = Reader.Entry($"{name}_blocks", count, outputs, perRow, BlockBytes);
        var scales = Reader.Entry($"{name}_scales", count, outputs, perRow);
        if (blocks.Type != WeightType.U8 || scales.Type != WeightType.U8)
            throw new ModelException("ASH0342", $"{blocks} and {scales} are not bytes.", "check the file.");
        return Reader.Packed([blocks, scales], WeightEncoding.Int4(Block, table: WeightTable.E2M1),
            [.. Enumerable.Range(0, count).Select(expert =>
            WeightSource.OfBlocks(outputs, inputs, Block, (first, rows, codes, powers, _) =>
            {
                for (int r = 0; r < rows; r++)
                {
                    long row = ((long)expert * outputs + From((int)first + r)) * perRow;
                    var packed = Reader.File.Span(blocks, row * BlockBytes, perRow * BlockBytes);
                    var exponents = Reader.File.Span(scales, row, perRow);
                    // low halves are even inputs
                    for (int i = 0; i < inputs; i++) codes[r * inputs + i] = (byte)(packed[i / 2] >> i % 2 * 4 & 15);
                    for (int b = 0; b < perRow; b++) powers[r * perRow + b] = MathF.ScaleB(1, exponents[b] - 127);
                }
            }))], added);

        int From(int output) => output % run * step + output / run;
    }
}
