using System.Diagnostics;
using Ashlar.Backends.Cpu.Contractions;
using Ashlar.Backends.Cpu.Matrix;
using Ashlar.Runtime.Tuning;

namespace Ashlar.Backends.Cpu.Tuning;

/// <summary>A product whose blocks are tuned: <c>c [m, n] = a [m, k] b [k, n]</c>.</summary>
/// <param name="DType">f32, bf16 or i8. f32 gives f32, bf16 gives bf16, i8 gives i32.</param>
/// <param name="Rows">m</param>
/// <param name="Columns">n</param>
/// <param name="Inner">k</param>
/// <param name="LeftByColumns">a lies transposed, [k, m].</param>
/// <param name="RightByColumns">b lies transposed, [n, k], as the weights of layers do.</param>
/// <param name="RightIsPacked">b is packed for the tile unit beforehand.</param>
public sealed record TunableProduct(DType DType, long Rows, long Columns, long Inner, bool LeftByColumns = false,
    bool RightByColumns = false, bool RightIsPacked = false)
{
    /// <summary>Multiplications and additions.</summary>
    public double Flops => 2.0 * Rows * Columns * Inner;
}

/// <summary>One legal config of a product.</summary>
/// <param name="Config">Its text.</param>
/// <param name="ModelRank">Its place in the order of the model, from 1.</param>
/// <param name="ModelSeconds">What the model expects.</param>
/// <param name="Seconds">The shortest time that was measured, for a run nobody disturbed; null where it was not timed.</param>
/// <param name="Gain">The time of what runs without tuning over that of this one, the median of runs beside each other; null
/// where it was not timed.</param>
/// <param name="IsFinalist">It was among the first places, which were run off with more samples; what runs without tuning always
/// is.</param>
/// <param name="IsDefault">The one that runs without tuning.</param>
/// <param name="IsWrong">It gave a wrong result, and was rejected.</param>
public sealed record TunedCandidate(string Config, int ModelRank, double ModelSeconds, double? Seconds, double? Gain,
    bool IsFinalist, bool IsDefault, bool IsWrong);

/// <summary>What a tuning found.</summary>
/// <param name="Product">What was tuned.</param>
/// <param name="Kernel">Its name in the cache.</param>
/// <param name="Shape">The class of shapes that it holds for.</param>
/// <param name="Threads">How many threads.</param>
/// <param name="Peak">The peak of the unit that computes it, GFLOP/s, sampled between the candidates.</param>
/// <param name="LegalConfigs">How many legal configs there are.</param>
/// <param name="Candidates">Those that were looked at, the fastest first; those that dropped out, rejected and untimed ones
/// last.</param>
/// <param name="Seconds">How long it took.</param>
public sealed record ProductTuning(TunableProduct Product, string Kernel, string Shape, int Threads, double Peak,
    int LegalConfigs,
    IReadOnlyList<TunedCandidate> Candidates, double Seconds)
{
    /// <summary>The fastest that gave the right result.</summary>
    public TunedCandidate Best => Candidates[0];

    /// <summary>What is kept: the fastest, where it beats what runs without tuning by more than the noise; else that.</summary>
    public TunedCandidate Kept => Best.Gain >= ProductTuner.LeastGain || Default.IsWrong ? Best : Default;

    /// <summary>The time of the fastest of the configs that are timed without asking for all, over that of the fastest of all; 1
    /// unless all were timed.</summary>
    public double Regret => Best.Gain!.Value / Candidates.Where(candidate => !candidate.IsDefault)
        .OrderBy(candidate => candidate.ModelRank).Take(ProductTuner.MostCandidates - 1)
        .Append(Default).Where(candidate => candidate.IsFinalist).Max(candidate => candidate.Gain ?? 0);

    /// <summary>What runs without tuning.</summary>
    public TunedCandidate Default => Candidates.First(candidate => candidate.IsDefault);

    /// <summary>How well the model's order is that of the measured times (Spearman's rank correlation, 1 is the same order); NaN
    /// for fewer than three.</summary>
    public double RankCorrelation
    {
        get
        {
            var timed = Candidates.Where(candidate => candidate.Gain is not null).ToList();
            if (timed.Count < 3) return double.NaN;
            double[] byModel = Ranks([.. timed.Select(candidate => candidate.ModelSeconds)]),
                byTime = Ranks([.. timed.Select(candidate => 1 / candidate.Gain!.Value)]);
            double squares = byModel.Zip(byTime, (a, b) => (a - b) * (a - b)).Sum(), n = timed.Count;
            return 1 - 6 * squares / (n * (n * n - 1));
        }
    }

    /// <summary>The entry for the cache. What runs without tuning is kept by that name, so that an older entry goes.</summary>
    public TuningEntry Entry(string machine) =>
        new(Kernel, machine, TuningEntry.CurrentVersion, Shape, Kept.IsDefault ? "default" : Kept.Config, Kept.Seconds!.Value,
            Default.Seconds!.Value, TuningEntry.Now);

    static double[] Ranks(double[] values)
    {
        var ranks = new double[values.Length];
        int[] order = [.. Enumerable.Range(0, values.Length).OrderBy(i => values[i])];
        for (int i = 0; i < order.Length; i++) ranks[order[i]] = i + 1;
        return ranks;
    }
}

