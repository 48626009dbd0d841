namespace Ashlar.Tests.Tensors;

public abstract class MovementTests(Device device) : DeviceTests(device)
{
    readonly Tensor x = Tensor.Arange(6).Reshape(2, 3);   // 0 1 2 / 3 4 5

    [Fact]
    public void Reshape_KeepsTheOrder_AndFillsOneOpenExtent()
    {
        Same(x.Reshape(3, 2), "i32[3, 2]", 0, 1, 2, 3, 4, 5);
        Assert.Equal("i32[3, 2]", x.Reshape(3, -1).Type);
        Assert.Equal("i32[6]", x.Reshape([-1]).Type);
        Assert.Equal("i32[6]", x.Flatten().Type);
        Assert.Equal("f32[2, 12, 5]", Tensor.Zeros(2, 3, 4, 5).Flatten(1, 2).Type);
        Assert.Equal("f32[2, 3, 4, 5]", Tensor.Zeros(2, 12, 5).Unflatten(1, 3, -1).Type);
        Fails<ShapeException>(() => x.Reshape(4, -1), "ASH0107", "i32[2, 3]", "4");
        Fails<ShapeException>(() => x.Reshape(-1, -1), "ASH0152");
    }

    [Fact]
    public void Reshape_IsSymbolic()
    {
        var b = new Symbol("B", 1, 64);
        var t = Tensor.FromNode(Ashlar.Graph.Nodes.Parameter(0, DType.Float32, [b, 12, 5]));
        Assert.Equal("f32[B, 60]", t.Reshape(b, -1).Type);
        Assert.Equal("f32[12*B, 5]", t.Reshape(-1, 5).Type);
        Assert.Equal("f32[12*B, 5]", t.Flatten(0, 1).Type);
    }

    [Fact]
    public void Axes_Move()
    {
        Same(x.Transpose(), "i32[3, 2]", 0, 3, 1, 4, 2, 5);
        Same(x.Permute(1, 0), "i32[3, 2]", 0, 3, 1, 4, 2, 5);
        Assert.Equal("f32[4, 2, 3]", Tensor.Zeros(2, 3, 4).MoveAxis(-1, 0).Type);
        Assert.Equal("f32[4, 3, 2]", Tensor.Zeros(2, 3, 4).Transpose(0, 2).Type);
        Assert.Equal("f32[2, 3]", Tensor.Zeros(1, 2, 1, 3).Squeeze().Type);
        Assert.Equal("f32[1, 2, 3]", Tensor.Zeros(1, 2, 1, 3).Squeeze(2).Type);
        Assert.Equal("f32[2, 3, 1]", Tensor.Zeros(2, 3).Unsqueeze(-1).Type);
        Assert.Equal("f32[1, 2, 3]", Tensor.Zeros(2, 3).Unsqueeze(0).Type);
        Fails<ShapeException>(() => x.Squeeze(0), "ASH0153", "2 elements");
        Fails<ShapeException>(() => x.Transpose(0, 2), "ASH0103", "axis 2", "[2, 3]");
        Fails<ShapeException>(() => x.Unsqueeze(4), "ASH0103");
    }

    [Fact]
    public void Broadcast_Stretches()
    {
        var row = Tensor.From([1, 2, 3]);
        Same(row.BroadcastTo(2, 3), "i32[2, 3]", 1, 2, 3, 1, 2, 3);
        Same(row.Unsqueeze(1).Expand(-1, 2), "i32[3, 2]", 1, 1, 2, 2, 3, 3);
        Fails<ShapeException>(() => row.BroadcastTo(2), "ASH0142", "i32[3]", "[2]");
    }

    [Fact]
    public void Slice_FollowsNumPy()
    {
        var v = Tensor.Arange(6);
        Same(v.Slice(0, 1, 4), "i32[3]", 1, 2, 3);
        Same(v.Slice(0, 1, step: 2), "i32[3]", 1, 3, 5);
        Same(v.Slice(0, step: -1), "i32[6]", 5, 4, 3, 2, 1, 0);
        Same(v.Slice(0, step: -2), "i32[3]", 5, 3, 1);
        Same(v.Slice(0, 4, 0, -2), "i32[2]", 4, 2);
        Same(v.Slice(0, -2), "i32[2]", 4, 5);
        Same(v.Slice(0, 2, 100), "i32[4]", 2, 3, 4, 5);
        Same(v.Slice(0, 4, 2), "i32[0]");
        Same(x.Slice(-1, 1), "i32[2, 2]", 1, 2, 4, 5);
    }

