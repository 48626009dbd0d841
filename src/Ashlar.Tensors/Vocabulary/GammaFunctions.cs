namespace Ashlar;

/// <summary>The error function's kin and the gamma function's, element by element.</summary>
/// <remarks>
/// Computed in float64 and rounded once to the element type: float32 results are within 1e-6 of the exact ones, relatively
/// (ErfInv and logarithms near their zeros: absolutely). Float64 results are within 1e-10. Integers give float32.
/// </remarks>
public static class GammaFunctions
{
    // Cephes, S. Moshier: erfc(x) = exp(-x²) P(x) / Q(x) from 1 to 8, and R / S beyond.
    static readonly double[] nearP =
        [2.46196981473530512524e-10, 5.64189564831068821977e-1, 7.46321056442269912687, 4.86371970985681366614e1,
            1.96520832956077098242e2,
        5.26445194995477358631e2, 9.34528527171957607540e2, 1.02755188689515710272e3, 5.57535335369399327526e2];

    static readonly double[] nearQ =
        [1, 1.32281951154744992508e1, 8.67072140885989742329e1, 3.54937778887819891062e2, 9.75708501743205489753e2,
            1.82390916687909736289e3,
        2.24633760818710981792e3, 1.65666309194161350182e3, 5.57535340817727675546e2];

    static readonly double[] farR =
        [5.64189583547755073984e-1, 1.27536670759978104416, 5.01905042251180477414, 6.16021097993053585195,
            7.40974269950448939160, 2.97886665372100240670];

    static readonly double[] farS =
        [1, 2.26052863220117276590, 9.39603524938001434673, 1.20489539808096656605e1, 1.70814450747565897222e1,
            9.60896809063285878198, 3.36907645100081516050];

    // Giles 2010, "Approximating the erfinv function": in w = -log(1 - x²), below and above 5.
    static readonly double[] central =
        [2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503, -0.00417768164,
            0.246640727, 1.50140941];

    static readonly double[] tail =
        [-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
            1.00167406, 2.83297682];

    extension(Tensor x)
    {
        /// <summary>1 - erf(x), exact where that is small.</summary>
        public Tensor Erfc() => Wide.Function("erfc", x, Complement, (at, _) => (-(at * at)).Exp() * (-2 / Math.Sqrt(Math.PI)));

        /// <summary>The number whose error function is x; infinite at -1 and 1, NaN beyond.</summary>
        /// <remarks>Source: Giles 2010, refined by two steps of Newton.</remarks>
        public Tensor ErfInv() => Wide.Function("erfinv", x, Inverse, (_, y) => (y * y).Exp() * (Math.Sqrt(Math.PI) / 2));

        /// <summary>log|gamma(x)|; infinite at 0, -1, -2, ... and at both infinities.</summary>
        /// <remarks>Stirling's series after 8 steps of the recurrence; below 1/2 by Euler's reflection.</remarks>
        public Tensor Lgamma() => Wide.Function("lgamma", x, LogGamma, (at, _) => Psi(at));

        /// <summary>The derivative of log(gamma(x)); infinite at 0, -1, -2, ...</summary>
        /// <remarks>The asymptotic series after 8 steps of the recurrence; below 1/2 by reflection.</remarks>
        public Tensor Digamma() => Wide.Function("digamma", x, Psi, (at, _) => Trigamma(at));
    }

    static Tensor Complement(Tensor x)
    {
        var size = x.Abs();
        var near = Tensor.Where(size.IsNaN(), size, size.Minimum(28));   // all that follows is 0 in float64
        var rough = (near * 256).Round() * (1.0 / 256);                  // its square is exact; the rest of the exponent is small
        var decay = (-(rough * rough)).Exp() * (-((near - rough) * (near + rough))).Exp();
        var quotient = Tensor.Where(near < 8, Wide.Polynomial(near, nearP) / Wide.Polynomial(near, nearQ),
            Wide.Polynomial(near, farR) / Wide.Polynomial(near, farS));
        var beyond = decay * quotient;
        return Tensor.Where(size < 1, 1 - x.Erf(), Tensor.Where(x < 0, 2 - beyond, beyond));
    }

