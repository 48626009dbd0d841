namespace Ashlar.NN;

/// <summary><c>y = x W + b</c> over the last axis.</summary>
/// <remarks>
/// <c>W</c> is kept as [inputs, outputs], as GPT-2's published weights are; PyTorch's <c>nn.Linear</c> keeps the transpose.
/// Parameters: <c>weight</c>, and <c>bias</c> [outputs].
/// </remarks>
public sealed class Linear
{
    readonly string name;
    readonly int inputs;

    /// <summary>Asks for the parameters.</summary>
    /// <param name="weights">The layer's scope.</param>
    /// <param name="inputs">The width of what comes in.</param>
    /// <param name="outputs">The width of what goes out.</param>
    /// <param name="bias">Whether a bias is added; it begins as zeros.</param>
    /// <param name="initial">How the matrix begins; null: uniform within <c>1 / sqrt(inputs)</c>.</param>
    public Linear(Weights weights, int inputs, int outputs, bool bias = true, Initial? initial = null)
    {
        (name, this.inputs) = (weights.Path, inputs);
        Weight = weights.Get("weight", [inputs, outputs], initial ?? Initial.Uniform(1 / Math.Sqrt(inputs)));
        Bias = bias ? weights.Get("bias", [outputs], Initial.Zeros) : null;
    }

    /// <summary>[inputs, outputs]</summary>
    public Parameter Weight { get; }

    /// <summary>[outputs]; null where there is none.</summary>
    public Parameter? Bias { get; }

    /// <param name="x">[..., inputs]</param>
    /// <returns>[..., outputs], in the element type of <paramref name="x"/>: the weights are cast to it.</returns>
    /// <exception cref="ModelException">The last axis of <paramref name="x"/> is not <c>inputs</c> long.</exception>
    public Tensor Forward(Tensor x)
    {
        Widths.ThrowUnlessLastAxisIs(inputs, x, name);
        var y = x.MatMul(Weight.Value.Cast(x.DType));
        return Bias is null ? y : y + Bias.Value.Cast(x.DType);
    }
}
