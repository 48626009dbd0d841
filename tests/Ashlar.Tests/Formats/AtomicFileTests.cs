using Ashlar.Formats;

namespace Ashlar.Tests.Formats;

public sealed class AtomicFileTests : IDisposable
{
    readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Write_ReplacesTheFile_AndMakesItsFolder()
    {
        AtomicFile.Write(folder.File("a/b"), "one"u8.ToArray());
        AtomicFile.Write(folder.File("a/b"), "two"u8.ToArray());
        Assert.Equal("two", File.ReadAllText(folder.File("a/b")));
        Assert.Equal(["a", "a/b"], folder.Names);
    }

    [Fact]
    public void Write_KeepsWhatStoodThere_WhenTheDiskIsFull()
    {
        AtomicFile.Write(folder.File("a"), "one"u8.ToArray());
        var error = Assert.Throws<ModelFileException>(() => AtomicFile.Write(folder.File("a"), stream =>
        {
            stream.Write("tw"u8);
            throw new IOException("No space left on device.");
        }));
        Assert.Equal("ASH0418", error.Code);
        Assert.Contains("No space left on device. The file that stood there before is untouched.", error.Message);
        Assert.Equal("one", File.ReadAllText(folder.File("a")));
        Assert.Equal(["a"], folder.Names);
    }

    [Fact]
    public void Write_LetsErrorsOfTheContentPass()
    {
        Assert.Throws<InvalidTimeZoneException>(() =>
            AtomicFile.Write(folder.File("a"), _ => throw new InvalidTimeZoneException()));
        Assert.Empty(folder.Names);
    }

    [Fact]
    public void Write_ReplacesWhatAKilledProcessLeft()
    {
        folder.Write(".a.tmp", "a very long rest of earlier work"u8);
        AtomicFile.Write(folder.File("a"), "one"u8.ToArray());
        Assert.Equal("one", File.ReadAllText(folder.File("a")));
        Assert.Equal(["a"], folder.Names);
    }

    [Fact]
    public void Write_SaysWhere_WhenAFolderHasTheName()
    {
        Directory.CreateDirectory(folder.File("a"));
        Assert.Contains(folder.File("a"), Assert.Throws<ModelFileException>(() =>
            AtomicFile.Write(folder.File("a"), "x"u8.ToArray())).Message);
        Assert.Equal(["a"], folder.Names);
    }

    [Fact]
    public void FlushFolder_FindsMissingFolders()
    {
        AtomicFile.FlushFolder(folder.Path);
        if (!OperatingSystem.IsWindows()) Assert.Throws<IOException>(() => AtomicFile.FlushFolder(folder.File("no")));
    }
}
