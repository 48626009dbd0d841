using Ashlar.Graph;

namespace Ashlar.Tests.Graph;

public class ConversionTests
{
    [Theory]
    [InlineData(1.9, DType.Float32, DType.Int32, 1)]
    [InlineData(-1.9, DType.Float32, DType.Int32, -1)]
    [InlineData(300.0, DType.Float32, DType.UInt8, 255)]
    [InlineData(-300.0, DType.Float32, DType.UInt8, 0)]
    [InlineData(-300.0, DType.Float32, DType.Int8, -128)]
    [InlineData(1e20, DType.Float64, DType.Int32, int.MaxValue)]
    [InlineData(double.NegativeInfinity, DType.Float64, DType.Int64, long.MinValue)]
    [InlineData(double.NaN, DType.Float32, DType.Int16, 0)]
    [InlineData(300.0, DType.Int32, DType.UInt8, 44)]
    [InlineData(200.0, DType.UInt8, DType.Int8, -56)]
    [InlineData(-1.0, DType.Int32, DType.UInt8, 255)]
    [InlineData(256.0, DType.Int32, DType.Bool, 1)]
    [InlineData(0.25, DType.Float32, DType.Bool, 1)]
    [InlineData(double.NaN, DType.Float32, DType.Bool, 1)]
    [InlineData(-0.0, DType.Float32, DType.Bool, 0)]
    [InlineData(1.0, DType.Bool, DType.Float16, 1)]
    [InlineData(1 + 1 / 256.0, DType.Float32, DType.BFloat16, 1)]             // a tie goes to even
    [InlineData(1 + 3 / 256.0, DType.Float32, DType.BFloat16, 1 + 1 / 64.0)]
    // rounding to f32 first would make it a tie
    [InlineData(1 + 1 / 256.0 + 1 / 1099511627776.0, DType.Float64, DType.BFloat16, 1 + 1 / 128.0)]
    [InlineData(1 + 1 / 2048.0 + 1 / 1099511627776.0, DType.Float64, DType.Float16, 1 + 1 / 1024.0)]
    [InlineData(65520.0, DType.Float32, DType.Float16, double.PositiveInfinity)]
    [InlineData(16777217.0, DType.Int32, DType.Float32, 16777216)]
    public void Cast_ConvertsByValue(double value, DType from, DType to, double expected) =>
        Assert.Equal(expected, Conversion.Cast(value, from, to));

    [Theory]
    [InlineData(1.0, DType.Float32, DType.Int32, 0x3f800000)]
    [InlineData(-2.0, DType.BFloat16, DType.Int16, unchecked((short)0xc000))]
    [InlineData(255.0, DType.UInt8, DType.Int8, -1)]
    [InlineData(0x3c00, DType.Int16, DType.Float16, 1)]
    [InlineData(2.0, DType.Float64, DType.Int64, 0x4000000000000000)]
    public void BitCast_KeepsTheBits(double value, DType from, DType to, double expected) =>
        Assert.Equal(expected, Conversion.BitCast(value, from, to));

    // Random123's kat_vectors and JAX's random_test: counter, key, result.
    [Theory]
    [InlineData(0u, 0u, 0u, 0u, 0x6b200159u, 0x99ba4efeu)]
    [InlineData(0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu, 0x1cb996fcu, 0xbb002be7u)]
    [InlineData(0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xc4923a9cu, 0x483df7a0u)]
    public void Threefry_MatchesPublishedVectors(uint counter0, uint counter1, uint key0, uint key1, uint first, uint second) =>
        Assert.Equal((first, second), Threefry.Block(key0, key1, counter0, counter1));

    // Values to 17 digits from mpmath's erf.
    [Theory]
    [InlineData(0.0, 0.0)]
    [InlineData(1e-10, 1.1283791670955126e-10)]
    [InlineData(0.5, 0.52049987781304654)]
    [InlineData(1.0, 0.84270079294971487)]
    [InlineData(-1.9, -0.99279042923525747)]
    [InlineData(2.1, 0.99702053334366701)]
    [InlineData(3.0, 0.99997790950300141)]
    [InlineData(5.5, 0.99999999999999274)]
    [InlineData(7.0, 1.0)]
    [InlineData(double.NegativeInfinity, -1.0)]
    [InlineData(double.NaN, double.NaN)]
    public void Erf_IsExactToAFewUnits(double x, double expected)
    {
        double found = SpecialFunctions.Erf(x);
        Assert.True(found.Equals(expected)
            || Math.Abs(found - expected) <= 4 * (Math.BitIncrement(Math.Abs(expected)) - Math.Abs(expected)), $"{found:R}");
    }
}
