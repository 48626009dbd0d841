using System.Globalization;
using System.Text;

namespace Ashlar.Graph;

/// <summary>Reads the text form of functions: recursive descent over characters, by the grammar of docs/graph-text.md.</summary>
sealed class GraphParser(string text, IReadOnlyList<object>? buffers, Func<string, GraphKernel>? kernels = null)
{
    static readonly Dictionary<string, Op> ops = Meanings.All.ToDictionary(row => row.Name, row => row.Op);

    readonly Dictionary<string, Symbol> symbols = [];
    readonly Dictionary<int, object> made = [];
    int position;

    public Function File()
    {
        while (TryWord("symbol")) ReadSymbol();
        Keyword("function");
        var function = ReadFunction();
        Skip();
        if (position < text.Length) throw Expected("the end of the text");
        return function;
    }

    // "symbol" NAME ":" INT ".." INT [ "multiple" INT ]
    void ReadSymbol()
    {
        string name = Word("a name");
        Token(":");
        long min = Integer();
        Token("..");
        long max = Integer();
        symbols[name] = new(name, min, max, TryWord("multiple") ? Integer() : 1);
    }

    // "(" parameters ")" "{" statements "return" values "}"
    Function ReadFunction()
    {
        var values = new Dictionary<string, Node>();
        var parameters = new List<Node>();
        Token("(");
        while (!TryToken(")"))
        {
            if (parameters.Count > 0) Token(",");
            Skip();
            int start = position;
            string value = Value();
            string? name = Peek('"') ? QuotedString() : null;
            int index = parameters.Count;
            if (TryWord("index"))
            {
                Token("=");
                index = (int)Integer();
            }
            Token(":");
            var (dtype, shape) = Type();
            var parameter = Nodes.Parameter(index, dtype, shape, name);
            parameters.Add(parameter);
            Define(values, value, parameter, start);
        }
        Token("{");
        while (!TryWord("return")) Statement(values);
        var results = new List<Node>();
        while (Peek('%')) results.Add(Use(values));
        Token("}");
        return new([.. parameters], [.. results]);
    }

    // value "=" op { value } { key "=" field } ":" type
    void Statement(Dictionary<string, Node> values)
    {
        if (!Peek('%')) throw Expected("a value such as %1, or 'return'");
        int defined = position;
        string name = Value();
        Token("=");
        Skip();
        int start = position;
        string word = Word("an op");
        if (!ops.TryGetValue(word, out var op)) throw Wrong(start, $"'{word}' is no op");
        var inputs = new List<Node>();
        while (Peek('%')) inputs.Add(Use(values));
        var fields = new FieldList(this, start);
        while (!Peek(':')) fields.Read();
        Token(":");
        var (dtype, shape) = Type();
        Node node;
        try
        {
            node = Node.Of(op, [.. inputs], AttributeText.Read(op, fields, inputs, dtype, shape));
        }
        catch (AshlarException error) when (error is not GraphException { Code: "ASH0320" })
        {
            throw Wrong(start, $"this {word} breaks a rule: {error.Message}");
        }
        if (node.DType != dtype || node.Shape != shape) throw Wrong(start,
            $"this {word} has the type {node.DType.Name}{node.Shape}, but {dtype.Name}{shape} is written");
        fields.AllRead();
        Define(values, name, node, defined);
    }

    void Define(Dictionary<string, Node> values, string name, Node node, int start)
    {
        if (!values.TryAdd(name, node)) throw Wrong(start, $"%{name} is defined twice");
    }

    Node Use(Dictionary<string, Node> values)
    {
        int start = position;
        string name = Value();
        return values.TryGetValue(name, out var node) ? node : throw Wrong(start, $"%{name} is not defined above");
    }

    string Value()
    {
        Token("%");
        return Word("a value's name");
    }

    (DType, Shape) Type()
    {
        Skip();
        int start = position;
        string name = Word("an element type");
        var dtype = DTypes.Parse(name) ?? throw Wrong(start, $"'{name}' is no element type");
        return (dtype, Shape.Of(ExtentList()));
    }

    List<Extent> ExtentList()
    {
        var list = new List<Extent>();
        Token("[");
        while (!TryToken("]"))
        {
            if (list.Count > 0) Token(",");
            list.Add(Polynomial());
        }
        return list;
    }

