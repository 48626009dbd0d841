namespace Ashlar.Tests.Tensors;

/// <summary>Functions that are computed in float64 and rounded, against .NET's and against published values.</summary>
public abstract class SpecialFunctionTests(Device device) : DeviceTests(device)
{
    const double Nan = double.NaN, Inf = double.PositiveInfinity;

    static readonly float[] line =
        [-1e30f, -100f, -7.5f, -2.5f, -1f, -.7f, -.1f, -1e-6f, 0, 1e-20f, .3f, .65f, .67f, 1, 1.5f, 2.4f, 2.42f, 9, 1e10f];

    static readonly float[] inside = [-1, -.99999f, -.7f, -.1f, -1e-6f, 0, 1e-9f, .2f, .5f, .9f, .999f, 1];

    static void Matches(Func<Tensor, Tensor> f, Func<double, double> expected, params float[] at)
    {
        Close(f(Tensor.From<float>(at)), $"f32[{at.Length}]", 0, [.. at.Select(x => (double)(float)expected(x))], 3e-7);
        double[] wide = [.. at.Select(x => (double)x)];
        Close(f(Tensor.From<double>(wide)), $"f64[{at.Length}]", 0, [.. wide.Select(expected)], 1e-10);
    }

    // Relative, but for results within 1e-30 of 0.
    static void Close(Tensor actual, string type, double absolute, double[] expected, double relative)
    {
        Assert.Equal(type, actual.Type);
        double[] found = Numbers(actual);
        for (int i = 0; i < expected.Length; i++)
            Assert.True(expected[i].Equals(found[i]) || Math.Abs(expected[i] - found[i]) <= absolute
                + relative * Math.Abs(expected[i]) + 1e-30,
                $"element {i} is {found[i]:R}, not {expected[i]:R}");
    }

    [Fact]
    public void InverseTrigonometry_MatchesDotNet()
    {
        Matches(x => x.Atan(), Math.Atan, [.. line, float.PositiveInfinity, float.NaN]);
        Matches(x => x.Asin(), Math.Asin, [.. inside, 1.5f, float.NaN]);
        Matches(x => x.Acos(), Math.Acos, [.. inside, -1.5f, float.NaN]);
        Same(Tensor.From([1, 0]).Atan(), "f32[2]", Math.PI / 4, 0);
    }

    [Fact]
    public void Atan2_KnowsTheQuadrant()
    {
        float[] y = [1, 1, -1, -1, 0, 0, 0, 2, -2, float.PositiveInfinity, float.PositiveInfinity, 1, float.NaN];
        float[] x = [1, -1, -1, 1, 1, -1, 0, 0, 0, float.PositiveInfinity, float.NegativeInfinity, float.PositiveInfinity, 1];
        Same(Tensor.From<float>(y).Atan2(Tensor.From<float>(x)), "f32[13]", [.. y.Zip(x, (a, b) => Math.Atan2(a, b))]);
        Same(Tensor.From([1f, -1f]).Atan2(1), "f32[2]", Math.PI / 4, -Math.PI / 4);
        CheckGradient(t => t.Atan2(Tensor.From([.5, -2, 3])), Tensor.From([1f, .2f, -4f]));
        CheckGradient(t => Tensor.From([.5, -2, 3]).Atan2(t), Tensor.From([1f, .2f, -4f]));
    }

    [Fact]
    public void InverseHyperbolics_MatchDotNet()
    {
        Matches(x => x.Asinh(), Math.Asinh, [.. line, float.NegativeInfinity, float.NaN]);
        Matches(x => x.Acosh(), Math.Acosh, 1, 1.0001f, 2, 50, 1e9f, 1e30f, .9f, -1e10f, float.PositiveInfinity, float.NaN);
        Matches(x => x.Atanh(), Math.Atanh, [.. inside, 1.5f, float.NaN]);
    }

    [Fact]
    public void LengthsAndPowers_MatchDotNet()
    {
        Matches(x => x.Exp2(), x => Math.Pow(2, x), -140, -3, -.5f, 0, .3f, 10, 127.5f, 200);
        Matches(x => x.Cbrt(), Math.Cbrt, -27, -1e-9f, 0, .001f, 8, 1e30f);
        float[] a = [3, 0, 1e30f, 1e-30f, float.PositiveInfinity, float.NaN, float.NaN],
            b = [4, 0, 1e30f, 0, 1, 1, float.NegativeInfinity];
        Close(Tensor.From<float>(a).Hypot(Tensor.From<float>(b)), "f32[7]", 0,
            [5, 0, Math.Sqrt(2) * 1e30f, 1e-30f, Inf, Nan, Inf], 3e-7);
        var zero = Tensor.Zeros(2);
        Same(zero.Hypot(0).Sum().Gradient(zero), "f32[2]", 0, 0);
        CheckGradient(t => t.Hypot(Tensor.From([4.0, -1])), Tensor.From([3f, .2f]));
    }

