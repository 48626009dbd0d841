using System.Text.Json;

namespace Ashlar.Formats;

/// <summary>The JSON files beside the weights of a model: config.json, tokenizer.json and others.</summary>
static class ModelJson
{
    const long Longest = 256 << 20;

    /// <summary>The object in a file; null where there is no such file.</summary>
    /// <exception cref="ModelFileException">The file is no JSON object, or too long to be one of a model.</exception>
    public static JsonElement? Read(string folder, string name)
    {
        string path = Path.Combine(folder, name);
        try
        {
            if (!File.Exists(path)) return null;
            long length = new FileInfo(path).Length;
            if (length > Longest) throw Invalid(path, $"has {length:N0} bytes; such a file has at most {Longest:N0}");
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            return document.RootElement.ValueKind == JsonValueKind.Object ? document.RootElement.Clone()
                : throw Invalid(path, "is no object");
        }
        catch (JsonException error)
        {
            throw Invalid(path, $"is not JSON: {error.Message.TrimEnd('.')}");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ModelFileException("ASH0410",
                $"{path} could not be opened: {error.Message.TrimEnd('.')}.", "check whether the file may be read.");
        }
    }

    /// <summary>The object in a text.</summary>
    public static JsonElement Parse(string text, string where)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            return document.RootElement.ValueKind == JsonValueKind.Object ? document.RootElement.Clone()
                : throw Invalid(where, "is no object");
        }
        catch (JsonException error)
        {
            throw Invalid(where, $"is not JSON: {error.Message.TrimEnd('.')}");
        }
    }

    /// <summary>A text file; null where there is none.</summary>
    public static string? ReadText(string folder, string name)
    {
        string path = Path.Combine(folder, name);
        if (!File.Exists(path)) return null;
        if (new FileInfo(path).Length > 1 << 24) throw Invalid(path, "has over 16 MiB, too many for a text of a model");
        return File.ReadAllText(path);
    }

    public static string? Text(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value)
            && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    public static JsonElement? Member(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value)
            && value.ValueKind != JsonValueKind.Null ? value : null;

    static ModelFileException Invalid(string path, string problem) =>
        new("ASH0461", $"{path} {problem}.", "download the file again.");
}
