using Ashlar.Graph;

namespace Ashlar.Runtime;

/// <summary>Learns the values of a function's symbols from the shapes of its arguments, and checks every extent on the
/// way.</summary>
/// <remarks>All in 64 bits and without allocation. Not thread-safe: whoever binds holds the program.</remarks>
public sealed class SymbolBinding
{
    readonly Symbol[] symbols;
    readonly ValueList<Node> parameters;
    readonly long[] values;
    readonly bool[] known;
    readonly int[][] bare;   // of each parameter's axes: the symbol that its extent is, or -1
    readonly Func<Symbol, long> lookup;

    /// <summary>Binds <paramref name="symbols"/> from the parameters' shapes.</summary>
    /// <exception cref="GraphException">A symbol is the whole extent of no parameter's axis, so nothing could tell its
    /// value.</exception>
    public SymbolBinding(ValueList<Node> parameters, IEnumerable<Symbol> symbols)
    {
        this.parameters = parameters;
        this.symbols = [.. symbols];
        values = new long[this.symbols.Length];
        known = new bool[values.Length];
        lookup = symbol => values[Array.IndexOf(this.symbols, symbol)];
        bare = [.. parameters.Select(parameter =>
            parameter.Shape.Select(extent => Array.FindIndex(this.symbols, symbol => extent == symbol)).ToArray())];
        foreach (var (i, symbol) in this.symbols.Index())
            if (!bare.Any(axes => axes.Contains(i)))
                throw new GraphException("ASH0320",
                    $"the symbol '{symbol}' is the extent of no argument's axis, so its value cannot be known.",
                    "pass a tensor that has the symbol itself, not a sum or product of it, as the extent of an axis.");
    }

    /// <summary>The values, in the order of the symbols; valid after <see cref="Bind"/>.</summary>
    public ReadOnlySpan<long> Values => values;

    /// <summary>Takes the values from the actual shapes.</summary>
    /// <param name="shapes">The shape of each argument; constant.</param>
    /// <exception cref="ShapeException">A value breaks its symbol's bounds, two arguments disagree, or a fixed extent
    /// differs.</exception>
    public void Bind(ReadOnlySpan<Shape> shapes)
    {
        Array.Clear(known);
        for (int i = 0; i < shapes.Length; i++)
        {
            var (declared, actual) = (parameters[i].Shape, shapes[i]);
            if (ReferenceEquals(declared, actual)) continue;
            if (declared.Rank != actual.Rank)
                throw Differs(i, declared, actual, $"it has {actual.Rank} axes instead of {declared.Rank}");
            for (int axis = 0; axis < declared.Rank; axis++)
            {
                int s = bare[i][axis];
                if (s < 0) continue;
                long value = actual[axis].Value;
                if (known[s] && values[s] != value)
                    throw Differs(i, declared, actual, $"axis {axis} is {value} long, but '{symbols[s]}' is {values[s]} before");
                symbols[s].Check(value);
                (known[s], values[s]) = (true, value);
            }
        }
        for (int i = 0; i < shapes.Length; i++)
        {
            var (declared, actual) = (parameters[i].Shape, shapes[i]);
            if (ReferenceEquals(declared, actual)) continue;
            for (int axis = 0; axis < declared.Rank; axis++)
            {
                long expected = declared[axis].Evaluate(lookup), found = actual[axis].Value;
                if (expected != found) throw Differs(i, declared, actual, $"axis {axis} is {found} long instead of {expected}");
            }
        }
    }

    /// <summary>The number that an extent is for the values bound last.</summary>
    public long Evaluate(Extent extent) => extent.TryGetValue(out long value) ? value : extent.Evaluate(lookup);

    /// <summary>The numbers that a shape is for the values bound last; the shape itself where it has no symbol.</summary>
    public Shape Evaluate(Shape shape) => shape.IsConstant ? shape : Shape.Of(shape.Select(extent => (Extent)Evaluate(extent)));

    static ShapeException Differs(int index, Shape declared, Shape actual, string how) => new("ASH0141",
        $"argument {index} was given the shape {actual} where {declared} is declared: {how}.",
        "pass tensors whose axes agree, or declare another symbol for that axis.");
}
