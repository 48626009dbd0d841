using System.Collections;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Ashlar.Tokenizers;

/// <summary>A name that means nothing: empty where it is written, false, and an error where something is asked of it.</summary>
sealed record Undefined(string What)
{
    public override string ToString() => "";
}

/// <summary>What templates keep values in across loops.</summary>
sealed class TemplateNamespace
{
    public Dictionary<string, object?> Values { get; } = [];
}

/// <summary>Something that can be called.</summary>
delegate object? TemplateFunction(Rendering rendering, Arguments arguments);

/// <summary>A mapping that keeps the order in which keys came, as Python's does.</summary>
sealed class TemplateMap : IEnumerable<KeyValuePair<object, object?>>
{
    readonly OrderedDictionary<object, object?> entries = new(KeyComparer.Instance);

    public int Count => entries.Count;

    public object? this[object key]
    {
        set => entries[key] = value;
    }

    public bool TryGet(object? key, out object? value)
    {
        value = null;
        return key is not null && entries.TryGetValue(key, out value);
    }

    public IEnumerable<object?> Keys => entries.Keys;

    public IEnumerator<KeyValuePair<object, object?>> GetEnumerator() => entries.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    // 1, 1.0 and True are one key.
    sealed class KeyComparer : IEqualityComparer<object>
    {
        public static KeyComparer Instance { get; } = new();

        public new bool Equals(object? x, object? y) => Values.AreEqual(x, y);

        public int GetHashCode(object obj) => obj switch
        {
            bool flag => flag ? 1 : 0,
            long number => number.GetHashCode(),
            double number =>
                number == Math.Floor(number) && Math.Abs(number) < 1e18 ? ((long)number).GetHashCode() : number.GetHashCode(),
            string text => text.GetHashCode(StringComparison.Ordinal),
            _ => 0,
        };
    }
}

