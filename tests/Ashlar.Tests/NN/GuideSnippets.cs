using Ashlar.Models;
using Ashlar.NN;

namespace Ashlar.Tests.NN;

/// <summary>The C# of docs/guides/neural-networks.md, compiled and run. What lies between "guide" and "end" is there word for
/// word.</summary>
static class GuideSnippets
{
    static readonly GptConfig config = new() { Vocabulary = 11, Layers = 1, Width = 8, Heads = 2, Context = 6 };

    // guide
    /// <summary>A layer of one's own: parameters are asked for in the constructor, by names that checkpoints will have.</summary>
    sealed class Residual(Weights weights, int width)
    {
        readonly RmsNorm norm = new(weights.Scope("norm"), width);
        readonly Mlp mlp = new(weights.Scope("mlp"), width, 4 * width, Activation.SwiGlu);
        readonly Parameter scale = weights.Get("scale", [width], Initial.Constant(0.1));

        public Tensor Forward(Tensor x) => x + mlp.Forward(norm.Forward(x)) * scale.Value;
    }
    // end

    public static void Layer()
    {
        var weights = Weights.Random(1);
        Assert.Equal("f32[3, 8]", new Residual(weights.Scope("block"), 8).Forward(Tensor.Ones(3, 8)).Realize().Type);
        Assert.Equal("block.scale", weights.Parameters[^1].Name);
    }

    public static void Training(Tensor tokens, Tensor targets)
    {
        // guide
        var weights = Weights.Random(seed: 42);
        var model = new Gpt(weights, config);
        var optimizer = new AdamW(weights, learningRate: 3e-4f);
        var step = Compiled.Step((Tensor tokens, Tensor targets) =>
        {
            var loss = Loss.CrossEntropy(model.Forward(tokens), targets);
            optimizer.Update(loss.Gradient(weights));
            return loss;
        });
        // end
        Assert.InRange(step(tokens, targets).Item<float>(), 2, 3);
    }

    public static void Options(Tensor tokens, Tensor targets)
    {
        // guide
        var weights = Weights.Random(seed: 42);
        var model = new Gpt(weights, config.Modern() with { Dropout = 0.1 });
        var optimizer = new Muon(weights, Schedule.Wsd(0.02, steps: 5000, warmup: 100, decay: 1000), adamLearningRate: 3e-4);
        var average = new MovingAverage(weights, decay: 0.999);
        var step = Compiled.Step((Tensor tokens, Tensor targets) =>
        {
            var logits = model.Forward(tokens, dropoutKey: optimizer.Count.Value);   // other elements drop in each step
            var loss = Loss.CrossEntropy(logits, targets, ignore: -100, smoothing: 0.1);
            var (gradients, norm) = loss.Gradient(weights).ClipByGlobalNorm(1.0);
            optimizer.Update(gradients);
            average.Update();
            return (loss, norm);
        });
        // end
        Assert.True(step(tokens, targets).norm.Item<float>() > 0);
    }

    public static void Accumulation(Tensor tokens, Tensor targets)
    {
        var weights = Weights.Random(seed: 42);
        var model = new Gpt(weights, config);
        var optimizer = new AdamW(weights, learningRate: 3e-4f);
        IEnumerable<(Tensor, Tensor)> parts = [(tokens, targets), (targets, tokens)];
        // guide
        var accumulator = new GradientAccumulator(weights);
        var add = Compiled.Step((Tensor tokens, Tensor targets) =>
            accumulator.Add(Loss.CrossEntropy(model.Forward(tokens), targets).Gradient(weights)));
        var update = Compiled.Step(() => optimizer.Update(accumulator.Take()));

        foreach (var (some, theirTargets) in parts) add(some, theirTargets);
        update();
        // end
        Assert.Equal(1, optimizer.Count.Value.Item<int>());
    }

    public static void Saving()
    {
        var weights = Weights.Random(seed: 42);
        var model = new Gpt(weights, config);
        // guide
        var saved = weights.States.ToDictionary(state => state.Name, state => state.Value);   // a file has the same names

        var loaded = Weights.From(saved);
        var twin = new Gpt(loaded, config);
        loaded.ThrowIfUnused();   // a name that no layer asked for: the file is of another model
        // end
        var tokens = Tensor.From([1, 2], [1, 2]);
        Assert.Equal(model.Forward(tokens).ToArray<float>(), twin.Forward(tokens).ToArray<float>());
    }

    public static void Decoding()
    {
        var model = new Gpt(Weights.Random(seed: 42), config);
        int[] prompt = [3, 1, 4];
        // guide
        var cache = model.NewCache();
        var next = Compiled.Step((Tensor tokens, Tensor position) => model.NextLogits(tokens, cache, position));

        var logits = next(Tensor.From(prompt, [1, prompt.Length]), Tensor.Of(0));   // reads the prompt
        int token = logits.ArgMax(-1).Cast(DType.Int32).Item<int>();
        logits = next(Tensor.From([token], [1, 1]), Tensor.Of(prompt.Length));      // reads one token, at its place
        // end
        Assert.Equal("f32[1, 11]", logits.Type);
    }
}
