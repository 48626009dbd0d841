using Ashlar.Runtime;

namespace Ashlar.Tests.Runtime;

public sealed class StorageTests
{
    public static TheoryData<DType> Types => [.. DTypes.All];

    [Theory]
    [MemberData(nameof(Types))]
    public void Storage_BringsBackWhatFitsTheType(DType dtype)
    {
        double[] values = dtype == DType.Bool
            ? [0, 1, 1, 0]
            : dtype == DType.UInt8
            ? [0, 1, 200, 255]
            : dtype.IsFloat ? [-1.5, 0, 0.25, double.PositiveInfinity] : [-100, 0, 1, 127];
        var buffer = HostBuffer.Allocate(values.Length * dtype.Bytes);
        Storage.Store(values, dtype, buffer);
        Assert.Equal(values, Storage.Load(buffer, dtype, [2, 2]).Data);
        Assert.Equal(0, buffer.Address % 64);
    }

    [Fact]
    public void Storage_RoundsAndWraps()
    {
        var buffer = HostBuffer.Allocate(64);
        Storage.Store([0.1, 1e300], DType.Float32, buffer);
        Assert.Equal([0.1f, float.PositiveInfinity], buffer.Span<float>(2).ToArray());
        Storage.Store([300, -1], DType.UInt8, buffer);
        Assert.Equal([44, 255], buffer.Span<byte>(2).ToArray());
    }

    [Fact]
    public void Span_Refuses_MoreThanTheBufferHolds() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => HostBuffer.Allocate(8).Span<double>(2));

    [Fact]
    public void Allocate_Refuses_MoreThanTheMachineHas() =>
        Assert.Equal("ASH0701", Assert.Throws<OutOfMemoryOnDeviceException>(() => HostBuffer.Allocate(1L << 50)).Code);
}
