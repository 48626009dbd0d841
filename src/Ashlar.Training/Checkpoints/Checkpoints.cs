using System.Globalization;
using System.Text.Json.Nodes;
using Ashlar.Formats;

namespace Ashlar.Training;

/// <summary>The checkpoints of a training: files in a folder, of which the latest few are kept.</summary>
/// <remarks>
/// A checkpoint is written beside its place, flushed, and renamed; only then are older ones deleted. So whenever the process is
/// killed or the disk fills, the latest whole checkpoint is there, and what is there is whole. One process writes to a folder at
/// a time.
/// </remarks>
public sealed class Checkpoints
{
    const string Prefix = "step-", Suffix = ".safetensors";

    readonly int keep;
    readonly Action<string, Action<Stream>> write;

    /// <param name="folder">Made by the first save.</param>
    /// <param name="keep">How many stay, at least 1; two, because the latest may turn out to be damaged by the disk.</param>
    public Checkpoints(string folder, int keep = 2) : this(folder, keep, AtomicFile.Write)
    {
    }

    internal Checkpoints(string folder, int keep, Action<string, Action<Stream>> write)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentOutOfRangeException.ThrowIfLessThan(keep, 1);
        (Folder, this.keep, this.write) = (folder, keep, write);
    }

    /// <summary>Where they lie.</summary>
    public string Folder { get; }

    /// <summary>Writes a checkpoint and deletes the oldest beyond those that are kept.</summary>
    /// <param name="step">How many updates were made.</param>
    /// <param name="model">The weights' states.</param>
    /// <param name="optimizer">The optimizer's.</param>
    /// <param name="facts">What else must be known to go on: the options, the best loss.</param>
    /// <returns>The file.</returns>
    /// <exception cref="ModelFileException">The disk is full, or the folder cannot be written to; earlier checkpoints are
    /// untouched.</exception>
    public string Save(long step, IEnumerable<State> model, IEnumerable<State> optimizer, JsonObject facts)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        ArgumentNullException.ThrowIfNull(facts);
        var arrays = Checkpoint.Named(model, optimizer).Select(entry => StateArrays.Array(entry.Name, entry.State)).ToList();
        var metadata = new Dictionary<string, string>
        {
            [Checkpoint.VersionKey] = Checkpoint.Version,
            [Checkpoint.StepKey] = step.ToString(CultureInfo.InvariantCulture),
            [Checkpoint.FactsKey] = facts.ToJsonString(),
        };
        string path = Path.Combine(Folder, $"{Prefix}{step.ToString("D8", CultureInfo.InvariantCulture)}{Suffix}");
        write(path, stream => Safetensors.Write(stream, arrays, metadata));
        foreach (var (_, old) in Present().Where(entry => entry.Step < step).Skip(keep - 1)) Delete(old);
        // Of a killed process.
        foreach (string unfinished in Directory.EnumerateFiles(Folder, $".{Prefix}*{Suffix}.tmp")) Delete(unfinished);
        return path;
    }

    /// <summary>The latest checkpoint that can be read; null where there is none.</summary>
    /// <param name="skipped">Told why a later one could not be read.</param>
    /// <exception cref="ModelFileException">There are checkpoints, but none can be read.</exception>
    /// <exception cref="TrainingException">The latest one is of another version.</exception>
    public Checkpoint? Latest(Action<string>? skipped = null)
    {
        ModelFileException? first = null;
        foreach (var (_, path) in Present())
        {
            try
            {
                return Checkpoint.Open(path);
            }
            catch (ModelFileException error)
            {
                first ??= error;
                skipped?.Invoke(error.Message);
            }
        }
        if (first is not null) throw first;
        return null;
    }

    // Latest first.
    List<(long Step, string Path)> Present()
    {
        if (!Directory.Exists(Folder)) return [];
        var found = new List<(long, string)>();
        foreach (string path in Directory.EnumerateFiles(Folder, $"{Prefix}*{Suffix}"))
            if (long.TryParse(Path.GetFileName(path)[Prefix.Length..^Suffix.Length], NumberStyles.None,
                CultureInfo.InvariantCulture, out long step))
                found.Add((step, path));
        return [.. found.OrderByDescending(entry => entry.Item1)];
    }

    static void Delete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // An old file that stays does no harm; the next save tries again.
        }
    }
}
