using Ashlar.NN;
using Ashlar.Tests.Tensors;

namespace Ashlar.Tests.NN;

public sealed class WeightsTests() : DeviceTests(Devices.Reference)
{
    [Fact]
    public void Names_AreThePathOfScopes()
    {
        var weights = Weights.Random(seed: 1);
        var layer = new Linear(weights.Scope("h.0").Scope("attn"), 2, 3);
        Assert.Equal(["h.0.attn.weight", "h.0.attn.bias"], weights.Parameters.Select(parameter => parameter.Name));
        Assert.Same(layer.Weight, weights.Scope("h").Parameters[0]);
        Assert.Empty(weights.Scope("h.1").Parameters);
        Assert.Equal(9, weights.ParameterCount);
        Assert.Equal("h.0.attn", weights.Scope("h.0").Scope("attn").Path);
    }

    [Fact]
    public void Values_DependOnSeedAndName_NotOnOrder()
    {
        Shape shape = [3, 4];
        var (forward, backward, other) = (Weights.Random(7), Weights.Random(7), Weights.Random(8));
        var a = forward.Get("a", shape, Initial.Normal(1));
        var b = forward.Get("b", shape, Initial.Normal(1));
        var b2 = backward.Scope("x").Get("b", shape, Initial.Normal(1));
        var b1 = backward.Get("b", shape, Initial.Normal(1));
        Close(b.Value, b1.Value, 0);
        foreach (var different in (Parameter[])[a, b2, other.Get("b", shape, Initial.Normal(1))])
            Assert.NotEqual(Numbers(b.Value), Numbers(different.Value));
    }

    [Fact]
    public void Initials_HaveTheirMoments()
    {
        var weights = Weights.Random(seed: 3);
        void Check(Initial initial, double mean, double deviation, double greatest)
        {
            double[] x = Numbers(weights.Get(initial.ToString(), [100, 100], initial).Value);
            double found = x.Average();
            Assert.InRange(found, mean - 0.05 * Math.Max(deviation, 1e-9), mean + 0.05 * Math.Max(deviation, 1e-9));
            double spread = Math.Sqrt(x.Average(value => (value - found) * (value - found)));
            Assert.InRange(spread, deviation * 0.97, deviation * 1.03);
            Assert.True(x.Max(value => Math.Abs(value - mean)) <= greatest);
        }

        Check(Initial.Normal(0.02), 0, 0.02, 0.02 * 6);
        Check(Initial.Normal(0.5, 3), 3, 0.5, 3);
        Check(Initial.Uniform(0.3), 0, 0.3 / Math.Sqrt(3), 0.3);
        Check(Initial.Kaiming(50), 0, 0.2, 1.2);
        Check(Initial.Xavier(100, 50), 0, Math.Sqrt(2.0 / 150), Math.Sqrt(6.0 / 150));
        Check(Initial.Zeros, 0, 0, 0);
        Check(Initial.Ones, 1, 0, 0);
        Check(Initial.Constant(0.25), 0.25, 0, 0);
    }

    [Fact]
    public void Random_MakesOtherElementTypes()
    {
        var half = Weights.Random(1, DType.BFloat16).Get("w", [4], Initial.Normal(1));
        Assert.Equal("bf16[4]", half.Value.Type);
        Close(half.Value, Weights.Random(1).Get("w", [4], Initial.Normal(1)).Value.Cast(DType.BFloat16), 0);
        Assert.Equal("f64[4]", Weights.Random(1, DType.Float64).Get("w", [4], Initial.Uniform(1)).Value.Type);
    }

    [Fact]
    public void From_GivesWhatTheFileHolds()
    {
        var weights =
            Weights.From(new Dictionary<string, Tensor>
            {
                ["a.weight"] = Tensor.From([1f, 2f], [2, 1]),
                ["a.bias"] = Tensor.From([5f])
            });
        Same(new Linear(weights.Scope("a"), 2, 1).Forward(Tensor.From([10f, 1f], [1, 2])), "f32[1, 1]", 17);
        weights.ThrowIfUnused();
        Assert.Equal(DType.Float64, Weights.From(new Dictionary<string, Tensor> { ["w"] = Tensor.From([1f]) }, DType.Float64)
            .Get("w", [1], Initial.Ones).DType);
    }

    [Fact]
    public void From_Refuses_WhatDoesNotFit()
    {
        var tensors = new Dictionary<string, Tensor>
        {
            ["h.0.weight"] = Tensor.Zeros(2, 3),
            ["h.0.bias"] = Tensor.Zeros(3),
            ["h.1.weight"] = Tensor.Zeros(2, 3)
        };
        Fails<ModelException>(() => new Linear(Weights.From(tensors).Scope("h.2"), 2, 3), "ASH0341", "'h.2.weight'", "[2, 3]",
            "'h.0.weight', 'h.1.weight'");
        Fails<ModelException>(() =>
            new Linear(Weights.From(tensors).Scope("h.0"), 3, 2), "ASH0342", "'h.0.weight'", "[3, 2]", "f32[2, 3]", "transpose");
        Fails<ModelException>(() => new Linear(Weights.From(tensors).Scope("h.0"), 2, 4), "ASH0342", "[2, 4]", "config");
        var weights = Weights.From(tensors);
        _ = new Linear(weights.Scope("h.0"), 2, 3);
        Fails<ModelException>(weights.ThrowIfUnused, "ASH0343", "'h.1.weight'");
        Fails<ModelException>(() => new Linear(Weights.From(new Dictionary<string, Tensor>()), 2, 3), "ASH0341", "none at all");
    }

    [Fact]
    public void Gradients_AreOfOneParameterEach_WhenValuesAreEqual()
    {
        var weights = Weights.Random(1);
        var (a, b) = (weights.Get("a", [2], Initial.Zeros), weights.Get("b", [2], Initial.Zeros));
        var gradients = (a.Value * 2 + b.Value * 3).Sum().Gradient(weights);
        Same(gradients[0], "f32[2]", 2, 2);
        Same(gradients[1], "f32[2]", 3, 3);
    }

    [Fact]
    public void Get_Refuses_ANameThatIsTaken()
    {
        var weights = Weights.Random(1);
        _ = new Linear(weights, 2, 3);
        Fails<ModelException>(() => new Linear(weights, 2, 3), "ASH0344", "'weight'", "scope");
    }
}
