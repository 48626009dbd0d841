namespace Ashlar.Tests.Tensors;

// Its own: these tests count programs.
public abstract class CompiledTests(Device device) : DeviceTests(new Device(device.Backend))
{
    readonly Tensor x = Tensor.From([1f, 2f, 3f]);

    [Fact]
    public void Function_IsRunOnce_AndReplayed()
    {
        int runs = 0;
        var f = Compiled.Function((Tensor a, Tensor b) =>
        {
            runs++;
            return a * b + 1;
        });
        Same(f(x, x), "f32[3]", 2, 5, 10);
        Same(f(x, x * 2), "f32[3]", 3, 9, 19);
        Assert.Equal(1, runs);
        Same(f(Tensor.From([2f]), Tensor.From([4f])), "f32[1]", 9);
        Assert.Equal(2, runs);   // another shape
        Same(f(Tensor.From([2]), Tensor.From([4])), "i32[1]", 9);
        Assert.Equal(3, runs);   // another element type
    }

    [Fact]
    public void Prepare_RecordsAndCompiles_ButRunsNothing()
    {
        int runs = 0;
        var state = new State("n", Tensor.Zeros(1));
        var f = Compiled.Step((Tensor a) =>
        {
            runs++;
            state.Value += a.Sum();
            return a * 2;
        }, [new Symbol("B", 1, 100)]);
        Compiled.Prepare(f, Tensor.Ones(3));
        Assert.Equal(1, runs);
        Same(state.Value, "f32[1]", 0);
        Same(f(x), "f32[3]", 2, 4, 6);
        Assert.Equal(1, runs);
        Same(state.Value, "f32[1]", 6);
        Assert.Throws<ArgumentException>(() => Compiled.Prepare(() => { }, x));
        Fails<ShapeException>(() => Compiled.Prepare(f), "ASH0164");
    }

    [Fact]
    public void StepInto_WritesIntoTheCallersMemory_AndRefusesWhatDoesNotFit()
    {
        var state = new State("n", Tensor.Zeros(3));
        var f = Compiled.StepInto((Tensor a, Tensor b) =>
        {
            state.Value += b;
            return a * b;
        }, [new Symbol("B", 1, 100), 3], [3]);
        foreach (int rows in (int[])[2, 1, 40])
        {
            var into = Tensor.Zeros(rows, 3).Realize();
            f(Tensor.Ones(rows, 3), x, into);
            Assert.Equal(Enumerable.Repeat((float[])[1, 2, 3], rows).SelectMany(row => row), into.ToArray<float>());
        }
        Same(state.Value, "f32[3]", 3, 6, 9);
        Fails<ShapeException>(() => f(Tensor.Ones(2, 3), x, Tensor.Zeros(3, 3).Realize()), "ASH0141", "[3, 3]");
        Fails<ShapeException>(() => f(Tensor.Ones(2, 3), x, Tensor.Zeros([2, 3], DType.Int32).Realize()), "ASH0141", "i32");
        Same(state.Value, "f32[3]", 3, 6, 9);   // a call that is refused changes nothing
        Fails<TraceException>(() => Compiled.Step((Tensor a) =>
        {
            f(a, x, Tensor.Zeros(2, 3));
            return a;
        })(Tensor.Ones(2, 3)), "ASH0401", "Compiled.Step");
    }

    [Fact]
    public void Function_ReturnsWhatItsBodyReturns()
    {
        var (sum, product) = Compiled.Function((Tensor a) => (a.Sum(), a.Prod()))(x);
        Same(sum, "f32[]", 6);
        Same(product, "f32[]", 6);
        var three = Compiled.Function(() => (x + 1, x + 2, x + 1))();
        Same(three.Item1, "f32[3]", 2, 3, 4);
        Same(three.Item2, "f32[3]", 3, 4, 5);
        Same(three.Item3, "f32[3]", 2, 3, 4);
        Assert.Equal(2, Compiled.Function((Tensor a) => new[] { a, a * 2 })(x).Length);
        Same(Compiled.Function((Tensor a, Tensor b, Tensor c, Tensor d) => (a, b + c, d, a + d))(x, x, x, x).Item4,
            "f32[3]", 2, 4, 6);
        Fails<TraceException>(() => Compiled.Function((Tensor a) => "no")(x), "ASH0405", "String");
    }

    [Fact]
    public void Function_ReturnsItsArgument_AsItWas() => Same(Compiled.Function((Tensor a) => a)(x), "f32[3]", 1, 2, 3);

