using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Ashlar.Graph;

namespace Ashlar.Tiles;

/// <summary>Writes tile programs. One object writes one text.</summary>
/// <remarks>
/// Nodes that a statement uses more than once are named by <c>let</c>, and so is what is nested deeper than a reader can follow:
/// shared graphs do not explode, and no recursion goes deep.
/// </remarks>
/// <param name="prefix">Goes before canonical names, to keep them apart from symbols; null writes given names.</param>
sealed class TextPrinter(string? prefix)
{
    const int deepest = 16;

    readonly StringBuilder text = new();
    readonly Dictionary<object, string> names = new(ReferenceEqualityComparer.Instance);   // of memories and variables in scope
    // Met while writing, by name and bounds.
    readonly SortedDictionary<string, Symbol> symbols = new(StringComparer.Ordinal);
    readonly Dictionary<Node, string> lets = [];                                           // of the statement at hand
    readonly Dictionary<Node, (int Uses, int Depth)> uses = [];
    readonly List<Node> order = [];
    int tiles, depth, level, letCount;

    /// <summary>True when a symbol of the text has a name that was given to something else.</summary>
    public bool Collides => symbols.Values.Any(symbol => symbol.Name.StartsWith(prefix ?? "", StringComparison.Ordinal)
        && symbol.Name[(prefix ?? "").Length..] is ['b' or 't' or 'i' or 'v', _, ..] name
        && !name.AsSpan(1).ContainsAnyExceptInRange('0', '9'));

    public string Program(TileProgram program, string name)
    {
        for (int i = 0; i < program.Buffers.Count; i++)
        {
            var buffer = program.Buffers[i];
            names[buffer] = prefix is not null ? $"{prefix}b{i}" : buffer.Name;
            text.Append(i == 0 ? "" : ", ").Append(names[buffer]).Append(buffer.Written ? ": out " : ": ");
            Type(buffer);
        }
        text.Append(") {");
        level = 1;
        Body(program.Body);
        text.Append("\n}\n");

        var head = new StringBuilder();
        foreach (var symbol in symbols.Values)
            head.Append(CultureInfo.InvariantCulture,
                $"symbol {symbol.Name}: {symbol.Min}..{symbol.Max} step {symbol.MultipleOf}\n");
        head.Append("kernel ").Append(name).Append('(');
        return text.Insert(0, head.ToString()).ToString();
    }

    public string Line(Statement statement)
    {
        // of a loop and a branch only the head
        Statement(statement switch
        {
            For loop => loop with { Body = [] },
            If branch => branch with { Body = [] },
            _ => statement,
        });
        return OneLine();
    }

    public string Line(Node expression)
    {
        Share(expression);
        text.Append(' ');
        Expression(expression);
        return OneLine();
    }

    string OneLine()
    {
        string line = string.Join(' ', text.ToString().Split((char[])['\n', ' '], StringSplitOptions.RemoveEmptyEntries));
        return line.Length <= 200 ? line : line[..200] + " ...";
    }

    void Body(ValueList<Statement> body)
    {
        foreach (var statement in body) Statement(statement);
    }

