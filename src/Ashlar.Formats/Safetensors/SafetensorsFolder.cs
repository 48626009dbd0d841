using System.Text.Json;

namespace Ashlar.Formats;

/// <summary>The weights of a model in the Hugging Face layout: one safetensors file, or several and an index.</summary>
/// <remarks>docs/guides/model-files.md describes the layout, docs/formats/safetensors.md the files.</remarks>
public sealed class SafetensorsFolder : WeightFile
{
    /// <summary>The file of a model that is not split.</summary>
    public const string SingleName = "model.safetensors";

    /// <summary>Which file of a split model has which weight.</summary>
    public const string IndexName = "model.safetensors.index.json";

    const long LongestIndex = 256 << 20;

    SafetensorsFolder(string path, string folder, MappedFile[] parts, WeightEntry[] entries, IReadOnlyDictionary<string,
        string> metadata)
        : base(path, parts, entries) => (Folder, Metadata) = (folder, metadata);

    /// <summary>The folder of the files, where config.json and the tokenizer lie too.</summary>
    public string Folder { get; }

    /// <summary>What the writer said about the first file; empty where it said nothing.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>True where a folder holds weights in this layout.</summary>
    public static bool IsOne(string folder) =>
        File.Exists(System.IO.Path.Combine(folder, SingleName)) || File.Exists(System.IO.Path.Combine(folder, IndexName))
        || Directory.Exists(folder) && Directory.EnumerateFiles(folder, "*.safetensors").Any();

