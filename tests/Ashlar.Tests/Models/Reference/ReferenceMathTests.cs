using static Ashlar.Tests.Models.Reference.ReferenceMath;

namespace Ashlar.Tests.Models.Reference;

/// <summary>The formulas of the reference models against closed forms and published numbers.</summary>
public sealed class ReferenceMathTests
{
    [Theory]
    [InlineData(0.5, 0.5204998778130465)]
    [InlineData(-2, -0.9953222650189527)]
    [InlineData(4, 0.9999999845827421)]
    [InlineData(0, 0)]
    public void Erf_IsTheTabulatedOne(double x, double expected) => Assert.Equal(expected, Erf(x), 1e-14);

    [Fact]
    public void Activations_AreTheTabulatedOnes()
    {
        Assert.Equal(0.8413447460685429, Gelu(1), 1e-14);
        Assert.Equal(0.8411919906082768, GeluTanh(1), 1e-12);
        Assert.Equal(0.7310585786300049, Silu(1), 1e-14);
    }

    [Fact]
    public void Norms_HaveTheirMoments()
    {
        double[] x = [1, -2, 4, 0.5], ones = [1, 1, 1, 1];
        Assert.Equal(4, RmsNorm(x, ones, 0).Sum(value => value * value), 1e-12);
        var normed = LayerNorm(x, ones, [0, 0, 0, 0], 0);
        Assert.Equal(0, normed.Sum(), 1e-12);
        Assert.Equal(4, normed.Sum(value => value * value), 1e-12);
        Assert.Equal(RmsNorm(x, [1.5, 1.5, 1.5, 1.5], 0), RmsNorm(x, [0.5, 0.5, 0.5, 0.5], 0, onePlus: true));
    }

    [Fact]
    public void Rotation_IsTheClosedForm()
    {
        var rope = new ReferenceRope(ReferenceRope.Plain(4, 100));
        Assert.Equal([1, 0.1], rope.Frequencies);
        double[] turned = rope.Turn([1, 2, 3, 4, 5, 6], 1, 3);   // the last two are beyond the pairs
        double[] expected =
        [
            Math.Cos(3) - 3 * Math.Sin(3), 2 * Math.Cos(0.3) - 4 * Math.Sin(0.3),
            3 * Math.Cos(3) + Math.Sin(3), 4 * Math.Cos(0.3) + 2 * Math.Sin(0.3), 5, 6,
        ];
        for (int i = 0; i < 6; i++) Assert.Equal(expected[i], turned[i], 1e-14);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Rotation_DependsOnDistanceAlone(bool interleaved)
    {
        var rope = new ReferenceRope(ReferenceRope.Plain(8, 50), interleaved);
        double[] q = [1, -2, 0.5, 3, 0.25, -1, 2, 1.5], k = [0.5, 1, -1, 2, -0.75, 0.1, 1, -3];
        double Product(int a, int b) => rope.Turn(q, 1, a).Zip(rope.Turn(k, 1, b), (x, y) => x * y).Sum();
        Assert.Equal(Product(5, 2), Product(13, 10), 1e-12);
        Assert.NotEqual(Product(5, 2), Product(6, 2), 1e-3);
    }

    [Fact]
    public void Pairings_DifferByAPermutation()
    {
        double[] frequencies = ReferenceRope.Plain(6, 30), x = [1, 2, 3, 4, 5, 6];
        double[] halves = new ReferenceRope(frequencies).Turn([x[0], x[2], x[4], x[1], x[3], x[5]], 1, 7);
        double[] neighbours = new ReferenceRope(frequencies, Interleaved: true).Turn(x, 1, 7);
        Assert.Equal([halves[0], halves[3], halves[1], halves[4], halves[2], halves[5]], neighbours);
    }

    [Fact]
    public void StretchedFrequencies_KeepShortWavesAndSlowLongOnes()
    {
        double[] plain = ReferenceRope.Plain(64, 10000);
        double[] llama = ReferenceRope.Llama3(plain, 8, 1, 4, 512), yarn =
            ReferenceRope.Yarn(64, 10000, 8, 512, 32, 1, truncate: true);
        foreach (var stretched in (double[][])[llama, yarn])
        {
            Assert.Equal(plain[0], stretched[0], 1e-15);
            Assert.Equal(plain[^1] / 8, stretched[^1], 1e-15);
            for (int i = 0; i < plain.Length; i++) Assert.InRange(stretched[i], plain[i] / 8 - 1e-15, plain[i] + 1e-15);
            Assert.Contains(Enumerable.Range(0, 32), i => stretched[i] < plain[i] * 0.99 && stretched[i] > plain[i] / 8 * 1.01);
        }
        Assert.Equal(plain, ReferenceRope.Llama3(plain, 1, 1, 4, 512));
        Assert.Equal(1, ReferenceRope.YarnFactor(1));
        Assert.Equal(0.1 * Math.Log(32) + 1, ReferenceRope.YarnFactor(32));
    }

    [Fact]
    public void Attention_IsTheMeanOfWhatIsSeen_WhenQueriesAreZero()
    {
        double[][] q = [[0, 0], [0, 0], [0, 0]], k = [[1], [2], [3]], v = [[1], [3], [8]];
        Assert.Equal([[1, 1], [2, 2], [4, 4]], Attend(q, k, v, 2, 1, 1, Causal));
        Assert.Equal([[1, 1], [2, 2], [5.5, 5.5]], Attend(q, k, v, 2, 1, 1, Sliding(2)));
        Assert.Equal([[4, 4], [4, 4], [4, 4]], Attend(q, k, v, 2, 1, 1, (_, _) => true));
        // a sink of score 0 counts as one more token of value 0; one of -infinity as none
        Assert.Equal([[0.5, 1], [4.0 / 3, 2], [3, 4]], Attend(q, k, v, 2, 1, 1, Causal, sinks: [0, double.NegativeInfinity]),
            (a, b) => a.Zip(b).All(pair => Math.Abs(pair.First - pair.Second) < 1e-12));
    }

    [Fact]
    public void Attention_CapsScores()
    {
        double[][] q = [[0], [100]], k = [[1], [-1]], v = [[1], [0]];
        double share = 1 / (1 + Math.Exp(-2 * 3 * Math.Tanh(100 / 3.0)));
        Assert.Equal(share, Attend(q, k, v, 1, 1, 1, Causal, cap: 3)[1][0], 1e-12);
    }

    [Fact]
    public void Blocks_HoldLowHalvesFirst()
    {
        var bytes = new float[16];
        (bytes[0], bytes[15]) = (0x2F, 0xE7);
        var weights = new ReferenceWeights(new Dictionary<string, (int[], float[])>
        {
            ["w_blocks"] = ([1, 1, 1, 16], bytes),
            ["w_scales"] = ([1, 1, 1], [129]),
        });
        double[] row = [.. Enumerable.Range(0, 32).Select(input => GptOssReference.Elements(weights, "w")(0, 0, input))];
        Assert.Equal([-24, 4, 24, -16], [row[0], row[1], row[30], row[31]]);
        Assert.All(row[2..30], value => Assert.Equal(0, value));
    }

    [Fact]
    public void Greatest_PrefersTheFirstOfEquals() => Assert.Equal([3, 0, 2], Greatest([1, 0, 1, 2, 1], 3));
}
