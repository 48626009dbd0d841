using Ashlar.NN;
using Ashlar.Tests.Tensors;

namespace Ashlar.Tests.NN;

/// <summary>Layers against formulas written out in C#, and their gradients against finite differences.</summary>
public sealed class LayersTests() : DeviceTests(Devices.Reference)
{
    static Tensor Input(params ReadOnlySpan<Extent> shape) => Tensor.RandomNormal(9, Shape.Create(shape), DType.Float64).Detach();

    // All gradients: of the weights, and of the input.
    static void CheckLayer(Weights weights, Func<Tensor, Tensor> forward, Tensor x)
    {
        foreach (var parameter in weights.Parameters)
            parameter.Value = (parameter.Value + 0.3 * Tensor.RandomNormal(4, parameter.Shape, DType.Float64)).Detach();
        Slopes.Check(weights, () => Slopes.Mixed(forward(x)));
        CheckGradient(forward, x);
    }

    static Weights Wide => Weights.Random(3, DType.Float64);

    [Fact]
    public void Linear_MultipliesAndAdds()
    {
        var layer = new Linear(Weights.Random(1), 2, 3);
        layer.Weight.Value = Tensor.From([1f, 2f, 3f, 4f, 5f, 6f], [2, 3]);
        layer.Bias!.Value = Tensor.From([.5f, 0f, -1f]);
        Same(layer.Forward(Tensor.From([1f, 10f], [1, 1, 2])), "f32[1, 1, 3]", 41.5, 52, 62);
        Assert.Null(new Linear(Weights.Random(1), 2, 3, bias: false).Bias);
    }

    [Fact]
    public void Linear_HasRightGradients()
    {
        var weights = Wide;
        CheckLayer(weights, new Linear(weights, 4, 3).Forward, Input(2, 5, 4));
    }

    [Fact]
    public void Embedding_TakesRows()
    {
        var weights = Wide;
        var layer = new Embedding(weights, 5, 3);
        var tokens = Tensor.From([4, 0, 4, 2], [2, 2]);
        Close(layer.Forward(tokens)[1, 0], layer.Weight.Value[4], 0);
        Assert.Equal("f64[2, 2, 3]", layer.Forward(tokens).Type);
        Slopes.Check(weights, () => Slopes.Mixed(layer.Forward(tokens)));
        Slopes.Check(weights, () => Slopes.Mixed(layer.Scores(layer.Forward(tokens))));
    }

    [Theory, InlineData(true), InlineData(false)]
    public void LayerNorm_HasMean0AndVariance1(bool bias)
    {
        var weights = Wide;
        var layer = new LayerNorm(weights, 6, bias: bias);
        var y = layer.Forward(Input(4, 6));
        Close(y.Mean(1), "f64[4]", 1e-12, 0, 0, 0, 0);
        Close(y.Square().Mean(1), "f64[4]", 1e-4, 1, 1, 1, 1);
        Assert.Equal(bias ? 2 : 1, weights.Parameters.Count);
        CheckLayer(weights, layer.Forward, Input(2, 3, 6));
    }

    [Fact]
    public void RmsNorm_HasMeanSquare1()
    {
        var weights = Wide;
        var layer = new RmsNorm(weights, 6);
        Close(layer.Forward(Input(4, 6)).Square().Mean(1), "f64[4]", 1e-4, 1, 1, 1, 1);
        CheckLayer(weights, layer.Forward, Input(2, 3, 6));
    }

    [Fact]
    public void Norms_KeepTheElementType_OfNarrowInputs()
    {
        var x = Input(2, 6).Cast(DType.BFloat16);
        Assert.Equal("bf16[2, 6]", new LayerNorm(Weights.Random(1), 6).Forward(x).Type);
        Assert.Equal("bf16[2, 6]", new RmsNorm(Weights.Random(1), 6).Forward(x).Type);
    }