    [Fact]
    public void LogAddExp_DoesNotOverflow()
    {
        var a = Tensor.From([1000f, -1000f, 0, float.NegativeInfinity, float.NegativeInfinity, float.PositiveInfinity]);
        var b = Tensor.From([1000f, 0, 1, float.NegativeInfinity, 3, float.PositiveInfinity]);
        Same(a.LogAddExp(b), "f32[6]", 1000 + Math.Log(2), 0, Math.Log(1 + Math.E), -Inf, 3, Inf);
        CheckGradient(t => t.LogAddExp(Tensor.From([1.0, -2, 3])), Tensor.From([1f, .5f, -2f]));
    }

    [Fact]
    public void NanToNum_PutsNumbers()
    {
        var x = Tensor.From([1f, float.NaN, float.PositiveInfinity, float.NegativeInfinity]);
        Same(x.NanToNum(), "f32[4]", 1, 0, float.MaxValue, -float.MaxValue);
        Same(x.NanToNum(7, 8, 9), "f32[4]", 1, 7, 8, 9);
        Assert.All(Numbers(x.Cast(DType.BFloat16).NanToNum()), number => Assert.True(double.IsFinite(number)));
        Same(Tensor.From([3]).NanToNum(), "i32[1]", 3);
    }

    // Reference values of erfc and its inverse: WolframAlpha, 12 digits.
    [Fact]
    public void Erfc_IsExactWhereItIsSmall()
    {
        var x = Tensor.From([-3.0, -.5, 0, .5, 1, 2, 3, 5, 9, 20, 40]);
        double[] expected = [1.999977909503001, 1.520499877813047, 1, .479500122186953, .157299207050285, .004677734981047266,
            2.209049699858544e-5,
            1.537459794428035e-12, 4.137031746513810e-37, 5.395865611607901e-176, 0];
        Close(x.Erfc(), "f64[11]", 1e-300, expected, 1e-10);
        Close(x.Cast(DType.Float32).Erfc(), "f32[11]", 0, [.. expected.Select(value => (double)(float)value)], 3e-7);
        Same(Tensor.From([Inf, -Inf, Nan]).Erfc(), "f64[3]", 0, 2, Nan);
    }

    [Fact]
    public void ErfInv_UndoesErf()
    {
        double[] at = [-2.5, -1, -.3, -1e-8, 0, 1e-3, .7, 1.2, 3];
        Close(Tensor.From<double>(at).Erf().ErfInv(), "f64[9]", 0, at, 1e-8);
        Close(Tensor.From([.5f, .9f, -.99f]).ErfInv(), "f32[3]", 0, [.4769362762, 1.1630871537, -1.8213863677], 1e-6);
        Same(Tensor.From([1f, -1f, 1.1f, float.NaN]).ErfInv(), "f32[4]", Inf, -Inf, Nan, Nan);
    }

    [Fact]
    public void Gamma_MatchesKnownValues()
    {
        double euler = .5772156649015329;
        double[] x = [.5, 1, 1.5, 2, 3, 10, 100, 1e10, 1e-8, -.5, -1.5, -2.5];
        double[] lgamma = [Math.Log(Math.PI) / 2, 0, Math.Log(Math.PI) / 2 - Math.Log(2), 0, Math.Log(2), Math.Log(362880),
            359.1342053695754, 220258509288.81134,
            18.42068073818021, Math.Log(2 * Math.Sqrt(Math.PI)), Math.Log(4.0 / 3 * Math.Sqrt(Math.PI)),
            Math.Log(8.0 / 15 * Math.Sqrt(Math.PI))];
        double[] digamma = [-euler - 2 * Math.Log(2), -euler, 2 - euler - 2 * Math.Log(2), 1 - euler, 1.5 - euler,
            2.251752589066721, 4.600161852738087, 23.02585092988985,
            -1e8 - euler + 1.6449e-8, .03648997397857652, .7031566406452432, 1.103156640645243];
        Close(Tensor.From<double>(x).Lgamma(), "f64[12]", 1e-12, lgamma, 1e-10);
        Close(Tensor.From<double>(x).Digamma(), "f64[12]", 1e-12, digamma, 1e-10);
        Close(Tensor.From<double>(x).Cast(DType.Float32).Lgamma(), "f32[12]", 1e-6, lgamma, 1e-6);
        Same(Tensor.From([0f, -1f, -2f, float.PositiveInfinity, float.NaN]).Lgamma(), "f32[5]", Inf, Inf, Inf, Inf, Nan);
    }

