using System.Globalization;
using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>The functions that every template can call.</summary>
static class Globals
{
    static readonly Dictionary<string, TemplateFunction> known = new(StringComparer.Ordinal)
    {
        ["range"] = Range,
        ["namespace"] = Namespace,
        ["dict"] = Dict,
        ["list"] = (rendering, given) => given.TryTake("iterable", out object? value)
            ? rendering.Sized([.. Values.Items(value, rendering)])
            : new List<object?>(),
        ["raise_exception"] = (rendering, given) =>
            throw new TemplateProblem(Values.ToText(given.Need("message"), rendering), TemplateProblem.Kind.Raised),
        ["strftime_now"] = (rendering, given) => rendering.Sized(Strftime(given.Text("format"), rendering.Now)),
        ["joiner"] = (rendering, given) =>
        {
            string separator = given.OptionalText("sep") ?? ", ";
            bool used = false;
            return (TemplateFunction)((_, _) =>
            {
                string text = used ? separator : "";
                used = true;
                return text;
            });
        },
    };

    public static TemplateFunction? Find(string name) => known.GetValueOrDefault(name);

    static List<object?> Range(Rendering rendering, Arguments given)
    {
        long first = Values.ToLong(given.Need("start"));
        bool hasStop = given.TryTake("stop", out object? stop);
        long step = given.Number("step", 1);
        given.Done("range");
        long from = hasStop ? first : 0, to = hasStop ? Values.ToLong(stop) : first;
        if (step == 0) throw new TemplateProblem("the step of a range is zero");
        var count = step > 0 ? ((Int128)to - from + step - 1) / step : ((Int128)from - to - step - 1) / -(Int128)step;
        if (count <= 0) return [];
        rendering.CheckEntries(count > long.MaxValue ? long.MaxValue : (long)count);
        var list = new List<object?>((int)count);
        for (long i = 0; i < count; i++) list.Add(from + i * step);
        return rendering.Sized(list);
    }

    static TemplateNamespace Namespace(Rendering rendering, Arguments given)
    {
        var made = new TemplateNamespace();
        foreach (object? position in given.Positions)
            foreach (var (key, value) in position as TemplateMap
                ?? throw new TemplateProblem("a namespace is made of names and values"))
                made.Values[Values.ToText(key, rendering)] = value;
        foreach (var (name, value) in given.Names) made.Values[name] = value;
        return made;
    }

    static TemplateMap Dict(Rendering rendering, Arguments given)
    {
        var made = new TemplateMap();
        foreach (object? position in given.Positions)
        {
            if (position is TemplateMap map) foreach (var (key, value) in map) made[key] = value;
            else foreach (object? pair in Values.Items(position, rendering))
            {
                if (pair is not List<object?> { Count: 2 } both || both[0] is null)
                    throw new TemplateProblem("dict was given what is no list of pairs");
                made[both[0]!] = both[1];
            }
        }
        foreach (var (name, value) in given.Names) made[name] = value;
        return made;
    }

    /// <summary>A time in the form that C's <c>strftime</c> takes, in English.</summary>
    public static string Strftime(string format, DateTimeOffset time)
    {
        var text = new StringBuilder();
        var english = CultureInfo.InvariantCulture;
        for (int i = 0; i < format.Length; i++)
        {
            if (format[i] != '%' || i + 1 == format.Length)
            {
                text.Append(format[i]);
                continue;
            }
            bool bare = format[i + 1] == '-' && i + 2 < format.Length;
            char what = format[i += bare ? 2 : 1];
            string part = what switch
            {
                'Y' => time.Year.ToString("0000", english),
                'y' => (time.Year % 100).ToString("00", english),
                'm' => time.Month.ToString("00", english),
                'd' => time.Day.ToString("00", english),
                'e' => time.Day.ToString(english).PadLeft(2),
                'B' => time.ToString("MMMM", english),
                'b' or 'h' => time.ToString("MMM", english),
                'A' => time.ToString("dddd", english),
                'a' => time.ToString("ddd", english),
                'H' => time.Hour.ToString("00", english),
                'I' => ((time.Hour + 11) % 12 + 1).ToString("00", english),
                'M' => time.Minute.ToString("00", english),
                'S' => time.Second.ToString("00", english),
                'f' => (time.Ticks % 10_000_000 / 10).ToString("000000", english),
                'p' => time.Hour < 12 ? "AM" : "PM",
                'j' => time.DayOfYear.ToString("000", english),
                'w' => ((int)time.DayOfWeek).ToString(english),
                'u' => ((int)time.DayOfWeek + 6) % 7 + 1 is var day ? day.ToString(english) : "",
                'z' => time.ToString("zzz", english).Replace(":", "", StringComparison.Ordinal),
                'Z' => time.Offset == TimeSpan.Zero ? "UTC" : "",
                'F' => time.ToString("yyyy-MM-dd", english),
                'T' => time.ToString("HH:mm:ss", english),
                'R' => time.ToString("HH:mm", english),
                'D' => time.ToString("MM/dd/yy", english),
                'x' => time.ToString("MM/dd/yy", english),
                'X' => time.ToString("HH:mm:ss", english),
                'c' => time.ToString("ddd MMM ", english) + time.Day.ToString(english).PadLeft(2)
                    + time.ToString(" HH:mm:ss yyyy", english),
                '%' => "%",
                'n' => "\n",
                't' => "\t",
                _ => throw new TemplateProblem($"the time format '{format}' has '%{what}', which is not known"),
            };
            text.Append(bare ? part.TrimStart('0') is { Length: > 0 } trimmed ? trimmed : "0" : part);
        }
        return text.ToString();
    }
}
