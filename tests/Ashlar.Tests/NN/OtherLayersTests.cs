using Ashlar.Backends.Cpu;
using Ashlar.NN;
using Ashlar.Tests.Tensors;

namespace Ashlar.Tests.NN;

/// <summary>Layers of images and sequences, against loops over single numbers.</summary>
public sealed class OtherLayersTests() : DeviceTests(Devices.Reference)
{
    static Weights Wide => Weights.Random(3, DType.Float64);

    static Tensor Input(params ReadOnlySpan<Extent> shape) => Tensor.RandomNormal(9, Shape.Create(shape), DType.Float64).Detach();

    static void Mix(Weights weights)
    {
        foreach (var parameter in weights.Parameters)
            parameter.Value = (parameter.Value + 0.3 * Tensor.RandomNormal(4, parameter.Shape, DType.Float64)).Detach();
    }

    [Theory]
    [InlineData(1, 0, 1, 1, true)]
    [InlineData(2, 1, 1, 2, true)]
    [InlineData(1, 2, 2, 4, false)]
    public void Conv2d_SumsOverWindows_WithRightGradients(int stride, int padding, int dilation, int groups, bool bias)
    {
        var weights = Wide;
        var layer = new Conv2d(weights, 4, 4, 3, stride, padding, dilation, groups, bias);
        Mix(weights);
        var x = Input(2, 4, 5, 6);
        double[] image = Numbers(x), window = Numbers(layer.Weight.Value);
        double[]? shift = layer.Bias is null ? null : Numbers(layer.Bias.Value);
        int part = 4 / groups;
        int High(int length) => (length + 2 * padding - dilation * 2 - 1) / stride + 1;
        var expected =
            from n in Enumerable.Range(0, 2)
            from o in Enumerable.Range(0, 4)
            from row in Enumerable.Range(0, High(5))
            from column in Enumerable.Range(0, High(6))
            select (shift?[o] ?? 0) + (
                from c in Enumerable.Range(0, part)
                from i in Enumerable.Range(0, 3)
                from j in Enumerable.Range(0, 3)
                let y = row * stride + i * dilation - padding
                let z = column * stride + j * dilation - padding
                where y >= 0 && y < 5 && z >= 0 && z < 6
                select window[((o * part + c) * 3 + i) * 3 + j] * image[((n * 4 + o / part * part + c) * 5 + y) * 6 + z]).Sum();
        Close(layer.Forward(x), $"f64[2, 4, {High(5)}, {High(6)}]", 1e-12, [.. expected]);
        Slopes.Check(weights, () => Slopes.Mixed(layer.Forward(x)));
        CheckGradient(layer.Forward, x);
    }

    [Fact]
    public void BatchNorm_NormalisesByTheBatch_AndFollowsIt()
    {
        var weights = Wide;
        var layer = new BatchNorm(weights, 3, momentum: 0.25);
        Mix(weights);
        var x = Input(4, 3, 2) * 2 + 1;
        double[] numbers = Numbers(x), weight = Numbers(layer.Weight.Value), bias = Numbers(layer.Bias.Value);
        double[][] channels = [.. Enumerable.Range(0, 3).Select(c => numbers.Where((_, i) => i / 2 % 3 == c).ToArray())];
        double[] means = [.. channels.Select(values => values.Average())];
        double[] squares = [.. channels.Select((values, c) => values.Sum(value => (value - means[c]) * (value - means[c])))];

        var step = Compiled.Step((Tensor x) => layer.Forward(x, isTraining: true));
        double[] expected = [.. numbers.Select((value, i) =>
            (value - means[i / 2 % 3]) / Math.Sqrt(squares[i / 2 % 3] / 8 + 1e-5) * weight[i / 2 % 3] + bias[i / 2 % 3])];
        Close(step(x), "f64[4, 3, 2]", 1e-12, expected);
        double[] mean = [.. means.Select(value => 0.25 * value)], variance =
            [.. squares.Select(value => 0.75 + 0.25 * value / 7)];
        Close(layer.RunningMean.Value, "f64[3]", 1e-12, mean);
        Close(layer.RunningVariance.Value, "f64[3]", 1e-12, variance);

        var evaluate = Compiled.Function((Tensor x) => layer.Forward(x, isTraining: false));
        double[] later = [.. numbers.Select((value, i) =>
            (value - mean[i / 2 % 3]) / Math.Sqrt(variance[i / 2 % 3] + 1e-5) * weight[i / 2 % 3] + bias[i / 2 % 3])];
        Close(evaluate(x), "f64[4, 3, 2]", 1e-12, later);
        Close(layer.RunningMean.Value, "f64[3]", 1e-12, mean);   // evaluation does not follow

        Assert.Equal(["weight", "bias"], weights.Parameters.Select(parameter => parameter.Name));
        Assert.Equal(["weight", "bias", "running_mean", "running_var"], weights.States.Select(state => state.Name));
        Fails<TraceException>(() => Compiled.Function((Tensor x) => layer.Forward(x, isTraining: true))(x), "ASH0402");
    }

    [Theory, InlineData(true), InlineData(false)]
    public void BatchNorm_HasRightGradients(bool isTraining)
    {
        var weights = Wide;
        var layer = new BatchNorm(weights, 3);
        Mix(weights);
        foreach (Shape shape in (Shape[])[[4, 3], [2, 3, 2, 2]])
        {
            var x = Tensor.RandomNormal(5, shape, DType.Float64).Detach();
            Slopes.Check(weights, () => Slopes.Mixed(layer.Forward(x, isTraining)));
            // in evaluation only: following the batch would move the statistics between two calls
            if (isTraining) CheckGradient(x => layer.Forward(x, isTraining: true), x);
        }
    }

