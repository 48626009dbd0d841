using System.Globalization;

namespace Ashlar.Tokenizers;

/// <summary>Turns the pieces of a template into statements.</summary>
sealed partial class TemplateParser
{
    const int DeepestNesting = 200;

    readonly List<TemplateToken> tokens;
    readonly string name;
    int at;
    int depth;
    bool usesMore;   // varargs or kwargs, in the macro that is read

    TemplateParser(List<TemplateToken> tokens, string name) => (this.tokens, this.name) = (tokens, name);

    public static Block Parse(string text, string name)
    {
        var parser = new TemplateParser(TemplateLexer.Read(text, name), name);
        return parser.Body();
    }

    TemplateToken Current => tokens[at];

    TokenizerException Wrong(string problem) => TemplateError.Syntax(name, Current.Line, problem);

    TemplateToken Take() => tokens[at++];

    bool Skip(string sign)
    {
        if (!Current.Is(sign)) return false;
        at++;
        return true;
    }

    bool SkipName(string word)
    {
        if (!Current.IsName(word)) return false;
        at++;
        return true;
    }

    void Expect(string sign)
    {
        if (!Skip(sign)) throw Wrong($"'{sign}' was expected, but {Current.Shown} was found");
    }

    void ExpectName(string word)
    {
        if (!SkipName(word)) throw Wrong($"'{word}' was expected, but {Current.Shown} was found");
    }

    string TakeName() =>
        Current.Kind == TemplateTokenKind.Name ? Take().Text : throw Wrong($"a name was expected, but {Current.Shown} was found");

    void EndOfTag()
    {
        if (Current.Kind != TemplateTokenKind.TagEnd) throw Wrong($"'%}}' was expected, but {Current.Shown} was found");
        at++;
    }

    T Nested<T>(Func<T> read)
    {
        if (++depth > DeepestNesting)
            throw TemplateError.Limit(name, Current.Line, $"parts are within parts more than {DeepestNesting} deep");
        var result = read();
        depth--;
        return result;
    }

    /// <summary>Reads up to one of the tags that end a part, and takes it with its name; or to the end of the template.</summary>
    Block Body(params string[] ends)
    {
        var parts = new List<Statement>();
        while (true)
        {
            var token = Current;
            switch (token.Kind)
            {
                case TemplateTokenKind.End:
                    if (ends.Length > 0) throw Wrong($"the template ends, but '{ends[^1]}' was expected");
                    return new(name, [.. parts]);
                case TemplateTokenKind.Text:
                    at++;
                    parts.Add(new TextStatement(token.Line, token.Text));
                    break;
                case TemplateTokenKind.PrintBegin:
                    at++;
                    var value = ExpressionOrList();
                    if (Current.Kind != TemplateTokenKind.PrintEnd)
                        throw Wrong($"'}}}}' was expected, but {Current.Shown} was found");
                    at++;
                    parts.Add(new Print(token.Line, value));
                    break;
                default:
                    at++;
                    if (Current.Kind != TemplateTokenKind.Name)
                        throw Wrong($"the name of a tag was expected, but {Current.Shown} was found");
                    if (Array.IndexOf(ends, Current.Text) >= 0) return new(name, [.. parts]);
                    parts.Add(Nested(() => Tag(token.Line)));
                    break;
            }
        }
    }

    Statement Tag(int line)
    {
        string tag = Take().Text;
        switch (tag)
        {
            case "if": return If(line);
            case "for": return For(line);
            case "set": return Set(line);
            case "macro": return Macro(line);
            case "call": return CallBlock(line);
            case "filter":
                var filters = FilterChain();
                EndOfTag();
                var filtered = Body("endfilter");
                EndTag();
                return new FilterBlock(line, filtered, filters);
            case "with": return With(line);
            case "generation":   // marks what the model wrote, for training
                EndOfTag();
                var generated = Body("endgeneration");
                EndTag();
                return generated;
            case "do":
                var done = Expression();
                EndOfTag();
                return new Do(line, done);
            case "break" or "continue":
                if (loops == 0) throw Wrong($"'{tag}' is not within a loop");
                EndOfTag();
                return new Leave(line, tag == "break" ? Ending.Break : Ending.Continue);
            case "include" or "import" or "from" or "extends" or "block":
                throw TemplateError.Syntax(name, line, $"'{tag}' needs other templates, which there are not");
            default: throw TemplateError.Syntax(name, line, $"the tag '{tag}' is not known here");
        }
    }

