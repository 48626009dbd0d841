namespace Ashlar.Tests.Tensors;

public abstract class StateTests(Device device) : DeviceTests(new Device(device.Backend))   // its own: these tests count programs
{
    [Fact]
    public void Assignments_AreComputedTogether_WithTheNextRead()
    {
        var (a, b) = (new State("a", Tensor.Ones(2).Realize()), new State("b", Tensor.Ones(2).Realize()));
        long compiled = Device.Programs.Compilations;
        var gradient = Tensor.From([1f, 2f]).Exp();
        a.Value -= gradient;
        b.Value += gradient;
        (a.Value * 0).Sum().Realize();
        Assert.Equal(compiled + 1, Device.Programs.Compilations);
        Close(b.Value, "f32[2]", 1e-5, 1 + Math.E, 1 + Math.Exp(2));
    }

    [Fact]
    public void Assignments_ForgetTheirHistory()
    {
        var state = new State("s", Tensor.Ones(2));
        for (int i = 0; i < 5; i++)
        {
            state.Value = state.Value * 2 + 1;
            state.Value.Realize();
        }
        Assert.Equal(Ashlar.Graph.Op.Buffer, state.Value.Node.Op);
        Same(state.Value, "f32[2]", 63, 63);
    }

    [Fact]
    public void Gradient_FindsTheState_WhenItWasComputedInBetween()
    {
        var state = new State("s", Tensor.From([1f, 2f]));
        state.Value = state.Value * 3;
        var loss = state.Value.Square().Sum();
        _ = loss.Item<float>();   // computes the state too, which then starts from its data
        Same(loss.Gradient([state])[0], "f32[2]", 6, 12);
        Same((loss + state.Value.Sum()).Gradient([state])[0], "f32[2]", 7, 13);
    }

    [Fact]
    public void Values_KeepShapeAndType()
    {
        var state = new State("weight", Tensor.Ones(2));
        Fails<ShapeException>(() => state.Value = Tensor.Ones(3), "ASH0163", "'weight'", "f32[2]", "f32[3]");
        Fails<DTypeException>(() => state.Value = Tensor.Ones([2], DType.Float64), "ASH0225", "f64[2]", "Cast");
        Fails<ShapeException>(() =>
            new State("s", Tensor.FromNode(Ashlar.Graph.Nodes.Parameter(0, DType.Float32, [new Symbol("B")]))),
            "ASH0163", "symbolic");
        Assert.Equal("weight: f32[2]", state.ToString());
    }

    [Fact]
    public void Assignments_ComeBack_AfterAnError()
    {
        var state = new State("s", Tensor.From([1, 2]));
        state.Value = state.Value.Take(Tensor.From([5, 5]));
        Assert.Throws<KernelException>(() => Tensor.Ones(2).Exp().ToArray<float>());
        Close(Tensor.Zeros(2).Exp(), "f32[2]", Near, 1, 1);   // an error of a pending assignment is not met twice
        Assert.Throws<KernelException>(() => state.Value.ToArray<int>());
    }
}