    [Fact]
    public void Lstm_IsItsFormula_AndGoesOnWhereItStopped()
    {
        const int B = 2, T = 4, I = 3, H = 2;
        var weights = Wide;
        var layer = new Lstm(weights, I, H);
        Mix(weights);
        var x = Input(B, T, I);
        double[] input = Numbers(x), w = Numbers(layer.InputWeight.Value), u = Numbers(layer.HiddenWeight.Value),
            bias = Numbers(layer.Bias.Value);
        double[] outputs = new double[B * T * H], h = new double[B * H], c = new double[B * H];
        for (int b = 0; b < B; b++)
            for (int t = 0; t < T; t++)
            {
                double[] before = h[(b * H)..(b * H + H)];
                for (int k = 0; k < H; k++)
                {
                    double Gate(int gate) => bias[gate * H + k]
                        + Enumerable.Range(0, I).Sum(i => input[(b * T + t) * I + i] * w[i * 4 * H + gate * H + k])
                        + Enumerable.Range(0, H).Sum(i => before[i] * u[i * 4 * H + gate * H + k]);
                    static double Sigmoid(double value) => 1 / (1 + Math.Exp(-value));
                    c[b * H + k] = Sigmoid(Gate(1)) * c[b * H + k] + Sigmoid(Gate(0)) * Math.Tanh(Gate(2));
                    outputs[(b * T + t) * H + k] = h[b * H + k] = Sigmoid(Gate(3)) * Math.Tanh(c[b * H + k]);
                }
            }
        var (found, end) = layer.Forward(x);
        Close(found, "f64[2, 4, 2]", 1e-12, outputs);
        Close(end.Hidden, "f64[2, 2]", 1e-12, h);
        Close(end.Cell, "f64[2, 2]", 1e-12, c);

        var (first, middle) = layer.Forward(x[.., ..1]);
        var (second, last) = layer.Forward(x[.., 1..], middle);
        Close(Tensor.Concat([first, second], 1), found, 1e-12);
        Close(last.Cell, end.Cell, 1e-12);

        Slopes.Check(weights, () => Slopes.Mixed(layer.Forward(x).Outputs) + Slopes.Mixed(layer.Forward(x).End.Cell));
        CheckGradient(x => layer.Forward(x).Outputs, x);
    }

    [Fact]
    public void Layers_TrainOnTheProcessor_AsOnTheReference()
    {
        double[] expected = Train(Device);
        Assert.True(expected[^1] < expected[0] * 0.8, $"the loss fell from {expected[0]} to {expected[^1]} only");
        Assert.All(expected.Zip(Train(new(new CpuBackend()))), pair => Assert.Equal(pair.First, pair.Second, 1e-4));

        static double[] Train(Device device)
        {
            using var selected = device.Select();
            var weights = Weights.Random(1);
            var (conv, norm) = (new Conv2d(weights.Scope("conv"), 1, 3, 3, padding: 1), new BatchNorm(weights.Scope("norm"), 3));
            var lstm = new Lstm(weights.Scope("lstm"), 3 * 5, 4);
            var optimizer = new AdamW(weights, 0.02);
            Tensor x = Tensor.RandomNormal(2, 6, 1, 3, 5).Realize(), y = x.Mean([1, 2, 3]).Unsqueeze(1)
                .BroadcastTo(6, 4).Realize();
            var step = Compiled.Step((Tensor x, Tensor y) =>
            {
                var image = norm.Forward(conv.Forward(x), isTraining: true).Relu();                   // [6, 3, 3, 5]
                var (_, end) = lstm.Forward(image.Permute(0, 2, 1, 3).Flatten(2));                    // rows are steps
                var loss = Loss.MeanSquaredError(end.Hidden, y);
                optimizer.Update(loss.Gradient(weights));
                return loss;
            });
            return [.. Enumerable.Range(0, 12).Select(_ => (double)step(x, y).Item<float>())];
        }
    }

    [Fact]
    public void Layers_Refuse_WhatDoesNotFit()
    {
        var weights = Weights.Random(1);
        Fails<ModelException>(() => new Conv2d(weights, 4, 6, 3, groups: 4), "ASH0345", "4 groups");
        Fails<ModelException>(() => new Conv2d(weights, 4, 4, 0), "ASH0345", "size 0");
        Fails<ModelException>(() => new Conv2d(weights.Scope("a"), 4, 4, 3).Forward(Tensor.Zeros(4, 8, 8)), "ASH0346", "'a'",
            "f32[4, 8, 8]", "batch axis");
        Fails<ModelException>(() =>
            new Conv2d(weights.Scope("b"), 4, 4, 3).Forward(Tensor.Zeros(1, 3, 8, 8)), "ASH0346", "4 channels");
        Fails<ModelException>(() =>
            new BatchNorm(weights.Scope("c"), 4).Forward(Tensor.Zeros(2, 3), true), "ASH0346", "4 channels");
        Fails<ModelException>(() =>
            new BatchNorm(weights.Scope("d"), 3).Forward(Tensor.Zeros(1, 3), true), "ASH0346", "variance");
        Assert.Throws<ArgumentOutOfRangeException>(() => new BatchNorm(weights.Scope("e"), 3, momentum: 0));
        var lstm = new Lstm(weights.Scope("f"), 3, 2);
        Fails<ModelException>(() => lstm.Forward(Tensor.Zeros(1, 2, 4)), "ASH0346", "'f'");
        Fails<ModelException>(() => lstm.Forward(Tensor.Zeros(2, 3)), "ASH0346", "[batch, steps, 3]");
    }
}