/// <summary>Finds the fastest blocks of a matrix product: legal configs in the order of a model, the first of them timed where
/// they will run.</summary>
/// <remarks>
/// Operands hold small whole numbers, so that every sum is exact in every type and the right result is one and the same whatever
/// the order of summation. The first result is checked against sums in double precision, all others bit by bit against it.
/// </remarks>
public static class ProductTuner
{
    /// <summary>How many configs are timed unless all are asked for: what runs without tuning, and the model's first
    /// others.</summary>
    public const int MostCandidates = 16;

    /// <summary>What runs without tuning must take so many times as long as a config that is kept: two runs of one config differ
    /// by as much.</summary>
    public const double LeastGain = 1.03;

    const double RaceSeconds = 4;                      // when no more rounds begin than the fewest
    const double LongRunSeconds = 0.02;
    const int BesideEachOther = 3;                     // candidates that are compared with one run of what runs without tuning

    /// <summary>Tunes a product with the threads and path of this process.</summary>
    /// <param name="product">What to tune.</param>
    /// <param name="all">Times every legal config, however long it takes, to show how good the model is.</param>
    /// <param name="profile">This machine; null takes the one that is kept, or measures it.</param>
    /// <param name="cancellationToken">Looked at between runs.</param>
    /// <exception cref="DeviceException">The product cannot be tuned here (ASH0659), or no config gave the right result
    /// (ASH0660).</exception>
    public static ProductTuning Tune(TunableProduct product, bool all = false, DeviceProfile? profile = null,
        CancellationToken cancellationToken = default) =>
        Tune(product, Isa.Chosen, Workers.Shared, all, profile, corrupt: null, cancellationToken);

    /// <summary>This machine's profile: the one that is kept, or a new one, which is then kept.</summary>
    /// <param name="warn">Told why a file that is there is not taken.</param>
    /// <exception cref="DeviceException">It cannot be kept (ASH0658).</exception>
    public static DeviceProfile Profile(Action<string> warn) => DeviceProfile.Get(CacheFolder.Path, new Limits(Isa.Chosen), warn);

