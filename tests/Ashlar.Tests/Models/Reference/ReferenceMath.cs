namespace Ashlar.Tests.Models.Reference;

/// <summary>The formulas that the reference models share, in double precision, as the papers write them.</summary>
/// <remarks>A text is an array of rows, one per token. Nothing here knows tensors, layers or caches.</remarks>
static class ReferenceMath
{
    public static double[] Plus(double[] a, double[] b)
    {
        Assert.Equal(a.Length, b.Length);
        var sum = new double[a.Length];
        for (int i = 0; i < a.Length; i++) sum[i] = a[i] + b[i];
        return sum;
    }

    public static double[] Times(double[] a, double factor) => [.. a.Select(value => value * factor)];

    public static double[][] Plus(double[][] a, double[][] b) => [.. a.Select((row, t) => Plus(row, b[t]))];

    /// <summary>Zhang and Sennrich 2019, arXiv:1910.07467; Gemma multiplies by <c>1 + weight</c>.</summary>
    public static double[] RmsNorm(double[] x, double[] weight, double epsilon, bool onePlus = false)
    {
        Assert.Equal(x.Length, weight.Length);
        double squares = 0;
        foreach (double value in x) squares += value * value;
        double root = Math.Sqrt(squares / x.Length + epsilon);
        var y = new double[x.Length];
        for (int i = 0; i < x.Length; i++) y[i] = x[i] / root * (onePlus ? 1 + weight[i] : weight[i]);
        return y;
    }

    /// <summary>Ba et al. 2016, arXiv:1607.06450.</summary>
    public static double[] LayerNorm(double[] x, double[] weight, double[] bias, double epsilon)
    {
        double mean = x.Sum() / x.Length, variance = 0;
        foreach (double value in x) variance += (value - mean) * (value - mean);
        double root = Math.Sqrt(variance / x.Length + epsilon);
        var y = new double[x.Length];
        for (int i = 0; i < x.Length; i++) y[i] = (x[i] - mean) / root * weight[i] + bias[i];
        return y;
    }

    public static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    public static double Silu(double x) => x * Sigmoid(x);

    public static double Gelu(double x) => 0.5 * x * (1 + Erf(x / Math.Sqrt(2)));

    public static double GeluTanh(double x) =>
        0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));

    /// <summary>The activation of a config by its Hugging Face name.</summary>
    public static Func<double, double> Activation(string name) => name switch
    {
        "silu" => Silu,
        "gelu" => Gelu,
        "gelu_new" or "gelu_pytorch_tanh" => GeluTanh,
        _ => throw new NotSupportedException($"the reference knows no activation '{name}'"),
    };

    // Abramowitz and Stegun 7.1.6: every term is positive, so nothing cancels.
    public static double Erf(double x)
    {
        if (Math.Abs(x) > 6) return Math.Sign(x);
        double term = x, sum = x;
        for (int n = 1; Math.Abs(term) > 1e-18 * Math.Abs(sum); n++)
        {
            term *= 2 * x * x / (2 * n + 1);
            sum += term;
        }
        return 2 / Math.Sqrt(Math.PI) * Math.Exp(-x * x) * sum;
    }

    public static double[] Softmax(double[] scores)
    {
        double most = scores.Max();
        double[] shares = [.. scores.Select(score => Math.Exp(score - most))];
        double sum = shares.Sum();
        return [.. shares.Select(share => share / sum)];
    }

    /// <summary>The places of the greatest scores, the greatest first; of equals the first.</summary>
    public static int[] Greatest(double[] scores, int count) =>
        [.. Enumerable.Range(0, scores.Length).OrderByDescending(i => scores[i]).ThenBy(i => i).Take(count)];

    /// <summary>Attention with the whole text in view: Vaswani et al. 2017, arXiv:1706.03762, equation 1.</summary>
    /// <param name="q">[T][heads * width of keys]</param>
    /// <param name="k">[T][keyHeads * width of keys]; query heads share key heads in groups (Ainslie et al. 2023,
    /// arXiv:2305.13245).</param>
    /// <param name="v">[T][keyHeads * width of values]</param>
    /// <param name="heads">Query heads.</param>
    /// <param name="keyHeads">Key and value heads.</param>
    /// <param name="scale">What products are multiplied by.</param>
    /// <param name="sees">Whether the first place sees the second.</param>
    /// <param name="cap">Bounds scores smoothly (Gemma 2, arXiv:2408.00118).</param>
    /// <param name="sinks">A score per query head that takes part in the softmax and has no value (GPT-OSS).</param>
    public static double[][] Attend(double[][] q, double[][] k, double[][] v, int heads, int keyHeads, double scale,
        Func<int, int, bool> sees, double? cap = null, double[]? sinks = null)
    {
        int width = q[0].Length / heads, valueWidth = v[0].Length / keyHeads;
        Assert.Equal(width * keyHeads, k[0].Length);
        var result = new double[q.Length][];
        for (int t = 0; t < q.Length; t++)
        {
            result[t] = new double[heads * valueWidth];
            for (int h = 0; h < heads; h++)
            {
                int keyHead = h / (heads / keyHeads);
                List<int> seen = [];
                List<double> scores = [];
                for (int s = 0; s < k.Length; s++)
                {
                    if (!sees(t, s)) continue;
                    double score = 0;
                    for (int i = 0; i < width; i++) score += q[t][h * width + i] * k[s][keyHead * width + i];
                    score *= scale;
                    if (cap is { } bound) score = bound * Math.Tanh(score / bound);
                    seen.Add(s);
                    scores.Add(score);
                }
                if (sinks is not null) scores.Add(sinks[h]);
                double[] shares = Softmax([.. scores]);
                for (int n = 0; n < seen.Count; n++)
                    for (int i = 0; i < valueWidth; i++)
                        result[t][h * valueWidth + i] += shares[n] * v[seen[n]][keyHead * valueWidth + i];
            }
        }
        return result;
    }

    public static bool Causal(int place, int other) => other <= place;

    /// <summary>A token sees itself and the <paramref name="window"/> - 1 tokens before it.</summary>
    public static Func<int, int, bool> Sliding(int window) => (place, other) => other <= place && other > place - window;

    public static Func<int, int, bool> Sliding(int? window) => window is { } reach ? Sliding(reach) : Causal;
}
