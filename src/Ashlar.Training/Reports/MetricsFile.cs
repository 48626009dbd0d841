using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Ashlar.Training;

/// <summary>Numbers of a step, by name.</summary>
/// <param name="Step">Updates made.</param>
/// <param name="Values">By name; NaN where a number was not finite.</param>
public sealed record Metrics(long Step, IReadOnlyDictionary<string, double> Values);

/// <summary>Numbers of a run as lines of JSON: <c>{"step":10,"loss":2.5}</c>. Not thread-safe.</summary>
/// <remarks>A number that is not finite is <c>null</c>, since JSON has no word for it. Every line is written at once.</remarks>
public sealed class MetricsFile : IDisposable
{
    readonly FileStream file;
    readonly ArrayBufferWriter<byte> line = new();

    MetricsFile(FileStream file) => this.file = file;

    /// <summary>The file.</summary>
    public string Path => file.Name;

    /// <summary>Begins a file; one of that name is replaced.</summary>
    /// <exception cref="IOException">The file cannot be made.</exception>
    public static MetricsFile Create(string path) => Open(path, FileMode.Create);

    /// <summary>
    /// Goes on with the file of a run that is resumed, without what the run had written beyond the step where it resumes.
    /// </summary>
    /// <param name="path">Made where it does not exist.</param>
    /// <param name="step">Updates made so far; lines of later steps go, and with them a line that is not whole.</param>
    /// <exception cref="IOException">The file cannot be opened.</exception>
    public static MetricsFile Resume(string path, long step)
    {
        string[] kept = !File.Exists(path)
            ? []
            : [.. File.ReadLines(path).Where(line => Parse(line) is { } metrics && metrics.Step <= step)];
        AtomicReplace(path, kept);
        return Open(path, FileMode.Append);
    }

    /// <summary>Every line of a file that is whole; none where there is no file.</summary>
    public static IReadOnlyList<Metrics> Read(string path) =>
        !File.Exists(path) ? [] : [.. File.ReadLines(path).Select(Parse).OfType<Metrics>()];

    /// <summary>Writes a line.</summary>
    /// <param name="step">Updates made.</param>
    /// <param name="values">Names other than <c>step</c>, and numbers.</param>
    /// <exception cref="IOException">The disk is full.</exception>
    public void Write(long step, params IReadOnlyList<(string Name, double Value)> values)
    {
        line.ResetWrittenCount();
        using (var json = new Utf8JsonWriter(line, new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteNumber("step", step);
            foreach (var (name, value) in values)
            {
                if (!double.IsFinite(value)) json.WriteNull(name);
                // 0.1, not 0.10000000149011612
                else if ((float)value is var shorter && shorter == value) json.WriteNumber(name, shorter);
                else json.WriteNumber(name, value);
            }
            json.WriteEndObject();
        }
        line.Write("\n"u8);
        file.Write(line.WrittenSpan);
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => file.Dispose();

    static MetricsFile Open(string path, FileMode mode)
    {
        if (System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path)) is { } folder) Directory.CreateDirectory(folder);
        return new(new(path, mode, FileAccess.Write, FileShare.Read | FileShare.Delete, bufferSize: 0));
    }

    static void AtomicReplace(string path, string[] lines) =>
        Formats.AtomicFile.Write(path, Encoding.UTF8.GetBytes(string.Concat(lines.Select(line => line + "\n"))));

    static Metrics? Parse(string line)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("step", out var step)
                || step.ValueKind != JsonValueKind.Number || !step.TryGetInt64(out long number))
                return null;
            var values = new Dictionary<string, double>();
            foreach (var property in root.EnumerateObject())
                if (property.Name != "step")
                    values[property.Name] = property.Value.ValueKind == JsonValueKind.Number
                        ? property.Value.GetDouble()
                        : double.NaN;
            return new(number, values);
        }
        catch (JsonException)
        {
            return null;   // a line that a killed process did not finish
        }
    }
}
