using System.Text.Json;
using System.Text.Json.Nodes;

namespace Ashlar.Formats;

/// <summary>By how much each angle of rotary positions is divided: what config.json says in a few numbers, GGUF says in
/// tensors.</summary>
static class RopeFactors
{
    /// <summary>The tensors of a model, in float32; none where its angles are scaled alike or not at all.</summary>
    public static IEnumerable<NamedWeight> Of(ModelConfig config, string family)
    {
        if (config.RopeScaling is not { } scaling) yield break;
        string type = scaling.Text("rope_type") ?? scaling.Text("type") ?? "";
        if (type == "llama3" && family is "llama" or "smollm3")
            yield return Make("rope_freqs.weight", Llama3(scaling, config.HeadWidth, config.Number("rope_theta") ?? 10000));
        if (type is "longrope" or "su" && family == "phi3")
            foreach (string length in (string[])["long", "short"])
                yield return Make($"rope_factors_{length}.weight",
                    scaling.Member($"{length}_factor") is { ValueKind: JsonValueKind.Array } list
                    ? [.. list.EnumerateArray().Select(value => value.GetSingle())]
                        : throw config.Unsupported("rope_scaling", $"has no {length}_factor"));
    }

    static NamedWeight Make(string name, float[] factors) =>
        RowSource.Compute(name, WeightType.F32, [factors.Length], () => factors);

    /// <summary>Llama 3.1's: long waves are divided by the factor, short ones stay, and those between are mixed.</summary>
    static float[] Llama3(JsonElement scaling, long width, double theta)
    {
        double Number(string key, double otherwise) =>
            scaling.Member(key) is { ValueKind: JsonValueKind.Number } value ? value.GetDouble() : otherwise;
        double factor = Number("factor", 8), low = Number("low_freq_factor", 1), high = Number("high_freq_factor", 4),
            context = Number("original_max_position_embeddings", 8192);
        float[] factors = new float[width / 2];
        for (int i = 0; i < factors.Length; i++)
        {
            double wave = 2 * Math.PI * Math.Pow(theta, 2.0 * i / width);
            double smooth = (context / wave - low) / (high - low);
            factors[i] = wave < context / high ? 1 : wave > context / low ? (float)factor
                : (float)(1 / ((1 - smooth) / factor + smooth));
        }
        return factors;
    }

    /// <summary>The numbers of which a tensor was made: those of the published models are tried.</summary>
    public static JsonObject Guess(Gguf file, WeightEntry entry, JsonObject config)
    {
        float[] factors = RowSource.Values(file, entry);
        long width = config["head_dim"]?.GetValue<long>()
            ?? config["hidden_size"]!.GetValue<long>() / config["num_attention_heads"]!.GetValue<long>();
        foreach (int context in (int[])[8192, 4096, 16384, 32768, 65536])
        {
            var scaling = new JsonObject
            {
                ["rope_type"] = "llama3",
                ["factor"] = factors[^1],
                ["low_freq_factor"] = 1.0,
                ["high_freq_factor"] = 4.0,
                ["original_max_position_embeddings"] = context,
            };
            float[] made = Llama3(ModelJson.Parse(scaling.ToJsonString(), file.Path), width,
                config["rope_theta"]!.GetValue<double>());
            if (made.Length == factors.Length && made.Zip(factors, (a, b) => Math.Abs(a - b) <= 1e-4 * b)
                .All(same => same)) return scaling;
        }
        throw new ModelFileException("ASH0463",
            $"{file.Path}: the factors of rope_freqs.weight are none that config.json could say.",
            "download the folder of the model instead.");
    }
}
