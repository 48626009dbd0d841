using System.Runtime.Intrinsics;

namespace Ashlar.Formats;

/// <summary>The scale of 32 values, and the codes nearest to them, for the table of <see cref="IQ4_NLLayout"/>.</summary>
static unsafe class TableSearch
{
    const int Tries = 7;
    const float Nothing = 1e-15f;   // below this all values are zero

    static readonly float[] values = [.. Enumerable.Range(0, 16).Select(code => (float)IQ4_NLLayout.Table[code])];

    /// <summary>Halfway between a value of the table and the next.</summary>
    static readonly float[] borders = [.. Enumerable.Range(0, 15).Select(code => (values[code] + values[code + 1]) / 2)];

    /// <summary>From a value of the table to the next.</summary>
    static readonly float[] steps = [.. Enumerable.Range(0, 15).Select(code => values[code + 1] - values[code])];

    /// <summary>The scale with the least squared error, where large values count more: each by its square.</summary>
    public static float Scale(float* x)
    {
        float largest = 0, farthest = 0;
        for (int i = 0; i < 32; i++)
            if (Math.Abs(x[i]) > largest) (largest, farthest) = (Math.Abs(x[i]), x[i]);
        if (largest < Nothing) return 0;
        var (product, square) = Fit(x, -values[0] / farthest);
        float scale = product / square, best = scale * product;
        for (int step = -Tries; step <= Tries; step++)
        {
            (product, square) = Fit(x, (step + values[0]) / farthest);
            if (square > 0 && product * product > best * square) (scale, best) = (product / square, product / square * product);
        }
        return scale;
    }

    /// <summary>The code of the table whose value is nearest to each value times <paramref name="inverse"/>.</summary>
    public static void Nearest(float* x, float inverse, byte* codes)
    {
        for (int i = 0; i < 32; i += 8)
        {
            var value = Vector256.Load(x + i) * inverse;
            var code = Vector256<int>.Zero;
            foreach (float border in borders) code -= Vector256.GreaterThanOrEqual(value, Vector256.Create(border)).AsInt32();
            CodeBits.PutEight(codes + i, Vector256.ConvertToSingle(code), 15);
        }
    }

    /// <summary>Weighted sums of value times table and of table squared, for the codes that a scale gives.</summary>
    static (float Product, float Square) Fit(float* x, float inverse)
    {
        Vector256<float> product = default, square = default;
        for (int i = 0; i < 32; i += 8)
        {
            var value = Vector256.Load(x + i);
            var scaled = value * inverse;
            var nearest = Vector256.Create(values[0]);
            for (int code = 0; code < 15; code++)
                nearest += Vector256.GreaterThanOrEqual(scaled, Vector256.Create(borders[code])) & Vector256.Create(steps[code]);
            var weight = value * value;
            product += weight * nearest * value;
            square += weight * nearest * nearest;
        }
        return (Vector256.Sum(product), Vector256.Sum(square));
    }
}
