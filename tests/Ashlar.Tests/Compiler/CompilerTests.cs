using Ashlar.Compiler;
using Ashlar.Compiler.Planning;
using Ashlar.Graph;

namespace Ashlar.Tests.Compiler;

public class CompilerTests
{
    public static TheoryData<string, OptimizationLevel> Cases
    {
        get
        {
            var data = new TheoryData<string, OptimizationLevel>();
            foreach (string name in Programs.All.Keys)
                foreach (var level in Enum.GetValues<OptimizationLevel>()) data.Add(name, level);
            return data;
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void Plan_MatchesInterpreter(string name, OptimizationLevel level)
    {
        var function = Programs.All[name]();
        var arguments = Programs.Arguments(function, seed: 7);
        var expected = Interpreter.Run(function, arguments, Programs.Symbols);
        var plan = Pipelines.Compile(function, level);
        var actual = PlanInterpreter.Run(plan, arguments, Programs.Symbols);
        // 16-bit floats are rounded where they are stored.
        for (int i = 0; i < expected.Length; i++)
            Programs.AssertClose(expected[i], actual[i],
                name.Contains("16", StringComparison.Ordinal) ? Programs.Tolerance(name) : 1e-9, $"{name} result {i}");
    }

    [Fact]
    public void Compile_ShowsEveryPassOfItsLevel()
    {
        var shown = new List<string>();
        Pipelines.Compile(Programs.All["softmax"](), OptimizationLevel.O1, dump: (pass, text) =>
            { shown.Add(pass); Assert.NotEmpty(text()); });
        Assert.Equal(["expand composites", "simplify", "split long reductions", "split wide concats", "cut kernels", "plan"],
            shown);
    }

    [Fact]
    public void Softmax_IsOneKernel() =>
        Assert.Single(Pipelines.Compile(Programs.All["softmax"](), OptimizationLevel.O1).Launches);

    [Fact]
    public void ElementwiseChain_IsOneKernel() =>
        Assert.Single(Pipelines.Compile(Programs.All["gelu(x*w+b)"](), OptimizationLevel.O1).Launches);

    [Fact]
    public void LayerNorm_IsOneKernel() =>
        Assert.Single(Pipelines.Compile(Programs.All["layer norm"](), OptimizationLevel.O1).Launches);

    [Theory, InlineData("prologues"), InlineData("prologues of other types")]
    public void Prologues_JoinTheProduct_AtO2(string name) =>
        Assert.Single(Pipelines.Compile(Programs.All[name](), OptimizationLevel.O2).Launches);

    [Fact]
    public void SumsOverRows_JoinTheRows() =>
        Assert.Equal(["rows", "reduce", "reduce"],
            Pipelines.Compile(Programs.All["layer norm gradient of many rows"](), OptimizationLevel.O1).Launches.Select(launch =>
                launch.Kernel.Program.Name.Split('_')[0]));

    [Fact]
    public void BackwardPass_ReadsOneArrayOfTheActivation()
    {
        Node x = Programs.P(0, 640, 129), w = Programs.P(1, 129, 130), v = Programs.P(2, 130, 131), dy = Programs.P(3, 640, 131);
        var y = Nodes.MatMul(Nodes.Gelu(Nodes.MatMul(x, w)), v);
        var plan = Pipelines.Compile(Programs.F([x, w, v, dy], [y, .. Gradients.Of([y], [dy], [w, v])]), OptimizationLevel.O2);
        // The activation for the second product's gradient, and its slope: not the pre-activation and its error function.
        Assert.Equal(2, plan.Launches[0].Kernel.Program.Buffers.Count(buffer => buffer.Written));
    }

    [Fact]
    public void BiasAndGelu_JoinTheProduct_AtO2() =>
        Assert.Single(Pipelines.Compile(Programs.All["linear gelu"](), OptimizationLevel.O2).Launches);

    [Fact]
    public void Donation_WritesOverTheParameter_WhenTheKernelIsElementwise()
    {
        var function = Programs.All["adamw"]();
        var plan = Pipelines.Compile(function, OptimizationLevel.O2, [(0, 0), (1, 1), (2, 2)]);
        Assert.Single(plan.Launches);
        Assert.Equal(3, plan.Values.Count(value => value.Residence == Residence.Shared));
        Assert.Equal(0, MemoryPlan.Of(plan, _ => 0).ArenaBytes);
    }

    [Fact]
    public void Donation_CopiesLast_WhenParametersAreSwapped()
    {
        Node a = Nodes.Parameter(0, DType.Float32, [4]), b = Nodes.Parameter(1, DType.Float32, [4]);
        var function = new Function([a, b], [b, a]);
        var plan = Pipelines.Compile(function, OptimizationLevel.O2, [(0, 0), (1, 1)]);
        var results = PlanInterpreter.Run(plan, [new([1, 2, 3, 4], [4]), new([5, 6, 7, 8], [4])]);
        Assert.Equal([5, 6, 7, 8], results[0].Data);
        Assert.Equal([1, 2, 3, 4], results[1].Data);
    }

    [Fact]
    public void Donation_CopiesLast_WhenTheParameterIsReadTransposed()
    {
        var a = Nodes.Parameter(0, DType.Float32, [2, 2]);
        var plan = Pipelines.Compile(new([a], [Nodes.Transpose(a)]), OptimizationLevel.O2, [(0, 0)]);
        Assert.Equal([1, 3, 2, 4], PlanInterpreter.Run(plan, [new([1, 2, 3, 4], [2, 2])])[0].Data);
    }

    [Fact]
    public void MemoryPlan_NeverOverlapsLivingValues()
    {
        var plan = Pipelines.Compile(Programs.All["two layer gradient"](), OptimizationLevel.O1);
        var memory = MemoryPlan.Of(plan, Programs.Symbols);
        var homes = plan.Values.Where(value => value.Residence == Residence.Arena).ToList();
        foreach (var x in homes)
            foreach (var y in homes.Where(y => y.Index > x.Index))
            {
                var (xFirst, xLast) = Life(x);
                var (yFirst, yLast) = Life(y);
                if (xFirst > yLast || yFirst > xLast) continue;
                long xStart = memory.Offsets[x.Index], yStart = memory.Offsets[y.Index];
                Assert.True(xStart + x.Bytes.Evaluate(Programs.Symbols) <= yStart
                    || yStart + y.Bytes.Evaluate(Programs.Symbols) <= xStart, $"{x.Node} and {y.Node} overlap");
            }

        (int, int) Life(PlannedValue home)
        {
            var all = plan.Values.Where(value => plan.Home(value) == home).ToList();
            return (all.Min(value => value.Written), all.Max(value => Math.Max(value.LastRead, value.Written)));
        }
    }
}
