namespace Ashlar.Graph;

/// <summary>Functions that <see cref="Math"/> lacks, in double precision.</summary>
public static class SpecialFunctions
{
    /// <summary>The error function, within 4 units in the last place.</summary>
    /// <remarks>Abramowitz and Stegun 7.1.6 (a series of positive terms, so nothing cancels) and 7.1.14 (the continued
    /// fraction).</remarks>
    public static double Erf(double x)
    {
        double size = Math.Abs(x);
        if (double.IsNaN(x) || size < 1e-300) return x * (2 / Math.Sqrt(Math.PI));
        if (size > 6) return Math.Sign(x);
        double square = x * x;
        double gauss = Math.Exp(-square) * (1 - Math.FusedMultiplyAdd(x, x, -square));   // the rounding of the square is put back
        if (size < 2)
        {
            double term = 1, sum = 0;
            for (int n = 1; term > sum * 1e-18; n++)
            {
                sum += term;
                term *= 2 * square / (2 * n + 1);
            }
            return 2 / Math.Sqrt(Math.PI) * gauss * x * sum;
        }
        double fraction = size;
        for (int n = 200; n > 0; n--) fraction = size + n / 2.0 / fraction;
        return Math.Sign(x) * (1 - gauss / (Math.Sqrt(Math.PI) * fraction));
    }
}
