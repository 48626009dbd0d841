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
}
