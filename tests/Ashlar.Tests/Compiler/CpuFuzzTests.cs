using Ashlar.Backends.Cpu;
using Ashlar.Graph;
using Ashlar.Tests.Graph;

namespace Ashlar.Tests.Compiler;

/// <summary>Random functions on the processor against the interpreter: every level and instruction path, shapes ragged, empty and
/// symbolic.</summary>
public class CpuFuzzTests
{
    const int Seeds = 40;

    // Read by every case, computed once.
    static readonly Lazy<Sample>[] smooth = [.. Enumerable.Range(0, Seeds).Select(seed => new Lazy<Sample>(() => Smooth(seed)))];
    static readonly Lazy<Sample>[] exact = [.. Enumerable.Range(0, Seeds).Select(seed => new Lazy<Sample>(() => Exact(seed)))];

    sealed record Sample(Function Function, Value[] Arguments, Value[] Expected, string Name);

    public static TheoryData<OptimizationLevel, Isa> Cases
    {
        get
        {
            var data = new TheoryData<OptimizationLevel, Isa>();
            foreach (var level in Enum.GetValues<OptimizationLevel>())
                foreach (var isa in Isa.Available) data.Add(level, isa);
            return data;
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void SmoothGraphs_MatchInterpreter(OptimizationLevel level, Isa isa) =>
        Assert.All(smooth, sample => AssertSame(sample.Value, level, isa));

    [Theory, MemberData(nameof(Cases))]
    public void GraphsOfSpecialValues_MatchInterpreter(OptimizationLevel level, Isa isa) =>
        Assert.All(exact, sample => AssertSame(sample.Value, level, isa));

    /// <summary>Every op, from random functions and the named programs, which run on every path at every level.</summary>
    [Fact]
    public void EveryOp_RunsOnEveryPath()
    {
        Op[] elsewhere =
        [
            Op.Project, Op.ProjectExperts, Op.WeightRows,   // packed weights: Packing/WeightProductTests, every path
            Op.Kernel,                                      // kernels that people wrote: Kernels/KernelFeatureTests
            Op.Buffer,                                      // becomes a parameter when a graph is captured
            Op.Index, Op.Load, Op.Bound,                    // leaves of tile programs: Cpu/TileLoweringTests
        ];
        var run = smooth.Concat(exact).Select(sample => sample.Value.Function).Concat(Programs.All.Values.Select(make => make()))
            .SelectMany(function => function.Order()).Select(node => node.Op).ToHashSet();
        Assert.Empty(Enum.GetValues<Op>().Except(run).Except(elsewhere));
        Assert.Empty(elsewhere.Intersect(run));
    }

    // Nothing that jumps, so that rounding decides nothing: compared within what rounding adds up to.
    static Sample Smooth(int seed)
    {
        var dtype = (seed % 8) switch { 5 => DType.Float64, 6 => DType.BFloat16, 7 => DType.Float16, _ => DType.Float32 };
        bool symbolic = seed % 5 == 0;
        var graphs = new RandomGraphs(Nodes: 11, dtype, Smooth: true, Symbolic: symbolic, Ragged: !symbolic);
        var function = graphs.Make(seed);
        return Sampled(function, RandomGraphs.Arguments(function, seed), $"smooth {seed} {dtype.Name}");
    }

    static Sample Exact(int seed)
    {
        var function = new LawGraphs(seed + 1000).Make();
        return Sampled(function, LawGraphs.Arguments(function, seed), $"exact {seed}");
    }

    static Sample Sampled(Function function, Value[] arguments, string name) =>
        new(function, arguments, Interpreter.Run(function, arguments, Symbols), name);

    static long Symbols(Symbol symbol) => 3;   // what RandomGraphs gives B

    static void AssertSame(Sample sample, OptimizationLevel level, Isa isa)
    {
        Value[] actual;
        try
        {
            actual = CpuProgramTests.Run(CpuProgramTests.Backend(isa, workers: level == OptimizationLevel.O2 ? 3 : 1),
                sample.Function, sample.Arguments, level, Symbols);
        }
        catch (Exception error)
        {
            throw new InvalidOperationException($"{sample.Name} at {level} on {isa.Name}:\n{GraphText.Print(sample.Function)}",
                error);
        }
        for (int i = 0; i < actual.Length; i++)
        {
            var dtype = sample.Function.Results[i].DType;
            double[] expected = sample.Expected[i].Data, found = actual[i].Data;
            // 16-bit floats are rounded at every store: the error is a share of the greatest element, not of each.
            double scale = dtype.Bytes == 2 ? expected.Where(double.IsFinite).Select(Math.Abs).Append(1).Max() : 1;
            double tolerance = Tolerance(dtype);
            Assert.Equal(expected.Length, found.Length);
            for (int k = 0; k < expected.Length; k++)
            {
                double e = Conversion.Round(expected[k], dtype), a = found[k];
                if (e.Equals(a) || e == a || Math.Abs(e - a) <= tolerance * Math.Max(scale, Math.Abs(e))) continue;
                Assert.Fail(
                    $"{sample.Name} at {level} on {isa.Name}: element {k} of result {i} is {a:R}, expected {e:R}:\n{GraphText.Print(sample.Function)}");
            }
        }
    }

    // A dozen ops after another, each within a few units of the last place of its type.
    static double Tolerance(DType dtype) => dtype switch
    {
        DType.Float64 => 1e-11,
        DType.Float32 => 1e-4,
        DType.Float16 => 0.02,
        DType.BFloat16 => 0.1,
        _ => 0,
    };
}
