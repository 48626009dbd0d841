using Ashlar.Backends.Cpu;
using Ashlar.Compiler.Kernels;
using Ashlar.Runtime;

namespace Ashlar.Bench;

/// <summary>What one benchmark reached.</summary>
/// <param name="Name">What was measured and on how many threads: <c>elementwise.gelu.t2</c>.</param>
/// <param name="Value">The median.</param>
/// <param name="Unit">GB/s, GFLOP/s, us, ms, MB, bytes.</param>
/// <param name="Limit">The machine's limit in the same unit, sampled in turn with the value; a budget where no physical limit
/// exists.</param>
/// <param name="Ratio">The median over pairs of neighbouring samples of value over limit; the value itself where the limit is
/// 0.</param>
public sealed record Figure(string Name, double Value, string Unit, double Limit, double Ratio)
{
    /// <summary>A figure held against a budget.</summary>
    public static Figure Against(string name, double value, string unit, double budget) =>
        new(name, value, unit, budget, budget == 0 ? value : value / budget);
}

/// <summary>What a figure's ratio must reach.</summary>
/// <param name="Ratio">The bound.</param>
/// <param name="IsFloor">True where more is better.</param>
public sealed record Target(double Ratio, bool IsFloor)
{
    /// <summary>At least this share of the limit.</summary>
    public static Target AtLeast(double ratio) => new(ratio, true);

    /// <summary>At most this share of the budget.</summary>
    public static Target AtMost(double ratio) => new(ratio, false);

    /// <summary>Whether a ratio is on the right side.</summary>
    public bool IsReached(double ratio) => IsFloor ? ratio >= Ratio : ratio <= Ratio;
}

/// <summary>One figure that can be measured.</summary>
/// <param name="Name">The figure's name.</param>
/// <param name="Target">What it must reach; null where it is for information.</param>
/// <param name="Measure">Measures it.</param>
public sealed record Benchmark(string Name, Target? Target, Func<Session, Figure> Measure);

/// <summary>What the command line calls by one word.</summary>
/// <param name="Name">That word.</param>
/// <param name="Meaning">What it measures, for the help.</param>
/// <param name="Benchmarks">Its benchmarks for these numbers of threads. Making them costs nothing; measuring does.</param>
public sealed record Suite(string Name, string Meaning, Func<IReadOnlyList<int>, IEnumerable<Benchmark>> Benchmarks);

/// <summary>Where programs run on a number of threads, with the limits of the machine on as many.</summary>
/// <param name="Threads">How many.</param>
/// <param name="Backend">Compiles and runs on that many.</param>
/// <param name="SampleLimit">Measures a limit once, on that many.</param>
/// <param name="CompileKernel">Compiles a kernel from nothing, whatever was compiled before.</param>
public sealed record Stage(int Threads, IBackend Backend, Func<Limit, double> SampleLimit, Action<BuiltKernel> CompileKernel)
{
    /// <summary>The threads themselves, for what is measured below programs; null where the stage is not this machine's
    /// processor.</summary>
    internal Workers? Workers { get; init; }
}

/// <summary>One run of benchmarks.</summary>
/// <param name="makeStage">The stage for a number of threads.</param>
/// <param name="cancellation">Looked at between samples.</param>
public sealed class Session(Func<int, Stage> makeStage, CancellationToken cancellation)
{
    readonly Dictionary<int, Stage> stages = [];

    /// <summary>Looked at between samples.</summary>
    public CancellationToken Cancellation => cancellation;

    /// <summary>The stage for this many threads; the same one each time.</summary>
    public Stage On(int threads) => stages.TryGetValue(threads, out var stage) ? stage : stages[threads] = makeStage(threads);

    /// <summary>A stage of its own, whose backend has compiled nothing yet.</summary>
    public Stage Fresh(int threads) => makeStage(threads);
}
