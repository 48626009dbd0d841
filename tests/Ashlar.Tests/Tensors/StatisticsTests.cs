namespace Ashlar.Tests.Tensors;

public abstract class StatisticsTests(Device device) : DeviceTests(device)
{
    const double Nan = double.NaN;

    readonly Tensor x = Tensor.From([1f, 5f, 3f, 4f, 2f, 6f], [2, 3]);

    [Fact]
    public void Quantiles_LieBetweenElements()
    {
        Same(x.Quantile(.5), "f32[]", 3.5);
        Same(x.Quantile(.25, 1), "f32[2]", 2, 3);
        Same(x.Quantile([0, .1, 1], 0), "f32[3, 3]", 1, 2, 3, 1.3, 2.3, 3.3, 4, 5, 6);
        Same(x.Percentile(50, 1, keepAxis: true), "f32[2, 1]", 3, 4);
        Same(x.Quantile(.3, mode: QuantileMode.Lower), "f32[]", 2);
        Same(x.Quantile(.3, mode: QuantileMode.Higher), "f32[]", 3);
        Same(x.Quantile(.35, mode: QuantileMode.Nearest), "f32[]", 3);
        Same(x.Quantile(.3, mode: QuantileMode.Midpoint), "f32[]", 2.5);
        Same(Tensor.From([1f, float.NaN, 3f]).Quantile(0), "f32[]", Nan);
        Same(Tensor.From([3, 1]).Quantile(.5), "f32[]", 2);
        CheckGradient(t => t.Quantile(.4, 1), x);
        Fails<RangeException>(() => x.Quantile(25), "ASH0185", "25", "Percentile");
        Fails<ShapeException>(() => Tensor.Zeros(0).Quantile(.5), "ASH0120");
    }

    [Fact]
    public void Histogram_CountsIntervals()
    {
        var (counts, edges) = Tensor.From([0f, 1f, 1.5f, 2f, 4f, float.NaN, 9f, -1f]).Histogram(4, (0, 4));
        Same(counts, "i64[4]", 1, 2, 1, 1);
        Same(edges, "f64[5]", 0, 1, 2, 3, 4);
        (counts, edges) = Tensor.From([3, 3, 3]).Histogram(2);
        Same(counts, "i64[2]", 0, 3);
        Same(edges, "f64[3]", 2.5, 3, 3.5);
        Same(Tensor.Arange(100).Histogram(10).Counts, "i64[10]", [.. Enumerable.Repeat(10.0, 10)]);
        // As NumPy: edge 3 is above .3.
        Same(Tensor.From([.1, .2, .3, .6, .7]).Histogram(10, (0, 1)).Counts, "i64[10]", 0, 1, 2, 0, 0, 1, 1, 0, 0, 0);
        Fails<RangeException>(() => x.Histogram(0), "ASH0185");
        Fails<RangeException>(() => x.Histogram(3, (2, 1)), "ASH0185", "from 2 to 1");
    }

    [Fact]
    public void NanReductions_LeaveNaNOut()
    {
        var y = Tensor.From([1f, float.NaN, 3f, float.NaN, float.NaN, float.NaN], [2, 3]);
        Same(y.NanSum([1]), "f32[2]", 4, 0);
        Same(y.NanMean([1]), "f32[2]", 2, Nan);
        Same(y.NanMax([1], keepAxis: true), "f32[2, 1]", 3, Nan);
        Same(y.NanMin(), "f32[]", 1);
        Same(Tensor.From([1, 2]).NanMax(), "i32[]", 2);
        Same(y.NanMean().Gradient(y), "f32[2, 3]", .5, 0, .5, 0, 0, 0);
    }

    [Fact]
    public void ExtremesWithIndex_TellWhere()
    {
        var (values, indices) = x.MaxWithIndex(1);
        Same(values, "f32[2]", 5, 6);
        Same(indices, "i32[2]", 1, 2);
        (values, indices) = x.MinWithIndex(0, keepAxis: true);
        Same(values, "f32[1, 3]", 1, 2, 3);
        Same(indices, "i32[1, 3]", 0, 1, 0);
        var equal = Tensor.From([2f, 2f]);
        Same(equal.MaxWithIndex(0).Values.Gradient(equal), "f32[2]", 1, 0);
    }

    [Fact]
    public void Diff_SubtractsTheOneBefore()
    {
        Same(x.Diff(), "f32[2, 2]", 4, -2, -2, 4);
        Same(x.Diff(0), "f32[1, 3]", 3, -3, 3);
        Same(x.Diff(1, 2), "f32[2, 1]", -6, 6);
        Same(x.Diff(0, 5), "f32[0, 3]");
        Fails<RangeException>(() => x.Diff(0, -1), "ASH0185");
    }

    [Fact]
    public void Distances_MatchTheirFormulas()
    {
        var y = Tensor.From([1f, 5f, 3f, 0f, 0f, 0f, 1f, 1f, 1f], [3, 3]);
        Same(x.Cdist(y), "f32[2, 3]", 0, Math.Sqrt(35), Math.Sqrt(20), Math.Sqrt(27), Math.Sqrt(56), Math.Sqrt(35));
        Same(x.Cdist(y, 1), "f32[2, 3]", 0, 9, 6, 9, 12, 9);
        Same(x.CosineSimilarity(y[..2]), "f32[2]", 1, 0);
        Same(x.CosineSimilarity(x * -3, 0), "f32[3]", -1, -1, -1);
        CheckGradient(t => t.Cdist(y.Cast(DType.Float64)), Tensor.From([1f, 2f, 3f]).Unsqueeze(0));
        Assert.All(Numbers(x.Cdist(x).Sum().Gradient(x)), number => Assert.True(double.IsFinite(number)));
        Fails<ShapeException>(() => x.Cdist(x[0]), "ASH0105");
    }

