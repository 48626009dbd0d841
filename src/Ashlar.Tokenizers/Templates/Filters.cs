using System.Globalization;
using System.Text;

namespace Ashlar.Tokenizers;

delegate object? TemplateFilter(Rendering rendering, object? value, Arguments arguments);

/// <summary>The filters, <c>value | name(arguments)</c>.</summary>
static class Filters
{
    static readonly Dictionary<string, TemplateFilter> known = new(StringComparer.Ordinal)
    {
        ["abs"] = (_, value, _) => value switch
        {
            long number => (object)Math.Abs(number),
            double number => Math.Abs(number),
            _ => throw Not("abs", value),
        },
        ["attr"] = (_, value, given) => Members.Attribute(value, given.Text("name")),
        ["batch"] = Batch,
        ["capitalize"] = (rendering, value, _) => TextMethods.Capitalize(Text(value, rendering)),
        ["center"] = (rendering, value, given) =>
            TextMethods.Pad(Text(value, rendering), given.Number("width", 80), ' ', 0.5, rendering),
        ["count"] = (_, value, _) => Values.Length(value),
        ["length"] = (_, value, _) => Values.Length(value),
        ["d"] = Default,
        ["default"] = Default,
        ["dictsort"] = SortMap,
        ["e"] = Escape,
        ["escape"] = Escape,
        ["forceescape"] = Escape,
        ["first"] = (rendering, value, _) => value is string or List<object?> or TemplateMap or Undefined
            ? Values.Items(value, rendering) is { Count: > 0 } items
            ? items[0]
            : new Undefined("the first of nothing") : throw Not("first", value),
        ["last"] = (rendering, value, _) =>
            Values.Items(value, rendering) is { Count: > 0 } items ? items[^1] : new Undefined("the last of nothing"),
        ["float"] = ToFloat,
        ["int"] = ToInt,
        ["format"] = (rendering, value, given) => PrintfText.Format(Text(value, rendering), Rest(given), rendering),
        ["groupby"] = GroupBy,
        ["indent"] = Indent,
        ["items"] = (rendering, value, _) => value switch
        {
            TemplateMap map => rendering.Sized([.. map.Select(entry => (object?)new List<object?> { entry.Key, entry.Value })]),
            Undefined => new List<object?>(),
            _ => throw Not("items", value),
        },
        ["join"] = (rendering, value, given) =>
        {
            string separator = Values.ToText(given.Take("d", ""), rendering);
            object? attribute = given.Take("attribute", null);
            IEnumerable<object?> items = Values.Items(value, rendering);
            return Join(attribute is null ? items : items.Select(item => Path(item, attribute)), separator, rendering);
        },
        ["list"] = (rendering, value, _) => rendering.Sized([.. Values.Items(value, rendering)]),
        ["lower"] = (rendering, value, _) => rendering.Sized(Text(value, rendering).ToLowerInvariant()),
        ["upper"] = (rendering, value, _) => rendering.Sized(Text(value, rendering).ToUpperInvariant()),
        ["title"] = (rendering, value, _) => rendering.Sized(TextMethods.Title(Text(value, rendering), wordsOnly: true)),
        ["map"] = Map,
        ["max"] = (rendering, value, given) => Extreme(rendering, value, given, 1),
        ["min"] = (rendering, value, given) => Extreme(rendering, value, given, -1),
        ["pprint"] = (rendering, value, _) => Values.Python(value, rendering),
        ["reject"] = (rendering, value, given) => Select(rendering, value, given, byAttribute: false, keeps: false),
        ["rejectattr"] = (rendering, value, given) => Select(rendering, value, given, byAttribute: true, keeps: false),
        ["select"] = (rendering, value, given) => Select(rendering, value, given, byAttribute: false, keeps: true),
        ["selectattr"] = (rendering, value, given) => Select(rendering, value, given, byAttribute: true, keeps: true),
        ["replace"] = (rendering, value, given) =>
            rendering.Sized(TextMethods.Replace(Text(value, rendering), Values.ToText(given.Need("old"), rendering),
                Values.ToText(given.Need("new"), rendering), given.Number("count", -1), rendering)),
        ["reverse"] = (rendering, value, _) =>
            value is string text ? rendering.Sized(string.Concat(Values.Characters(text).Reverse()))
            : rendering.Sized([.. Values.Items(value, rendering).Reverse()]),
        ["round"] = Round,
        ["safe"] = (_, value, _) => value,
        ["slice"] = Slice,
        ["sort"] = Sort,
        ["string"] = (rendering, value, _) => Text(value, rendering),
        ["sum"] = (rendering, value, given) =>
        {
            object? attribute = given.Take("attribute", null), total = given.Take("start", 0L);
            foreach (object? item in Values.Items(value, rendering))
                total = Arithmetic.Do("+", total, attribute is null ? item : Path(item, attribute), rendering);
            return total;
        },
        ["tojson"] = ToJson,
        ["trim"] = (rendering, value, given) =>
            rendering.Sized(TextMethods.Strip(Text(value, rendering), given.OptionalText("chars"), true, true)),
        ["truncate"] = Truncate,
        ["unique"] = Unique,
        ["urlencode"] = (rendering, value, _) =>
            rendering.Sized(Uri.EscapeDataString(Text(value, rendering)).Replace("%2F", "/", StringComparison.Ordinal)),
        ["wordcount"] = (rendering, value, _) =>
            (long)Text(value, rendering).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length,
    };

