namespace Ashlar.Tests.Tensors;

public abstract class IndexingTests(Device device) : DeviceTests(device)
{
    readonly Tensor x = Tensor.Arange(12).Reshape(3, 4);

    [Fact]
    public void Indexer_TakesElementsAndRanges()
    {
        Same(x[1], "i32[4]", 4, 5, 6, 7);
        Same(x[^1, ^2], "i32[]", 10);
        Same(x[-1, 0], "i32[]", 8);
        Same(x[1..3, ..2], "i32[2, 2]", 4, 5, 8, 9);
        Same(x[.., 2], "i32[3]", 2, 6, 10);
        Same(x[..^1, 1..^1], "i32[2, 2]", 1, 2, 5, 6);
        Same(x[AxisIndex.Ellipsis, 3], "i32[3]", 3, 7, 11);
        Same(x[0, AxisIndex.NewAxis, ..2], "i32[1, 2]", 0, 1);
        Same(x[AxisIndex.Every(.., -1), 0], "i32[3]", 8, 4, 0);
        Same(x[0, AxisIndex.Every(1.., 2)], "i32[2]", 1, 3);
        Same(x[0, AxisIndex.Every(.., -3)], "i32[2]", 3, 0);
        Same(x[Tensor.From([2, 0]), 1], "i32[2]", 9, 1);
        Assert.Equal("i32[2, 2, 4]", x[Tensor.From([2, 0, 1, 1], [2, 2])].Type);
    }

    [Fact]
    public void Indexer_Refuses_WhatIsOutside()
    {
        Fails<ShapeException>(() => _ = x[3], "ASH0145", "axis 0", "i32[3, 4]", "0 to 2");
        Fails<ShapeException>(() => _ = x[.., 2..5], "ASH0145", "axis 1");
        Fails<ShapeException>(() => _ = x[2..1], "ASH0145");
        Fails<ShapeException>(() => _ = x[0, 0, 0], "ASH0144", "3 indices", "2 axes");
        Fails<ShapeException>(() => _ = x[AxisIndex.Every(.., 0)], "ASH0146");
        Fails<DTypeException>(() => _ = x[x > 3], "ASH0205", "mask", "Where");
    }

    [Fact]
    public void Indexer_IsSymbolic()
    {
        var n = new Symbol("N", 4, 100);
        var t = Tensor.FromNode(Ashlar.Graph.Nodes.Parameter(0, DType.Float32, [n, 8]));
        Assert.Equal("f32[N-1, 8]", t[1..].Type);
        Assert.Equal("f32[N-3]", t[1..^2, 0].Type);
        Assert.Equal("f32[8]", t[^4].Type);
        Assert.Equal("f32[3, 8]", t[AxisIndex.From((Extent)n - 3, 3)].Type);
        Fails<ShapeException>(() => _ = t[5], "ASH0145", "N elements");
    }

    [Fact]
    public void With_ReplacesAPart()
    {
        Same(x.With(-1, 1), "i32[3, 4]", 0, 1, 2, 3, -1, -1, -1, -1, 8, 9, 10, 11);
        Same(x.With(Tensor.From([70, 80]), 0, 1..3), "i32[3, 4]", 0, 70, 80, 3, 4, 5, 6, 7, 8, 9, 10, 11);
        Same(x.With(0, .., AxisIndex.Every(.., 2)), "i32[3, 4]", 0, 1, 0, 3, 0, 5, 0, 7, 0, 9, 0, 11);
        Fails<ShapeException>(() => x.With(0, Tensor.From([0, 2])), "ASH0147", "Scatter");
        Same(Tensor.Arange(5).With(Tensor.From([7, 8, 9]), AxisIndex.Every(.., -2)), "i32[5]", 9, 1, 8, 3, 7);
        Fails<ShapeException>(() => x.With(Tensor.Zeros(3), 1), "ASH0142", "[4]");
    }

    [Fact]
    public void Take_ReadsWholeSlices()
    {
        Same(x.Take(Tensor.From([2, 0])), "i32[2, 4]", 8, 9, 10, 11, 0, 1, 2, 3);
        Same(x.Take(Tensor.From([3, 3], [1, 2]), 1), "i32[3, 1, 2]", 3, 3, 7, 7, 11, 11);
        Same(x.Take(Tensor.From<byte>([1])), "i32[1, 4]", 4, 5, 6, 7);
    }

    [Fact]
    public void GatherAndScatter_FollowPyTorch()
    {
        Same(x.Gather(1, Tensor.From([0, 3, 1], [3, 1])), "i32[3, 1]", 0, 7, 9);
        Same(x.Pick(Tensor.From([0, 3, 1])), "i32[3]", 0, 7, 9);
        Same(x.Gather(0, Tensor.From([2], [1, 1])), "i32[1, 4]", 8, 9, 10, 11);
        var zeros = Tensor.Zeros([3], DType.Int32);
        Same(zeros.Scatter(0, Tensor.From([2, 0]), Tensor.From([5, 6])), "i32[3]", 6, 0, 5);
        Same(zeros.ScatterAdd(0, Tensor.From([1, 1, 2]), Tensor.From([5, 6, 7])), "i32[3]", 0, 11, 7);
        Same(zeros.ScatterMax(0, Tensor.From([1, 1]), Tensor.From([5, 6])), "i32[3]", 0, 6, 0);
        Same(Tensor.From([0, 2, 2]).BinCount(4), "i32[4]", 1, 0, 2, 0);
        Fails<ShapeException>(() => x.Gather(1, Tensor.From([0, 1])), "ASH0122", "i32[3, 4]", "i32[2]");
        Fails<DTypeException>(() => x.Take(Tensor.From([1f])), "ASH0205", "f32[1]");
    }

    [Theory]
    [InlineData(50, 300, 90)]
    [InlineData(7, 128, 40)]
    [InlineData(9, 1, 60)]
    [InlineData(6000, 5, 3)]
    public void ScatterAdd_AddsEveryRow(int rows, int width, int updates)
    {
        var random = new Random(3);
        float[] table = [.. Enumerable.Range(0, rows * width).Select(_ => random.Next(64) / 64f)],
            rest = [.. Enumerable.Range(0, updates * width).Select(_ => random.Next(64) / 64f - 0.5f)];
        int[] ids = [.. Enumerable.Range(0, updates).Select(_ => random.Next(rows))];
        var found = Tensor.From(table, [rows, width]).ScatterAdd(0, Tensor.From(ids, [updates, 1]),
            Tensor.From(rest, [updates, width])).ToArray<float>();
        for (int i = 0; i < updates; i++)
            for (int k = 0; k < width; k++) table[ids[i] * width + k] += rest[i * width + k];
        Assert.Equal(table, found);
    }

    [Fact]
    public void TopK_IsStable_InLongRows()
    {
        var random = new Random(5);
        int[] keys = [.. Enumerable.Range(0, 1000).Select(_ => random.Next(-40, 40))];
        var (values, indices) = Tensor.From(keys).Cast(DType.Float32).TopK(200);
        int[] expected = [.. Enumerable.Range(0, keys.Length).OrderByDescending(i => keys[i]).Take(200)];
        Assert.Equal(expected, indices.ToArray<int>());
        Assert.Equal(expected.Select(i => (float)keys[i]), values.ToArray<float>());
    }

    [Fact]
    public void Take_Fails_WhenAnIndexIsOutside()
    {
        var error = Assert.Throws<KernelException>(() => x.Take(Tensor.From([3])).ToArray<int>());
        Assert.Contains("3", error.Message, StringComparison.Ordinal);
    }
}
