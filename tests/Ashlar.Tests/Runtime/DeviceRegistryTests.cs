using Ashlar.Runtime;

namespace Ashlar.Tests.Runtime;

public sealed class DeviceRegistryTests
{
    [Fact]
    public void Default_SaysWhichLineToAdd_WhenNoneIsRegistered()
    {
        if (Device.Current is not null) return;   // some other test registered one for the whole process
        var error = Assert.Throws<DeviceException>(() => (Tensor.Ones(2) + 1).ToArray<float>());
        Assert.Equal("ASH0610", error.Code);
        Assert.Contains("Device.Use(new CpuBackend());", error.Message, StringComparison.Ordinal);
        Assert.Equal("f32[2] (not computed: no device is registered)", (Tensor.Ones(2) + 1).ToString());
        Assert.Equal([1f, 2f], Tensor.From([1f, 2f]).ToArray<float>());   // data needs no device
    }

    [Fact]
    public void Select_HoldsUntilItIsDisposed()
    {
        var before = Device.Current;
        var device = new Device(new ReferenceBackend());
        using (device.Select()) Assert.Same(device, Device.Default);
        Assert.Same(before, Device.Current);
    }

    [Theory]
    [InlineData(null, OptimizationLevel.O2)]
    [InlineData("O0", OptimizationLevel.O0)]
    [InlineData("o1", OptimizationLevel.O1)]
    public void Level_IsParsed(string? value, OptimizationLevel level) => Assert.Equal(level, Levels.Parse(value));

    [Fact]
    public void Level_IsRefused_WhenUnknown() =>
        Assert.Contains("O3", Assert.Throws<DeviceException>(() => Levels.Parse("O3")).Message, StringComparison.Ordinal);
}
