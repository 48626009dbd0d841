namespace Ashlar.Tests.Tensors;

/// <summary>Answers at the ends of ranges: least integers, overflow, NaN, infinities, nothing, and indices out of
/// range.</summary>
public abstract class EdgeCaseTests(Device device) : DeviceTests(device)
{
    const double Inf = double.PositiveInfinity;

    [Fact]
    public void CumMin_TurnsNoIntegerRound()
    {
        Same(Tensor.From<byte>([5, 0, 7, 3]).CumMin(0), "u8[4]", 5, 0, 0, 0);
        Same(Tensor.From<sbyte>([5, -128, 7, 3]).CumMin(0), "i8[4]", 5, -128, -128, -128);
        Same(Tensor.From([int.MaxValue, int.MinValue, 0]).CumMin(0, reverse: true), "i32[3]", int.MinValue, int.MinValue, 0);
        Same(Tensor.From([true, false, true]).CumMin(0), "i32[3]", 1, 0, 0);
        Same(Tensor.From([2f, float.NaN, 1f]).CumMin(0), "f32[3]", 2, double.NaN, double.NaN);
    }

    [Theory]
    [InlineData(DType.Float16)]
    [InlineData(DType.BFloat16)]
    public void Statistics_CountBeyondThe16Bits(DType dtype)
    {
        var ones = Tensor.Ones([70_000], dtype);
        Same(ones.Mean(), $"{dtype.Name}[]", 1);
        var halves = Tensor.Where(Tensor.Arange(70_000) % 2 > 0, 1.0, 3.0).Cast(dtype);
        Same(halves.Mean(), $"{dtype.Name}[]", 2);
        Same(halves.Variance(), $"{dtype.Name}[]", 1);
        Same(halves.StandardDeviation(), $"{dtype.Name}[]", 1);
        Same(Tensor.Full([100], 300.0, dtype).Norm(), $"{dtype.Name}[]", dtype == DType.Float16 ? 3000 : 3008);
    }

    [Fact]
    public void IsClose_HoldsForFiniteNumbersAndEqualOnes()
    {
        var x = Tensor.From([1f, float.PositiveInfinity, float.NegativeInfinity, float.NaN, 1f, 2f]);
        var y = Tensor.From([float.PositiveInfinity, float.PositiveInfinity, float.PositiveInfinity, float.NaN, 1.000001f, 2.1f]);
        Same(x.IsClose(y), "bool[6]", 0, 1, 0, 0, 1, 0);
        Same(x.IsClose(y, nanEqualsNan: true), "bool[6]", 0, 1, 0, 1, 1, 0);
        Same(Tensor.From<byte>([3, 250]).IsClose(Tensor.From<byte>([5, 250]), 0, 1), "bool[2]", 0, 1);
        Same(Tensor.From<byte>([3, 250]).IsClose(4, 0, 1), "bool[2]", 1, 0);
        Same(x.AllClose(x), "bool[]", 0);
        Same(x.AllClose(x, nanEqualsNan: true), "bool[]", 1);
    }

    [Fact]
    public void Norm_TakesEveryOrder()
    {
        var x = Tensor.From([3f, -5f, 2f, 0f]);
        Same(x.Norm(order: 0), "f32[]", 3);
        Same(x[..3].Norm(order: double.NegativeInfinity), "f32[]", 2);
        Same(x.Norm(order: 1), "f32[]", 10);
        Same(x[..3].Norm(order: -1), "f32[]", 1 / (1 / 3.0 + 1 / 5.0 + 1 / 2.0));
        Same(Tensor.From([3, -4]).Norm(), "f32[]", 5);
        Fails<RangeException>(() => x.Norm(order: double.NaN), "ASH0185", "Norm", "NaN");
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(1.5)]
    public void Norm_HasGradientZero_AtZero(double order)
    {
        var zeros = Tensor.Zeros(3);
        Same(zeros.Norm(order: order), "f32[]", 0);
        Same(zeros.Norm(order: order).Gradient(zeros), "f32[3]", 0, 0, 0);
        CheckGradient(t => t.Norm(order: order), Tensor.From([3f, -5f, 2f]));
    }

    [Fact]
    public void Hyperbolics_OverflowOnlyWhereTheirValuesDo()
    {
        var x = Tensor.From([89f, -89f, 1e-6f, 0.5f, -3f, 100f]);
        double[] at = [89, -89, 1e-6f, 0.5, -3];
        Close(x.Sinh(), "f32[6]", 1e-5, [.. at.Select(Math.Sinh), Inf]);
        Close(x.Cosh(), "f32[6]", 1e-5, [.. at.Select(Math.Cosh), Inf]);
        Assert.Equal(1e-6, Numbers(x.Sinh())[2], 1e-12);
        CheckGradient(t => t.Sinh() + t.Cosh(), Tensor.From([-2f, -.1f, .3f, 5f]));
    }

    [Fact]
    public void Arange_CountsBeyond64Bits()
    {
        Assert.Equal("i64[3]", Tensor.Arange(long.MinValue, long.MaxValue, long.MaxValue).Type);
        Assert.Equal("i64[1]", Tensor.Arange(long.MaxValue, -1L, long.MinValue).Type);
        Same(Tensor.Arange(5, -2, -3), "i32[3]", 5, 2, -1);
        Same(Tensor.Arange(5, 5), "i32[0]");
        Fails<ShapeException>(() => Tensor.Arange(long.MinValue, long.MaxValue), "ASH0146", "Arange");
    }

