using Ashlar.NN;
using Ashlar.Tests.Tensors;

namespace Ashlar.Tests.NN;

public sealed class LossTests() : DeviceTests(Devices.Reference)
{
    readonly Tensor logits = Tensor.RandomNormal(1, [2, 3, 4], DType.Float64);
    readonly Tensor targets = Tensor.From([0, 3, 1, 2, 2, 0], [2, 3]);

    // From the definition: the cross-entropy of softmax with the one-hot truth, blurred.
    double Expected(int[] counted, double smoothing)
    {
        double[] x = Numbers(logits), y = Numbers(targets);
        double sum = 0;
        foreach (int row in counted)
        {
            double total = Enumerable.Range(0, 4).Sum(i => Math.Exp(x[row * 4 + i]));
            for (int i = 0; i < 4; i++)
                sum -= ((1 - smoothing) * (i == y[row] ? 1 : 0) + smoothing / 4) * Math.Log(Math.Exp(x[row * 4 + i]) / total);
        }
        return sum / counted.Length;
    }

    [Theory, InlineData(0), InlineData(0.1), InlineData(1)]
    public void CrossEntropy_IsItsDefinition(double smoothing)
    {
        Close(Loss.CrossEntropy(logits, targets, smoothing: smoothing), "f64[]", 1e-12, Expected([0, 1, 2, 3, 4, 5], smoothing));
        CheckGradient(x => Loss.CrossEntropy(x, targets, smoothing: smoothing), logits);
    }

    [Theory, InlineData(0), InlineData(0.1)]
    public void CrossEntropy_SkipsWhatIsIgnored(double smoothing)
    {
        var masked = Tensor.From([0, -100, 1, 2, -100, 0], [2, 3]);
        Close(Loss.CrossEntropy(logits, masked, -100, smoothing), "f64[]", 1e-12, Expected([0, 2, 3, 5], smoothing));
        CheckGradient(x => Loss.CrossEntropy(x, masked, -100, smoothing), logits);
        var gradient = Loss.CrossEntropy(logits, masked, -100, smoothing).Gradient(logits);
        Close(gradient[0, 1], "f64[4]", 0, 0, 0, 0, 0);
        Close(Loss.CrossEntropy(logits, masked.FullLike(-100), -100, smoothing), "f64[]", 0, 0);
    }

    [Fact]
    public void CrossEntropy_StaysFinite_WhenLogitsAreHuge()
    {
        var huge = Tensor.From([1e4f, -1e4f], [1, 2]);
        Same(Loss.CrossEntropy(huge, Tensor.From([1])), "f32[]", 2e4);
        Same(Loss.CrossEntropy(huge, Tensor.From([0]), smoothing: 0.5), "f32[]", 5e3);
    }

    [Fact]
    public void CrossEntropy_Refuses_WhatDoesNotFit()
    {
        Fails<ShapeException>(() => Loss.CrossEntropy(logits, Tensor.From([1, 2])), "ASH0126");
        Assert.Throws<ArgumentOutOfRangeException>(() => Loss.CrossEntropy(logits, targets, smoothing: 1.5));
    }

    static readonly Tensor a = Tensor.From([0.0, 1, -2, 30, -30, 0.5]), b = Tensor.From([1.0, 1, 0, 1, 0.25, 0]);

    static double Mean(Func<double, double, double> of) => Numbers(a).Zip(Numbers(b), of).Average();

    [Fact]
    public void MeanSquaredError_IsItsDefinition()
    {
        Close(Loss.MeanSquaredError(a, b), "f64[]", 1e-12, Mean((x, y) => (x - y) * (x - y)));
        CheckGradient(x => Loss.MeanSquaredError(x, b), a);
    }

    [Fact]
    public void BinaryCrossEntropy_IsItsDefinition()
    {
        static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
        Close(Loss.BinaryCrossEntropy(a, b), "f64[]", 1e-9,
            Mean((x, y) => -y * Math.Log(Sigmoid(x)) - (1 - y) * Math.Log(Sigmoid(-x))));
        var gradient = Loss.BinaryCrossEntropy(a, b).Gradient(a);   // at 0 too, where heads begin
        Close(gradient, "f64[6]", 1e-9, [.. Numbers(a).Zip(Numbers(b), (x, y) => (Sigmoid(x) - y) / 6)]);
        Same(Loss.BinaryCrossEntropy(Tensor.From([1e4f, -1e4f]), Tensor.From([0f, 0f])), "f32[]", 5e3);
        Same(Loss.BinaryCrossEntropy(Tensor.From([0f, 0f]), Tensor.From([true, false])), "f32[]", Math.Log(2));
    }

    [Theory, InlineData(1), InlineData(0.4), InlineData(100)]
    public void Huber_IsItsDefinition(double delta)
    {
        Close(Loss.Huber(a, b, delta), "f64[]", 1e-12, Mean((x, y) =>
            Math.Abs(x - y) <= delta ? (x - y) * (x - y) / 2 : delta * (Math.Abs(x - y) - delta / 2)));
        CheckGradient(x => Loss.Huber(x, Tensor.From([1.1, 1.1, 0, 1, 0.25, 0]), delta), a);
        Assert.Throws<ArgumentOutOfRangeException>(() => Loss.Huber(a, b, 0));
    }

    [Fact]
    public void KlDivergence_IsItsDefinition()
    {
        var truth = Tensor.RandomNormal(8, [2, 3, 4], DType.Float64);
        double[] q = Numbers(logits.Softmax()), p = Numbers(truth.Softmax());
        Close(Loss.KlDivergence(logits, truth), "f64[]", 1e-12, p.Zip(q, (p, q) => p * Math.Log(p / q)).Sum() / 6);
        Close(Loss.KlDivergence(logits, logits + 3), "f64[]", 1e-12, 0);
        CheckGradient(x => Loss.KlDivergence(x, truth), logits);
        CheckGradient(x => Loss.KlDivergence(logits, x), truth);
    }

    [Fact]
    public void Losses_AreFloat32_WhenPredictionsAreNarrow()
    {
        Tensor x = Tensor.RandomNormal(1, 3, 4).Cast(DType.BFloat16), y = x + 1;
        foreach (var loss in (Tensor[])[Loss.CrossEntropy(x, Tensor.From([0, 1, 2])),
            Loss.CrossEntropy(x, Tensor.From([0, 1, 2]), smoothing: 0.1),
            Loss.MeanSquaredError(x, y), Loss.BinaryCrossEntropy(x, y), Loss.Huber(x, y), Loss.KlDivergence(x, y)])
        {
            Assert.Equal("f32[]", loss.Type);
            Assert.Equal("bf16[3, 4]", loss.Gradient(x).Type);
        }
    }

    [Fact]
    public void Losses_Refuse_ShapesThatWouldBroadcast()
    {
        Tensor column = Tensor.Zeros(3, 1), row = Tensor.Zeros(3);
        Fails<ModelException>(() => Loss.MeanSquaredError(column, row), "ASH0349", "f32[3, 1]", "f32[3]");
        Fails<ModelException>(() => Loss.BinaryCrossEntropy(column, row), "ASH0349");
        Fails<ModelException>(() => Loss.Huber(column, row), "ASH0349");
        Fails<ModelException>(() => Loss.KlDivergence(column, row), "ASH0349");
    }
}
