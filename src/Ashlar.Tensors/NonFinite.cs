namespace Ashlar;

/// <summary>Where a computation first left the finite numbers.</summary>
/// <param name="Op">What was computed there: <c>contract</c>, <c>exp</c>; null where the state itself is not finite.</param>
/// <param name="Type">Element type and shape of the result.</param>
/// <param name="State">The state that the value was computed from last, such as the weight of the layer; null: none.</param>
/// <param name="IsNaN">True for NaN, false for an infinity.</param>
public sealed record NonFinite(string? Op, string Type, string? State, bool IsNaN)
{
    static readonly Graph.Op[] moves = [Graph.Op.Cast, Graph.Op.Reshape, Graph.Op.Permute, Graph.Op.Broadcast, Graph.Op.Slice];

    const int Together = 16;   // nodes whose flags are computed as one program: few enough to compile fast

    /// <summary>Computes expressions node by node and finds the first result that is not finite though its inputs are.</summary>
    /// <param name="results">What to look into, first things first: a loss, then its gradients.</param>
    /// <param name="named">States that stand for places, such as the parameters of a model.</param>
    /// <returns>Null where all is finite.</returns>
    /// <remarks>
    /// Keeps every intermediate value, so it takes the memory of the whole computation. An infinity that was put in as a
    /// constant, as masks do, is not counted, only a NaN that comes of it.
    /// </remarks>
    public static NonFinite? Find(IReadOnlyList<Tensor> results, IEnumerable<State> named)
    {
        ArgumentNullException.ThrowIfNull(results);
        ArgumentNullException.ThrowIfNull(named);
        var names = new Dictionary<Node, string>();
        foreach (var state in named)
        {
            var value = state.Value;
            value.Memory();
            foreach (var identity in value.Identities) names.TryAdd(identity, state.Name);
        }
        bool IsGiven(Node node) => names.ContainsKey(node) || Leaf.Find(node) is not null;
        var order = Traversal.PostOrder(results.Select(result => result.Node), IsGiven);
        var (states, flags) = (new Dictionary<Node, string?>(), new Dictionary<Node, (bool NaN, bool Infinity)>());
        for (int i = 0; i < order.Count; i += Together)
        {
            var nodes = order.GetRange(i, Math.Min(Together, order.Count - i));
            Flag(nodes, flags);
            foreach (var node in nodes)
            {
                states[node] = names.TryGetValue(node, out string? name) ? name : Nearest(node, names, states);
                bool stops = names.ContainsKey(node) || Leaf.Find(node) is not null && node.Op == Graph.Op.Buffer;
                var inputs = stops ? [] : node.Inputs.Where(flags.ContainsKey).Select(input => flags[input]).ToArray();
                var (isNaN, isInfinite) = flags[node];
                bool isBorn = isNaN ? !inputs.Any(input => input.NaN)
                    : isInfinite && !inputs.Any(input => input.NaN || input.Infinity);
                if (isBorn && (name is not null || node.Op != Graph.Op.Constant))
                    return new(stops ? null : node.Meaning.Name, $"{node.DType.Name}{node.Shape}", states[node], isNaN);
            }
        }
        return null;
    }

    static void Flag(List<Node> nodes, Dictionary<Node, (bool, bool)> flags)
    {
        foreach (var node in nodes) flags[node] = (false, false);
        var floats = nodes.Where(node => node.DType.IsFloat).ToArray();
        Tensor[] values = [.. floats.Select(Tensor.FromNode)];
        Tensor[] found = [.. values.SelectMany(value => (Tensor[])[value.IsNaN().Any(), value.IsInfinity().Any()])];
        Reading.Realize([.. values, .. found]);   // the values too: later nodes are computed from them
        for (int i = 0; i < floats.Length; i++) flags[floats[i]] = (found[2 * i].Item<bool>(), found[2 * i + 1].Item<bool>());
    }

    // A state that the node reads itself, or the one that was read last on the way to it.
    static string? Nearest(Node node, Dictionary<Node, string> names, Dictionary<Node, string?> states)
    {
        foreach (var input in node.Inputs)
            if (Origin(input) is { } name) return name;
        string? last = null;
        long latest = -1;
        foreach (var input in node.Inputs)
            if (states.GetValueOrDefault(input) is { } name && input.Id > latest) (last, latest) = (name, input.Id);
        return last;

        // Through casts and views of the state.
        string? Origin(Node input)
        {
            while (!names.ContainsKey(input) && moves.Contains(input.Op)) input = input.Inputs[0];
            return names.GetValueOrDefault(input);
        }
    }
}