    int loops;

    void EndTag()
    {
        at++;   // its name, which was seen
        EndOfTag();
    }

    If If(int line)
    {
        var branches = new List<(Expression, Block)>();
        Block? otherwise = null;
        while (true)
        {
            var condition = Expression();
            EndOfTag();
            branches.Add((condition, Body("elif", "else", "endif")));
            string end = Take().Text;
            if (end == "elif") continue;
            EndOfTag();
            if (end == "else")
            {
                otherwise = Body("endif");
                EndTag();
            }
            return new(line, [.. branches], otherwise);
        }
    }

    For For(int line)
    {
        var target = Targets();
        ExpectName("in");
        var over = ExpressionOrList(withoutChoice: true);
        var condition = SkipName("if") ? Expression() : null;
        bool isRecursive = SkipName("recursive");
        EndOfTag();
        loops++;
        var body = Body("else", "endfor");
        loops--;
        Block? otherwise = null;
        if (Take().Text == "else")
        {
            EndOfTag();
            otherwise = Body("endfor");
            at++;
        }
        EndOfTag();
        return new(line, target, over, condition, body, otherwise, isRecursive);
    }

    Target Targets()
    {
        var first = OneTarget();
        if (!Current.Is(",")) return first;
        var all = new List<Target> { first };
        while (Skip(","))
        {
            if (Current.Kind != TemplateTokenKind.Name && !Current.Is("(")) break;
            all.Add(OneTarget());
        }
        return new ListTarget([.. all]);
    }

    Target OneTarget()
    {
        if (Skip("("))
        {
            var inner = Nested(Targets);
            Expect(")");
            return inner;
        }
        string target = TakeName();
        if (target is "true" or "false" or "none" or "True" or "False" or "None") throw Wrong($"'{target}' cannot be set");
        return Skip(".") ? new FieldTarget(target, TakeName()) : new NameTarget(target);
    }

    Statement Set(int line)
    {
        var target = Targets();
        if (Skip("="))
        {
            var value = ExpressionOrList();
            EndOfTag();
            return new Set(line, target, value);
        }
        Filtered[] filters = Skip("|") ? FilterChain() : [];
        EndOfTag();
        var body = Body("endset");
        EndTag();
        return new SetBlock(line, target, body, filters);
    }

    Filtered[] FilterChain()
    {
        var filters = new List<Filtered>();
        do filters.Add(Filter(null));
        while (Skip("|"));
        return [.. filters];
    }

    Macro Macro(int line)
    {
        string macro = TakeName();
        Expect("(");
        return MacroBody(line, macro, "endmacro", Parameters());
    }

    // Loops around a macro are not its own.
    Macro MacroBody(int line, string macro, string end, (string, Expression?)[] parameters)
    {
        EndOfTag();
        (int outerLoops, bool outerUses) = (loops, usesMore);
        (loops, usesMore) = (0, false);
        var body = Body(end);
        EndTag();
        var made = new Macro(line, macro, parameters, body, usesMore);
        (loops, usesMore) = (outerLoops, outerUses);
        return made;
    }

    (string, Expression?)[] Parameters()
    {
        var parameters = new List<(string, Expression?)>();
        while (!Skip(")"))
        {
            if (parameters.Count > 0) Expect(",");
            if (Skip(")")) break;
            string parameter = TakeName();
            parameters.Add((parameter, Skip("=") ? Expression() : null));
        }
        return [.. parameters];
    }

    CallBlock CallBlock(int line)
    {
        (string, Expression?)[] parameters = Skip("(") ? Parameters() : [];
        if (Expression() is not Call call) throw Wrong("'call' needs a call of a macro");
        return new(line, call, MacroBody(line, "caller", "endcall", parameters));
    }

    With With(int line)
    {
        var values = new List<(Target, Expression)>();
        while (Current.Kind != TemplateTokenKind.TagEnd)
        {
            if (values.Count > 0) Expect(",");
            var target = OneTarget();
            Expect("=");
            values.Add((target, Expression()));
        }
        EndOfTag();
        var body = Body("endwith");
        EndTag();
        return new(line, [.. values], body);
    }
}
