using Ashlar.Compiler.Kernels;
using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Compiler.Planning;

/// <summary>Turns kernels into a plan: builds their programs, orders them, and decides which values share memory.</summary>
static class Planner
{
    /// <summary>The plan of a function.</summary>
    /// <param name="function">Primitive ops only; every result is computed by a kernel of its own root (see <see cref="SeparateResults"/>).</param>
    /// <param name="kernels">From <see cref="Partition"/>, in an order in which they can run.</param>
    /// <param name="donations">Pairs (result, parameter) that are one buffer.</param>
    /// <param name="share">Let values take the memory of others that are dead.</param>
    public static Plan Plan(Function function, List<Kernel> kernels, IReadOnlyList<(int Result, int Parameter)> donations, bool share)
    {
        var owner = kernels.SelectMany(kernel => kernel.Roots, (kernel, root) => (kernel, root)).ToDictionary(pair => pair.root, pair => pair.kernel);
        var built = kernels.ConvertAll(kernel => Build(kernel, node => Partition.IsStored(node) || owner.TryGetValue(node, out var other) && other != kernel));
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
        var symbols = function.Order().SelectMany(node => node.Shape.SelectMany(extent => extent.Symbols)).Distinct().Order().ToValueList();
        var plan = new Plan(function, symbols, values, launches);
        foreach (var (result, parameter) in donated) Donate(plan, byNode[result], byNode[parameter]);
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

    /// <summary>Gives every result a node of its own that is not a parameter and not a donation that its readers forbid.</summary>
    public static Function SeparateResults(Function function, IReadOnlyList<(int Result, int Parameter)> donations)
    {
        var results = function.Results.ToArray();
        var seen = new HashSet<Node>();
        var donated = donations.ToDictionary(pair => pair.Result, pair => pair.Parameter);
        for (int i = 0; i < results.Length; i++)
        {
            while (Partition.IsStored(results[i]) || seen.Contains(results[i]) || Estimate.Cost(results[i].Op) == 0 && results[i].Op != Op.Barrier) results[i] = Nodes.Barrier(results[i]);
            seen.Add(results[i]);
        }
        // A donated result that other results or values are computed from would be overwritten too early or too late: copy it last.
        var users = Traversal.Users(results);
        for (int i = 0; i < results.Length; i++)
        {
            if (!donated.TryGetValue(i, out int parameter)) continue;
            var target = function.Parameters[parameter];
            bool readLater = users[results[i]].Count > 0 && users.TryGetValue(target, out var readers)
                && Traversal.PostOrder(readers).Contains(results[i]) && readers.Exists(reader => reader != results[i] && Traversal.PostOrder([reader]).Contains(results[i]));
            if (readLater) results[i] = Nodes.Barrier(results[i]);
        }
        return function with { Results = results.ToValueList() };
    }

    static BuiltKernel Build(Kernel kernel, Func<Node, bool> isForeign) => kernel.Kind switch
    {
        KernelKind.Contraction => ContractionBuilder.Build(kernel, isForeign),
        KernelKind.Single => SingleKernelBuilder.Build(kernel, isForeign),
        _ => RowKernelBuilder.Build(kernel, isForeign),
    };

    // A donated result is written into the parameter's memory: the caller passes one buffer for both. Where the kernel that
    // computes it cannot write in place, or the parameter is read after it, the result is computed beside and copied.
    static void Donate(Plan plan, PlannedValue result, PlannedValue parameter)
    {
        if (parameter.LastRead < result.Written || parameter.LastRead == result.Written && CanWriteOver(plan, result.Written, parameter, result))
        {
            (result.Residence, result.Slot) = (Residence.Shared, parameter.Index);
            return;
        }
        throw new InvalidOperationException($"result {result.Node} cannot be written over its parameter: {plan.Launches[result.Written].Kernel.Program.Name} reads it elsewhere, or it is read later");
    }

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
                    if (input.Written >= i || input.Written < 0 || plan.Home(input).Residence != Residence.Arena || taken.Contains(candidate)) continue;
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
        return plan.Values.Where(other => plan.Home(other) == home).All(other => Math.Max(other.LastRead, other.Written) <= launch);
    }

    static bool CanWriteOver(Plan plan, int launch, PlannedValue input, PlannedValue output)
    {
        var (kernel, values) = plan.Launches[launch];
        return InPlace.IsSafe(kernel, kernel.Program.Buffers[values.IndexOf(input.Index)], kernel.Program.Buffers[values.IndexOf(output.Index)]);
    }

    // A store over an input finds its line in cache already: bypassing the caches would only throw it out.
    static Launch KeepInCache(Plan plan, Launch launch)
    {
        var program = launch.Kernel.Program;
        var shared = program.Buffers.Where((buffer, i) => buffer.Written && plan.Values[launch.Values[i]].Residence == Residence.Shared).ToHashSet();
        if (shared.Count == 0) return launch;
        return launch with { Kernel = launch.Kernel with { Program = program with { Body = Plain(program.Body) } } };

        ValueList<Statement> Plain(ValueList<Statement> body) => body.Select(statement => statement switch
        {
            For loop => loop with { Body = Plain(loop.Body) },
            Store { Streaming: true } store when store.Target is TileBuffer buffer && shared.Contains(buffer) => store with { Streaming = false },
            _ => statement,
        }).ToValueList();
    }
}
