namespace Ashlar.Tests.Formats;

/// <summary>A folder of a test's own, removed at its end.</summary>
sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("ashlar-").FullName;

    public string File(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Writes a file and gives its path.</summary>
    public string Write(string name, ReadOnlySpan<byte> content)
    {
        System.IO.File.WriteAllBytes(File(name), content.ToArray());
        return File(name);
    }

    /// <summary>Every file and folder below, as sorted relative paths.</summary>
    public string[] Names =>
        [.. Directory.EnumerateFileSystemEntries(Path, "*", SearchOption.AllDirectories)
            .Select(path => System.IO.Path.GetRelativePath(Path, path).Replace('\\', '/')).Order(StringComparer.Ordinal)];

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
