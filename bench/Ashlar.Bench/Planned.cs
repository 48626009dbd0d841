using Ashlar.Compiler;
using Ashlar.Compiler.Planning;

namespace Ashlar.Bench;

/// <summary>What the memory plan saves.</summary>
static class Planned
{
    public static IEnumerable<Benchmark> Benchmarks(IReadOnlyList<int> threads) =>
    [
        new("memory.gpt6.peak", Target.AtMost(0.5), _ =>
        {
            var (step, donations) = GptStep.Build();
            var plan = Pipelines.Compile(step, OptimizationLevel.O2, donations);
            var memory = MemoryPlan.Of(plan,
                symbol => throw new InvalidOperationException($"the step has no symbols, and {symbol} is one"));
            return Figure.Against("memory.gpt6.peak", memory.PeakBytes / 1e6, "MB", memory.UnplannedBytes / 1e6);
        }),
    ];
}
