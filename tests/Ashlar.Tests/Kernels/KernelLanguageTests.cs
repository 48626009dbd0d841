using Ashlar.Tiles;
using static Ashlar.Tiles.KernelMath;

namespace Ashlar.Tests.Kernels;

public class KernelLanguageTests
{
    public static TheoryData<int> Sizes => [.. KernelRun.Ragged];

    static Kernel Scale(float factor, int tile) => Kernel.Define("scale", k =>
    {
        var x = k.Input("x", "N");
        var y = k.Output("y", "N");
        var n = k.Grid(("N", tile));
        y[n] = x[n] * factor;
    });

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Elementwise_RunsTheSame_WhateverTheSize(int n) => KernelRun.AssertSame(Scale(2.5f, 16), (int[])[n]);

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Tiles_KeepTheirRaggedEdges(int n) => KernelRun.AssertSame(Kernel.Define("softmax_in_tiles", k =>
    {
        var x = k.Input("x", "M", "N");
        var y = k.Output("y", "M", "N");
        var m = k.Grid(("M", 16));
        var greatest = k.Full(float.NegativeInfinity, m);
        var sum = k.Full(0f, m);
        foreach (var j in k.Serial(("N", 16))) greatest[..] = Max(greatest, RowMax(x[m, j]));
        foreach (var j in k.Pipeline(("N", 16), stages: 2)) sum += RowSum(Exp(x[m, j] - greatest.Rows));
        foreach (var j in k.Serial(("N", 16))) y[m, j] = Exp(x[m, j] - greatest.Rows) / sum.Rows;
    }), (int[])[n, 17], (int[])[5, n]);

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Dot_Accumulates_WhateverTheSize(int n)
    {
        foreach (bool right in n is 17 or 64 ? (bool[])[false, true] : [n % 4 == 1])
            KernelRun.AssertSame(Kernel.Define("product", k =>
            {
                var a = k.Input("a", "M", "K");
                var b = right ? k.Input("b", "N", "K") : k.Input("b", "K", "N");
                var c = k.Output("c", "M", "N");
                var (m, n) = k.Grid(("M", 16), ("N", 16));
                var acc = k.Full(0f, m, n);
                foreach (var i in k.Pipeline(("K", 8))) acc += right ? Dot(a[m, i], b[n, i].T) : Dot(a[m, i], b[i, n]);
                c[m, n] = acc;
            }), (int[])[n, 9], right ? (int[])[19, 9] : (int[])[9, 19]);
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Atomics_AddFromEveryIteration(int n) => KernelRun.AssertSame(Kernel.Define("histogram", k =>
    {
        var x = k.Input("x", DType.Int32, "N");
        var counts = k.Output("counts", DType.Int32, 5);
        var sum = k.Output("sum");
        var most = k.Output("most", DType.Int32, 1);
        k.Initialize(counts, 0);
        k.Initialize(sum, 0f);
        k.Initialize(most, -9);
        var i = k.Grid(("N", 16));
        counts.Add([x[i]], 1);
        sum.Add([], Cast(Sum(x[i]), DType.Float32));
        most.Max([0], Max(x[i]));
    }), (int[])[n]);
}