    static Tensor Inverse(Tensor x)
    {
        Tensor size = x.Abs(), inside = size < 1;
        var share = Tensor.Where(inside, size, 0.0);
        var w = -((1 - share) * (1 + share)).Log();
        var y = share * Tensor.Where(w < 5, Wide.Polynomial(w - 2.5, central), Wide.Polynomial(w.Sqrt() - 3, tail));
        for (int step = 0; step < 2; step++)
        {
            var excess = Tensor.Where(y < 1, y.Erf() - share, 1 - share - Complement(y));   // without cancellation on either side
            y -= excess * (y * y).Exp() * (Math.Sqrt(Math.PI) / 2);
        }
        var end = Tensor.Where(size.EqualTo(1), size * double.PositiveInfinity, double.NaN);
        return x.Sign() * Tensor.Where(inside, y, end);
    }

    static Tensor LogGamma(Tensor x)
    {
        var reflected = x < 0.5;
        var a = Tensor.Where(reflected, 1 - x, x);   // from 1/2
        var product = a;
        for (int i = 1; i < 8; i++) product *= a.Minimum(8) + i;
        var low = a < 8;
        var z = Tensor.Where(low, a + 8, a);
        var r = 1 / z;
        var r2 = r * r;
        var series =
            r * (1.0 / 12 - r2 * (1.0 / 360 - r2 * (1.0 / 1260 - r2 * (1.0 / 1680 - r2 * (1.0 / 1188 - r2 * (691.0 / 360360))))));
        var main = (z - 0.5) * z.Log() - z + 0.5 * Math.Log(2 * Math.PI) + series;
        main = Tensor.Where(low, main - Tensor.Where(low, product, 1.0).Log(), main);
        main = Tensor.Where(a.IsInfinity(), double.PositiveInfinity, main);
        var sine = ((x - x.Round()) * Math.PI).Sin().Abs();
        var below = Tensor.Where(x.IsInfinity(), double.PositiveInfinity, Math.Log(Math.PI) - sine.Log() - main);
        return Tensor.Where(reflected, below, main);
    }

    static Tensor Psi(Tensor x)
    {
        var reflected = x < 0.5;
        var a = Tensor.Where(reflected, 1 - x, x);
        var (z, sum) = Shifted(a, i => 1 / i);
        var r2 = 1 / (z * z);
        var series =
            r2 * (1.0 / 12 - r2 * (1.0 / 120 - r2 * (1.0 / 252 - r2 * (1.0 / 240 - r2 * (1.0 / 132 - r2 * (691.0 / 32760))))));
        var main = z.Log() - 0.5 / z - series - sum;
        var angle = Tensor.Where(reflected, x - x.Round(), 0.25) * Math.PI;
        return Tensor.Where(reflected, main - Math.PI * angle.Cos() / angle.Sin(), main);
    }

    static Tensor Trigamma(Tensor x)
    {
        var reflected = x < 0.5;
        var a = Tensor.Where(reflected, 1 - x, x);
        var (z, sum) = Shifted(a, i => 1 / (i * i));
        var r = 1 / z;
        var r2 = r * r;
        var series = r * r2 * (1.0 / 6 - r2 * (1.0 / 30 - r2 * (1.0 / 42 - r2 * (1.0 / 30 - r2 * (5.0 / 66)))));
        var main = r + 0.5 * r2 + series + sum;
        var sine = (Tensor.Where(reflected, x - x.Round(), 0.25) * Math.PI).Sin();
        return Tensor.Where(reflected, Math.PI * Math.PI / (sine * sine) - main, main);
    }

    // Where a is below 8: a + 8, and what the 8 steps add up to.
    static (Tensor Z, Tensor Sum) Shifted(Tensor a, Func<Tensor, Tensor> term)
    {
        var low = a < 8;
        var sum = term(a);
        for (int i = 1; i < 8; i++) sum += term(a + i);
        return (Tensor.Where(low, a + 8, a), Tensor.Where(low, sum, 0.0));
    }
}