    /// <param name="corrupt">Tests: spoils the result of configs for which it is true.</param>
    internal static ProductTuning Tune(TunableProduct product, Isa isa, Workers workers, bool all, DeviceProfile? profile,
        Func<string, bool>? corrupt,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(product);
        long started = Stopwatch.GetTimestamp();
        bool onTiles = product.DType is DType.BFloat16 or DType.Int8;
        if (!onTiles && product.DType != DType.Float32)
            throw new DeviceException("ASH0659", $"products of {product.DType.Name} have no blocks to tune; f32, bf16 and i8 do.",
                "tune one of these.");
        if (onTiles && MatrixUnit.PathOf(isa, product.DType, product.DType) is { Name: not "amx" } path)
            throw new DeviceException("ASH0659",
                $"products of {product.DType.Name} run on the vectors here ({path.Why}), as products of {product.DType.Compute.Name} do.",
                $"tune {product.DType.Compute.Name}.");
        if (!onTiles && product.RightIsPacked)
            throw new DeviceException("ASH0659", "only products on the tile unit take packed operands.", "leave out --packed.");
        if (product.Rows < 1 || product.Columns < 1 || product.Inner < 1)
            throw new DeviceException("ASH0659",
                $"a product of {product.Rows} x {product.Columns} x {product.Inner} computes nothing.",
                "give extents of at least 1.");

        var limits = new Limits(isa, workers);
        var model = new ProductModel(profile ?? DeviceProfile.Get(CacheFolder.Path, limits, Console.Error.WriteLine));
        using var bench = new ProductBench(product, isa, workers);
        var legal = bench.Configs(model).OrderBy(candidate => candidate.Seconds).ToList();
        var usual = bench.Default;
        int usualRank = legal.FindIndex(candidate => candidate.Config == usual);
        if (usualRank < 0) legal.Add((usual, bench.Estimate(model, usual)));
        legal = InOrder(legal, bench);

        var chosen = legal.Select((candidate, i) =>
            new Timed(candidate.Config, i + 1, candidate.Seconds, candidate.Config == usual)).ToList();
        var timed = all
            ? chosen
            : [.. chosen.Where(candidate => !candidate.IsDefault).Take(MostCandidates - 1)
                .Append(chosen.First(candidate => candidate.IsDefault))];
        double usually = 0;
        int others = 0;
        // The default first: its result is the one that is checked against sums in double precision.
        foreach (var candidate in timed.OrderByDescending(candidate => candidate.IsDefault))
        {
            cancellationToken.ThrowIfCancellationRequested();
            bench.Use(candidate.Config);
            candidate.IsWrong = !bench.IsRight(corrupt?.Invoke(candidate.Config) ?? false, out double seconds);
            if (candidate.IsWrong) continue;
            // A long run is as good as a sample.
            if (candidate.IsDefault || others++ % BesideEachOther == 0 && usually > 0) usually = Usually(bench, usual, seconds);
            if (candidate.IsDefault || usually == 0) continue;
            candidate.Add(seconds);
            candidate.Gains.Add(usually / seconds);
        }
        var right = timed.Where(candidate => !candidate.IsWrong).ToList();
        if (right.Count == 0)
            throw new DeviceException("ASH0660",
                $"no config of a product of {product.DType.Name}, {product.Rows} x {product.Columns} x {product.Inner}, gave the right result.",
                "report this with the output of 'ashlar env'; products of this type may be wrong on this machine.");
        double peak = Race(bench, right, all, started, limits,
            onTiles ? (product.DType == DType.Int8 ? Limit.AmxInt8 : Limit.AmxBF16) : Limit.Fma, cancellationToken);
        var key = bench.Key;
        return new(product, key.Kernel, key.OfClass.ToString(), workers.Count, peak, legal.Count,
            [.. timed.OrderBy(candidate => candidate.IsWrong).ThenByDescending(candidate => candidate.IsFinalist)
                .ThenByDescending(candidate => candidate.Gain).Select(candidate => candidate.Result)],
            Stopwatch.GetElapsedTime(started).TotalSeconds);
    }

    // Seconds of what runs without tuning, where they are long enough to be a sample; else 0.
    static double Usually(ProductBench bench, string usual, double seconds)
    {
        if (seconds < LongRunSeconds) return 0;
        bench.Use(usual);
        return bench.Seconds();
    }

