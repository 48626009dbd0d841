using System.Text.RegularExpressions;
using Ashlar.Backends.Cpu;
using Ashlar.Runtime;

namespace Ashlar.Tests.Repository;

public partial class ReadmeTests
{
    [Fact]
    public void CSharp_IsWhatTestsCompile()
    {
        var shown = Blocks().Matches(Files.Read("README.md")).Select(match => match.Groups[1].Value.Trim());
        Assert.Equal(Snippets(), shown);
    }

    [Theory]
    [InlineData("reference")]
    [InlineData("cpu")]
    public void CSharp_Runs(string backend)
    {
        using var selection = new Device(backend == "cpu" ? new CpuBackend() : new ReferenceBackend()).Select();
        ReadmeSnippets.Gradient();
        ReadmeSnippets.TrainingStep();
    }

    [Fact]
    public void TestCommand_IsTheOneThatCIRuns()
    {
        Assert.Contains("```\ndotnet test\n```", Files.Read("README.md"));
        Assert.Contains("\ndotnet test 2>&1", Files.Read(".ci/run"));
    }

    [Fact]
    public void FirstCommand_RunsASampleThatExists()
    {
        Assert.Contains("```\ndotnet run samples/compiled.cs\n```", Files.Read("README.md"));
        Assert.Contains("Device.Use(new CpuBackend());", Files.Read("samples/compiled.cs"));
    }

    [Fact]
    public void Layout_NamesEveryProject() =>
        Assert.All(Files.Projects(), project => Assert.Contains($"\nsrc/{project.Name} ", Files.Read("README.md")));

    static IEnumerable<string> Snippets()
    {
        string[] lines = Files.Read("tests/Ashlar.Tests/Repository/ReadmeSnippets.cs").Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            if (lines[i].Trim() != "// readme") continue;
            int indent = lines[i].IndexOf('/', StringComparison.Ordinal);
            var snippet = new List<string>();
            while (lines[++i].Trim() != "// end") snippet.Add(lines[i].Length >= indent ? lines[i][indent..] : "");
            yield return string.Join('\n', snippet).Trim();
        }
    }

    [GeneratedRegex("```csharp\n(.*?)```", RegexOptions.Singleline)]
    internal static partial Regex Blocks();
}
