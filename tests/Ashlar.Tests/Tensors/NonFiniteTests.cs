using Ashlar.Backends.Cpu;
using Ashlar.Runtime;

namespace Ashlar.Tests.Tensors;

public sealed class NonFiniteTests : IDisposable
{
    readonly Device.Selection selection = new Device(new CpuBackend()).Select();

    public void Dispose() => selection.Dispose();

    static State[] Layers() => [.. Enumerable.Range(0, 4).Select(i => new State($"h.{i}.weight", Tensor.RandomNormal(i, 3, 3)))];

    static Tensor Forward(Tensor x, State[] layers)
    {
        foreach (var layer in layers) x = x.MatMul(layer.Value).Tanh() * 2;
        return x.Square().Mean();
    }

    [Fact]
    public void Find_ReturnsNull_WhenAllIsFinite()
    {
        var layers = Layers();
        var loss = Forward(Tensor.Random(1, 2, 3), layers);
        Assert.Null(NonFinite.Find([loss, .. loss.Gradient(layers)], layers));
    }

    [Fact]
    public void Find_NamesTheLayer_WhenItsProductOverflows()
    {
        var layers = Layers();
        layers[2].Value = Tensor.Full([3, 3], 3e38);
        var loss = Forward(Tensor.Ones(2, 3), layers);   // infinite from the third product on
        var found = NonFinite.Find([loss], layers)!;
        Assert.Equal(("h.2.weight", false, "f32[2, 3]"), (found.State, found.IsNaN, found.Type));
        Assert.Equal("contract", found.Op);
    }

    [Fact]
    public void Find_NamesTheState_WhenItHoldsNaN()
    {
        var layers = Layers();
        layers[1].Value = Tensor.Full([3, 3], double.NaN);
        Assert.Equal(new(null, "f32[3, 3]", "h.1.weight", true), NonFinite.Find([Forward(Tensor.Ones(2, 3), layers)], layers));
    }

    [Fact]
    public void Find_ReturnsTheOpAfterTheLayer_WhenTheOpMadeIt()
    {
        var layers = Layers();
        var x = Tensor.Ones(2, 3).MatMul(layers[0].Value);
        var y = (x - x).Log().MatMul(layers[1].Value);
        var found = NonFinite.Find([y], layers)!;
        Assert.Equal(("log", "h.0.weight", false), (found.Op, found.State, found.IsNaN));
    }

    [Fact]
    public void Find_LooksIntoGradients_WhenTheLossIsFinite()
    {
        var layers = Layers();
        var loss = (Tensor.Zeros(2, 3).MatMul(layers[0].Value).Sqrt() * 2).Sum();   // the slope of the root is infinite at 0
        var found = NonFinite.Find([loss, .. loss.Gradient(layers[0].Value) is var slope ? [slope] : (Tensor[])[]], layers)!;
        Assert.NotNull(found.Op);
        Assert.Null(NonFinite.Find([loss], layers));
    }

    [Fact]
    public void Find_PassesOverMasks()
    {
        var layers = Layers();
        var scores = Tensor.Ones(3, 3).MatMul(layers[0].Value);
        var masked = Tensor.Where(Tensor.Eye(3) > 0, scores, double.NegativeInfinity).Softmax();
        Assert.Null(NonFinite.Find([masked], layers));
    }
}
