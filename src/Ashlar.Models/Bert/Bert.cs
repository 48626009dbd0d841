using Ashlar.NN;

namespace Ashlar.Models;

/// <summary>An encoder: each token sees the whole text, and what comes out says what the text is about. For embeddings.</summary>
/// <remarks>
/// Names of weights: <c>tokens</c>, <c>places</c>, <c>parts</c>, <c>norm</c>, then per block <c>layers.0.attn.c_attn</c>,
/// <c>layers.0.attn.c_proj</c>, <c>layers.0.norm_1</c>, <c>layers.0.mlp.c_fc</c>, <c>layers.0.mlp.c_proj</c>,
/// <c>layers.0.norm_2</c>; norms follow what is added. B batch, T tokens. Sources: Devlin et al. 2018, arXiv:1810.04805; with
/// rotary positions and SwiGLU Nussbaum et al. 2024, arXiv:2402.01613; as an embedding Reimers and Gurevych 2019,
/// arXiv:1908.10084.
/// </remarks>
public sealed class Bert
{
    readonly Embedding tokenTable, partTable;
    readonly Embedding? placeTable;
    readonly LayerNorm norm;
    readonly (Attention Attention, LayerNorm Norm1, Mlp Mlp, LayerNorm Norm2)[] layers;

    /// <summary>Asks for the parameters.</summary>
    /// <param name="weights">New ones, or those of a file: <see cref="BertFiles"/>.</param>
    /// <param name="config">Sizes and kinds.</param>
    /// <exception cref="ModelException">The config contradicts itself, or the weights are of another model.</exception>
    public Bert(Weights weights, BertConfig config)
    {
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(config);
        config.Check();
        Config = config;
        tokenTable = new(weights.Scope("tokens"), config.Vocabulary, config.Width);
        partTable = new(weights.Scope("parts"), config.Parts, config.Width);
        placeTable = config.RotaryBase is null ? new(weights.Scope("places"), config.Context, config.Width) : null;
        norm = new(weights.Scope("norm"), config.Width, config.Epsilon);
        var rotary = config.RotaryBase is { } turns ? new Rotary(config.Width / config.Heads, config.Context, turns) : null;
        layers = [.. Enumerable.Range(0, config.Layers).Select(i => Layer(weights.Scope($"layers.{i}"), config, rotary))];
    }

    /// <summary>Sizes and kinds.</summary>
    public BertConfig Config { get; }

    /// <summary>What the encoder says of each token.</summary>
    /// <param name="tokens">[B, T], integers from 0 to below the vocabulary; T at most the context. All texts are equally
    /// long.</param>
    /// <returns>[B, T, width]</returns>
    /// <exception cref="ModelException">ASH0347: there are more tokens than the context holds.</exception>
    public Tensor Hidden(Tensor tokens)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        if (tokens.Rank != 2 || tokens.Shape[1].Max > Config.Context)
            throw new ModelException("ASH0347",
                $"an encoder of {Config.Context} tokens of context was given {tokens.Type}.",
                "pass [batch, tokens], and cut longer texts into pieces.");
        var x = tokenTable.Forward(tokens) + partTable.Weight.Value.Narrow(0, 0, 1);
        if (placeTable is not null) x += placeTable.Weight.Value.Narrow(0, 0, tokens.Shape[1]);
        x = norm.Forward(x);
        foreach (var (attention, norm1, mlp, norm2) in layers)
        {
            x = norm1.Forward(x + attention.Forward(x));
            x = norm2.Forward(x + mlp.Forward(x));
        }
        return x;
    }

    /// <summary>One vector for each text.</summary>
    /// <param name="tokens">[B, T], with the tokens that stand for beginning and end.</param>
    /// <returns>[B, width]</returns>
    /// <exception cref="ModelException">ASH0347: there are more tokens than the context holds.</exception>
    public Tensor Embed(Tensor tokens)
    {
        var hidden = Hidden(tokens);
        var vector = Config.Pooling == Pooling.First ? hidden.Narrow(1, 0, 1).Squeeze(1) : hidden.Mean(1);
        return Config.Normalises ? vector * (vector.Square().Sum(-1, keepAxis: true) + 1e-24).Rsqrt() : vector;
    }

    static (Attention, LayerNorm, Mlp, LayerNorm) Layer(Weights weights, BertConfig config, Rotary? rotary) => (
        new(weights.Scope("attn"), new(config.Width, config.Heads) { IsCausal = false, Bias = config.Bias }, rotary),
        new(weights.Scope("norm_1"), config.Width, config.Epsilon),
        new(weights.Scope("mlp"), config.Width, config.Hidden, config.Activation, config.Bias),
        new(weights.Scope("norm_2"), config.Width, config.Epsilon));
}
