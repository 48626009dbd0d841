using Ashlar.Bench;
using Ashlar.Compiler;
using Ashlar.Graph;
using Ashlar.Runtime;

namespace Ashlar.Tests.Bench;

public class WorkloadTests
{
    [Fact]
    public void Names_AreUnique()
    {
        string[] names = [.. Suites.All.SelectMany(suite => suite.Benchmarks([1, 2])).Select(benchmark => benchmark.Name)];
        Assert.Equal(names.Distinct(), names);
        Assert.Contains("gemm.f32.m2048_n2048_k2048.t2", names);
        Assert.Contains("elementwise.gelu.t2", names);
    }

    [Fact]
    public void Functions_NumberTheirParametersInOrder()
    {
        foreach (var workload in Workloads.Elementwise().Concat(Workloads.Norms()).Concat(Workloads.Gemm())
            .Concat(Workloads.TileGemm()))
        {
            var function = workload.Function();
            Assert.All(function.Parameters.Index(),
                entry => Assert.Equal(entry.Index, entry.Item.Get<ParameterAttributes>().Index));
            Assert.All(function.Order().Where(node => node.Op == Op.Parameter),
                node => Assert.Contains(node, function.Parameters));
        }
    }

    [Fact]
    public void Mlp_HasAboutTheNodesAskedFor()
    {
        var (function, donations) = Compilation.MlpStep(200);
        Assert.InRange(function.Order().Count, 200, 240);
        Assert.All(donations,
            pair => Assert.Equal(function.Parameters[pair.Parameter].Shape, function.Results[pair.Result].Shape));
    }

    [Fact]
    public void Chain_IsAKernelPerOp() =>
        Assert.Equal(200, Pipelines.Compile(Dispatch.Chain(), OptimizationLevel.O0).Launches.Count);

    [Fact]
    public void Inputs_AreFinite_InRange_AndTheSameEachTime()
    {
        var backend = new ReferenceBackend();
        Node x = Nodes.Parameter(0, DType.Float32, [100]), squares = Nodes.Parameter(1, DType.Float32, [100_000]),
            targets = Nodes.Parameter(2, DType.Int32, [1000]);
        var function = new Function([x, squares, targets], [x]);
        var buffers = Inputs.For(backend, function, classes: 7, positive: [1]);
        Assert.All(buffers[0].Span<float>(100).ToArray(), value => Assert.InRange(value, -1f, 1f));
        Assert.Contains(buffers[0].Span<float>(100).ToArray(), value => value < 0);
        Assert.All(buffers[1].Span<float>(100_000).ToArray(), value => Assert.InRange(value, 0f, 1f));
        Assert.Equal([0, 1, 2, 3, 4, 5, 6], buffers[2].Span<int>(1000).ToArray().Distinct().Order());
        Assert.Equal(buffers[0].Span<float>(100).ToArray(), Inputs.For(backend, function)[0].Span<float>(100).ToArray());
    }

    [Fact]
    public void Measure_ComparesTheWorkWithItsLimit()
    {
        Node x = Nodes.Parameter(0, DType.Float32, [8]);
        var workload = new Workload("tiny", () => new([x], [x + x]), 64, Backends.Cpu.Limit.Copy);
        var stage = new Stage(1, new ReferenceBackend(), _ => 2.0, _ => { });
        var figure = Timing.Measure("tiny.t1", workload, stage, CancellationToken.None);
        Assert.Equal(("tiny.t1", "GB/s", 2.0), (figure.Name, figure.Unit, figure.Limit));
        Assert.True(figure.Value > 0);
        Assert.InRange(figure.Ratio, 0, figure.Value);
    }
}
