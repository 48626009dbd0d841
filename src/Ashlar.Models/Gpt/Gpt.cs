using Ashlar.NN;

namespace Ashlar.Models;

/// <summary>A transformer that predicts the next token: GPT-2, nanoGPT, or their modern variant, as its config says.</summary>
/// <remarks>
/// Names and layouts of weights are those of the published GPT-2: <c>wte</c>, <c>wpe</c>, <c>h.0.ln_1</c>,
/// <c>h.0.attn.c_attn</c>, <c>h.0.attn.c_proj</c>, <c>h.0.ln_2</c>, <c>h.0.mlp.c_fc</c>, <c>h.0.mlp.c_proj</c>, <c>ln_f</c>;
/// matrices are [inputs, outputs], tables [tokens, width], also that of an own head, <c>lm_head</c>. They begin as nanoGPT's:
/// normal with deviation 0.02, what blocks add with <c>0.02 / sqrt(2 layers)</c>, biases 0. B batch, T tokens, V vocabulary.
/// Source: Radford et al. 2019, "Language models are unsupervised multitask learners".
/// </remarks>
public sealed class Gpt
{
    readonly Embedding tokenTable;
    readonly Embedding? placeTable;
    readonly Block[] blocks;
    readonly Func<Tensor, Tensor> norm;
    readonly Embedding head;
    readonly Dropout dropout;

    /// <summary>Asks for the parameters.</summary>
    /// <param name="weights">New ones, or those of a file.</param>
    /// <param name="config">Sizes and kinds.</param>
    /// <exception cref="ModelException">The config contradicts itself, or the weights are of another model.</exception>
    public Gpt(Weights weights, GptConfig config)
    {
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(config);
        config.Check();
        Config = config;
        var initial = Initial.Normal(0.02);
        var rotary = config.Positions == Positions.Learned ? null
            : new Rotary(config.Width / config.Heads, config.Context, config.RotaryBase);
        tokenTable = new(weights.Scope("wte"), config.Vocabulary, config.Width, initial);
        placeTable = rotary is null ? new(weights.Scope("wpe"), config.Context, config.Width, initial) : null;
        dropout = new(config.Dropout, Seed(config, 0, 0));
        blocks = [.. Enumerable.Range(0, config.Layers)
            .Select(layer => new Block(weights.Scope($"h.{layer}"), config, layer, rotary))];
        norm = Norm(weights.Scope("ln_f"), config);
        head = config.TiedEmbeddings ? tokenTable : new(weights.Scope("lm_head"), config.Vocabulary, config.Width, initial);
    }

    /// <summary>Sizes and kinds.</summary>
    public GptConfig Config { get; }

    /// <summary>For every token, how likely each token is to follow it.</summary>
    /// <param name="tokens">[B, T], integers from 0 to below the vocabulary; T at most the context.</param>
    /// <param name="dropoutKey">An integer scalar that differs from step to step, such as <c>optimizer.Count.Value</c>; null, as
    /// in evaluation, drops nothing.</param>
    /// <returns>[B, T, V], logits: unnormalised logarithms of probabilities.</returns>
    /// <exception cref="ModelException">There are more tokens than the context holds.</exception>
    public Tensor Forward(Tensor tokens, Tensor? dropoutKey = null) => Logits(Hidden(tokens, dropoutKey));

    /// <summary>What the model knows at each token, before the head.</summary>
    /// <param name="tokens">[B, T], integers from 0 to below the vocabulary; T at most the context.</param>
    /// <param name="dropoutKey">Null drops nothing.</param>
    /// <returns>[B, T, width]</returns>
    /// <exception cref="ModelException">There are more tokens than the context holds.</exception>
    public Tensor Hidden(Tensor tokens, Tensor? dropoutKey = null)
    {
        CheckTokens(tokens);
        var x = tokenTable.Forward(tokens);
        if (placeTable is not null) x += placeTable.Weight.Value.Narrow(0, 0, tokens.Shape[1]);
        x = dropout.Forward(Flow(x), dropoutKey);
        foreach (var block in blocks) x = block.Forward(x, dropoutKey);
        return norm(x);
    }

    /// <summary>An empty cache for this model.</summary>
    /// <param name="batch">Texts that are read side by side, all of the same length.</param>
    /// <param name="capacity">The most tokens of each; null: the context.</param>
    /// <exception cref="ModelException">The capacity is greater than the context.</exception>
    public KvCache NewCache(int batch = 1, int? capacity = null)
    {
        if (capacity > Config.Context)
            throw new ModelException("ASH0347",
                $"a cache of {capacity} tokens is more than the context of {Config.Context}.",
                "leave the capacity out: it is the context then.");
        return new(Config.Layers, batch, capacity ?? Config.Context, Config.KvHeads ?? Config.Heads, Config.Width / Config.Heads,
            Config.ActivationDType ?? tokenTable.Weight.DType);
    }

