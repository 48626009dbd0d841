using Ashlar.Graph;

namespace Ashlar.Compiler.Passes;

/// <summary>Writes composites and custom regions out as primitive ops.</summary>
static class Expansion
{
    /// <summary>The same function without composites.</summary>
    public static Function Expand(Function function)
    {
        while (true)
        {
            var results = Traversal.Rewrite(function.Results, node =>
                node.Attributes is CustomAttributes custom
                    ? custom.Forward.Inline(node.Inputs)[0]
                    : node.Meaning.Decompose?.Invoke(node));
            bool same = results.AsSpan().SequenceEqual(function.Results.Span);
            function = function with { Results = results.ToValueList() };
            if (same) return function;   // a decomposition may use composites itself
        }
    }
}
