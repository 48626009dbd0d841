namespace Ashlar.Tests.Tensors;

public abstract class ProductTests(Device device) : DeviceTests(device)
{
    readonly Tensor a = Tensor.Arange(6).Reshape(2, 3).Cast(DType.Float32);
    readonly Tensor b = Tensor.Arange(12).Reshape(3, 4).Cast(DType.Float32);

    [Fact]
    public void MatMul_TakesMatricesAndVectors()
    {
        Same(a.MatMul(b), "f32[2, 4]", 20, 23, 26, 29, 56, 68, 80, 92);
        Same(a.MatMul(Tensor.From([1f, 2f, 3f])), "f32[2]", 8, 26);
        Same(Tensor.From([1f, 2f]).MatMul(a), "f32[3]", 6, 9, 12);
        Same(Tensor.From([1f, 2f]).Dot(Tensor.From([3f, 4f])), "f32[]", 11);
        Same(Tensor.From<byte>([200, 100]).Dot(Tensor.From<byte>([2, 2])), "i32[]", 600);
        Assert.Equal("f32[5, 7, 2, 4]", Tensor.Zeros(5, 1, 2, 3).MatMul(Tensor.Zeros(7, 3, 4)).Type);
        Assert.Equal("f32[5, 7, 4]", Tensor.Zeros(5, 7, 3).MatMul(b).Type);
    }

    [Fact]
    public void MatMul_BroadcastsBatches()
    {
        var left = Tensor.RandomNormal(1, 2, 1, 3, 4);
        var right = Tensor.RandomNormal(2, 5, 4, 2);
        var all = left.MatMul(right);
        Assert.Equal("f32[2, 5, 3, 2]", all.Type);
        Close(all[1, 3], left[1, 0].MatMul(right[3]));
    }

    [Fact]
    public void MatMul_Refuses_WhatDoesNotFit()
    {
        Fails<ShapeException>(() => a.MatMul(a), "ASH0159", "f32[2, 3]", "a.MatMul(b.Transpose())");
        Fails<ShapeException>(() => Tensor.Zeros(2, 2, 3).MatMul(Tensor.Zeros(3, 3, 4)), "ASH0142", "leading axes");
        Fails<ShapeException>(() => a.MatMul(Tensor.Of(1f)), "ASH0159");
    }

    [Theory]
    [InlineData("ij,jk->ik")]
    [InlineData("ij,jk")]
    public void Einsum_IsAMatrixProduct(string formula) => Close(Tensor.Einsum(formula, a, b), a.MatMul(b));

    [Fact]
    public void Einsum_KnowsEveryForm()
    {
        var square = Tensor.Arange(9).Reshape(3, 3).Cast(DType.Float32);
        Same(Tensor.Einsum("ii->i", square), "f32[3]", 0, 4, 8);
        Same(Tensor.Einsum("ii", square), "f32[]", 12);
        Same(Tensor.Einsum("ij->ji", a), "f32[3, 2]", 0, 3, 1, 4, 2, 5);
        Same(Tensor.Einsum("ij->", a), "f32[]", 15);
        Same(Tensor.Einsum("i,j->ij", Tensor.From([1f, 2f]), Tensor.From([3f, 4f])), "f32[2, 2]", 3, 4, 6, 8);
        Same(Tensor.Einsum("ij,ij->i", a, a), "f32[2]", 5, 50);
        Same(Tensor.Einsum("i,ij,j->", Tensor.From([1f, 2f]), a, Tensor.From([1f, 1f, 1f])), "f32[]", 27);
        Same(Tensor.Einsum("ba", a), "f32[3, 2]", 0, 3, 1, 4, 2, 5);
        var (left, right) = (Tensor.RandomNormal(3, 2, 5, 3, 4), Tensor.RandomNormal(4, 5, 4, 6));
        Close(Tensor.Einsum("...ij,...jk->...ik", left, right), left.MatMul(right));
        Close(Tensor.Einsum("...ij->...ji", left), left.Transpose());
        Close(Tensor.Einsum("bhqd,bhkd->bhqk", left, left), left.MatMul(left.Transpose()));
        Close(Tensor.Einsum("ij,jk,kl->il", a, b, Tensor.Ones(4, 2)), a.MatMul(b).MatMul(Tensor.Ones(4, 2)));
        Close(Tensor.Einsum("iij->j", Tensor.Arange(18).Reshape(3, 3, 2)), Tensor.From([0 + 8 + 16, 1 + 9 + 17]));
        Close(Tensor.Einsum("ij,kj->ikj", Tensor.Ones(2, 1), b), b.Unsqueeze(0).BroadcastTo(2, 3, 4));
    }

    [Fact]
    public void Einsum_SaysWhatIsWrong()
    {
        Fails<ShapeException>(() => Tensor.Einsum("ij,jk->ik", a), "ASH0158", "names 2 operands", "1 were passed");
        Fails<ShapeException>(() => Tensor.Einsum("ijk->i", a), "ASH0158", "has 2 axes");
        Fails<ShapeException>(() => Tensor.Einsum("ij,jk->ix", a, b), "ASH0158", "'x'");
        Fails<ShapeException>(() => Tensor.Einsum("ij,kj->ik", a, b), "ASH0158", "'j'", "f32[2, 3]", "f32[3, 4]");
        Fails<ShapeException>(() => Tensor.Einsum("i1->i", a), "ASH0158", "'1'");
        Fails<ShapeException>(() => Tensor.Einsum("ij->ii", a), "ASH0158", "twice");
        Fails<ShapeException>(() => Tensor.Einsum("...j->j", a), "ASH0158", "ellipsis");
    }