    [Fact]
    public void Joining_AndCutting_AreInverse()
    {
        Same(Tensor.Concat([x, x], 1), "i32[2, 6]", 0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5);
        Same(Tensor.Concat([Tensor.From([1]), Tensor.From([2.5f])]), "f32[2]", 1, 2.5);
        Same(Tensor.Stack([Tensor.From([1, 2]), Tensor.From([3, 4])]), "i32[2, 2]", 1, 2, 3, 4);
        Same(Tensor.Stack([Tensor.From([1, 2]), Tensor.From([3, 4])], -1), "i32[2, 2]", 1, 3, 2, 4);
        var parts = x.Split([1, 2], 1);
        Same(parts[1], "i32[2, 2]", 1, 2, 4, 5);
        Close(Tensor.Concat(parts, 1), x);
        Same(x.Chunk(3, 1)[2], "i32[2, 1]", 2, 5);
        Same(x.Unstack()[1], "i32[3]", 3, 4, 5);
        Fails<ShapeException>(() => x.Split([1, 1], 1), "ASH0154", "add up to 2");
        Fails<ShapeException>(() => x.Chunk(2, 1), "ASH0154");
        Fails<ShapeException>(() => Tensor.Concat([x, Tensor.Arange(3)]), "ASH0117");
        Fails<ShapeException>(() => Tensor.Concat([]), "ASH0151");
    }

    [Fact]
    public void Repeating_FollowsNumPy()
    {
        var v = Tensor.From([1, 2]);
        Same(v.Tile(2), "i32[4]", 1, 2, 1, 2);
        Same(v.Tile(2, 1), "i32[2, 2]", 1, 2, 1, 2);
        Same(v.Repeat(2, 0), "i32[4]", 1, 1, 2, 2);
        Same(x.Flip(1), "i32[2, 3]", 2, 1, 0, 5, 4, 3);
        Same(x.Flip(), "i32[2, 3]", 5, 4, 3, 2, 1, 0);
        Same(Tensor.Arange(4).Roll(1), "i32[4]", 3, 0, 1, 2);
        Same(Tensor.Arange(4).Roll(-5), "i32[4]", 1, 2, 3, 0);
    }

    [Fact]
    public void Pad_FillsEachWay()
    {
        var v = Tensor.From([1, 2, 3]);
        Same(v.Pad([(1, 2)]), "i32[6]", 0, 1, 2, 3, 0, 0);
        Same(v.Pad([(1, 0)], PadMode.Constant, 9), "i32[4]", 9, 1, 2, 3);
        Same(v.Pad([(-1, 1)]), "i32[3]", 2, 3, 0);
        Same(v.Pad([(2, 2)], PadMode.Reflect), "i32[7]", 3, 2, 1, 2, 3, 2, 1);
        Same(v.Pad([(2, 1)], PadMode.Replicate), "i32[6]", 1, 1, 1, 2, 3, 3);
        Same(v.Pad([(1, 2)], PadMode.Circular), "i32[6]", 3, 1, 2, 3, 1, 2);
        Same(x.Pad([(1, 0), (0, 1)]), "i32[3, 4]", 0, 0, 0, 0, 0, 1, 2, 0, 3, 4, 5, 0);
        Fails<ShapeException>(() => v.Pad([(3, 0)], PadMode.Reflect), "ASH0156", "Reflect");
        Fails<ShapeException>(() => v.Pad([(1, 0), (1, 0)]), "ASH0155", "2 widths");
    }

    [Fact]
    public void Windows_SlideAndFoldBack()
    {
        var v = Tensor.Arange(5);
        Same(v.Window(0, 3, 2), "i32[2, 3]", 0, 1, 2, 2, 3, 4);
        Same(v.Window(0, 2, 1, 2), "i32[3, 2]", 0, 2, 1, 3, 2, 4);
        Same(v.Window(0, 3, 2).Fold(0, 5, 2), "i32[5]", 0, 1, 4, 3, 4);
    }

    [Fact]
    public void Diagonal_TakesTheOffset()
    {
        var m = Tensor.Arange(12).Reshape(3, 4);
        Same(m.Diagonal(), "i32[3]", 0, 5, 10);
        Same(m.Diagonal(1), "i32[3]", 1, 6, 11);
        Same(m.Diagonal(-1), "i32[2]", 4, 9);
        Same(m.Trace(), "i64[]", 15);
        Assert.Equal("f32[3, 2]", Tensor.Zeros(2, 3, 2).Diagonal(0, 0, 2).Type);
    }
}
