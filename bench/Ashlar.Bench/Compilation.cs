using System.Diagnostics;
using Ashlar.Compiler;
using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Bench;

/// <summary>How long it takes until code is there.</summary>
static class Compilation
{
    const double KernelMilliseconds = 5, GraphMilliseconds = 300;
    const int GraphNodes = 200;

    public static IEnumerable<Benchmark> Benchmarks(IReadOnlyList<int> threads)
    {
        double[]? perKernel = null;
        return
        [
            new("compile.graph200", Target.AtMost(1), session => Against("compile.graph200", Graph(session), GraphMilliseconds)),
            new("compile.kernel.median", Target.AtMost(1), session =>
                Against("compile.kernel.median", Sampling.Median(perKernel ??= [.. Kernels(session)]), KernelMilliseconds)),
            new("compile.kernel.max", Target.AtMost(1),
                session => Against("compile.kernel.max", (perKernel ??= [.. Kernels(session)]).Max(), KernelMilliseconds)),
        ];

        static Figure Against(string name, double milliseconds, double budget) =>
            Figure.Against(name, milliseconds, "ms", budget);
    }

    /// <summary>From graph to the end of a first run, on small data: what a run needs is bound then too.</summary>
    static double Graph(Session session)
    {
        var (function, donations) = MlpStep(GraphNodes);
        var samples = new List<double>();
        for (int i = 0; i <= Sampling.FewestPairs; i++)
        {
            session.Cancellation.ThrowIfCancellationRequested();
            var backend = session.Fresh(1).Backend;
            var inputs = Inputs.For(backend, function, classes: 10);
            var outputs = Inputs.Results(backend, function, inputs, donations);
            double milliseconds =
                Milliseconds(() => backend.Compile(function, new(OptimizationLevel.O2, donations)).Run(inputs, outputs, []));
            if (i > 0) samples.Add(milliseconds);       // the first one compiles the compiler
        }
        return Sampling.Median(samples);
    }

    /// <summary>For each kernel that the benchmarks use, the median time of compiling it from nothing.</summary>
    static IEnumerable<double> Kernels(Session session)
    {
        var compile = session.On(1).CompileKernel;
        var (step, donations) = GptStep.Build();
        var kernels = Workloads.Elementwise().Concat(Workloads.Norms()).Concat(Workloads.Gemm())
            .Select(workload => Pipelines.Compile(workload.Function(), OptimizationLevel.O2, workload.Donations))
            .Prepend(Pipelines.Compile(step, OptimizationLevel.O2, donations))
            .SelectMany(plan => plan.Launches).Select(launch => launch.Kernel)
            .DistinctBy(kernel => TileText.Key(kernel.Program)).ToList();
        foreach (var kernel in kernels)
        {
            var samples = new List<double>();
            for (int i = 0; i < 4; i++)
            {
                session.Cancellation.ThrowIfCancellationRequested();
                double milliseconds = Milliseconds(() => compile(kernel));
                if (i > 0) samples.Add(milliseconds);
            }
            yield return Sampling.Median(samples);
        }
    }

    /// <summary>The training step of a perceptron just deep enough to have this many nodes.</summary>
    internal static (Function Function, ValueList<(int Result, int Parameter)> Donations) MlpStep(int nodes)
    {
        for (int layers = 1; ; layers++)
        {
            var (function, donations) = Mlp(layers);
            if (function.Order().Count >= nodes) return (function, donations);
        }
    }

    static (Function, ValueList<(int, int)>) Mlp(int layers)
    {
        const int batch = 32, width = 64, classes = 10;
        List<Node> parameters = [Nodes.Parameter(0, DType.Float32, [batch, width]), Nodes.Parameter(1, DType.Int32, [batch])];
        Node Parameter(params int[] shape)
        {
            parameters.Add(Nodes.Parameter(parameters.Count, DType.Float32, shape));
            return parameters[^1];
        }

        var x = parameters[0];
        for (int layer = 0; layer < layers; layer++)
        {
            var y = Nodes.MatMul(x, Parameter(width, width));
            x = Nodes.Gelu(y + Nodes.Stretch(Parameter(width), y.Shape));
        }
        var logits = Nodes.MatMul(x, Parameter(width, classes));
        var loss = Nodes.Sum(Nodes.CrossEntropy(logits, parameters[1]), 0) * (1.0 / batch);
        Node[] weights = [.. parameters.Skip(2)];
        var gradients = Gradients.Of([loss], [loss.Like(1)], weights);
        return (new(parameters.ToValueList(), [loss, .. weights.Zip(gradients, (weight, gradient) => weight - gradient * 0.1)]),
            Enumerable.Range(0, weights.Length).Select(i => (i + 1, i + 2)).ToValueList());
    }

    static double Milliseconds(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }
}
