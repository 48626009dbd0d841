using Ashlar.Tiles;
using static Ashlar.Tiles.KernelMath;

namespace Ashlar.Kernels;

/// <summary>Kernels over the rows of a matrix, each row in one step of the grid.</summary>
public static class Rows
{
    /// <summary>Softmax of every row: x [M, N] gives y [M, N].</summary>
    /// <remarks>The greatest element is subtracted first, so that nothing overflows.</remarks>
    public static Kernel Softmax() => Kernel.Define("softmax", k =>
    {
        var x = k.Input("x", "M", "N");
        var y = k.Output("y", "M", "N");
        var m = k.Grid("M");
        var row = k.Keep(Exp(x[m, ..] - Max(x[m, ..])));
        y[m, ..] = row / Sum(row);
    });

    /// <summary><c>y = x / sqrt(mean(x^2) + epsilon) * weight</c> of every row: x [M, N], weight [N].</summary>
    /// <remarks>Source: Zhang and Sennrich 2019, arXiv:1910.07467.</remarks>
    public static Kernel RmsNorm(float epsilon = 1e-6f, DType dtype = DType.Float32) => Kernel.Define("rms_norm", k =>
    {
        var x = k.Input("x", dtype, "M", "N");
        var weight = k.Input("weight", dtype, "N");
        var y = k.Output("y", dtype, "M", "N");
        var m = k.Grid("M");
        var mean = Sum(x[m, ..] * x[m, ..]) / Cast(k.Size("N"), DType.Float32);
        y[m, ..] = x[m, ..] * Rsqrt(mean + epsilon) * weight[..];
    });

    /// <summary><c>y = (x - mean) / sqrt(variance + epsilon) * weight + bias</c> of every row: x [M, N], weight and bias
    /// [N].</summary>
    /// <remarks>Source: Ba, Kiros and Hinton 2016, arXiv:1607.06450.</remarks>
    public static Kernel LayerNorm(float epsilon = 1e-5f, DType dtype = DType.Float32) => Kernel.Define("layer_norm", k =>
    {
        var x = k.Input("x", dtype, "M", "N");
        var weight = k.Input("weight", dtype, "N");
        var bias = k.Input("bias", dtype, "N");
        var y = k.Output("y", dtype, "M", "N");
        var m = k.Grid("M");
        var n = Cast(k.Size("N"), DType.Float32);
        var centred = k.Keep(x[m, ..] - k.Keep(Sum(x[m, ..]) / n));
        var variance = Sum(centred * centred) / n;
        y[m, ..] = centred * Rsqrt(variance + epsilon) * weight[..] + bias[..];
    });
}