    /// <summary>The same as without a cache, for new tokens that follow those in the cache; adds them to it.</summary>
    /// <param name="tokens">[B, T], the new tokens: a prompt, or the one that was chosen last.</param>
    /// <param name="cache">Of <see cref="NewCache"/>.</param>
    /// <param name="position">An int32 scalar: how many tokens stand before the new ones. An argument of the compiled step, so
    /// that one program serves all.</param>
    /// <returns>[B, T, V], logits of the new tokens.</returns>
    /// <exception cref="ModelException">The cache is of another model or batch, or there are more tokens than it
    /// holds.</exception>
    public Tensor Forward(Tensor tokens, KvCache cache, Tensor position) => Logits(Hidden(tokens, cache, position));

    /// <summary>Which token comes next: the logits of the last new token alone, which saves the head's work for the
    /// others.</summary>
    /// <param name="tokens">[B, T], the new tokens.</param>
    /// <param name="cache">Of <see cref="NewCache"/>.</param>
    /// <param name="position">An int32 scalar: how many tokens stand before the new ones.</param>
    /// <returns>[B, V]</returns>
    /// <exception cref="ModelException">The cache is of another model or batch, or there are more tokens than it
    /// holds.</exception>
    public Tensor NextLogits(Tensor tokens, KvCache cache, Tensor position) =>
        Logits(Hidden(tokens, cache, position).Narrow(1, tokens.Shape[1] - 1, 1).Squeeze(1));

    /// <summary>The mean cross-entropy of what follows each token; no logits are kept.</summary>
    /// <param name="tokens">[B, T], integers from 0 to below the vocabulary; T at most the context.</param>
    /// <param name="targets">[B, T], the tokens that follow.</param>
    /// <param name="dropoutKey">Null drops nothing.</param>
    /// <param name="ignore">Tokens with this target do not count.</param>
    /// <returns>A scalar.</returns>
    /// <remarks>Spares 8 bytes of memory per token of the batch and word of the vocabulary, for two more products of the
    /// head.</remarks>
    /// <exception cref="ModelException">There are more tokens than the context holds.</exception>
    public Tensor CrossEntropy(Tensor tokens, Tensor targets, Tensor? dropoutKey = null, long? ignore = null) =>
        Loss.ProjectedCrossEntropy(Hidden(tokens, dropoutKey), head.Weight.Value, targets, ignore);

    /// <summary>The head: scores of all tokens.</summary>
    /// <param name="hidden">[..., width]</param>
    /// <returns>[..., V]</returns>
    /// <exception cref="ModelException">The last axis is not as long as the model is wide.</exception>
    public Tensor Logits(Tensor hidden) => head.Scores(hidden);

    Tensor Hidden(Tensor tokens, KvCache cache, Tensor position)
    {
        CheckTokens(tokens);
        if (cache.Layers.Count != blocks.Length)
            throw new ModelException("ASH0347",
                $"a cache of {cache.Layers.Count} layers is not of this model, which has {blocks.Length}.",
                "make it by model.NewCache.");
        if (tokens.Shape[1].Max > cache.Capacity)
            throw new ModelException("ASH0347",
                $"{tokens.Shape[1]} tokens do not fit into a cache of {cache.Capacity}.",
                "cut the text to the last tokens that fit.");
        var places = position.Reshape(1) + Tensor.Arange(tokens.Shape[1]);
        var x = tokenTable.Forward(tokens);
        if (placeTable is not null) x += placeTable.Forward(places);
        x = Flow(x);
        for (int i = 0; i < blocks.Length; i++) x = blocks[i].Forward(x, cache.Layers[i], places);
        return norm(x);
    }

    Tensor Flow(Tensor x) => x.Cast(Config.ActivationDType ?? x.DType);

    void CheckTokens(Tensor tokens)
    {
        if (tokens.Rank != 2)
            throw new ModelException("ASH0347",
                $"a GPT needs tokens [batch, tokens], but got {tokens.Type}.", "add the batch axis: tokens.Unsqueeze(0).");
        if (tokens.Shape[1].Max > Config.Context)
            throw new ModelException("ASH0347",
                $"{tokens.Shape[1]} tokens do not fit into a context of {Config.Context}.",
                "cut the text to the last tokens that fit, or train with a longer context.");
    }

    internal static Func<Tensor, Tensor> Norm(Weights weights, GptConfig config) =>
        config.Normalisation == Normalisation.LayerNorm
        ? new LayerNorm(weights, config.Width, config.Epsilon, config.Bias).Forward
        : new RmsNorm(weights, config.Width, config.Epsilon).Forward;

    // Dropout of its own for each place in the model.
    internal static long Seed(GptConfig config, int layer, int site) => config.DropoutSeed * 1_000_003 + layer * 4 + site;
}
