namespace Ashlar.Graph;

/// <summary>A kernel that people wrote, as graphs call it: a pure function of whole tensors, whose inside is another level's
/// business.</summary>
/// <remarks>The graph knows types, text and reference value; what runs is in Ashlar.Tiles, which this project does not
/// know.</remarks>
public abstract class GraphKernel
{
    /// <summary>Lower case with underscores.</summary>
    public abstract string Name { get; }

    /// <summary>The whole kernel as text: its identity.</summary>
    public abstract string Text { get; }

    /// <summary>Element type and shape of each input.</summary>
    public abstract IReadOnlyList<NodeType> Inputs { get; }

    /// <summary>Element type and shape of each result.</summary>
    public abstract IReadOnlyList<NodeType> Outputs { get; }

    /// <summary>The results, by the kernel's reference interpreter. The kernel has no symbols left.</summary>
    /// <param name="inputs">One array per input.</param>
    public abstract Value[] Evaluate(IReadOnlyList<Value> inputs);

    /// <summary>The kernel with other extents, such as numbers, in place of its symbols.</summary>
    public abstract GraphKernel Substitute(Func<Symbol, Extent> values);

    /// <inheritdoc/>
    public override string ToString() => Name;
}
