namespace Ashlar.NN;

/// <summary>The curve between the two layers of an <see cref="Mlp"/>.</summary>
public enum Activation
{
    /// <summary>Exact, through erf: what nanoGPT uses.</summary>
    Gelu,
    /// <summary>By tanh: what GPT-2's published weights were trained with.</summary>
    GeluTanh,
    /// <summary><c>silu(gate) * up</c>, a third matrix makes the gate: what Llama uses.</summary>
    SwiGlu,
}

/// <summary>Two linear layers with an activation between them: the feed-forward part of a transformer.</summary>
/// <remarks>
/// Layers: <c>c_fc</c> [width, hidden], <c>c_proj</c> [hidden, width], and for SwiGLU <c>c_gate</c> [width, hidden]. Sources:
/// Hendrycks and Gimpel 2016, arXiv:1606.08415; Shazeer 2020, arXiv:2002.05202.
/// </remarks>
/// <param name="weights">The layer's scope.</param>
/// <param name="width">The width of what comes in and goes out.</param>
/// <param name="hidden">The width between the layers: 4 times as much is usual, 8/3 for SwiGLU.</param>
/// <param name="activation">The curve.</param>
/// <param name="bias">Whether the layers have one.</param>
/// <param name="initial">How the matrices begin; null: as <see cref="Linear"/>'s.</param>
/// <param name="outputInitial">How the last matrix begins; null: as the others.</param>
public sealed class Mlp(
    Weights weights, int width, int hidden, Activation activation = Activation.Gelu, bool bias = true,
    Initial? initial = null, Initial? outputInitial = null)
{
    readonly Linear? gate = activation == Activation.SwiGlu ? new(weights.Scope("c_gate"), width, hidden, bias, initial) : null;
    readonly Linear up = new(weights.Scope("c_fc"), width, hidden, bias, initial);
    readonly Linear down = new(weights.Scope("c_proj"), hidden, width, bias, outputInitial ?? initial);

    /// <param name="x">[..., width]</param>
    /// <returns>[..., width]</returns>
    public Tensor Forward(Tensor x) => down.Forward(gate is null
        ? up.Forward(x).Gelu(approximate: activation == Activation.GeluTanh)
        : gate.Forward(x).SwiGlu(up.Forward(x)));
}
