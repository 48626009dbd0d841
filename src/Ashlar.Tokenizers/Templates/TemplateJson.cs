using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Ashlar.Tokenizers;

/// <summary>So that JSON nodes can be read without reflection.</summary>
[JsonSerializable(typeof(JsonNode))]
sealed partial class JsonContext : JsonSerializerContext;

/// <summary>Values as JSON, as Python's <c>json.dumps</c> writes them.</summary>
static class TemplateJson
{
    public static string Write(
        object? value, Rendering rendering, string? indent = null, string between = ", ", string behindKey = ": ",
        bool asciiOnly = false, bool sorts = false)
    {
        var text = new StringBuilder();
        Add(value, 0);
        return text.ToString();

        void Add(object? value, int depth)
        {
            RuntimeHelpers.EnsureSufficientExecutionStack();
            rendering.Charge(1);
            rendering.CheckLength(text.Length);
            switch (value)
            {
                case null: text.Append("null"); break;
                case bool flag: text.Append(flag ? "true" : "false"); break;
                case long number: text.Append(number); break;
                case double number:
                    text.Append(double.IsNaN(number)
                        ? "NaN"
                        : double.IsInfinity(number) ? number > 0 ? "Infinity" : "-Infinity" : Values.FloatText(number));
                    break;
                case string known: Quote(known); break;
                case List<object?> list:
                    Group('[', ']', list.Count, depth, i => Add(list[i], depth + 1));
                    break;
                case TemplateMap map:
                    var entries = sorts ? map.OrderBy(entry => Key(entry.Key), StringComparer.Ordinal).ToArray() : map.ToArray();
                    Group('{', '}', entries.Length, depth, i =>
                    {
                        Quote(Key(entries[i].Key));
                        text.Append(behindKey);
                        Add(entries[i].Value, depth + 1);
                    });
                    break;
                default:
                    throw new TemplateProblem(value is Undefined missing
                    ? $"{missing.What} is undefined and cannot be written as JSON"
                    : $"{Values.TypeOf(value)} cannot be written as JSON");
            }
        }

        string Key(object key) => key switch
        {
            string name => name,
            bool flag => flag ? "true" : "false",
            _ => Values.ToText(key, rendering),
        };

        void Group(char open, char close, int count, int depth, Action<int> add)
        {
            text.Append(open);
            for (int i = 0; i < count; i++)
            {
                if (i > 0) text.Append(between);
                NewLine(depth + 1);
                add(i);
            }
            if (count > 0) NewLine(depth);
            text.Append(close);
        }

        void NewLine(int depth)
        {
            if (indent is null) return;
            text.Append('\n');
            for (int i = 0; i < depth; i++) text.Append(indent);
        }

        void Quote(string known)
        {
            rendering.CheckLength(text.Length + known.Length);
            text.Append('"');
            foreach (char c in known)
            {
                switch (c)
                {
                    case '"': text.Append("\\\""); break;
                    case '\\': text.Append("\\\\"); break;
                    case '\n': text.Append("\\n"); break;
                    case '\r': text.Append("\\r"); break;
                    case '\t': text.Append("\\t"); break;
                    case '\b': text.Append("\\b"); break;
                    case '\f': text.Append("\\f"); break;
                    default:
                        if (c < ' ' || asciiOnly && c > 126) text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
                        else text.Append(c);
                        break;
                }
            }
            text.Append('"');
        }
    }
}
