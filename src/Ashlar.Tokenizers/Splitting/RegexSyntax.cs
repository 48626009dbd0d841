using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>Turns patterns as Oniguruma and Rust write them into patterns of .NET.</summary>
static class RegexSyntax
{
    const string Han =
        @"\u2e80-\u2e99\u2e9b-\u2ef3\u2f00-\u2fd5\u3005\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufa6d\ufa70-\ufad9";

    /// <summary>Possessive quantifiers become atomic groups, <c>\p{Han}</c> becomes its ranges, <c>\h</c> hexadecimal
    /// digits.</summary>
    public static string Translate(string pattern, string source)
    {
        foreach (char half in pattern)
            if (char.IsSurrogate(half)) throw Unsupported("names characters beyond U+FFFF");
        var result = new StringBuilder();
        var groups = new Stack<int>();
        int atom = 0;         // where the last atom begins in the result
        bool inClass = false;
        for (int at = 0; at < pattern.Length;)
        {
            char c = pattern[at];
            if (c == '\\' && at + 1 < pattern.Length)
            {
                if (!inClass) atom = result.Length;
                int close = pattern[at + 1] is 'p' or 'P' && at + 2 < pattern.Length && pattern[at + 2] == '{'
                    ? pattern.IndexOf('}', at)
                    : -1;
                if (close > 0)
                {
                    string name = pattern[(at + 3)..close];
                    bool negated = pattern[at + 1] == 'P' != name.StartsWith('^');
                    name = name.TrimStart('^');
                    if (name is "Han" or "Script=Han" or "sc=Han")
                    {
                        if (inClass && negated) throw Unsupported("excludes Chinese within a class");
                        result.Append(inClass ? Han : negated ? $"[^{Han}]" : $"[{Han}]");
                    }
                    else if (name.Length is 1 or 2) result.Append(negated ? @"\P{" : @"\p{").Append(name).Append('}');
                    else if (Property(name) is { } category)
                        result.Append(negated ? @"\P{" : @"\p{").Append(category).Append('}');
                    else throw Unsupported($"names the property '{name}'");
                    at = close + 1;
                    continue;
                }
                if (pattern[at + 1] == 'h') result.Append(inClass ? "0-9a-fA-F" : "[0-9a-fA-F]");
                else result.Append(c).Append(pattern[at + 1]);
                at += 2;
                continue;
            }
            if (inClass)
            {
                if (c == '[' && at + 1 < pattern.Length && pattern[at + 1] == ':') throw Unsupported("has a POSIX class");
                if (c == '&' && at + 1 < pattern.Length && pattern[at + 1] == '&') throw Unsupported("intersects classes (&&)");
                if (c == '[') throw Unsupported("nests classes");
                result.Append(c);
                inClass = c != ']';
                at++;
                continue;
            }
            switch (c)
            {
                case '[':
                    atom = result.Length;
                    inClass = true;
                    result.Append(c);
                    at++;
                    if (at < pattern.Length && pattern[at] == '^') result.Append(pattern[at++]);
                    if (at < pattern.Length && pattern[at] == ']')
                    {
                        result.Append(@"\]");
                        at++;
                    }
                    break;
                case '(':
                    groups.Push(result.Length);
                    result.Append(c);
                    at++;
                    break;
                case ')':
                    atom = groups.Count > 0 ? groups.Pop() : result.Length;
                    result.Append(c);
                    at++;
                    break;
                case '*' or '+' or '?' when result.Length > 0 && !(c == '?' && pattern[at - 1] == '('):
                    Quantifier(1);
                    break;
                case '{' when pattern.IndexOf('}', at) is > 0 and var end && IsCount(pattern.AsSpan(at + 1, end - at - 1)):
                    Quantifier(end - at + 1);
                    break;
                default:
                    if (c is not ('|' or '^' or '$')) atom = result.Length;
                    result.Append(c);
                    at++;
                    break;
            }

            void Quantifier(int length)
            {
                result.Append(pattern, at, length);
                at += length;
                if (at >= pattern.Length || pattern[at] != '+') return;
                // Behind a count it repeats what was counted, as in Ruby; else it gives nothing back.
                bool repeats = pattern[at - 1] == '}';
                result.Insert(atom, repeats ? "(?:" : "(?>").Append(repeats ? ")+" : ")");
                at++;
            }
        }
        return result.ToString();

        TokenizerException Unsupported(string what) =>
            new("ASH0472", $"{source} has the pattern '{pattern}', which {what}.", "report it, with the file.");
    }

    static bool IsCount(ReadOnlySpan<char> text) => text.Length > 0 && text.TrimStart("0123456789,").IsEmpty;

    static string? Property(string name) => name switch
    {
        "Letter" or "Alphabetic" => "L",
        "Mark" => "M",
        "Number" => "N",
        "Punctuation" or "Punct" => "P",
        "Symbol" => "S",
        "Separator" => "Z",
        _ => null,
    };
}
