using System.Collections;
using Ashlar.Compiler.Kernels;
using Ashlar.Graph;
using Ashlar.Tiles;
using Kernel = Ashlar.Compiler.Kernels.Kernel;

namespace Ashlar.Compiler.Planning;

/// <summary>Turns kernels into a plan: builds their programs, orders them, and decides which values share memory.</summary>
static class Planner
{
    /// <summary>The plan of a function.</summary>
    /// <param name="function">The function; every result is the root of a kernel (see <see cref="SeparateResults"/>).</param>
    /// <param name="built">Its kernels, in an order in which they can run.</param>
    /// <param name="donations">Pairs (result, parameter) that are one buffer, none of them unsafe.</param>
    /// <param name="share">Let values take the memory of others that are dead.</param>
    public static Plan Plan(Function function, List<BuiltKernel> built,
        IReadOnlyList<(int Result, int Parameter)> donations, bool share)
    {
        var donated = donations.ToDictionary(pair => function.Results[pair.Result], pair => function.Parameters[pair.Parameter]);
        built = Order.ForPeakMemory(built, donated);

        var values = new List<PlannedValue>();
        var byNode = new Dictionary<Node, PlannedValue>();
        for (int i = 0; i < function.Parameters.Count; i++) Add(function.Parameters[i], Residence.Parameter, i);
        foreach (var kernel in built)
        {
            foreach (var root in kernel.Outputs)
            {
                int result = function.Results.IndexOf(root);
                Add(root, result >= 0 ? Residence.Result : Residence.Arena, Math.Max(result, 0));
            }
        }

        var launches = new List<Launch>();
        foreach (var kernel in built)
        {
            var used = kernel.Inputs.Concat(kernel.Outputs).Select(node => byNode[node].Index).ToValueList();
            foreach (var node in kernel.Inputs) byNode[node].LastRead = launches.Count;
            foreach (var node in kernel.Outputs) (byNode[node].Written, byNode[node].LastRead) = (launches.Count, launches.Count);
            launches.Add(new(kernel, used));
        }
        // Parameters that nothing reads have symbols too: their places are planned like the others'.
        var plan = new Plan(function, function.Symbols.ToValueList(), values, launches);
        foreach (var (result, parameter) in donated)
            (byNode[result].Residence, byNode[result].Slot) = (Residence.Shared, byNode[parameter].Index);
        if (share) Share(plan);
        for (int i = 0; i < launches.Count; i++) launches[i] = KeepInCache(plan, launches[i]);
        return plan;

        void Add(Node node, Residence residence, int slot)
        {
            if (byNode.ContainsKey(node)) return;
            byNode[node] = new(values.Count, node, residence, slot);
            values.Add(byNode[node]);
        }
    }

    /// <summary>Gives every result a node of its own that is no parameter; those in <paramref name="copied"/> are computed beside
    /// and copied.</summary>
    public static Function SeparateResults(Function function, IReadOnlyCollection<int> copied)
    {
        var results = function.Results.ToArray();
        var seen = new HashSet<Node>();
        for (int i = 0; i < results.Length; i++)
        {
            if (copied.Contains(i))
                results[i] = Nodes.Barrier(Partition.IsStored(results[i]) ? Nodes.Barrier(results[i]) : results[i]);
            while (Partition.IsStored(results[i]) || !seen.Add(results[i])) results[i] = Nodes.Barrier(results[i]);
        }
        return function with { Results = results.ToValueList() };
    }

    /// <summary>The results that cannot be written straight over their parameters: a kernel would read what is overwritten
    /// already.</summary>
    public static List<int> UnsafeDonations(Function function, List<BuiltKernel> kernels,
        IReadOnlyList<(int Result, int Parameter)> donations)
    {
        var writer = new Dictionary<Node, int>();
        for (int i = 0; i < kernels.Count; i++)
            foreach (var root in kernels[i].Outputs) writer[root] = i;
        var needs = Reachable(kernels, writer);
        var readers = new Dictionary<Node, List<int>>();
        for (int i = 0; i < kernels.Count; i++)
            foreach (var input in kernels[i].Inputs)
                (readers.TryGetValue(input, out var list) ? list : readers[input] = []).Add(i);

        var overwritten = new Dictionary<int, List<Node>>();
        var wrong = new List<int>();
        foreach (var (result, parameter) in donations)
        {
            var (root, target) = (function.Results[result], function.Parameters[parameter]);
            int at = writer[root];
            var kernel = kernels[at];
            bool readLater = readers.GetValueOrDefault(target, []).Exists(reader => reader != at && needs[reader][at]);
            bool readElsewhere = kernel.Inputs.IndexOf(target) is >= 0 and var place
                && !InPlace.IsSafe(kernel, kernel.Program.Buffers[place],
                    kernel.Program.Buffers[kernel.Inputs.Count + kernel.Outputs.IndexOf(root)]);
            // Two kernels that each overwrite what the other reads cannot be ordered.
            bool circular = readers.GetValueOrDefault(target, []).Exists(reader => reader != at
                && overwritten.GetValueOrDefault(reader, []).Exists(kernel.Inputs.Contains));
            if (readLater || readElsewhere || circular || target.Shape != root.Shape || target.DType != root.DType)
                wrong.Add(result);
            else (overwritten.TryGetValue(at, out var list) ? list : overwritten[at] = []).Add(target);
        }
        return wrong;
    }

