using Ashlar.Tiles;
using static Ashlar.Tiles.KernelMath;

namespace Ashlar.Tests.Kernels;

// Dots that the tile unit takes where there is one; the other paths run the same kernels.
public class TileDotTests
{
    public static TheoryData<int, int, int> Sizes => new()
    {
        { 1, 1, 1 }, { 15, 17, 31 }, { 16, 16, 32 }, { 32, 32, 64 }, { 33, 31, 65 }, { 64, 96, 33 }, { 70, 100, 7 },
    };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Dot_AddsToSums_WhateverTheSize(int m, int n, int inner) =>
        KernelRun.AssertSame(Product("dot", transposed: false, rounded: false), (int[])[m, inner], (int[])[inner, n]);

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Dot_TakesATransposedOperand(int m, int n, int inner) =>
        KernelRun.AssertSame(Product("dot_t", transposed: true, rounded: false), (int[])[m, inner], (int[])[n, inner]);

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Dot_RoundsFloat32_WhileItPacks(int m, int n, int inner) =>
        KernelRun.AssertSame(Product("dot_r", transposed: false, rounded: true), (int[])[m, inner], (int[])[inner, n]);

    [Theory]
    [InlineData(17, 33, 65)]
    [InlineData(64, 32, 70)]
    public void Dot_OfBytes_IsExact(int m, int n, int inner)
    {
        var kernel = Kernel.Define("dot_bytes", k =>
        {
            var a = k.Input("a", DType.Int8, "M", "K");
            var b = k.Input("b", DType.Int8, "N", "K");
            var c = k.Output("c", DType.Int32, "M", "N");
            var (i, j) = k.Grid(("M", 64), ("N", 64));
            var sums = k.Full(0, i, j);
            sums += Dot(a[i, ..], b[j, ..].T);
            c[i, j] = sums;
        });
        KernelRun.AssertSame(kernel, 0,
            (buffer, random) => buffer.Written ? 0 : random.Next(-128, 128), (int[])[m, inner], (int[])[n, inner]);
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Dot_ReplacesZeros(int m, int n, int inner) =>
        KernelRun.AssertSame(Product("dot_z", transposed: false, rounded: false, start: 0), (int[])[m, inner], (int[])[inner, n]);

    [Fact]
    public void Dot_OfALongInnerAxis_IsCutIntoParts() =>
        KernelRun.AssertSame(Product("dot_long", transposed: true, rounded: false), (int[])[5, 2100], (int[])[35, 2100]);

    static Kernel Product(string name, bool transposed, bool rounded, float start = 1) => Kernel.Define(name, k =>
    {
        var a = k.Input("a", rounded ? DType.Float32 : DType.BFloat16, "M", "K");
        var b = transposed ? k.Input("b", DType.BFloat16, "N", "K") : k.Input("b", DType.BFloat16, "K", "N");
        var c = k.Output("c", "M", "N");
        var (i, j) = k.Grid(("M", 48), ("N", 80));
        var sums = k.Full(start, i, j);
        var left = rounded ? Cast(a[i, ..], DType.BFloat16) : a[i, ..];
        sums += Dot(left, transposed ? b[j, ..].T : b[.., j]);
        c[i, j] = sums;
    });
}
