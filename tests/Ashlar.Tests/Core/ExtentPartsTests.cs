using Ashlar.Backends.Cpu;
using Ashlar.Runtime;

namespace Ashlar.Tests.Core;

/// <summary>Extents that are parts of symbols whose values are multiples.</summary>
public sealed class ExtentPartsTests
{
    static readonly Symbol t = new("T", 8, 64, MultipleOf: 8), b = new("B", 1, 9);

    [Fact]
    public void Quotient_IsAPartOfASymbol_WhenItIsAMultiple()
    {
        Extent all = t;
        Assert.True(all.TryDivide(4, out var quarter));
        Assert.Equal("T/4", quarter.ToString());
        Assert.Equal((2, 16, 2), (quarter.Min, quarter.Max, quarter.MultipleOf));
        Assert.Equal(6, quarter.Evaluate(_ => 24));
        Assert.Equal(all, quarter * 4);
        Assert.Equal(all, quarter + quarter + 2 * quarter);
        Assert.Equal((Extent)0, quarter - quarter);
        Assert.Equal("3*T/4", (quarter * 3).ToString());
        Assert.Equal("B*T/2", (quarter * 2 * b).ToString());
        Assert.True((quarter * 3 * b).TryDivide(quarter, out var rest));
        Assert.Equal(3 * (Extent)b, rest);
        Assert.NotEqual(quarter, all);
        Assert.NotEqual(quarter.GetHashCode(), all.GetHashCode());
    }

    [Fact]
    public void Quotient_IsRefused_WhenATermNeedNotBeWhole()
    {
        Assert.False(((Extent)t).TryDivide(16, out _));
        Assert.False(((Extent)b).TryDivide(2, out _));
        Assert.False(((Extent)t + 1).TryDivide(8, out _));
        Assert.False(((Extent)t + b).TryDivide(2, out _));
        Assert.True(((Extent)t).TryDivide(8, out var eighth));
        Assert.False(eighth.TryDivide(2, out _));
    }

    [Fact]
    public void Part_IsReplacedByMultiplesOnly()
    {
        Assert.True(((Extent)t).TryDivide(4, out var quarter));
        Assert.Equal((Extent)10, quarter.Substitute(_ => 40));
        Assert.Equal((Extent)b, quarter.Substitute(_ => (Extent)b * 4));
        Assert.Equal("ASH0133", Assert.Throws<ShapeException>(() => quarter.Substitute(_ => b)).Code);
    }

    [Theory, InlineData(8), InlineData(40)]
    public void Axis_IsCutIntoParts_WhenItsSymbolIsAMultiple(int length)
    {
        using var selected = new Device(new CpuBackend()).Select();
        var sums = Compiled.Function((Tensor x) => x.Reshape(4, -1).Sum(1), [[t, 3]]);
        float[] data = [.. Enumerable.Range(0, length * 3).Select(i => (float)i)];
        Assert.Equal(data.Chunk(length * 3 / 4).Select(part => part.Sum()), sums(Tensor.From(data).Reshape(length, 3))
            .ToArray<float>());
    }

    [Theory]
    [InlineData("", 1, 9, 1), InlineData("a b", 1, 9, 1), InlineData("2T", 1, 9, 1)]
    [InlineData("T", 5, 2, 1), InlineData("T", -1, 2, 1), InlineData("T", 5, 7, 8), InlineData("T", 1, 9, 0)]
    public void Symbol_IsRefused_WhenItCanHaveNoValue(string name, long min, long max, long multiple) =>
        Assert.Equal("ASH0132", Assert.Throws<ShapeException>(() => new Symbol(name, min, max, multiple)).Code);
}
