using Ashlar.Graph;

namespace Ashlar.Compiler.Kernels;

/// <summary>Cuts a graph into kernels: which nodes get memory, and which are computed where they are used.</summary>
/// <remarks>
/// It starts with one kernel per node that needs one (results, reductions, contractions, values with several users) and joins
/// kernels while that saves memory traffic, greatest saving first. Joining must not make a cycle, and every stored node must be
/// seen by the joined kernel element for element (<see cref="Views"/>), so that each is computed exactly once.
/// </remarks>
sealed class Partition
{
    // Beyond this a row does not stay in the second-level cache from its first pass to its last.
    const long LongestRow = 1 << 17;

    // Generated code must stay inside RyuJIT's budget for full optimisation; an exp is about 12 instructions.
    const int GreatestCost = 260;

    // Sums over rows: as many columns stay in the second-level cache beside the row, and as many parts keep workers busy.
    const long MostSummedColumns = 1 << 14;
    const long FewestParts = 8;

    const int MostBuffers = 20;

    // An expression that reads more, such as a sum over all parameters of a model, is cut: a kernel has at most 64 buffers and
    // tiles.
    const int MostReads = 40;

    // A contraction's operand is computed while it is packed up to this cost (a sigmoid), from so many arrays; a right operand
    // where the left has so few rows that it is packed once.
    const int MostPrologueCost = 20;
    const int MostPrologueReads = 4;
    const long MostPackedRows = 1024;

    readonly Function function;
    readonly bool fuse;
    readonly bool epilogues;
    readonly Dictionary<Node, List<Node>> users;
    readonly HashSet<Node> results;
    readonly HashSet<Node> copied;
    readonly Dictionary<Node, Kernel> owner = [];
    readonly List<Kernel> kernels = [];

    Partition(Function function, bool fuse, bool epilogues)
    {
        this.function = function;
        this.fuse = fuse;
        this.epilogues = epilogues;
        users = Traversal.Users(function.Results);
        results = [.. function.Results];
        copied = [.. function.Results.Where(IsCopy).Select(result => result.Inputs[0]).Where(node => !IsStored(node))];
    }

    // A result that is a barrier is copied from what it guards, by a kernel of its own that nothing joins.
    static bool IsCopy(Node result) => result.Op == Op.Barrier;

    /// <summary>The kernels of a function, in an order in which they can run.</summary>
    /// <param name="function">Primitive ops only.</param>
    /// <param name="fuse">False: one kernel per op.</param>
    /// <param name="epilogues">Join elementwise work to contractions.</param>
    public static List<Kernel> Of(Function function, bool fuse, bool epilogues)
    {
        var partition = new Partition(function, fuse, epilogues);
        partition.Seed();
        if (fuse)
        {
            while (partition.Join()) { }
            partition.JoinSiblings();
            if (epilogues) partition.Hoist();
        }
        return partition.Ordered();
    }

    /// <summary>True for the nodes that are in memory before any kernel runs.</summary>
    public static bool IsStored(Node node) => node.Op is Op.Parameter or Op.Buffer;

    void Seed()
    {
        var reads = new Dictionary<Node, HashSet<Node>>();   // of nodes that are computed where they are used: what is in memory
        var sizes = new InlineSizes(node => IsStored(node) || owner.ContainsKey(node));
        foreach (var node in Traversal.PostOrder(function.Results))
        {
            if (IsStored(node)) continue;
            if (node.Op == Op.Kernel)
            {
                Call(node);
                continue;
            }
            if (IsWhole(node))
            {
                Whole(node);
                continue;
            }
            if (fuse) reads[node] = CutTo(MostReads, node, reads);
            CutTo(GreatestCost, node, sizes);
            if (IsAnchor(node) || results.Contains(node) || copied.Contains(node) || !fuse && Estimate.Cost(node.Op) > 0
                || fuse && IsShared(node) || FeedsAnchorUnreadably(node) || PadsWindows(node))
                Add(node);
        }
    }

    // What a node reads; inputs become kernels of their own, those that read most first, until that is not too much.
    HashSet<Node> CutTo(int most, Node node, Dictionary<Node, HashSet<Node>> reads)
    {
        while (true)
        {
            var all = new HashSet<Node>();
            Node? greatest = null;
            foreach (var input in node.Inputs)
                if (IsStored(input) || owner.ContainsKey(input)) all.Add(input);
                else
                {
                    all.UnionWith(reads[input]);
                    if (reads[input].Count > 1 && (greatest is null || reads[input].Count > reads[greatest].Count))
                        greatest = input;
                }
            if (all.Count <= most || greatest is null) return all;
            Add(greatest);
        }
    }

