using Ashlar.Backends.Cpu;
using Ashlar.Models;
using Ashlar.NN;
using Ashlar.Tests.NN;
using Ashlar.Tests.Tensors;

namespace Ashlar.Tests.Models;

public sealed class GptTests() : DeviceTests(Devices.Reference)
{
    internal static readonly GptConfig Small = new() { Vocabulary = 11, Layers = 2, Width = 16, Heads = 2, Context = 8 };

    static Tensor Tokens(int seed, int batch, int tokens) => Tensor.RandomInt(seed, 0, Small.Vocabulary, [batch, tokens]).Detach();

    [Fact]
    public void Names_AreThoseOfThePublishedGpt2()
    {
        var weights = Weights.Random(1);
        _ = new Gpt(weights, Small with { Layers = 1 });
        string[] expected =
        [
            "wte.weight [11, 16]", "wpe.weight [8, 16]",
            "h.0.ln_1.weight [16]", "h.0.ln_1.bias [16]",
            "h.0.attn.c_attn.weight [16, 48]", "h.0.attn.c_attn.bias [48]", "h.0.attn.c_proj.weight [16, 16]", "h.0.attn.c_proj.bias [16]",
            "h.0.ln_2.weight [16]", "h.0.ln_2.bias [16]",
            "h.0.mlp.c_fc.weight [16, 64]", "h.0.mlp.c_fc.bias [64]", "h.0.mlp.c_proj.weight [64, 16]", "h.0.mlp.c_proj.bias [16]",
            "ln_f.weight [16]", "ln_f.bias [16]",
        ];
        Assert.Equal(expected, weights.Parameters.Select(parameter => $"{parameter.Name} {parameter.Shape}"));
    }

    [Fact]
    public void Gpt2_HasItsPublishedSize()
    {
        var weights = Weights.Random(1);
        _ = new Gpt(weights, GptConfig.Gpt2);
        Assert.Equal(124_439_808, weights.ParameterCount);
    }

    public static TheoryData<string, GptConfig> Configs => new()
    {
        { "nanoGPT", Small },
        { "no bias, own head", Small with { Bias = false, TiedEmbeddings = false } },
        { "modern", Small.Modern() },
        { "grouped", Small.Modern() with { Heads = 4, KvHeads = 2, HiddenWidth = 24 } },
        { "rotary alone", Small with { Positions = Positions.Rotary, Activation = Activation.GeluTanh, RotaryBase = 500 } },
    };

    [Theory, MemberData(nameof(Configs))]
    public void Gradients_MatchFiniteDifferences(string name, GptConfig config)
    {
        Assert.NotEmpty(name);
        var weights = Weights.Random(1, DType.Float64);
        var model = new Gpt(weights, config);
        // at the beginning everything is small: larger weights let every term count
        foreach (var parameter in weights.Parameters) parameter.Value = (parameter.Value * 10 + 0.1).Detach();
        var (tokens, targets) = (Tokens(2, 2, 5), Tokens(3, 2, 5));
        Slopes.Check(weights, () => Loss.CrossEntropy(model.Forward(tokens), targets), 1e-4);   // erf is not exact to the last digits
    }

    [Theory, MemberData(nameof(Configs))]
    public void Logits_DoNotDependOnLaterTokens(string name, GptConfig config)
    {
        Assert.NotEmpty(name);
        var model = new Gpt(Weights.Random(1), config);
        int[] text = [1, 5, 2, 7, 3, 4], other = [1, 5, 2, 7, 9, 0];
        Tensor Run(int[] tokens) => model.Forward(Tensor.From(tokens, [1, 6]));
        Close(Run(text)[0, ..4], Run(other)[0, ..4], 0);
        Assert.NotEqual(Numbers(Run(text)[0, 4]), Numbers(Run(other)[0, 4]));
        // what stands earlier does count
        Assert.NotEqual(Numbers(Run(text)[0, 5]), Numbers(Run([2, 5, 2, 7, 3, 4])[0, 5]));
        // and so does the order: places are seen
        Assert.NotEqual(Numbers(Run(text)[0, 5]), Numbers(Run([5, 1, 2, 7, 3, 4])[0, 5]));
    }

    [Fact]
    public void TrainingStep_ReadsAsTheArchitectureSays_AndLossFalls()
    {
        using var selected = new Device(new CpuBackend()).Select();
        var config = Small;
        var weights   = Weights.Random(seed: 42);
        var model     = new Gpt(weights, config);
        var optimizer = new AdamW(weights, learningRate: 3e-3f);
        var step = Compiled.Step((Tensor tokens, Tensor targets) =>
        {
            var loss = Loss.CrossEntropy(model.Forward(tokens), targets);
            optimizer.Update(loss.Gradient(weights));
            return loss;
        });
        var text = Tokens(5, 4, 9);
        var (inputs, targets) = (text[.., ..8].Detach(), text[.., 1..].Detach());
        float[] losses = [.. Enumerable.Range(0, 50).Select(_ => step(inputs, targets).Item<float>())];
        Assert.InRange(losses[0], Math.Log(11) - 0.1, Math.Log(11) + 0.1);
        Assert.True(losses[^1] < 1, $"the loss fell from {losses[0]} to {losses[^1]} only");
        Assert.Equal(50, optimizer.Count.Value.Item<int>());
    }

    [Fact]
    public void Configs_ThatContradictThemselves_AreRefused()
    {
        void Refused(GptConfig config, params string[] words) => Fails<ModelException>(() => new Gpt(Weights.Random(1), config), "ASH0345", words);
        Refused(Small with { Heads = 3 }, "3 heads", "width of 16");
        Refused(Small with { Heads = 4, KvHeads = 3 }, "3 key-value heads");
        Refused(Small with { Layers = 0 }, "Layers is 0");
        Refused(Small with { Vocabulary = -1 }, "Vocabulary is -1");
        Refused(Small with { Dropout = 1 }, "Dropout is 1");
        Refused(Small with { Epsilon = 0 }, "Epsilon is 0");
        Refused(Small with { Width = 6, Heads = 2, Positions = Positions.Rotary }, "3 wide");
    }

    [Fact]
    public void Forward_Refuses_MoreTokensThanTheContext()
    {
        var model = new Gpt(Weights.Random(1), Small);
        Fails<ModelException>(() => model.Forward(Tokens(1, 1, 9)), "ASH0347", "9 tokens", "context of 8");
        Fails<ModelException>(() => model.Forward(Tensor.From([1, 2])), "ASH0347", "i32[2]");
        Fails<ModelException>(() => model.Logits(Tensor.Zeros(2, 15)).Realize(), "ASH0346", "f32[2, 15]");
    }
}
