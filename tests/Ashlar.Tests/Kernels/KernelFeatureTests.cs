using Ashlar.Tiles;
using static Ashlar.Tiles.KernelMath;

namespace Ashlar.Tests.Kernels;

public class KernelFeatureTests
{
    public static TheoryData<int> Sizes => [.. KernelRun.Ragged];

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Broadcasts_GoAlongRowsAndColumns(int n) => KernelRun.AssertSame(Kernel.Define("broadcasts", k =>
    {
        var (x, row, column) = (k.Input("x", "M", "N"), k.Input("row", "M"), k.Input("column", "N"));
        var y = k.Output("y", "M", "N");
        var (m, c) = k.Grid(("M", 16), ("N", 16));
        var t = k.Load(x[m, c]);
        t *= row[m].Rows;
        t += column[c];
        t -= 0.5f;
        t /= Max(Abs(column[c].Columns), 1);
        y[m, c] = Select(t > row[m].Rows, t, -t);
    }), (int[])[n, 17], (int[])[n], (int[])[17]);

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Reductions_GoOverRowsAndColumns(int n) => KernelRun.AssertSame(Kernel.Define("reductions", k =>
    {
        var x = k.Input("x", "M", "N");
        var (sums, greatest, where) = (k.Output("sums", "N"), k.Output("greatest", "N"), k.Output("where", DType.Int32, "M"));
        var (rows, least, all) = (k.Output("rows", "M"), k.Output("least", "M"), k.Output("all", 3));
        var t = k.Load(x[..]);
        sums[..] = ColumnSum(t * t);
        greatest[..] = ColumnMax(t) - ColumnMin(t);
        rows[..] = RowSum(t);
        least[..] = RowMin(t);
        where[..] = RowArgMax(t);
        all[0] = Sum(t);
        all[1] = Max(t);
        all[2] = Min(t);
    }), (int[])[n, 19]);

    [Theory]
    [MemberData(nameof(Sizes))]
    public void ColumnArgMax_FindsTheFirstGreatest(int n) => KernelRun.AssertSame(Kernel.Define("column_places", k =>
    {
        var x = k.Input("x", "M", "N");
        var where = k.Output("where", DType.Int32, "N");
        where[..] = ColumnArgMax(Floor(x[..]));
    }), (int[])[19, n]);