    // Inputs become kernels of their own, the largest first, until what the node inlines is small enough: a chain of thousands of
    // operations is many kernels.
    void CutTo(int most, Node node, InlineSizes sizes)
    {
        while (sizes.Of(node, most) > most)
        {
            Node? greatest = null;
            foreach (var input in node.Inputs)
            {
                var source = Moved(input);
                if (sizes.Of(source, most) > 1 && (greatest is null || sizes.Of(source, most) > sizes.Of(greatest, most)))
                    greatest = source;
            }
            if (greatest is null) return;
            Add(greatest);
            Forget(node, sizes);
        }
    }

    // Where elements only change places, what they are taken from is stored, which may be smaller.
    Node Moved(Node node)
    {
        while (IsMovement(node) && !IsStored(node) && !owner.ContainsKey(node)) node = node.Inputs[0];
        return node;
    }

    static bool IsMovement(Node node) =>
        node.Op is Op.Reshape or Op.Permute or Op.Broadcast or Op.Slice or Op.Flip or Op.Window or Op.Barrier;

    // Of the node, and before it of the movement between it and what was stored.
    void Forget(Node node, InlineSizes sizes)
    {
        var moved = new Stack<Node>();
        foreach (var input in node.Inputs)
            for (var next = input; IsMovement(next) && !IsStored(next) && !owner.ContainsKey(next); next = next.Inputs[0])
            {
                sizes.Forget(next);
                moved.Push(next);
            }
        while (moved.TryPop(out var next)) sizes.Of(next, GreatestCost);
        sizes.Forget(node);
    }

    // A kernel that people wrote is one launch: all of its results together, from inputs in memory.
    void Call(Node node)
    {
        if (owner.ContainsKey(node)) return;
        foreach (var input in node.Inputs)
            if (!IsStored(input)) Add(input);
        var call = node.Get<KernelAttributes>();
        var roots = Enumerable.Range(0, call.Kernel.Outputs.Count).Select(output =>
            Node.Of(Op.Kernel, [.. node.Inputs], call with { Output = output })).ToList();
        var kernel = new Kernel { Kind = KernelKind.Single, Roots = roots, Anchor = node };
        kernels.Add(kernel);
        foreach (var root in roots) owner[root] = kernel;
    }

    // Computed by an engine from inputs in memory; a reshape of what lies there lies there too.
    void Whole(Node node)
    {
        foreach (var input in node.Inputs)
            if (Unshaped(input) is var source && !IsStored(source)) Add(source);
        Add(node);
    }

    /// <summary>True for the ops that a target computes as one, from whole inputs in memory.</summary>
    public static bool IsWhole(Node node) => node.Op is >= Op.Project and <= Op.WeightRows;

    /// <summary>The value that has the same elements in the same order.</summary>
    public static Node Unshaped(Node node)
    {
        while (node.Op == Op.Reshape) node = node.Inputs[0];
        return node;
    }

    void Add(Node node)
    {
        if (owner.ContainsKey(node)) return;
        var kernel = KernelOf(node);
        kernels.Add(kernel);
        owner[node] = kernel;
    }

    static Kernel KernelOf(Node node)
    {
        if (node.Op == Op.Contract) return new()
        {
            Kind = KernelKind.Contraction,
            Roots = [node],
            Anchor = node,
            Rows = node.Shape.Elements,
        };
        if (IsRowReduction(node)) return new()
        {
            Kind = KernelKind.Rows,
            Roots = [node],
            Rows = node.Shape.Elements,
            Columns = Row(node),
        };
        if (ColumnSum(node) is var (parts, part, columns)) return new()
        {
            Kind = KernelKind.Rows,
            Roots = [node],
            Rows = parts * part,
            Columns = columns,
            Part = part,
        };
        if (IsAnchor(node)) return new() { Kind = KernelKind.Single, Roots = [node], Anchor = node, Rows = node.Shape.Elements };
        return new() { Kind = KernelKind.Map, Roots = [node], Rows = node.Shape.Elements };
    }

