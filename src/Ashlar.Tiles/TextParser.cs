using System.Globalization;
using Ashlar.Graph;

namespace Ashlar.Tiles;

/// <summary>Reads tile programs: recursive descent, one method per rule of the grammar in docs/tile-text.md.</summary>
sealed class TextParser(string text)
{
    const int deepest = 200;   // parentheses within parentheses

    static readonly Dictionary<string, Op> functions = Meanings.All
        .Where(row => row.Op is >= Op.Neg and <= Op.RandomBits and not (Op.Cast or Op.BitCast)
            && TextWords.Signs[(int)row.Op] is null)
        .ToDictionary(row => row.Name, row => row.Op);

    static readonly Dictionary<string, Op> reductions = Meanings.All
        .Where(row => row.Op is >= Op.ReduceSum and <= Op.ArgMin or >= Op.CumSum and <= Op.ArgSort)
        .ToDictionary(row => row.Name, row => row.Op);

    readonly List<Token> tokens = TextTokens.Read(text);
    readonly Dictionary<string, Symbol> symbols = [];
    Dictionary<string, object> scope = [];   // LoopVariable, Memory or (a let) Node
    int next, depth;

    Token Now => tokens[next];

    /// <summary>True for a letter or underscore followed by letters, digits and underscores.</summary>
    public static bool IsName(string text)
    {
        if (text.Length == 0 || char.IsAsciiDigit(text[0])) return false;
        foreach (char c in text)
            if (!char.IsAsciiLetterOrDigit(c) && c != '_') return false;
        return true;
    }

    public TileProgram Program()
    {
        while (Take("symbol")) Symbol();
        Expect("kernel");
        string name = Name();
        Expect("(");
        var buffers = new List<TileBuffer>();
        while (!Take(")"))
        {
            if (buffers.Count > 0) Expect(",");
            string own = Name();
            Expect(":");
            bool written = Take("out");
            var (dtype, shape) = Type();
            var buffer = new TileBuffer(own, dtype, shape, written);
            Declare(own, buffer);
            buffers.Add(buffer);
        }
        var body = Block();
        if (Now.Kind != TokenKind.End) throw Unexpected("the end of the text");
        return new(name, buffers.ToValueList(), body);
    }

    void Symbol()
    {
        string name = Name();
        if (TextWords.Reserved.Contains(name)) throw Unexpected("another name than the word for a value", next - 1);
        Expect(":");
        long min = Number();
        Expect("..");
        long max = Number();
        Expect("step");
        symbols[name] = new(name, min, max, Number());
    }

    ValueList<Statement> Block()
    {
        var outer = scope;
        scope = new(outer);
        Expect("{");
        var body = new List<Statement>();
        while (!Take("}")) body.Add(Statement());
        scope = outer;
        return body.ToValueList();
    }

    Statement Statement()
    {
        Lets();
        if (Take("tile")) return Tile();
        if (Take("each")) return Each();
        if (Take("whole")) return Whole();
        if (Take("if"))
        {
            var condition = Expression();
            return new If(condition, Block());
        }
        LoopKind kind = Take("parallel")
            ? LoopKind.Parallel
            : Take("pipelined") ? LoopKind.Pipelined : Take("serial") ? LoopKind.Serial
            : throw Unexpected("tile, each, whole, if, serial, parallel, pipelined or let");
        int stages = 1;
        if (Take("("))
        {
            stages = (int)Number();
            Expect(")");
        }
        var outer = scope;
        scope = new(outer);
        var (variable, count) = Axis();
        var body = Block();
        scope = outer;
        return new For(variable, count, kind, body, stages);
    }

    Whole Whole()
    {
        var target = Buffer();
        Expect("=");
        int at = next;
        if (Meanings.All.FirstOrDefault(row => row.Op is >= Op.Project and <= Op.WeightRows
            && row.Name == Now.Text) is not { } meaning)
            throw Unexpected("project, project_experts or weight_rows");
        next++;
        Expect("(");
        var inputs = new List<TileBuffer>();
        do inputs.Add(Buffer());
        while (Take(","));
        Expect(")");
        string[] words = Now.Kind == TokenKind.Text
            ? tokens[next++].Text.Split(' ')
            : throw Unexpected("the weight's encoding, rows, columns, count and gate, if any, in quotes");
        var numbers = new long[3];
        for (int i = 0; i < 3; i++)
            if (words.Length is not (4 or 5)
                || !long.TryParse(words[i + 1], NumberStyles.None, CultureInfo.InvariantCulture,
                    out numbers[i])) throw Unexpected("an encoding and three numbers", next - 1);
        var encoding = WeightEncoding.Parse(words[0]) ?? throw Unexpected("an encoding of weights such as i8_b32", next - 1);
        WeightGate? gate = words.Length == 4 ? null : WeightGates.Parse(words[4])
            ?? throw Unexpected("the gate silu or gelu", next - 1);
        var whole = new Whole(meaning.Op, target, inputs.ToValueList(),
            new(encoding, numbers[0], numbers[1], numbers[2]) { Gate = gate });
        Checked(at, whole.ToNode);
        return whole;

        TileBuffer Buffer()
        {
            int place = next;
            return Find(Name(), place) as TileBuffer ?? throw Unexpected("a buffer", place);
        }
    }

