using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Vec;
using Ashlar.Tests.Repository;

namespace Ashlar.Tests.Cpu;

public class VecFunctionTests
{
    static readonly Dictionary<string, (Func<VecBuilder, Reg, Reg> Expand, Func<double, double> Exact, double UlpF32, double UlpF64)> functions = new()
    {
        ["exp"] = ((f, x) => f.Exp(x), Math.Exp, 0.9, 1.1),
        ["exp2"] = ((f, x) => f.Exp2(x), x => Math.Pow(2, x), 0.9, 1.1),
        ["log"] = ((f, x) => f.Log(x), Math.Log, 1.1, 1.1),
        ["log2"] = ((f, x) => f.Log2(x), Math.Log2, 1.8, 2.1),
        ["tanh"] = ((f, x) => f.Tanh(x), Math.Tanh, 2.6, 3.1),
        ["erf"] = ((f, x) => f.Erf(x), Functions.Erf, 1.7, 0.5),
        ["sin"] = ((f, x) => f.Sin(x), Math.Sin, 1.5, 0.5),
        ["cos"] = ((f, x) => f.Cos(x), Math.Cos, 1.5, 0.5),
    };

    const double PowUlp = 0.6;

    public static TheoryData<string, string> Cases
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (string name in functions.Keys)
                foreach (var isa in Isa.Available) data.Add(name, isa.Name);
            return data;
        }
    }

    static readonly double[] special = [0, -0.0, double.NaN, double.PositiveInfinity, double.NegativeInfinity, 1, -1, 0.5, 2, 1.5,
        0.75, 10, 88, 89, -87, -88, -103, -104, -105, 128, 127, -126, -149, -150, 709, 710, -708, -745, -746];

    // Random bits reach every exponent; even steps are dense where the functions change.
    static double[] Inputs(bool narrow)
    {
        var random = new Random(11);
        List<double> values = [.. special];
        for (int i = 0; i < 40000; i++)
            values.Add(narrow
                ? BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue))
                : BitConverter.Int64BitsToDouble(random.NextInt64(long.MinValue, long.MaxValue)));
        foreach (double range in new[] { 1e-3, 0.7, 1.6, 5, 25, 110, 800, 120000 })
            for (int i = -3000; i <= 3000; i++) values.Add(range * i / 3000);
        for (int i = 0; i < 6000; i++) values.Add(1 + (i - 3000) / 5e6);   // logarithms near 1
        for (int i = 1; i < 2000; i++) values.Add(i * Math.PI / 2);         // sines near 0
        for (int i = -149; i < 128; i++) values.Add(Math.Pow(2, i));
        while (values.Count % 16 != 0) values.Add(0);
        return [.. narrow ? values.Select(x => (double)(float)x) : values];
    }

    static double Ulp(double exact, bool narrow)
    {
        double magnitude = Math.Abs(exact);
        if (narrow)
            return magnitude < 1.1754944e-38
                ? 1.401298464324817e-45
                : magnitude > float.MaxValue ? Math.Pow(2, 104) : Math.ScaleB(1, Math.ILogB(magnitude) - 23);
        return magnitude < 2.3e-308 ? double.Epsilon : Math.ScaleB(1, Math.ILogB(magnitude) - 52);
    }

    [Theory, MemberData(nameof(Cases))]
    public void Function_IsWithinItsError(string name, string path)
    {
        var (expand, exact, ulpF32, ulpF64) = functions[name];
        var isa = VecRun.Parse(path);
        foreach (bool narrow in new[] { true, false })
        {
            double[] x = Inputs(narrow);
            double limit = narrow ? ulpF32 : ulpF64, worst = 0, worstAt = 0;
            foreach (int lanes in VecRun.LanesOf(isa, narrow ? Elem.F32 : Elem.F64))
            {
                double[] y = Run(isa, lanes, narrow, x, expand);
                for (int i = 0; i < x.Length; i++)
                {
                    double wanted = exact(x[i]);
                    double rounded = narrow ? (float)wanted : wanted;
                    if (double.IsNaN(rounded) || double.IsInfinity(rounded) || rounded == 0)
                    {
                        bool same = double.IsNaN(rounded)
                            ? double.IsNaN(y[i])
                            : rounded == 0 ? Math.Abs(y[i]) <= (narrow ? float.Epsilon : double.Epsilon) : y[i] == rounded;
                        // The largest finite number is within an ulp of infinity.
                        if (!same && double.IsInfinity(rounded) && Math.Abs(wanted) < float.MaxValue * 1.0000002) same = true;
                        Assert.True(same, $"{name} {path} x{lanes} of {x[i]:R}: {rounded}, not {y[i]}");
                        continue;
                    }
                    double error = Math.Abs(y[i] - wanted) / Ulp(wanted, narrow);
                    if (!(error <= worst)) (worst, worstAt) = (error, x[i]);
                }
            }
            Assert.True(worst <= limit,
                $"{name} {path} {(narrow ? "f32" : "f64")}: {worst:F2} ulp at {worstAt:R}, the limit is {limit}");
        }
    }

    [Fact]
    public void Guide_StatesTheBoundsThatTestsHold()
    {
        string guide = Files.Read("docs/guides/accuracy.md");
        Assert.All(functions, entry =>
            Assert.Contains(FormattableString.Invariant($"| {entry.Key} | {entry.Value.UlpF32} | {entry.Value.UlpF64} |"), guide,
                StringComparison.Ordinal));
        Assert.Contains(FormattableString.Invariant($"| pow | {PowUlp} | .NET's |"), guide, StringComparison.Ordinal);
    }

    static double[] Run(Isa isa, int lanes, bool narrow, double[] x, Func<VecBuilder, Reg, Reg> expand)
    {
        if (!narrow)
        {
            double[] result = new double[x.Length];
            VecRun.Map(isa, lanes, (f, v) => expand(f, v[0]), (result, DType.Float64), (x, DType.Float64));
            return result;
        }
        float[] floats = Array.ConvertAll(x, v => (float)v), output = new float[x.Length];
        VecRun.Map(isa, lanes, (f, v) => expand(f, v[0]), (output, DType.Float32), (floats, DType.Float32));
        return Array.ConvertAll(output, v => (double)v);
    }

    [Theory, MemberData(nameof(VecRun.Paths), MemberType = typeof(VecRun))]
    public void Pow_IsWithinItsError(string path)
    {
        var isa = VecRun.Parse(path);
        var random = new Random(5);
        var pairs = (from a in special from b in special select ((float)a, (float)b)).ToList();
        for (int i = 0; i < 20000; i++)
            pairs.Add((BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue)),
                (float)(random.NextDouble() * 20 - 10)));
        for (int i = 0; i < 20000; i++) pairs.Add(((float)random.NextDouble() * 4, (float)(random.NextDouble() * 200 - 100)));
        while (pairs.Count % 16 != 0) pairs.Add((1, 1));
        float[] x = [.. pairs.Select(p => p.Item1)], y = [.. pairs.Select(p => p.Item2)], z = new float[x.Length];
        foreach (int lanes in VecRun.LanesOf(isa, Elem.F32))
        {
            VecRun.Map(isa, lanes, (f, v) => f.Pow(v[0], v[1]), (z, DType.Float32), (x, DType.Float32), (y, DType.Float32));
            for (int i = 0; i < x.Length; i++)
            {
                double wanted = Math.Pow(x[i], y[i]);
                float rounded = (float)wanted;
                if (float.IsNaN(rounded) || float.IsInfinity(rounded))
                    Assert.True(float.IsNaN(rounded) ? float.IsNaN(z[i]) : z[i] == rounded,
                        $"{path} x{lanes} {x[i]:R} to the {y[i]:R}: {rounded}, not {z[i]}");
                else
                    Assert.True(Math.Abs(z[i] - wanted) <= PowUlp * Ulp(wanted, true),
                        $"{path} x{lanes} {x[i]:R} to the {y[i]:R}: {rounded:R}, not {z[i]:R}");
            }
        }
    }

    [Theory]
    [InlineData(0.1, 0.1124629160182848922)]
    [InlineData(1, 0.8427007929497148693)]
    [InlineData(-2, -0.9953222650189527342)]
    [InlineData(2.4999, 0.99959283009966655)]
    [InlineData(3, 0.9999779095030014146)]
    public void Erf_MatchesPublishedValues(double x, double erf) => Assert.InRange(Functions.Erf(x), erf - 4e-16, erf + 4e-16);
}
