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
        KernelRun.AssertSame(FlashAttention.Forward(c), (int[])[1, Math.Min(t, 17), 2, 8], (int[])[1, t, 1, 8], (int[])[1, t, 1, 8]);
    }

    [Theory]
    [InlineData(40, 40, true)]
    [InlineData(33, 70, true)]
    [InlineData(17, 65, false)]
    public void FlashAttention_InBFloat16_RunsTheSame(int t, int s, bool causal)
    {
        var c = new AttentionConfig(HeadWidth: 40, Group: 2, QueryTile: 32, KeyTile: 48, Causal: causal, DType: DType.BFloat16);
        KernelRun.AssertSame(FlashAttention.Forward(c), 1e-2, null, (int[])[1, t, 2, 40], (int[])[1, s, 1, 40], (int[])[1, s, 1, 40]);
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
        var (q, k, v) = (Tensor.RandomNormal(1, 2, 4, t, 8), Tensor.RandomNormal(2, 2, 2, s, 8), Tensor.RandomNormal(3, 2, 2, s, 8));
        var found = FlashAttention.Forward(new(HeadWidth: 8, Group: 2, Causal: causal, QueryTile: 16, KeyTile: 16)).CallAll(Heads(q), Heads(k), Heads(v));
        static Tensor Heads(Tensor x) => x.Transpose(1, 2);
        Tensor Repeated(Tensor x) => x.Reshape(2, 2, 1, s, 8).BroadcastTo(2, 2, 2, s, 8).Reshape(2, 4, s, 8);
        var scores = q.MatMul(Repeated(k).Transpose(-1, -2)) / MathF.Sqrt(8);
        if (causal) scores = Tensor.Where(Tensor.Arange((Extent)s).Reshape(1, s) <= Tensor.Arange((Extent)t).Reshape(t, 1) + (s - t), scores, float.NegativeInfinity);
        Close(Heads(found[0]), scores.Softmax().MatMul(Repeated(v)));
        Close(found[1], scores.Exp().Sum(-1).Log());
    }
}
