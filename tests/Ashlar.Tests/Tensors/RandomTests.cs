namespace Ashlar.Tests.Tensors;

public abstract class RandomTests(Device device) : DeviceTests(device)
{
    [Fact]
    public void Random_RepeatsForItsSeed_AndOnlyForThat()
    {
        Close(Tensor.Random(7, 100), Tensor.Random(7, 100));
        Assert.True(Numbers(Tensor.Random(7, 100)).Zip(Numbers(Tensor.Random(8, 100)))
            .Count(pair => pair.First == pair.Second) < 3);
        Assert.True(Numbers(Tensor.Random(7, 100)).Zip(Numbers(Tensor.Random(7 + (1L << 32), 100)))
            .Count(pair => pair.First == pair.Second) < 3);
    }

    [Fact]
    public void Random_DependsOnTheKey()
    {
        var first = Numbers(Tensor.Random(7, [100], key: Tensor.Of(1)));
        Assert.Equal(first, Numbers(Tensor.Random(7, [100], key: Tensor.Of(1))));
        Assert.True(first.Zip(Numbers(Tensor.Random(7, [100], key: Tensor.Of(2)))).Count(pair => pair.First == pair.Second) < 3);
        Fails<DTypeException>(() => Tensor.Random(7, [2], key: Tensor.Of(1f)), "ASH0224", "f32[]");
    }

    [Theory]
    [InlineData(DType.Float32)]
    [InlineData(DType.Float64)]
    [InlineData(DType.Float16)]
    [InlineData(DType.BFloat16)]
    public void Random_IsUniformBelowOne(DType dtype)
    {
        var x = Numbers(Tensor.Random(3, [4000], dtype));
        Assert.All(x, value => Assert.InRange(value, 0, 1 - 1e-16));
        Assert.InRange(x.Average(), .48, .52);
        Assert.InRange(x.Select(value => (value - .5) * (value - .5)).Average(), 1.0 / 12 - .005, 1.0 / 12 + .005);
    }

    [Fact]
    public void RandomNormal_HasItsMoments()
    {
        var x = Numbers(Tensor.RandomNormal(5, 100, 60));
        Assert.InRange(x.Average(), -.04, .04);
        Assert.InRange(x.Select(value => value * value).Average(), .95, 1.05);
        Assert.InRange(x.Select(value => Math.Pow(value, 4)).Average(), 2.7, 3.3);
        Assert.All(x, value => Assert.True(double.IsFinite(value)));
    }

    [Fact]
    public void RandomInt_CoversItsRange()
    {
        var x = Numbers(Tensor.RandomInt(1, -2, 3, [500]));
        Assert.Equal([-2, -1, 0, 1, 2], x.Distinct().Order());
        Assert.Equal("i64[4]", Tensor.RandomInt(1, 0, 1L << 40, [4], DType.Int64).Type);
    }

    [Fact]
    public void Permutation_HasEachNumberOnce()
    {
        var order = Tensor.Permutation(9, 50).ToArray<int>();
        Assert.Equal(Enumerable.Range(0, 50), order.Order());
        Assert.NotEqual(Enumerable.Range(0, 50), order);
    }

    [Fact]
    public void Dropout_KeepsTheMean()
    {
        var x = Numbers(Tensor.Ones(4000).Dropout(0.25, 1));
        Assert.InRange(x.Count(value => value == 0), 900, 1100);
        Assert.All(x.Where(value => value != 0), value => Assert.Equal(4.0 / 3, value, 1e-6));
        Assert.InRange(Numbers(Tensor.Bernoulli(2, 0.1, [2000])).Sum(), 150, 250);
    }
}
