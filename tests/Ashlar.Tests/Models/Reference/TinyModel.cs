using System.Text.Json;
using System.Text.Json.Nodes;
using Ashlar.Formats;

namespace Ashlar.Tests.Models.Reference;

/// <summary>A checkpoint as others publish it, but small and of random weights: config.json, model.safetensors,
/// generation_config.json.</summary>
/// <remarks>
/// Each weight depends on the model's name and its own alone, so a model stays the same when another tensor is added. Matrices
/// keep the size of what goes through them, so logits are of order 1; norms and biases are far from 1 and 0, so none can be
/// forgotten unseen.
/// </remarks>
sealed class TinyModel
{
    readonly string name;

    public TinyModel(string name, string config)
    {
        this.name = name;
        Config = JsonNode.Parse(config)!.AsObject();
    }

    public JsonObject Config { get; }

    public Dictionary<string, (int[] Shape, float[] Data)> Weights { get; } = [];

    /// <summary>Further files of the folder, such as the pooling of an encoder: path and text.</summary>
    public Dictionary<string, string> Files { get; } = [];

    readonly HashSet<string> bytes = [];

    public int this[string key] => Config[key]!.GetValue<int>();

    public int Or(string key, int otherwise) => Config[key] is { } value ? value.GetValue<int>() : otherwise;

    public bool Is(string key) => Config[key]?.GetValue<bool>() ?? false;

    /// <summary>A linear layer, [outputs, inputs]; a gain of 1 keeps the size of what goes through.</summary>
    public void Linear(string path, int outputs, int inputs, bool bias = false, double gain = 1)
    {
        Random($"{path}.weight", gain / Math.Sqrt(inputs), outputs, inputs);
        if (bias) Random($"{path}.bias", 0.3, outputs);
    }

    /// <summary>The weight of an RMS norm, about <paramref name="centre"/>: 1, or 0 where models add 1.</summary>
    public void Norm(string path, int width, double centre = 1) => Random($"{path}.weight", 0.25, [width], centre);

    public void LayerNorm(string path, int width)
    {
        Norm(path, width);
        Random($"{path}.bias", 0.2, width);
    }

    public void Gated(string path, int hidden, int width, bool bias = false)
    {
        Linear($"{path}.gate_proj", hidden, width, bias, gain: 1.5);
        Linear($"{path}.up_proj", hidden, width, bias, gain: 1.5);
        Linear($"{path}.down_proj", width, hidden, bias, gain: 1.5);
    }

    public void Random(string tensor, double deviation, params int[] shape) => Random(tensor, deviation, shape, 0);

    public void Random(string tensor, double deviation, int[] shape, double centre)
    {
        var random = new Random(Seed($"{name}/{tensor}"));
        var data = new float[shape.Aggregate(1, (product, extent) => product * extent)];
        for (int i = 0; i < data.Length; i++)
        {
            // Box and Muller: a normal number of two uniform ones
            double radius = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
            data[i] = (float)(centre + deviation * radius * Math.Cos(2 * Math.PI * random.NextDouble()));
        }
        Weights[tensor] = (shape, data);
    }

    /// <summary>Bytes from <paramref name="least"/> to below <paramref name="end"/>.</summary>
    public void RandomBytes(string tensor, int least, int end, params int[] shape)
    {
        var random = new Random(Seed($"{name}/{tensor}"));
        var data = new float[shape.Aggregate(1, (product, extent) => product * extent)];
        for (int i = 0; i < data.Length; i++) data[i] = random.Next(least, end);
        Weights[tensor] = (shape, data);
        bytes.Add(tensor);
    }

    public JsonElement ParsedConfig => JsonSerializer.SerializeToElement(Config);

    /// <summary>What the reference says of a text: [T][V].</summary>
    public double[][] Logits(ReadOnlySpan<int> tokens) => ReferenceModel.Logits(ParsedConfig, Weights, tokens);

    /// <summary>Writes the folder, which exists, and gives its path.</summary>
    public string Write(string folder)
    {
        File.WriteAllText(Path.Combine(folder, "config.json"), Config.ToJsonString(new() { WriteIndented = true }));
        JsonObject generation = new() { ["do_sample"] = false };
        foreach (string key in (string[])["bos_token_id", "eos_token_id", "pad_token_id"])
            if (Config[key] is { } id) generation[key] = id.DeepClone();
        File.WriteAllText(Path.Combine(folder, "generation_config.json"), generation.ToJsonString());
        foreach (var (path, text) in Files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder, path))!);
            File.WriteAllText(Path.Combine(folder, path), text);
        }
        Safetensors.Write(Path.Combine(folder, "model.safetensors"), Weights.Select(weight => Array(weight.Key, weight.Value)),
            new Dictionary<string, string> { ["format"] = "pt" });
        return folder;
    }

    NamedArray Array(string tensor, (int[] Shape, float[] Data) weight)
    {
        var shape = Shape.Of([.. weight.Shape.Select(extent => (Extent)extent)]);
        return bytes.Contains(tensor)
            ? NamedArray.Of<byte>(tensor, shape, weight.Data.Select(value => (byte)value).ToArray())
            : NamedArray.Of<float>(tensor, shape, weight.Data);
    }

    // FNV-1a: the same on every machine, unlike string.GetHashCode
    static int Seed(string text)
    {
        uint hash = 2166136261;
        foreach (char letter in text) hash = (hash ^ letter) * 16777619;
        return (int)(hash & int.MaxValue);
    }
}