    /// <summary>True for ops that are not computed where they are used.</summary>
    public static bool IsAnchor(Node node) =>
        node.Op is >= Op.ReduceSum and <= Op.ArgSort or Op.Scatter or Op.Contract or Op.Kernel || IsWhole(node);

    /// <summary>True for a reduction over trailing axes that make a row short enough to stay in cache.</summary>
    public static bool IsRowReduction(Node node)
    {
        if (node.Op is < Op.ReduceSum or > Op.ArgMin || node.Inputs[0].Shape.Rank == 0) return false;
        int kept = node.Inputs[0].Shape.Rank - ReducedAxes(node).Length;
        if (!ReducedAxes(node).Order().SequenceEqual(Enumerable.Range(kept, node.Inputs[0].Shape.Rank - kept))) return false;
        return Row(node).Max is > 0 and <= LongestRow;
    }

    /// <summary>Of a sum over middle axes that a kernel of rows can keep in a tile: [parts, part, columns] of its input; null for
    /// other nodes.</summary>
    public static (Extent Parts, Extent Part, Extent Columns)? ColumnSum(Node node)
    {
        if (node.Op != Op.ReduceSum) return null;
        var shape = node.Inputs[0].Shape;
        int[] axes = [.. ReducedAxes(node).Order()];
        if (axes.Length == 0 || !axes.SequenceEqual(Enumerable.Range(axes[0], axes.Length)) || axes[^1] == shape.Rank - 1)
            return null;
        var (parts, part) = (Extent.Product(shape.Take(axes[0])), Extent.Product(axes.Select(axis => shape[axis])));
        var columns = Extent.Product(shape.Skip(axes[^1] + 1));
        return parts.Min >= FewestParts && part.Min >= 2 && columns.Min > 1 && columns.Max <= MostSummedColumns
            ? (parts, part, columns)
            : null;
    }

    /// <summary>The axes of the input that a reduction makes vanish.</summary>
    public static int[] ReducedAxes(Node node) =>
        node.Op is Op.ArgMax or Op.ArgMin ? [node.Get<AxisAttributes>().Axis] : [.. node.Get<AxesAttributes>().Axes];

    static Extent Row(Node node) => Extent.Product(ReducedAxes(node).Select(axis => node.Inputs[0].Shape[axis]));

    // A value that several nodes use is stored, unless computing it again is cheaper than reading it.
    bool IsShared(Node node)
    {
        if (Estimate.Cost(node.Op) == 0 || users[node].Count < 2) return false;
        var (cost, bytes) = Recompute(node);
        return cost > 4 || bytes > Estimate.Bytes(node);
    }

    (int Cost, long Bytes) Recompute(Node root)
    {
        int cost = 0;
        long bytes = 0;
        var seen = new HashSet<Node>();
        var stack = new Stack<Node>([root]);
        while (stack.TryPop(out var node))
        {
            if (!seen.Add(node)) continue;
            if (IsStored(node) || owner.ContainsKey(node)) { bytes += Estimate.Bytes(node); continue; }
            cost += Estimate.Cost(node.Op);
            if (cost > 4) return (cost, bytes);
            foreach (var input in node.Inputs) stack.Push(input);
        }
        return (cost, bytes);
    }

    // A contraction reads its operands as strided arrays, or computes them as it packs them. Anything else is stored for it.
    bool FeedsAnchorUnreadably(Node node)
    {
        if (!users[node].Exists(user => user.Op == Op.Contract)) return false;
        bool moves = node.Op is Op.Reshape or Op.Permute or Op.Broadcast or Op.Slice or Op.Window
            && OperandViews.IsStrided(node, owner.ContainsKey);
        return !moves && !(epilogues && IsPrologue(node));
    }

    // What windows of a contraction are taken of is stored with its padding, so that the windows are not: those are many times
    // as large.
    bool PadsWindows(Node node)
    {
        if (node.Op != Op.Pad) return false;
        var stack = new Stack<(Node Node, bool IsWindowed)>([(node, false)]);
        while (stack.TryPop(out var top))
            foreach (var user in users[top.Node])
            {
                if (user.Op == Op.Contract && top.IsWindowed) return true;
                if (user.Op is Op.Window or Op.Reshape or Op.Permute) stack.Push((user, top.IsWindowed || user.Op == Op.Window));
            }
        return false;
    }

