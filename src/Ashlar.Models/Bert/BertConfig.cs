using Ashlar.NN;

namespace Ashlar.Models;

/// <summary>How the vectors of a text's tokens become one.</summary>
public enum Pooling
{
    /// <summary>The vector of the first token, which stands for the text.</summary>
    First,
    /// <summary>The mean of all.</summary>
    Mean,
}

/// <summary>What a <see cref="Bert"/> is.</summary>
public sealed record BertConfig
{
    /// <summary>How many different tokens there are.</summary>
    public required int Vocabulary { get; init; }

    /// <summary>Blocks, one after the other.</summary>
    public required int Layers { get; init; }

    /// <summary>Numbers per token between blocks: the length of an embedding.</summary>
    public required int Width { get; init; }

    /// <summary>Heads of each block; they divide the width.</summary>
    public required int Heads { get; init; }

    /// <summary>The width within the MLP.</summary>
    public required int Hidden { get; init; }

    /// <summary>The most tokens of a text.</summary>
    public required int Context { get; init; }

    /// <summary>Kinds of parts that a text may have; all tokens are of the first kind.</summary>
    public int Parts { get; init; } = 2;

    /// <summary>Keeps the roots of norms from 0.</summary>
    public double Epsilon { get; init; } = 1e-12;

    /// <summary>The MLP's activation.</summary>
    public Activation Activation { get; init; } = Activation.Gelu;

    /// <summary>The base of rotary positions; null: places have learned vectors.</summary>
    public double? RotaryBase { get; init; }

    /// <summary>Whether linear layers have a bias.</summary>
    public bool Bias { get; init; } = true;

    /// <summary>How the vectors of tokens become one.</summary>
    public Pooling Pooling { get; init; } = Pooling.Mean;

    /// <summary>Whether the vector of a text is made 1 long.</summary>
    public bool Normalises { get; init; } = true;

    /// <summary>Fails where the parts contradict each other.</summary>
    /// <exception cref="ModelException">ASH0345.</exception>
    internal void Check()
    {
        foreach (var (name, size) in (ReadOnlySpan<(string, int)>)[
            (nameof(Vocabulary), Vocabulary), (nameof(Layers), Layers), (nameof(Width), Width), (nameof(Heads), Heads),
            (nameof(Hidden), Hidden), (nameof(Context), Context), (nameof(Parts), Parts)])
            if (size < 1) throw Contradiction($"{name} is {size}.", "every size must be at least 1.");
        if (Width % Heads != 0)
            throw Contradiction($"{Heads} heads do not divide a width of {Width}.",
                "choose a width that is a multiple of the heads.");
        if (RotaryBase is not null && Width / Heads % 2 != 0)
            throw Contradiction($"rotary positions need heads of an even width, but they are {Width / Heads} wide.",
                "choose a width and heads whose quotient is even.");
        if (Epsilon is not > 0) throw Contradiction($"{nameof(Epsilon)} is {Epsilon}.", "it must be above 0; 1e-12 is usual.");
    }

    static ModelException Contradiction(string problem, string fix) => new("ASH0345", $"the config of a BERT: {problem}", fix);
}
