using Ashlar.Tests.Repository;
using Ashlar.Tests.Tensors;

namespace Ashlar.Tests.NN;

public sealed class GuideTests() : DeviceTests(Devices.Reference)
{
    [Fact]
    public void CSharp_IsWhatTestsCompile() => Assert.Equal(
        Snippets.InSource("tests/Ashlar.Tests/NN/GuideSnippets.cs", "// guide"),
        Snippets.InDocument("docs/guides/neural-networks.md"));

    [Fact]
    public void CSharp_Runs()
    {
        Tensor tokens = Tensor.From([1, 5, 2, 7, 3, 4], [2, 3]), targets = Tensor.From([5, 2, 8, 3, 4, 9], [2, 3]);
        GuideSnippets.Layer();
        GuideSnippets.Training(tokens, targets);
        GuideSnippets.Options(tokens, targets);
        GuideSnippets.Accumulation(tokens, targets);
        GuideSnippets.Saving();
        GuideSnippets.Decoding();
    }
}