    // Elementwise work that is cheaper to do while packing than to store and read: each element is packed about once.
    bool IsPrologue(Node node)
    {
        if (users[node] is not [{ Op: Op.Contract } contract] || contract.Inputs[0] == contract.Inputs[1]
            || results.Contains(node)) return false;
        // Widening is never stored: engines take narrow operands as they are, and some multiply them so.
        bool isRight = contract.Inputs[1] == node, widens = node is (Op.Cast, [var narrow]) && narrow.DType != node.DType
            && narrow.DType.Compute == node.DType;
        // Packed anew for each block of rows.
        if (isRight && !widens && Estimate.Elements(contract.Inputs[0]) > MostPackedRows * Estimate.Of(Inner(contract)))
            return false;
        int cost = 0, reads = 0;
        var seen = new HashSet<Node>();
        var stack = new Stack<Node>([node]);
        while (stack.TryPop(out var next))
        {
            if (!seen.Add(next) || next.Op == Op.Constant) continue;
            if (IsStored(next) || owner.ContainsKey(next)) { reads++; continue; }
            if (next.Meaning.Element is null && next.Op is not (Op.Cast or Op.Reshape or Op.Permute or Op.Broadcast or Op.Slice))
                return false;
            cost += Estimate.Cost(next.Op);
            foreach (var input in next.Inputs) stack.Push(input);
        }
        return cost <= MostPrologueCost && reads <= MostPrologueReads;
    }

    // Of the batch too: what one packed element of the right operand is multiplied with.
    static Extent Inner(Node contract)
    {
        var pairs = contract.Get<ContractAttributes>();
        return Extent.Product(pairs.SumLeft.Concat(pairs.BatchLeft).Select(axis => contract.Inputs[0].Shape[axis]));
    }

    bool Join()
    {
        bool joined = false;
        foreach (var consumer in Ordered())
        {
            if (!kernels.Contains(consumer)) continue;
            bool again = true;
            while (again)
            {
                again = false;
                foreach (var producer in Producers(consumer).OrderByDescending(Saving))
                {
                    if (TryJoin(producer, consumer) is not { } kernel) continue;
                    joined = again = true;
                    if (kernel != consumer) again = false;
                    break;
                }
            }
        }
        return joined;

        long Saving(Kernel producer) => producer.Roots.Sum(Estimate.Bytes);
    }

    Kernel? TryJoin(Kernel producer, Kernel consumer)
    {
        if (consumer.Kind is KernelKind.Contraction or KernelKind.Single || producer.Kind == KernelKind.Single) return null;
        if (consumer.Roots.Exists(root => results.Contains(root) && IsCopy(root))) return null;
        if (producer.Kind == KernelKind.Contraction
            && (!epilogues || consumer.Kind != KernelKind.Map || consumer.Rows != producer.Rows)) return null;
        if (Space(producer, consumer) is not var (rows, columns)) return null;
        if (producer.Part is { } one && consumer.Part is { } other && one != other) return null;
        if (ReachesAround(producer, consumer)) return null;

        var roots = producer.Roots.Concat(consumer.Roots).ToList();
        var kind = producer.Kind == KernelKind.Contraction
            ? KernelKind.Contraction
            : columns == 1 ? KernelKind.Map : KernelKind.Rows;
        if (Views.Of(roots, rows, columns, IsForeign) is not { } views || views.Cost > GreatestCost
            || views.Reads + roots.Count > MostBuffers) return null;

        var joined = new Kernel
        {
            Kind = kind,
            Roots = roots,
            Rows = rows,
            Columns = columns,
            Anchor = producer.Anchor,
            Part = producer.Part ?? consumer.Part,
        };
        joined.Roots.RemoveAll(root => !results.Contains(root) && IsUsedOnlyBy(root, views.Members, roots)
            && !IsReadElsewhere(root));
        foreach (var root in roots) owner[root] = joined;
        foreach (var inner in (IEnumerable<Node>)[.. producer.Inner, .. consumer.Inner, .. producer.Roots, .. consumer.Roots])
            if (!joined.Roots.Contains(inner)) { joined.Inner.Add(inner); owner[inner] = joined; }
        int place = kernels.IndexOf(consumer);
        kernels[place] = joined;
        kernels.Remove(producer);
        return joined;

        bool IsForeign(Node node) =>
            IsStored(node) || owner.TryGetValue(node, out var kernel) && kernel != producer && kernel != consumer;

        // A member that is cheap may be computed in other kernels too, which then read what it is computed from.
        bool IsReadElsewhere(Node root)
        {
            var seen = new HashSet<Node>();
            var stack = new Stack<Node>([root]);
            while (stack.TryPop(out var node))
                foreach (var user in users[node])
                    if (!owner.TryGetValue(user, out var kernel))
                    {
                        if (seen.Add(user)) stack.Push(user);
                    }
                    else if (kernel != producer && kernel != consumer) return true;
            return false;
        }
    }

