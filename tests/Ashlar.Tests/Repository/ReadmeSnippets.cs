using Ashlar.Models;
using Ashlar.NN;
using Ashlar.Tiles;

namespace Ashlar.Tests.Repository;

/// <summary>The README's C#, compiled and run. What lies between "readme" and "end" is in the README word for word.</summary>
static class ReadmeSnippets
{
    public static void Gradient()
    {
        // readme
        Tensor x = Tensor.Random(seed: 1, 4, 3), w = Tensor.Random(seed: 2, 3, 2);
        Tensor loss = (x.MatMul(w) - 1).Square().Mean();
        Tensor slope = loss.Gradient(w);                 // f32[3, 2], more of the same graph
        Console.WriteLine(slope);
        // end
        Assert.Equal([3, 2], slope.Shape);
    }

    public static void TrainingStep()
    {
        // readme
        var weight = new State("weight", Tensor.Zeros(3));
        var step = Compiled.Step((Tensor inputs, Tensor targets) =>
        {
            Tensor loss = (inputs.MatMul(weight.Value) - targets).Square().Mean();
            weight.Value -= 0.1f * loss.Gradient(weight.Value);
            return loss;
        });
        // end
        Tensor inputs = Tensor.Random(seed: 3, 16, 3), targets = inputs.Sum(1);
        float first = step(inputs, targets).Item<float>();
        for (int i = 0; i < 20; i++) step(inputs, targets);
        Assert.True(step(inputs, targets).Item<float>() < first / 2);
    }

    public static void Transformer()
    {
        // readme
        var weights = Weights.Random(seed: 42);
        var model = new Gpt(weights, new GptConfig { Vocabulary = 65, Layers = 2, Width = 64, Heads = 4, Context = 64 });
        var optimizer = new AdamW(weights, learningRate: 3e-4);
        var step = Compiled.Step((Tensor tokens, Tensor targets) =>
        {
            Tensor loss = Loss.CrossEntropy(model.Forward(tokens), targets);
            optimizer.Update(loss.Gradient(weights));
            return loss;
        });
        // end
        Tensor tokens = Tensor.RandomInt(1, 0, 65, [1, 4]), targets = Tensor.RandomInt(2, 0, 65, [1, 4]);
        float first = step(tokens, targets).Item<float>();
        Assert.InRange(first, 4, 4.4);                       // about log(65): every token is as likely
        Assert.True(step(tokens, targets).Item<float>() < first);
    }

    public static void OwnKernel()
    {
        // readme
        var scale = Kernel.Define("scale", k =>
        {
            var x = k.Input("x", "N");
            var y = k.Output("y", "N");
            var n = k.Grid(("N", 1024));
            y[n] = x[n] * 2f;
        });
        Tensor doubled = scale.Call(Tensor.From([1f, 2f, 3f]));
        // end
        Assert.Equal([2f, 4f, 6f], doubled.ToArray<float>());
    }
}