    /// <summary>Opens a model and checks the headers of all its files, and the index against them.</summary>
    /// <param name="path">A folder, an index, or a single safetensors file.</param>
    /// <exception cref="ModelFileException">
    /// A file is missing, damaged or of another format; the index is not well formed, or names what is not there.
    /// </exception>
    public static new SafetensorsFolder Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!Directory.Exists(path))
        {
            string parent = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path)) ?? path;
            return path.EndsWith(".index.json", StringComparison.Ordinal) ? OpenIndexed(path, parent, path)
                : OpenFiles(path, parent, [path], null);
        }
        string single = System.IO.Path.Combine(path, SingleName), index = System.IO.Path.Combine(path, IndexName);
        if (File.Exists(single)) return OpenFiles(path, path, [single], null);
        if (File.Exists(index)) return OpenIndexed(path, path, index);
        string[] files = [.. Directory.EnumerateFiles(path, "*.safetensors").Order(StringComparer.Ordinal)];
        if (files.Length == 1) return OpenFiles(path, path, files, null);
        throw new ModelFileException("ASH0450",
            files.Length == 0 ? $"{path} holds no model: it has neither {SingleName} nor {IndexName}."
                : $"{path} has {files.Length} safetensors files but no {IndexName} that says which weight is where.",
            "download the folder of the model again, whole.");
    }

    /// <summary>Writes weights into a folder: one file, or several and an index; each atomically, the index last.</summary>
    /// <remarks>Equal weights give equal files, byte for byte.</remarks>
    /// <param name="folder">Made where it does not exist.</param>
    /// <param name="weights">Their names differ, and their types are those of the format.</param>
    /// <param name="partBytes">The most bytes of weights in a file; null writes one file.</param>
    /// <exception cref="ModelFileException">
    /// A file cannot be written, or the weights cannot be in one; the folder has files of weights that would be left beside the
    /// new ones.
    /// </exception>
    public static void Write(string folder, IEnumerable<NamedWeight> weights, long? partBytes = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(weights);
        var parts = NamedWeight.Split(weights, partBytes);
        if (parts.SelectMany(part => part).GroupBy(weight => weight.Name, StringComparer.Ordinal)
            .FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new ModelFileException("ASH0419", $"two arrays are called '{twice.Key}'.",
                "give every array a name of its own.");
        string stem = System.IO.Path.Combine(folder, "model");
        string[] paths = [.. parts.Select((_, i) => parts.Length == 1 ? System.IO.Path.Combine(folder, SingleName)
            : new SplitName(stem, i + 1, parts.Length, ".safetensors").ToString())];
        string index = System.IO.Path.Combine(folder, IndexName);
        string[] kept = parts.Length > 1 ? [.. paths, index] : paths;
        if (Directory.Exists(folder) && Directory.EnumerateFiles(folder, "*.safetensors*").Except(kept)
            .FirstOrDefault() is { } other)
            throw new ModelFileException("ASH0460",
                $"{folder} has weights already that would not be replaced: {System.IO.Path.GetFileName(other)}.",
                    "name another folder, or remove them.");
        var about = new Dictionary<string, string> { ["format"] = "pt" };   // what readers in Python insist on
        foreach (var (part, path) in parts.Zip(paths)) AtomicFile.Write(path, stream => Safetensors.Write(stream, part, about));
        if (parts.Length > 1) AtomicFile.Write(index, IndexOf(parts, paths));
    }

    static byte[] IndexOf(NamedWeight[][] parts, string[] paths)
    {
        var text = new System.Buffers.ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(text, new() { Indented = true, NewLine = "\n" }))
        {
            json.WriteStartObject();
            json.WriteStartObject("metadata");
            json.WriteNumber("total_size", parts.Sum(part => part.Sum(weight => weight.Bytes)));
            json.WriteEndObject();
            json.WriteStartObject("weight_map");
            foreach (var (name, path) in parts.Zip(paths, (part, path) => part.Select(weight => (weight.Name, path)))
                .SelectMany(pair => pair).OrderBy(pair => pair.Name, StringComparer.Ordinal))
                json.WriteString(name, System.IO.Path.GetFileName(path));
            json.WriteEndObject();
            json.WriteEndObject();
        }
        return text.WrittenSpan.ToArray();
    }

    static SafetensorsFolder OpenIndexed(string path, string folder, string index)
    {
        var (places, names) = ReadIndex(index);
        foreach (string name in names)
            if (!File.Exists(System.IO.Path.Combine(folder, name)))
                throw new ModelFileException("ASH0456",
                    $"{index} names the file {name}, which is not in {folder}. It should hold {places.Values.Count(file => file == name):N0} "
                    + $"weights, '{places.First(place => place.Value == name).Key}' among them.",
                    "download the missing file.");
        return OpenFiles(path, folder, [.. names.Select(name => System.IO.Path.Combine(folder, name))], (index, places));
    }

    static SafetensorsFolder OpenFiles(string path, string folder, string[] files,
        (string Path, Dictionary<string, string> Places)? index)
    {
        var parts = new List<MappedFile>();
        try
        {
            var entries = new List<WeightEntry>();
            IReadOnlyDictionary<string, string>? metadata = null;
            foreach (string file in files)
            {
                var mapped = Map(file);
                parts.Add(mapped);
                var (found, about) = SafetensorsHeader.Read(mapped, parts.Count - 1, tensorTypesOnly: false);
                metadata ??= about;
                entries.AddRange(found);
            }
            Check(files, entries, index);
            return new(path, folder, [.. parts], [.. entries], metadata!);
        }
        catch
        {
            foreach (var part in parts) part.Dispose();
            throw;
        }
    }

    static void Check(string[] files, List<WeightEntry> entries, (string Path, Dictionary<string, string> Places)? index)
    {
        string NameOf(int part) => System.IO.Path.GetFileName(files[part]);
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var entry in entries)
            if (!seen.TryAdd(entry.Name, entry.Part))
                throw new ModelFileException("ASH0456",
                    $"the weight '{entry.Name}' is in {NameOf(seen[entry.Name])} and again in {NameOf(entry.Part)}.",
                    "download the files again; they seem to be of two models.");
        if (index is null) return;
        foreach (var (name, file) in index.Value.Places)
        {
            bool isThere = seen.TryGetValue(name, out int part);
            if (!isThere || NameOf(part) != file)
                throw new ModelFileException("ASH0456",
                    $"{index.Value.Path} says that '{name}' is in {file}, but " + (isThere
                        ? $"it is in {NameOf(part)}." : "that file has no such weight."),
                    "download the index and the files again; they seem to be of two models.");
        }
    }

    /// <summary>Which weight is in which file, and the files in the order of their names.</summary>
    static (Dictionary<string, string> Places, string[] Files) ReadIndex(string path)
    {
        byte[] text;
        try
        {
            long length = new FileInfo(path).Length;
            if (length > LongestIndex) throw Invalid(path, $"has {length:N0} bytes; an index has at most {LongestIndex:N0}");
            text = File.ReadAllBytes(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ModelFileException("ASH0410",
                $"{path} could not be opened: {error.Message.TrimEnd('.')}.", "check the path and whether the file may be read.");
        }
        try
        {
            using var document = JsonDocument.Parse(text);
            if (document.RootElement.ValueKind != JsonValueKind.Object
                || !document.RootElement.TryGetProperty("weight_map", out var map)
                || map.ValueKind != JsonValueKind.Object)
                throw Invalid(path, "has no weight_map that is an object");
            var places = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var property in map.EnumerateObject())
            {
                if (property.Value.ValueKind != JsonValueKind.String || property.Value.GetString() is not { } file
                    || !IsPlainName(file))
                    throw Invalid(path,
                        $"gives {property.Value.GetRawText()} as the file of '{property.Name}', but should give a name in the same folder");
                if (!places.TryAdd(property.Name, file)) throw Invalid(path, $"names '{property.Name}' twice");
            }
            if (places.Count == 0) throw Invalid(path, "names no weight");
            return (places, [.. places.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)]);
        }
        catch (JsonException error)
        {
            throw Invalid(path, $"is not JSON: {error.Message.TrimEnd('.')}");
        }
        catch (InvalidOperationException)
        {
            throw Invalid(path, "holds text with half of a surrogate pair");
        }
    }

    // An index comes from somewhere else: it must not reach out of its folder.
    static bool IsPlainName(string file) =>
        file.Length is > 0 and < 256 && file is not ("." or "..") && file.AsSpan().IndexOfAny("/\\:\0") < 0;

    static ModelFileException Invalid(string path, string problem) => new("ASH0457",
        $"{path} {problem}.", "download the index again.");
}
