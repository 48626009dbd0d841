using System.Globalization;
using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>Python's <c>"%s is %d" % values</c>, and its <c>"{} is {}".format(values)</c>.</summary>
static class PrintfText
{
    public static string Format(string format, object? values, Rendering rendering)
    {
        var list = values is List<object?> many ? many : [values];
        var text = new StringBuilder();
        int next = 0;
        for (int at = 0; at < format.Length; at++)
        {
            if (format[at] != '%')
            {
                text.Append(format[at]);
                continue;
            }
            int start = ++at;
            while (at < format.Length && "#0- +.123456789".Contains(format[at], StringComparison.Ordinal)) at++;
            if (at >= format.Length) throw new TemplateProblem($"the format '{format}' ends within a place");
            if (format[at] == '%')
            {
                text.Append('%');
                continue;
            }
            if (next >= list.Count) throw new TemplateProblem($"the format '{format}' has more places than there are values");
            object? value = list[next++];
            string flags = format[start..at];
            string[] sizes = flags.TrimStart('#', '0', '-', ' ', '+').Split('.');
            int width = sizes[0].Length > 0 ? int.Parse(sizes[0], CultureInfo.InvariantCulture) : 0;
            int? precision = sizes.Length > 1
                ? sizes[1].Length > 0 ? int.Parse(sizes[1], CultureInfo.InvariantCulture)
                : 0 : null;
            if (width > 1000 || precision > 100)
                throw new TemplateProblem($"the format '{format}' is too wide", TemplateProblem.Kind.Limit);
            string made = format[at] switch
            {
                's' => Cut(Values.ToText(value, rendering), precision),
                'r' => Cut(Values.Python(value, rendering), precision),
                'd' or 'i' =>
                    (value is double number ? (long)number : Values.ToLong(value)).ToString(CultureInfo.InvariantCulture),
                'f' or 'F' => Values.ToDouble(Number(value)).ToString("F" + (precision ?? 6), CultureInfo.InvariantCulture),
                'x' => Values.ToLong(value).ToString("x", CultureInfo.InvariantCulture),
                'X' => Values.ToLong(value).ToString("X", CultureInfo.InvariantCulture),
                var other => throw new TemplateProblem($"the format '{format}' has the place '%{other}', which is not known"),
            };
            if (flags.Contains('+', StringComparison.Ordinal) && Values.IsNumber(value) && !made.StartsWith('-'))
                made = "+" + made;
            bool zeros = flags.StartsWith('0') && Values.IsNumber(value);
            text.Append(flags.Contains('-', StringComparison.Ordinal)
                ? made.PadRight(width)
                : zeros ? made.PadLeft(width, '0') : made.PadLeft(width));
            rendering.CheckLength(text.Length);
        }
        return rendering.Sized(text.ToString());
    }

    /// <summary>Places without a format of their own: <c>{}</c>, <c>{0}</c>, <c>{name}</c>.</summary>
    public static string Braces(string format, Arguments arguments, Rendering rendering)
    {
        var text = new StringBuilder();
        int next = 0;
        for (int at = 0; at < format.Length; at++)
        {
            char c = format[at];
            if (c is '{' or '}' && at + 1 < format.Length && format[at + 1] == c)
            {
                text.Append(c);
                at++;
                continue;
            }
            if (c != '{')
            {
                text.Append(c);
                continue;
            }
            int end = format.IndexOf('}', at);
            string place = end < 0
                ? throw new TemplateProblem($"the format '{format}' has a '{{' that is not closed")
                : format[(at + 1)..end];
            object? value;
            if (place.Length == 0 || place.All(char.IsAsciiDigit))
            {
                int index = place.Length == 0 ? next++ : int.Parse(place, CultureInfo.InvariantCulture);
                value = index < arguments.Positions.Count
                    ? arguments.Positions[index]
                    : throw new TemplateProblem($"the format '{format}' has more places than there are values");
            }
            else if (!arguments.Names.TryGetValue(place, out value))
                throw new TemplateProblem($"the format '{format}' has the place '{{{place}}}', for which there is no value");
            text.Append(Values.ToText(value, rendering));
            rendering.CheckLength(text.Length);
            at = end;
        }
        return rendering.Sized(text.ToString());
    }

    static object? Number(object? value) =>
        Values.IsNumber(value) ? value : throw new TemplateProblem($"{Values.TypeOf(value)} is no number");

    static string Cut(string text, int? length) => length < text.Length ? text[..length.Value] : text;
}