    /// <summary>Joins sums over rows to kernels of rows that read the same array: a bias's gradient to the norm's that reads it
    /// too.</summary>
    void JoinSiblings()
    {
        var all = kernels.Where(kernel => kernel.Part is not null).ToList();
        if (all.Count == 0) return;
        var ordered = Ordered();
        foreach (var sums in all)
        {
            if (!kernels.Contains(sums)) continue;
            var reads = Reads(sums, owner).Where(node => node.Shape.Elements == sums.Rows * sums.Columns).ToHashSet();
            foreach (var other in ordered)
                if (other != sums && other.Kind == KernelKind.Rows && other.Rows == sums.Rows && other.Columns == sums.Columns
                    && Reads(other, owner).Exists(reads.Contains) && !Needs(sums, other) && !Needs(other, sums)
                    && TryJoin(sums, other) is not null)
                {
                    ordered = Ordered();
                    break;
                }
        }
    }

    bool Needs(Kernel kernel, Kernel needed)
    {
        var seen = new HashSet<Kernel>();
        var stack = new Stack<Kernel>([kernel]);
        while (stack.TryPop(out var next))
            foreach (var producer in Producers(next))
            {
                if (producer == needed) return true;
                if (seen.Add(producer)) stack.Push(producer);
            }
        return false;
    }

    /// <summary>Computes in a producer what a consumer would compute from several of its roots alone, where storing the one value
    /// moves fewer bytes.</summary>
    /// <remarks>
    /// A backward pass reads what the forward pass left. GELU's slope needs the pre-activation and its error function: two arrays
    /// stored, two read, an exponential again. Computed beside the activation it is one array: the least cut between the passes.
    /// </remarks>
    void Hoist()
    {
        foreach (var consumer in Ordered())
        {
            bool again = true;
            while (again && kernels.Contains(consumer))
            {
                again = false;
                foreach (var producer in Producers(consumer).Where(kernel => kernel.Kind != KernelKind.Single).ToList())
                    if (Hoistable(producer, consumer) is { } value && TryHoist(value, producer)) { again = true; break; }
            }
        }
    }

    // The value inside the consumer whose move to the producer saves most; null when none saves anything.
    Node? Hoistable(Kernel producer, Kernel consumer)
    {
        var leaves = new Dictionary<Node, HashSet<Node>>();
        foreach (var node in Inside(consumer))
        {
            var from = new HashSet<Node>();
            foreach (var input in node.Inputs)
                if (leaves.TryGetValue(input, out var deeper)) from.UnionWith(deeper);
                else from.Add(input);
            leaves[node] = from;
        }
        Node? best = null;
        long most = 0;
        foreach (var (node, from) in leaves)
        {
            if (node.Meaning.Element is null || consumer.Roots.Contains(node) || owner.ContainsKey(node)) continue;
            if (!from.All(leaf => IsStored(leaf) || leaf.Op == Op.Constant || producer.Roots.Contains(leaf))
                || !from.Any(producer.Roots.Contains)) continue;
            var left = Inside(consumer, stop: node).SelectMany(member => member.Inputs).Where(input => input != node).ToHashSet();
            long saved = -2 * Estimate.Bytes(node);
            foreach (var leaf in from.Where(leaf => !left.Contains(leaf)))
            {
                saved += Estimate.Bytes(leaf);
                if (producer.Roots.Contains(leaf) && !results.Contains(leaf)
                    && users[leaf].TrueForAll(user => leaves.ContainsKey(user) || owner.GetValueOrDefault(user) == producer
                        || IsInside(user, producer)))
                    saved += Estimate.Bytes(leaf);
            }
            if (saved > most) (best, most) = (node, saved);
        }
        return best;
    }

    bool TryHoist(Node value, Kernel producer)
    {
        var kernel = KernelOf(value);
        kernels.Add(kernel);
        owner[value] = kernel;
        if (TryJoin(producer, kernel) is not null) return true;
        kernels.Remove(kernel);
        owner.Remove(value);
        return false;
    }

