using Ashlar.Backends.Cpu;

namespace Ashlar.Tests.Cpu;

/// <summary>A test that needs the tile unit (AMX); skipped, with the reason, where there is none.</summary>
[AttributeUsage(AttributeTargets.Method)]
sealed class TileFactAttribute : FactAttribute
{
    public TileFactAttribute() => Skip = TileFact.WhyNot;
}

/// <summary>The same for a theory.</summary>
[AttributeUsage(AttributeTargets.Method)]
sealed class TileTheoryAttribute : TheoryAttribute
{
    public TileTheoryAttribute() => Skip = TileFact.WhyNot;
}

static class TileFact
{
    public static string? WhyNot { get; } = !Isa.Avx512.IsAvailable ? "this machine has no AVX-512" : Amx.WhyNot;
}
