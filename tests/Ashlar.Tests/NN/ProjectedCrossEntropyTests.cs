using Ashlar.Backends.Cpu;
using Ashlar.Graph;
using Ashlar.NN;
using Ashlar.Tests.Tensors;

namespace Ashlar.Tests.NN;

public sealed class CpuProjectedCrossEntropyTests() : ProjectedCrossEntropyTests(new Device(new CpuBackend()));

public sealed class ReferenceProjectedCrossEntropyTests() : ProjectedCrossEntropyTests(Devices.Reference);

/// <summary>The loss without logits against the loss over logits.</summary>
public abstract class ProjectedCrossEntropyTests(Device device) : DeviceTests(device)
{
    const int Width = 12, Vocabulary = 70;
    readonly Tensor hidden = Tensor.RandomNormal(1, 2, 5, Width), weight = Tensor.RandomNormal(2, Vocabulary, Width);
    readonly Tensor targets = Tensor.From([3, 0, 69, -100, 7, 1, 15, -100, 68, 33], [2, 5]);

    [Fact]
    public void Loss_AndItsGradients_AreThoseOverLogits()
    {
        var expected = Loss.CrossEntropy(hidden.MatMul(weight.Transpose()), targets, ignore: -100);
        var found = Loss.ProjectedCrossEntropy(hidden, weight, targets, ignore: -100);
        Agree(expected, found, 1e-5);
        foreach (var (a, b) in expected.Gradient(hidden, weight).Zip(found.Gradient(hidden, weight))) Agree(a, b, 1e-5);
    }

    [Fact]
    public void Loss_OfBFloat16_IsThatOfRoundedValues()
    {
        Tensor x = hidden.Cast(DType.BFloat16), w = weight.Cast(DType.BFloat16), known = targets.Maximum(0);
        var expected = Loss.CrossEntropy(x.Cast(DType.Float32).MatMul(w.Cast(DType.Float32).Transpose()), known);
        var found = Loss.ProjectedCrossEntropy(x, w, known);
        Agree(expected, found, 1e-5);
        Tensor[] gradients = found.Gradient(x, w);
        Assert.All(gradients, gradient => Assert.Equal(DType.BFloat16, gradient.DType));
        // Probabilities less one, and gradients, are rounded to 8 bits.
        foreach (var (a, b) in expected.Gradient(x, w).Zip(gradients)) Agree(a, b, 1 / 256.0);
    }

    [Fact]
    public void Loss_KeepsNoLogits()
    {
        var found = Loss.ProjectedCrossEntropy(hidden, weight, targets, ignore: -100);
        var nodes = Traversal.PostOrder([.. found.Gradient(hidden, weight).Select(gradient => gradient.Node), found.Node]);
        Assert.DoesNotContain(nodes, node => node.Shape.Elements.Value == 10 * Vocabulary);
        Assert.Contains(nodes, node => node.Op == Op.Kernel);
    }

    [Fact]
    public void Loss_NamesATargetOutsideOfTheVocabulary() =>
        Fails<KernelException>(() =>
            Numbers(Loss.ProjectedCrossEntropy(hidden, weight, targets.FullLike(Vocabulary))), "ASH0510");

    [Fact]
    public void Loss_Refuses_WhatDoesNotFit()
    {
        Fails<ShapeException>(() => Loss.ProjectedCrossEntropy(hidden, weight, Tensor.From([1, 2])), "ASH0126");
        Assert.Throws<ShapeException>(() => Loss.ProjectedCrossEntropy(hidden, weight.Transpose(), targets));
    }

    // Mean differences in units of the mean value: a sum may cancel.
    static void Agree(Tensor expected, Tensor found, double tolerance)
    {
        Assert.Equal(expected.Shape, found.Shape);
        double[] a = Numbers(expected), b = Numbers(found);
        Assert.InRange(a.Zip(b, (x, y) => Math.Abs(x - y)).Average() / a.Average(Math.Abs), 0, tolerance);
    }
}
