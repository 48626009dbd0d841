using Ashlar.Backends.Cpu;
using Ashlar.Kernels;
using Ashlar.Tests.Tensors;
using Ashlar.Tiles;

namespace Ashlar.Tests.Kernels;

/// <summary>Kernels of the library on every path against the interpreter, at sizes around vectors and tiles.</summary>
public class OperatorLibraryTests
{
    public static TheoryData<int> Sizes => [.. KernelRun.Ragged];

    [Theory, MemberData(nameof(Sizes))]
    public void Gates_RunTheSame(int n)
    {
        KernelRun.AssertSame(Gates.SwiGlu(tile: 32), [n], [n]);
        KernelRun.AssertSame(Gates.SwiGluBackward(tile: 32), [n], [n], [n]);
        KernelRun.AssertSame(Gates.GeGlu(tile: 32), [n], [n]);
        KernelRun.AssertSame(Gates.GeGluBackward(tile: 32), [n], [n], [n]);
        KernelRun.AssertSame(Gates.SwiGlu(DType.BFloat16, 32), [n], [n]);
    }

    [Theory, MemberData(nameof(Sizes))]
    public void Sequences_RunTheSame(int n)
    {
        KernelRun.AssertSame(Sequences.Rotate(), [n, 3, 2, 5], [n, 5], [n, 5]);
        KernelRun.AssertSame(Sequences.Rotate(backward: true), [3, 2, 2, n], [3, n], [3, n]);
        KernelRun.AssertSame(Sequences.Embed(), [n], [5, 17]);
        KernelRun.AssertSame(Sequences.EmbedBackward(), [n], [n, 17], [5, 17]);
        KernelRun.AssertSame(Sequences.Route(3), [n, 7]);
        KernelRun.AssertSame(Sequences.Route(1), [5, n]);
    }

    [Theory]
    [InlineData(40, 129)]
    [InlineData(70, 300)]
    public void EmbedBackward_RunsTheSame_ForWideTables(int tokens, int width) =>
        KernelRun.AssertSame(Sequences.EmbedBackward(), 0, null, [tokens], [tokens, width], [5, width]);

    [Theory]
    [InlineData(8, 64)]
    [InlineData(8, 256)]                                // DeepSeek-V3
    [InlineData(17, 17)]
    public void Route_RunsTheSame_ForManyExperts(int count, int experts) =>
        KernelRun.AssertSame(Sequences.Route(count), [19, experts]);

    [Theory]
    [InlineData(3, 5)]
    [InlineData(8, 17)]
    [InlineData(17, 17)]
    public void Route_RunsTheSame_WhenLogitsAreMinusInfinity(int count, int experts) =>
        KernelRun.AssertSame(Sequences.Route(count), 2e-5,
            (_, random) => random.Next(3) > 0 ? double.NegativeInfinity : random.NextDouble() * 4 - 2, [37, experts]);

    [Fact]
    public void GroupedConvolution_Refuses_AStrideOrASpread()
    {
        var plain = new DepthwiseConfig(8, 8, 6, 6, 3, 3);
        GroupedConvolution.Convolve(plain, inputs: 2, outputs: 2);
        foreach (var windows in new[] { plain with { Stride = (2, 1) }, plain with { Spread = (1, 2) } })
        {
            Assert.Throws<ArgumentException>(() => GroupedConvolution.Convolve(windows, inputs: 2, outputs: 2));
            Assert.Throws<ArgumentException>(() => GroupedConvolution.Correlate(windows, inputs: 2, outputs: 2));
        }
    }

    [Fact]
    public void Route_FindsMoreExpertsThanThereAre()
    {
        var error = Assert.Throws<KernelException>(() => Sequences.Route(8).For([new(DType.Float32, [3, 7])]));
        Assert.Equal("ASH0571", error.Code);
        Assert.Contains("8 experts", error.Message);
        Assert.Contains("have 7", error.Message);
    }

    [Theory, MemberData(nameof(Sizes))]
    public void CrossEntropy_RunsTheSame(int n)
    {
        KernelRun.AssertSame(CrossEntropy.Forward(), [n, 9], [n]);
        KernelRun.AssertSame(CrossEntropy.Backward(), [n, 9], [n], [n], [n]);
        var c = new ProjectedLossConfig(12, RowTile: 16, VocabularyTile: 32);
        Projected(CrossEntropy.ProjectedForward(c), [n, 12], [40, 12], [n]);
        Projected(CrossEntropy.ProjectedForward(c), [9, 12], [Math.Max(5, n), 12], [9]);
        Projected(CrossEntropy.ProjectedBackwardHidden(c), [n, 12], [40, 12], [n], [n], [n]);
        Projected(CrossEntropy.ProjectedBackwardWeights(c), [n, 12], [40, 12], [n], [n], [n]);

        // Log-sum-exps that are not those of the logits: small numbers keep the exponentials small.
        static void Projected(Kernel kernel, params Shape[] shapes) =>
            KernelRun.AssertSame(kernel, 2e-5,
                (buffer, random) => buffer.DType.IsFloat ? random.NextDouble() - 0.5 : random.Next(5), shapes);
    }
}

public sealed class CpuOperatorCallTests() : OperatorCallTests(new Device(new CpuBackend()));

public sealed class ReferenceOperatorCallTests() : OperatorCallTests(Devices.Reference);

