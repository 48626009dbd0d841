namespace Ashlar.Tests.Formats;

/// <summary>A test that needs inputs too large to commit; skipped where ASHLAR_DATA does not name their folder.</summary>
sealed class DataFactAttribute : FactAttribute
{
    public DataFactAttribute() => Skip = DataFact.Folder is null ? "ASHLAR_DATA is not set" : null;
}

static class DataFact
{
    public static string? Folder => AshlarEnvironment.Data.Value is { } folder && Directory.Exists(folder) ? folder : null;
}
