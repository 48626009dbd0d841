namespace Ashlar.Tiles;

/// <summary>What a piece of the text is.</summary>
enum TokenKind
{
    Name,
    Number,
    Text,   // between quotes, which are taken off
    Sign,
    End,
}

/// <summary>A piece of the text and where it begins.</summary>
readonly record struct Token(TokenKind Kind, string Text, int Line, int Column)
{
    public string Where => $"line {Line}, column {Column}";
}

/// <summary>Cuts the text form into tokens. Blanks and line ends only separate; <c>//</c> begins a comment.</summary>
static class TextTokens
{
    static readonly string[] signs =
        ["<<", ">>", "<=", "==", "!=", "+=", "..", .. "()[]{}<>+-*/%&^|!=,:".Select(c => c.ToString())];

    public static List<Token> Read(string text)
    {
        var tokens = new List<Token>();
        int line = 1, start = 0;
        for (int at = 0; ;)
        {
            while (at < text.Length && (char.IsWhiteSpace(text[at]) || text.AsSpan(at).StartsWith("//")))
            {
                if (text[at] == '/')
                    while (at + 1 < text.Length && text[at + 1] != '\n') at++;
                if (text[at++] != '\n') continue;
                line++;
                start = at;
            }
            int column = at - start + 1;
            if (at == text.Length)
            {
                tokens.Add(new(TokenKind.End, "", line, column));
                return tokens;
            }
            int end = at;
            var kind = TokenKind.Sign;
            if (char.IsAsciiDigit(text[at]))
            {
                kind = TokenKind.Number;
                end = NumberEnd(text, at);
            }
            else if (IsNamePart(text[at]))
            {
                kind = TokenKind.Name;
                while (end < text.Length && IsNamePart(text[end])) end++;
            }
            else if (text[at] == '"')
            {
                tokens.Add(new(TokenKind.Text, Quoted(text, ref end, $"line {line}, column {column}"), line, column));
                at = end;
                continue;
            }
            else
            {
                string? sign = Array.Find(signs, sign => text.AsSpan(at).StartsWith(sign));
                end += sign?.Length
                    ?? throw Error($"line {line}, column {column}", $"'{text[at]}'", "a name, a number or a sign");
            }
            tokens.Add(new(kind, text[at..end], line, column));
            at = end;
        }
    }

    public static KernelException Error(string where, string found, string wanted) =>
        new("ASH0540", $"the text of a tile program has {found} at {where}, where {wanted} belongs.",
            "correct the text; its grammar is docs/tile-text.md.");

    static bool IsNamePart(char c) => char.IsAsciiLetterOrDigit(c) || c == '_';

    // digits [. digits] [E [sign] digits] [_type]
    static int NumberEnd(string text, int at)
    {
        Digits();
        if (at + 1 < text.Length && text[at] == '.' && char.IsAsciiDigit(text[at + 1]))
        {
            at++;
            Digits();
        }
        if (at + 1 < text.Length && text[at] is 'E' or 'e')
        {
            at += text[at + 1] is '+' or '-' ? 2 : 1;
            Digits();
        }
        while (at < text.Length && IsNamePart(text[at])) at++;
        return at;

        void Digits()
        {
            while (at < text.Length && char.IsAsciiDigit(text[at])) at++;
        }
    }

    static string Quoted(string text, ref int at, string where)
    {
        var content = new System.Text.StringBuilder();
        for (at++; at < text.Length && text[at] is not ('"' or '\n'); at++)
        {
            if (text[at] == '\\' && at + 1 < text.Length)
                content.Append(text[++at] == 'n' ? '\n' : text[at]);
            else content.Append(text[at]);
        }
        if (at == text.Length || text[at] != '"') throw Error(where, "an open quote", "a closing one on the same line");
        at++;
        return content.ToString();
    }
}