    /// <returns>The filter, which refuses arguments that it does not know; null where there is none of that name.</returns>
    public static TemplateFilter? Find(string name) =>
        !known.TryGetValue(name, out var filter) ? null : (rendering, value, given) =>
    {
        object? result = filter(rendering, value, given);
        if (name is not ("map" or "select" or "reject" or "selectattr" or "rejectattr" or "format"))
            given.Done($"the filter '{name}'");
        return result;
    };

    static string Text(object? value, Rendering rendering) => Values.ToText(value, rendering);

    static TemplateProblem Not(string filter, object? value) => new(value is Undefined missing ? $"{missing.What} is undefined, but is given to the filter '{filter}'"
        : $"the filter '{filter}' is not for {Values.TypeOf(value)}");

    static List<object?> Rest(Arguments given)
    {
        var all = new List<object?>();
        while (given.TryTake("", out object? value)) all.Add(value);
        return all;
    }

    public static string Join(IEnumerable<object?> items, string separator, Rendering rendering)
    {
        var text = new StringBuilder();
        bool isFirst = true;
        foreach (object? item in items)
        {
            if (!isFirst) text.Append(separator);
            isFirst = false;
            text.Append(Values.ToText(item, rendering));
            rendering.CheckLength(text.Length);
        }
        return rendering.Sized(text.ToString());
    }

