namespace Ashlar.Tokenizers;

/// <summary>What a chat template may use up. Templates come with models from strangers.</summary>
public sealed record TemplateLimits
{
    /// <summary>The usual limits.</summary>
    public static TemplateLimits Default { get; } = new();

    /// <summary>Operations; one on a long text counts for more.</summary>
    public long Steps { get; init; } = 20_000_000;

    /// <summary>Characters of the result and of any text on the way.</summary>
    public int Characters { get; init; } = 32 << 20;

    /// <summary>Entries of any list.</summary>
    public int Entries { get; init; } = 1_000_000;

    /// <summary>Calls within calls.</summary>
    public int Depth { get; init; } = 100;

    /// <summary>Time for one text.</summary>
    public TimeSpan Time { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Lists and mappings that are written as text look as in Python (<c>['a', 1]</c>); else as JSON, as the published texts of
    /// templates have them.
    /// </summary>
    public bool PythonContainers { get; init; }
}
