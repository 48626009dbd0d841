namespace Ashlar.NN;

/// <summary>Root-mean-square normalisation over the last axis: <c>x / sqrt(mean(x²) + ε) · weight</c>.</summary>
/// <remarks>
/// The mean of 16-bit floats is kept in float32. Parameter: <c>weight</c> [width]. Source: Zhang and Sennrich 2019,
/// arXiv:1910.07467.
/// </remarks>
/// <param name="weights">The layer's scope.</param>
/// <param name="width">The length of the last axis.</param>
/// <param name="epsilon">Keeps the root from 0.</param>
public sealed class RmsNorm(Weights weights, int width, double epsilon = 1e-6)
{
    readonly string name = weights.Path;

    /// <summary>[width], begins as ones.</summary>
    public Parameter Weight { get; } = weights.Get("weight", [width], Initial.Ones);

    /// <param name="x">[..., width]</param>
    /// <returns>[..., width], in the element type of <paramref name="x"/>.</returns>
    /// <exception cref="ModelException">The last axis of <paramref name="x"/> is not <c>width</c> long.</exception>
    public Tensor Forward(Tensor x)
    {
        Widths.ThrowUnlessLastAxisIs(width, x, name);
        return x.RmsNorm(Weight.Value.Cast(x.DType), epsilon);
    }
}