    // needs[i][j]: kernel i cannot run before kernel j. The kernels are in an order in which they can run.
    static BitArray[] Reachable(List<BuiltKernel> kernels, Dictionary<Node, int> writer)
    {
        var needs = new BitArray[kernels.Count];
        for (int i = 0; i < kernels.Count; i++)
        {
            needs[i] = new(kernels.Count);
            foreach (var input in kernels[i].Inputs)
            {
                if (!writer.TryGetValue(input, out int needed)) continue;
                needs[i].Or(needs[needed]);
                needs[i][needed] = true;
            }
        }
        return needs;
    }

    /// <summary>The programs of kernels.</summary>
    public static List<BuiltKernel> Build(List<Kernel> kernels)
    {
        var owner = kernels.SelectMany(kernel => kernel.Roots, (kernel, root) => (kernel, root))
            .ToDictionary(pair => pair.root, pair => pair.kernel);
        return kernels.ConvertAll(kernel =>
            Build(kernel, node => Partition.IsStored(node) || owner.TryGetValue(node, out var other) && other != kernel));
    }

    static BuiltKernel Build(Kernel kernel, Func<Node, bool> isForeign) => kernel.Kind switch
    {
        KernelKind.Contraction => ContractionBuilder.Build(kernel, isForeign),
        KernelKind.Single => SingleKernelBuilder.Build(kernel, isForeign),
        _ => RowKernelBuilder.Build(kernel, isForeign),
    };

    static void Share(Plan plan)
    {
        for (int i = 0; i < plan.Launches.Count; i++)
        {
            var launch = plan.Launches[i];
            var taken = new HashSet<int>();
            foreach (int index in launch.Values)
            {
                var output = plan.Values[index];
                if (output.Written != i || output.Residence != Residence.Arena) continue;
                foreach (int candidate in launch.Values)
                {
                    var input = plan.Values[candidate];
                    if (input.Written >= i || input.Written < 0 || plan.Home(input).Residence != Residence.Arena
                        || taken.Contains(candidate)) continue;
                    if (!DiesAt(plan, input, i) || !CanWriteOver(plan, i, input, output)) continue;
                    (output.Residence, output.Slot) = (Residence.Shared, candidate);
                    taken.Add(candidate);
                    break;
                }
            }
        }
    }

    static bool DiesAt(Plan plan, PlannedValue value, int launch)
    {
        var home = plan.Home(value);
        return plan.Values.Where(other => plan.Home(other) == home).All(other =>
            Math.Max(other.LastRead, other.Written) <= launch);
    }

    static bool CanWriteOver(Plan plan, int launch, PlannedValue input, PlannedValue output)
    {
        var (kernel, values) = plan.Launches[launch];
        return InPlace.IsSafe(kernel, kernel.Program.Buffers[values.IndexOf(input.Index)],
            kernel.Program.Buffers[values.IndexOf(output.Index)]);
    }

    // A store over an input finds its line in cache already: bypassing the caches would only throw it out.
    static Launch KeepInCache(Plan plan, Launch launch)
    {
        var program = launch.Kernel.Program;
        var shared = program.Buffers.Where((buffer, i) =>
            buffer.Written && plan.Values[launch.Values[i]].Residence == Residence.Shared).ToHashSet();
        if (shared.Count == 0) return launch;
        return launch with { Kernel = launch.Kernel with { Program = program with { Body = Plain(program.Body) } } };

        ValueList<Statement> Plain(ValueList<Statement> body) => body.Select(statement => statement switch
        {
            For loop => loop with { Body = Plain(loop.Body) },
            If branch => branch with { Body = Plain(branch.Body) },
            Store { Streaming: true } store when store.Target is TileBuffer buffer && shared.Contains(buffer) => store with
            {
                Streaming = false,
            },
            _ => statement,
        }).ToValueList();
    }
}
