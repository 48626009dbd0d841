using Ashlar.NN;

namespace Ashlar.Models;

/// <summary>How a <see cref="Gpt"/> knows where a token stands.</summary>
public enum Positions
{
    /// <summary>A table of vectors, one per place, added to the tokens' own: GPT-2's.</summary>
    Learned,
    /// <summary>Queries and keys turn by their place: Llama's.</summary>
    Rotary,
}

/// <summary>How a <see cref="Gpt"/> normalises what goes into its layers.</summary>
public enum Normalisation
{
    /// <summary>Mean 0 and variance 1: GPT-2's.</summary>
    LayerNorm,
    /// <summary>Root mean square 1: Llama's.</summary>
    RmsNorm,
}

/// <summary>What a <see cref="Gpt"/> is. As it begins it is nanoGPT's model; <see cref="Modern"/> is what replaced
/// that.</summary>
/// <remarks>The size that begins here is that of nanoGPT's character model of Shakespeare, without its dropout of 0.2.</remarks>
public sealed record GptConfig
{
    /// <summary>How many different tokens there are.</summary>
    public required int Vocabulary { get; init; }

    /// <summary>Blocks, one after the other.</summary>
    public int Layers { get; init; } = 6;

    /// <summary>Numbers per token between blocks.</summary>
    public int Width { get; init; } = 384;

    /// <summary>Query heads of each block; they divide the width.</summary>
    public int Heads { get; init; } = 6;

    /// <summary>Key-value heads of each block, which divide the heads; null: as many.</summary>
    public int? KvHeads { get; init; }

    /// <summary>The most tokens that one can look back over, itself included.</summary>
    public int Context { get; init; } = 256;

    /// <summary>The width within the MLP; null: 4 times the width, for SwiGLU 8/3 of it rounded up to a multiple of 64.</summary>
    public int? HiddenWidth { get; init; }

    /// <summary>The MLP's activation: nanoGPT's exact GELU; the published GPT-2 weights need
    /// <see cref="Activation.GeluTanh"/>.</summary>
    public Activation Activation { get; init; } = Activation.Gelu;

    /// <summary>How places are known.</summary>
    public Positions Positions { get; init; } = Positions.Learned;

    /// <summary>The base of rotary positions.</summary>
    public double RotaryBase { get; init; } = 10000;

    /// <summary>Which norm stands before attention, MLP and head.</summary>
    public Normalisation Normalisation { get; init; } = Normalisation.LayerNorm;

    /// <summary>Keeps the roots of norms from 0.</summary>
    public double Epsilon { get; init; } = 1e-5;

    /// <summary>Whether linear layers and layer norms have a bias.</summary>
    public bool Bias { get; init; } = true;

    /// <summary>Whether the head uses the table of the embedding (Press and Wolf 2016, arXiv:1608.05859); else it has its own,
    /// <c>lm_head</c>.</summary>
    public bool TiedEmbeddings { get; init; } = true;

    /// <summary>Whether queries and keys are normalised.</summary>
    public bool NormaliseQueriesAndKeys { get; init; }

    /// <summary>The element type of what flows between layers, and so of their products; null: that of the weights.</summary>
    /// <remarks>bfloat16 here leaves the weights, their moments and the loss in float32: mixed precision.</remarks>
    public DType? ActivationDType { get; init; }

    /// <summary>The share that is dropped in training: of embeddings, attention, and what blocks add.</summary>
    public double Dropout { get; init; }

    /// <summary>Which random numbers dropout takes.</summary>
    public long DropoutSeed { get; init; }

    /// <summary>The smallest of the published GPT-2 models: 124 million parameters.</summary>
    public static GptConfig Gpt2 { get; } = new()
    {
        Vocabulary = 50257,
        Layers = 12,
        Width = 768,
        Heads = 12,
        Context = 1024,
        Activation = Activation.GeluTanh,
    };

    /// <summary>This config with what models of today have: rotary positions, RMS norms, SwiGLU, normalised queries and keys, no
    /// bias.</summary>
    public GptConfig Modern() => this with
    {
        Positions = Positions.Rotary,
        Normalisation = Normalisation.RmsNorm,
        Activation = Activation.SwiGlu,
        NormaliseQueriesAndKeys = true,
        Bias = false,
    };

    /// <summary>Floating-point operations of training on one token: those of the forward pass, and twice as many
    /// backward.</summary>
    /// <param name="tokens">How many tokens stand in each text; at most the context.</param>
    /// <remarks>
    /// A multiplication and an addition count as two; products alone count, and attention as if it were not causal. The
    /// convention of Chowdhery et al. 2022, arXiv:2204.02311, appendix B, so that shares of a machine's peak compare with
    /// others'.
    /// </remarks>
    public double TrainingFlopsPerToken(int tokens)
    {
        double heads = Heads + 2.0 * (KvHeads ?? Heads), headWidth = Width / Heads;
        double mlp = (Activation == Activation.SwiGlu ? 3.0 : 2.0) * Width * Hidden;
        double layer = Width * heads * headWidth + Heads * headWidth * Width + mlp;
        double attention = 2.0 * tokens * Width;   // queries by keys, and shares by values
        return 3 * 2 * (Layers * (layer + attention) + (double)Width * Vocabulary);
    }

    /// <summary>The width within the MLP.</summary>
    internal int Hidden => HiddenWidth ?? (Activation == Activation.SwiGlu ? (8 * Width / 3 + 63) / 64 * 64 : 4 * Width);

    /// <summary>Fails where the parts contradict each other.</summary>
    /// <exception cref="ModelException">A size is below 1, heads do not divide, or a rate is out of range.</exception>
    internal void Check()
    {
        foreach (var (name, size) in (ReadOnlySpan<(string, int)>)[
            (nameof(Vocabulary), Vocabulary), (nameof(Layers), Layers), (nameof(Width), Width), (nameof(Heads), Heads),
            (nameof(KvHeads), KvHeads ?? Heads), (nameof(Context), Context), (nameof(HiddenWidth), Hidden)])
            if (size < 1) throw Wrong($"{name} is {size}.", "every size must be at least 1.");
        if (Width % Heads != 0)
            throw Wrong($"{Heads} heads do not divide a width of {Width}.", "choose a width that is a multiple of the heads.");
        if (Heads % (KvHeads ?? Heads) != 0)
            throw Wrong($"{KvHeads} key-value heads do not divide {Heads} heads.", "choose a divisor of the heads.");
        if (Positions == Positions.Rotary && Width / Heads % 2 != 0)
            throw Wrong($"rotary positions need heads of an even width, but they are {Width / Heads} wide.",
                "choose a width and heads whose quotient is even.");
        if (ActivationDType is { IsFloat: false } dtype)
            throw Wrong($"{nameof(ActivationDType)} is {dtype.Name}.", "choose a float type.");
        if (Dropout is not (>= 0 and < 1)) throw Wrong($"{nameof(Dropout)} is {Dropout}.", "it must be from 0 to below 1.");
        if (Epsilon is not > 0) throw Wrong($"{nameof(Epsilon)} is {Epsilon}.", "it must be above 0; 1e-5 is usual.");
    }

    static ModelException Wrong(string problem, string fix) => new("ASH0345", $"the config of a GPT: {problem}", fix);
}
