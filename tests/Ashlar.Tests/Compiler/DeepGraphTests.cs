using Ashlar.Backends.Cpu;
using Ashlar.Runtime;

namespace Ashlar.Tests.Compiler;

/// <summary>Graphs of very many operations: expressions that no one kernel could hold.</summary>
public sealed class DeepGraphTests
{
    public static TheoryData<Isa> Paths => [.. Isa.Available];

    static IDisposable On(Isa isa) => new Device(new CpuBackend(isa, Workers.Shared)).Select();

    [Theory, MemberData(nameof(Paths))]
    public void Chain_IsManyKernels_WhenItIsLong(Isa isa)
    {
        using var selected = On(isa);
        Tensor x = Tensor.From([0.1f, 0.2f, 0.5f]), y = x;
        double[] expected = [0.1f, 0.2f, 0.5f];
        for (int i = 0; i < 1500; i++)
        {
            y = y * 0.999f + 0.5f;
            for (int j = 0; j < 3; j++) expected[j] = expected[j] * 0.999f + 0.5f;
        }
        Near(expected, y, 1e-4);
    }

    [Theory, MemberData(nameof(Paths))]
    public void Functions_StayWithinTheBudgetOfCode_WhenTheyFollowEachOther(Isa isa)
    {
        using var selected = On(isa);
        foreach (var dtype in (DType[])[DType.Float32, DType.Float64, DType.Float16])
            foreach (Func<Tensor, Tensor> f in (Func<Tensor, Tensor>[])[x => x.Sin(), x => x.Cos(), x => x.Erf(),
                x => x.Tanh(), x => (-x).Exp(),
                x => (x.Abs() + 2).Log(), x => (x.Abs() + 0.5f).Pow(-0.1f * x), x => (x + 1) / (x * x + 1), x => x.Gelu() * 0.5f])
            {
                var y = Tensor.From([0.3f, 0.7f]).Cast(dtype);
                for (int i = 0; i < 40; i++) y = f(y + 0.125f * (i % 7));
                Assert.All(y.Cast(DType.Float32).ToArray<float>(), number => Assert.True(float.IsFinite(number)));
            }
    }

    [Theory, MemberData(nameof(Paths))]
    public void Gradient_OfADeepChain_IsTheProductOfItsSlopes(Isa isa)
    {
        using var selected = On(isa);
        Tensor x = Tensor.From([0.1f, 0.2f]), y = x;
        double[] at = [0.1f, 0.2f], slope = [1, 1];
        for (int i = 0; i < 120; i++)
        {
            y = (y * 1.01f).Sin() + 0.01f * y;
            for (int j = 0; j < 2; j++)
                (at[j], slope[j]) = (Math.Sin(at[j] * 1.01) + 0.01 * at[j], slope[j] * (1.01 * Math.Cos(at[j] * 1.01) + 0.01));
        }
        Near(slope, y.Sum().Gradient(x), 1e-3);
    }

    [Theory, MemberData(nameof(Paths))]
    public void Stack_TakesThousandsOfParts(Isa isa)
    {
        using var selected = On(isa);
        Tensor scalars = Tensor.Stack([.. Enumerable.Range(0, 2000).Select(i => Tensor.Of((float)i))]);
        Assert.Equal(Enumerable.Range(0, 2000).Select(i => (float)i), scalars.ToArray<float>());
        Tensor x = Tensor.From([1f, 2f]);
        Assert.Equal(Enumerable.Range(0, 200).SelectMany(i => (float[])[i, 2f * i]),
            Tensor.Stack([.. Enumerable.Range(0, 200).Select(i => x * i)]).ToArray<float>());
    }

    [Theory, MemberData(nameof(Paths))]
    public void Movement_CanBeRepeatedAtWill(Isa isa)
    {
        using var selected = On(isa);
        Tensor x = Tensor.Random(1, 8).Realize(), changed = x, doubled = Tensor.From([1f, 2f, 3f]), turned = Tensor.Arange(0, 64)
            .Reshape(8, 8);
        for (int i = 0; i < 300; i++) changed = changed.With((float)i, i % 8);
        Assert.Equal(Enumerable.Range(0, 8).Select(i => (float)(i <= 3 ? 296 + i : 288 + i)), changed.ToArray<float>());
        // Each needs the one before twice.
        for (int i = 0; i < 60; i++) doubled = Tensor.Concat([doubled[..2], doubled[1..]], 0)[..3];
        Assert.Equal([1f, 2f, 2f], doubled.ToArray<float>());
        for (int i = 0; i < 100; i++) turned = turned.Flip(i % 2);
        Assert.Equal(Enumerable.Range(0, 64).Select(i => (long)i), turned.Cast(DType.Int64).ToArray<long>());
    }

    [Fact]
    public void Graph_OfTwentyThousandOperations_Runs()
    {
        using var selected = On(Isa.Chosen);
        var y = Tensor.From([1f, 2f]);
        for (int i = 0; i < 10_000; i++) y = y * 0.5f + 1;
        Near([2, 2], y, 1e-6);
    }

    static void Near(double[] expected, Tensor actual, double tolerance)
    {
        float[] found = actual.ToArray<float>();
        for (int i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - found[i]) <= tolerance * Math.Max(1, Math.Abs(expected[i])),
                $"{i}: {found[i]}, not {expected[i]}");
    }
}