    Allocate Tile()
    {
        string name = Name();
        Expect(":");
        var (dtype, shape) = Type();
        var tile = new Tile(name, dtype, shape, Take("register") ? TileSpace.Register : TileSpace.Scratch);
        Declare(name, tile);
        return new(tile);
    }

    Statement Each()
    {
        var outer = scope;
        scope = new(outer);
        var domain = new List<DomainAxis>();
        if (Peek(1) == "<") Axes(domain);
        Statement statement;
        if (Take("over")) statement = AlongAxes(domain, "over");
        else if (Take("along")) statement = AlongAxes(domain, "along");
        else if (Take("dot")) statement = Dot(domain);
        else
        {
            Expect("{");
            Lets();
            statement = Store(domain);
        }
        Expect("}");
        scope = outer;
        return statement;
    }

    Store Store(List<DomainAxis> domain)
    {
        bool streaming = Take("stream"), atomic = Take("atomic");
        var (target, indices) = Element();
        var mode = Take("+=") ? StoreMode.Add : Take("max") ? StoreMode.Max : StoreMode.Set;
        if (mode != StoreMode.Add) Expect("=");
        var value = Expression();
        var guard = Take("where") ? Expression() : null;
        return new(target, indices, value, domain.ToValueList(), mode, streaming, guard) { IsAtomic = atomic };
    }

    Statement AlongAxes(List<DomainAxis> domain, string word)
    {
        var more = new List<DomainAxis>();
        if (Peek(1) == "<") Axes(more);
        Expect("{");
        Lets();
        var (target, indices) = Element();
        Expect("=");
        bool accumulate = Take("accumulate"), reverse = Take("reverse"), descending = Take("descending");
        int at = next;
        if (!reductions.TryGetValue(Name(), out var op) || (word == "over") != op is >= Op.ReduceSum and <= Op.ArgMin)
            throw Unexpected(word == "over" ? "a reduction such as reduce_sum" : "cum_sum, cum_prod, cum_max or arg_sort", at);
        Expect("(");
        var value = Expression();
        Expect(")");
        bool fits = word == "over" ? !reverse && !descending : !accumulate && more.Count == 1
            && (op == Op.ArgSort ? !reverse : !descending);
        if (!fits) throw Unexpected("words and axes that fit this function", at);
        return op switch
        {
            Op.ArgSort => new Sort(target, indices, value, domain.ToValueList(), more[0], descending),
            _ when word == "over" => new Reduce(op, target, indices, value, domain.ToValueList(), more.ToValueList(), accumulate),
            _ => new Scan(op, target, indices, value, domain.ToValueList(), more[0], reverse),
        };
    }

    Dot Dot(List<DomainAxis> domain)
    {
        var inner = Axis();
        Expect("{");
        Lets();
        int at = next;
        if (Find(Name(), at) is not Tile target || domain.Count != 2) throw Unexpected("a tile, and two axes before 'dot'", at);
        Expect("+=");
        Expect("dot");
        Expect("(");
        var left = Expression();
        Expect(",");
        var right = Expression();
        Expect(")");
        return new(target, left, right, domain[0], domain[1], inner);
    }

    void Lets()
    {
        while (Take("let"))
        {
            string name = Name();
            Expect("=");
            scope[name] = Expression();
        }
    }

    void Axes(List<DomainAxis> axes)
    {
        do axes.Add(Axis());
        while (Take(","));
    }

    DomainAxis Axis()
    {
        string name = Name();
        Expect("<");
        var extent = Expression();
        var count = Take("of") ? Extent() : extent.Attributes switch
        {
            ConstantAttributes { DType: DType.Int64 } constant => constant.Integer,
            SizeAttributes size => size.Extent,
            _ => throw Unexpected("'of' and the greatest extent, as this one is not a number or size"),
        };
        var variable = new LoopVariable(name, count);
        scope[name] = variable;
        return new(variable, extent);
    }

