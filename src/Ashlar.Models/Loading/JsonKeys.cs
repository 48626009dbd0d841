using System.Text.Json;

namespace Ashlar.Models;

/// <summary>The keys of a config.json in the Hugging Face layout.</summary>
public sealed class JsonKeys : ModelKeys
{
    /// <summary>The most bytes that a config may have; real ones have a few thousand.</summary>
    public const long LongestFile = 16 << 20;

    readonly JsonElement root;
    readonly string family;

    JsonKeys(string source, JsonElement root, string? family) : base(source)
    {
        this.root = root;
        this.family = family ?? (root.TryGetProperty("model_type", out var type) && type.ValueKind == JsonValueKind.String
            ? type.GetString()!
            : "");
        All = [.. root.EnumerateObject().Where(property => property.Value.ValueKind != JsonValueKind.Null)
            .Select(property => property.Name)];
        Ignore("model_type");
    }

    /// <summary>Reads a config.</summary>
    /// <param name="path">The file, or a folder that holds <c>config.json</c>.</param>
    /// <exception cref="ModelFileException">ASH0730: there is no such file, or it holds no JSON object.</exception>
    public static JsonKeys Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string file = Directory.Exists(path) ? Path.Combine(path, "config.json") : path;
        byte[] content;
        try
        {
            using var stream = File.OpenRead(file);
            if (stream.Length > LongestFile) throw Unreadable(file, $"has {stream.Length:N0} bytes, more than a config can");
            content = new byte[stream.Length];
            stream.ReadExactly(content);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(file, $"could not be read: {error.Message.TrimEnd('.')}");
        }
        return Parse(file, content);
    }

    /// <summary>Reads a config from its text.</summary>
    /// <param name="source">What errors call it.</param>
    /// <param name="utf8">The text.</param>
    /// <exception cref="ModelFileException">ASH0730: it is no JSON object.</exception>
    public static JsonKeys Parse(string source, ReadOnlyMemory<byte> utf8)
    {
        try
        {
            using var document = JsonDocument.Parse(utf8, new() { AllowDuplicateProperties = false });
            if (document.RootElement.ValueKind != JsonValueKind.Object) throw Unreadable(source, "holds no JSON object");
            return new(source, document.RootElement.Clone(), null);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw Unreadable(source, $"is not well-formed JSON: {error.Message.TrimEnd('.')}");
        }
    }

    /// <inheritdoc/>
    public override string Family => family;

    /// <inheritdoc/>
    public override IReadOnlyList<string> All { get; }

    /// <inheritdoc/>
    public override bool Has(string key) => root.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null;

    /// <inheritdoc/>
    public override bool IsList(string key) => root.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.Array;

    private protected override int ReadInteger(string key)
    {
        var value = root.GetProperty(key);
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number)) return number;
        // writers of other languages may say 4096.0
        if (value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double real) && real == Math.Truncate(real)
            && Math.Abs(real) < int.MaxValue)
            return (int)real;
        throw Wrong(key, $"is {Shown(value)}, not a whole number of 32 bits");
    }

    private protected override double ReadNumber(string key) => NumberOf(key, root.GetProperty(key));

    private protected override bool ReadFlag(string key) =>
        root.GetProperty(key) is { ValueKind: JsonValueKind.True or JsonValueKind.False } value
        ? value.GetBoolean() : throw Wrong(key, $"is {Shown(root.GetProperty(key))}, not true or false");

    private protected override string ReadText(string key) => TextOf(key, root.GetProperty(key));

    private protected override double[] ReadNumbers(string key) => [.. Items(key).Select(item => NumberOf(key, item))];

    private protected override string[] ReadTexts(string key) => [.. Items(key).Select(item => TextOf(key, item))];

    private protected override bool[] ReadFlags(string key) => [.. Items(key).Select(item =>
        item.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? item.GetBoolean()
            : throw Wrong(key, $"holds {Shown(item)}, not true or false"))];

    private protected override ModelKeys ReadPart(string key) => root.GetProperty(key) is { ValueKind: JsonValueKind.Object } part
        ? new JsonKeys($"{Source} ({key})", part, part.TryGetProperty("model_type", out _) ? null : family)
        : throw Wrong(key, $"is {Shown(root.GetProperty(key))}, not an object");

    private protected override IReadOnlyList<ModelKeys> ReadParts(string key) => [.. Items(key).Select((item, i) =>
        item.ValueKind == JsonValueKind.Object
            ? new JsonKeys($"{Source} ({key} {i})", item, null)
            : throw Wrong(key, $"holds {Shown(item)}, not an object"))];

    JsonElement.ArrayEnumerator Items(string key) => root.GetProperty(key) is { ValueKind: JsonValueKind.Array } list
        ? list.EnumerateArray() : throw Wrong(key, $"is {Shown(root.GetProperty(key))}, not a list");

    double NumberOf(string key, JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && double.IsFinite(number)
            ? number : throw Wrong(key, $"is {Shown(value)}, not a finite number");

    string TextOf(string key, JsonElement value) =>
        value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Wrong(key, $"is {Shown(value)}, not a text");

    static string Shown(JsonElement value)
    {
        string text = value.GetRawText();
        return text.Length > 60 ? text[..60] + "..." : text;
    }

    static ModelFileException Unreadable(string file, string problem) => new("ASH0730",
        $"{file} {problem}.",
        "a model in the Hugging Face layout has a config.json beside its weights: download the folder again, whole.");
}
