using System.Globalization;
using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>The methods of Python's texts.</summary>
static class TextMethods
{
    public static TemplateFunction? Find(string text, string name)
    {
        Func<Rendering, Arguments, object?>? method = name switch
        {
            "strip" => (_, given) => Strip(text, given.OptionalText("chars"), true, true),
            "lstrip" => (_, given) => Strip(text, given.OptionalText("chars"), true, false),
            "rstrip" => (_, given) => Strip(text, given.OptionalText("chars"), false, true),
            "split" => (rendering, given) =>
                rendering.Sized(Split(text, given.OptionalText("sep"), given.Number("maxsplit", -1))),
            "rsplit" => (rendering, given) =>
                rendering.Sized(SplitBehind(text, given.OptionalText("sep"), given.Number("maxsplit", -1))),
            "splitlines" => (rendering, given) => rendering.Sized(Lines(text, given.Flag("keepends", false))),
            "partition" => (_, given) => Partition(text, given.Text("sep"), isLast: false),
            "rpartition" => (_, given) => Partition(text, given.Text("sep"), isLast: true),
            "startswith" => (_, given) => Any(given.Need("prefix"), part => text.StartsWith(part, StringComparison.Ordinal)),
            "endswith" => (_, given) => Any(given.Need("suffix"), part => text.EndsWith(part, StringComparison.Ordinal)),
            "removeprefix" => (_, given) =>
                given.Text("prefix") is var part && text.StartsWith(part, StringComparison.Ordinal) ? text[part.Length..] : text,
            "removesuffix" => (_, given) => given.Text("suffix") is { Length: > 0 } part
                && text.EndsWith(part, StringComparison.Ordinal) ? text[..^part.Length] : text,
            "upper" => (_, _) => text.ToUpperInvariant(),
            "lower" or "casefold" => (_, _) => text.ToLowerInvariant(),
            "title" => (_, _) => Title(text, wordsOnly: false),
            "capitalize" => (_, _) => Capitalize(text),
            "swapcase" => (_, _) =>
                string.Concat(text.Select(c => char.IsUpper(c) ? char.ToLowerInvariant(c) : char.ToUpperInvariant(c))),
            "replace" => (rendering, given) =>
                Replace(text, given.Text("old"), given.Text("new"), given.Number("count", -1), rendering),
            "find" => (_, given) => Place(text, text.IndexOf(given.Text("sub"), StringComparison.Ordinal)),
            "rfind" => (_, given) => Place(text, text.LastIndexOf(given.Text("sub"), StringComparison.Ordinal)),
            "index" => (_, given) =>
                text.IndexOf(given.Text("sub"), StringComparison.Ordinal) is >= 0 and var at ? Place(text, at)
                : throw new TemplateProblem("a text is asked for the place of a part that it does not hold"),
            "count" => (_, given) =>
                given.Text("sub") is { Length: > 0 } part ? (long)text.AsSpan().Count(part) : Values.Length(text) + 1,
            "join" => (rendering, given) => Filters.Join(Values.Items(given.Need("iterable"), rendering), text, rendering),
            "format" => (rendering, given) => Formatted(text, given, rendering),
            "zfill" => (rendering, given) =>
                Pad(text.StartsWith('-') ? text[1..] : text, given.Number("width", 0) - (text.StartsWith('-') ? 1 : 0), '0', 1,
                    rendering) is var padded && text.StartsWith('-') ? "-" + padded : padded,
            "ljust" => (rendering, given) =>
                Pad(text, given.Number("width", 0), (given.OptionalText("fillchar") ?? " ")[0], 0, rendering),
            "rjust" => (rendering, given) =>
                Pad(text, given.Number("width", 0), (given.OptionalText("fillchar") ?? " ")[0], 1, rendering),
            "center" => (rendering, given) =>
                Pad(text, given.Number("width", 0), (given.OptionalText("fillchar") ?? " ")[0], 0.5, rendering),
            "isdigit" or "isdecimal" or "isnumeric" => (_, _) => text.Length > 0 && text.All(char.IsDigit),
            "isalpha" => (_, _) => text.Length > 0 && text.All(char.IsLetter),
            "isalnum" => (_, _) => text.Length > 0 && text.All(char.IsLetterOrDigit),
            "isspace" => (_, _) => text.Length > 0 && text.All(char.IsWhiteSpace),
            "isupper" => (_, _) => text.Any(char.IsUpper) && !text.Any(char.IsLower),
            "islower" => (_, _) => text.Any(char.IsLower) && !text.Any(char.IsUpper),
            _ => null,
        };
        if (method is null) return null;
        return (rendering, given) =>
        {
            object? result = method(rendering, given);
            if (name != "format") given.Done($"'{name}'");
            return result is string made ? rendering.Sized(made) : result;
        };
    }

    static string Formatted(string text, Arguments given, Rendering rendering) => PrintfText.Braces(text, given, rendering);

    public static string Strip(string text, string? characters, bool left, bool right)
    {
        int start = 0, end = text.Length;
        bool Goes(char c) => characters is null ? IsSpace(c) : characters.Contains(c, StringComparison.Ordinal);
        while (left && start < end && Goes(text[start])) start++;
        while (right && end > start && Goes(text[end - 1])) end--;
        return text[start..end];
    }