    (Memory Target, ValueList<Node> Indices) Element()
    {
        int at = next;
        if (Find(Name(), at) is not Memory memory) throw Unexpected("a buffer or tile", at);
        Expect("[");
        var indices = new List<Node>();
        while (!Take("]"))
        {
            if (indices.Count > 0) Expect(",");
            indices.Add(Expression());
        }
        return (memory, indices.ToValueList());
    }

    (DType, Shape) Type()
    {
        int at = next;
        if (DTypes.Parse(Name()) is not { } dtype) throw Unexpected("an element type such as f32", at);
        Expect("[");
        var extents = new List<Extent>();
        while (!Take("]"))
        {
            if (extents.Count > 0) Expect(",");
            extents.Add(Extent());
        }
        return (dtype, Shape.Of(extents));
    }

    Extent Extent()
    {
        Extent sum = 0;
        bool negative = Take("-");
        do
        {
            Extent product = negative ? -1 : 1;
            do product *= Now.Kind == TokenKind.Number ? Number() : Ashlar.Extent.Of(KnownSymbol());
            while (Take("*"));
            int at = next;
            if (Take("/") && !product.TryDivide(Number(), out product))
                throw Unexpected("a number that divides the product whatever the symbols are", at);
            sum += product;
            negative = Now.Text == "-";
        }
        while (Take("+") || Take("-"));
        return sum;
    }

    Symbol KnownSymbol()
    {
        int at = next;
        return symbols.TryGetValue(Name(), out var symbol) ? symbol : throw Unknown(at, "a symbol");
    }

    Node Expression(int strength = 1)
    {
        if (++depth > deepest) throw Unexpected($"at most {deepest} expressions within each other");
        var left = Operand();
        while (Now.Kind == TokenKind.Sign && Infix(Now.Text) is { } op && TextWords.Strength(op) >= strength)
        {
            int at = next++;
            var right = Expression(TextWords.Strength(op) + 1);
            left = Make(at, op, left, right);
        }
        depth--;
        return left;

        static Op? Infix(string sign)
        {
            foreach (var (known, op) in TextWords.Infix)
                if (known == sign) return op;
            return null;
        }
    }

    Node Operand()
    {
        int at = next;
        if (Take("("))
        {
            var inner = Expression();
            Expect(")");
            return inner;
        }
        if (Take("{"))
        {
            var extent = Extent();
            Expect("}");
            return Nodes.Size(extent);
        }
        if (Take("!")) return Make(at, Op.Not, Nested());
        if (Take("-"))
            return Now.Kind == TokenKind.Number || IsInfinity(Now.Text) ? Literal(negative: true) : Make(at, Op.Neg, Nested());
        if (Now.Kind == TokenKind.Number) return Literal(negative: false);
        if (Now.Kind != TokenKind.Name) throw Unexpected("an expression");
        if (Peek(1) == "(") return Call(at, Name());
        if (symbols.TryGetValue(Now.Text, out var symbol))
        {
            next++;
            return Nodes.Size(symbol);
        }
        if (Now.Text is "true" or "false") return Nodes.Constant(Name() == "true" ? 1L : 0L, DType.Bool, Shape.Scalar);
        if (!scope.ContainsKey(Now.Text) && (IsInfinity(Now.Text) || Now.Text.StartsWith("nan", StringComparison.Ordinal)))
            return Literal(negative: false);
        return Find(Name(), at) switch
        {
            Node let => let,
            LoopVariable variable => variable.Index(),
            object memory => Load(at, (Memory)memory),
        };

        static bool IsInfinity(string word) => word == "inf" || word.StartsWith("inf_", StringComparison.Ordinal);
    }

    // What a prefix sign applies to.
    Node Nested()
    {
        if (++depth > deepest) throw Unexpected($"at most {deepest} expressions within each other");
        var operand = Operand();
        depth--;
        return operand;
    }

    Node Load(int at, Memory memory)
    {
        Expect("[");
        var inputs = new List<Node>();
        Node? guard = null;
        while (!Take("]"))
        {
            if (Take("where"))
            {
                guard = Expression();
                Expect("]");
                break;
            }
            if (inputs.Count > 0) Expect(",");
            inputs.Add(Expression());
        }
        return Checked(at, () => memory.Load([.. inputs], guard));
    }

