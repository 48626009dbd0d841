using Ashlar.Backends.Cpu;
using Ashlar.Models;
using Ashlar.NN;
using Ashlar.Runtime;
using Ashlar.Tests.NN;
using Ashlar.Tests.Tensors;

namespace Ashlar.Tests.Models;

public sealed class GptTests() : DeviceTests(Devices.Reference)
{
    internal static readonly GptConfig Small = new() { Vocabulary = 11, Layers = 2, Width = 16, Heads = 2, Context = 8 };

    static Tensor Tokens(int seed, int batch, int tokens) =>
        Tensor.RandomInt(seed, 0, Small.Vocabulary, [batch, tokens]).Detach();

    [Fact]
    public void Names_AreThoseOfThePublishedGpt2()
    {
        var weights = Weights.Random(1);
        _ = new Gpt(weights, Small with { Layers = 1 });
        string[] expected =
        [
            "wte.weight [11, 16]", "wpe.weight [8, 16]",
            "h.0.ln_1.weight [16]", "h.0.ln_1.bias [16]",
            "h.0.attn.c_attn.weight [16, 48]", "h.0.attn.c_attn.bias [48]", "h.0.attn.c_proj.weight [16, 16]",
            "h.0.attn.c_proj.bias [16]",
            "h.0.ln_2.weight [16]", "h.0.ln_2.bias [16]",
            "h.0.mlp.c_fc.weight [16, 64]", "h.0.mlp.c_fc.bias [64]", "h.0.mlp.c_proj.weight [64, 16]",
            "h.0.mlp.c_proj.bias [16]",
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
        // Erf is not exact to the last digits.
        Slopes.Check(weights, () => Loss.CrossEntropy(model.Forward(tokens), targets), 1e-4);
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
        var config = Small with { Layers = 1 };

        var weights = Weights.Random(seed: 42);
        var model = new Gpt(weights, config);
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
        Assert.True(losses[^1] < 1.2, $"the loss fell from {losses[0]} to {losses[^1]} only");
        Assert.Equal(50, optimizer.Count.Value.Item<int>());
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Training_GivesTheLossesOfTheReference(bool modern)
    {
        float[] expected = Train(new(new ReferenceBackend())), actual = Train(new(new CpuBackend()));
        Assert.True(expected[^1] < expected[0] - 0.5, $"the loss fell from {expected[0]} to {expected[^1]} only");
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 1e-3));

        float[] Train(Device device)
        {
            using var selected = device.Select();
            var weights = Weights.Random(7);
            var config = Small with { Layers = 1, Width = 8, TiedEmbeddings = modern };
            var model = new Gpt(weights, modern ? config.Modern() with { HiddenWidth = 24 } : config);
            var optimizer = new AdamW(weights, Schedule.Cosine(1e-2, 50, warmup: 5, final: 1e-3), beta2: 0.95, decay: 0.1);
            var step = Compiled.Step((Tensor tokens, Tensor targets) =>
            {
                var loss = Loss.CrossEntropy(model.Forward(tokens), targets, smoothing: 0.05);
                optimizer.Update(loss.Gradient(weights).ClipByGlobalNorm(1).Gradients);
                return loss;
            });
            var text = Tokens(5, 2, 8);
            var (inputs, targets) = (text[.., ..7].Detach(), text[.., 1..].Detach());
            return [.. Enumerable.Range(0, 50).Select(_ => step(inputs, targets).Item<float>())];
        }
    }

    [Theory, InlineData("reference"), InlineData("cpu")]
    public void Training_InMixedPrecision_IsThatOfFloat32_Nearly(string backend)
    {
        using var selected = new Device(backend == "cpu" ? new CpuBackend() : new ReferenceBackend()).Select();
        float[] expected = Train(null), actual = Train(DType.BFloat16);
        Assert.NotEqual(expected, actual);
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 0.03));

        static float[] Train(DType? dtype)
        {
            var weights = Weights.Random(7);
            var model = new Gpt(weights, Small.Modern() with { Layers = 1, HiddenWidth = 32, ActivationDType = dtype });
            var optimizer = new AdamW(weights, 1e-2);
            var (tokens, targets) = (Tokens(2, 2, 8), Tokens(3, 2, 8));
            Assert.Equal(dtype ?? DType.Float32, model.Forward(tokens).DType);
            var step = Compiled.Step(() =>
            {
                var loss = Loss.CrossEntropy(model.Forward(tokens), targets);
                optimizer.Update(loss.Gradient(weights));
                return loss;
            });
            float[] losses = [.. Enumerable.Range(0, 6).Select(_ => step().Item<float>())];
            Assert.All(weights.States.Concat(optimizer.States.Skip(1)), state => Assert.Equal(DType.Float32, state.DType));
            return losses;
        }
    }

    [Fact]
    public void Training_DropsTheSame_WhenItIsRepeatedOrResumed()
    {
        var whole = Start();
        double[] losses = [.. Enumerable.Range(0, 6).Select(_ => whole.Step())];
        var first = Start();
        Assert.Equal(losses.Take(3), Enumerable.Range(0, 3).Select(_ => first.Step()));
        var second = Start();
        foreach (var (from, to) in first.States.Zip(second.States)) to.Value = from.Value.Detach();
        Assert.Equal(losses.Skip(3), Enumerable.Range(0, 3).Select(_ => second.Step()));

        var still = Start(rate: 0);
        Assert.NotEqual(losses[0], still.Step());

        static (Func<double> Step, State[] States) Start(double rate = 0.3)
        {
            var weights = Weights.Random(1);
            var model = new Gpt(weights, Small with { Dropout = rate });
            var optimizer = new AdamW(weights, 1e-3);
            var (tokens, targets) = (Tokens(2, 1, 6), Tokens(3, 1, 6));
            var step = Compiled.Step(() =>
            {
                var loss = Loss.CrossEntropy(model.Forward(tokens, optimizer.Count.Value), targets);
                optimizer.Update(loss.Gradient(weights));
                return loss;
            });
            return (() => step().Item<float>(), [.. weights.States, .. optimizer.States]);
        }
    }

    [Fact]
    public void Configs_ThatContradictThemselves_AreRefused()
    {
        void Refused(GptConfig config, params string[] words) =>
            Fails<ModelException>(() => new Gpt(Weights.Random(1), config), "ASH0345", words);
        Refused(Small with { Heads = 3 }, "3 heads", "width of 16");
        Refused(Small with { Heads = 4, KvHeads = 3 }, "3 key-value heads");
        Refused(Small with { Layers = 0 }, "Layers is 0");
        Refused(Small with { Vocabulary = -1 }, "Vocabulary is -1");
        Refused(Small with { Dropout = 1 }, "Dropout is 1");
        Refused(Small with { ActivationDType = DType.Int8 }, "ActivationDType is i8");
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
