using System.Collections;
using System.Diagnostics;
using Ashlar.Graph;

namespace Ashlar.Compiler.Passes;

/// <summary>A law: from a node to an equal one that is simpler or in normal form, or null where it does not apply.</summary>
/// <param name="Law">The law as a formula or a sentence; what traces and tests call it.</param>
/// <param name="Apply">Looks at the node and a few levels of inputs, by C# patterns.</param>
sealed record Rule(string Law, Func<Node, Node?> Apply);

/// <summary>Laws applied together until none applies. Each makes the graph smaller or brings it nearer to one form, so this
/// ends.</summary>
sealed class RuleSet(string name) : IEnumerable<Rule>
{
    // Far more rounds than any graph needs: each round settles at least one level of every pattern.
    const int MostRounds = 200;

    readonly List<Rule> rules = [];

    public string Name => name;

    public void Add(string law, Func<Node, Node?> apply) => rules.Add(new(law, apply));

    public void Add(RuleSet others) => rules.AddRange(others);

    public IEnumerator<Rule> GetEnumerator() => rules.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>The function after all laws, inputs before users, until nothing changes.</summary>
    public Function Rewrite(Function function)
    {
        var settled = new HashSet<Node>();   // nodes to which no law applies; immutable, so this stays true
        for (int round = 0; round < MostRounds; round++)
        {
            var results = Traversal.Rewrite(function.Results, node => settled.Contains(node) ? null : Step(node, settled));
            bool same = results.AsSpan().SequenceEqual(function.Results.Span);
            function = function with { Results = results.ToValueList() };
            if (same) return function;
        }
        throw Circle(function.Results[0]);
    }

    Node? Step(Node node, HashSet<Node> settled)
    {
        var start = node;
        // A few laws in a row at one node: the next round sees the rest.
        for (int count = 0; count < 8; count++)
        {
            if (First(node) is not { } next) break;
            Debug.Assert(next.DType == node.DType && next.Shape == node.Shape, $"a law turned {node} into {next}");
            node = next;
            if (ReferenceEquals(node, start)) throw Circle(node);
        }
        if (ReferenceEquals(node, start)) settled.Add(node);
        return node;
    }

    GraphException Circle(Node node) =>
        new("ASH0340", $"the rules '{name}' do not come to an end at {node}: two laws undo each other.",
            "report this with the text of the graph.");

    Node? First(Node node)
    {
        foreach (var rule in rules)
            if (rule.Apply(node) is { } next && !ReferenceEquals(next, node)) return next;
        return null;
    }
}