    Node Call(int at, string function)
    {
        Expect("(");
        var inputs = new List<Node>();
        string? site = null;
        while (!Take(")"))
        {
            if (inputs.Count > 0) Expect(",");
            if (Now.Kind == TokenKind.Text) site = tokens[next++].Text;
            else inputs.Add(Expression());
        }
        if (function == "bound" && inputs.Count == 2 && site is not null)
            return Checked(at, () => TileNodes.Bound(inputs[0], inputs[1], site));
        bool bits = function.StartsWith("bits_", StringComparison.Ordinal);
        if (DTypes.Parse(bits ? function[5..] : function) is { } dtype && inputs.Count == 1)
            return Checked(at, () => Node.Of(bits ? Op.BitCast : Op.Cast, [inputs[0]], new CastAttributes(dtype)));
        return functions.TryGetValue(function, out var op)
            ? Make(at, op, [.. inputs])
            : throw Unknown(at, "a function of these inputs");
    }

    Node Literal(bool negative)
    {
        int at = next;
        string word = tokens[next++].Text;
        int cut = word.IndexOf('_', StringComparison.Ordinal);
        string digits = cut < 0 ? word : word[..cut];
        bool real = digits.IndexOfAny(['.', 'E', 'e', 'i', 'n']) >= 0;
        DType? named = cut < 0 ? real ? DType.Float32 : DType.Int64 : DTypes.Parse(word[(cut + 1)..]);
        if (named is not { } dtype || dtype.IsFloat != real || dtype == DType.Bool)
            throw Unexpected("a number with a type that can hold it", at);
        if (!real)
            return ulong.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out ulong whole)
                && whole <= (negative ? 1UL << 63 : long.MaxValue)
                ? Nodes.Constant(negative ? unchecked(-(long)whole) : (long)whole, dtype, Shape.Scalar)
                : throw Unexpected("a whole number of at most 64 bits", at);
        double value = 0;
        bool known = true;
        if (digits == "inf") value = double.PositiveInfinity;
        else if (digits == "nan") value = double.NaN;
        else if (digits.StartsWith("nan", StringComparison.Ordinal))
        {
            known = ulong.TryParse(digits.AsSpan(3), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture,
                out ulong bits);
            value = BitConverter.UInt64BitsToDouble(bits);
            known &= double.IsNaN(value);
        }
        else known = double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out value);
        return known ? Nodes.Constant(negative ? -value : value, dtype, Shape.Scalar) : throw Unexpected("a number", at);
    }

    Node Make(int at, Op op, params Node[] inputs) => Checked(at, () => Node.Of(op, inputs));

    // Shape and type rules know nothing of the text; this adds where.
    Node Checked(int at, Func<Node> make)
    {
        try
        {
            return make();
        }
        catch (AshlarException mistake)
        {
            throw new KernelException("ASH0542",
                $"the expression at {tokens[at].Where} breaks a rule of its op. {mistake.Message}",
                "correct the types or the number of inputs.");
        }
    }

    object Find(string name, int at) =>
        scope.TryGetValue(name, out object? part) ? part : throw Unknown(at, "a buffer, tile, variable or let");

    void Declare(string name, object part)
    {
        if (!scope.TryAdd(name, part))
            throw new KernelException("ASH0541", $"'{name}' is declared twice, the second time at {tokens[next].Where}.",
                "give one of the two another name.");
    }

    string Peek(int ahead) => next + ahead < tokens.Count ? tokens[next + ahead].Text : "";

    bool Take(string word)
    {
        if (Now.Kind is TokenKind.Text || Now.Text != word) return false;
        next++;
        return true;
    }

    void Expect(string word)
    {
        if (!Take(word)) throw Unexpected($"'{word}'");
    }

    string Name() => Now.Kind == TokenKind.Name ? tokens[next++].Text : throw Unexpected("a name");

    long Number()
    {
        bool negative = Take("-");
        if (Now.Kind != TokenKind.Number
            || !ulong.TryParse(Now.Text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number)
            || number > long.MaxValue)
            throw Unexpected("a whole number");
        next++;
        return negative ? -(long)number : (long)number;
    }

    KernelException Unexpected(string wanted, int? at = null)
    {
        var token = tokens[at ?? next];
        return TextTokens.Error(token.Where, token.Kind == TokenKind.End ? "the end of the text" : $"'{token.Text}'", wanted);
    }

    KernelException Unknown(int at, string wanted) => new("ASH0541",
        $"'{tokens[at].Text}' at {tokens[at].Where} is not {wanted} that the text has declared.",
        "declare it first, or correct the name.");
}
