using Ashlar.Backends.Cpu;
using Ashlar.Graph;
using Ashlar.Tests.Tensors;

namespace Ashlar.Tests.Kernels;

/// <summary>Where attention goes through FlashAttention by itself.</summary>
public sealed class LongAttentionTests() : DeviceTests(new Device(new CpuBackend()))
{
    const int Tokens = 1024, Width = 16;

    [Fact]
    public void Attention_OfLongSequencesInBFloat16_HasTheLossAndGradientsOfTheComposite()
    {
        Tensor q = Tensor.RandomNormal(1, 1, Tokens, 2, Width), k = Tensor.RandomNormal(2, 1, Tokens, 1, Width),
            v = Tensor.RandomNormal(3, 1, Tokens, 1, Width);
        var weights = Tensor.RandomNormal(4, 1, Tokens, 2, Width);
        foreach (var x in new[] { q, k, v, weights }) x.Realize();
        Tensor[] Run(bool isNarrow) => Compiled.Function((Tensor a, Tensor b, Tensor c) =>
        {
            if (isNarrow) Compiled.ProductsIn(DType.BFloat16);
            var loss = (a.Attention(b, c, causal: true) * weights).Sum();
            return (Tensor[])[loss, .. loss.Gradient(a, b, c)];
        })(q, k, v);
        Tensor[] found = Run(isNarrow: true), expected = Run(isNarrow: false);
        foreach (var (narrow, plain) in found.Skip(1).Zip(expected.Skip(1)))
        {
            double[] one = Numbers(narrow), other = Numbers(plain);
            double scale = Math.Sqrt(other.Sum(x => x * x) / other.Length);
            double difference = Math.Sqrt(one.Zip(other, (x, y) => (x - y) * (x - y)).Sum() / other.Length);
            Assert.InRange(difference / scale, 0, 1e-2);
        }
        Assert.InRange(Math.Abs(Numbers(found[0])[0] - Numbers(expected[0])[0]) / Math.Sqrt(Tokens), 0, 0.5);
    }

    [Theory]
    [InlineData(DType.BFloat16, Tokens, true)]
    [InlineData(DType.BFloat16, Tokens - 1, false)]
    [InlineData(DType.Float32, Tokens, false)]
    public void Attention_KeepsNoScores_WhereItIsLongAndNarrow(DType dtype, int tokens, bool isFlash)
    {
        Tensor x = Tensor.Zeros([1, tokens, 1, Width], dtype), y = x.Attention(x, x, causal: true);
        var nodes = Traversal.PostOrder([y.Cast(DType.Float32).Sum().Gradient(x).Node]);
        Assert.Equal(isFlash, nodes.Exists(node => node.Op == Op.Kernel));
        Assert.Equal(isFlash, nodes.TrueForAll(node => node.Shape.Elements.Value < (long)tokens * tokens
            && node.Op != Op.Attention));
    }
}
