using Ashlar.Tiles;
using static Ashlar.Tiles.KernelMath;

namespace Ashlar.Kernels;

/// <summary>What a matrix product is made for.</summary>
/// <param name="DType">Of the factors and the result; sums are float32.</param>
/// <param name="Bias">A bias per column is added.</param>
/// <param name="TransposeRight">The right factor is [N, K], as weights usually are.</param>
/// <param name="RowTile">Rows of the result per step of the grid.</param>
/// <param name="ColumnTile">Columns of the result per step of the grid.</param>
/// <param name="InnerTile">Elements of the summed axis per step of the loop.</param>
/// <param name="Stages">How many steps ahead loads begin.</param>
public sealed record MatMulConfig(DType DType = DType.Float32, bool Bias = false, bool TransposeRight = false,
    int RowTile = 96, int ColumnTile = 256, int InnerTile = 256, int Stages = 2);

/// <summary>Matrix products with what follows them.</summary>
public static class MatMul
{
    /// <summary><c>c = activation(a b + bias)</c>: a [M, K], b [K, N] or [N, K], bias [N] where there is one, c [M, N].</summary>
    /// <param name="c">What it is made for.</param>
    /// <param name="activation">Of each element; null for none. Ordinary C#, called while the kernel is traced.</param>
    public static Kernel Define(MatMulConfig c, Func<KernelValue, KernelValue>? activation = null) => Kernel.Define("matmul", k =>
    {
        var a = k.Input("a", c.DType, "M", "K");
        var b = c.TransposeRight ? k.Input("b", c.DType, "N", "K") : k.Input("b", c.DType, "K", "N");
        var bias = c.Bias ? k.Input("bias", c.DType, "N") : null;
        var y = k.Output("c", c.DType, "M", "N");

        var (m, n) = k.Grid(("M", c.RowTile), ("N", c.ColumnTile));
        var sums = k.Full(0f, m, n);
        foreach (var i in k.Pipeline(("K", c.InnerTile), c.Stages))
            sums += Dot(a[m, i], c.TransposeRight ? b[n, i].T : b[i, n]);
        if (bias is not null) sums += bias[n];
        y[m, n] = activation is null ? sums : activation(sums);
    });
}