    void Statement(Statement statement)
    {
        switch (statement)
        {
            case For loop:
                Share(loop.Count);
                NewLine().Append(loop.Kind switch
                {
                    LoopKind.Parallel => "parallel",
                    LoopKind.Pipelined => "pipelined",
                    _ => "serial",
                });
                if (loop.Stages != 1) text.Append(CultureInfo.InvariantCulture, $"({loop.Stages})");
                text.Append(' ');
                int outer = depth;
                Axis(new(loop.Variable, loop.Count));
                Block(loop.Body);
                depth = outer;
                break;
            case If branch:
                Share(branch.Condition);
                NewLine().Append("if ");
                Expression(branch.Condition);
                Block(branch.Body);
                break;
            case Allocate { Tile: var tile }:
                names[tile] = prefix is not null ? $"{prefix}t{tiles++}" : tile.Name;
                NewLine().Append("tile ").Append(names[tile]).Append(": ");
                Type(tile);
                if (tile.Space == TileSpace.Register) text.Append(" register");
                break;
            case Store store:
                int points = Each(store.Domain.Span, "", []);
                Share([.. store.Indices, store.Value, .. store.Guard is null ? [] : new[] { store.Guard }]);
                NewLine().Append(store.Streaming ? "stream " : "").Append(store.IsAtomic ? "atomic " : "");
                Element(store.Target, store.Indices);
                text.Append(store.Mode switch
                {
                    StoreMode.Add => " += ",
                    StoreMode.Max => " max= ",
                    _ => " = ",
                });
                Expression(store.Value);
                if (store.Guard is not null)
                {
                    text.Append(" where ");
                    Expression(store.Guard);
                }
                Close(points);
                break;
            case Reduce reduce:
                AlongAxes(reduce.Domain, " over", reduce.Over.Span, reduce.Target, reduce.Indices, reduce.Value,
                    (reduce.Accumulate ? "accumulate " : "") + Meanings.Of(reduce.Op).Name);
                break;
            case Scan scan:
                AlongAxes(scan.Domain, " along", [scan.Along], scan.Target, scan.Indices, scan.Value,
                    (scan.Reverse ? "reverse " : "") + Meanings.Of(scan.Op).Name);
                break;
            case Sort sort:
                AlongAxes(sort.Domain, " along", [sort.Along], sort.Target, sort.Indices, sort.Value,
                    (sort.Descending ? "descending " : "") + "arg_sort");
                break;
            case Whole whole:
                NewLine().Append("whole ").Append(Name(whole.Target)).Append(" = ")
                    .Append(Meanings.Of(whole.Op).Name).Append('(');
                text.AppendJoin(", ", whole.Inputs.Select(Name)).Append(") ");
                text.Append(CultureInfo.InvariantCulture,
                    $"\"{whole.Weight.Encoding.Name} {whole.Weight.Rows} {whole.Weight.Columns} {whole.Weight.Count}{(whole.Weight.Gate is { } gate ? $" {gate.Name}" : "")}\"");
                break;
            case Dot dot:
                int before = Each([dot.Row, dot.Column], " dot", [dot.Inner]);
                Share([dot.Left, dot.Right]);
                NewLine().Append(Name(dot.Target)).Append(" += dot(");
                Expression(dot.Left);
                text.Append(", ");
                Expression(dot.Right);
                text.Append(')');
                Close(before);
                break;
            default:
                throw new KernelException("ASH0528", $"'{statement.GetType().Name}' is not a statement that tile programs know.",
                    "build programs from the statements of Ashlar.Tiles.");
        }
    }

    void AlongAxes(ValueList<DomainAxis> domain, string word, ReadOnlySpan<DomainAxis> axes, Memory target,
        ValueList<Node> indices, Node value, string function)
    {
        int outer = Each(domain.Span, word, axes);
        Share([.. indices, value]);
        NewLine();
        Element(target, indices);
        text.Append(" = ").Append(function).Append('(');
        Expression(value);
        text.Append(')');
        Close(outer);
    }

    // Opens the block of a statement's points; returns the depth to close it with.
    int Each(ReadOnlySpan<DomainAxis> domain, string word, ReadOnlySpan<DomainAxis> more)
    {
        int outer = depth;
        NewLine().Append("each");
        Axes(domain);
        if (word.Length > 0)
        {
            text.Append(word);
            Axes(more);
        }
        text.Append(" {");
        level++;
        return outer;
    }

    void Close(int outer)
    {
        level--;
        NewLine().Append('}');
        depth = outer;
        lets.Clear();
    }

    void Block(ValueList<Statement> body)
    {
        lets.Clear();
        text.Append(" {");
        level++;
        Body(body);
        level--;
        NewLine().Append('}');
    }

