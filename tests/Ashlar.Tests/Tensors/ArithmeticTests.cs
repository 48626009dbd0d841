namespace Ashlar.Tests.Tensors;

public abstract class ArithmeticTests(Device device) : DeviceTests(device)
{
    readonly Tensor x = Tensor.From([1f, -2f, 3f]);
    readonly Tensor n = Tensor.From([7, -7, 3]);

    [Fact]
    public void Operators_ComputeElementByElement()
    {
        var y = Tensor.From([2f, 4f, -1f]);
        Same(x + y, "f32[3]", 3, 2, 2);
        Same(x - y, "f32[3]", -1, -6, 4);
        Same(x * y, "f32[3]", 2, -8, -3);
        Same(x / y, "f32[3]", .5, -.5, -3);
        Same(-x, "f32[3]", -1, 2, -3);
        Same(Tensor.From([7f, -7f]) % Tensor.From([3f, 3f]), "f32[2]", 1, 2);
        Same(1 - x, "f32[3]", 0, 3, -2);
        Same(2 / Tensor.From([4f, 8f]), "f32[2]", .5, .25);
    }

    [Fact]
    public void Operators_Broadcast_AsNumPyDoes()
    {
        var column = Tensor.From([10f, 20f], [2, 1]);
        Same(column + x, "f32[2, 3]", 11, 8, 13, 21, 18, 23);
        Same(x + Tensor.Of(1f), "f32[3]", 2, -1, 4);
        Assert.Equal("f32[5, 2, 3]", (Tensor.Zeros(5, 1, 3) + column).Type);
    }

    [Fact]
    public void Numbers_NeverWiden()
    {
        Assert.Equal(DType.Float32, (x * 2.0).DType);
        Assert.Equal(DType.Float16, (x.Cast(DType.Float16) + 0.1).DType);
        Assert.Equal(DType.UInt8, (n.Cast(DType.UInt8) + 1).DType);
        Same(n * 2.5, "f32[3]", 17.5, -17.5, 7.5);
        Same(Tensor.From([true, false]) + 1, "i32[2]", 2, 1);
        Same(n * 2, "i32[3]", 14, -14, 6);
    }

    [Fact]
    public void Types_Promote()
    {
        Assert.Equal(DType.Float32, (n + x).DType);
        Assert.Equal(DType.Int64, (n + Tensor.From([1L])).DType);
        Assert.Equal(DType.Float64, (x + Tensor.From([1.0])).DType);
        Assert.Equal(DType.Int16, (n.Cast(DType.UInt8) + n.Cast(DType.Int8)).DType);
        Same(Tensor.From([true]) + Tensor.From([true]), "i32[1]", 2);
    }

    [Fact]
    public void Division_OfIntegersIsTrue()
    {
        Same(n / 2, "f32[3]", 3.5, -3.5, 1.5);
        Same(n.FloorDivide(2), "i32[3]", 3, -4, 1);
        Same(n % 4, "i32[3]", 3, 1, 3);
        Same(x.FloorDivide(2), "f32[3]", 0, -1, 1);
    }

    [Fact]
    public void Functions_MatchDotNet()
    {
        float[] values = [.1f, .5f, 1f, 2.5f];
        var v = Tensor.From<float>(values);
        void Check(Func<Tensor, Tensor> f, Func<double, double> g) =>
            Close(f(v), "f32[4]", Near, [.. values.Select(value => g(value))]);
        Check(t => t.Exp(), Math.Exp);
        Check(t => t.Log(), Math.Log);
        Check(t => t.Log2(), Math.Log2);
        Check(t => t.Log10(), Math.Log10);
        Check(t => t.Sin(), Math.Sin);
        Check(t => t.Cos(), Math.Cos);
        Check(t => t.Tan(), Math.Tan);
        Check(t => t.Tanh(), Math.Tanh);
        Check(t => t.Sinh(), Math.Sinh);
        Check(t => t.Cosh(), Math.Cosh);
        Check(t => t.Sqrt(), Math.Sqrt);
        Check(t => t.Rsqrt(), value => 1 / Math.Sqrt(value));
        Check(t => t.Reciprocal(), value => 1 / value);
        Check(t => t.Square(), value => value * value);
        Check(t => t.Pow(3), value => Math.Pow(value, 3));
        Check(t => t.Pow(0.5), Math.Sqrt);
        Check(t => t.Floor(), Math.Floor);
        Check(t => t.Ceiling(), Math.Ceiling);
        Check(t => t.Round(), Math.Round);
        Check(t => t.Truncate(), Math.Truncate);
        Same(Tensor.From([-1.5f, 0f, 2f]).Sign(), "f32[3]", -1, 0, 1);
        Same(n.Abs(), "i32[3]", 7, 7, 3);
        Close(Tensor.From([.5f]).Erf(), "f32[1]", Near, 0.5204998778130465);
        Same(n.Cast(DType.Bool).Exp(), "f32[3]", Math.E, Math.E, Math.E);
    }