    [Fact]
    public void Order_PutsNaNLast()
    {
        Same(Tensor.From([1f, float.NaN, 3f, 2f, 5f, 4f], [2, 3]).Median(), "f32[2]", double.NaN, 4);
        Same(Tensor.From([4, 1, 3, 2]).Median(), "i32[]", 2);
        var sorted = Tensor.From([1f, 3f, 5f, float.NaN]);
        Same(sorted.SearchSorted(Tensor.From([float.NaN, 3f, float.PositiveInfinity])), "i64[3]", 3, 1, 3);
        Same(sorted.SearchSorted(Tensor.From([float.NaN, 3f, float.PositiveInfinity]), right: true), "i64[3]", 4, 2, 3);
        Fails<ShapeException>(() => Tensor.Zeros(0).Median(), "ASH0120", "Median");
    }

    [Fact]
    public void RandomInt_StaysInItsTypeAndRange()
    {
        Fails<RangeException>(() => Tensor.RandomInt(1, long.MinValue, long.MaxValue, [3], DType.Int64), "ASH0185", "2^53");
        Fails<RangeException>(() => Tensor.RandomInt(1, 5, 5, [3]), "ASH0185", "from 5 to below 5");
        Fails<RangeException>(() => Tensor.RandomInt(1, 0, 1000, [3], DType.Int8), "ASH0186", "i8", "127");
        Fails<RangeException>(() => Tensor.RandomInt(1, -1, 1, [3], DType.UInt8), "ASH0186", "u8");
        Assert.All(Numbers(Tensor.RandomInt(1, -128, 128, [300], DType.Int8)), value => Assert.InRange(value, -128, 127));
    }

    [Fact]
    public void Probabilities_AreFromZeroToOne()
    {
        Fails<RangeException>(() => Tensor.Ones(2).Dropout(1, 0), "ASH0185", "rate 1");
        Fails<RangeException>(() => Tensor.Ones(2).Dropout(double.NaN, 0), "ASH0185");
        Fails<RangeException>(() => Tensor.Bernoulli(1, 2.0, [2]), "ASH0185", "Bernoulli");
        Fails<RangeException>(() => Tensor.Bernoulli(1, double.NaN, [2]), "ASH0185");
        Same(Tensor.Bernoulli(1, 1, [3]), "bool[3]", 1, 1, 1);
    }

    [Fact]
    public void Gather_ChecksItsIndices_WhereTheDataAreAConstant()
    {
        Fails<KernelException>(() => Tensor.Zeros(3, 4).Take(Tensor.From([5])).ToArray<float>(), "ASH0510", "5");
        Fails<KernelException>(() => Tensor.Ones(3, 4).Take(Tensor.From([-1])).ToArray<float>(), "ASH0510");
        Fails<KernelException>(() => Tensor.Zeros([3], DType.Bool).Take(Tensor.From([1, 3])).ToArray<bool>(), "ASH0510");
        Fails<KernelException>(() => Tensor.Iota([3, 4], 1).Take(Tensor.From([0, 3])).ToArray<int>(), "ASH0510");
        Fails<KernelException>(() => Tensor.Zeros(2, 3).CrossEntropy(Tensor.From([7, 0])).Item<float>(), "ASH0510", "7");
        Same(Tensor.Full([3, 2], 2.5).Take(Tensor.From([2, 0])), "f32[2, 2]", 2.5, 2.5, 2.5, 2.5);
        Same(Tensor.Zeros(3).Take(Tensor.From([2, 0])).Pad([(1, 1)], value: 7), "f32[4]", 7, 0, 0, 7);
        Same(Tensor.Iota([3, 4], 1).Take(Tensor.From([2])), "i32[1, 4]", 0, 1, 2, 3);
    }

    [Fact]
    public void Errors_SayWhatToMend()
    {
        Fails<TraceException>(() => Compiled.Function((Tensor x) => (Tensor)null!)(Tensor.Ones(2)), "ASH0405", "null");
        Assert.Contains("1 or more", Fails<ShapeException>(() => Tensor.Ones(4).Window(0, 2, stride: 0), "ASH0118").Message);
        Assert.Contains("1 or more", Fails<ShapeException>(() => Tensor.Ones(4).Window(0, 2, dilation: 0), "ASH0118").Message);
    }

    [Fact]
    public void Indexer_TakesLongs()
    {
        var x = Tensor.From([1f, 5f, 3f, 4f, 2f, 6f], [2, 3]);
        long first = 1, last = -1;
        Same(x[first], "f32[3]", 4, 2, 6);
        Same(x[first, last], "f32[]", 6);
        Fails<ShapeException>(() => _ = x[5L], "ASH0145", "5");
        Fails<ShapeException>(() => _ = x[-3L], "ASH0145");
    }

    [Fact]
    public void Logspace_RaisesTheRadix()
    {
        Same(Tensor.Logspace(0, 3, 4), "f32[4]", 1, 10, 100, 1000);
        Same(Tensor.Logspace(-1, 1, 3, radix: 2), "f32[3]", .5, 1, 2);
        Fails<RangeException>(() => Tensor.Logspace(0, 1, 2, radix: -1), "ASH0185");
    }

    [Fact]
    public void Logic_TakesNumbers()
    {
        Tensor a = Tensor.From([0, 2, 0, 3]), b = Tensor.From([0f, 0f, .5f, 1f]);
        Same(a.LogicalXor(b), "bool[4]", 0, 1, 1, 0);
        Same(a.LogicalAnd(b), "bool[4]", 0, 0, 0, 1);
        Same(a.LogicalOr(b), "bool[4]", 0, 1, 1, 1);
        Same(a.LogicalNot(), "bool[4]", 1, 0, 1, 0);
        Same(a.IsIn(Tensor.From([3, 0])), "bool[4]", 1, 0, 1, 1);
        Same(a.IsIn(Tensor.Zeros([0], DType.Int32)), "bool[4]", 0, 0, 0, 0);
    }
}
