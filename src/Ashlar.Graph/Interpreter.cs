namespace Ashlar.Graph;

/// <summary>Runs graphs in double precision, one node at a time: slow, obvious, and what everything else is compared
/// with.</summary>
/// <remarks>
/// Floats of every type are kept as doubles and rounded by Cast and in constants alone, so results differ from a kernel's by
/// the kernel's rounding. Integers wrap as their type does; they are exact up to 2^53.
/// </remarks>
public static class Interpreter
{
    /// <summary>The results of a function.</summary>
    /// <param name="function">What to compute.</param>
    /// <param name="arguments">One array per parameter.</param>
    /// <param name="symbols">The value of each symbol; null reads them off the arguments' extents.</param>
    /// <exception cref="ShapeException">An argument does not fit its parameter.</exception>
    /// <exception cref="KernelException">An index of a gather or scatter was out of range.</exception>
    public static Value[] Run(Function function, IReadOnlyList<Value> arguments, Func<Symbol, long>? symbols = null)
    {
        if (arguments.Count != function.Parameters.Count)
            throw new GraphException("ASH0305",
                $"the function takes {function.Parameters.Count} arguments, but got {arguments.Count}.",
                "pass one array per parameter.");
        symbols ??= Bind(function.Parameters, arguments);
        var number = function.Symbols.Count == 0 ? function : function.Substitute(symbol => symbols(symbol));
        for (int i = 0; i < arguments.Count; i++)
            if (!number.Parameters[i].Shape.Values.SequenceEqual(arguments[i].Extents))
                throw new ShapeException("ASH0130",
                    $"argument {i} has the extents [{string.Join(", ", arguments[i].Extents)}], but its parameter is "
                    + $"{function.Parameters[i].DType.Name}{function.Parameters[i].Shape}.",
                        "pass an array of the parameter's shape.");
        var known = new Dictionary<Node, Value>();
        for (int i = 0; i < arguments.Count; i++) known[number.Parameters[i]] = arguments[i];
        return Evaluate(number.Results, known);
    }

    /// <summary>The values of nodes.</summary>
    /// <param name="nodes">What to compute.</param>
    /// <param name="leaf">The value of each parameter and buffer node.</param>
    /// <param name="symbols">The value of each symbol; null where there are none.</param>
    public static Value[] Run(IReadOnlyList<Node> nodes, Func<Node, Value> leaf, Func<Symbol, long>? symbols = null)
    {
        var leaves = Traversal.PostOrder(nodes).Where(node => node.Op is Op.Parameter or Op.Buffer).ToArray();
        Node[] numbers = symbols is null ? [.. nodes, .. leaves]
            : Substitution.Of([.. nodes, .. leaves], symbol => symbols(symbol));
        var known = new Dictionary<Node, Value>();
        for (int i = 0; i < leaves.Length; i++) known[numbers[nodes.Count + i]] = leaf(leaves[i]);
        return Evaluate(numbers[..nodes.Count], known);
    }

    /// <summary>The value of a node that needs no parameter and no buffer.</summary>
    public static Value Run(Node node) => Run([node], leaf => throw Foreign(leaf))[0];

    // Values are dropped after their last use: a training step has more intermediates than a test machine has memory.
    static Value[] Evaluate(IReadOnlyList<Node> roots, Dictionary<Node, Value> known)
    {
        var order = Needed(roots, known);
        var uses = new Dictionary<Node, int>();
        foreach (var node in order)
            if (!known.ContainsKey(node))
                foreach (var input in node.Inputs) uses[input] = uses.GetValueOrDefault(input) + 1;
        foreach (var root in roots) uses[root] = uses.GetValueOrDefault(root) + 1;

        var values = new Dictionary<Node, Value>(known);
        foreach (var node in order)
        {
            if (known.ContainsKey(node)) continue;
            Value[] inputs = [.. node.Inputs.Select(input => values[input])];
            values[node] = Evaluate(node, inputs);
            foreach (var input in node.Inputs)
                if (--uses[input] == 0) values.Remove(input);
        }
        return [.. roots.Select(root => values[root])];
    }

    // Inputs before users, not looking behind nodes whose value is known.
    static List<Node> Needed(IReadOnlyList<Node> roots, Dictionary<Node, Value> known)
    {
        var order = new List<Node>();
        var seen = new HashSet<Node>();
        var stack = new Stack<(Node Node, bool Done)>(roots.Reverse().Select(root => (root, false)));
        while (stack.TryPop(out var top))
        {
            if (top.Done) order.Add(top.Node);
            else if (seen.Add(top.Node))
            {
                stack.Push((top.Node, true));
                if (known.ContainsKey(top.Node)) continue;
                foreach (var input in top.Node.Inputs) stack.Push((input, false));
            }
        }
        return order;
    }

    static Value Evaluate(Node node, Value[] inputs)
    {
        var meaning = node.Meaning;
        if (meaning.Element is not null) return Elementwise(node, inputs);
        if (meaning.Evaluate is { } evaluate) return Wrap(evaluate(node, inputs), node.DType);
        if (meaning.Decompose is not { } decompose) throw Foreign(node);
        var known = new Dictionary<Node, Value>();
        for (int i = 0; i < inputs.Length; i++) known[node.Inputs[i]] = inputs[i];
        return Evaluate([decompose(node)], known)[0];
    }

    static Value Elementwise(Node node, Value[] inputs)
    {
        var result = Value.Zeros(inputs[0].Extents);
        var (element, integer) = (node.Meaning.Element!, node.Meaning.Integer);
        bool exact = integer is not null && !node.Inputs[0].DType.IsFloat;
        var x = new double[inputs.Length];
        var whole = new long[inputs.Length];
        for (long i = 0; i < result.Data.LongLength; i++)
        {
            for (int k = 0; k < x.Length; k++)
            {
                x[k] = inputs[k].Data[i];
                if (exact) whole[k] = (long)x[k];
            }
            result.Data[i] = exact ? Wrap(integer!(whole), node.DType) : element(x);
        }
        return exact ? result : Wrap(result, node.DType);
    }

    static Value Wrap(Value value, DType dtype)
    {
        if (dtype.IsFloat) return value;
        for (long i = 0; i < value.Data.LongLength; i++) value.Data[i] = Wrap((long)value.Data[i], dtype);
        return value;
    }

    // Logic on bools is bitwise on 0 and 1, so the lowest bit is the answer: not 1 is 0.
    static long Wrap(long value, DType dtype) => dtype == DType.Bool ? value & 1 : Conversion.Wrap(value, dtype);

    static Func<Symbol, long> Bind(IReadOnlyList<Node> parameters, IReadOnlyList<Value> arguments)
    {
        var values = new Dictionary<Symbol, long>();
        for (int i = 0; i < parameters.Count; i++)
            for (int axis = 0; axis < Math.Min(parameters[i].Shape.Rank, arguments[i].Extents.Length); axis++)
                foreach (var symbol in parameters[i].Shape[axis].Symbols
                    .Where(symbol => Extent.Of(symbol) == parameters[i].Shape[axis]))
                    values.TryAdd(symbol, arguments[i].Extents[axis]);
        return symbol => values.TryGetValue(symbol, out long value) ? value : throw new GraphException("ASH0306",
            $"no parameter has the symbol '{symbol}' alone as an extent, so its value is not known.",
                "pass the values of the symbols.");
    }

    static GraphException Foreign(Node node) => new("ASH0307", $"the interpreter met {node}, whose value it was not given.",
        "make it a parameter of the function, or give the interpreter the values of leaves.");
}
