using System.Text.Json;

namespace Ashlar.Tokenizers;

/// <summary>The post-processors of a <c>tokenizer.json</c>: what they write around one text.</summary>
static class PostProcessors
{
    /// <param name="part">Null for none.</param>
    /// <param name="find">The token of a text.</param>
    public static (IReadOnlyList<int> Before, IReadOnlyList<int> Behind) Read(JsonPart? part, Func<string, int> find)
    {
        if (part is null) return ([], []);
        string type = part.NeededText("type");
        switch (type)
        {
            case "ByteLevel":
                part.Ignore("add_prefix_space", "trim_offsets", "use_regex");   // offsets alone
                return part.Done<(IReadOnlyList<int>, IReadOnlyList<int>)>(([], []));
            case "BertProcessing" or "RobertaProcessing":
                part.Ignore("trim_offsets", "add_prefix_space");
                return part.Done<(IReadOnlyList<int>, IReadOnlyList<int>)>(([Pair(part, "cls")], [Pair(part, "sep")]));
            case "Sequence":
                List<int> before = [], behind = [];
                foreach (var inner in part.Parts("processors"))
                {
                    var (first, last) = Read(inner, find);
                    before.InsertRange(0, first);
                    behind.AddRange(last);
                }
                return part.Done<(IReadOnlyList<int>, IReadOnlyList<int>)>((before, behind));
            case "TemplateProcessing":
                part.Ignore("pair");
                return part.Done(Template(part, find));
            default:
                throw part.Unsupported($"it has the post-processor '{type}'");
        }
    }

    static int Pair(JsonPart part, string name) =>
        part.Field(name) is { ValueKind: JsonValueKind.Array } pair && pair.GetArrayLength() == 2
            && pair[1].TryGetInt32(out int token)
            ? token : throw part.Invalid($"{part.Path}.{name} is not a text and its token");

    static (IReadOnlyList<int> Before, IReadOnlyList<int> Behind) Template(JsonPart part, Func<string, int> find)
    {
        var special = part.Field("special_tokens");
        List<int> before = [], behind = [];
        bool isBehind = false;
        foreach (var piece in part.Parts("single"))
        {
            if (piece.Part("SpecialToken") is { } token)
            {
                string name = token.Ignore("type_id").NeededText("id");
                (isBehind ? behind : before).AddRange(Tokens(name));
                token.Done(0);
            }
            else if (piece.Part("Sequence") is { } sequence && sequence.Ignore("type_id").NeededText("id") == "A" && !isBehind)
                isBehind = true;
            else throw part.Unsupported($"{piece.Path} is not one text with tokens around it");
            piece.Done(0);
        }
        if (!isBehind) throw part.Invalid($"{part.Path}.single has no place for the text");
        return (before, behind);

        IEnumerable<int> Tokens(string name)
        {
            if (special is { ValueKind: JsonValueKind.Object } map && map.TryGetProperty(name, out var entry)
                && entry.TryGetProperty("ids", out var ids) && ids.ValueKind == JsonValueKind.Array)
                return [.. ids.EnumerateArray().Select(id => id.GetInt32())];
            return [find(name)];
        }
    }
}
