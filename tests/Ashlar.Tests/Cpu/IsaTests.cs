using Ashlar.Backends.Cpu;

namespace Ashlar.Tests.Cpu;

public class IsaTests
{
    [Fact]
    public void Isa_PortableIsAlwaysAvailable_AndLast() => Assert.Equal(Isa.Portable, Isa.Available[^1]);

    [Fact]
    public void Isa_AvailablePathsGoFromWideToNarrow() =>
        Assert.Equal(Isa.Available.OrderByDescending(isa => isa.VectorBytes), Isa.Available);

    [Theory]
    [InlineData(Isa.Avx512, "avx512", 64)]
    [InlineData(Isa.Avx2, "avx2", 32)]
    [InlineData(Isa.Portable, "portable", 16)]
    public void Isa_KnowsItsNameAndWidth(Isa isa, string name, int bytes)
    {
        Assert.Equal(name, isa.Name);
        Assert.Equal(bytes, isa.VectorBytes);
        Assert.Equal(isa, Isas.Choose(name.ToUpperInvariant(), [Isa.Avx512, Isa.Avx2, Isa.Portable]));
    }

    [Fact]
    public void Isa_TakesTheWidest_WhenNothingIsForced() => Assert.Equal(Isa.Avx2, Isas.Choose(null, [Isa.Avx2, Isa.Portable]));

    [Fact]
    public void Isa_RejectsUnknownPath_NamingTheAvailable()
    {
        var error = Assert.Throws<DeviceException>(() => Isas.Choose("sse9", [Isa.Avx2, Isa.Portable]));
        Assert.Equal("ASH0601", error.Code);
        Assert.Contains("'sse9'", error.Message);
        Assert.Contains("avx2, portable", error.Message);
    }

    [Fact]
    public void Isa_RejectsPathThatTheMachineLacks_NamingTheAvailable()
    {
        var error = Assert.Throws<DeviceException>(() => Isas.Choose("avx512", [Isa.Avx2, Isa.Portable]));
        Assert.Contains("lacks", error.Message);
        Assert.Contains("avx2, portable", error.Message);
    }
}