    // C99, F.9.5.3: lgamma is infinite at both infinities. Beyond 2^52 every negative number is whole, so a pole.
    [Fact]
    public void Gamma_HasItsLimits_AtTheEndsOfTheRange()
    {
        var ends = Tensor.From([-Inf, Inf, -1e16, -1e300, 1e300]);
        Same(ends.Lgamma(), "f64[5]", Inf, Inf, Inf, Inf, 1e300 * (Math.Log(1e300) - 1));
        Same(Tensor.From([float.NegativeInfinity]).Lgamma(), "f32[1]", Inf);
        var x = Tensor.From([Inf, 1e300]);
        Same(x.Lgamma().Sum().Gradient(x), "f64[2]", Inf, Math.Log(1e300));      // digamma(x) tends to log(x)
        Same(x.Digamma().Sum().Gradient(x), "f64[2]", 0, 1e-300);                // its derivative to 1/x
    }

    [Theory]
    [InlineData("atan")]
    [InlineData("asin")]
    [InlineData("acos")]
    [InlineData("asinh")]
    [InlineData("acosh")]
    [InlineData("atanh")]
    [InlineData("exp2")]
    [InlineData("cbrt")]
    [InlineData("erfc")]
    [InlineData("erfinv")]
    [InlineData("lgamma")]
    [InlineData("digamma")]
    public void Gradients_MatchDifferences(string name)
    {
        var at = name == "acosh"
            ? Tensor.From([1.5, 3, 20])
            : name is "lgamma" or "digamma" ? Tensor.From([.3, 2.5, 9.5, -1.3]) : Tensor.From([-.7, .2, .6]);
        CheckGradient(x => name switch
        {
            "atan" => x.Atan(),
            "asin" => x.Asin(),
            "acos" => x.Acos(),
            "asinh" => x.Asinh(),
            "acosh" => x.Acosh(),
            "atanh" => x.Atanh(),
            "exp2" => x.Exp2(),
            "cbrt" => x.Cbrt(),
            "erfc" => x.Erfc(),
            "erfinv" => x.ErfInv(),
            "lgamma" => x.Lgamma(),
            _ => x.Digamma(),
        }, at, 1e-5);
    }

    [Fact]
    public void MoreActivations_MatchTheirFormulas()
    {
        float[] at = [-4, -1, -.2f, 0, .3f, 2, 7];
        var x = Tensor.From<float>(at);
        void Is(Tensor actual, Func<double, double> f) => Same(actual, "f32[7]", [.. at.Select(value => f(value))]);
        Is(x.Relu6(), v => Math.Clamp(v, 0, 6));
        Is(x.Hardtanh(), v => Math.Clamp(v, -1, 1));
        Is(x.HardSigmoid(), v => Math.Clamp(v + 3, 0, 6) / 6);
        Is(x.Hardswish(), v => v * Math.Clamp(v + 3, 0, 6) / 6);
        Is(x.Mish(), v => v * Math.Tanh(Math.Log(1 + Math.Exp(v))));
        Is(x.Selu(), v => 1.0507009873554805 * (v > 0 ? v : 1.6732632423543772 * (Math.Exp(v) - 1)));
        Is(x.PRelu(Tensor.Of(.25f)), v => v > 0 ? v : .25 * v);
        Same(Tensor.From([1f, 2f, 0f, 1f], [2, 2]).Glu(), "f32[2, 1]", 1 / (1 + Math.Exp(-2)), 0);
        Fails<ShapeException>(() => x.Glu(), "ASH0154");
        CheckGradient(t => t.Mish() + t.Selu() + t.Hardswish() + t.PRelu(Tensor.Of(.25)), Tensor.From([-2f, -.5f, .4f, 5f]));
    }
}
