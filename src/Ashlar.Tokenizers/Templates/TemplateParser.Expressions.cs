using System.Globalization;

namespace Ashlar.Tokenizers;

sealed partial class TemplateParser
{
    /// <summary>An expression, or several with commas between, which are a list.</summary>
    Expression ExpressionOrList(bool withoutChoice = false)
    {
        var first = withoutChoice ? Or() : Expression();
        if (!Current.Is(",")) return first;
        var entries = new List<Expression> { first };
        while (Skip(","))
        {
            if (Current.Kind is TemplateTokenKind.PrintEnd or TemplateTokenKind.TagEnd || Current.Is(")")) break;
            entries.Add(withoutChoice ? Or() : Expression());
        }
        return new ListLiteral(first.Line, [.. entries]);
    }

    Expression Expression() => Nested(() =>
    {
        var value = Or();
        while (Current.IsName("if"))
        {
            int line = Take().Line;
            var condition = Or();
            value = new Choice(line, condition, value, SkipName("else") ? Expression() : null);
        }
        return value;
    });

    Expression Or()
    {
        var left = And();
        while (Current.IsName("or")) left = new Either(Take().Line, left, And());
        return left;
    }

    Expression And()
    {
        var left = NotOrComparison();
        while (Current.IsName("and")) left = new Both(Take().Line, left, NotOrComparison());
        return left;
    }

    Expression NotOrComparison() =>
        Current.IsName("not") ? Nested<Expression>(() => new Not(Take().Line, NotOrComparison())) : Comparison();

    Expression Comparison()
    {
        var first = Sum();
        var others = new List<(string, Expression)>();
        while (true)
        {
            if (Current.Kind == TemplateTokenKind.Sign && Current.Text is "==" or "!=" or "<" or "<=" or ">" or ">=")
                others.Add((Take().Text, Sum()));
            else if (SkipName("in")) others.Add(("in", Sum()));
            else if (Current.IsName("not") && tokens[at + 1].IsName("in"))
            {
                at += 2;
                others.Add(("not in", Sum()));
            }
            else break;
        }
        return others.Count == 0 ? first : new Comparison(first.Line, first, [.. others]);
    }

    Expression Sum()
    {
        var left = Joined();
        while (Current.Is("+") || Current.Is("-")) left = new Operation(Current.Line, Take().Text, left, Joined());
        return left;
    }

    Expression Joined()
    {
        var first = Product();
        if (!Current.Is("~")) return first;
        var parts = new List<Expression> { first };
        while (Skip("~")) parts.Add(Product());
        return new Concatenation(first.Line, [.. parts]);
    }

    Expression Product()
    {
        var left = Power();
        while (Current.Is("*") || Current.Is("/") || Current.Is("//") || Current.Is("%"))
            left = new Operation(Current.Line, Take().Text, left, Power());
        return left;
    }

    Expression Power()
    {
        var left = Unary(withFilters: true);
        while (Current.Is("**")) left = new Operation(Current.Line, Take().Text, left, Unary(withFilters: true));
        return left;
    }

    Expression Unary(bool withFilters)
    {
        Expression value;
        if (Current.Is("-") || Current.Is("+"))
        {
            bool isPlus = Current.Is("+");
            int line = Take().Line;
            value = Nested<Expression>(() => new Negative(line, Unary(withFilters: false), isPlus));
        }
        else value = Primary();
        value = Postfix(value);
        return withFilters ? FiltersAndTests(value) : value;
    }

    Expression Primary()
    {
        var token = Current;
        switch (token.Kind)
        {
            case TemplateTokenKind.Name:
                at++;
                if (token.Text is "varargs" or "kwargs") usesMore = true;
                return token.Text switch
                {
                    "true" or "True" => new Constant(token.Line, true),
                    "false" or "False" => new Constant(token.Line, false),
                    "none" or "None" => new Constant(token.Line, null),
                    "and" or "or" or "not" or "in" or "is" or "if" or "else" or "elif" =>
                        throw TemplateError.Syntax(name, token.Line, $"a value was expected, but '{token.Text}' was found"),
                    _ => new Name(token.Line, token.Text),
                };
            case TemplateTokenKind.String:
                string text = Take().Text;
                while (Current.Kind == TemplateTokenKind.String) text += Take().Text;
                return new Constant(token.Line, text);
            case TemplateTokenKind.Integer:
                at++;
                return new Constant(token.Line, long.TryParse(token.Text, NumberStyles.None, CultureInfo.InvariantCulture,
                    out long whole) ? whole
                    : throw TemplateError.Syntax(name, token.Line, $"the number {token.Text} does not fit into 64 bits"));
            case TemplateTokenKind.Float:
                at++;
                return new Constant(token.Line, double.Parse(token.Text, NumberStyles.Float, CultureInfo.InvariantCulture));
        }
        if (Skip("(")) return Nested(() => Parenthesis(token.Line));
        if (Skip("[")) return Nested<Expression>(() => new ListLiteral(token.Line, Entries("]")));
        if (Skip("{")) return Nested(() => Map(token.Line));
        throw Wrong($"a value was expected, but {token.Shown} was found");
    }

