using Ashlar.Backends.Cpu;
using Ashlar.Graph;
using Ashlar.Tests.Tensors;
using Ashlar.Tiles;
using static Ashlar.Tiles.KernelMath;

namespace Ashlar.Tests.Kernels;

public sealed class ReferenceKernelCallTests() : KernelCallTests(Devices.Reference);

public sealed class CpuKernelCallTests() : KernelCallTests(new Device(new CpuBackend()));

public abstract class KernelCallTests(Device device) : DeviceTests(device)
{
    static readonly Kernel triple = Kernel.Define("triple", k =>
    {
        var x = k.Input("x", "N");
        var y = k.Output("y", "N");
        var n = k.Grid(("N", 16));
        y[n] = x[n] * 3;
    });

    static readonly Kernel extremes = Kernel.Define("extremes", k =>
    {
        var x = k.Input("x", "M", "N");
        var (least, greatest) = (k.Output("least", "M"), k.Output("greatest", "M"));
        var m = k.Grid("M");
        least[m] = Min(x[m, ..]);
        greatest[m] = Max(x[m, ..]);
    });

    static Tensor Triple(Tensor x) =>
        Tensor.CustomGradient(inputs => triple.Call(inputs[0]), (dy, _, _) => [triple.Call(dy)], [x]);

    [Fact]
    public void Call_ComputesAnExpression() => Same(triple.Call(Tensor.From([1f, 2f, -1f]) + 1) * 2, "f32[3]", 12, 18, 0);

    [Fact]
    public void Call_GivesAllResults_HoweverManyAreUsed()
    {
        var x = Tensor.From([1f, 2f, -1f, 5f]).Reshape(2, 2);
        var both = extremes.CallAll(x);
        Same(both[0], "f32[2]", 1, -1);
        Same(both[1] - both[0], "f32[2]", 1, 6);
        Fails<KernelException>(() => extremes.Call(x), "ASH0571", "2 outputs");
    }

    [Fact]
    public void Call_WorksInCompiledFunctions_WithSymbolicExtents()
    {
        var f = Compiled.Function((Tensor x) => triple.Call(x + 1).Sum(), new Shape[] { Shape.Of([new Symbol("T")]) });
        Same(f(Tensor.Ones(5)), "f32[]", 30);
        Same(f(Tensor.Ones(70)), "f32[]", 420);
    }

    [Fact]
    public void Call_HasTheGradientThatIsGiven()
    {
        var x = Tensor.From([1f, 2f]);
        Same((Triple(x) * Triple(x)).Sum().Gradient(x), "f32[2]", 18, 36);
        var error = Fails<KernelException>(() => triple.Call(x).Sum().Gradient(x), "ASH0570", "'triple'",
            "Tensor.CustomGradient");
    }

    [Fact]
    public void Call_RefusesTensorsThatDoNotFit()
    {
        Fails<KernelException>(() => triple.Call(Tensor.Ones(2, 2)), "ASH0571", "'x' of 'triple' has 1 axes", "f32[2, 2]");
        Fails<KernelException>(() => triple.Call(Tensor.Arange((Extent)4)), "ASH0571", "is f32", "i32[4]");
        Fails<KernelException>(() => triple.Call(), "ASH0571", "0 tensors");
        Fails<KernelException>(() => triple.Call(Tensor.Ones(2), Tensor.Ones(2)), "ASH0571", "2 tensors");
        var dot = Kernel.Define("two", k =>
        {
            var (a, b) = (k.Input("a", "N"), k.Input("b", "N"));
            var y = k.Output("y", "N");
            y[..] = a[..] * b[..];
        });
        Fails<KernelException>(() => dot.Call(Tensor.Ones(2), Tensor.Ones(3)), "ASH0571", "axis 0 of the input 'b'", "f32[3]");
    }

    [Fact]
    public void Call_HasATextThatIsReadBack()
    {
        var x = Nodes.Parameter(0, DType.Float32, [4, 3]);
        var kernel = extremes.For(new NodeType(x.DType, x.Shape));
        var function = new Function([x],
            [Node.Of(Op.Kernel, [x], new KernelAttributes(kernel, 1)) + Node.Of(Op.Kernel, [x],
            new KernelAttributes(kernel, 0))]);
        string text = GraphText.Print(function);
        Assert.Equal(function, GraphText.Parse(text, null, TileKernel.Parse));
    }
}
