using Ashlar.Backends.Cpu;
using Ashlar.Kernels;
using Ashlar.Tests.Tensors;
using Ashlar.Tiles;

namespace Ashlar.Tests.Kernels;

public class LibraryTests
{
    public static TheoryData<int> Sizes => [.. KernelRun.Ragged];

    [Theory]
    [MemberData(nameof(Sizes))]
    public void FlashAttention_RunsTheSame_WhateverTheSize(int t)
    {
        var c = new AttentionConfig(HeadWidth: 8, Group: 2, QueryTile: 16, KeyTile: 16, Causal: t % 2 == 1);
        KernelRun.AssertSame(FlashAttention.Forward(c), (int[])[1, Math.Min(t, 17), 2, 8], (int[])[1, t, 1, 8],
            (int[])[1, t, 1, 8]);
    }

    [Theory]
    [InlineData(40, 40, true)]
    [InlineData(33, 70, true)]
    [InlineData(17, 65, false)]
    public void FlashAttention_InBFloat16_RunsTheSame(int t, int s, bool causal)
    {
        var c = new AttentionConfig(HeadWidth: 40, Group: 2, QueryTile: 32, KeyTile: 48, Causal: causal, DType: DType.BFloat16);
        KernelRun.AssertSame(FlashAttention.Forward(c), 1e-2, null, (int[])[1, t, 2, 40], (int[])[1, s, 1, 40],
            (int[])[1, s, 1, 40]);
    }

    // Whole panels, packed once per launch, multiplied where they lie.
    [Theory]
    [InlineData(64, true)]
    [InlineData(96, false)]
    [InlineData(128, false)]
    public void FlashAttention_OfWholePanels_RunsTheSame(int s, bool causal)
    {
        var c = new AttentionConfig(HeadWidth: 32, Causal: causal, DType: DType.BFloat16, QueryTile: 64, KeyTile: 32)
        {
            ForwardKeyTile = s == 128 ? 64 : null,
        };
        KernelRun.AssertSame(FlashAttention.Forward(c), 1e-2, null, (int[])[1, 256, 1, 32], (int[])[1, s, 1, 32],
            (int[])[1, s, 1, 32]);
    }
}

public sealed class ReferenceLibraryCallTests() : LibraryCallTests(Devices.Reference);

public sealed class CpuLibraryCallTests() : LibraryCallTests(new Device(new CpuBackend()));

public abstract class LibraryCallTests(Device device) : DeviceTests(device)
{
    [Theory]
    [InlineData(false, 5, 9)]
    [InlineData(true, 7, 7)]
    [InlineData(true, 3, 20)]
    public void FlashAttention_IsAttention(bool causal, int t, int s)
    {
        var (q, k, v) = (Tensor.RandomNormal(1, 2, 4, t, 8), Tensor.RandomNormal(2, 2, 2, s, 8),
            Tensor.RandomNormal(3, 2, 2, s, 8));
        var found = FlashAttention.Forward(new(HeadWidth: 8, Group: 2, Causal: causal, QueryTile: 16,
            KeyTile: 16)).CallAll(Heads(q), Heads(k), Heads(v));
        static Tensor Heads(Tensor x) => x.Transpose(1, 2);
        Tensor Repeated(Tensor x) => x.Reshape(2, 2, 1, s, 8).BroadcastTo(2, 2, 2, s, 8).Reshape(2, 4, s, 8);
        var scores = q.MatMul(Repeated(k).Transpose(-1, -2)) / MathF.Sqrt(8);
        if (causal) scores = Tensor.Where(Tensor.Arange((Extent)s).Reshape(1, s) <= Tensor.Arange((Extent)t).Reshape(t, 1)
            + (s - t), scores, float.NegativeInfinity);
        Close(Heads(found[0]), scores.Softmax().MatMul(Repeated(v)));
        Close(found[1], scores.Exp().Sum(-1).Log());
    }

    [Theory]
    [InlineData(false, 5, 9, 1)]
    [InlineData(true, 17, 17, 1)]
    [InlineData(true, 40, 70, 2)]
    [InlineData(false, 20, 20, 3)]
    public void FlashAttention_HasTheGradientOfAttention(bool causal, int t, int s, int parts)
    {
        var (q, k, v) = (Tensor.RandomNormal(1, 1, t, 2, 4), Tensor.RandomNormal(2, 1, s, 1, 4),
            Tensor.RandomNormal(3, 1, s, 1, 4));
        var c = new AttentionConfig(HeadWidth: 4, Group: 2, Causal: causal, QueryTile: 16, KeyTile: 16) { BackwardParts = parts };
        Kernel forward = FlashAttention.Forward(c), delta = FlashAttention.Delta(c), backward = FlashAttention.Backward(c),
            queries = FlashAttention.Queries(c);
        var o = Tensor.CustomGradient(x => forward.CallAll(x)[0], (dy, y, x) =>
        {
            Tensor[] saved = [.. x, dy, forward.CallAll(x)[1], delta.Call(dy, y)];
            Tensor[] sums = backward.CallAll(saved);
            return [queries.Call(sums[2]), sums[0], sums[1]];
        }, [q, k, v]);
        var plain = q.Attention(k, v, causal);
        Close(o, plain);
        var seed = Tensor.RandomNormal(4, 1, t, 2, 4);
        foreach (var (found, expected) in (o * seed).Sum().Gradient(q, k,
            v).Zip((plain * seed).Sum().Gradient(q, k, v))) Close(found, expected, 2e-5);
    }

    [Fact]
    public void Library_IsWhatItSays()
    {
        var (x, w, b) = (Tensor.RandomNormal(1, 5, 33), Tensor.RandomNormal(2, 33), Tensor.RandomNormal(3, 33));
        Close(Rows.Softmax().Call(x), x.Softmax());
        Close(Rows.RmsNorm(1e-5f).Call(x, w), x / ((x * x).Mean(-1, keepAxis: true) + 1e-5f).Sqrt() * w);
        var centred = x - x.Mean(-1, keepAxis: true);
        Close(Rows.LayerNorm().Call(x, w, b), centred / ((centred * centred).Mean(-1, keepAxis: true) + 1e-5f).Sqrt() * w + b);
        Close(Vectors.Add(16).Call(w, b), w + b);
        Close(Vectors.Scale(3, 16).Call(w), w * 3);
        Close(Vectors.Sum(16).Call(w), w.Sum());
        var a = Tensor.RandomNormal(4, 33, 20);
        Close(MatMul.Define(new(Bias: true, RowTile: 4, ColumnTile: 16, InnerTile: 8), y => KernelMath.Max(y, 0)).Call(x, a,
            b[..20]), (x.MatMul(a) + b[..20]).Relu());
        Close(MatMul.Define(new(DType.BFloat16, TransposeRight: true)).Call(x.Cast(DType.BFloat16),
            a.Transpose(0, 1).Cast(DType.BFloat16)), x.MatMul(a).Cast(DType.BFloat16), 5e-2);
    }
}