    // By what the model expects; but first the best of each kind that is not far off, for estimates of one kind share their
    // errors.
    static List<(string Config, double Seconds)> InOrder(IEnumerable<(string Config, double Seconds)> legal, ProductBench bench)
    {
        const double far = 1.5;
        var all = legal.OrderBy(candidate => candidate.Seconds).ToList();
        var first = all.Where(candidate => candidate.Seconds <= all[0].Seconds * far)
            .DistinctBy(candidate => bench.KindOf(candidate.Config)).ToList();
        return [.. first, .. all.Except(first)];
    }

    // What drifts, as this machine's speed does from second to second, hits neighbours alike: each candidate counts by what ran
    // without tuning right before it. Everybody runs in each round; who is far behind drops out. The first places are run off
    // with more samples.
    static double Race(ProductBench bench, List<Timed> field, bool all, long started, Limits limits, Limit peak,
        CancellationToken cancellationToken)
    {
        const int rounds = 3, finalists = 4, lateFinalists = 2, finalRounds = 9, fewestFinalRounds = 3;
        const double behind = 1.25;
        var peaks = new List<double>();
        var usual = field.Find(candidate => candidate.IsDefault) ?? field[0];
        var running = field.Where(candidate => candidate != usual).ToList();
        bool isTimed = running.TrueForAll(candidate => candidate.Gains.Count > 0);
        if (isTimed) running = Leading();
        for (int round = isTimed ? 1 : 0; round < rounds && (round == 0 || IsEarly(RaceSeconds / 2)); round++)
        {
            Round(BesideEachOther);
            running = Leading();
        }
        // Runs of a large product are long, and steady for that: fewer are compared, side by side.
        bool isLate = !IsEarly(RaceSeconds / 2);
        // Where all were timed, the best of those that would have been are in the final too: many configs differ by less than the
        // noise.
        running = [.. running.OrderByDescending(candidate => candidate.Gain).Take(isLate ? lateFinalists : finalists)
            .Union(field.Where(candidate => all && candidate != usual && candidate.Rank < MostCandidates)
                .OrderByDescending(candidate => candidate.Gain).Take(finalists))];
        usual.IsFinalist = true;
        foreach (var candidate in running)
        {
            candidate.IsFinalist = true;
            candidate.Gains.Clear();                                       // the luck that brought them here
        }
        for (int round = 0; round < finalRounds && (round < fewestFinalRounds || IsEarly(RaceSeconds)); round++)
            Round(isLate ? BesideEachOther : 1);
        peaks.Sort();
        return peaks[peaks.Count / 2];

        List<Timed> Leading() => [.. running.Where(candidate => candidate.Gain * behind >= running.Max(other => other.Gain))];

        bool IsEarly(double seconds) => all || Stopwatch.GetElapsedTime(started).TotalSeconds < seconds;

        void Round(int together)
        {
            double usually = 0;
            for (int i = 0; i < running.Count; i++)
            {
                if (i % together == 0) usually = Sample(usual);
                running[i].Gains.Add(usually / Sample(running[i]));
            }
            if (running.Count == 0) Sample(usual);
            peaks.Add(limits.Sample(peak, limits.Threads));
        }

        double Sample(Timed candidate)
        {
            cancellationToken.ThrowIfCancellationRequested();
            bench.Use(candidate.Config);
            double seconds = bench.Seconds();
            candidate.Add(seconds);
            return seconds;
        }
    }

    sealed class Timed(string config, int rank, double expected, bool isDefault)
    {
        double least = double.PositiveInfinity;

        public string Config => config;

        public int Rank => rank;

        public bool IsDefault => isDefault;

        public bool IsWrong { get; set; }

        public bool IsFinalist { get; set; }

        public List<double> Gains { get; } = [];

        // What the others are compared with is 1.
        public double? Gain => Gains.Count > 0 ? Gains.Order().ElementAt(Gains.Count / 2) : double.IsFinite(least) ? 1 : null;

        public void Add(double seconds) => least = Math.Min(least, seconds);

        public TunedCandidate Result =>
            new(config, rank, expected, double.IsFinite(least) ? least : null, Gain, IsFinalist, isDefault, IsWrong);
    }
}