    void Axes(ReadOnlySpan<DomainAxis> axes)
    {
        for (int i = 0; i < axes.Length; i++)
        {
            text.Append(i == 0 ? " " : ", ");
            lets.Clear();   // an axis has no line of its own for lets
            Axis(axes[i]);
        }
    }

    // i0 < extent, and "of" the variable's own limit where that is another
    void Axis(DomainAxis axis)
    {
        var (variable, extent) = axis;
        string name = prefix is not null ? $"{prefix}i{depth}" : variable.Name;
        text.Append(name).Append(" < ");
        Expression(extent);
        if (!IsSize(extent, variable.Count))
        {
            text.Append(" of ");
            Extent(variable.Count);
        }
        names[variable] = name;
        depth++;
    }

    static bool IsSize(Node node, Extent extent) => node.Attributes switch
    {
        ConstantAttributes { DType: DType.Int64 } constant => extent.TryGetValue(out long number) && number == constant.Integer,
        SizeAttributes size => size.Extent == extent,
        _ => false,
    };

    void Type(Memory memory)
    {
        text.Append(memory.DType.Name).Append('[');
        for (int axis = 0; axis < memory.Shape.Rank; axis++)
        {
            if (axis > 0) text.Append(", ");
            Extent(memory.Shape[axis]);
        }
        text.Append(']');
    }

    void Extent(Extent extent)
    {
        if (extent.TryGetValue(out long number))
        {
            text.Append(number);
            return;
        }
        foreach (var symbol in extent.Symbols)
        {
            // The verifier forbids it; the text shows it.
            if (!symbols.TryAdd(symbol.Name, symbol) && symbols[symbol.Name] != symbol)
                symbols[$"{symbol.Name} {symbol.Min} {symbol.Max} {symbol.MultipleOf}"] = symbol;
        }
        text.Append(extent);
    }

    void Element(Memory memory, IReadOnlyList<Node> indices)
    {
        text.Append(Name(memory)).Append('[');
        Arguments(indices, indices.Count);
        text.Append(']');
    }

    void Arguments(IReadOnlyList<Node> arguments, int count)
    {
        for (int i = 0; i < count; i++)
        {
            if (i > 0) text.Append(", ");
            Expression(arguments[i]);
        }
    }

    // Names what these expressions share, on lines of their own.
    void Share(params ReadOnlySpan<Node> roots)
    {
        lets.Clear();
        uses.Clear();
        order.Clear();
        letCount = 0;
        foreach (var root in roots) Count(root);
        foreach (var node in order)
        {
            int deep = 0;
            foreach (var input in node.Inputs) deep = Math.Max(deep, uses[input].Depth);
            ref var use = ref CollectionsMarshal.GetValueRefOrNullRef(uses, node);
            use.Depth = deep + 1;
            if (node.Inputs.Count == 0 || use.Uses < 2 && deep < deepest) continue;
            string name = $"{prefix}v{letCount++}";
            NewLine().Append("let ").Append(name).Append(" = ");
            Expression(node);
            lets[node] = name;
            use.Depth = 1;
        }
    }

    void Count(Node root)
    {
        if (!Enter(root)) return;
        var stack = new Stack<(Node Node, int Next)>();
        stack.Push((root, 0));
        while (stack.TryPop(out var top))
        {
            if (top.Next == top.Node.Inputs.Count)
            {
                order.Add(top.Node);
                continue;
            }
            stack.Push((top.Node, top.Next + 1));
            if (Enter(top.Node.Inputs[top.Next])) stack.Push((top.Node.Inputs[top.Next], 0));
        }

        bool Enter(Node node)
        {
            ref var use = ref CollectionsMarshal.GetValueRefOrAddDefault(uses, node, out bool known);
            use.Uses++;
            return !known;
        }
    }