    [Fact]
    public void Compaction_PadsAndCounts()
    {
        var (values, count) = x.MaskedSelect(x > 2, fill: -1);
        Same(values, "f32[6]", 5, 3, 4, 6, -1, -1);
        Same(count, "i64[]", 4);
        Same(x.MaskedSelect(x > 2).Values.Sum().Gradient(x), "f32[2, 3]", 0, 1, 1, 1, 0, 1);
        (var indices, count) = (x > 4).Nonzero(fill: -1);
        Same(indices[..2], "i32[2, 2]", 0, 1, 1, 2);
        Same(indices[2..], "i32[4, 2]", -1, -1, -1, -1, -1, -1, -1, -1);
        Same(count, "i64[]", 2);
        var unique = Tensor.From([3f, 1f, float.NaN, 3f, float.NaN, 2f]).Unique(fill: 9);
        Same(unique.Values, "f32[6]", 1, 2, 3, Nan, 9, 9);
        Same(unique.Inverse, "i32[6]", 2, 0, 3, 2, 3, 1);
        Same(unique.Counts, "i32[6]", 1, 1, 2, 2, 0, 0);
        Same(unique.Count, "i64[]", 4);
        Same(Tensor.From([5, 5], [1, 2]).Unique().Inverse, "i32[1, 2]", 0, 0);
        Fails<DTypeException>(() => x.MaskedSelect(x), "ASH0223");
    }

    [Fact]
    public void Scatters_KeepTheLeastAndMultiply()
    {
        var at = Tensor.From([0, 2, 0]);
        Same(Tensor.From([5f, 1f, 2f]).ScatterMin(0, at, Tensor.From([7f, -1f, 3f])), "f32[3]", 3, 1, -1);
        Same(Tensor.From<sbyte>([5, 1, 2]).ScatterMin(0, at, Tensor.From<sbyte>([7, -128, 3])), "i8[3]", 3, 1, -128);
        Same(Tensor.From([5f, 1f, 2f]).ScatterMul(0, at, Tensor.From([7f, -1f, 3f])), "f32[3]", 105, 1, -2);
        Same(x.ScatterMul(1, Tensor.From([1, 0], [2, 1]), 10), "f32[2, 3]", 1, 50, 3, 40, 2, 6);
        Fails<KernelException>(() => Tensor.Ones(3).ScatterMul(0, Tensor.From([3]), 2).ToArray<float>(), "ASH0510");
        CheckGradient(t => t.ScatterMul(0, at, Tensor.From([7.0, -1, 3])) + t.ScatterMin(0, at, Tensor.From([2.0, 9, 9])),
            Tensor.From([5f, 1f, 2f]));
    }

    [Fact]
    public void Distributions_HaveTheirMoments()
    {
        static double[] Draw(Tensor t) => Numbers(t);
        double[] waits = Draw(Tensor.RandomExponential(1, [4000], 2));
        Assert.InRange(waits.Average(), .47, .53);
        Assert.All(waits, value => Assert.InRange(value, 0, 20));
        double[] laplace = Draw(Tensor.RandomLaplace(2, [4000], 3, 2));
        Assert.InRange(laplace.Average(), 2.8, 3.2);
        Assert.InRange(laplace.Select(value => Math.Abs(value - 3)).Average(), 1.85, 2.15);
        double[] gumbel = Draw(Tensor.RandomGumbel(3, [4000]));
        Assert.InRange(gumbel.Average(), .52, .64);
        Assert.All(gumbel, value => Assert.True(double.IsFinite(value)));
        double[] cut = Draw(Tensor.RandomTruncatedNormal(4, [4000], -1, .5, mean: 10, deviation: 2));
        Assert.All(cut, value => Assert.InRange(value, 8 - 1e-5, 11 + 1e-5));
        Assert.InRange(cut.Average(), 9.5, 9.75);   // 10 + 2 (phi(-1) - phi(.5)) / (Phi(.5) - Phi(-1)) = 9.619
        Fails<RangeException>(() => Tensor.RandomTruncatedNormal(4, [2], 3, 1), "ASH0185");
        Fails<RangeException>(() => Tensor.RandomExponential(4, [2], 0), "ASH0185", "rate");
    }

    [Fact]
    public void Choices_FollowTheirWeights()
    {
        var weights = Tensor.From([1f, 0f, 3f, 0f, 1f, 0f], [2, 3]);
        double[] drawn = Numbers(weights.Multinomial(1000, 5));
        Assert.InRange(drawn[..1000].Count(value => value == 2), 700, 800);
        Assert.DoesNotContain(1, drawn[..1000]);
        Assert.All(drawn[1000..], value => Assert.Equal(1, value));
        double[] order = Numbers(Tensor.From([1f, 2f, 3f]).Multinomial(3, 6, replacement: false));
        Assert.Equal([0, 1, 2], order.Order());
        double[] classes = Numbers(weights.Log()[0].BroadcastTo(1000, 3).Categorical(7));
        Assert.InRange(classes.Count(value => value == 2), 700, 800);
        Fails<ShapeException>(() => weights.Multinomial(4, 6, replacement: false), "ASH0157");
        Fails<RangeException>(() => weights.Multinomial(0, 6), "ASH0185");
    }
}
