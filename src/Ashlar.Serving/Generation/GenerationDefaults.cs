using System.Text.Json;
using Ashlar.Models;

namespace Ashlar.Serving;

/// <summary>How a model's makers advise to choose its tokens: <c>generation_config.json</c>.</summary>
/// <param name="Sampling">Temperature, top-k, top-p, min-p, typical and the repetition penalty; greedy where <c>do_sample</c> is
/// false.</param>
/// <param name="NotDone">What the file asks for beside that and what is not done here, such as beams: <c>num_beams 4</c>.</param>
public sealed record GenerationDefaults(SamplingOptions Sampling, IReadOnlyList<string> NotDone)
{
    // What changes which tokens come, with the value at which it does nothing.
    static readonly (string Key, double Neutral)[] others =
        [("num_beams", 1), ("num_beam_groups", 1), ("penalty_alpha", 0), ("no_repeat_ngram_size", 0),
            ("encoder_repetition_penalty", 1), ("epsilon_cutoff", 0),
        ("eta_cutoff", 0), ("diversity_penalty", 0), ("guidance_scale", 1), ("top_h", 0)];

    /// <summary>Reads the file of a model folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <returns>Null where there is none, or where it says nothing about how tokens are chosen.</returns>
    /// <exception cref="ModelFileException">ASH0461: it is no JSON, or a value is none that can be.</exception>
    public static GenerationDefaults? Read(string folder)
    {
        string path = Path.Combine(folder, "generation_config.json");
        if (!File.Exists(path)) return null;
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            var root = json.RootElement;
            if (root.ValueKind != JsonValueKind.Object) throw Damaged(path, "it is no object");
            bool samples = !root.TryGetProperty("do_sample", out var flag) || flag.ValueKind != JsonValueKind.False;
            bool saysSo = flag.ValueKind is JsonValueKind.True or JsonValueKind.False;
            var usual = new SamplingOptions();
            var sampling = usual with
            {
                Temperature = Number("temperature", 0, 100) ?? usual.Temperature,
                TopK = (int)(Number("top_k", 0, int.MaxValue) ?? usual.TopK),
                TopP = Number("top_p", 0, 1) ?? usual.TopP,
                MinP = Number("min_p", 0, 1) ?? usual.MinP,
                TypicalP = Number("typical_p", 0, 1) ?? usual.TypicalP,
                RepetitionPenalty = Number("repetition_penalty", 0.01, 100) ?? usual.RepetitionPenalty,
            };
            if (!samples) sampling = usual with { Temperature = 0, RepetitionPenalty = sampling.RepetitionPenalty };
            string[] notDone = [.. others.Where(other => Number(other.Key, double.MinValue, double.MaxValue) is { } value
                && value != other.Neutral)
                .Select(other => $"{other.Key} {root.GetProperty(other.Key).GetRawText()}")];
            return saysSo || sampling != usual || notDone.Length > 0 ? new(sampling, notDone) : null;

            float? Number(string key, double least, double most)
            {
                if (!root.TryGetProperty(key, out var value) || value.ValueKind == JsonValueKind.Null) return null;
                return value.ValueKind == JsonValueKind.Number && value.GetDouble() is var number && number >= least
                    && number <= most ? (float)number
                    : throw Damaged(path, $"{key} is {value.GetRawText()}");
            }
        }
        catch (JsonException error)
        {
            throw Damaged(path, error.Message.TrimEnd('.'));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Damaged(path, error.Message.TrimEnd('.'));
        }
    }

    static ModelFileException Damaged(string path, string what) =>
        new("ASH0461", $"{path} cannot be used: {what}.", "take the file that came with the model, or delete it.");
}
