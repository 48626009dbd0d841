namespace Ashlar.Tests.Tensors;

public abstract class DifferentiationTests(Device device) : DeviceTests(device)
{
    readonly Tensor x = Tensor.From([1f, -2f, 3f]);

    [Fact]
    public void Gradient_IsATensor_AndHasAGradientItself()
    {
        var loss = x.Pow(3).Sum();
        var gradient = loss.Gradient(x);
        Same(gradient, "f32[3]", 3, 12, 27);
        Same(gradient.Sum().Gradient(x), "f32[3]", 6, -12, 18);
    }

    [Fact]
    public void Gradient_TakesSeveral_AndIsZeroWhereNothingDepends()
    {
        var w = Tensor.From([2f, 2f, 2f]);
        var parts = (x * w).Sum().Gradient(x, w, Tensor.Ones(2));
        Same(parts[0], "f32[3]", 2, 2, 2);
        Same(parts[1], "f32[3]", 1, -2, 3);
        Same(parts[2], "f32[2]", 0, 0);
    }

    [Fact]
    public void Gradient_FlowsThroughBroadcastAndIndexing()
    {
        Same((x + Tensor.Zeros(4, 3)).Sum().Gradient(x), "f32[3]", 4, 4, 4);
        Same(x.Take(Tensor.From([0, 0, 2])).Sum().Gradient(x), "f32[3]", 2, 0, 1);
        Same(x.With(0.0, 1).Sum().Gradient(x), "f32[3]", 1, 0, 1);
        Same(x[AxisIndex.Every(.., -2)].Square().Sum().Gradient(x), "f32[3]", 2, 0, 6);
        CheckGradient(t => t.Pad([(1, 2)], PadMode.Reflect).CumSum(0), x);
        CheckGradient(t => t.Sort(), x);
        CheckGradient(t => Tensor.Einsum("i,j,i->ij", t, t, t), x);
        CheckGradient(t => t.Reshape(1, 1, 3).ConvTranspose1d(Tensor.Ones([1, 2, 2], DType.Float64), stride: 2), x);
        CheckGradient(t => t.Reshape(1, 1, 3).MaxPool1d(2, 1), x);
    }

    [Fact]
    public void Gradient_DoesNotChange_WhenValuesAreRead()
    {
        var w = Tensor.RandomNormal(1, 3);
        var hidden = (x * w).Tanh();
        _ = hidden.ToString();
        w.Realize();
        var loss = (hidden * w).Sum();
        _ = loss.Item<float>();
        var expected = (hidden + w * x * (1 - hidden.Square()));
        Close(loss.Gradient(w), expected);
    }

    [Fact]
    public void Gradient_Refuses_WhatIsNoScalar()
    {
        Fails<GraphException>(() => x.Gradient(x), "ASH0311", "[3]");
        Fails<GraphException>(() => x.Sum().Gradient(Tensor.From([1])), "ASH0310", "i32[1]");
    }

    [Fact]
    public void Jvp_MatchesVjp()
    {
        var y = x.Sin() * x;
        var direction = Tensor.From([.5f, 1f, -1f]);
        var forward = y.Jvp(x, direction);
        Close(forward, (x.Cos() * x + x.Sin()) * direction);
        var seed = Tensor.From([1f, 2f, 3f]);
        Close((forward * seed).Sum(), (y.Vjp(seed, x)[0] * direction).Sum());
    }

    [Fact]
    public void HessianVectorProduct_IsTheGradientOfAGradient()
    {
        var direction = Tensor.From([1f, 0f, 2f]);
        var loss = (x.Square().Sum() * x.Sum());
        var product = (loss.Gradient(x) * direction).Sum().Gradient(x);
        Close(product, loss.Gradient(x).Jvp(x, direction), 1e-5);
    }

    [Fact]
    public void StopGradient_And_Detach_EndTheFlow()
    {
        Same((x * x.StopGradient()).Sum().Gradient(x), "f32[3]", 1, -2, 3);
        var y = x * 2;
        Same((y.Detach() * x).Sum().Gradient(x), "f32[3]", 2, -4, 6);
    }

    [Fact]
    public void CustomGradient_ReplacesTheRule()
    {
        var scale = Tensor.From([10f, 20f, 30f]);
        Tensor Clip(Tensor t) =>
            Tensor.CustomGradient(inputs => inputs[0] * 1, (dy, y, inputs) => [dy.Clamp(-1, 1) * scale], [t], "clip");
        Same(Clip(x), "f32[3]", 1, -2, 3);
        Same((Clip(x) * Tensor.From([5f, -5f, .5f])).Sum().Gradient(x), "f32[3]", 10, -20, 15);
        Fails<ShapeException>(() =>
            Tensor.CustomGradient(t => t[0], (dy, y, t) => [dy.Sum()], [x]), "ASH0162", "f32[3]", "f32[]");
        Fails<GraphException>(() => Tensor.CustomGradient(t => t[0], (dy, y, t) => [], [x]), "ASH0304", "0 tensors for 1");
    }

    [Fact]
    public void Checkpoint_KeepsValueAndGradients()
    {
        var w = Tensor.From([.5f, .25f, 2f]);
        Tensor Block(Tensor[] t) => (t[0] * w).Tanh().Exp();
        var plain = Block([x]).Sum();
        var saved = Tensor.Checkpoint(Block, x).Sum();
        Close(saved, plain);
        Close(saved.Gradient(x), plain.Gradient(x));
        Close(saved.Gradient(w), plain.Gradient(w));
    }
}
