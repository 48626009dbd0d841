namespace Ashlar.NN;

/// <summary>One tensor that is learned: a named state, as a layer holds it.</summary>
public sealed class Parameter
{
    internal Parameter(State state, bool isTable) => (State, IsTable) = (state, isTable);

    /// <summary>The full name, as checkpoints have it: <c>h.0.attn.c_attn.weight</c>.</summary>
    public string Name => State.Name;

    /// <summary>The extents, which never change.</summary>
    public Shape Shape => State.Shape;

    /// <summary>The element type, which never changes.</summary>
    public DType DType => State.DType;

    /// <summary>Whether it is a row per token, looked up or scored one by one, not a matrix that mixes: <see cref="Muon"/> leaves
    /// it to AdamW.</summary>
    public bool IsTable { get; }

    /// <summary>The cell that holds the value.</summary>
    public State State { get; }

    /// <summary>The value now; within a compiled step the value at this point of the step.</summary>
    public Tensor Value
    {
        get => State.Value;
        set => State.Value = value;
    }

    /// <inheritdoc/>
    public override string ToString() => State.ToString();
}