    [Theory, InlineData(Activation.Gelu), InlineData(Activation.GeluTanh), InlineData(Activation.SwiGlu)]
    public void Mlp_IsItsFormula_WithRightGradients(Activation activation)
    {
        var weights = Wide;
        var layer = new Mlp(weights, 3, 5, activation);
        var x = Input(4, 3);
        Tensor Part(string name, Tensor input) => input.MatMul(Value($"{name}.weight")) + Value($"{name}.bias");
        Tensor Value(string name) => weights.Parameters.Single(parameter => parameter.Name == name).Value;
        var up = Part("c_fc", x);
        var hidden = activation switch
        {
            Activation.Gelu => up * 0.5 * (1 + (up / Math.Sqrt(2)).Erf()),
            Activation.GeluTanh => up * 0.5 * (1 + ((up + 0.044715 * up * up * up) * Math.Sqrt(2 / Math.PI)).Tanh()),
            _ => Part("c_gate", x) * Part("c_gate", x).Sigmoid() * up,
        };
        Close(layer.Forward(x), Part("c_proj", hidden), 1e-12);
        CheckLayer(weights, layer.Forward, x);
    }

    public static TheoryData<AttentionConfig, bool> Attentions => new()
    {
        { new(6, 2), false },
        { new(6, 2) { IsCausal = false, Bias = false }, false },
        { new(8, 4) { KvHeads = 2 }, true },
        { new(8, 4) { KvHeads = 1, HeadWidth = 4, NormaliseQueriesAndKeys = true }, true },
    };

    [Theory, MemberData(nameof(Attentions))]
    public void Attention_IsItsFormula_WithRightGradients(AttentionConfig config, bool rotates)
    {
        var weights = Wide;
        int heads = config.Heads, kvHeads = config.KvHeads ?? heads, width = config.HeadWidth ?? config.Width / heads, tokens = 5;
        var layer = new Attention(weights, config, rotates ? new Rotary(width, 7, 100) : null);
        var x = Input(2, tokens, config.Width);
        CheckLayer(weights, x => layer.Forward(x), x);

        double[] W(string name) => Numbers(weights.Parameters.Single(parameter => parameter.Name == name).Value);
        double[] expected = [.. Numbers(x).Chunk(tokens * config.Width).SelectMany(Sequence)];
        Close(layer.Forward(x), $"f64[2, {tokens}, {config.Width}]", 1e-6, expected);   // the tables of rotations are float32

        double[] Sequence(double[] rows)
        {
            int all = (heads + 2 * kvHeads) * width;
            double[] projected = Affine(rows, config.Width, all, W("c_attn.weight"), config.Bias ? W("c_attn.bias") : null);
            var mixed = new double[tokens * heads * width];
            for (int t = 0; t < tokens; t++)
                for (int head = 0; head < heads; head++)
                {
                    int group = head / (heads / kvHeads), last = config.IsCausal ? t : tokens - 1;
                    double[] query = Head(t, head * width, "q_norm.weight");
                    double[] shares = [.. Enumerable.Range(0, last + 1).Select(s =>
                        Math.Exp(query.Zip(Head(s, (heads + group) * width, "k_norm.weight"), (a, b) => a * b)
                            .Sum() / Math.Sqrt(width)))];
                    for (int s = 0; s <= last; s++)
                        for (int i = 0; i < width; i++)
                            mixed[(t * heads + head) * width + i] +=
                                shares[s] / shares.Sum() * projected[s * all + (heads + kvHeads + group) * width + i];
                }
            return Affine(mixed, heads * width, config.Width, W("c_proj.weight"), config.Bias ? W("c_proj.bias") : null);

            double[] Head(int t, int start, string norm)
            {
                double[] v = projected[(t * all + start)..(t * all + start + width)];
                if (config.NormaliseQueriesAndKeys)
                {
                    double root = Math.Sqrt(v.Average(value => value * value) + 1e-6);
                    v = [.. v.Zip(W(norm), (value, weight) => value / root * weight)];
                }
                if (!rotates) return v;
                var turned = new double[width];
                for (int i = 0; i < width / 2; i++)
                {
                    var (sin, cos) = Math.SinCos(t * Math.Pow(100, -2.0 * i / width));
                    turned[i] = v[i] * cos - v[i + width / 2] * sin;
                    turned[i + width / 2] = v[i] * sin + v[i + width / 2] * cos;
                }
                return turned;
            }
        }
    }