/// <summary>Kernels of the library against the same operators of the tensors' vocabulary, and their gradients against its
/// gradients.</summary>
public abstract class OperatorCallTests(Device device) : DeviceTests(device)
{
    [Fact]
    public void Gates_AreWhatTheySay()
    {
        var (gate, up, dy) = (Tensor.RandomNormal(1, 70), Tensor.RandomNormal(2, 70), Tensor.RandomNormal(3, 70));
        Same(Gates.SwiGlu().Call(gate, up), Gates.SwiGluBackward().CallAll(dy, gate, up), gate.Silu() * up);
        Same(Gates.GeGlu().Call(gate, up), Gates.GeGluBackward().CallAll(dy, gate, up), gate.Gelu(approximate: true) * up);

        void Same(Tensor found, Tensor[] gradients, Tensor expected)
        {
            Close(found, expected);
            foreach (var (a, b) in gradients.Zip((expected * dy).Sum().Gradient(gate, up))) Close(a, b);
        }
    }

    [Fact]
    public void Rotary_TurnsPairs_AndBack()
    {
        var x = Tensor.RandomNormal(1, 5, 2, 2, 4);
        var angles = Tensor.RandomNormal(2, 5, 4);
        var (cos, sin) = (angles.Cos(), angles.Sin());
        Tensor a = x[.., .., 0], b = x[.., .., 1], c = cos.Unsqueeze(1), s = sin.Unsqueeze(1);
        var y = Sequences.Rotate().Call(x, cos, sin);
        Close(y[.., .., 0], a * c - b * s);
        Close(y[.., .., 1], a * s + b * c);
        Close(Sequences.Rotate(backward: true).Call(y, cos, sin), x);
    }

    [Fact]
    public void Embedding_GathersAndScatters()
    {
        var table = Tensor.RandomNormal(1, 6, 5);
        var ids = Tensor.From([3, 0, 3, 5]);
        var dy = Tensor.RandomNormal(2, 4, 5);
        var expected = table.Take(ids, 0);
        Close(Sequences.Embed().Call(ids, table), expected);
        Close(Sequences.EmbedBackward().Call(ids, dy, table), (expected * dy).Sum().Gradient(table));
    }

    [Fact]
    public void Route_ChoosesTheGreatest()
    {
        var logits = Tensor.RandomNormal(1, 9, 8);
        var (values, indices) = logits.TopK(3);
        var found = Sequences.Route(3).CallAll(logits);
        Close(found[0].Cast(DType.Float32), indices.Cast(DType.Float32));
        Close(found[1], values.Softmax());
    }

    [Fact]
    public void Route_ChoosesEachExpertOnce_WhenTooFewAreAboveMinusInfinity()
    {
        const float Never = float.NegativeInfinity;
        var found = Sequences.Route(3).CallAll(Tensor.From(new[,]
        {
            { Never, Never, 0.5f, Never, Never }, { Never, 2, Never, Never, 2 }, { -float.MaxValue, Never, 1, Never, 1 },
            { Never, Never, Never, Never, Never },
        }));
        Assert.Equal([2, 0, 1, 1, 4, 0, 2, 4, 0, 0, 1, 2], found[0].ToArray<int>());
        Assert.Equal([1, 0, 0, 0.5f, 0.5f, 0, 0.5f, 0.5f, 0, float.NaN, float.NaN, float.NaN], found[1].ToArray<float>());
    }

    [Fact]
    public void ArgMaxAndTopK_NameEachElementOnce_WhenAllAreMinusInfinity()
    {
        const float Never = float.NegativeInfinity;
        var x = Tensor.From(new[,] { { Never, Never, Never, Never }, { Never, Never, 3, Never } });
        Assert.Equal([0, 2], x.ArgMax(1).ToArray<int>());
        Assert.Equal([0, 1, 2, 2, 0, 1], x.TopK(3).Indices.ToArray<int>());
    }

    [Theory]
    [InlineData(8, 64)]
    [InlineData(8, 256)]
    public void Route_ChoosesEightOfMany(int count, int experts)
    {
        var logits = Tensor.RandomNormal(4, 21, experts);
        var (values, indices) = logits.TopK(count);
        var found = Sequences.Route(count).CallAll(logits);
        Close(found[0].Cast(DType.Float32), indices.Cast(DType.Float32));
        Close(found[1], values.Softmax());
    }

    [Fact]
    public void CrossEntropy_IsWhatItSays_WithAndWithoutLogits()
    {
        var (h, weight, targets) =
            (Tensor.RandomNormal(1, 7, 12), Tensor.RandomNormal(2, 30, 12), Tensor.From([3, 0, 29, 7, 7, 1, 15]));
        var logits = h.MatMul(weight.Transpose(0, 1));
        var expected = logits.CrossEntropyRows(targets);
        var dLoss = Tensor.RandomNormal(3, 7);
        var plain = CrossEntropy.Forward().CallAll(logits, targets);
        Close(plain[0], expected);
        Close(CrossEntropy.Backward().Call(logits, targets, plain[1], dLoss), (expected * dLoss).Sum().Gradient(logits));
        var c = new ProjectedLossConfig(12, RowTile: 4, VocabularyTile: 16);
        var projected = CrossEntropy.ProjectedForward(c).CallAll(h, weight, targets);
        Close(projected[0], expected);
        Tensor[] gradients = (expected * dLoss).Sum().Gradient(h, weight);
        Close(CrossEntropy.ProjectedBackwardHidden(c).Call(h, weight, targets, projected[1], dLoss), gradients[0], 2e-5);
        Close(CrossEntropy.ProjectedBackwardWeights(c).Call(h, weight, targets, projected[1], dLoss), gradients[1], 2e-5);
    }
}
