using Ashlar.Tests.Formats;
using Ashlar.Training;

namespace Ashlar.Tests.Training;

public sealed class MetricsFileTests : IDisposable
{
    readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    string Path => folder.File("out/metrics.jsonl");

    [Fact]
    public void Lines_AreJson_AndReadBack()
    {
        using (var file = MetricsFile.Create(Path))
        {
            file.Write(10, ("loss", 0.1f), ("tokens_per_second", 1234.5678901234));
            file.Write(20, ("loss", double.NaN), ("a \"b\"", double.PositiveInfinity));
        }
        Assert.Equal(["""{"step":10,"loss":0.1,"tokens_per_second":1234.5678901234}""",
            """{"step":20,"loss":null,"a \"b\"":null}"""], File.ReadAllLines(Path));
        var read = MetricsFile.Read(Path);
        Assert.Equal([10, 20], read.Select(metrics => metrics.Step));
        Assert.Equal(0.1, read[0].Values["loss"]);
        Assert.True(double.IsNaN(read[1].Values["loss"]));
    }

    [Fact]
    public void Resume_DropsWhatWasWrittenBeyondTheStep_AndHalfALine()
    {
        using (var file = MetricsFile.Create(Path))
            for (int step = 1; step <= 5; step++) file.Write(step, ("loss", step));
        File.AppendAllText(Path, """{"step":6,"lo""");
        using (var file = MetricsFile.Resume(Path, step: 3)) file.Write(4, ("loss", 40));
        Assert.Equal([1, 2, 3, 40], MetricsFile.Read(Path).Select(metrics => metrics.Values["loss"]));
        Assert.Equal(["out", "out/metrics.jsonl"], folder.Names);
    }

    [Fact]
    public void Resume_BeginsAFile_WhereThereIsNone()
    {
        using (var file = MetricsFile.Resume(Path, step: 3)) file.Write(4);
        Assert.Equal("{\"step\":4}\n", File.ReadAllText(Path));
        Assert.Empty(MetricsFile.Read(folder.File("no")));
    }

    [Theory]
    [InlineData("""{"loss":1}""")]
    [InlineData("""{"step":"1"}""")]
    [InlineData("[]")]
    [InlineData("")]
    public void Read_LeavesOutOtherLines(string line)
    {
        string path = folder.File("a");
        File.WriteAllText(path, line + "\n{\"step\":1}\n");
        Assert.Equal(1, Assert.Single(MetricsFile.Read(path)).Step);
    }
}
