using Ashlar.Backends.Cpu;
using Ashlar.Tests.Repository;

namespace Ashlar.Tests.Kernels;

public class GuideTests
{
    [Fact]
    public void CSharp_IsWhatTestsCompile() => Assert.Equal(
        Snippets.InSource("tests/Ashlar.Tests/Kernels/GuideSnippets.cs", "// guide"),
        Snippets.InDocument("docs/guides/write-a-kernel.md"));

    [Fact]
    public void CSharp_Runs()
    {
        using var selection = new Device(new CpuBackend()).Select();
        GuideSnippets.CallIt();
        GuideSnippets.GiveAGradient();
        GuideSnippets.RunTheKernels();
    }

    [Fact]
    public void FlashAttention_TakesAtMostEightyLines()
    {
        string[] lines = Files.Read("src/Ashlar.Kernels/FlashAttention.cs").Split('\n');
        int begin = Array.FindIndex(lines, line => line.Contains("Kernel Forward(", StringComparison.Ordinal));
        int end = Array.FindIndex(lines, begin, line => line.TrimEnd() == "    });");
        Assert.InRange(end - begin + 1, 10, 80);
    }
}