    bool IsInside(Node node, Kernel kernel) => !owner.ContainsKey(node) && Inside(kernel).Contains(node);

    // What a kernel computes, inputs first; from `stop` on, nothing below.
    List<Node> Inside(Kernel kernel, Node? stop = null)
    {
        var order = new List<Node>();
        var seen = new HashSet<Node>();
        foreach (var root in kernel.Roots) Visit(root);
        return order;

        void Visit(Node node)
        {
            if (node == stop || IsStored(node) || owner.TryGetValue(node, out var other) && other != kernel || !seen.Add(node))
                return;
            foreach (var input in node.Inputs) Visit(input);
            order.Add(node);
        }
    }

    // Every user of the node is a member of the kernel, so nobody needs it in memory.
    bool IsUsedOnlyBy(Node node, HashSet<Node> members, List<Node> roots) =>
        users[node].TrueForAll(user => members.Contains(user) || roots.Contains(user));

    static (Extent Rows, Extent Columns)? Space(Kernel a, Kernel b)
    {
        if (a.Kind == KernelKind.Rows && b.Kind == KernelKind.Rows)
            return a.Rows == b.Rows && a.Columns == b.Columns ? (a.Rows, a.Columns) : null;
        if (a.Kind == KernelKind.Rows) return Fits(b, a) ? (a.Rows, a.Columns) : null;
        if (b.Kind == KernelKind.Rows) return Fits(a, b) ? (b.Rows, b.Columns) : null;
        if (a.Rows == b.Rows) return (a.Rows, 1);
        // A value per row that a map stretches over the row.
        if (a.Kind == KernelKind.Map && a.Rows != 1 && b.Rows.TryDivide(a.Rows, out var columns)
            && columns.Max is > 1 and <= LongestRow) return (a.Rows, columns);
        return null;

        static bool Fits(Kernel map, Kernel rows) => map.Rows == rows.Rows || map.Rows == rows.Rows * rows.Columns;
    }

    // True when some third kernel needs the producer and is needed by the consumer: joining the two would make a cycle.
    bool ReachesAround(Kernel producer, Kernel consumer)
    {
        var seen = new HashSet<Kernel> { consumer };
        var stack = new Stack<Kernel>(Producers(consumer).Where(kernel => kernel != producer));
        while (stack.TryPop(out var kernel))
        {
            if (kernel == producer) return true;
            if (!seen.Add(kernel)) continue;
            foreach (var needed in Producers(kernel)) stack.Push(needed);
        }
        return false;
    }

    readonly Dictionary<Kernel, List<Kernel>> producers = [];

    // The kernels whose roots this kernel reads.
    List<Kernel> Producers(Kernel kernel)
    {
        if (producers.TryGetValue(kernel, out var known) && known.TrueForAll(kernels.Contains)) return known;
        var found = Reads(kernel, owner).Select(node => owner.GetValueOrDefault(node)).OfType<Kernel>().Distinct().ToList();
        return producers[kernel] = found;
    }

    /// <summary>The stored nodes that a kernel reads: parameters, buffers and roots of other kernels.</summary>
    public static List<Node> Reads(Kernel kernel, Dictionary<Node, Kernel> owner)
    {
        var reads = new List<Node>();
        var seen = new HashSet<Node>(kernel.Roots);
        var stack = new Stack<Node>(Enumerable.Reverse(kernel.Roots));
        while (stack.TryPop(out var node))
        {
            foreach (var input in node.Inputs.Reverse())
            {
                if (!seen.Add(input)) continue;
                if (IsStored(input) || owner.TryGetValue(input, out var other) && other != kernel) reads.Add(input);
                else stack.Push(input);
            }
        }
        return reads;
    }

    List<Kernel> Ordered()
    {
        var order = new List<Kernel>();
        var seen = new HashSet<Kernel>();
        foreach (var kernel in kernels.ToList()) Visit(kernel);
        return order;

        void Visit(Kernel start)
        {
            if (!seen.Add(start)) return;
            var stack = new Stack<(Kernel Kernel, int Next)>([(start, 0)]);
            while (stack.TryPop(out var top))
            {
                var needed = Producers(top.Kernel);
                if (top.Next == needed.Count) { order.Add(top.Kernel); continue; }
                stack.Push((top.Kernel, top.Next + 1));
                if (seen.Add(needed[top.Next])) stack.Push((needed[top.Next], 0));
            }
        }
    }
}