/// <summary>
/// The values of templates and what Python does with them. A value is null, a bool, a long, a double, a string, a list
/// (<c>List&lt;object?&gt;</c>, which nobody changes), a <see cref="TemplateMap"/>, a <see cref="TemplateFunction"/>, or one of
/// a few things of its own.
/// </summary>
static class Values
{
    /// <summary>A value of the caller as a value of templates.</summary>
    public static object? From(object? value)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        return value switch
        {
            null or bool or long or double or string or List<object?> or TemplateMap or Undefined or TemplateFunction
                or TemplateNamespace => value,
            sbyte or byte or short or ushort or int or uint => Convert.ToInt64(value, CultureInfo.InvariantCulture),
            float or decimal => Convert.ToDouble(value, CultureInfo.InvariantCulture),
            JsonElement json => FromJson(json),
            JsonNode node => FromJson(JsonSerializer.SerializeToElement(node, JsonContext.Default.JsonNode)),
            JsonDocument document => FromJson(document.RootElement),
            IEnumerable<KeyValuePair<string, object?>> map => Map(map.Select(entry => ((object)entry.Key, entry.Value))),
            IEnumerable<KeyValuePair<string, string>> map => Map(map.Select(entry => ((object)entry.Key, (object?)entry.Value))),
            IDictionary map => Map(map.Keys.Cast<object>().Select(key => (key, map[key]))),
            IEnumerable list => list.Cast<object?>().Select(From).ToList(),
            _ => throw new TemplateProblem($"a value of the type {value.GetType().Name} cannot be given to a template"),
        };
    }

    static TemplateMap Map(IEnumerable<(object Key, object? Value)> entries)
    {
        var map = new TemplateMap();
        foreach (var (key, value) in entries) map[From(key)!] = From(value);
        return map;
    }

    static object? FromJson(JsonElement json)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        switch (json.ValueKind)
        {
            case JsonValueKind.String: return json.GetString();
            case JsonValueKind.True: return true;
            case JsonValueKind.False: return false;
            case JsonValueKind.Number:
                return json.GetRawText().AsSpan().IndexOfAny('.', 'e', 'E') < 0 && json.TryGetInt64(out long whole)
                    ? whole
                    : json.GetDouble();
            case JsonValueKind.Array: return json.EnumerateArray().Select(FromJson).ToList();
            case JsonValueKind.Object:
                var map = new TemplateMap();
                foreach (var entry in json.EnumerateObject()) map[entry.Name] = FromJson(entry.Value);
                return map;
            default: return null;
        }
    }

    /// <summary>What Python calls the type.</summary>
    public static string TypeOf(object? value) => value switch
    {
        null => "None",
        bool => "bool",
        long => "int",
        double => "float",
        string => "str",
        List<object?> => "list",
        TemplateMap => "dict",
        Undefined => "undefined",
        TemplateNamespace => "namespace",
        TemplateFunction => "function",
        _ => "loop",
    };

    public static bool IsTrue(object? value) => value switch
    {
        null or Undefined => false,
        bool flag => flag,
        long number => number != 0,
        double number => number != 0,
        string text => text.Length > 0,
        List<object?> list => list.Count > 0,
        TemplateMap map => map.Count > 0,
        _ => true,
    };

    public static bool AreEqual(object? x, object? y)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        switch (x, y)
        {
            case (null, null): return true;
            case (string a, string b): return a == b;
            case (long a, long b): return a == b;
            case (List<object?> a, List<object?> b):
                if (ReferenceEquals(a, b)) return true;
                if (a.Count != b.Count) return false;
                for (int i = 0; i < a.Count; i++)
                    if (!AreEqual(a[i], b[i])) return false;
                return true;
            case (TemplateMap a, TemplateMap b):
                return ReferenceEquals(a, b) || a.Count == b.Count
                    && a.All(entry => b.TryGet(entry.Key, out object? other) && AreEqual(entry.Value, other));
            case (Undefined, Undefined): return true;
            default:
                if (IsNumber(x) && IsNumber(y))
                    return x is double || y is double ? ToDouble(x) == ToDouble(y) : ToLong(x) == ToLong(y);
                return ReferenceEquals(x, y);
        }
    }

    public static int Compare(object? x, object? y)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        switch (x, y)
        {
            case (string a, string b): return CompareTexts(a, b);
            case (List<object?> a, List<object?> b):
                for (int i = 0; i < Math.Min(a.Count, b.Count); i++)
                    if (!AreEqual(a[i], b[i])) return Compare(a[i], b[i]);
                return a.Count.CompareTo(b.Count);
            default:
                if (IsNumber(x) && IsNumber(y))
                    return x is double || y is double ? ToDouble(x).CompareTo(ToDouble(y)) : ToLong(x).CompareTo(ToLong(y));
                throw new TemplateProblem($"{TypeOf(x)} and {TypeOf(y)} have no order");
        }
    }

    // By code point: halves of pairs come behind all else in UTF-16's own order, but stand for higher characters.
    static int CompareTexts(string a, string b)
    {
        for (int i = 0; i < Math.Min(a.Length, b.Length); i++)
        {
            if (a[i] == b[i]) continue;
            bool high = char.IsSurrogate(a[i]), other = char.IsSurrogate(b[i]);
            return high == other ? a[i].CompareTo(b[i]) : high ? 1 : -1;
        }
        return a.Length.CompareTo(b.Length);
    }

    public static bool IsNumber(object? value) => value is long or double or bool;

    public static double ToDouble(object? value) => value switch
    {
        double number => number,
        long number => number,
        _ => (bool)value! ? 1 : 0,
    };

    public static long ToLong(object? value) => value switch
    {
        long number => number,
        bool flag => flag ? 1 : 0,
        _ => throw new TemplateProblem($"{TypeOf(value)} is no whole number"),
    };

    /// <summary>As it is written into the text.</summary>
    public static string ToText(object? value, Rendering rendering)
    {
        string text = value switch
        {
            string known => known,
            null => "None",
            bool flag => flag ? "True" : "False",
            long number => number.ToString(CultureInfo.InvariantCulture),
            double number => FloatText(number),
            Undefined => "",
            List<object?> or TemplateMap =>
                rendering.Limits.PythonContainers ? Python(value, rendering) : TemplateJson.Write(value, rendering),
            TemplateNamespace => "<Namespace>",
            _ => $"<{TypeOf(value)}>",
        };
        return text;
    }

    /// <summary>As Python's <c>repr</c> writes it.</summary>
    public static string Python(object? value, Rendering rendering)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        string text = value switch
        {
            string known => Quote(known),
            List<object?> list => "[" + string.Join(", ", list.Select(entry => Python(entry, rendering))) + "]",
            TemplateMap map =>
                "{" + string.Join(", ", map.Select(entry => Python(entry.Key, rendering) + ": " + Python(entry.Value, rendering)))
                    + "}",
            _ => ToText(value, rendering),
        };
        return rendering.Sized(text);
    }

    static string Quote(string text)
    {
        char quote = text.Contains('\'', StringComparison.Ordinal) && !text.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        var result = new StringBuilder().Append(quote);
        foreach (char c in text)
        {
            if (c == quote || c == '\\') result.Append('\\').Append(c);
            else if (c == '\n') result.Append("\\n");
            else if (c == '\r') result.Append("\\r");
            else if (c == '\t') result.Append("\\t");
            else if (c < ' ' || c == 0x7f) result.Append(CultureInfo.InvariantCulture, $"\\x{(int)c:x2}");
            else result.Append(c);
        }
        return result.Append(quote).ToString();
    }

    /// <summary>As Python writes it: 22.0, 1e-05, 1e+16.</summary>
    public static string FloatText(double number)
    {
        if (double.IsNaN(number)) return "nan";
        if (double.IsInfinity(number)) return number > 0 ? "inf" : "-inf";
        if (number == 0) return double.IsNegative(number) ? "-0.0" : "0.0";
        string digits = number.ToString("E16", CultureInfo.InvariantCulture);
        string shortest = number.ToString("R", CultureInfo.InvariantCulture);
        int exponent = int.Parse(digits[(digits.IndexOf('E', StringComparison.Ordinal) + 1)..], CultureInfo.InvariantCulture);
        if (exponent is >= -4 and < 16)
        {
            string plain = shortest.Contains('E', StringComparison.Ordinal)
                ? ((decimal)number).ToString(CultureInfo.InvariantCulture)
                : shortest;
            return plain.Contains('.', StringComparison.Ordinal) ? plain : plain + ".0";
        }
        // The shortest digits, with a point behind the first.
        string mantissa = shortest.Contains('E', StringComparison.Ordinal)
            ? shortest[..shortest.IndexOf('E', StringComparison.Ordinal)]
            : Mantissa(shortest);
        return $"{mantissa}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent):00}";

        static string Mantissa(string plain)
        {
            string sign = plain.StartsWith('-') ? "-" : "";
            string all = plain.TrimStart('-').Replace(".", "", StringComparison.Ordinal).TrimStart('0').TrimEnd('0');
            return sign + (all.Length == 1 ? all : all[..1] + "." + all[1..]);
        }
    }

    /// <summary>What a loop goes through.</summary>
    public static IReadOnlyList<object?> Items(object? value, Rendering rendering) => value switch
    {
        List<object?> list => list,
        TemplateMap map => [.. map.Keys],
        Undefined => [],
        string text => rendering.Sized([.. Characters(text)]),
        _ => throw new TemplateProblem($"{TypeOf(value)} cannot be gone through"),
    };

    public static IEnumerable<string> Characters(string text)
    {
        for (int i = 0; i < text.Length;)
        {
            int length = char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]) ? 2 : 1;
            yield return text.Substring(i, length);
            i += length;
        }
    }

    public static long Length(object? value) => value switch
    {
        string text => text.Length - text.Count(char.IsHighSurrogate),
        List<object?> list => list.Count,
        TemplateMap map => map.Count,
        Undefined => 0,
        _ => throw new TemplateProblem($"{TypeOf(value)} has no length"),
    };

    public static bool Contains(object? container, object? value) => container switch
    {
        string text =>
            value is string part
                ? text.Contains(part, StringComparison.Ordinal)
                : throw new TemplateProblem($"a text is asked whether it holds a {TypeOf(value)}"),
        List<object?> list => list.Exists(entry => AreEqual(entry, value)),
        TemplateMap map => map.TryGet(value, out _),
        Undefined => false,
        _ => throw new TemplateProblem($"{TypeOf(container)} is asked whether it holds something"),
    };
}
