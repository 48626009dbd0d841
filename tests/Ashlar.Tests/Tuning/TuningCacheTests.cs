using Ashlar.Runtime.Tuning;

namespace Ashlar.Tests.Tuning;

public sealed class TuningCacheTests : IDisposable
{
    readonly string folder = Directory.CreateTempSubdirectory("ashlar-tuning").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    static TuningEntry Entry(string shape = "m=8", string machine = "this", string config = "rows=32") =>
        new("matmul.f32", machine, TuningEntry.CurrentVersion, shape, config, 1e-3, 2.5e-3, "2026-11-22T00:00:00Z");

    [Fact]
    public void Cache_KeepsEntries_FromRunToRun()
    {
        TuningCache.Load(folder).Add(Entry());
        TuningCache.Load(folder).Add(Entry(shape: "m=16"));
        var read = TuningCache.Load(folder);
        Assert.Empty(read.Problems);
        Assert.Equal(Entry(), read.Find("matmul.f32", "this", "m=8"));
        Assert.Equal(2, read.Entries.Count);
    }

    [Fact]
    public void Cache_TakesTheLastEntry_OfEachKey()
    {
        var cache = TuningCache.Load(folder);
        cache.Add(Entry());
        cache.Add(Entry(config: "rows=64"));
        Assert.Equal("rows=64", Assert.Single(TuningCache.Load(folder).Entries).Config);
    }

    [Fact]
    public void Cache_FindsNothing_OfAnotherMachineOrVersion()
    {
        var cache = TuningCache.Load(folder);
        cache.Add(Entry(machine: "other"));
        cache.Add(Entry() with { Version = "0.0.1" });
        var read = TuningCache.Load(folder, _ => Assert.Fail("that is no damage"));
        Assert.Equal(2, read.Entries.Count);
        Assert.Null(read.Find("matmul.f32", "this", "m=8"));
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("changed")]
    [InlineData("no json")]
    [InlineData("{}")]
    [InlineData("[1]")]
    [InlineData("{\"check\":\"0\",\"kernel\":3}")]
    public void Cache_LeavesOutDamagedLines_AndSaysSo(string damage)
    {
        var cache = TuningCache.Load(folder);
        cache.Add(Entry());
        cache.Add(Entry(shape: "m=16"));
        string[] lines = File.ReadAllLines(cache.Path!);
        lines[1] = damage switch
        {
            "cut" => lines[1][..(lines[1].Length / 2)],
            "changed" => lines[1].Replace("rows=32", "rows=33"),
            _ => damage,
        };
        File.WriteAllText(cache.Path!, string.Join('\n', lines));

        var said = new List<string>();
        var read = TuningCache.Load(folder, said.Add);
        Assert.Equal("m=8", Assert.Single(read.Entries).Shape);
        Assert.Equal("line 2 is damaged and is not used", Assert.Single(read.Problems));
        Assert.StartsWith("ASH0656: tuned configs in", Assert.Single(said));

        read.Add(Entry(shape: "m=32"));                                    // after a line without an end
        Assert.Equal(["m=8", "m=32"], TuningCache.Load(folder).Entries.Select(entry => entry.Shape));
    }

    [Fact]
    public void Cache_SaysWhatIsWrong_WhenTheFolderCannotBeWritten()
    {
        string file = Path.Combine(folder, "file");
        File.WriteAllText(file, "");
        var error = Assert.Throws<DeviceException>(() => TuningCache.Load(Path.Combine(file, "inside")).Add(Entry()));
        Assert.Equal("ASH0658", error.Code);
        Assert.Contains("ASHLAR_CACHE", error.Message);
    }

    [Fact]
    public void Cache_KeepsNothingOnDisk_WhenItIsOff()
    {
        Assert.Null(CacheFolder.Of("off", "/home/a", ""));
        var cache = TuningCache.Load(null);
        cache.Add(Entry());
        Assert.NotNull(cache.Find("matmul.f32", "this", "m=8"));
    }

    [Fact]
    public void Forget_RemovesTheFile()
    {
        var cache = TuningCache.Load(folder);
        cache.Add(Entry());
        cache.Forget();
        Assert.Empty(cache.Entries);
        Assert.False(File.Exists(cache.Path));
    }

    [Fact]
    public void Folder_IsThatOfTheVariable_OrTheSystems()
    {
        Assert.Equal(folder, CacheFolder.Of(folder, "/home/a", ""));
        if (OperatingSystem.IsLinux()) Assert.Equal("/home/a/.cache/ashlar", CacheFolder.Of(null, "/home/a", ""));
    }
}
