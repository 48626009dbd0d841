using System.Globalization;
using System.Text;

namespace Ashlar.Tokenizers;

enum TemplateTokenKind
{
    Text,
    PrintBegin,
    PrintEnd,
    TagBegin,
    TagEnd,
    Name,
    String,
    Integer,
    Float,
    Sign,
    End,
}

/// <summary>A piece of a template.</summary>
readonly record struct TemplateToken(TemplateTokenKind Kind, string Text, int Line)
{
    public bool Is(string sign) => Kind == TemplateTokenKind.Sign && Text == sign;

    public bool IsName(string name) => Kind == TemplateTokenKind.Name && Text == name;

    public string Shown => Kind switch
    {
        TemplateTokenKind.End => "the end of the template",
        TemplateTokenKind.PrintEnd => "'}}'",
        TemplateTokenKind.TagEnd => "'%}'",
        TemplateTokenKind.Text => "text",
        TemplateTokenKind.String => $"the text '{(Text.Length > 30 ? Text[..30] + "..." : Text)}'",
        _ => $"'{Text}'",
    };
}

/// <summary>Cuts a template into text, tags and what is in tags. White space is taken as transformers sets it: trim_blocks,
/// lstrip_blocks.</summary>
sealed class TemplateLexer
{
    static readonly string[] signs = ["**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", ".", ",",
        ":", "|", "(", ")", "[", "]", "{", "}"];

    readonly string text;
    readonly string name;
    readonly List<TemplateToken> tokens = [];
    int at;
    int line = 1;
    bool stripsNext, trimsLine;

    TemplateLexer(string text, string name)
    {
        text = text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        this.text = text.EndsWith('\n') ? text[..^1] : text;
        this.name = name;
    }

    public static List<TemplateToken> Read(string text, string name)
    {
        var lexer = new TemplateLexer(text, name);
        lexer.ReadAll();
        return lexer.tokens;
    }

    void ReadAll()
    {
        while (at < text.Length)
        {
            int tag = NextTag(at);
            AddText(at, tag);
            at = tag;
            if (at >= text.Length) break;
            char kind = text[at + 1];
            if (kind == '#') Comment();
            else if (kind == '{') Inside(TemplateTokenKind.PrintBegin, TemplateTokenKind.PrintEnd, "}}");
            else if (RawLength() is > 0 and int raw) Raw(raw);
            else Inside(TemplateTokenKind.TagBegin, TemplateTokenKind.TagEnd, "%}");
        }
        tokens.Add(new(TemplateTokenKind.End, "", line));
    }

    int NextTag(int from)
    {
        for (int i = text.IndexOf('{', from); i >= 0 && i + 1 < text.Length; i = text.IndexOf('{', i + 1))
            if (text[i + 1] is '{' or '%' or '#') return i;
        return text.Length;
    }

    void AddText(int from, int to)
    {
        int start = from, end = to;
        if (stripsNext) while (start < end && char.IsWhiteSpace(text[start])) start++;
        else if (trimsLine && start < end && text[start] == '\n') start++;
        stripsNext = trimsLine = false;
        if (to < text.Length)
        {
            char mark = to + 2 < text.Length ? text[to + 2] : ' ';
            if (mark == '-') while (end > start && char.IsWhiteSpace(text[end - 1])) end--;
            else if (mark != '+' && text[to + 1] != '{')
            {
                // Blanks between the start of a line and a tag are not text.
                int blank = to;
                while (blank > from && text[blank - 1] is ' ' or '\t' && blank > 0) blank--;
                if (blank == 0 || text[blank - 1] == '\n') end = Math.Max(start, Math.Min(end, blank));
            }
        }
        if (end > start) tokens.Add(new(TemplateTokenKind.Text, text[start..end], line + Lines(from, start)));
        line += Lines(from, to);
    }

    int Lines(int from, int to) => text.AsSpan(from, to - from).Count('\n');

    void Comment()
    {
        int end = text.IndexOf("#}", at + 2, StringComparison.Ordinal);
        if (end < 0) throw TemplateError.Syntax(name, line, "a comment is not closed by '#}'");
        line += Lines(at, end);
        Close(end, 2);
    }

    // Behind a tag that ends at a place: what is done to the text there.
    void Close(int end, int length)
    {
        char mark = end > 0 ? text[end - 1] : ' ';
        stripsNext = mark == '-';
        trimsLine = mark != '+' && text[end] != '}';
        at = end + length;
    }

    int RawLength()
    {
        int i = at + 2;
        if (i < text.Length && text[i] is '-' or '+') i++;
        while (i < text.Length && char.IsWhiteSpace(text[i])) i++;
        if (string.CompareOrdinal(text, i, "raw", 0, 3) != 0) return 0;
        i += 3;
        while (i < text.Length && char.IsWhiteSpace(text[i])) i++;
        if (i < text.Length && text[i] is '-' or '+') i++;
        return string.CompareOrdinal(text, i, "%}", 0, 2) == 0 ? i + 2 - at : 0;
    }

    void Raw(int length)
    {
        int begin = at;
        line += Lines(begin, begin + length);
        Close(begin + length - 2, 2);
        for (int tag = text.IndexOf("{%", at, StringComparison.Ordinal); tag >= 0;
            tag = text.IndexOf("{%", tag + 2, StringComparison.Ordinal))
        {
            string rest = text[(tag + 2)..Math.Min(text.Length, tag + 60)];
            string inner = rest.TrimStart('-', '+').TrimStart();
            if (!inner.StartsWith("endraw", StringComparison.Ordinal)) continue;
            int end = text.IndexOf("%}", tag, StringComparison.Ordinal);
            if (end < 0) break;
            AddText(at, tag);
            line += Lines(tag, end);
            Close(end, 2);
            return;
        }
        throw TemplateError.Syntax(name, line, "'raw' is not closed by 'endraw'");
    }

