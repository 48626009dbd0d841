using Ashlar.NN;
using Ashlar.Tests.Tensors;

namespace Ashlar.Tests.NN;

/// <summary>Each optimizer against its paper's formula, written for single numbers.</summary>
public sealed class OptimizerTests() : DeviceTests(Devices.Reference)
{
    const int Steps = 5;
    static readonly Schedule rates = Schedule.Cosine(0.1, 6, warmup: 2, final: 0.01);

    // A matrix and a vector, moved a few steps by gradients that depend on the weights. Compares with Expected, which gets the
    // weights, the gradients of the step and its number, and moves the weights itself.
    static void Check(Func<Weights, Optimizer> make, Action<double[][], double[][], int> expected, double tolerance = 1e-12)
    {
        var weights = Weights.Random(11, DType.Float64);
        weights.Get("matrix", [3, 4], Initial.Normal(1));
        weights.Get("vector", [4], Initial.Normal(1));
        double[][] values = [.. weights.Parameters.Select(parameter => Numbers(parameter.Value))];
        var optimizer = make(weights);
        var step = Compiled.Step((Tensor noise) =>
        {
            var (matrix, vector) = (weights.Parameters[0].Value, weights.Parameters[1].Value);
            var loss = ((matrix - noise).Square() * noise.Exp()).Sum() + (vector.Sin() * noise[0]).Sum();
            Tensor[] gradients = loss.Gradient(weights);
            optimizer.Update(gradients);
            return gradients;
        });
        for (int i = 0; i < Steps; i++)
        {
            var noise = Tensor.RandomNormal(100 + i, [3, 4], DType.Float64).Realize();
            double[][] gradients = [.. step(noise).Select(Numbers)];
            expected(values, gradients, i);
            for (int p = 0; p < values.Length; p++)
                Close(weights.Parameters[p].Value, weights.Parameters[p].DType.Name + weights.Parameters[p].Shape, tolerance, values[p]);
        }
        Assert.Equal(Steps, optimizer.Count.Value.Item<int>());
    }

    [Theory, InlineData(false), InlineData(true)]
    public void AdamW_IsItsPaper(bool everythingDecays)
    {
        double[][] m = [new double[12], new double[4]], v = [new double[12], new double[4]];
        Check(
            weights => new AdamW(weights, rates, 0.8, 0.95, 1e-6, 0.3, everythingDecays ? _ => true : null),
            (values, gradients, step) =>
            {
                double rate = (float)rates.At(step);
                for (int p = 0; p < 2; p++)
                    for (int i = 0; i < values[p].Length; i++)
                    {
                        double g = gradients[p][i];
                        m[p][i] = 0.8 * m[p][i] + 0.2 * g;
                        v[p][i] = 0.95 * v[p][i] + 0.05 * g * g;
                        double mean = m[p][i] / (1 - Math.Pow(0.8, step + 1)), square = v[p][i] / (1 - Math.Pow(0.95, step + 1));
                        double decay = p == 0 || everythingDecays ? 0.3 * values[p][i] : 0;
                        values[p][i] -= rate * (mean / (Math.Sqrt(square) + 1e-6) + decay);
                    }
            },
            1e-6);   // bias corrections are rounded to float32
    }

    [Fact]
    public void States_AreNamed_AndBringBackTheCourse()
    {
        var (weights, optimizer, step) = Course();
        for (int i = 0; i < 3; i++) step();
        var saved = weights.States.Concat(optimizer.States).ToDictionary(state => state.Name, state => state.Value.Detach());
        Assert.Equal(["adamw.mean.w", "adamw.square.w", "adamw.step", "w"], saved.Keys.Order(StringComparer.Ordinal));
        double[] later = [.. Enumerable.Range(0, 4).Select(_ => step().Item<double>())];

        var (weights2, optimizer2, step2) = Course();
        foreach (var state in weights2.States.Concat(optimizer2.States)) state.Value = saved[state.Name];
        Assert.Equal(later, Enumerable.Range(0, 4).Select(_ => step2().Item<double>()));

        static (Weights, Optimizer, Func<Tensor>) Course()
        {
            var weights = Weights.Random(1, DType.Float64);
            var w = weights.Get("w", [5], Initial.Normal(1));
            var optimizer = new AdamW(weights, Schedule.Cosine(0.1, 10, 2));
            return (weights, optimizer, Compiled.Step(() =>
            {
                var loss = w.Value.Square().Sum();
                optimizer.Update(loss.Gradient(weights));
                return loss;
            }));
        }
    }

    [Fact]
    public void Optimizer_KeepsMomentsInFloat32_WhenWeightsAreNarrow()
    {
        var weights = Weights.Random(1, DType.BFloat16);
        var w = weights.Get("w", [3], Initial.Ones);
        var optimizer = new AdamW(weights, 0.5);
        optimizer.Update((w.Value * 2).Sum().Gradient(weights));
        Assert.Equal("bf16[3]", w.Value.Type);
        Assert.All(optimizer.States.Skip(1), state => Assert.Equal(DType.Float32, state.DType));
        Same(w.Value, "bf16[3]", 0.5, 0.5, 0.5);
    }

    [Fact]
    public void Optimizer_Refuses_OtherGradients()
    {
        var weights = Weights.Random(1);
        Fails<ModelException>(() => new AdamW(weights, 0.1), "ASH0348", "without parameters");
        _ = new Linear(weights, 2, 2);
        var optimizer = new AdamW(weights, 0.1);
        Fails<ModelException>(() => optimizer.Update([Tensor.Zeros(2, 2)]), "ASH0348", "2 parameters", "1 gradients");
        Assert.Throws<ArgumentOutOfRangeException>(() => new AdamW(weights, 0.1, beta1: 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new AdamW(weights, 0.1, beta2: -0.1));
    }

    [Fact]
    public void ClipByGlobalNorm_ScalesAllTogether_WhenTheyAreLong()
    {
        Tensor[] gradients = [Tensor.From([3f, 0f]), Tensor.From([[4f]])];
        Same(gradients.GlobalNorm(), "f32[]", 5);
        var (clipped, norm) = gradients.ClipByGlobalNorm(1);
        Same(norm, "f32[]", 5);
        Same(clipped[0], "f32[2]", 0.6, 0);
        Same(clipped[1], "f32[1, 1]", 0.8);
        var kept = gradients.ClipByGlobalNorm(6).Gradients;
        Same(kept[0], "f32[2]", 3, 0);
        Assert.Throws<ArgumentOutOfRangeException>(() => gradients.ClipByGlobalNorm(0));
    }
}
