namespace Ashlar.Graph;

/// <summary>The table that makes equal nodes one object. Thread-safe; forgets nodes nobody holds.</summary>
static class NodeTable
{
    // The only static mutable state of the graph level: lazy tensors have no graph object that could own it.
    static readonly Lock gate = new();
    static Dictionary<int, List<WeakReference<Node>>> buckets = [];
    static int added;

    public static Node Intern(Op op, ReadOnlySpan<Node> inputs, Attributes? attributes)
    {
        var hashing = new HashCode();
        hashing.Add(op);
        foreach (var input in inputs) hashing.Add(input.GetHashCode());
        hashing.Add(attributes);
        int hash = hashing.ToHashCode();

        lock (gate)
        {
            if (Find(hash, op, inputs, attributes) is { } known) return known;
        }

        var array = inputs.ToArray();
        var (dtype, shape) = Meanings.Of(op).Infer(array, attributes);   // outside the lock: it may throw, or build nodes
        var made = new Node(op, array, attributes, dtype, shape, hash);

        lock (gate)
        {
            if (Find(hash, op, inputs, attributes) is { } raced) return raced;
            if (!buckets.TryGetValue(hash, out var bucket)) buckets[hash] = bucket = new(1);
            bucket.Add(new(made));
            if (++added >= 50_000) Sweep();
            return made;
        }
    }

    static Node? Find(int hash, Op op, ReadOnlySpan<Node> inputs, Attributes? attributes)
    {
        if (!buckets.TryGetValue(hash, out var bucket)) return null;
        foreach (var reference in bucket)
            if (reference.TryGetTarget(out var node) && node.Op == op && Equals(node.Attributes, attributes)
                && SameInputs(node, inputs))
                return node;
        return null;
    }

    static bool SameInputs(Node node, ReadOnlySpan<Node> inputs)
    {
        if (node.Inputs.Count != inputs.Length) return false;
        for (int i = 0; i < inputs.Length; i++)
            if (!ReferenceEquals(node.Inputs[i], inputs[i])) return false;
        return true;
    }

    static void Sweep()
    {
        var alive = new Dictionary<int, List<WeakReference<Node>>>();
        foreach (var (hash, bucket) in buckets)
        {
            bucket.RemoveAll(reference => !reference.TryGetTarget(out _));
            if (bucket.Count > 0) alive[hash] = bucket;
        }
        buckets = alive;
        added = 0;
    }
}
