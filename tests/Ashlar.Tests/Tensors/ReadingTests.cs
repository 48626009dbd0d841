using Ashlar.Runtime;

namespace Ashlar.Tests.Tensors;

// Its own: these tests count programs.
public abstract class ReadingTests(Device device) : DeviceTests(new Device(device.Backend))
{
    readonly Tensor x = Tensor.From([1f, 2f, 3f, 4f], [2, 2]);

    [Fact]
    public void Data_ComesOutInEveryForm()
    {
        var y = x * 2;
        Assert.Equal([2f, 4, 6, 8], y.ToArray<float>());
        Assert.Equal(new float[,] { { 2, 4 }, { 6, 8 } }, y.ToArray2D<float>());
        var target = new float[5];
        y.CopyTo<float>(target);
        Assert.Equal([2f, 4, 6, 8, 0], target);
        Assert.Equal([2f, 4, 6, 8], y.AsSpan<float>().ToArray());
        var memory = y.AsMemory<float>();
        Assert.Equal(8, memory.Span[3]);
        using (memory.Pin()) Assert.Equal(4, memory.Length);
        Assert.Equal(20, (x * 2).Read((ReadOnlySpan<float> elements) => elements[0] + elements[1] + elements[2] + elements[3]));
        GC.KeepAlive(y);
    }

    [Fact]
    public void Item_ConvertsASingleElement()
    {
        Assert.Equal(10f, x.Sum().Item<float>());
        Assert.Equal(10, x.Sum().Item<int>());
        Assert.Equal(4L, (x > 0).Sum().Item<long>());
        Assert.Equal(4, (x > 0).Sum().Item<int>());
        Assert.Equal(2.5, (double)x.Mean());
        Assert.True((bool)(x > 0).All());
        Assert.False((bool)(x > 1).All());
        Assert.Equal(3, (int)x[1, 0]);
        Fails<ShapeException>(() => x.Item<float>(), "ASH0150", "f32[2, 2]", "4");
    }

    [Fact]
    public void Reading_Refuses_AnotherType()
    {
        Fails<DTypeException>(() => x.ToArray<double>(), "ASH0222", "f32[2, 2]", "Double", "x.Cast(DType.Float64)");
        Fails<DTypeException>(() => x.ToArray<decimal>(), "ASH0201", "Decimal");
        Fails<ShapeException>(() => x.CopyTo<float>(new float[3]), "ASH0140", "room for 3");
    }

    [Fact]
    public void Reading_ComputesOnce()
    {
        var y = x.Exp();
        y.Realize();
        long compiled = Device.Programs.Compilations;
        _ = y.ToArray<float>();
        _ = x.Exp().ToArray<float>();   // an equal node: the value is remembered
        _ = y.Reshape(4).ToArray<float>();
        Assert.Equal(compiled, Device.Programs.Compilations);
    }

    [Fact]
    public void Programs_AreShared_ByStructure()
    {
        static Tensor F(Tensor t) => (t * 3 + 1).Tanh().Sum(0);
        F(Tensor.From([1f, 2f])).Realize();
        long compiled = Device.Programs.Compilations;
        Close(F(Tensor.From([5f, 6f])), "f32[]", 1e-5, Math.Tanh(16) + Math.Tanh(19));
        Assert.Equal(compiled + 1, Device.Programs.Compilations);   // the cast to float64 that this test reads through
        F(Tensor.From([7f, 8f])).Realize();
        Assert.Equal(compiled + 1, Device.Programs.Compilations);
    }

    [Fact]
    public void Realize_TakesSeveralAtOnce()
    {
        var shared = x.Exp();
        var (a, b) = (shared.Sum(), shared.Max());
        long compiled = Device.Programs.Compilations;
        Tensor.Realize(a, b);
        Assert.InRange(Device.Programs.Compilations, compiled, compiled + 1);
        Close(a, "f32[]", 1e-5, Math.E + Math.Exp(2) + Math.Exp(3) + Math.Exp(4));
    }

    [Fact]
    public void Memory_Refuses_WhatDoesNotFit()
    {
        var error = Fails<OutOfMemoryOnDeviceException>(() => Tensor.Zeros(1L << 44).ToArray<float>(), "ASH0701");
        Assert.Matches("70,368,744,177,664 bytes|64 TiB", error.Message);   // backends measure in units of their own
        Fails<OutOfMemoryOnDeviceException>(() => Tensor.Zeros(1L << 40, 1L << 40).Realize(), "ASH0701", "64 bits");
    }

    [Fact]
    public async Task Temporaries_KeepTheirMemory_WhileTheyAreRead()
    {
        using var stop = new CancellationTokenSource();
        var collector = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
        });
        var ones = new float[20_000];
        Array.Fill(ones, 1);
        for (int i = 0; i < 60; i++)
        {
            Assert.Equal(ones, Tensor.From<float>(ones).ToArray<float>());
            Assert.Equal(1, Tensor.From([1f]).Item<double>());
        }
        await stop.CancelAsync();
        await collector;
    }

    [Fact]
    public void BigTensors_AreNotReadAsSpans()
    {
        var type = Assert.Throws<ShapeException>(() => Buffers.Of<byte>([1]).Span<byte>(1L << 33));
        Assert.Equal("ASH0140", type.Code);
    }
}