    // Python's white space has four separators more.
    static bool IsSpace(char c) => char.IsWhiteSpace(c) || c is >= '\x1c' and <= '\x1f';

    static List<object?> Split(string text, string? separator, long most)
    {
        var parts = new List<object?>();
        if (separator is not null)
        {
            if (separator.Length == 0) throw new TemplateProblem("a text is to be split by an empty text");
            int from = 0;
            while (most-- != 0 && text.IndexOf(separator, from, StringComparison.Ordinal) is >= 0 and var at)
            {
                parts.Add(text[from..at]);
                from = at + separator.Length;
            }
            parts.Add(text[from..]);
            return parts;
        }
        for (int at = 0; ;)
        {
            while (at < text.Length && IsSpace(text[at])) at++;
            if (at == text.Length) return parts;
            if (most-- == 0)
            {
                parts.Add(Strip(text[at..], null, false, true));
                return parts;
            }
            int start = at;
            while (at < text.Length && !IsSpace(text[at])) at++;
            parts.Add(text[start..at]);
        }
    }

    static List<object?> SplitBehind(string text, string? separator, long most)
    {
        if (most < 0) return Split(text, separator, most);
        var parts = new List<object?>();
        if (separator is null)
        {
            text = Strip(text, null, true, true);
            for (; most-- > 0;)
            {
                int space = text.Length - 1;
                while (space >= 0 && !IsSpace(text[space])) space--;
                if (space < 0) break;
                parts.Insert(0, text[(space + 1)..]);
                text = Strip(text[..space], null, false, true);
            }
            if (text.Length > 0) parts.Insert(0, text);
            return parts;
        }
        if (separator.Length == 0) throw new TemplateProblem("a text is to be split by an empty text");
        while (most-- > 0 && text.LastIndexOf(separator, StringComparison.Ordinal) is >= 0 and var at)
        {
            parts.Insert(0, text[(at + separator.Length)..]);
            text = text[..at];
        }
        parts.Insert(0, text);
        return parts;
    }

    static List<object?> Lines(string text, bool keepsEnds)
    {
        var lines = new List<object?>();
        for (int at = 0; at < text.Length;)
        {
            int end = at;
            while (end < text.Length
                && text[end] is not ('\n' or '\r' or '\v' or '\f' or '\x1c' or '\x1d' or '\x1e' or '\x85' or '\u2028'
                    or '\u2029')) end++;
            int next = end == text.Length ? end : text[end] == '\r' && end + 1 < text.Length
                && text[end + 1] == '\n' ? end + 2 : end + 1;
            lines.Add(text[at..(keepsEnds ? next : end)]);
            at = next;
        }
        return lines;
    }

    static List<object?> Partition(string text, string separator, bool isLast)
    {
        int at = separator.Length == 0 ? throw new TemplateProblem("a text is to be split by an empty text")
            : isLast ? text.LastIndexOf(separator, StringComparison.Ordinal) : text.IndexOf(separator, StringComparison.Ordinal);
        return at >= 0 ? [text[..at], separator, text[(at + separator.Length)..]] : isLast ? ["", "", text] : [text, "", ""];
    }

    static bool Any(object? parts, Func<string, bool> holds) => parts switch
    {
        string part => holds(part),
        List<object?> list => list.Exists(part => part is string text && holds(text)),
        _ => throw new TemplateProblem($"a text is compared with {Values.TypeOf(parts)}"),
    };

    static long Place(string text, int at) => at <= 0 ? at : at - text.AsSpan(0, at).ToString().Count(char.IsHighSurrogate);

    public static string Replace(string text, string old, string by, long count, Rendering rendering)
    {
        var result = new StringBuilder();
        int from = 0;
        if (old.Length == 0)
        {
            foreach (string character in Values.Characters(text))
            {
                if (count-- != 0) result.Append(by);
                else count = 0;
                result.Append(character);
                rendering.CheckLength(result.Length);
            }
            return count == 0 ? result.ToString() : result.Append(by).ToString();
        }
        while (count-- != 0 && text.IndexOf(old, from, StringComparison.Ordinal) is >= 0 and var at)
        {
            result.Append(text, from, at - from).Append(by);
            rendering.CheckLength(result.Length);
            from = at + old.Length;
        }
        return result.Append(text, from, text.Length - from).ToString();
    }

    /// <summary>Each word with a capital. A method takes any sign for the end of a word, a filter only some.</summary>
    public static string Title(string text, bool wordsOnly)
    {
        var result = new StringBuilder(text.Length);
        bool inWord = false;
        foreach (char c in text)
        {
            result.Append(inWord ? char.ToLowerInvariant(c) : char.ToUpperInvariant(c));
            inWord = wordsOnly ? !(IsSpace(c) || c is '-' or '(' or '{' or '[' or '<') : char.IsLetter(c);
        }
        return result.ToString();
    }

    public static string Capitalize(string text) =>
        text.Length == 0 ? text : char.ToUpperInvariant(text[0]) + text[1..].ToLowerInvariant();

    public static string Pad(string text, long width, char fill, double left, Rendering rendering)
    {
        long missing = width - Values.Length(text);
        if (missing <= 0) return text;
        rendering.CheckLength(missing + text.Length);
        int before = (int)(left == 0.5 ? missing / 2 + (missing & width & 1) : missing * left);
        return new string(fill, before) + text + new string(fill, (int)missing - before);
    }
}
