namespace Ashlar.Tests.Tensors;

public abstract class PrintingTests(Device device) : DeviceTests(device)
{
    static string Lines(params string[] lines) => string.Join('\n', lines);

    [Fact]
    public void ToString_AlignsColumns()
    {
        Assert.Equal(Lines("f32[2, 3]", "[[  1.00   2.50  -3.00]", " [ 10.00   0.25 100.00]]"),
            Tensor.From([1f, 2.5f, -3f, 10f, .25f, 100f], [2, 3]).ToString());
        Assert.Equal(Lines("i32[3]", "[ 1 20 -3]"), Tensor.From([1, 20, -3]).ToString());
        Assert.Equal(Lines("bool[2]", "[ true false]"), Tensor.From([true, false]).ToString());
        Assert.Equal(Lines("f32[3]", "[1. 2. 3.]"), Tensor.From([1f, 2f, 3f]).ToString());
        Assert.Equal("f32[] 3.5", Tensor.Of(3.5f).ToString());
        Assert.Equal("f32[0] []", Tensor.Zeros(0).ToString());
        Assert.Equal(Lines("f32[3]", "[ nan  inf -inf]"),
            Tensor.From([float.NaN, float.PositiveInfinity, float.NegativeInfinity]).ToString());
        Assert.Equal(Lines("f32[2]", "[1.0000e-09 1.0000e+00]"), Tensor.From([1e-9f, 1f]).ToString());
        Assert.Equal(Lines("i64[1]", "[9007199254740993]"), Tensor.From([9007199254740993L]).ToString());
    }

    [Fact]
    public void ToString_SeparatesMatrices() =>
        Assert.Equal(Lines("i32[2, 2, 1]", "[[[0]", "  [1]]", "", " [[2]", "  [3]]]"), Tensor.Arange(4)
            .Reshape(2, 2, 1).ToString());

    [Fact]
    public void ToString_LeavesOutTheMiddle()
    {
        Assert.Equal(Lines("i32[2000]", "[   0    1    2 ... 1997 1998 1999]"), Tensor.Arange(2000).ToString());
        string[] lines = Tensor.Zeros(100, 100).ToString().Split('\n');
        Assert.Equal(8, lines.Length);
        Assert.Equal(" ...", lines[4]);
        Assert.Equal("[[0. 0. 0. ... 0. 0. 0.]", lines[1]);
    }

    [Fact]
    public void ToString_WrapsLongRows() =>
        Assert.All(Tensor.Arange(500).ToString().Split('\n'), line => Assert.InRange(line.Length, 1, 101));
}