    void Inside(TemplateTokenKind begin, TemplateTokenKind end, string close)
    {
        int opened = line;
        tokens.Add(new(begin, text.Substring(at, 2), line));
        at += 2;
        if (at < text.Length && text[at] is '-' or '+') at++;
        int depth = 0;
        while (true)
        {
            while (at < text.Length && char.IsWhiteSpace(text[at]))
                if (text[at++] == '\n') line++;
            if (at >= text.Length) throw TemplateError.Syntax(name, opened, $"a tag is not closed by '{close}'");
            int mark = text[at] is '-' or '+' ? 1 : 0;
            if (depth == 0 && string.CompareOrdinal(text, at + mark, close, 0, 2) == 0)
            {
                tokens.Add(new(end, close, line));
                Close(at + mark, 2);
                if (close == "}}") (trimsLine, stripsNext) = (false, mark == 1 && text[at - 3] == '-');
                return;
            }
            var token = Next();
            if (token.Text is "(" or "[" or "{" && token.Kind == TemplateTokenKind.Sign) depth++;
            if (token.Text is ")" or "]" or "}" && token.Kind == TemplateTokenKind.Sign && --depth < 0)
                throw TemplateError.Syntax(name, line, $"'{token.Text}' closes nothing");
            tokens.Add(token);
        }
    }

    TemplateToken Next()
    {
        char c = text[at];
        int start = at, begun = line;
        if (char.IsLetter(c) || c == '_')
        {
            while (at < text.Length && (char.IsLetterOrDigit(text[at]) || text[at] == '_')) at++;
            return new(TemplateTokenKind.Name, text[start..at], begun);
        }
        if (char.IsAsciiDigit(c)) return Number();
        if (c is '"' or '\'') return Quoted(c);
        foreach (string sign in signs)
        {
            if (string.CompareOrdinal(text, at, sign, 0, sign.Length) != 0) continue;
            at += sign.Length;
            return new(TemplateTokenKind.Sign, sign, begun);
        }
        throw TemplateError.Syntax(name, line, $"the character '{c}' (U+{(int)c:X4}) has no meaning in a tag");
    }

    TemplateToken Number()
    {
        int start = at;
        while (at < text.Length && (char.IsAsciiDigit(text[at]) || text[at] == '_')) at++;
        bool isFloat = false;
        // x.0.name: a number behind a point is an index
        bool isIndex = tokens.Count > 0 && tokens[^1].Is(".");
        if (!isIndex && at + 1 < text.Length && text[at] == '.' && char.IsAsciiDigit(text[at + 1]))
        {
            isFloat = true;
            for (at++; at < text.Length && char.IsAsciiDigit(text[at]); at++) { }
        }
        if (!isIndex && at < text.Length && text[at] is 'e' or 'E')
        {
            int exponent = at + 1;
            if (exponent < text.Length && text[exponent] is '+' or '-') exponent++;
            if (exponent < text.Length && char.IsAsciiDigit(text[exponent]))
            {
                isFloat = true;
                for (at = exponent; at < text.Length && char.IsAsciiDigit(text[at]); at++) { }
            }
        }
        return new(isFloat ? TemplateTokenKind.Float : TemplateTokenKind.Integer, text[start..at]
            .Replace("_", "", StringComparison.Ordinal), line);
    }

    TemplateToken Quoted(char quote)
    {
        int begun = line;
        var value = new StringBuilder();
        for (at++; ; at++)
        {
            if (at >= text.Length) throw TemplateError.Syntax(name, begun, "a text in quotes is not closed");
            char c = text[at];
            if (c == '\n') line++;
            if (c == quote) break;
            if (c != '\\' || at + 1 >= text.Length)
            {
                value.Append(c);
                continue;
            }
            at++;
            switch (text[at])
            {
                case 'n': value.Append('\n'); break;
                case 't': value.Append('\t'); break;
                case 'r': value.Append('\r'); break;
                case 'b': value.Append('\b'); break;
                case 'f': value.Append('\f'); break;
                case 'v': value.Append('\v'); break;
                case 'a': value.Append('\a'); break;
                case '\\' or '\'' or '"': value.Append(text[at]); break;
                case '\n': line++; break;
                case 'x': Hex(2); break;
                case 'u': Hex(4); break;
                case 'U': Hex(8); break;
                case >= '0' and <= '7':
                    int octal = 0, digits = 0;
                    for (; digits < 3 && at + digits < text.Length && text[at + digits] is >= '0' and <= '7'; digits++)
                        octal = octal * 8 + (text[at + digits] - '0');
                    value.Append((char)octal);
                    at += digits - 1;
                    break;
                default: value.Append('\\').Append(text[at]); break;
            }
        }
        at++;
        return new(TemplateTokenKind.String, value.ToString(), begun);

        void Hex(int digits)
        {
            if (at + digits >= text.Length
                || !int.TryParse(text.AsSpan(at + 1, digits), NumberStyles.AllowHexSpecifier,
                    CultureInfo.InvariantCulture, out int code)
                || code > 0x10ffff || code < 0)
                throw TemplateError.Syntax(name, line,
                    $"'\\{text[at]}' is not followed by {digits} hexadecimal digits of a character");
            if (code is >= 0xd800 and <= 0xdfff || code < 0x10000) value.Append((char)code);
            else value.Append(char.ConvertFromUtf32(code));
            at += digits;
        }
    }
}