    [Fact]
    public void LargeOutputs_BypassTheCaches_UnlessTheyAreReadAgain()
    {
        string plain = Text("plain", 1 << 23, (k, x, y) => y[k.Grid(("N", 4096))] = 1), small = Text("small", 1 << 20, (k, x, y) =>
            y[k.Grid(("N", 4096))] = 1);
        Assert.Contains("stream ", plain, StringComparison.Ordinal);
        Assert.DoesNotContain("stream ", small, StringComparison.Ordinal);
        string added = Text("added", 1 << 23, (k, x, y) =>
        {
            k.Initialize(y, 0);
            var n = k.Grid(("N", 4096));
            y[n] += x[n];
        });
        // The zeros go by the caches, the sums do not.
        Assert.Equal(2, added.Split("stream ").Length);
        Assert.True(added.IndexOf("stream ", StringComparison.Ordinal) < added.IndexOf("4096", StringComparison.Ordinal), added);

        static string Text(string name, int n, Action<KernelBuilder, KernelBuffer, KernelBuffer> body) =>
            TileText.Print(Kernel.Define(name, k => body(k, k.Input("x", "N"), k.Output("y", "N")))
                .For([new(DType.Float32, [n])]).Program);
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Halves_AreCopiedAndRounded_WhateverTheLength(int n) => KernelRun.AssertSame(Kernel.Define("halves", k =>
    {
        var (x, h) = (k.Input("x", DType.BFloat16, "M", "N"), k.Input("h", DType.Float16, "M", "N"));
        var (copy, half) = (k.Output("copy", DType.BFloat16, "M", "N"), k.Output("half", DType.Float16, "M", "N"));
        var (powers, sums) = (k.Output("powers", DType.BFloat16, "M", "N"), k.Output("sums", "M"));
        var rows = k.Grid(("M", 4));
        copy[rows, ..] = k.Load(x[rows, ..]);
        half[rows, ..] = h[rows, ..];
        var p = k.Keep(Cast(Exp2(Cast(x[rows, ..], DType.Float32)), DType.BFloat16));
        powers[rows, ..] = p;
        sums[rows] = RowSum(p);
    }), 1e-2, null, (int[])[5, n], (int[])[5, n]);

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Map_ComputesElementsFromIndices(int n) => KernelRun.AssertSame(Kernel.Define("bands", k =>
    {
        var x = k.Input("x", "M", "N");
        var y = k.Output("y", "M", "N");
        var (m, c) = k.Grid(("M", 16), ("N", 16));
        y[m, c] = k.Map(m, c, (i, j) =>
            Select(Abs(m.Start + i - c.Start - j) <= 2, x[m.Start + i, c.Start + j] * 2, Cast(i * 100 + j, DType.Float32)));
    }), (int[])[n, 17]);

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Gather_And_Scatter_GoWhereIndicesPoint(int n) => KernelRun.AssertSame(Kernel.Define("gathers", k =>
    {
        var (ids, table) = (k.Input("ids", DType.Int32, "N"), k.Input("table", 5, "W"));
        var (y, counts) = (k.Output("y", "N", "W"), k.Output("counts", 5, "W"));
        k.Initialize(counts, 0f);
        var i = k.Grid(("N", 16));
        y[i, ..] = table[ids[i], ..];
        counts.Add([ids[i], Range.All], table[ids[i], ..]);
    }), (int[])[n], (int[])[5, 17]);

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Masks_KeepLoadsAndStoresInside(int n) => KernelRun.AssertSame(Kernel.Define("shifted", k =>
    {
        var x = k.Input("x", "N");
        var (y, z) = (k.Output("y", "N"), k.Output("z", "N"));
        k.Initialize(z, 7f);
        var i = k.Grid(("N", 16));
        y[i] = x.Load([i + 1], where: i + 1 < k.Size("N")) - x.Load([i - 1], where: i >= 1);
        z.Store([i], x[i], where: x[i] > 0);
    }), (int[])[n]);

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Copy_FillsTheRaggedEdge(int n) => KernelRun.AssertSame(Kernel.Define("padded", k =>
    {
        var x = k.Input("x", "N");
        var y = k.Output("y", "N");
        var i = k.Grid(("N", 16));
        var t = k.Tile(16);
        k.Copy(x[i], t, fill: 3f);
        y[i] = x[i] + Sum(t);
    }), (int[])[n]);

    [Theory]
    [MemberData(nameof(Sizes))]
    public void If_And_Serial_RunWhatTheySay(int n) => KernelRun.AssertSame(Kernel.Define("powers", k =>
    {
        var x = k.Input("x", "N");
        var y = k.Output("y", "N");
        var i = k.Grid(("N", 16));
        var t = k.Keep(x[i]);
        foreach (var step in k.Serial(5, until: i.Index + 1))
        {
            k.If(step < 2, () => t *= 2f);
            t += 1f;
        }
        y[i] = t;
    }), (int[])[n]);

    [Theory]
    [InlineData(DType.BFloat16, DType.BFloat16)]
    [InlineData(DType.BFloat16, DType.Float32)]
    [InlineData(DType.Float16, DType.Float16)]
    [InlineData(DType.Int8, DType.Int8)]
    [InlineData(DType.Float64, DType.Float64)]
    public void Dot_KnowsMixedTypes(DType left, DType right) => KernelRun.AssertSame(Kernel.Define("mixed", k =>
    {
        var (a, b) = (k.Input("a", left, "M", "K"), k.Input("b", right, "K", "N"));
        var y = k.Output("y", left.Compute == DType.Float64 ? DType.Float64 : left == DType.Int8 ? DType.Int32 : DType.Float32,
            "N", "M");
        var (m, n) = k.Grid(("M", 16), ("N", 16));
        var sums = k.Keep(Dot(a[m, ..], b[.., n]));
        sums += Dot(a[m, ..], b[.., n]);
        y[n, m] = sums.T;
    }), (int[])[17, 9], (int[])[9, 19]);

    [Fact]
    public void Dot_ComputesItsFactorsOnce() => KernelRun.AssertSame(Kernel.Define("squares", k =>
    {
        var x = k.Input("x", "M", "K");
        var y = k.Output("y", "M", "M");
        y[..] = Dot(Exp(x[..]), x[..].T * 2f) - 1f;
    }), (int[])[17, 7]);

    [Fact]
    public void Parallel_LoopsRunOneAfterTheOther() => KernelRun.AssertSame(Kernel.Define("phases", k =>
    {
        var x = k.Input("x", "N");
        var (sums, y) = (k.Output("sums", "N"), k.Output("y", "N"));
        foreach (var i in k.Parallel(("N", 8))) sums[i] = x[i] * 2;
        foreach (var i in k.Parallel("N")) y[i] = sums[i] + Max(sums[..]);
    }), (int[])[33]);

    [Fact]
    public void Specialisation_IsPlainCSharp()
    {
        static Kernel Poly(params float[] factors) => Kernel.Define("poly", k =>
        {
            var (x, y) = (k.Input("x", "N"), k.Output("y", "N"));
            var i = k.Grid(("N", 16));
            KernelValue sum = 0f;
            foreach (float factor in factors) sum = sum * x[i] + factor;
            y[i] = sum;
        });
        KernelRun.AssertSame(Poly(1, 2, 3), (int[])[17]);
        Assert.NotEqual(TileText.Print(Poly(1, 2).Program), TileText.Print(Poly(1, 3).Program));
    }

    [Fact]
    public void Program_IsSymbolic_AndCallsAreNot()
    {
        var kernel = Kernel.Define("copy", k =>
        {
            var (x, y) = (k.Input("x", "N"), k.Output("y", "N"));
            var i = k.Grid(("N", 16));
            y[i] = x[i];
        });
        Assert.Contains("symbol N", TileText.Print(kernel.Program), StringComparison.Ordinal);
        var numbers = kernel.For(new Ashlar.Graph.NodeType(DType.Float32, (int[])[40]));
        Assert.DoesNotContain("symbol", numbers.Text, StringComparison.Ordinal);
        Assert.Same(numbers, kernel.For(new Ashlar.Graph.NodeType(DType.Float32, (int[])[40])));
        Assert.Equal(TileText.Print(kernel.Program).Replace("N", "40", StringComparison.Ordinal).Split('\n').Length - 1,
            numbers.Text.Split('\n').Length);
    }
}