    // An attribute, or several with points between.
    static object? Path(object? item, object? attribute)
    {
        if (attribute is long) return Members.Item(item, attribute);
        foreach (string part in Values.TypeOf(attribute) == "str"
            ? ((string)attribute!).Split('.')
            : throw new TemplateProblem("an attribute is named by a text"))
            item = long.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out long index)
                ? Members.Item(item, index)
                : Members.Item(item, part);
        return item;
    }

    static object? Default(Rendering rendering, object? value, Arguments given)
    {
        object? otherwise = given.Take("default_value", "");
        bool whenFalse = given.Flag("boolean", false);
        return value is Undefined || whenFalse && !Values.IsTrue(value) ? otherwise : value;
    }

    static List<object?> Batch(Rendering rendering, object? value, Arguments given)
    {
        long count = Math.Max(1, given.Number("linecount", 1));
        object? fill = given.Take("fill_with", null);
        var batches = new List<object?>();
        foreach (object?[] batch in Values.Items(value, rendering).Chunk((int)Math.Min(count, int.MaxValue)))
        {
            List<object?> made = [.. batch];
            rendering.CheckEntries(fill is null ? 0 : count);
            while (fill is not null && made.Count < count) made.Add(fill);
            batches.Add(made);
        }
        return rendering.Sized(batches);
    }

    static List<object?> Slice(Rendering rendering, object? value, Arguments given)
    {
        var items = Values.Items(value, rendering);
        long slices = Math.Max(1, given.Number("slices", 1));
        object? fill = given.Take("fill_with", null);
        rendering.CheckEntries(slices);
        long each = items.Count / slices, more = items.Count % slices;
        var result = new List<object?>();
        int at = 0;
        for (long i = 0; i < slices; i++)
        {
            int take = (int)(each + (i < more ? 1 : 0));
            List<object?> part = [.. items.Skip(at).Take(take)];
            at += take;
            if (fill is not null && i >= more) part.Add(fill);
            result.Add(part);
        }
        return rendering.Sized(result);
    }

    static List<object?> SortMap(Rendering rendering, object? value, Arguments given)
    {
        if (value is not TemplateMap map) throw Not("dictsort", value);
        bool caseMatters = given.Flag("case_sensitive", false);
        bool byValue = given.OptionalText("by") == "value";
        bool reverse = given.Flag("reverse", false);
        var pairs = map.Select(entry => (object?)new List<object?> { entry.Key, entry.Value });
        return Sorted(pairs, pair => ((List<object?>)pair!)[byValue ? 1 : 0], caseMatters, reverse, rendering);
    }

    static List<object?> Sort(Rendering rendering, object? value, Arguments given)
    {
        bool reverse = given.Flag("reverse", false), caseMatters = given.Flag("case_sensitive", false);
        object? attribute = given.Take("attribute", null);
        return Sorted(Values.Items(value, rendering),
            item => attribute is null ? item : Path(item, attribute), caseMatters, reverse, rendering);
    }

    static List<object?> Sorted(IEnumerable<object?> items, Func<object?, object?> key, bool caseMatters, bool reverse,
        Rendering rendering)
    {
        var comparer = Comparer<object?>.Create((x, y) =>
        {
            rendering.Charge(1);
            return Values.Compare(x, y);
        });
        object? Folded(object? item) => key(item) is string text && !caseMatters ? text.ToLowerInvariant() : key(item);
        try
        {
            return rendering.Sized([.. reverse ? items.OrderByDescending(Folded, comparer) : items.OrderBy(Folded, comparer)]);
        }
        catch (InvalidOperationException error) when (error.InnerException is TemplateProblem problem)
        {
            throw problem;
        }
    }

    static List<object?> Unique(Rendering rendering, object? value, Arguments given)
    {
        bool caseMatters = given.Flag("case_sensitive", false);
        object? attribute = given.Take("attribute", null);
        var seen = new TemplateMap();
        var result = new List<object?>();
        foreach (object? item in Values.Items(value, rendering))
        {
            object? key = attribute is null ? item : Path(item, attribute);
            key = key is string text && !caseMatters ? text.ToLowerInvariant() : key ?? new List<object?>();
            if (seen.TryGet(key, out _)) continue;
            seen[key] = true;
            result.Add(item);
        }
        return rendering.Sized(result);
    }

    static List<object?> GroupBy(Rendering rendering, object? value, Arguments given)
    {
        object? attribute = given.Need("attribute"), otherwise = given.Take("default", null);
        bool caseMatters = given.Flag("case_sensitive", false);
        object? Key(object? item) =>
            Path(item, attribute) is Undefined && otherwise is not null ? otherwise : Path(item, attribute);
        var groups = new List<object?>();
        foreach (object? item in Sorted(Values.Items(value, rendering), Key, caseMatters, false, rendering))
        {
            object? key = Key(item);
            if (groups.Count == 0 || !Values.AreEqual(((List<object?>)groups[^1]!)[0], key))
                groups.Add(new List<object?> { key, new List<object?>() });
            ((List<object?>)((List<object?>)groups[^1]!)[1]!).Add(item);
        }
        return rendering.Sized(groups);
    }

    static object? Extreme(Rendering rendering, object? value, Arguments given, int sign)
    {
        given.Flag("case_sensitive", false);
        object? attribute = given.Take("attribute", null);
        object? best = new Undefined("the greatest or least of nothing");
        foreach (object? item in Values.Items(value, rendering))
            if (best is Undefined
                || Values.Compare(attribute is null
                    ? item
                    : Path(item, attribute), attribute is null ? best : Path(best, attribute)) * sign > 0) best = item;
        return best;
    }

    static List<object?> Map(Rendering rendering, object? value, Arguments given)
    {
        var items = Values.Items(value, rendering);
        if (given.Names.TryGetValue("attribute", out object? attribute))
        {
            bool has = given.Names.TryGetValue("default", out object? otherwise);
            return rendering.Sized([.. items.Select(item => Path(item, attribute) is var found && found is Undefined
                && has ? otherwise : found)]);
        }
        string name = given.Text("filter");
        var filter = Find(name) ?? throw new TemplateProblem($"there is no filter '{name}'");
        List<object?> rest = [.. given.Positions.Skip(1)];
        return rendering.Sized([.. items.Select(item => filter(rendering, item, new([.. rest], new(given.Names))))]);
    }

    static List<object?> Select(Rendering rendering, object? value, Arguments given, bool byAttribute, bool keeps)
    {
        var items = Values.Items(value, rendering);
        object? attribute = byAttribute ? given.Need("attribute") : null;
        string? name = given.OptionalText("test");
        var test = name is null ? (_, item, _) =>
            Values.IsTrue(item) : Tests.Find(name) ?? throw new TemplateProblem($"there is no test '{name}'");
        List<object?> rest = [.. given.Positions.Skip(byAttribute ? 2 : 1)];
        return rendering.Sized([.. items.Where(item =>
            test(rendering, byAttribute ? Path(item, attribute) : item, new([.. rest], [])) == keeps)]);
    }

    static object? ToInt(Rendering rendering, object? value, Arguments given)
    {
        object? otherwise = given.Take("default", 0L);
        long radix = given.Number("base", 10);
        switch (value)
        {
            case long or bool: return Values.ToLong(value);
            case double number: return Math.Abs(number) < 9e18 ? (long)number : otherwise;
            case string text:
                text = TextMethods.Strip(text, null, true, true).Replace("_", "", StringComparison.Ordinal);
                if (radix == 16
                    && long.TryParse(text.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
                        ? text[2..]
                        : text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out long hex)) return hex;
                if (radix == 10
                    && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture,
                        out long whole)) return whole;
                return radix == 10 && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double part)
                    && Math.Abs(part) < 9e18 ? (long)part : otherwise;
            default: return otherwise;
        }
    }

    static object? ToFloat(Rendering rendering, object? value, Arguments given)
    {
        object? otherwise = given.Take("default", 0.0);
        return Values.IsNumber(value) ? Values.ToDouble(value)
            : value is string text && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            ? number
            : otherwise;
    }

    static object? Round(Rendering rendering, object? value, Arguments given)
    {
        if (!Values.IsNumber(value)) throw Not("round", value);
        long precision = given.Number("precision", 0);
        string method = given.OptionalText("method") ?? "common";
        if (Math.Abs(precision) > 15) throw new TemplateProblem("a number is rounded to more than 15 places");
        double number = Values.ToDouble(value), scale = Math.Pow(10, precision);
        return method switch
        {
            "common" => precision >= 0
                ? Math.Round(number, (int)precision, MidpointRounding.ToEven)
                : Math.Round(number * scale, MidpointRounding.ToEven) / scale,
            "ceil" => Math.Ceiling(number * scale) / scale,
            "floor" => Math.Floor(number * scale) / scale,
            _ => throw new TemplateProblem($"numbers are not rounded by '{method}'"),
        };
    }

    static string Indent(Rendering rendering, object? value, Arguments given)
    {
        string text = Text(value, rendering);
        object? width = given.Take("width", 4L);
        bool first = given.Flag("first", false), blank = given.Flag("blank", false);
        string by = width as string ?? TextMethods.Pad("", Values.ToLong(width), ' ', 0, rendering);
        string[] lines = text.Split('\n');
        rendering.CheckLength(text.Length + (long)lines.Length * by.Length);
        for (int i = 0; i < lines.Length; i++)
            if (i == 0 ? first : blank || lines[i].Length > 0) lines[i] = by + lines[i];
        return rendering.Sized(string.Join('\n', lines));
    }

    static string Truncate(Rendering rendering, object? value, Arguments given)
    {
        string text = Text(value, rendering);
        long length = given.Number("length", 255);
        bool cutsWords = given.Flag("killwords", false);
        string end = given.OptionalText("end") ?? "...";
        long leeway = given.Number("leeway", 5);
        if (text.Length <= length + leeway) return text;
        string kept = text[..(int)Math.Max(0, length - end.Length)];
        if (!cutsWords && kept.LastIndexOf(' ') is > 0 and var space) kept = kept[..space];
        return kept + end;
    }

    static string Escape(Rendering rendering, object? value, Arguments given) =>
        rendering.Sized(Text(value, rendering).Replace("&", "&amp;", StringComparison.Ordinal)
        .Replace("<", "&lt;", StringComparison.Ordinal).Replace(">", "&gt;", StringComparison.Ordinal)
        .Replace("'", "&#39;", StringComparison.Ordinal).Replace("\"", "&#34;", StringComparison.Ordinal));

    // As transformers sets it: nothing is escaped for HTML, all characters are kept.
    static string ToJson(Rendering rendering, object? value, Arguments given)
    {
        object? asciiOnly = given.Take("ensure_ascii", false), indent = given.Take("indent", null),
            separators = given.Take("separators", null);
        bool sorts = given.Flag("sort_keys", false);
        string? step = indent switch
        {
            null => null,
            string text => text,
            _ => TextMethods.Pad("", Values.ToLong(indent), ' ', 0, rendering),
        };
        string between = step is null ? ", " : ",", behindKey = ": ";
        if (separators is not null)
        {
            if (separators is not List<object?> { Count: 2 } both || both[0] is not string first || both[1] is not string second)
                throw new TemplateProblem("the separators of tojson are two texts");
            (between, behindKey) = (first, second);
        }
        return rendering.Sized(TemplateJson.Write(value, rendering, step, between, behindKey, Values.IsTrue(asciiOnly), sorts));
    }
}
