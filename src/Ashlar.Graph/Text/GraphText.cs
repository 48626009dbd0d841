using System.Text;

namespace Ashlar.Graph;

/// <summary>The text form of functions. Its grammar is docs/graph-text.md.</summary>
/// <example><code>
/// symbol B: 1..64
/// function(%0 "x": f32[B, 128], %1 "w": f32[128, 10]) {
///   %2 = contract %0 %1 sum_left=[1] sum_right=[0] : f32[B, 10]
///   return %2
/// }
/// </code></example>
public static class GraphText
{
    /// <summary>The text of a function. Buffers are written as numbers, in the order of <see cref="Buffers"/>.</summary>
    public static string Print(Function function)
    {
        var text = new StringBuilder();
        foreach (var symbol in Verifier.Symbols(function))
        {
            text.Append("symbol ").Append(symbol.Name).Append(": ").Append(symbol.Min).Append("..").Append(symbol.Max);
            if (symbol.MultipleOf != 1) text.Append(" multiple ").Append(symbol.MultipleOf);
            text.Append('\n');
        }
        new Printer(text, Buffers(function)).Write(function, "");
        return text.Append('\n').ToString();
    }

    /// <summary>The identities of the buffers that a function reads, in the order of their numbers in the text.</summary>
    public static IReadOnlyList<object> Buffers(Function function) =>
        [.. Identities(function).Distinct(ReferenceEqualityComparer.Instance)!];

    /// <summary>The function that a text says: the same nodes that were printed.</summary>
    /// <param name="text">What <see cref="Print"/> wrote, or a person.</param>
    /// <param name="buffers">The identity of each numbered buffer; null makes new ones.</param>
    /// <param name="kernels">Reads the text of a kernel that is called; null where none is.</param>
    /// <exception cref="GraphException">The text is no function; the message has line, column and what was expected.</exception>
    public static Function Parse(string text, IReadOnlyList<object>? buffers = null, Func<string, GraphKernel>? kernels = null) =>
        new GraphParser(text, buffers, kernels).File();

    static IEnumerable<object> Identities(Function function) => function.Order().SelectMany(node => node.Attributes switch
    {
        BufferAttributes buffer => [buffer.Identity],
        CustomAttributes { Backward: { } backward } custom => Identities(custom.Forward).Concat(Identities(backward)),
        CustomAttributes custom => Identities(custom.Forward),
        _ => [],
    });

    sealed class Printer(StringBuilder text, IReadOnlyList<object> buffers)
    {
        public void Write(Function function, string indent)
        {
            var names = new Dictionary<Node, int>();
            text.Append("function(");
            for (int i = 0; i < function.Parameters.Count; i++)
            {
                var parameter = function.Parameters[i];
                names[parameter] = i;
                var attributes = parameter.Get<ParameterAttributes>();
                text.Append(i == 0 ? "%" : ", %").Append(i);
                if (attributes.Name is { } name) text.Append(' ').Append(AttributeText.Quote(name));
                if (attributes.Index != i) text.Append(" index=").Append(attributes.Index);
                text.Append(": ").Append(Type(parameter));
            }
            text.Append(") {\n");
            foreach (var node in function.Order())
            {
                if (!names.TryAdd(node, names.Count)) continue;
                text.Append(indent).Append("  %").Append(names[node]).Append(" = ").Append(node.Meaning.Name);
                foreach (var input in node.Inputs) text.Append(" %").Append(names[input]);
                foreach (var (key, value) in AttributeText.Fields(node, buffers)) text.Append(' ').Append(key).Append('=')
                    .Append(value);
                if (node.Attributes is CustomAttributes custom) WriteCustom(custom, indent + "  ");
                text.Append(" : ").Append(Type(node)).Append('\n');
            }
            text.Append(indent).Append("  return").Append(string.Concat(function.Results.Select(node => $" %{names[node]}")))
                .Append('\n');
            text.Append(indent).Append('}');
        }

        void WriteCustom(CustomAttributes custom, string indent)
        {
            text.Append(" forward=");
            Write(custom.Forward, indent);
            if (custom.Backward is null) return;
            text.Append(" backward=");
            Write(custom.Backward, indent);
        }

        static string Type(Node node) => node.DType.Name + node.Shape;
    }
}