    [Fact]
    public void Function_TakesASymbol_OfAnArgumentThatItDoesNotRead()
    {
        var b = new Symbol("b", 1, 64);
        var twice = Compiled.Function((Tensor a, Tensor w) => w * 2, new Shape[] { [b, 3], [4] });
        Same(twice(Tensor.Ones(5, 3), Tensor.Ones(4)), "f32[4]", 2, 2, 2, 2);
        Same(twice(Tensor.Ones(6, 3), Tensor.Ones(4)), "f32[4]", 2, 2, 2, 2);
    }

    [Fact]
    public void Step_UpdatesStates()
    {
        var count = new State("count", Tensor.Zeros([], DType.Int32));
        var sum = new State("sum", Tensor.Zeros(3));
        var step = Compiled.Step((Tensor a) =>
        {
            count.Value += 1;
            sum.Value += a;
            return sum.Value * count.Value;
        });
        Same(step(x), "f32[3]", 1, 2, 3);
        Same(step(x), "f32[3]", 4, 8, 12);
        Same(step(Tensor.Ones(3)), "f32[3]", 9, 15, 21);
        Same(count.Value, "i32[]", 3);
        Same(sum.Value, "f32[3]", 3, 5, 7);
    }

    [Fact]
    public void Step_WritesInPlace_UnlessSomebodyHoldsTheOldValue()
    {
        var state = new State("s", Tensor.From([1f, 2f]));
        var step = Compiled.Step(() => { state.Value *= 2; });
        step();
        step();
        nint before = Address(state);
        step();
        Assert.Equal(before, Address(state));
        var held = state.Value;
        Same(held, "f32[2]", 8, 16);
        step();
        Same(held, "f32[2]", 8, 16);
        Same(state.Value, "f32[2]", 16, 32);
    }

    static unsafe nint Address(State state)
    {
        lock (State.Gate) return state.Acquire(out _).Address;
    }

    [Fact]
    public void Step_SwapsStates()
    {
        var (a, b) = (new State("a", Tensor.From([1f])), new State("b", Tensor.From([2f])));
        var swap = Compiled.Step(() => (a.Value, b.Value) = (b.Value, a.Value));
        swap();
        Same(a.Value, "f32[1]", 2);
        Same(b.Value, "f32[1]", 1);
        swap();
        Same(a.Value, "f32[1]", 1);
        Same(b.Value, "f32[1]", 2);
    }

    [Fact]
    public void Step_ReturnsTheOldValue_OfAStateItOverwrites()
    {
        var s = new State("s", Tensor.From([1f]));
        var step = Compiled.Step(() =>
        {
            var old = s.Value;
            s.Value = old + 1;
            return old;
        });
        Same(step(), "f32[1]", 1);
        Same(step(), "f32[1]", 2);
        Same(s.Value, "f32[1]", 3);
    }

    [Fact]
    public void Step_AssignsOneValueToTwoStates_AndWithoutReading()
    {
        var (a, b) = (new State("a", Tensor.From([1f])), new State("b", Tensor.From([5f])));
        var step = Compiled.Step((Tensor t) =>
        {
            var sum = a.Value + t;
            (a.Value, b.Value) = (sum, sum);
        });
        step(Tensor.From([2f]));
        step(Tensor.From([2f]));
        Same(a.Value, "f32[1]", 5);
        Same(b.Value, "f32[1]", 5);
        var set = Compiled.Step((Tensor t) => { b.Value = t * 10; });
        set(Tensor.From([1f]));
        set(Tensor.From([2f]));
        Same(b.Value, "f32[1]", 20);
        Same(a.Value, "f32[1]", 5);
    }

    [Fact]
    public void Step_TrainsAModel()
    {
        var inputs = Tensor.RandomNormal(1, 16, 3).Realize();
        var targets = inputs.MatMul(Tensor.From([1f, -2f, .5f])) + 3;
        var (w, b) = (new State("w", Tensor.Zeros(3)), new State("b", Tensor.Zeros([], DType.Float32)));
        var step = Compiled.Step((Tensor t, Tensor y) =>
        {
            var loss = (t.MatMul(w.Value) + b.Value - y).Square().Mean();
            var gradients = loss.Gradient([w, b]);
            w.Value -= gradients[0] * 0.1;
            b.Value -= gradients[1] * 0.1;
            return loss;
        });
        float first = step(inputs, targets).Item<float>();
        float last = 0;
        for (int i = 0; i < 150; i++) last = step(inputs, targets).Item<float>();
        Assert.True(last < first / 1000, $"the loss went from {first} to {last}");
        Close(w.Value, "f32[3]", 1e-2, 1, -2, .5);
    }

    [Fact]
    public void Step_MayCreateStates()
    {
        State? momentum = null;
        var step = Compiled.Step((Tensor t) =>
        {
            momentum ??= new("momentum", t.ZerosLike());
            momentum.Value = momentum.Value * 0.5 + t;
            return momentum.Value;
        });
        Same(step(x), "f32[3]", 1, 2, 3);
        Same(step(x), "f32[3]", 1.5, 3, 4.5);
    }

