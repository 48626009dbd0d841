namespace Ashlar.NN;

/// <summary>Normalisation over the last axis: <c>(x - mean) / sqrt(variance + ε) · weight + bias</c>.</summary>
/// <remarks>
/// Statistics of 16-bit floats are kept in float32. Parameters: <c>weight</c> and <c>bias</c>, both [width]. Source: Ba et al.
/// 2016, arXiv:1607.06450.
/// </remarks>
/// <param name="weights">The layer's scope.</param>
/// <param name="width">The length of the last axis.</param>
/// <param name="epsilon">Keeps the root from 0.</param>
/// <param name="bias">Whether a bias is added.</param>
public sealed class LayerNorm(Weights weights, int width, double epsilon = 1e-5, bool bias = true)
{
    readonly string name = weights.Path;

    /// <summary>[width], begins as ones.</summary>
    public Parameter Weight { get; } = weights.Get("weight", [width], Initial.Ones);

    /// <summary>[width], begins as zeros; null where there is none.</summary>
    public Parameter? Bias { get; } = bias ? weights.Get("bias", [width], Initial.Zeros) : null;

    /// <param name="x">[..., width]</param>
    /// <returns>[..., width], in the element type of <paramref name="x"/>.</returns>
    /// <exception cref="ModelException">The last axis of <paramref name="x"/> is not <c>width</c> long.</exception>
    public Tensor Forward(Tensor x)
    {
        Widths.ThrowUnlessLastAxisIs(width, x, name);
        return x.LayerNorm(Weight.Value.Cast(x.DType), Bias?.Value.Cast(x.DType), epsilon);
    }
}
