namespace Ashlar.Graph;

/// <summary>Checks that a function is what every pass may rely on.</summary>
public static class Verifier
{
    /// <summary>Throws unless the function is well formed; nested functions are checked too.</summary>
    /// <param name="function">What to check.</param>
    /// <param name="closed">True where no node may read a buffer: all data comes through parameters.</param>
    /// <param name="bound">True where each symbol must stand alone as an extent of some parameter, so that a run can learn
    /// it.</param>
    /// <exception cref="GraphException">It is not; the message names the node.</exception>
    public static void Check(Function function, bool closed = false, bool bound = false)
    {
        var parameters = new HashSet<Node>();
        for (int i = 0; i < function.Parameters.Count; i++)
        {
            var parameter = function.Parameters[i];
            if (parameter.Op != Op.Parameter || parameter.Get<ParameterAttributes>().Index != i || !parameters.Add(parameter))
                throw new GraphException("ASH0330",
                    $"parameter {i} of the function is {parameter}, not a parameter node of index {i}.",
                    "make parameter i with Nodes.Parameter(i, ...).");
        }
        foreach (var node in function.Order()) CheckNode(node, parameters, closed);
        var symbols = Symbols(function);
        if (!bound) return;
        var known = function.Parameters.SelectMany(parameter => parameter.Shape).ToHashSet();
        foreach (var symbol in symbols)
            if (!known.Contains(Extent.Of(symbol)))
                throw new GraphException("ASH0335",
                    $"the symbol '{symbol}' is the extent of no parameter, so a run cannot learn its value.",
                    "give a parameter an axis of that extent.");
    }

    /// <summary>Every symbol of a function, by name.</summary>
    /// <exception cref="GraphException">Two symbols of one name have different bounds.</exception>
    internal static IReadOnlyList<Symbol> Symbols(Function function)
    {
        var symbols = function.Symbols;
        for (int i = 1; i < symbols.Count; i++)
            if (symbols[i].Name == symbols[i - 1].Name)
                throw new GraphException("ASH0334",
                    $"two symbols are called '{symbols[i]}': {Bounds(symbols[i - 1])} and {Bounds(symbols[i])}.",
                    "declare a symbol once and use that one, or rename one.");
        return symbols;
    }

    static void CheckNode(Node node, HashSet<Node> parameters, bool closed)
    {
        switch (node.Op)
        {
            case Op.Parameter when !parameters.Contains(node):
                throw new GraphException("ASH0331",
                    $"the function reads {node} ({node.Attributes}), which is not one of its parameters.",
                    "add it to the parameters, or capture it as an argument.");
            case Op.Buffer when closed:
                throw new GraphException("ASH0333",
                    $"the function reads {node}, data of its own, where all data must come through parameters.",
                    "turn buffers into parameters before this pass.");
            case Op.Index or Op.Load or Op.Bound:
                throw new GraphException("ASH0336", $"the function holds {node}, which belongs to tile expressions.",
                    "keep loop variables and loads inside tile programs.");
        }
        NodeType expected;
        try
        {
            expected = node.Meaning.Infer([.. node.Inputs], node.Attributes);
        }
        catch (AshlarException error)
        {
            throw new GraphException("ASH0332", $"{node} over {Rules.Types(node.Inputs)} breaks its rule: {error.Message}",
                "build nodes with Node.Of.");
        }
        if (expected.DType != node.DType || expected.Shape != node.Shape)
            throw new GraphException("ASH0332",
                $"{node} over {Rules.Types(node.Inputs)} should be {expected.DType.Name}{expected.Shape}.",
                "build nodes with Node.Of.");
        if (!ReferenceEquals(Node.Of(node.Op, [.. node.Inputs], node.Attributes), node))
            throw new GraphException("ASH0337", $"{node} is a second object for a node that exists already.",
                "build nodes with Node.Of.");
        if (node.Attributes is CustomAttributes custom) CheckCustom(custom, closed);
    }

    static void CheckCustom(CustomAttributes custom, bool closed)
    {
        Check(custom.Forward, closed);
        if (custom.Backward is not { } backward) return;
        Check(backward, closed);
        var y = custom.Forward.Results[0];
        Match(custom.Name, "parameters", [y, y, .. custom.Forward.Parameters], backward.Parameters);
        Match(custom.Name, "results", custom.Forward.Parameters, backward.Results);
    }

    static void Match(string name, string what, IReadOnlyList<Node> expected, IReadOnlyList<Node> found)
    {
        bool same = expected.Count == found.Count
            && expected.Zip(found).All(pair => pair.First.DType == pair.Second.DType && pair.First.Shape == pair.Second.Shape);
        if (!same)
            throw new GraphException("ASH0338",
                $"the gradient of '{name}' should have the {what} {Rules.Types(expected)}, but has {Rules.Types(found)}.",
                "write it from (gradient of the result, result, inputs...) to one gradient per input.");
    }

    static string Bounds(Symbol symbol) => $"{symbol.Min}..{symbol.Max} multiple {symbol.MultipleOf}";
}
