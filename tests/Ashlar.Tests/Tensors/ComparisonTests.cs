namespace Ashlar.Tests.Tensors;

public abstract class ComparisonTests(Device device) : DeviceTests(device)
{
    readonly Tensor x = Tensor.From([1f, 2f, float.NaN]);

    [Fact]
    public void Comparisons_GiveBools_AndAreFalseWithNaN()
    {
        Same(x < 2, "bool[3]", 1, 0, 0);
        Same(x <= 2, "bool[3]", 1, 1, 0);
        Same(x > 1.5, "bool[3]", 0, 1, 0);
        Same(x >= Tensor.From([1f, 3f, 0f]), "bool[3]", 1, 0, 0);
        Same(1.5 < x, "bool[3]", 0, 1, 0);
        Same(x.EqualTo(2), "bool[3]", 0, 1, 0);
        Same(x.NotEqualTo(2), "bool[3]", 1, 0, 1);
        Same(Tensor.From([1, 2]) > 1.5, "bool[2]", 0, 1);
        Same(x.IsNaN(), "bool[3]", 0, 0, 1);
        Same(Tensor.From([1f, float.NegativeInfinity, float.NaN]).IsInfinity(), "bool[3]", 0, 1, 0);
        Same(Tensor.From([1f, float.NegativeInfinity, float.NaN]).IsFinite(), "bool[3]", 1, 0, 0);
        Same(Tensor.From([1f, 1.1f]).IsClose(1.000001), "bool[2]", 1, 0);
    }

    [Fact]
    public void LogicAndBits_WorkOnTheirTypes()
    {
        var (a, b) = (Tensor.From([true, true, false]), Tensor.From([true, false, false]));
        Same(a & b, "bool[3]", 1, 0, 0);
        Same(a | b, "bool[3]", 1, 1, 0);
        Same(a ^ b, "bool[3]", 0, 1, 0);
        Same(~a, "bool[3]", 0, 0, 1);
        var n = Tensor.From([6, -8]);
        Same(n & 3, "i32[2]", 2, 0);
        Same(n | 1, "i32[2]", 7, -7);
        Same(n ^ 5, "i32[2]", 3, -8 ^ 5);
        Same(n << 2, "i32[2]", 24, -32);
        Same(n >> 1, "i32[2]", 3, -4);
        Same(~n, "i32[2]", -7, 7);
        Same(!n, "bool[2]", 0, 0);
        Fails<DTypeException>(() => _ = x & x, "ASH0208", "f32");
    }

    [Fact]
    public void Where_Broadcasts_AndTakesNumbers()
    {
        var mask = Tensor.From([true, false], [2, 1]);
        Same(Tensor.Where(mask, Tensor.From([1f, 2f]), 0), "f32[2, 2]", 1, 2, 0, 0);
        Same(Tensor.Where(mask, 1.5, 0.0), "f32[2, 1]", 1.5, 0);
        Same(Tensor.From([1f, 2f]).MaskedFill(mask, -1), "f32[2, 2]", -1, -1, 1, 2);
        Fails<DTypeException>(() => Tensor.Where(x, 1, 0), "ASH0223", "bool", "f32[3]");
    }
}