    [Fact]
    public void LogAndExp_AreExact_NearZero()
    {
        var tiny = Tensor.From([1e-10f, -1e-10f, 1e-3f, 20f]);
        Close(tiny.Log1P() * 1e10, "f32[4]", 1e-5, 1, -1, Math.Log(1.0 + 1e-3f) * 1e10, Math.Log(21) * 1e10);
        Close(tiny.ExpM1()[..3] * 1e10, "f32[3]", 1e-5, 1, -1, (Math.Exp((double)1e-3f) - 1) * 1e10);
        Same(Tensor.From([float.PositiveInfinity]).Log1P(), "f32[1]", double.PositiveInfinity);
    }

    [Fact]
    public void ExpM1_AndItsGradient_AreRight_AtTheEndsOfTheRange()
    {
        float[] at = [float.NegativeInfinity, -200, -1e-20f, 0, 1, 1.5f, 88, 89, 1000, float.PositiveInfinity];
        var tensor = Tensor.From<float>(at);
        // Also the derivative; infinite from 88.73.
        double[] powers = [.. at.Select(value => (double)(float)Math.Exp(value))];
        Close(tensor.ExpM1(), "f32[10]", 3e-7, [.. at.Select((value, i) => Math.Abs(value) < 1e-10 ? value : powers[i] - 1)]);
        Close(tensor.ExpM1().Sum().Gradient(tensor), "f32[10]", Near, powers);
        Assert.Equal([double.NaN], Numbers(Tensor.From([float.NaN]).ExpM1()));
        Close(tensor.Elu().Sum().Gradient(tensor), "f32[10]", Near, [.. at.Select((value, i) => value > 0 ? 1 : powers[i])]);
    }

    [Fact]
    public void ExtremesAndClamp_Choose()
    {
        Same(x.Maximum(0), "f32[3]", 1, 0, 3);
        Same(x.Minimum(Tensor.From([2f, 2f, 2f])), "f32[3]", 1, -2, 2);
        Same(x.Clamp(-1, 2), "f32[3]", 1, -1, 2);
        Same(x.Clamp(max: 0.5), "f32[3]", .5, -2, .5);
        Same(x.Lerp(0.0, 0.5), "f32[3]", .5, -1, 1.5);
    }

    [Fact]
    public void Cast_RoundsAndSaturates()
    {
        Same(Tensor.From([1.9f, -1.9f, 300f]).Cast(DType.Int8), "i8[3]", 1, -1, 127);
        Same(Tensor.From([257]).Cast(DType.UInt8), "u8[1]", 1);
        Same(Tensor.From([1f]).BitCast(DType.Int32), "i32[1]", 0x3f800000);
    }

    [Fact]
    public void Shapes_AreRefused_WhenTheyDoNotBroadcast()
    {
        Fails<ShapeException>(() =>
            _ = Tensor.Zeros(3, 4) + Tensor.Zeros(3), "ASH0142", "f32[3, 4]", "f32[3]", "axis -1 is 4", "Unsqueeze(-1)");
        Fails<ShapeException>(() => _ = Tensor.Zeros(3, 4) * Tensor.Zeros(4, 3), "ASH0142", "transpose");
    }

    [Fact]
    public void Types_AreRefused_WhenTheyDoNotMix()
    {
        Fails<DTypeException>(() => _ = x.Cast(DType.Float16) + x.Cast(DType.BFloat16), "ASH0220", "f16", "bf16", "Cast");
        Fails<DTypeException>(() => _ = n.Cast(DType.Int8) + 300, "ASH0221", "300", "i8", "-128 to 127");
    }
}
