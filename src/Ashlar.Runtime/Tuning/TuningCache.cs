using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Ashlar.Runtime.Tuning;

/// <summary>What one tuning found.</summary>
/// <param name="Kernel">What was tuned: <c>matmul.bf16</c>, or the name of a kernel.</param>
/// <param name="Machine">Where: processor, threads, instruction path. Times of one machine say nothing about another.</param>
/// <param name="Version">The version of Ashlar, whose code was timed.</param>
/// <param name="Shape">The class of shapes it holds for.</param>
/// <param name="Config">The best of the legal configs.</param>
/// <param name="Seconds">The median time of a run with it.</param>
/// <param name="DefaultSeconds">The same with the config that would be taken without tuning.</param>
/// <param name="Date">When, in UTC: <c>2026-11-22T13:00:00Z</c>.</param>
public sealed record TuningEntry(string Kernel, string Machine, string Version, string Shape, string Config, double Seconds,
    double DefaultSeconds, string Date)
{
    /// <summary>The version of this build of Ashlar.</summary>
    public static string CurrentVersion { get; } =
        typeof(TuningEntry).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion
            ?? "unknown";

    /// <summary>Now, as <see cref="Date"/> has it.</summary>
    public static string Now => DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);

    internal (string, string, string, string) Key => (Kernel, Machine, Version, Shape);
}

/// <summary>Tuned configs on disk: a line of JSON per tuning, only ever appended to, the last one of a key counts.</summary>
/// <remarks>
/// An entry is found by kernel, machine, version and class of shapes, so one of another machine or version is never taken. Each
/// line has a checksum; one that is damaged is left out and reported in <see cref="Problems"/>. The configs it names are checked
/// by whoever takes them: a config that is not legal any more is not found.
/// </remarks>
public sealed class TuningCache
{
    const string FileName = "tuning.jsonl";

    // Names of processors hold (R) and the like, which are nothing to escape in a file.
    static readonly JsonSerializerOptions plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    static readonly Lazy<TuningCache> current = new(() => Load(CacheFolder.Path, Console.Error.WriteLine));

    readonly Dictionary<(string, string, string, string), TuningEntry> entries = [];
    readonly List<string> problems = [];
    readonly Lock gate = new();

    TuningCache(string? folder) => Path = folder is null ? null : System.IO.Path.Combine(folder, FileName);

    /// <summary>The cache of this process, read when it is first needed. Damaged lines are reported to the error stream
    /// then.</summary>
    public static TuningCache Current => current.Value;

    /// <summary>The file; null where nothing is kept (ASHLAR_CACHE=off).</summary>
    public string? Path { get; }

    /// <summary>What was wrong with the file, a sentence each, with the number of the line; empty where all is well.</summary>
    public IReadOnlyList<string> Problems => problems;

    /// <summary>All entries that count, of this machine and of others.</summary>
    public IReadOnlyList<TuningEntry> Entries
    {
        get { lock (gate) return [.. entries.Values]; }
    }

    /// <summary>Reads the cache of a folder. What cannot be read is left out and said.</summary>
    /// <param name="folder">Need not exist. Null keeps nothing on disk.</param>
    /// <param name="warn">Told once where there are problems.</param>
    public static TuningCache Load(string? folder, Action<string>? warn = null)
    {
        var cache = new TuningCache(folder);
        if (cache.Path is not { } path) return cache;
        try
        {
            if (!File.Exists(path)) return cache;
            int number = 0;
            foreach (string line in File.ReadLines(path))
            {
                number++;
                if (line.Length == 0) continue;
                if (Parse(line) is { } entry) cache.entries[entry.Key] = entry;
                else cache.problems.Add($"line {number} is damaged and is not used");
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            cache.problems.Add($"it cannot be read: {error.Message}");
        }
        if (cache.problems.Count > 0)
            warn?.Invoke($"ASH0656: tuned configs in {path}: {cache.problems[0]}{(cache.problems.Count > 1 ? $", and {cache.problems.Count - 1} more such" : "")}. "
                + "What is missing runs with the model's choice; 'ashlar kernel tune --forget' removes the file.");
        return cache;
    }

    /// <summary>The entry for this key; null where there is none.</summary>
    public TuningEntry? Find(string kernel, string machine, string shape)
    {
        lock (gate) return entries.GetValueOrDefault((kernel, machine, TuningEntry.CurrentVersion, shape));
    }

    /// <summary>Keeps an entry, in this process and on disk.</summary>
    /// <exception cref="DeviceException">The file cannot be written (ASH0658).</exception>
    public void Add(TuningEntry entry)
    {
        lock (gate)
        {
            entries[entry.Key] = entry;
            if (Path is null) return;
            try
            {
                Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path)!);
                // A last line that was cut short keeps its damage to itself.
                bool isOpen = File.Exists(Path) && EndsWithoutNewLine(Path);
                File.AppendAllText(Path, (isOpen ? "\n" : "") + Print(entry) + "\n");
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException) { throw NotWritten(Path, error); }
        }
    }

    /// <summary>Removes the file and everything that was read from it.</summary>
    /// <exception cref="DeviceException">The file cannot be removed (ASH0658).</exception>
    public void Forget()
    {
        lock (gate)
        {
            entries.Clear();
            problems.Clear();
            try
            {
                if (Path is not null && File.Exists(Path)) File.Delete(Path);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException) { throw NotWritten(Path!, error); }
        }
    }

    /// <summary>The error for a file of the cache's folder that cannot be written (ASH0658).</summary>
    public static DeviceException NotWritten(string path, Exception error) =>
        new("ASH0658", $"what was measured cannot be kept in {path}: {error.Message}",
            $"set {AshlarEnvironment.Cache.Name} to a folder that can be written to, or to off.");

    internal static string Print(TuningEntry entry)
    {
        var json = Fields(entry);
        json["check"] = Check(json);
        return json.ToJsonString(plain);
    }

    static TuningEntry? Parse(string line)
    {
        try
        {
            if (JsonNode.Parse(line) is not JsonObject json) return null;
            if (json["check"] is not JsonValue check) return null;
            var entry = new TuningEntry((string)json["kernel"]!, (string)json["machine"]!, (string)json["version"]!,
                (string)json["shape"]!, (string)json["config"]!,
                (double)json["seconds"]!, (double)json["default_seconds"]!, (string)json["date"]!);
            return (string)check! == Check(Fields(entry)) ? entry : null;
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or ArgumentNullException
            or FormatException)
        { return null; }
    }

    static JsonObject Fields(TuningEntry entry) => new()
    {
        ["kernel"] = entry.Kernel,
        ["machine"] = entry.Machine,
        ["version"] = entry.Version,
        ["shape"] = entry.Shape,
        ["config"] = entry.Config,
        ["seconds"] = entry.Seconds,
        ["default_seconds"] = entry.DefaultSeconds,
        ["date"] = entry.Date,
    };

    static string Check(JsonObject fields) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(fields.ToJsonString(plain))))[..16];

    static bool EndsWithoutNewLine(string path)
    {
        using var stream = File.OpenRead(path);
        if (stream.Length == 0) return false;
        stream.Seek(-1, SeekOrigin.End);
        return stream.ReadByte() != '\n';
    }
}
