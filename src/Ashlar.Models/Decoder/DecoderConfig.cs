namespace Ashlar.Models;

/// <summary>How numbers of a token are brought to one size.</summary>
public enum NormKind
{
    /// <summary>Divided by the root of their mean square, times a weight.</summary>
    Rms,
    /// <summary>The same, times a weight plus 1.</summary>
    RmsPlusOne,
    /// <summary>Less their mean, divided by their deviation, times a weight, plus a bias.</summary>
    Layer,
}

/// <summary>The function within a feed-forward layer.</summary>
public enum ActivationKind
{
    /// <summary>x sigmoid(x)</summary>
    Silu,
    /// <summary>Gelu by tanh.</summary>
    GeluTanh,
    /// <summary>Gelu through erf.</summary>
    Gelu,
    /// <summary>GPT-OSS: <c>(up + 1) gate sigmoid(1.702 gate)</c> with gate at most 7 and up within 7 of 0.</summary>
    ClampedSwiGlu,
}

/// <summary>What products know of activations.</summary>
public static class ActivationKinds
{
    extension(ActivationKind kind)
    {
        /// <summary>The function of a gate that is part of a product; null where it takes a pass of its own.</summary>
        public WeightGate? Gate => kind switch
        {
            ActivationKind.Silu => WeightGate.Silu,
            ActivationKind.GeluTanh => WeightGate.Gelu,
            _ => null,
        };
    }
}

/// <summary>Where a layer has which kind of attention.</summary>
/// <param name="Window">Tokens that a token sees, itself included; null sees all.</param>
/// <param name="Rope">Its rotary positions; null has none.</param>
public sealed record AttentionLayer(int? Window, Rope? Rope);

/// <summary>Feed-forward layers of which each token takes a few.</summary>
/// <param name="Count">How many there are.</param>
/// <param name="Used">How many a token takes.</param>
/// <param name="Width">Numbers within each.</param>
public sealed record ExpertsConfig(int Count, int Used, int Width)
{
    /// <summary>Scores are sigmoids; else a softmax.</summary>
    public bool Sigmoid { get; init; }

    /// <summary>The softmax is over the chosen experts only, so their weights sum to 1.</summary>
    public bool SoftmaxOfChosen { get; init; }

    /// <summary>The weights of the chosen experts are divided by their sum.</summary>
    public bool Renormalize { get; init; }

    /// <summary>The weights are multiplied by this at last.</summary>
    public double Scale { get; init; } = 1;

    /// <summary>The router has a bias.</summary>
    public bool RouterBias { get; init; }

    /// <summary>A bias that counts when experts are chosen, but not in their weights (DeepSeek V3).</summary>
    public bool ChoiceBias { get; init; }

    /// <summary>Experts are in so many groups, of which <see cref="UsedGroups"/> are looked at; 1: no groups.</summary>
    public int Groups { get; init; } = 1;

    /// <summary>Groups that are looked at.</summary>
    public int UsedGroups { get; init; } = 1;

    /// <summary>A group's score is the sum of its two best; else its best.</summary>
    public bool GroupByBestTwo { get; init; }

    /// <summary>Each expert's layers have biases.</summary>
    public bool Bias { get; init; }

    /// <summary>Numbers within a layer that every token takes besides; 0: none.</summary>
    public int SharedWidth { get; init; }

    /// <summary>That layer's result is multiplied by the sigmoid of a score.</summary>
    public bool SharedGate { get; init; }
}

/// <summary>Keys and values as one short vector per token, and one rotated part that all heads share (DeepSeek V2,
/// arXiv:2405.04434).</summary>
/// <param name="QueryRank">Width of the compressed query; null: queries are not compressed.</param>
/// <param name="KeyRank">Width of the compressed keys and values.</param>
/// <param name="PlainWidth">Numbers of a head's query and key that are not rotated.</param>
/// <param name="RotatedWidth">Numbers that are.</param>
/// <param name="ValueWidth">Numbers of a head's value.</param>
public sealed record LatentConfig(int? QueryRank, int KeyRank, int PlainWidth, int RotatedWidth, int ValueWidth);

/// <summary>A decoder-only transformer: all that families differ in. What a family is, its own folder says.</summary>
public sealed record DecoderConfig
{
    /// <summary>The family, for people: <c>llama</c>.</summary>
    public required string Family { get; init; }

    /// <summary>Numbers of a token between layers.</summary>
    public required int Width { get; init; }

    /// <summary>Query heads.</summary>
    public required int Heads { get; init; }

    /// <summary>Key/value heads.</summary>
    public required int KvHeads { get; init; }

    /// <summary>Numbers of a head.</summary>
    public required int HeadWidth { get; init; }

    /// <summary>Numbers within a feed-forward layer.</summary>
    public required int FeedForward { get; init; }

    /// <summary>Tokens of the vocabulary.</summary>
    public required int Vocabulary { get; init; }

    /// <summary>Tokens that the model was made to read at once.</summary>
    public required int Context { get; init; }

    /// <summary>One per layer.</summary>
    public required ValueList<AttentionLayer> Layers { get; init; }

    /// <summary>Epsilon of the norms.</summary>
    public required double NormEpsilon { get; init; }

    /// <summary>The norms.</summary>
    public NormKind Norm { get; init; } = NormKind.Rms;

    /// <summary>Queries and keys of each head go through a norm before they are rotated.</summary>
    public bool HeadNorms { get; init; }