    [Fact]
    public void TensorDotAndOuter_PairAxes()
    {
        Close(a.TensorDot(b, 1), a.MatMul(b));
        Close(a.TensorDot(b, [1], [0]), a.MatMul(b));
        Close(a.TensorDot(a, [0, 1], [0, 1]), a.Square().Sum());
        Same(Tensor.From([1f, 2f]).Outer(Tensor.From([1f, 3f])), "f32[2, 2]", 1, 3, 2, 6);
        Fails<ShapeException>(() => a.TensorDot(b, [0], [0]), "ASH0124", "2 is not 3");
    }

    [Fact]
    public void Conv2d_MatchesItsDefinition()
    {
        var x = Tensor.RandomNormal(1, [2, 4, 6, 5]);
        var w = Tensor.RandomNormal(2, [6, 2, 3, 2]);
        var bias = Tensor.RandomNormal(3, [6]);
        foreach (var (stride, padding, dilation) in new[] { (1, 0, 1), (2, 1, 1), (1, 2, 2) })
            Close(x.Conv2d(w, bias, stride, padding, dilation, groups: 2), Direct(x, w, bias, stride, padding, dilation, 2));
        Close(x.Conv2d(w[.., ..1].Tile(1, 4, 1, 1), stride: 1),
            Direct(x, w[.., ..1].Tile(1, 4, 1, 1), Tensor.Zeros(6), 1, 0, 1, 1));
    }

    [Fact]
    public void Conv1d_MatchesConv2d()
    {
        var (x, w) = (Tensor.RandomNormal(1, [2, 3, 9]), Tensor.RandomNormal(2, [4, 3, 3]));
        Close(x.Conv1d(w, stride: 2, padding: 1), x.Unsqueeze(2).Conv2d(w.Unsqueeze(2), null, (1, 2), (0, 1), (1, 1)).Squeeze(2));
        Fails<ShapeException>(() => x.Conv1d(Tensor.Zeros(4, 2, 3)), "ASH0161", "f32[2, 3, 9]", "f32[4, 2, 3]");
    }

    [Theory]
    [InlineData(1, 0, 0, 1, 1)]
    [InlineData(2, 1, 1, 1, 2)]
    [InlineData(3, 1, 0, 2, 2)]
    public void ConvTranspose_IsTheAdjointOfConv(int stride, int padding, int outputPadding, int dilation, int groups)
    {
        var x = Tensor.RandomNormal(1, [1, 4, 4, 3], DType.Float64);
        var w = Tensor.RandomNormal(2, [4, 6 / groups, 3, 2], DType.Float64);
        var y = x.ConvTranspose2d(w, null, stride, padding, outputPadding, dilation, groups);
        var other = Tensor.RandomNormal(3, y.Shape, DType.Float64);
        var back = other.Conv2d(w, null, stride, padding, dilation, groups);
        Close((y * other).Sum(), (x * back[.., .., ..4, ..3]).Sum(), 1e-10);
        Assert.Equal(((long)(4 - 1) * stride) + (dilation * 2) + 1 - (2 * padding) + outputPadding, y.Shape[2].Value);
    }

    [Fact]
    public void Pools_RefuseWindowsOfPaddingAlone() =>
        Fails<ShapeException>(() => Tensor.Ones(1, 1, 6).MaxPool1d(2, padding: 2), "ASH0160", "2 elements");

    [Fact]
    public void Pools_TakeWindows()
    {
        var x = Tensor.Arange(16).Reshape(1, 1, 4, 4).Cast(DType.Float32);
        Same(x.MaxPool2d(2), "f32[1, 1, 2, 2]", 5, 7, 13, 15);
        Same(x.AvgPool2d(2), "f32[1, 1, 2, 2]", 2.5, 4.5, 10.5, 12.5);
        Same(x.MaxPool2d(3, 2, 1), "f32[1, 1, 2, 2]", 5, 7, 13, 15);
        Same((-1 - x).MaxPool2d(3, 3, 1)[0, 0, 0, 0], "f32[]", -1);
        Same(Tensor.From([1f, 2f, 3f, 4f]).AvgPool1d(2, 1), "f32[3]", 1.5, 2.5, 3.5);
        Same(Tensor.From([1, 5, 3, 4]).MaxPool1d(2), "i32[2]", 5, 4);
    }

    static Tensor Direct(Tensor x, Tensor w, Tensor bias, int stride, int padding, int dilation, int groups)
    {
        var padded = x.Pad([(padding, padding), (padding, padding)]);
        long[] p = padded.Shape.Values, k = w.Shape.Values;
        long height = ((p[2] - (dilation * (k[2] - 1)) - 1) / stride) + 1,
            width = ((p[3] - (dilation * (k[3] - 1)) - 1) / stride) + 1;
        var (xs, ws, bs) = (padded.ToArray<float>(), w.ToArray<float>(), bias.ToArray<float>());
        var result = new float[p[0], k[0], height, width];
        for (int n = 0; n < p[0]; n++)
            for (int o = 0; o < k[0]; o++)
                for (int i = 0; i < height; i++)
                    for (int j = 0; j < width; j++)
                    {
                        double sum = bs[o];
                        for (int c = 0; c < k[1]; c++)
                            for (int u = 0; u < k[2]; u++)
                                for (int v = 0; v < k[3]; v++)
                                {
                                    long channel = (o / (k[0] / groups) * k[1]) + c;
                                    sum += (double)xs[(((((n * p[1]) + channel) * p[2]) + (i * stride) + (u * dilation)) * p[3])
                                        + (j * stride) + (v * dilation)]
                                        * ws[(((((o * k[1]) + c) * k[2]) + u) * k[3]) + v];
                                }
                        result[n, o, i, j] = (float)sum;
                    }
        return Tensor.From(result);
    }
}
