using Ashlar.Backends.Cpu;

namespace Ashlar.Tests.Tensors;

// The subjects on generated machine code.
public sealed class CpuEdgeCaseTests() : EdgeCaseTests(CpuDevice.Shared);
public sealed class CpuArithmeticTests() : ArithmeticTests(CpuDevice.Shared);
public sealed class CpuComparisonTests() : ComparisonTests(CpuDevice.Shared);
public sealed class CpuReductionTests() : ReductionTests(CpuDevice.Shared);
public sealed class CpuActivationTests() : ActivationTests(CpuDevice.Shared);
public sealed class CpuSpecialFunctionTests() : SpecialFunctionTests(CpuDevice.Shared);
public sealed class CpuStatisticsTests() : StatisticsTests(CpuDevice.Shared);
public sealed class CpuGridTests() : GridTests(CpuDevice.Shared);

static class CpuDevice
{
    public static Device Shared { get; } = new(new CpuBackend());
}
