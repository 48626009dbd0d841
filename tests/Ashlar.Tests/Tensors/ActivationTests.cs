namespace Ashlar.Tests.Tensors;

public abstract class ActivationTests(Device device) : DeviceTests(device)
{
    static readonly double[] values = [-30, -2, -.5, 0, 1, 40];
    readonly Tensor x = Tensor.From([.. values.Select(value => (float)value)]);

    static double Sigmoid(double value) => 1 / (1 + Math.Exp(-value));

    [Fact]
    public void Functions_MatchTheirFormulas()
    {
        void Check(Tensor y, Func<double, double> f) => Close(y, "f32[6]", 1e-6, [.. values.Select(f)]);
        Check(x.Relu(), value => Math.Max(value, 0));
        Check(x.LeakyRelu(), value => value > 0 ? value : .01 * value);
        Check(x.Elu(), value => value > 0 ? value : Math.Exp(value) - 1);
        Check(x.Softplus(), value => value > 30 ? value : Math.Log(1 + Math.Exp(value)));
        Check(x.Sigmoid(), Sigmoid);
        Check(x.LogSigmoid(), value => value < -20 ? value : Math.Log(Sigmoid(value)));
        Check(x.Silu(), value => value * Sigmoid(value));
        Check(x.Gelu(),
            value => .5 * value * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (value + .044715 * value * value * value))));
        Same(Tensor.From([1f]).Gelu(approximate: false), "f32[1]", 0.8413447460685429);
        Same(x.SwiGlu(x), "f32[6]", [.. values.Select(value => value * value * Sigmoid(value))]);
        Same(Tensor.From([float.NaN]).Relu(), "f32[1]", double.NaN);
    }

    [Fact]
    public void Softmax_SumsToOne_WhenLogitsAreHuge()
    {
        var logits = Tensor.Random(2, 3, 64) + 1e4f;
        Close(logits.Softmax().Sum(-1), Tensor.Ones(3));
        Close(logits.LogSoftmax().Exp(), logits.Softmax(), 1e-4);
        Close(logits.Softmax(0).Sum(0), Tensor.Ones(64));
    }

    [Fact]
    public void Norms_CentreAndScale()
    {
        var rows = Tensor.RandomNormal(1, 4, 32) * 3 + 2;
        Close(rows.LayerNorm().Mean(-1), Tensor.Zeros(4));
        Close(rows.LayerNorm().Variance(-1), Tensor.Ones(4), 1e-4);
        Close(rows.RmsNorm().Square().Mean(-1), Tensor.Ones(4), 1e-4);
        var (weight, bias) = (Tensor.Random(2, 32), Tensor.Random(3, 32));
        Close(rows.LayerNorm(weight, bias), rows.LayerNorm() * weight + bias);
        Close(rows.RmsNorm(weight), rows.RmsNorm() * weight);
        Fails<ShapeException>(() => rows.RmsNorm(Tensor.Ones(16)), "ASH0102", "f32[4, 32]", "f32[16]");
    }

    [Fact]
    public void CrossEntropy_IsTheMeanOfItsRows()
    {
        var logits = Tensor.RandomNormal(1, 5, 7);
        var targets = Tensor.From([0, 6, 3, 3, 1]);
        var expected = -logits.LogSoftmax().Pick(targets);
        Close(logits.CrossEntropyRows(targets), expected);
        Close(logits.CrossEntropy(targets), expected.Mean());
        Close(logits.CrossEntropy(Tensor.From([0L, 6, -1, 3, -1]), ignore: -1), expected.Take(Tensor.From([0, 1, 3])).Mean());
    }

    [Fact]
    public void Attention_IsItsDefinition()
    {
        var (q, k, v) =
            (Tensor.RandomNormal(1, 2, 5, 4, 8), Tensor.RandomNormal(2, 2, 5, 2, 8), Tensor.RandomNormal(3, 2, 5, 2, 6));
        var wide = k.Repeat(2, 2);
        var scores = Tensor.Einsum("bthd,bshd->bhts", q, wide) / Math.Sqrt(8);
        var causal = Tensor.Where(Tensor.Ones([5, 5], DType.Bool).Tril(), scores, double.NegativeInfinity);
        Close(q.Attention(k, v), Tensor.Einsum("bhts,bshe->bthe", scores.Softmax(), v.Repeat(2, 2)));
        Close(q.Attention(k, v, causal: true), Tensor.Einsum("bhts,bshe->bthe", causal.Softmax(), v.Repeat(2, 2)));
    }

    [Fact]
    public void Rope_KeepsLengths_AndRotatesByTheTable()
    {
        var t = Tensor.RandomNormal(1, 1, 3, 2, 4);
        var angles = Tensor.Random(2, 3, 2);
        var turned = t.Rope(angles.Cos(), angles.Sin());
        Close(turned.Square().Sum(-1), t.Square().Sum(-1));
        var (even, odd) = (t[.., .., .., ..2], t[.., .., .., 2..]);
        var (c, s) = (angles.Cos().Unsqueeze(1), angles.Sin().Unsqueeze(1));
        Close(turned, Tensor.Concat([even * c - odd * s, even * s + odd * c], -1));
    }

    [Fact]
    public void Gradients_MatchDifferences()
    {
        var rows = Tensor.RandomNormal(4, 3, 5);
        CheckGradient(t => t.Gelu(), rows);
        CheckGradient(t => t.Silu(), rows);
        CheckGradient(t => t.Softplus(), rows);
        CheckGradient(t => t.Softmax(), rows);
        CheckGradient(t => t.LayerNorm(), rows);
        CheckGradient(t => t.RmsNorm(), rows);
        CheckGradient(t => t.CrossEntropy(Tensor.From([1, 0, 4])), rows);
        CheckGradient(t => t.Log1P(), rows.Square());
        CheckGradient(t => t.ExpM1(), rows);
        Same(Tensor.From([-1f, 0f, 2f]) is var r ? r.Relu().Sum().Gradient(r) : r, "f32[3]", 0, 0, 1);
    }
}
