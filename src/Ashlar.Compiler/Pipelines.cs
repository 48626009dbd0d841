using Ashlar.Compiler.Kernels;
using Ashlar.Compiler.Passes;
using Ashlar.Compiler.Planning;
using Ashlar.Graph;

namespace Ashlar.Compiler;

/// <summary>A named step over a function.</summary>
/// <param name="Name">What dumps and statistics call it.</param>
/// <param name="From">The lowest level at which it runs.</param>
/// <param name="Run">From one function to an equal one.</param>
public sealed record Pass(string Name, OptimizationLevel From, Func<Function, Function> Run);

/// <summary>From tensor graph to kernel calls. Read this first: it is the whole compiler, in order.</summary>
/// <remarks>Graph passes rewrite a function; then kernels are cut, written as tile programs, ordered and given memory.</remarks>
public static class Pipelines
{
    /// <summary>The passes over the graph, in order.</summary>
    public static IReadOnlyList<Pass> GraphPasses { get; } =
    [
        new("raise composites", OptimizationLevel.O2, RaiseComposites.Rules.Rewrite),
        new("expand composites", OptimizationLevel.O0, Expansion.Expand),
        new("simplify", OptimizationLevel.O1, Simplify.Rules.Rewrite),
        new("merge contractions", OptimizationLevel.O2, MergeContractions.Run),
        new("split long reductions", OptimizationLevel.O1, LongReductions.Split),
        new("split wide concats", OptimizationLevel.O0, WideConcats.Split),
    ];

    /// <summary>The names of all steps in order, as dumps use them.</summary>
    public static IReadOnlyList<string> Stages { get; } = [.. GraphPasses.Select(pass => pass.Name), Cut, Planned];

    const string Cut = "cut kernels", Planned = "plan";

    /// <summary>Compiles a function to a plan.</summary>
    /// <param name="function">Parameters and results; composites and custom regions allowed.</param>
    /// <param name="level">How hard to work.</param>
    /// <param name="donations">Pairs (result, parameter) that the caller passes one buffer for.</param>
    /// <param name="dump">Told each step's name and what it made, as text made only when asked for; null for none.</param>
    public static Plan Compile(Function function, OptimizationLevel level,
        IReadOnlyList<(int Result, int Parameter)>? donations = null, Action<string, Func<string>>? dump = null)
    {
        donations ??= [];
        foreach (var pass in GraphPasses)
        {
            if (level < pass.From) continue;
            function = pass.Run(function);
            Show(pass.Name, () => GraphText.Print(function));
        }

        var copied = new HashSet<int>();
        while (true)
        {
            var separate = Planner.SeparateResults(function, copied);
            var kernels = Partition.Of(separate, fuse: level >= OptimizationLevel.O1, epilogues: level >= OptimizationLevel.O2);
            Show(Cut, () => string.Join('\n', kernels));
            var built = Planner.Build(kernels);
            var wrong = Planner.UnsafeDonations(separate, built, donations);
            int before = copied.Count;
            copied.UnionWith(wrong);
            if (copied.Count > before) continue;   // those results are computed beside and copied

            var plan = Planner.Plan(separate, built, donations, share: level >= OptimizationLevel.O1);
            Show(Planned, () => plan.Describe(MemoryPlan.Of(plan, symbol => Math.Clamp(512, symbol.Min, symbol.Max))));
            return plan;
        }

        void Show(string name, Func<string> text) => dump?.Invoke(name, text);
    }
}
