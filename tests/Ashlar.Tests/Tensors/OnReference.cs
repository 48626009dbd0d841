namespace Ashlar.Tests.Tensors;

// Every subject on the reference interpreter; OnCpu.cs has them on the processor.
public sealed class ReferenceCreationTests() : CreationTests(Devices.Reference);
public sealed class ReferenceArithmeticTests() : ArithmeticTests(Devices.Reference);
public sealed class ReferenceComparisonTests() : ComparisonTests(Devices.Reference);
public sealed class ReferenceMovementTests() : MovementTests(Devices.Reference);
public sealed class ReferenceIndexingTests() : IndexingTests(Devices.Reference);
public sealed class ReferenceReductionTests() : ReductionTests(Devices.Reference);
public sealed class ReferenceProductTests() : ProductTests(Devices.Reference);
public sealed class ReferenceRandomTests() : RandomTests(Devices.Reference);
public sealed class ReferenceActivationTests() : ActivationTests(Devices.Reference);
public sealed class ReferenceDifferentiationTests() : DifferentiationTests(Devices.Reference);
public sealed class ReferencePrintingTests() : PrintingTests(Devices.Reference);
public sealed class ReferenceReadingTests() : ReadingTests(Devices.Reference);
public sealed class ReferenceCompiledTests() : CompiledTests(Devices.Reference);
public sealed class ReferenceStateTests() : StateTests(Devices.Reference);
public sealed class ReferenceEdgeCaseTests() : EdgeCaseTests(Devices.Reference);
public sealed class ReferenceSpecialFunctionTests() : SpecialFunctionTests(Devices.Reference);
public sealed class ReferenceStatisticsTests() : StatisticsTests(Devices.Reference);
public sealed class ReferenceGridTests() : GridTests(Devices.Reference);