    // [ "-" ] product { ( "+" | "-" ) product }, a product being factors with "*" between and a number behind "/" at last
    Extent Polynomial()
    {
        Extent sum = 0;
        bool minus = TryToken("-");
        do
        {
            Extent product = Factor();
            while (TryToken("*")) product *= Factor();
            if (TryToken("/"))
            {
                int start = position;
                long over = Integer();
                product = product.TryDivide(over, out var part)
                    ? part
                    : throw Wrong(start, $"{product} has no whole {over}th part");
            }
            sum += minus ? product * -1 : product;
            if (TryToken("+")) minus = false;
            else if (TryToken("-")) minus = true;
            else return sum;
        }
        while (true);
    }

    Extent Factor()
    {
        Skip();
        int start = position;
        string word = Word("a number or a symbol");
        if (long.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out long number)) return number;
        return symbols.TryGetValue(word, out var symbol) ? symbol : throw Wrong(start, $"the symbol '{word}' is not declared");
    }

    long Integer()
    {
        Skip();
        int start = position;
        string word = Scan(c => char.IsAsciiDigit(c) || c == '-');
        return long.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number) ? number
            : throw ExpectedAt(start, "a whole number");
    }

    double Number()
    {
        Skip();
        int start = position;
        string word = Scan(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '+' or '.' or '∞');
        return double.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number
            : throw ExpectedAt(start, "a number");
    }

    string QuotedString()
    {
        Token("\"");
        var result = new StringBuilder();
        for (; position < text.Length && text[position] != '"'; position++)
        {
            if (text[position] == '\\' && position + 1 < text.Length) result
                .Append(text[++position] is 'n' ? '\n' : text[position]);
            else result.Append(text[position]);
        }
        Token("\"");
        return result.ToString();
    }

    string Word(string what)
    {
        Skip();
        int start = position;
        string word = Scan(c => char.IsLetterOrDigit(c) || c == '_');
        return word.Length > 0 ? word : throw ExpectedAt(start, what);
    }

    bool TryWord(string word)
    {
        Skip();
        int start = position;
        if (Scan(c => char.IsLetterOrDigit(c) || c == '_') == word) return true;
        position = start;
        return false;
    }

    void Keyword(string word)
    {
        if (!TryWord(word)) throw Expected($"'{word}'");
    }

    string Scan(Func<char, bool> belongs)
    {
        int start = position;
        while (position < text.Length && belongs(text[position])) position++;
        return text[start..position];
    }

    void Token(string token)
    {
        if (!TryToken(token)) throw Expected($"'{token}'");
    }

    bool TryToken(string token)
    {
        Skip();
        if (!text.AsSpan(position).StartsWith(token, StringComparison.Ordinal)) return false;
        position += token.Length;
        return true;
    }

    bool Peek(char c)
    {
        Skip();
        return position < text.Length && text[position] == c;
    }

    // White space, and comments from // to the end of the line.
    void Skip()
    {
        while (position < text.Length)
            if (char.IsWhiteSpace(text[position])) position++;
            else if (text.AsSpan(position).StartsWith("//", StringComparison.Ordinal)) Scan(c => c != '\n');
            else return;
    }

    object? Identity(int id)
    {
        if (buffers is not null) return id >= 0 && id < buffers.Count ? buffers[id] : null;
        if (!made.TryGetValue(id, out var identity)) made[id] = identity = new();
        return identity;
    }

    GraphException Expected(string what)
    {
        Skip();
        return ExpectedAt(position, what);
    }

    GraphException ExpectedAt(int at, string what)
    {
        int end = at;
        while (end < text.Length && end < at + 20 && !char.IsWhiteSpace(text[end])) end++;
        return Wrong(at, $"expected {what}, but found {(end == at ? "the end of the text" : $"'{text[at..end]}'")}");
    }

    GraphException Wrong(int at, string problem)
    {
        string before = text[..at];
        int line = before.Count(c => c == '\n') + 1, column = at - before.LastIndexOf('\n');
        return new("ASH0320", $"line {line}, column {column}: {problem}.", "the grammar is in docs/graph-text.md.");
    }

    /// <summary>The <c>key=value</c> fields of a statement, read when the op is known to need them.</summary>
    GraphKernel? ReadKernel(string kernel) => kernels?.Invoke(kernel);

    internal sealed class FieldList(GraphParser parser, int op)
    {
        readonly Dictionary<string, (int Start, object Value)> fields = [];
        readonly HashSet<string> used = [];

        public void Read()
        {
            parser.Skip();
            int start = parser.position;
            string key = parser.Word("a key such as axis=, or ':'");
            parser.Token("=");
            object value = key switch
            {
                "forward" or "backward" => Nested(),
                "name" or "text" => parser.QuotedString(),
                "extent" => parser.Polynomial(),
                "start" or "before" or "after" or "order" or "axes" or "step" or "batch_left" or "batch_right"
                    or "sum_left" or "sum_right" => parser.ExtentList().ToValueList(),
                "mode" or "reverse" or "descending" or "approximate" or "interleaved" or "causal" or "bits" or "encoding"
                    or "gate" => parser.Word("a word"),
                "value" => parser.Scan(c => !char.IsWhiteSpace(c) && c != ':'),
                "epsilon" or "scale" => parser.Number(),
                "axis" or "index" or "output" or "id" or "size" or "stride" or "dilation" or "rows" or "columns" or "count" =>
                    parser.Integer(),
                _ => throw parser.Wrong(start, $"no op has a field '{key}'"),
            };
            if (!fields.TryAdd(key, (start, value))) throw parser.Wrong(start, $"'{key}' is written twice");
        }

        public bool Has(string key) => fields.ContainsKey(key);

        public long Long(string key) => Get<long>(key);

        public int Integer(string key) => (int)Get<long>(key);

        public double Number(string key) => Get<double>(key);

        public string Word(string key) => Get<string>(key);

        public bool Flag(string key) => Has(key) && Get<string>(key) == "true";

        public string? OptionalString(string key) => Has(key) ? Get<string>(key) : null;

        public Extent Extent(string key) => Get<Extent>(key);

        public ValueList<Extent> Extents(string key) => Get<ValueList<Extent>>(key);

        public Function? Function(string key) => Get<Function>(key);

        public GraphKernel Kernel(string key)
        {
            string kernel = Get<string>(key);
            return parser.ReadKernel(kernel)
                ?? throw parser.Wrong(fields[key].Start, "the text calls a kernel, which the parser was not told how to read");
        }

        public WeightEncoding Encoding(string key)
        {
            string name = Get<string>(key);
            return WeightEncoding.Parse(name)
                ?? throw parser.Wrong(fields[key].Start, $"there is no encoding of weights '{name}'");
        }

        public WeightGate Gate(string key)
        {
            string name = Get<string>(key);
            return WeightGates.Parse(name) ?? throw parser.Wrong(fields[key].Start, $"there is no gate '{name}'");
        }

        public object Buffer(string key)
        {
            int id = Integer(key);
            return parser.Identity(id) ?? throw parser.Wrong(fields[key].Start, $"there is no buffer {id}");
        }

        /// <summary>The bits of a constant: <c>value=</c> a number, or <c>bits=</c> hexadecimal.</summary>
        public long Bits(DType dtype)
        {
            if (Has("bits") && long.TryParse(Word("bits").AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture,
                out long bits)) return bits;
            string value = Word("value");
            if (!dtype.IsFloat && long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture,
                out long whole)) return Conversion.Wrap(whole, dtype);
            if (dtype.IsFloat && double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture,
                out double number)) return AttributeText.FloatBits(number, dtype);
            throw parser.Wrong(fields["value"].Start, $"'{value}' is no {dtype.Name} number");
        }

        public void AllRead()
        {
            foreach (string key in fields.Keys)
                if (!used.Contains(key)) throw parser.Wrong(fields[key].Start, $"this op has no field '{key}'");
        }

        T Get<T>(string key)
        {
            used.Add(key);
            if (fields.TryGetValue(key, out var field)) return (T)field.Value;
            throw parser.Wrong(op, $"this op needs the field {key}=");
        }

        Function Nested()
        {
            parser.Keyword("function");
            return parser.ReadFunction();
        }
    }
}
