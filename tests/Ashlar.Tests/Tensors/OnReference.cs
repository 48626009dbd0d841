namespace Ashlar.Tests.Tensors;

public sealed class ReferenceCreationTests() : CreationTests(Devices.Reference);
public sealed class ReferenceArithmeticTests() : ArithmeticTests(Devices.Reference);
public sealed class ReferenceComparisonTests() : ComparisonTests(Devices.Reference);
