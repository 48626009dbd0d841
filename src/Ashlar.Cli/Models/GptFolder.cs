using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Ashlar.Formats;
using Ashlar.Models;
using Ashlar.NN;
using Ashlar.Tokenizers;
using Ashlar.Training;

namespace Ashlar.Cli;

/// <summary>A model in a folder: <c>config.json</c>, <c>model.safetensors</c>, <c>tokenizer.json</c>.</summary>
/// <param name="Model">Ready to run.</param>
/// <param name="Weights">Its parameters.</param>
/// <param name="Tokenizer">Text to tokens.</param>
/// <param name="About">What the one who saved it wanted to be remembered: the rest of config.json.</param>
sealed record GptFolder(Gpt Model, Weights Weights, Tokenizer Tokenizer, JsonObject About)
{
    const string Format = "ashlar-gpt";
    const int Version = 1;

    static readonly JsonSerializerOptions json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        NewLine = "\n",
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    /// <summary>Writes a model; each file is there whole or not at all.</summary>
    /// <exception cref="ModelFileException">The disk is full, or the folder cannot be written to.</exception>
    public void Save(string folder)
    {
        WriteWeights(folder, Weights);
        AtomicFile.Write(Path.Combine(folder, "tokenizer.json"), Tokenizer.ToJson());
        WriteConfig(folder, Model.Config, About);
    }

    /// <summary>Writes model.safetensors alone.</summary>
    public static void WriteWeights(string folder, Weights weights)
    {
        var metadata = new Dictionary<string, string> { ["format"] = "pt" };   // without it some readers refuse the file
        var arrays = weights.States.Select(state => StateArrays.Array(state.Name, state));
        Safetensors.Write(Path.Combine(folder, "model.safetensors"), arrays, metadata);
    }

    /// <summary>Writes config.json alone.</summary>
    public static void WriteConfig(string folder, GptConfig config, JsonObject about)
    {
        var model = JsonSerializer.SerializeToNode(config, json);
        var text = new JsonObject { ["format"] = Format, ["version"] = Version, ["model"] = model };
        foreach (var (name, value) in about) text[name] = value?.DeepClone();
        AtomicFile.Write(Path.Combine(folder, "config.json"), System.Text.Encoding.UTF8.GetBytes(text.ToJsonString(json) + "\n"));
    }

    /// <summary>False for a path that holds a downloaded model or none: a file, or a folder without config.json or with one of
    /// Hugging Face.</summary>
    public static bool IsOne(string path)
    {
        if (!File.Exists(Path.Combine(path, "config.json")) || Directory.EnumerateFiles(path, "*.gguf").Any()) return false;
        try
        {
            return JsonNode.Parse(File.ReadAllBytes(Path.Combine(path, "config.json")))?["model_type"] is null;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or JsonException
            or InvalidOperationException)
        {
            return true;   // and an error when it is loaded
        }
    }

    /// <summary>Reads a model.</summary>
    /// <exception cref="TrainingException">The folder holds none, or one of another version.</exception>
    /// <exception cref="ModelFileException">A file is missing or damaged.</exception>
    /// <exception cref="ModelException">The weights are not those of the config.</exception>
    public static GptFolder Load(string folder)
    {
        var (config, about) = ReadConfig(folder);
        using var file = Safetensors.Open(Path.Combine(folder, "model.safetensors"));
        var weights = Weights.From(file.Entries.ToDictionary(entry => entry.Name, entry => StateArrays.Read(file, entry)));
        var model = new Gpt(weights, config);
        weights.ThrowIfUnused();
        var tokenizer = Tokenizer.Load(Path.Combine(folder, "tokenizer.json"));
        if (tokenizer.VocabularySize != config.Vocabulary)
            throw new TrainingException("ASH0503",
                $"the tokenizer in {folder} has {tokenizer.VocabularySize:N0} tokens, but the model {config.Vocabulary:N0}.",
                "put back the tokenizer.json that was written with the model.");
        return new(model, weights, tokenizer, about);
    }

    /// <summary>Reads config.json alone.</summary>
    /// <exception cref="TrainingException">It is missing, not well formed, or of another version.</exception>
    public static (GptConfig Config, JsonObject About) ReadConfig(string folder)
    {
        string path = Path.Combine(folder, "config.json");
        JsonObject text;
        try
        {
            text = JsonNode.Parse(File.ReadAllBytes(path)) as JsonObject ?? throw new JsonException("it is no object");
            if ((string?)text["format"] != Format)
                throw new TrainingException("ASH0503",
                    $"{path} is of a model that Ashlar did not train: its format is '{(string?)text["format"] ?? "unknown"}'.",
                    "name a folder that ashlar train or ashlar quickstart wrote.");
            if ((int?)text["version"] != Version)
                throw new TrainingException("ASH0504",
                    $"{path} has the version {text["version"]}, and this Ashlar reads version {Version}.",
                    "use the Ashlar that wrote it, or train again.");
            var config = text["model"].Deserialize<GptConfig>(json) ?? throw new JsonException("it has no model");
            foreach (string own in (string[])["format", "version", "model"]) text.Remove(own);
            return (config, text);
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            throw new TrainingException("ASH0503",
                $"{folder} holds no model: {problem.Message.TrimEnd('.')}.",
                "name a folder that ashlar train or ashlar quickstart wrote.");
        }
        catch (Exception problem) when (problem is JsonException or InvalidOperationException or FormatException)
        {
            throw new TrainingException("ASH0503",
                $"{path} cannot be read: {problem.Message.TrimEnd('.')}.", "put back the file that was written with the model.");
        }
    }
}