    void Expression(Node node, int strength = 0)
    {
        if (lets.Count > 0 && lets.TryGetValue(node, out string? name))
        {
            text.Append(name);
            return;
        }
        switch (node.Op)
        {
            case Op.Constant:
                Constant(node.Get<ConstantAttributes>());
                return;
            case Op.Size:
                var extent = node.Get<SizeAttributes>().Extent;
                bool bare = TextParser.IsName(extent.ToString());
                if (!bare) text.Append('{');
                Extent(extent);
                if (!bare) text.Append('}');
                return;
            case Op.Index:
                text.Append(Name(node.Get<IndexAttributes>().Variable));
                return;
            case Op.Load:
                int rank = node.Get<LoadAttributes>().Rank;
                text.Append(Name(node.Get<LoadAttributes>().Source)).Append('[');
                Arguments(node.Inputs, rank);
                if (node.Inputs.Count > rank)
                {
                    text.Append(rank == 0 ? "where " : " where ");
                    Expression(node.Inputs[rank]);
                }
                text.Append(']');
                return;
            case Op.Bound:
                text.Append("bound(");
                Arguments(node.Inputs, 2);
                text.Append(", ");
                Quote(node.Get<BoundAttributes>().Site);
                text.Append(')');
                return;
            case Op.Cast:
            case Op.BitCast:
                if (node.Op == Op.BitCast) text.Append("bits_");
                text.Append(node.DType.Name).Append('(');
                Expression(node.Inputs[0]);
                text.Append(')');
                return;
        }
        if (TextWords.Signs[(int)node.Op] is not { } sign)
        {
            text.Append(node.Meaning.Name).Append('(');
            Arguments(node.Inputs, node.Inputs.Count);
            text.Append(')');
            return;
        }
        int own = TextWords.Strength(node.Op);
        if (own < strength) text.Append('(');
        if (node.Inputs.Count == 1)
        {
            text.Append(sign);
            // "-2" is a number, "-(2)" its negation
            bool number = node.Inputs[0].Op == Op.Constant;
            if (number) text.Append('(');
            Expression(node.Inputs[0], own);
            if (number) text.Append(')');
        }
        else
        {
            bool compares = own == TextWords.Strength(Op.Less);   // a < b < c would not say what it means
            Expression(node.Inputs[0], compares ? own + 1 : own);
            text.Append(' ').Append(sign).Append(' ');
            Expression(node.Inputs[1], own + 1);
        }
        if (own < strength) text.Append(')');
    }

    // Whole numbers are i64, those with a point f32; others say their type.
    void Constant(ConstantAttributes constant)
    {
        if (constant.DType == DType.Bool)
        {
            text.Append(constant.Bits != 0 ? "true" : "false");
            return;
        }
        if (!constant.DType.IsFloat) text.Append(constant.Bits);
        else
        {
            double value = constant.Value;
            if (double.IsNaN(value))
                text.Append(BitConverter.DoubleToInt64Bits(double.NaN) == constant.Bits ? "nan" : $"nan{constant.Bits:x16}");
            else if (double.IsInfinity(value)) text.Append(value < 0 ? "-inf" : "inf");
            else
            {
                // the shortest digits that give the value back; 16-bit floats are exact in float32
                string digits = constant.DType == DType.Float64
                    ? value.ToString("R", CultureInfo.InvariantCulture)
                    : ((float)value).ToString("R", CultureInfo.InvariantCulture);
                text.Append(digits);
                if (digits.AsSpan().IndexOfAny('.', 'E') < 0) text.Append(".0");
            }
        }
        if (constant.DType is not (DType.Int64 or DType.Float32)) text.Append('_').Append(constant.DType.Name);
    }

    void Quote(string site) =>
        text.Append('"')
            .Append(site.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)
            .Replace("\n", "\\n", StringComparison.Ordinal)).Append('"');

    // What is not in scope only occurs in messages about programs that are not well formed.
    string Name(object part) => names.TryGetValue(part, out string? name) ? name : (part as Memory)?.Name ?? part.ToString()!;

    StringBuilder NewLine() => text.Append('\n').Append(' ', 2 * level);
}