    [Fact]
    public void Symbols_NeedOneRecording_ForAllSizes()
    {
        int runs = 0;
        var batch = new Symbol("B", 1, 64);
        var f = Compiled.Function((Tensor a, Tensor b) =>
        {
            runs++;
            return (a.MatMul(Tensor.Ones(3, 2)) + b.Unsqueeze(-1)).Sum(0) / 2;
        }, [batch, 3], [batch]);
        foreach (int size in new[] { 1, 2, 16, 17, 32, 5, 64 })
            Same(f(Tensor.Ones(size, 3), Tensor.Ones(size)), "f32[2]", size * 2, size * 2);
        Assert.Equal(1, runs);
        Assert.Equal((1, 4), ((Recording<Tensor>)f.Target!).Count);   // 1, small, general, divisible
        var g = Compiled.Function((Tensor a) => a * 2, [batch, 3]);
        Assert.Equal("f32[7, 3]", g(Tensor.Ones(7, 3)).Type);
    }

    [Fact]
    public void Symbols_AreChecked()
    {
        var batch = new Symbol("B", 2, 8, 2);
        var f = Compiled.Function((Tensor a, Tensor b) => a + b, [batch, 3], [batch, 3]);
        Fails<ShapeException>(() => f(Tensor.Ones(10, 3), Tensor.Ones(10, 3)), "ASH0110", "'B'", "10", "between 2 and 8");
        Fails<ShapeException>(() => f(Tensor.Ones(3, 3), Tensor.Ones(3, 3)), "ASH0110", "multiple of 2");
        Fails<ShapeException>(() => f(Tensor.Ones(4, 3), Tensor.Ones(6, 3)), "ASH0141", "argument 1", "6 long", "'B' is 4");
        Fails<ShapeException>(() => f(Tensor.Ones(4, 5), Tensor.Ones(4, 5)), "ASH0141", "argument 0", "5 long instead of 3");
        Fails<ShapeException>(() => f(Tensor.Ones(4), Tensor.Ones(4, 3)), "ASH0141", "1 axes instead of 2");
        Fails<ShapeException>(() => Compiled.Function((Tensor a, Tensor b) => a + b, [batch, 3]), "ASH0164", "takes 2");
        Fails<GraphException>(() => Compiled.Function((Tensor a) => a, [(Extent)batch * 2]), "ASH0320", "'B'");
    }

    [Fact]
    public void Captured_TensorsAreInputs_ComputedOnce()
    {
        var table = Tensor.Arange(3).Cast(DType.Float32).Exp();
        var f = Compiled.Function((Tensor a) => a + table);
        Same(f(Tensor.Zeros(3)), "f32[3]", 1, Math.E, Math.E * Math.E);
        Assert.True(table.IsRealized);
    }

    [Fact]
    public void Random_DrawsAnew_WithAKey()
    {
        var number = new State("step", Tensor.Zeros([], DType.Int32));
        var step = Compiled.Step(() =>
        {
            number.Value += 1;
            return Tensor.Random(1, [50], key: number.Value);
        });
        var (first, second) = (step().ToArray<float>(), step().ToArray<float>());
        Assert.NotEqual(first, second);
        number.Value = Tensor.Zeros([], DType.Int32);
        Assert.Equal(first, step().ToArray<float>());
    }

    [Fact]
    public void Reading_IsAnError_WhileRecording()
    {
        void Refused(Func<Tensor, object?> read)
        {
            var error = Fails<TraceException>(() => Compiled.Function((Tensor a) =>
            {
                read(a * 2);
                return a;
            })(x), "ASH0401", "f32[3]", "recorded", "CompiledTests", "return the tensor");
            Assert.Same(x, x);
        }
        Refused(a => a.ToArray<float>());
        Refused(a => a.Realize());
        Refused(a => a.Detach());
        Refused(a => a.AsMemory<float>());
        Refused(a => { Tensor.Realize(a); return null; });
        Fails<TraceException>(() =>
            Compiled.Function((Tensor a) => a.Item<float>() > 0 ? a : -a)(Tensor.Of(1f)), "ASH0401", "Tensor.Where");
        Fails<TraceException>(() => Compiled.Function((Tensor a) => (bool)(a > 0) ? a : -a)(Tensor.Of(1f)), "ASH0401", "bool[]");
        Fails<TraceException>(() => Compiled.Function(() => { x.ToArray<float>(); return x; })(), "ASH0401");
    }

    [Fact]
    public void Printing_ShowsTheSymbolicForm_WhileRecording()
    {
        string? seen = null;
        Compiled.Function((Tensor a) =>
        {
            seen = (a * 2).ToString();
            return a;
        }, [new Symbol("B"), 3])(Tensor.Ones(5, 3));
        Assert.Equal("f32[B, 3] (traced, mul)", seen);
    }

