using System.Buffers.Binary;
using System.Text.Json;

namespace Ashlar.Tests.Models.Reference;

/// <summary>The plain models by the <c>model_type</c> of their configs: what the real ones are compared with.</summary>
static class ReferenceModel
{
    /// <summary>Logits of every token of a text, the whole of it at once; of encoders what they say of each token.</summary>
    /// <param name="config">The parsed config.json.</param>
    /// <param name="weights">By Hugging Face name; bytes of packed blocks as numbers from 0 to 255.</param>
    /// <param name="tokens">At least one.</param>
    /// <returns>[T][V]</returns>
    public static double[][] Logits(
        JsonElement config, IReadOnlyDictionary<string, (int[] Shape, float[] Data)> weights, ReadOnlySpan<int> tokens) =>
        Logits(config, new ReferenceWeights(weights), tokens);

    public static double[][] Logits(JsonElement config, ReferenceWeights weights, ReadOnlySpan<int> tokens)
    {
        var keys = new ReferenceConfig(config);
        string kind = keys.Text("model_type", "");
        return kind switch
        {
            "llama" or "mistral" or "smollm3" => LlamaReference.Logits(keys, weights, tokens),
            "mixtral" => MixtralReference.Logits(keys, weights, tokens),
            "qwen2" or "qwen2_moe" or "qwen3" or "qwen3_moe" => QwenReference.Logits(keys, weights, tokens),
            "gemma2" or "gemma3_text" => GemmaReference.Logits(keys, weights, tokens),
            "phi3" => PhiReference.Logits(keys, weights, tokens),
            "glm" or "glm4" => GlmReference.Logits(keys, weights, tokens),
            "gpt_oss" => GptOssReference.Logits(keys, weights, tokens),
            "deepseek_v2" or "deepseek_v3" => DeepSeekReference.Logits(keys, weights, tokens),
            "gpt2" => Gpt2Reference.Logits(keys, weights, tokens),
            "bert" or "roberta" or "xlm-roberta" or "nomic_bert" => BertReference.Hidden(keys, weights, tokens),
            _ => throw new NotSupportedException($"there is no reference for '{kind}'"),
        };
    }

    /// <summary>Reads a folder with config.json and model.safetensors, by a parser of its own.</summary>
    public static (JsonElement Config, Dictionary<string, (int[] Shape, float[] Data)> Weights) Load(string folder)
    {
        using var config = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "config.json")));
        byte[] file = File.ReadAllBytes(Path.Combine(folder, "model.safetensors"));
        int length = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        using var header = JsonDocument.Parse(file.AsMemory(8, length));
        var weights = new Dictionary<string, (int[] Shape, float[] Data)>();
        foreach (var entry in header.RootElement.EnumerateObject())
        {
            if (entry.Name == "__metadata__") continue;
            int[] shape = [.. entry.Value.GetProperty("shape").EnumerateArray().Select(extent => extent.GetInt32())];
            int start = 8 + length + entry.Value.GetProperty("data_offsets")[0].GetInt32();
            string kind = entry.Value.GetProperty("dtype").GetString()!;
            var data = new float[shape.Aggregate(1, (product, extent) => product * extent)];
            for (int i = 0; i < data.Length; i++)
                data[i] = kind switch
                {
                    "F32" => BinaryPrimitives.ReadSingleLittleEndian(file.AsSpan(start + 4 * i)),
                    "F16" => (float)BinaryPrimitives.ReadHalfLittleEndian(file.AsSpan(start + 2 * i)),
                    "BF16" =>
                        BitConverter.Int32BitsToSingle(BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(start + 2 * i)) << 16),
                    "U8" => file[start + i],
                    _ => throw new NotSupportedException($"the reference does not read {kind}"),
                };
            weights[entry.Name] = (shape, data);
        }
        return (config.RootElement.Clone(), weights);
    }
}