    /// <summary>What attention and feed-forward give goes through norms too.</summary>
    public bool PostNorms { get; init; }

    /// <summary>Query, key and value projections have biases.</summary>
    public bool QkvBias { get; init; }

    /// <summary>The projection after attention has a bias.</summary>
    public bool OutputBias { get; init; }

    /// <summary>Feed-forward projections have biases.</summary>
    public bool FeedForwardBias { get; init; }

    /// <summary>The file holds query, key and value as one matrix.</summary>
    public bool FusedQkv { get; init; }

    /// <summary>The file holds gate and up as one matrix.</summary>
    public bool FusedGateUp { get; init; }

    /// <summary>The feed-forward layer has a gate: <c>down(activation(gate x) up x)</c>; else <c>down(activation(up
    /// x))</c>.</summary>
    public bool Gated { get; init; } = true;

    /// <summary>The function within feed-forward layers.</summary>
    public ActivationKind Activation { get; init; } = ActivationKind.Silu;

    /// <summary>Scores of attention are multiplied by this; null: one over the root of the head's width.</summary>
    public double? AttentionScale { get; init; }

    /// <summary>Scores of attention are kept within this by tanh; null: they are not.</summary>
    public double? AttentionCap { get; init; }

    /// <summary>Logits are kept within this by tanh; null: they are not.</summary>
    public double? LogitCap { get; init; }

    /// <summary>Embeddings are multiplied by this.</summary>
    public double EmbeddingScale { get; init; } = 1;

    /// <summary>What each part adds to a token is multiplied by this.</summary>
    public double ResidualScale { get; init; } = 1;

    /// <summary>Logits are multiplied by this.</summary>
    public double LogitScale { get; init; } = 1;

    /// <summary>The table of embeddings is the matrix of logits too.</summary>
    public bool TiedEmbeddings { get; init; }

    /// <summary>Each place has a learned vector that is added to the embedding (GPT-2).</summary>
    public bool LearnedPositions { get; init; }

    /// <summary>Each head has a learned score without a value in the softmax (GPT-OSS).</summary>
    public bool Sinks { get; init; }

    /// <summary>Experts; null: none.</summary>
    public ExpertsConfig? Experts { get; init; }

    /// <summary>Whether each layer has experts; null: all have, where <see cref="Experts"/> is given.</summary>
    public ValueList<bool>? ExpertLayers { get; init; }

    /// <summary>Latent attention; null: the plain kind.</summary>
    public LatentConfig? Latent { get; init; }

    /// <summary>Whether a layer has experts.</summary>
    public bool HasExperts(int layer) => Experts is not null && (ExpertLayers?[layer] ?? true);

    /// <summary>Numbers of a key in the cache.</summary>
    public int KeyWidth => Latent is { } latent ? latent.KeyRank + latent.RotatedWidth : HeadWidth;

    /// <summary>Numbers of a value in the cache.</summary>
    public int ValueWidth => Latent?.KeyRank ?? HeadWidth;

    /// <summary>Key/value heads of the cache.</summary>
    public int CacheHeads => Latent is null ? KvHeads : 1;

    /// <summary>Fails where the numbers contradict each other.</summary>
    /// <exception cref="ModelException">ASH0345: they do.</exception>
    public DecoderConfig Checked()
    {
        Check(Layers.Count > 0 && Width > 0 && Heads > 0 && KvHeads > 0 && HeadWidth > 0 && FeedForward > 0 && Vocabulary > 0
            && Context > 0,
            $"{Layers.Count} layers, width {Width}, {Heads} heads, {KvHeads} key/value heads of {HeadWidth}, feed-forward {FeedForward}, vocabulary {Vocabulary}, context {Context}",
            "every number must be at least 1");
        Check(Heads % KvHeads == 0, $"{Heads} query heads for {KvHeads} key/value heads", "the second must divide the first");
        Check(AttentionScale is null or > 0 and < double.PositiveInfinity, $"{AttentionScale} as the scale of attention",
            "it must be a positive number");
        Check(AttentionCap is null or > 0 && LogitCap is null or > 0,
            $"bounds of {AttentionCap} for scores and {LogitCap} for logits", "they must be positive numbers");
        foreach (var layer in Layers)
        {
            Check(layer.Window is null or >= 1, $"a window of {layer.Window} tokens", "a token sees at least itself");
            Check(layer.Rope is null || layer.Rope.Width <= (Latent?.RotatedWidth ?? HeadWidth),
                $"{layer.Rope?.Width} rotated numbers in heads of {HeadWidth}", "at most all can be rotated");
        }
        Check(double.IsFinite(NormEpsilon) && NormEpsilon >= 0, $"a norm's epsilon of {NormEpsilon}",
            "it must be a small positive number");
        if (Experts is { } experts)
            Check(experts.Used >= 1 && experts.Used <= experts.Count && experts.Width > 0 && experts.Count % experts.Groups == 0
                && experts.UsedGroups <= experts.Groups,
                $"{experts.Used} of {experts.Count} experts of width {experts.Width} in {experts.Groups} groups",
                "a token takes at least one and at most all");
        return this;

        void Check(bool holds, string found, string rule)
        {
            if (!holds)
                throw new ModelException("ASH0345", $"the config of the {Family} model has {found}.",
                    $"check config.json: {rule}.");
        }
    }
}