    static double[] Affine(double[] x, int inputs, int outputs, double[] matrix, double[]? bias)
    {
        var y = new double[x.Length / inputs * outputs];
        for (int row = 0; row < x.Length / inputs; row++)
            for (int o = 0; o < outputs; o++)
            {
                double sum = bias?[o] ?? 0;
                for (int i = 0; i < inputs; i++) sum += x[row * inputs + i] * matrix[i * outputs + o];
                y[row * outputs + o] = sum;
            }
        return y;
    }

    [Fact]
    public void Dropout_DependsOnTheKey_AndKeepsTheMean()
    {
        var layer = new Dropout(0.25, seed: 5);
        var x = Tensor.Ones(1000);
        Assert.Same(x, layer.Forward(x, null));
        double[] first = Numbers(layer.Forward(x, Tensor.Of(1))), again = Numbers(layer.Forward(x, Tensor.Of(1))),
            second = Numbers(layer.Forward(x, Tensor.Of(2)));
        Assert.Equal(first, again);
        Assert.NotEqual(first, second);
        Assert.InRange(first.Average(), 0.94, 1.06);
        Assert.InRange(first.Count(value => value == 0), 200, 300);
        Assert.Throws<ArgumentOutOfRangeException>(() => new Dropout(1, 0));
    }

    [Fact]
    public void Attention_WithDropout_KeepsTheMean_AndHasRightGradients()
    {
        var weights = Wide;
        var layer = new Attention(weights, new(4, 2) { Dropout = 0.3, KvHeads = 1 });
        var x = Input(1, 4, 4);
        Close(layer.Forward(x), new Attention(Wide, new(4, 2) { KvHeads = 1 }).Forward(x), 0);
        var total = Enumerable.Range(0, 300).Select(key => layer.Forward(x, Tensor.Of(key))).Aggregate((a, b) => a + b) / 300;
        Close(total, layer.Forward(x), 0.15);
        Assert.NotEqual(Numbers(layer.Forward(x, Tensor.Of(1))), Numbers(layer.Forward(x, Tensor.Of(2))));
        CheckLayer(weights, x => layer.Forward(x, Tensor.Of(1)), x);
    }

    [Fact]
    public void Layers_Refuse_OtherWidths()
    {
        var weights = Weights.Random(1);
        var x = Tensor.Zeros(2, 3, 5);
        Fails<ModelException>(() =>
            new Linear(weights.Scope("a.b"), 4, 3).Forward(x), "ASH0346", "'a.b'", "last axis of 4", "f32[2, 3, 5]");
        Fails<ModelException>(() => new Linear(weights.Scope("c"), 3, 3).Forward(x), "ASH0346", "transpose");
        Fails<ModelException>(() => new LayerNorm(weights.Scope("d"), 4).Forward(x), "ASH0346", "'d'");
        Fails<ModelException>(() => new RmsNorm(weights.Scope("e"), 4).Forward(x), "ASH0346", "'e'");
        Fails<ModelException>(() => new Mlp(weights.Scope("f"), 4, 8).Forward(x), "ASH0346", "'f.c_fc'");
        Fails<ModelException>(() => new Attention(weights.Scope("g"), new(4, 2)).Forward(x), "ASH0346", "'g.c_attn'");
        Fails<ModelException>(() => new Embedding(weights.Scope("h"), 4, 2).Scores(x), "ASH0346", "'h'");
    }

    [Fact]
    public void Attention_Refuses_HeadsThatDoNotDivide()
    {
        Fails<ModelException>(() => new Attention(Weights.Random(1), new(10, 3)), "ASH0345", "3 heads", "width of 10");
        Fails<ModelException>(() => new Attention(Weights.Random(1), new(12, 4) { KvHeads = 3 }), "ASH0345", "3 key-value heads");
        Fails<ModelException>(() => new Rotary(5, 10), "ASH0345", "even");
        Fails<ModelException>(() => new Rotary(4, 10, 1), "ASH0345", "base");
    }
}
