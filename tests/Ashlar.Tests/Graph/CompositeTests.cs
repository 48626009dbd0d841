using Ashlar.Graph;
using static Ashlar.Graph.Nodes;

namespace Ashlar.Tests.Graph;

public class CompositeTests
{
    [Fact]
    public void Softmax_SumsToOne_WhenLogitsAreHuge()
    {
        var y = Run(x => Softmax(x[0], 1), Arrays.Of([2, 3], 1000, 1001, 1002, -1e300, 0, -5));
        Assert.Equal(1, y.Data[..3].Sum(), 12);
        Arrays.AssertClose(Arrays.Row(0.09003057317038046, 0.24472847105479767, 0.6652409557748219), Arrays.Row(y.Data[..3]),
            1e-15);
        Assert.Equal(0, y.Data[3]);
    }

    [Fact]
    public void CrossEntropy_IsLogSumMinusPicked()
    {
        Node logits = Parameter(0, DType.Float64, [2, 3]), targets = Parameter(1, DType.Int64, [2]);
        var f = new Function([logits, targets], [CrossEntropy(logits, targets)]);
        var loss = Interpreter.Run(f, [Arrays.Of([2, 3], 1, 2, 3, 900, 0, 0), Arrays.Row(2, 1)])[0];
        Assert.Equal(Math.Log(1 + Math.Exp(-1) + Math.Exp(-2)), loss.Data[0], 12);
        Assert.Equal(900, loss.Data[1]);
    }

    [Fact]
    public void CrossEntropy_GradientHasNoOneHotMatrixInMemory()
    {
        Node logits = Parameter(0, DType.Float32, [2, 3]), targets = Parameter(1, DType.Int32, [2]);
        var gradient = Gradients.Of(Sum(CrossEntropy(logits, targets), 0), [logits]);
        Assert.DoesNotContain(Traversal.PostOrder(gradient), node => node.Op == Op.Scatter);
    }

    [Fact]
    public void RmsNorm_ComputesStatisticsInFloat32_WhenInputIs16Bit()
    {
        Node x = Parameter(0, DType.BFloat16, [2, 4]), w = Parameter(1, DType.BFloat16, [4]);
        var inside = Traversal.PostOrder([RmsNorm(x, w).Meaning.Decompose!(RmsNorm(x, w))]);
        Assert.All(inside.Where(node => node.Op is Op.ReduceSum or Op.Rsqrt or Op.Mul),
            node => Assert.Equal(DType.Float32, node.DType));
    }

    [Fact]
    public void LayerNorm_MatchesItsFormula()
    {
        var y = Run(x => LayerNorm(x[0], x[1], x[2], 0.5), Arrays.Of([1, 4], 1, 2, 3, 6), Arrays.Row(1, 1, 2, 1),
            Arrays.Row(0, 1, 0, 0));
        double rate = 1 / Math.Sqrt(3.5 + 0.5);
        Arrays.AssertClose(Arrays.Of([1, 4], -2 * rate, -1 * rate + 1, 0, 3 * rate), y, 1e-14);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Rope_TurnsEachPairByItsAngle(bool interleaved)
    {
        double[] angles = [0.3, 1.1];
        var table = (Func<double, double> f) => Arrays.Of([1, 2], [.. angles.Select(f)]);
        var y = Run(x => Rope(x[0], x[1], x[2], interleaved), Arrays.Of([1, 1, 4], 1, 2, 3, 4), table(Math.Cos), table(Math.Sin));
        int[][] pairs = interleaved ? [[0, 1], [2, 3]] : [[0, 2], [1, 3]];
        for (int i = 0; i < 2; i++)
        {
            double a = pairs[i][0] + 1, b = pairs[i][1] + 1, angle = angles[i];
            Assert.Equal(a * Math.Cos(angle) - b * Math.Sin(angle), y.Data[pairs[i][0]], 12);
            Assert.Equal(a * Math.Sin(angle) + b * Math.Cos(angle), y.Data[pairs[i][1]], 12);
        }
    }

    [Theory]
    [InlineData(3, 5, true)]
    [InlineData(5, 3, true)]
    [InlineData(4, 4, true)]
    [InlineData(2, 0, false)]
    [InlineData(2, 3, false)]
    public void Attention_MatchesTheLoops(int queries, int keys, bool causal)
    {
        var random = new Random(3);
        long[][] shapes = [[2, queries, 4, 3], [2, keys, 2, 3], [2, keys, 2, 5]];
        Value[] x = [.. shapes.Select(shape => Arrays.Random(random, shape))];
        var y = Run(n => Attention(n[0], n[1], n[2], 0.6, causal), x);
        var expected = Value.Zeros([2, queries, 4, 5]);
        for (int b = 0; b < 2; b++)
            for (int t = 0; t < queries; t++)
                for (int h = 0; h < 4; h++)
                {
                    int[] seen = [.. Enumerable.Range(0, keys).Where(s => !causal || s <= t + keys - queries)];
                    double[] weights = [.. seen.Select(s => Math.Exp(0.6 * Enumerable.Range(0, 3)
                        .Sum(d => x[0].Data[((b * queries + t) * 4 + h) * 3 + d] * x[1].Data[((b * keys + s) * 2 + h / 2) * 3
                            + d])))];
                    for (int i = 0; i < seen.Length; i++)
                        for (int e = 0; e < 5; e++)
                            expected.Data[((b * queries + t) * 4 + h) * 5 + e] += weights[i] / weights
                                .Sum() * x[2].Data[((b * keys + seen[i]) * 2 + h / 2) * 5 + e];
                }
        Arrays.AssertClose(expected, y, 1e-12);
    }

    static Value Run(Func<Node[], Node> build, params Value[] at)
    {
        Node[] x = [.. at.Select((value, i) => Parameter(i, DType.Float64, value.Extents))];
        return Interpreter.Run(new Function([.. x], [build(x)]), at)[0];
    }
}