    [Fact]
    public void Errors_LeaveNoRecordingOpen()
    {
        var state = new State("s", Tensor.Ones(2));
        bool fail = true;
        var step = Compiled.Step(() =>
        {
            state.Value += 1;
            return fail ? throw new InvalidOperationException("mine") : state.Value;
        });
        Assert.Throws<InvalidOperationException>(() => step());
        Same(state.Value, "f32[2]", 1, 1);   // read outside: nothing is being recorded, nothing was assigned
        fail = false;
        Same(step(), "f32[2]", 2, 2);
    }

    [Fact]
    public void Function_MustNotAssignStates()
    {
        var state = new State("weight", Tensor.Ones(2));
        Fails<TraceException>(() => Compiled.Function(() => { state.Value = Tensor.Zeros(2); return state.Value; })(), "ASH0402",
            "'weight'", "Compiled.Step");
        Same(state.Value, "f32[2]", 1, 1);
    }

    [Fact]
    public void Placeholders_AreRefused_Outside()
    {
        Tensor? leaked = null;
        Compiled.Function((Tensor a) => leaked = a * 2)(x);
        Fails<TraceException>(() => leaked!.ToArray<float>(), "ASH0403", "f32[3]", "State");
    }

    [Fact]
    public void Compiled_WithinCompiled_IsAPartOfIt()
    {
        var state = new State("s", Tensor.Zeros(3));
        var inner = Compiled.Step((Tensor a) =>
        {
            state.Value += a;
            return state.Value.Sum();
        });
        var outer = Compiled.Step((Tensor a) => inner(a) + inner(a * 2));
        Same(outer(x), "f32[]", 6 + 18);
        Same(state.Value, "f32[3]", 3, 6, 9);
    }

    [Fact]
    public void Calls_FromManyThreads_AllCount()
    {
        var state = new State("s", Tensor.Zeros([], DType.Int64));
        var step = Compiled.Step((Tensor a) => { state.Value += a; });
        var one = Tensor.Of(1L);
        Parallel.For(0, 40, _ =>
        {
            using var selected = Device.Select();
            step(one);
        });
        Assert.Equal(40, state.Value.Item<long>());
    }

    [Fact]
    public void Describe_TellsWhatWasCompiled()
    {
        var f = Compiled.Function((Tensor a) => a * 2);
        f(x).Realize();
        Assert.Contains("Describe_TellsWhatWasCompiled", Compiled.Describe(f), StringComparison.Ordinal);
        Assert.Contains('\n', Compiled.Describe(f));
    }

    [Fact]
    public void ProductsIn_RoundsTheOperandsOfProducts_GradientsIncluded()
    {
        float fine = 1 + 1f / 512;   // rounds to 1 in bfloat16, which keeps 8 bits
        Tensor a = Tensor.From([fine, 2f]).Reshape(1, 2), b = Tensor.From([3f, fine]).Reshape(2, 1);
        var plain = Compiled.Function((Tensor x, Tensor y) => (x.MatMul(y).Sum(), x.MatMul(y).Sum().Gradient(x)));
        var narrow = Compiled.Function((Tensor x, Tensor y) =>
        {
            Compiled.ProductsIn(DType.BFloat16);
            return (x.MatMul(y).Sum(), x.MatMul(y).Sum().Gradient(x) * fine);
        });
        var (sum, slope) = plain(a, b);
        Assert.Equal((5 * fine, fine), (sum.Item<float>(), slope[0, 1].Item<float>()));
        (sum, slope) = narrow(a, b);
        Assert.Equal((5f, fine), (sum.Item<float>(), slope[0, 1].Item<float>()));   // what is no product stays exact
        Assert.Equal(DType.Float32, sum.DType);
    }

    [Fact]
    public void ProductsIn_ReachesIntoRegions()
    {
        float fine = 1 + 1f / 512;
        Tensor a = Tensor.From([fine]).Reshape(1, 1);
        var f = Compiled.Function((Tensor x) =>
        {
            Compiled.ProductsIn(DType.BFloat16);
            return Tensor.Checkpoint(y => y[0].MatMul(y[0]), x).Sum();
        });
        Assert.Equal(1f, f(a).Item<float>());
    }

    [Fact]
    public void ProductsIn_IsRefused_OutsideARecording_AndForOtherTypes()
    {
        Fails<TraceException>(() => Compiled.ProductsIn(DType.BFloat16), "ASH0406", "ProductsIn");
        Fails<DTypeException>(() => Compiled.Function((Tensor y) =>
        {
            Compiled.ProductsIn(DType.Int8);
            return y;
        })(x), "ASH0226", "i8");
    }
}
