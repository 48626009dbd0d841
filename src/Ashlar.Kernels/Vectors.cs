using Ashlar.Tiles;
using static Ashlar.Tiles.KernelMath;

namespace Ashlar.Kernels;

/// <summary>The simplest kernels: elements, and their sum.</summary>
public static class Vectors
{
    /// <summary><c>y = a + b</c>, element by element: a and b [N].</summary>
    /// <param name="tile">Elements per step of the grid.</param>
    public static Kernel Add(int tile = 4096) => Kernel.Define("vector_add", k =>
    {
        var a = k.Input("a", "N");
        var b = k.Input("b", "N");
        var y = k.Output("y", "N");
        var n = k.Grid(("N", tile));
        y[n] = a[n] + b[n];
    });

    /// <summary><c>y = x * factor</c>: x [N].</summary>
    /// <param name="factor">Part of the kernel: another factor is another kernel.</param>
    /// <param name="tile">Elements per step of the grid.</param>
    public static Kernel Scale(float factor, int tile = 4096) => Kernel.Define("scale", k =>
    {
        var x = k.Input("x", "N");
        var y = k.Output("y", "N");
        var n = k.Grid(("N", tile));
        y[n] = x[n] * factor;
    });

    /// <summary>The sum of all elements: x [N] gives one number. The tiles' sums are added in any order, so the last bits vary
    /// from run to run.</summary>
    /// <param name="tile">Elements per step of the grid.</param>
    public static Kernel Sum(int tile = 16384) => Kernel.Define("vector_sum", k =>
    {
        var x = k.Input("x", "N");
        var sum = k.Output("sum");
        k.Initialize(sum, 0f);
        var n = k.Grid(("N", tile));
        sum.Add([], KernelMath.Sum(x[n]));
    });
}