    Expression Parenthesis(int line)
    {
        if (Skip(")")) return new ListLiteral(line, []);
        var value = ExpressionOrList();
        Expect(")");
        return value;
    }

    Expression[] Entries(string close)
    {
        var entries = new List<Expression>();
        while (!Skip(close))
        {
            if (entries.Count > 0) Expect(",");
            if (Skip(close)) break;
            entries.Add(Expression());
        }
        return [.. entries];
    }

    MapLiteral Map(int line)
    {
        var entries = new List<(Expression, Expression)>();
        while (!Skip("}"))
        {
            if (entries.Count > 0) Expect(",");
            if (Skip("}")) break;
            var key = Expression();
            Expect(":");
            entries.Add((key, Expression()));
        }
        return new(line, [.. entries]);
    }

    Expression Postfix(Expression value)
    {
        for (int links = 0; ; links++)
        {
            if (links > DeepestNesting)
                throw TemplateError.Limit(name, Current.Line, $"a value has more than {DeepestNesting} links");
            int line = Current.Line;
            if (Skip("."))
            {
                var token = Take();
                value = token.Kind switch
                {
                    TemplateTokenKind.Name => new Attribute(line, value, token.Text),
                    TemplateTokenKind.Integer when long.TryParse(token.Text, NumberStyles.None, CultureInfo.InvariantCulture,
                        out long index) => new Item(line, value, new Constant(line, index)),
                    _ =>
                        throw TemplateError.Syntax(name, token.Line,
                            $"a name was expected behind '.', but {token.Shown} was found"),
                };
            }
            else if (Skip("[")) value = Subscript(value, line);
            else if (Current.Is("(")) value = new Call(line, value, Arguments());
            else return value;
        }
    }

    Expression Subscript(Expression value, int line)
    {
        Expression? start = Current.Is(":") ? null : Expression();
        if (start is not null && Skip("]")) return new Item(line, value, start);
        Expect(":");
        Expression? stop = Current.Is(":") || Current.Is("]") ? null : Expression();
        Expression? step = Skip(":") && !Current.Is("]") ? Expression() : null;
        Expect("]");
        return new Slice(line, value, start, stop, step);
    }

    ArgumentList Arguments()
    {
        Expect("(");
        var positions = new List<Expression>();
        var names = new List<(string, Expression)>();
        Expression? morePositions = null, moreNames = null;
        bool isFirst = true;
        while (!Skip(")"))
        {
            if (!isFirst) Expect(",");
            isFirst = false;
            if (Skip(")")) break;
            if (Skip("**")) moreNames = Expression();
            else if (Skip("*")) morePositions = Expression();
            else if (Current.Kind == TemplateTokenKind.Name && tokens[at + 1].Is("="))
            {
                string argument = TakeName();
                at++;
                names.Add((argument, Expression()));
            }
            else if (names.Count > 0) throw Wrong("an argument without a name comes behind one with a name");
            else positions.Add(Expression());
        }
        return new([.. positions], [.. names], morePositions, moreNames);
    }

    Expression FiltersAndTests(Expression value)
    {
        for (int links = 0; ; links++)
        {
            if (links > DeepestNesting)
                throw TemplateError.Limit(name, Current.Line, $"a value has more than {DeepestNesting} links");
            if (Skip("|")) value = Filter(value);
            else if (Current.IsName("is")) value = Test(value);
            else if (Current.Is("(")) value = new Call(Current.Line, value, Arguments());
            else return value;
        }
    }

    Filtered Filter(Expression? value)
    {
        int line = Current.Line;
        string filter = TakeName();
        var arguments = Current.Is("(") ? Arguments() : ArgumentList.None;
        return Known(() => new Filtered(line, value, filter, arguments), line);
    }

    Tested Test(Expression value)
    {
        int line = Take().Line;
        bool isNegated = SkipName("not");
        string test = TakeName();
        var arguments = ArgumentList.None;
        if (Current.Is("(")) arguments = Arguments();
        else if (Current.Kind is TemplateTokenKind.String or TemplateTokenKind.Integer or TemplateTokenKind.Float
            || Current.Is("[") || Current.Is("{")
            || Current.Kind == TemplateTokenKind.Name
            && Current.Text is not ("else" or "or" or "and" or "is" or "if" or "not" or "in" or "recursive"))
            arguments = new([Postfix(Primary())], [], null, null);
        return Known(() => new Tested(line, value, test, arguments, isNegated), line);
    }

    T Known<T>(Func<T> make, int line)
    {
        try
        {
            return make();
        }
        catch (TemplateProblem problem)
        {
            throw TemplateError.Syntax(name, line, problem.Message);
        }
    }
}
