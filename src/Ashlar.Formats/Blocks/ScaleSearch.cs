using System.Runtime.Intrinsics;

namespace Ashlar.Formats;

/// <summary>Looks for the scale, and the minimum, that codes of few bits fit best: the searches of ggml's super-blocks.</summary>
static unsafe class ScaleSearch
{
    const float Nothing = 1e-15f;   // below this all values are zero

    /// <summary>A scale and a minimum of at most zero for codes from 0 to <paramref name="most"/>.</summary>
    /// <param name="x">16 or 32 values.</param>
    /// <param name="weights">How much each counts.</param>
    /// <param name="n">How many.</param>
    /// <param name="most">The greatest code.</param>
    /// <param name="first">What is added to the greatest code at the first try.</param>
    /// <param name="tries">How many scales are tried, 0.1 apart.</param>
    /// <param name="isAbsolute">Whether errors count as they are; otherwise squared.</param>
    /// <returns>The scale, and the minimum with its sign turned: at least zero.</returns>
    public static (float Scale, float Min) WithMin(float* x, float* weights, int n, int most, float first, int tries,
        bool isAbsolute)
    {
        float least = x[0], greatest = x[0], sumW = 0, sumX = 0;
        for (int i = 0; i < n; i++)
        {
            (least, greatest) = (Math.Min(least, x[i]), Math.Max(greatest, x[i]));
            sumW += weights[i];
            sumX += weights[i] * x[i];
        }
        least = Math.Min(least, 0);
        if (greatest == least) return (0, -least);
        float inverse = most / (greatest - least), scale = 1 / inverse, min = least;
        float* codes = stackalloc float[32];
        for (int i = 0; i < n; i += 8) Code(Vector256.Load(x + i), inverse, least, most).Store(codes + i);
        float best = Error(x, weights, codes, n, scale, least, isAbsolute);
        for (int step = 0; step <= tries; step++)
        {
            inverse = (first + 0.1f * step + most) / (greatest - least);
            Vector256<float> sumL = default, sumL2 = default, sumXL = default;
            for (int i = 0; i < n; i += 8)
            {
                var value = Vector256.Load(x + i);
                var weight = Vector256.Load(weights + i);
                var code = Code(value, inverse, min, most);
                code.Store(codes + i);
                var weighted = weight * code;
                sumL += weighted;
                sumL2 += weighted * code;
                sumXL += weighted * value;
            }
            float l = Vector256.Sum(sumL), l2 = Vector256.Sum(sumL2), xl = Vector256.Sum(sumXL);
            float determinant = sumW * l2 - l * l;
            if (!(determinant > 0)) continue;
            float thisScale = (sumW * xl - sumX * l) / determinant, thisMin = (l2 * sumX - l * xl) / determinant;
            if (thisMin > 0) (thisMin, thisScale) = (0, xl / l2);
            float error = Error(x, weights, codes, n, thisScale, thisMin, isAbsolute);
            if (error < best) (best, scale, min) = (error, thisScale, thisMin);
        }
        return (scale, -min);
    }

    static Vector256<float> Code(Vector256<float> value, float inverse, float min, int most)
    {
        var code = Vector256.Round((value - Vector256.Create(min)) * inverse);
        return Vector256.Min(Vector256.Max(code, Vector256<float>.Zero), Vector256.Create((float)most));
    }

    static float Error(float* x, float* weights, float* codes, int n, float scale, float min, bool isAbsolute)
    {
        Vector256<float> sum = default;
        for (int i = 0; i < n; i += 8)
        {
            var value = Vector256.Load(x + i);
            var difference = Vector256.Load(codes + i) * scale + Vector256.Create(min) - value;
            sum += Vector256.Load(weights + i) * (isAbsolute ? Vector256.Abs(difference) : difference * difference);
        }
        return Vector256.Sum(sum);
    }

    /// <summary>A scale for 16 values and codes from -<paramref name="most"/> to <paramref name="most"/> - 1; values count by
    /// their square.</summary>
    public static float Symmetric(float* x, int most)
    {
        var (largest, farthest) = Farthest(x);
        if (largest < Nothing) return 0;
        var (product, square) = Fit(x, -most / farthest, most);
        float scale = square != 0 ? product / square : 0, best = scale * product;
        for (int step = -9; step <= 9; step++)
        {
            if (step == 0) continue;
            (product, square) = Fit(x, -(most + 0.1f * step) / farthest, most);
            if (square > 0 && product * product > best * square) (scale, best) = (product / square, product / square * product);
        }
        return scale;
    }

    static (float Product, float Square) Fit(float* x, float inverse, int most)
    {
        Vector256<float> product = default, square = default;
        for (int i = 0; i < 16; i += 8)
        {
            var value = Vector256.Load(x + i);
            var code = Vector256.Min(Vector256.Max(Vector256.Round(value * inverse), Vector256.Create((float)-most)),
                Vector256.Create(most - 1f));
            var weighted = value * value * code;
            product += weighted * value;
            square += weighted * code;
        }
        return (Vector256.Sum(product), Vector256.Sum(square));
    }

    /// <summary>The same, found by changing one code after the other as long as that helps: better for very few bits.</summary>
    public static float SymmetricByDescent(float* x, int most)
    {
        var (largest, farthest) = Farthest(x);
        if (largest < Nothing) return 0;
        float inverse = -most / farthest, product = 0, square = 0;
        int* codes = stackalloc int[16];
        for (int i = 0; i < 16; i++)
        {
            codes[i] = Math.Clamp((int)MathF.Round(x[i] * inverse), -most, most - 1);
            float weight = x[i] * x[i];
            product += weight * x[i] * codes[i];
            square += weight * codes[i] * codes[i];
        }
        for (int round = 0; round < 5; round++)
        {
            bool changed = false;
            for (int i = 0; i < 16; i++)
            {
                float weight = x[i] * x[i], otherProduct = product - weight * x[i] * codes[i];
                if (!(otherProduct > 0)) continue;
                float otherSquare = square - weight * codes[i] * codes[i];
                int code = (int)Math.Clamp(MathF.Round(x[i] * otherSquare / otherProduct), -most, most - 1);
                if (code == codes[i]) continue;
                otherProduct += weight * x[i] * code;
                otherSquare += weight * code * code;
                if (!(otherSquare > 0 && otherProduct * otherProduct * square > product * product * otherSquare)) continue;
                (codes[i], product, square, changed) = (code, otherProduct, otherSquare, true);
            }
            if (!changed) break;
        }
        return square > 0 ? product / square : 0;
    }

    static (float Largest, float Farthest) Farthest(float* x)
    {
        float largest = 0, farthest = 0;
        for (int i = 0; i < 16; i++)
            if (Math.Abs(x[i]) > largest) (largest, farthest) = (Math.Abs(x[i]), x[i]);
        return (largest, farthest);
    }
}
