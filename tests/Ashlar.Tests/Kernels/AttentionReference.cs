using Ashlar.Graph;
using Ashlar.Kernels;

namespace Ashlar.Tests.Kernels;

/// <summary>Attention as its definition says, number by number in double precision; gradients by the rules of softmax.</summary>
/// <param name="Config">Which queries see which keys, scale, soft-cap, sinks.</param>
/// <param name="B">Sequences.</param>
/// <param name="T">Queries.</param>
/// <param name="S">Keys.</param>
/// <param name="G">Key-value heads.</param>
sealed record AttentionReference(AttentionConfig Config, int B, int T, int S, int G)
{
    public int H => G * Config.Group;

    public int D => Config.HeadWidth;

    /// <summary>Numbers of the inputs, rounded to the config's type.</summary>
    public double[] Random(int seed, params int[] shape)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, shape.Aggregate((a, b) => a * b))
            .Select(_ => Conversion.Round(random.NextDouble() * 4 - 2, Config.DType))];
    }

    public (double[] O, double[] Lse, double[] Dq, double[] Dk, double[] Dv, double[] Delta) Of(double[] q, double[] k,
        double[] v, double[] dy, double[]? sink, int[]? lengths)
    {
        var (o, lse, delta) = (new double[B * T * H * D], new double[B * H * T], new double[B * H * T]);
        var (dq, dk, dv) = (new double[q.Length], new double[k.Length], new double[v.Length]);
        int QueryAt(int b, int t, int h) => ((b * T + t) * H + h) * D;
        int KeyAt(int b, int s, int g) => ((b * S + s) * G + g) * D;
        for (int b = 0; b < B; b++)
            for (int h = 0; h < H; h++)
                for (int t = 0; t < T; t++)
                {
                    int g = h / Config.Group, at = QueryAt(b, t, h), row = (b * H + h) * T + t;
                    int[] seen = [.. Enumerable.Range(0, S).Where(s => (!Config.Causal || s <= t + S - T)
                        && (Config.Window is not { } window || s > t + S - T - window) && (lengths is null || s < lengths[b]))];
                    double[] scores = [.. seen.Select(s => Config.ScoreScale * Dot(q, at, k, KeyAt(b, s, g)))];
                    double[] slopes =
                        [.. scores.Select(score => Config.SoftCap is { } cap ? 1 - Math.Pow(Math.Tanh(score / cap), 2) : 1)];
                    if (Config.SoftCap is { } limit) scores = [.. scores.Select(score => limit * Math.Tanh(score / limit))];
                    double sum = scores.Sum(Math.Exp) + (sink is null ? 0 : Math.Exp(sink[h]));
                    lse[row] = Math.Log(sum);
                    double[] p = [.. scores.Select(score => Math.Exp(score) / sum)];
                    for (int i = 0; i < seen.Length; i++)
                        for (int d = 0; d < D; d++) o[at + d] += p[i] * v[KeyAt(b, seen[i], g) + d];
                    delta[row] = Dot(dy, at, o, at);
                    for (int i = 0; i < seen.Length; i++)
                    {
                        int key = KeyAt(b, seen[i], g);
                        double ds = p[i] * (Dot(dy, at, v, key) - delta[row]) * slopes[i] * Config.ScoreScale;
                        for (int d = 0; d < D; d++)
                        {
                            dq[at + d] += ds * k[key + d];
                            dk[key + d] += ds * q[at + d];
                            dv[key + d] += p[i] * dy[at + d];
                        }
                    }
                }
        return (o, lse, dq, dk, dv, delta);
    }

    double Dot(double[] a, int from, double[] b, int at)
    {
        double sum = 0;
        for (int d = 0; d < D; d++) sum += a[from + d] * b[at + d];
        return sum;
    }
}
