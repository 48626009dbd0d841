using Ashlar.Backends.Cpu;
using Ashlar.Runtime;

namespace Ashlar.Tests.Repository;

public class ReadmeTests
{
    [Fact]
    public void CSharp_IsWhatTestsCompile() => Assert.Equal(
        Snippets.InSource("tests/Ashlar.Tests/Repository/ReadmeSnippets.cs", "// readme"), Snippets.InDocument("README.md"));

    [Theory]
    [InlineData("reference")]
    [InlineData("cpu")]
    public void CSharp_Runs(string backend)
    {
        using var selection = new Device(backend == "cpu" ? new CpuBackend() : new ReferenceBackend()).Select();
        ReadmeSnippets.Gradient();
        ReadmeSnippets.TrainingStep();
        ReadmeSnippets.Transformer();
        ReadmeSnippets.OwnKernel();
    }

    [Fact]
    public void TestCommand_IsTheOneThatCIRuns()
    {
        Assert.Contains("```\ndotnet test\n```", Files.Read("README.md"));
        Assert.Contains("\ndotnet test 2>&1", Files.Read(".ci/run"));
    }

    [Fact]
    public void FirstCommand_IsTheMainJob()
    {
        Assert.Contains("```\ndotnet run --project src/Ashlar.Cli -c Release -- quickstart\n```", Files.Read("README.md"));
        Assert.Contains("new Verb(\"quickstart\"", Files.Read("src/Ashlar.Cli/QuickstartCommand.cs"));
    }

    [Fact]
    public void Layout_NamesEveryProject() =>
        Assert.All(Files.Projects(), project => Assert.Contains($"\nsrc/{project.Name} ", Files.Read("README.md")));
}
