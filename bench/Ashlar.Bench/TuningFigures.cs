using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Tuning;

namespace Ashlar.Bench;

/// <summary>Tuning of matrix products: how long it takes, how near the model's first configs come to the best of all, and what
/// the best gains.</summary>
static class TuningFigures
{
    const double MostSeconds = 5;

    public static IEnumerable<Benchmark> Benchmarks(IReadOnlyList<int> threads)
    {
        int count = threads.Max();
        foreach (var (product, name) in Products())
        {
            bool onTiles = product.DType != DType.Float32;
            if (onTiles && MatrixUnit.PathOf(Isa.Chosen, product.DType, product.DType).Name != "amx") continue;
            var exhaustive =
                new Lazy<Func<Session, ProductTuning>>(() => Once(session => Tune(session, product, count, all: true)));
            yield return new($"tune.{name}.seconds.t{count}", Target.AtMost(1), session =>
                Figure.Against($"tune.{name}.seconds.t{count}", Tune(session, product, count, all: false).Seconds, "s",
                    MostSeconds));
            // 1: the fastest of all legal configs is among the model's first sixteen. Configs within 3 % of each other cannot be
            // told apart.
            yield return new($"tune.{name}.first16_time.t{count}", Target.AtMost(1.03), session =>
            {
                var tuning = exhaustive.Value(session);
                double best = tuning.Best.Seconds!.Value * 1e6;
                return new($"tune.{name}.first16_time.t{count}", best * tuning.Regret, "us", best, tuning.Regret);
            });
            yield return new($"tune.{name}.rank_correlation.t{count}", null, session =>
                new($"tune.{name}.rank_correlation.t{count}", exhaustive.Value(session).RankCorrelation, "correlation", 1,
                    exhaustive.Value(session).RankCorrelation));
            yield return new($"tune.{name}.untuned_time.t{count}", null, session =>
            {
                var tuning = exhaustive.Value(session);
                double best = tuning.Best.Seconds!.Value * 1e6, slower = tuning.Best.Gain!.Value;
                return new($"tune.{name}.untuned_time.t{count}", best * slower, "us", best, slower);
            });
        }
    }

    static IEnumerable<(TunableProduct, string)> Products()
    {
        foreach (int n in (int[])[1024, 2048, 4096]) yield return (new(DType.BFloat16, n, n, n), $"bf16.m{n}_n{n}_k{n}");
        foreach (int n in (int[])[1024, 2048, 4096]) yield return (new(DType.Int8, n, n, n), $"int8.m{n}_n{n}_k{n}");
        foreach (int m in (int[])[128, 512])
            yield return (new(DType.BFloat16, m, 4096, 4096, RightIsPacked: true), $"bf16.packed.m{m}_n4096_k4096");
        yield return (new(DType.Float32, 1024, 1024, 1024), "f32.m1024_n1024_k1024");
    }

    static ProductTuning Tune(Session session, TunableProduct product, int threads, bool all) =>
        ProductTuner.Tune(product, Isa.Chosen, session.On(threads).Workers!, all, ProductTuner.Profile(Console.Error.WriteLine),
            corrupt: null, session.Cancellation);

    static Func<Session, ProductTuning> Once(Func<Session, ProductTuning> tune)
    {
        ProductTuning? kept = null;
        return session => kept ??= tune(session);
    }
}
