namespace Ashlar.Runtime;

/// <summary>Reads optimisation levels.</summary>
static class Levels
{
    /// <summary>The level that a value of ASHLAR_LEVEL asks for; O2 for null.</summary>
    public static OptimizationLevel Parse(string? value) => value?.ToUpperInvariant() switch
    {
        null or "O2" => OptimizationLevel.O2,
        "O1" => OptimizationLevel.O1,
        "O0" => OptimizationLevel.O0,
        _ => throw new DeviceException("ASH0611", $"{AshlarEnvironment.Level.Name} is '{value}', which is no optimisation level.",
            $"set it to {AshlarEnvironment.Level.Values}, or unset it to take {AshlarEnvironment.Level.Default}."),
    };
}
