using System.Text.Json;
using Ashlar.Backends.Cpu;
using Ashlar.Formats;
using Ashlar.Models;
using Ashlar.NN;
using Ashlar.Tests.Formats;
using Ashlar.Tests.Tensors;

namespace Ashlar.Tests.Models;

/// <summary>Gpt against models that others wrote.</summary>
public sealed class GptReferenceTests() : DeviceTests(Devices.Reference)
{
    [Fact]
    public void Logits_AreThoseOfNanoGpt()
    {
        var config = GptTests.Small;
        var weights = Weights.Random(1, DType.Float64);
        var model = new Gpt(weights, config);
        foreach (var parameter in weights.Parameters)
            parameter.Value = (parameter.Value + 0.2 * Tensor.RandomNormal(3, parameter.Shape, DType.Float64)).Detach();
        var w = weights.Parameters.ToDictionary(parameter => parameter.Name, parameter => parameter.Value);
        var tokens = Tensor.RandomInt(2, 0, 11, [2, 7]).Detach();

        // model.py of nanoGPT, line by line
        Tensor LayerNorm(string name, Tensor x)
        {
            var centred = x - x.Mean(-1, keepAxis: true);
            return centred / (centred.Square().Mean(-1, keepAxis: true) + 1e-5).Sqrt() * w[$"{name}.weight"] + w[$"{name}.bias"];
        }
        Tensor Linear(string name, Tensor x) => x.MatMul(w[$"{name}.weight"]) + w[$"{name}.bias"];
        Tensor Attention(string name, Tensor x)
        {
            Tensor[] parts =
                [.. Linear($"{name}.c_attn", x).Chunk(3, axis: 2).Select(part => part.Reshape(2, 7, 2, 8).Transpose(1, 2))];
            var scores = parts[0].MatMul(parts[1].Transpose()) / Math.Sqrt(8);
            var masked = Tensor.Where(Tensor.Ones(7, 7).Tril() > 0, scores, double.NegativeInfinity);
            return Linear($"{name}.c_proj", masked.Softmax().MatMul(parts[2]).Transpose(1, 2).Reshape(2, 7, 16));
        }
        Tensor Mlp(string name, Tensor x)
        {
            var hidden = Linear($"{name}.c_fc", x);
            return Linear($"{name}.c_proj", 0.5 * hidden * (1 + (hidden / Math.Sqrt(2)).Erf()));
        }
        var x = w["wte.weight"].Take(tokens) + w["wpe.weight"].Take(Tensor.Arange(7));
        for (int layer = 0; layer < 2; layer++)
        {
            x += Attention($"h.{layer}.attn", LayerNorm($"h.{layer}.ln_1", x));
            x += Mlp($"h.{layer}.mlp", LayerNorm($"h.{layer}.ln_2", x));
        }
        Close(model.Forward(tokens), LayerNorm("ln_f", x).MatMul(w["wte.weight"].Transpose()), 1e-9);
    }

    [Fact]
    public void PublishedNames_AreThoseThatGptAsksFor()
    {
        var made = Weights.Random(1);
        _ = new Gpt(made, GptTests.Small);
        var file = made.Parameters.ToDictionary(parameter => $"transformer.{parameter.Name}", parameter => parameter.Value);
        for (int layer = 0; layer < 2; layer++)
            (file[$"transformer.h.{layer}.attn.bias"], file[$"transformer.h.{layer}.attn.masked_bias"]) =
                (Tensor.Ones(1, 1, 8, 8), Tensor.Full([], -1e4));
        file["lm_head.weight"] = made.Parameters[0].Value;
        var read = Weights.From(PublishedGpt2.Rename(file));
        _ = new Gpt(read, GptTests.Small);
        read.ThrowIfUnused();
        Close(read.Parameters[3].Value, made.Parameters[3].Value, 0);
    }

    [Fact]
    public void Flops_AreSixPerWeightAndToken_AndThoseOfAttention()
    {
        var weights = Weights.Random(1);
        var config = new GptConfig { Vocabulary = 65, Bias = false };
        _ = new Gpt(weights, config);
        // nanoGPT's estimate: 6 N + 12 L H Q T; norms and places are not multiplied
        double weightsInProducts = weights.Parameters.Where(parameter => parameter.Shape.Rank == 2
            && parameter.Name != "wpe.weight").Sum(parameter => parameter.Shape.Elements.Value);
        Assert.Equal(6 * weightsInProducts + 12.0 * 6 * 384 * 256, config.TrainingFlopsPerToken(256));
    }

    [DataFact]
    public void GreedyText_IsThePublishedOne_OfALlama()
    {
        using var selected = new Device(new CpuBackend()).Select();
        string folder = Path.Combine(DataFact.Folder!, "models", "stories260k");
        using var file = Safetensors.Open(Path.Combine(folder, "model.safetensors"));
        Tensor Read(string name) => Tensor.From(file.Elements<float>(name).Span, file[name].Shape);
        Tensor Matrix(string name) => Read($"{name}.weight").Transpose();   // [outputs, inputs] there
        var tensors = new Dictionary<string, Tensor>
        {
            ["wte.weight"] = Read("model.embed_tokens.weight"),
            ["ln_f.weight"] = Read("model.norm.weight")
        };
        for (int i = 0; i < 5; i++)
        {
            string layer = $"model.layers.{i}";
            tensors[$"h.{i}.ln_1.weight"] = Read($"{layer}.input_layernorm.weight");
            tensors[$"h.{i}.ln_2.weight"] = Read($"{layer}.post_attention_layernorm.weight");
            tensors[$"h.{i}.attn.c_attn.weight"] =
                Tensor.Concat([Matrix($"{layer}.self_attn.q_proj"), Matrix($"{layer}.self_attn.k_proj"),
                    Matrix($"{layer}.self_attn.v_proj")], 1);
            tensors[$"h.{i}.attn.c_proj.weight"] = Matrix($"{layer}.self_attn.o_proj");
            tensors[$"h.{i}.mlp.c_gate.weight"] = Matrix($"{layer}.mlp.gate_proj");
            tensors[$"h.{i}.mlp.c_fc.weight"] = Matrix($"{layer}.mlp.up_proj");
            tensors[$"h.{i}.mlp.c_proj.weight"] = Matrix($"{layer}.mlp.down_proj");
        }
        var weights = Weights.From(tensors);
        var model = new Gpt(weights, new GptConfig
        {
            Vocabulary = 512,
            Layers = 5,
            Width = 64,
            Heads = 8,
            KvHeads = 4,
            HiddenWidth = 172,
            Context = 512,
            Positions = Positions.Rotary,
            Normalisation = Normalisation.RmsNorm,
            Activation = Activation.SwiGlu,
            Bias = false,
        });
        weights.ThrowIfUnused();

        using var published = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "greedy.json")));
        int[] expected = [.. published.RootElement.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
        Assert.Equal(expected, new Decoding(model).Generate(new[] { 1 }, expected.Length, new SamplingOptions(Temperature: 0)));
        // and read at once, without a cache
        var logits = model.Forward(Tensor.From([1, .. expected[..^1]], [1, expected.Length]));
        Assert.Equal(expected, logits[0].ArgMax(-1).Cast(DType.Int32).ToArray<int>());
    }
}
