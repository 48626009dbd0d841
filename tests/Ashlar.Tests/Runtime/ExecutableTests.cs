using Ashlar.Graph;
using Ashlar.Runtime;
using Buffer = Ashlar.Runtime.Buffer;

namespace Ashlar.Tests.Runtime;

public sealed class ExecutableTests
{
    readonly Device device = new(new ReferenceBackend());

    [Fact]
    public void Capture_MakesOneFunction_OfOneStructure()
    {
        static Capture Of(float value)
        {
            var leaf = Leaf.Of(Buffers.Of([value, value]), DType.Float32, [2]);
            return Capture.Of([leaf * leaf + leaf], [], Leaf.Find);
        }
        var (a, b) = (Of(1), Of(2));
        Assert.Equal(a.Function, b.Function);
        Assert.Single(a.Buffers);
        Assert.Same(device.Programs.Get(a.Function), device.Programs.Get(b.Function));
        Assert.Equal(1, device.Programs.Count);
    }

    [Fact]
    public void Run_CopiesResults_ThatAreArgumentsOrRepeated()
    {
        var x = Nodes.Parameter(0, DType.Float32, [2]);
        var y = x + 1.0;
        var executable = device.Programs.Get(new([x], [y, x, y]));
        var outputs = new Buffer?[3];
        executable.Run([Buffers.Of([1f, 2f])], [[2]], outputs, new Shape[3]);
        Assert.Equal([2f, 3f], outputs[0]!.Span<float>(2).ToArray());
        Assert.Equal([1f, 2f], outputs[1]!.Span<float>(2).ToArray());
        Assert.Equal([2f, 3f], outputs[2]!.Span<float>(2).ToArray());
        Assert.NotEqual(outputs[0]!.Address, outputs[2]!.Address);
    }

    [Fact]
    public void Run_SizesResults_BySymbols()
    {
        var n = new Symbol("N", 1, 100);
        var x = Nodes.Parameter(0, DType.Float32, [n, 2]);
        var executable = device.Programs.Get(new([x], [Nodes.Reshape(x, [(Extent)n * 2])]));
        var (outputs, shapes) = (new Buffer?[1], new Shape[1]);
        executable.Run([Buffers.Of([1f, 2f, 3f, 4f, 5f, 6f])], [[3, 2]], outputs, shapes);
        Assert.Equal([6], shapes[0]);
        Assert.Equal(24, outputs[0]!.Bytes);
    }

    [Fact]
    public void Realize_KeepsValues_ForLaterGraphs()
    {
        using var selected = device.Select();
        var x = Leaf.Of(Buffers.Of([1f, 2f]), DType.Float32, [2]);
        var squared = x * x;
        Realizer.Realize([squared]);
        Assert.Equal([1f, 4f], Leaf.BufferOf(Leaf.Find(squared)!).Span<float>(2).ToArray());
        var capture = Capture.Of([squared + x], [], Leaf.Find);
        Assert.Equal(Op.Add, capture.Function.Results[0].Op);
        Assert.All(capture.Function.Results[0].Inputs, input => Assert.Equal(Op.Parameter, input.Op));
    }

    [Fact]
    public void Cache_DropsWhatWasNotUsed_WhenItIsFull()
    {
        for (int i = 0; i < 1100; i++)
        {
            var x = Nodes.Parameter(0, DType.Float32, [i + 1]);
            device.Programs.Get(new([x], [x]));
        }
        Assert.InRange(device.Programs.Count, 500, 1024);
    }
}
