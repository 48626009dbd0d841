using System.Text.Json;
using System.Text.Json.Nodes;
using Ashlar.Formats;

namespace Ashlar.Training;

/// <summary>A training as it was after some step: weights, what the optimizer remembers, and a few facts.</summary>
/// <remarks>One safetensors file; docs/formats/checkpoint.md describes it. Disposing closes the file.</remarks>
public sealed class Checkpoint : IDisposable
{
    internal const string ModelPrefix = "model.", OptimizerPrefix = "optimizer.";
    internal const string VersionKey = "ashlar.checkpoint", StepKey = "step", FactsKey = "facts";
    internal const string Version = "1";

    readonly Safetensors file;

    Checkpoint(Safetensors file, long step, JsonObject facts) => (this.file, Step, Facts) = (file, step, facts);

    /// <summary>The file.</summary>
    public string Path => file.Path;

    /// <summary>How many updates were made.</summary>
    public long Step { get; }

    /// <summary>What else the training wanted to be remembered.</summary>
    public JsonObject Facts { get; }

    /// <summary>Opens a checkpoint and checks its header.</summary>
    /// <exception cref="ModelFileException">The file is damaged, cut short, or no checkpoint.</exception>
    /// <exception cref="TrainingException">It is of another version.</exception>
    public static Checkpoint Open(string path)
    {
        var file = Safetensors.Open(path);
        try
        {
            if (!file.Metadata.TryGetValue(VersionKey, out string? version))
                throw new ModelFileException("ASH0420",
                    $"{path} is no checkpoint: its metadata has no '{VersionKey}'.",
                    "name a file that ashlar train wrote.");
            if (version != Version)
                throw new TrainingException("ASH0422",
                    $"the checkpoint {path} has version {version}, and this Ashlar reads version {Version}.",
                    "resume with the Ashlar that wrote it, or train again.");
            if (!file.Metadata.TryGetValue(StepKey, out string? number) || !long.TryParse(number, out long step) || step < 0
                || !file.Metadata.TryGetValue(FactsKey, out string? text) || Parse(text) is not { } facts)
                throw new ModelFileException("ASH0420",
                    $"the checkpoint {path} does not say at which step it was written, or with which facts.",
                    "delete it: the one before it is used then.");
            return new(file, step, facts);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Puts back what the states held. Nothing is changed where the checkpoint is of another model.</summary>
    /// <param name="model">The weights' states.</param>
    /// <param name="optimizer">The optimizer's.</param>
    /// <exception cref="TrainingException">Names, shapes or element types differ; the error names the first few.</exception>
    public void Restore(IEnumerable<State> model, IEnumerable<State> optimizer)
    {
        var wanted = Named(model, optimizer).ToDictionary(entry => entry.Name, entry => entry.State, StringComparer.Ordinal);
        var differences = new List<string>();
        foreach (var (name, state) in wanted)
        {
            if (!file.TryGet(name, out var entry)) differences.Add($"it has no {name}");
            else if (entry.DType != state.DType || entry.Shape != state.Shape)
                differences.Add($"{name} is {entry.DType.Name}{entry.Shape} there, {state.DType.Name}{state.Shape} here");
        }
        differences.AddRange(file.Entries.Where(entry => !wanted.ContainsKey(entry.Name))
            .Select(entry => $"{entry.Name} is unknown here"));
        if (differences.Count > 0)
            throw new TrainingException("ASH0421",
                $"the checkpoint {Path} is of another model or optimizer: {string.Join("; ", differences.Take(4))}{(differences.Count > 4 ? $"; and {differences.Count - 4} more" : "")}.",
                "resume with the sizes and the optimizer it was begun with, or name another folder to begin anew.");
        foreach (var (name, state) in wanted) state.Value = StateArrays.Read(file, file[name]);
    }

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();

    internal static IEnumerable<(string Name, State State)> Named(IEnumerable<State> model, IEnumerable<State> optimizer) =>
        model.Select(state =>
            (ModelPrefix + state.Name, state)).Concat(optimizer.Select(state => (OptimizerPrefix + state.Name, state)));

    static JsonObject? Parse(string text)
    {
        try
        {
            return JsonNode.Parse(text) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
