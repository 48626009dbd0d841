using System.Text.Json;

namespace Ashlar.Tokenizers;

/// <summary>An object of a <c>tokenizer.json</c> that knows which of its fields were read, so that none is left unread.</summary>
sealed class JsonPart
{
    readonly JsonElement element;
    readonly HashSet<string> read = [];

    public JsonPart(JsonElement element, string path, string source)
    {
        (this.element, Path, Source) = (element, path, source);
        if (element.ValueKind != JsonValueKind.Object) throw Invalid($"{path} is not an object");
    }

    /// <summary>Where it is in the file, as people write it.</summary>
    public string Path { get; }

    /// <summary>The file.</summary>
    public string Source { get; }

    /// <summary>A field; null where it is missing or null.</summary>
    public JsonElement? Field(string name)
    {
        read.Add(name);
        return element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }

    public string? Text(string name) => Field(name) is not { } value ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString() : throw Invalid($"{Path}.{name} is not a text");

    public string NeededText(string name) => Text(name) ?? throw Invalid($"{Path} has no field '{name}'");

    public bool Flag(string name, bool usual = false) => Field(name) is not { } value ? usual
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False
        ? value.GetBoolean()
        : throw Invalid($"{Path}.{name} is not true or false");

    public bool? OptionalFlag(string name) => Field(name) is null ? null : Flag(name);

    public int? Number(string name) => Field(name) is not { } value ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number)
        ? number
        : throw Invalid($"{Path}.{name} is not a whole number");

    public JsonPart? Part(string name) => Field(name) is { } value ? new(value, $"{Path}.{name}", Source) : null;

    public IEnumerable<JsonPart> Parts(string name)
    {
        if (Field(name) is not { } value) yield break;
        if (value.ValueKind != JsonValueKind.Array) throw Invalid($"{Path}.{name} is not a list");
        int i = 0;
        foreach (var entry in value.EnumerateArray()) yield return new(entry, $"{Path}.{name}[{i++}]", Source);
    }

    /// <summary>Fields that do not change tokens.</summary>
    public JsonPart Ignore(params ReadOnlySpan<string> names)
    {
        foreach (string name in names) read.Add(name);
        return this;
    }

    /// <summary>Refuses what was not read.</summary>
    public T Done<T>(T result)
    {
        foreach (var field in element.EnumerateObject())
            if (!read.Contains(field.Name)) throw Unsupported($"{Path} has the field '{field.Name}', whose meaning is not known");
        return result;
    }

    public TokenizerException Invalid(string problem) =>
        new("ASH0441", $"{Source} cannot be used: {problem}.", "write the tokenizer again, or fetch the file again.");

    public TokenizerException Unsupported(string problem) =>
        new("ASH0442", $"{Source} is of a kind that is not supported: {problem}.",
            "use another file of this tokenizer, or report it, with the file.");
}
