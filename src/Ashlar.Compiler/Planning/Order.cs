using Ashlar.Compiler.Kernels;
using Ashlar.Graph;

namespace Ashlar.Compiler.Planning;

/// <summary>The order of kernels: needed values first, donated parameters overwritten last, and as few bytes alive as a greedy
/// choice finds.</summary>
static class Order
{
    /// <summary>The better of the order given and a greedy one.</summary>
    public static List<BuiltKernel> ForPeakMemory(List<BuiltKernel> kernels, Dictionary<Node, Node> donated)
    {
        var needs = Needs(kernels, donated);
        var waits = Waits(kernels, needs);
        // What barriers wait for is an order to save memory, not one of data: fusion may have put both sides into one kernel, or
        // in a circle.
        var order = Sort(kernels, waits, greedy: false) is { } given ? Better(given, Sort(kernels, waits, greedy: true)!) : null;
        return order ?? Better(Sorted(greedy: false), Sorted(greedy: true));

        List<BuiltKernel> Sorted(bool greedy) =>
            Sort(kernels, needs, greedy) ?? throw new InvalidOperationException("kernels need each other in a circle");
    }

    static List<BuiltKernel> Better(List<BuiltKernel> given, List<BuiltKernel> greedy) =>
        Peak(greedy) < Peak(given) ? greedy : given;

    // The needs, and the kernels that barriers inside of a kernel wait for: a checkpointed region is computed again only when its
    // gradient is due.
    static List<int>[] Waits(List<BuiltKernel> kernels, List<int>[] needs)
    {
        var writer = new Dictionary<Node, int>();
        for (int i = 0; i < kernels.Count; i++)
            foreach (var root in kernels[i].Outputs) writer[root] = i;
        return [.. kernels.Select((kernel, i) =>
        {
            var sources = new HashSet<int>();
            var seen = new HashSet<Node>(kernel.Inputs);
            var inside = new Stack<Node>(kernel.Outputs);
            while (inside.TryPop(out var node))
            {
                if (!seen.Add(node)) continue;
                bool waits = node.Op == Op.Barrier;
                foreach (var input in waits ? node.Inputs.Take(1) : node.Inputs) inside.Push(input);
                if (waits)
                    foreach (var after in node.Inputs.Skip(1)) Sources(after, sources);
            }
            sources.Remove(i);
            return needs[i].Concat(sources).ToList();
        })];

        // The kernels whose results a node is computed from, or that compute it.
        void Sources(Node node, HashSet<int> found)
        {
            var stack = new Stack<Node>([node]);
            var seen = new HashSet<Node>();
            while (stack.TryPop(out var next))
            {
                if (!seen.Add(next)) continue;
                if (writer.TryGetValue(next, out int at)) found.Add(at);
                else foreach (var input in next.Inputs) stack.Push(input);
            }
        }
    }

    // For each kernel those that must run before it.
    static List<int>[] Needs(List<BuiltKernel> kernels, Dictionary<Node, Node> donated)
    {
        var writer = new Dictionary<Node, int>();
        for (int i = 0; i < kernels.Count; i++)
            foreach (var root in kernels[i].Outputs) writer[root] = i;
        var needs = kernels.Select(kernel =>
            kernel.Inputs.Where(writer.ContainsKey).Select(node => writer[node]).Distinct().ToList()).ToArray();
        foreach (var (result, parameter) in donated)
            for (int reader = 0; reader < kernels.Count; reader++)
                if (reader != writer[result] && kernels[reader].Inputs.Contains(parameter)) needs[writer[result]].Add(reader);
        return needs;
    }

    // Null where kernels wait for each other in a circle.
    static List<BuiltKernel>? Sort(List<BuiltKernel> kernels, List<int>[] needs, bool greedy)
    {
        var waiting = needs.Select(need => need.Distinct().Count()).ToArray();
        var followers = new List<int>[kernels.Count];
        for (int i = 0; i < kernels.Count; i++) followers[i] = [];
        for (int i = 0; i < kernels.Count; i++)
            foreach (int need in needs[i].Distinct()) followers[need].Add(i);
        var readers = new Dictionary<Node, int>();
        foreach (var node in kernels.SelectMany(kernel => kernel.Inputs)) readers[node] = readers.GetValueOrDefault(node) + 1;

        var ready = new SortedSet<int>(Enumerable.Range(0, kernels.Count).Where(i => waiting[i] == 0));
        var order = new List<BuiltKernel>();
        while (ready.Count > 0)
        {
            int next = greedy ? ready.MinBy(i => (Growth(kernels[i]), i)) : ready.Min;
            ready.Remove(next);
            order.Add(kernels[next]);
            foreach (var node in kernels[next].Inputs) readers[node]--;
            foreach (int follower in followers[next])
                if (--waiting[follower] == 0) ready.Add(follower);
        }
        return order.Count == kernels.Count ? order : null;

        long Growth(BuiltKernel kernel) =>
            kernel.Outputs.Sum(Estimate.Bytes) - kernel.Inputs.Where(node => !Partition.IsStored(node) && readers[node] == 1)
                .Sum(Estimate.Bytes);
    }

    static long Peak(List<BuiltKernel> order)
    {
        var last = new Dictionary<Node, int>();
        for (int i = 0; i < order.Count; i++)
            foreach (var node in order[i].Inputs.Concat(order[i].Outputs)) last[node] = i;
        long alive = 0, peak = 0;
        for (int i = 0; i < order.Count; i++)
        {
            alive += order[i].Outputs.Sum(Estimate.Bytes);
            peak = Math.Max(peak, alive);
            alive -= order[i].Inputs.Concat(order[i].Outputs).Where(node => last[node] == i && !Partition.IsStored(node))
                .Sum(Estimate.Bytes);
        }
        return peak;
    }
}
