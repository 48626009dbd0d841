namespace Ashlar.Tests.Tensors;

public abstract class ReductionTests(Device device) : DeviceTests(device)
{
    readonly Tensor x = Tensor.From([1f, 5f, 3f, 4f, 2f, 6f], [2, 3]);

    [Fact]
    public void Sums_TakeAxes()
    {
        Same(x.Sum(), "f32[]", 21);
        Same(x.Sum(0), "f32[3]", 5, 7, 9);
        Same(x.Sum(-1, keepAxis: true), "f32[2, 1]", 9, 12);
        Same(x.Sum([0, 1], keepAxis: true), "f32[1, 1]", 21);
        Same(x.Prod(1), "f32[2]", 15, 48);
        Same((x > 2).Sum(), "i64[]", 4);
        Same(Tensor.From<byte>([200, 200]).Sum(), "i64[]", 400);
        Fails<ShapeException>(() => x.Sum(2), "ASH0103", "axis 2", "[2, 3]");
        Fails<ShapeException>(() => x.Sum([0, -2]), "ASH0143");
    }

    [Fact]
    public void Extremes_AndWhereTheyAre()
    {
        Same(x.Max(1), "f32[2]", 5, 6);
        Same(x.Min([0]), "f32[3]", 1, 2, 3);
        Same(x.Max(), "f32[]", 6);
        Same(x.ArgMax(1), "i32[2]", 1, 2);
        Same(x.ArgMin(0, keepAxis: true), "i32[1, 3]", 0, 1, 0);
        Same(x.ArgMax(), "i32[]", 5);
        Same(Tensor.From([1f, float.NaN]).Max(), "f32[]", double.NaN);
        Fails<ShapeException>(() => Tensor.Zeros(0).Max(), "ASH0120", "f32[0]");
    }

    [Fact]
    public void Statistics_MatchTheirFormulas()
    {
        Same(x.Mean(), "f32[]", 3.5);
        Same(x.Mean(1), "f32[2]", 3, 4);
        Same(Tensor.From([1, 2]).Mean(), "f32[]", 1.5);
        Same(x.Variance(1), "f32[2]", 8.0 / 3, 8.0 / 3);
        Same(x.Variance(1, correction: 1), "f32[2]", 4, 4);
        Same(x.StandardDeviation(1, correction: 1), "f32[2]", 2, 2);
        Same(Tensor.From([3f, -4f]).Norm(), "f32[]", 5);
        Same(Tensor.From([3f, -4f]).Norm(order: 1), "f32[]", 7);
        Same(Tensor.From([3f, -4f]).Norm(order: double.PositiveInfinity), "f32[]", 4);
        Same(Tensor.From([3f, -4f]).Norm(order: 3), "f32[]", Math.Cbrt(91));
    }

    [Fact]
    public void LogSumExp_DoesNotOverflow()
    {
        Same(Tensor.From([1000f, 1000f]).LogSumExp(), "f32[]", 1000 + Math.Log(2));
        Same(Tensor.From([float.NegativeInfinity, float.NegativeInfinity]).LogSumExp(0), "f32[]", double.NegativeInfinity);
        CheckGradient(t => t.LogSumExp(1), x);
    }

    [Fact]
    public void AnyAndAll_Decide()
    {
        Same((x > 4).Any(1), "bool[2]", 1, 1);
        Same((x > 4).All(0), "bool[3]", 0, 0, 0);
        Same((x > 0).All(), "bool[]", 1);
        Same(Tensor.From([0.5f, 0f]).Any(), "bool[]", 1);
        Same(Tensor.From([0.5f, 0f]).CountNonZero(), "i64[]", 1);
    }

    [Fact]
    public void Scans_RunAlongAnAxis()
    {
        Same(x.CumSum(1), "f32[2, 3]", 1, 6, 9, 4, 6, 12);
        Same(x.CumSum(1, reverse: true), "f32[2, 3]", 9, 8, 3, 12, 8, 6);
        Same(x.CumProd(0), "f32[2, 3]", 1, 5, 3, 4, 10, 18);
        Same(x.CumMax(1), "f32[2, 3]", 1, 5, 5, 4, 4, 6);
        Same(x.CumMin(1), "f32[2, 3]", 1, 1, 1, 4, 2, 2);
        Same(Tensor.From([true, true]).CumSum(0), "i64[2]", 1, 2);
    }

    [Fact]
    public void Sorting_IsStable()
    {
        var v = Tensor.From([3f, 1f, float.NaN, 2f, 1f]);
        Same(v.Sort(), "f32[5]", 1, 1, 2, 3, double.NaN);
        Same(v.ArgSort(), "i32[5]", 1, 4, 3, 0, 2);
        Same(x.Sort(1, descending: true), "f32[2, 3]", 5, 3, 1, 6, 4, 2);
        var (values, indices) = x.TopK(2);
        Same(values, "f32[2, 2]", 5, 3, 6, 4);
        Same(indices, "i32[2, 2]", 1, 2, 2, 0);
        Same(x.TopK(1, 0, largest: false).Values, "f32[1, 3]", 1, 2, 3);
        Same(x.Median(), "f32[2]", 3, 4);
        Same(Tensor.From([1f, 3f, 5f]).SearchSorted(Tensor.From([0f, 3f, 9f])), "i64[3]", 0, 1, 3);
        Same(Tensor.From([1f, 3f, 5f]).SearchSorted(Tensor.From([3f]), right: true), "i64[1]", 2);
        Fails<ShapeException>(() => x.TopK(4), "ASH0157", "f32[2, 3]");
    }
}
