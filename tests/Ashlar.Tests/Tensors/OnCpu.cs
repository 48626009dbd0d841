namespace Ashlar.Tests.Tensors;

// Every subject on the processor: what users run.
public sealed class CpuCreationTests() : CreationTests(Devices.Cpu);
public sealed class CpuArithmeticTests() : ArithmeticTests(Devices.Cpu);
public sealed class CpuComparisonTests() : ComparisonTests(Devices.Cpu);
public sealed class CpuEdgeCaseTests() : EdgeCaseTests(Devices.Cpu);
public sealed class CpuMovementTests() : MovementTests(Devices.Cpu);
public sealed class CpuIndexingTests() : IndexingTests(Devices.Cpu);
public sealed class CpuReductionTests() : ReductionTests(Devices.Cpu);
public sealed class CpuProductTests() : ProductTests(Devices.Cpu);
public sealed class CpuRandomTests() : RandomTests(Devices.Cpu);
public sealed class CpuActivationTests() : ActivationTests(Devices.Cpu);
public sealed class CpuSpecialFunctionTests() : SpecialFunctionTests(Devices.Cpu);
public sealed class CpuStatisticsTests() : StatisticsTests(Devices.Cpu);
public sealed class CpuGridTests() : GridTests(Devices.Cpu);
public sealed class CpuDifferentiationTests() : DifferentiationTests(Devices.Cpu);
public sealed class CpuPrintingTests() : PrintingTests(Devices.Cpu);
public sealed class CpuReadingTests() : ReadingTests(Devices.Cpu);
public sealed class CpuCompiledTests() : CompiledTests(Devices.Cpu);
public sealed class CpuStateTests() : StateTests(Devices.Cpu);
