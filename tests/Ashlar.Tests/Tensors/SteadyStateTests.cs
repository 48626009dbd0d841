using Ashlar.Graph;
using Ashlar.Runtime;
using Buffer = Ashlar.Runtime.Buffer;

namespace Ashlar.Tests.Tensors;

/// <summary>What a replay costs beside its kernels, on a backend whose kernels do nothing.</summary>
public sealed class SteadyStateTests
{
    [Fact]
    public void Step_AllocatesTheSame_WhateverTheModelsSize()
    {
        using var selected = new Device(new IdleBackend()).Select();
        long small = BytesPerStep(1), large = BytesPerStep(200);
        Assert.Equal(small, large);
        Assert.InRange(large, 0, 256);   // the returned tensor and its buffer
    }

    [Fact]
    public void Step_AllocatesNothing_WhenItReturnsNothing()
    {
        using var selected = new Device(new IdleBackend()).Select();
        var states = States(20);
        var step = Compiled.Step((Tensor x) =>
        {
            foreach (var state in states) state.Value += x;
        });
        var argument = Tensor.From([1f, 2f]);
        Assert.Equal(0, Measure(() => step(argument)));
    }

    [Fact]
    public void StepInto_AllocatesNothing_AlsoWhereTheShapeIsSymbolic()
    {
        using var selected = new Device(new IdleBackend()).Select();
        var states = States(3);
        var step = Compiled.StepInto((Tensor x, Tensor y) =>
        {
            foreach (var state in states) state.Value += y;
            return x + y;
        }, [new Symbol("B", 1, 100), 2], [2]);
        var (a, b, into) = (Tensor.Zeros(70, 2).Realize(), Tensor.From([1f, 2f]), Tensor.Zeros(70, 2).Realize());
        Assert.Equal(0, Measure(() => step(a, b, into)));
    }

    static State[] States(int count) =>
        [.. Enumerable.Range(0, count).Select(i => new State($"w{i}", Tensor.Full([2], (double)i).Realize()))];

    static long BytesPerStep(int count)
    {
        var states = States(count);
        var step = Compiled.Step((Tensor x, Tensor y) =>
        {
            var sum = x.Sum(0) + y;
            foreach (var state in states) state.Value += sum;
            return sum.Sum();
        }, [new Symbol("B"), 2], [2]);
        var (a, b) = (Tensor.Zeros(1, 2).Realize(), Tensor.From([1f, 2f]));
        return Measure(() => step(a, b));
    }

    static long Measure(Action action)
    {
        for (int i = 0; i < 50; i++) action();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++) action();
        return (GC.GetAllocatedBytesForCurrentThread() - before) / 100;
    }

    sealed class IdleBackend : IBackend
    {
        public string Name => "idle";

        public Buffer Allocate(long bytes) => HostBuffer.Allocate(bytes);

        public IProgram Compile(Function function, CompileOptions options) => new IdleProgram(function.Symbols);
    }

    sealed class IdleProgram(IReadOnlyList<Symbol> symbols) : IProgram
    {
        public IReadOnlyList<Symbol> Symbols => symbols;

        public void Run(ReadOnlySpan<Buffer> inputs, ReadOnlySpan<Buffer> outputs, ReadOnlySpan<long> symbols)
        {
        }

        public string Describe() => "nothing";
    }
}
