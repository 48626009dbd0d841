using System.Text.RegularExpressions;

namespace Ashlar.Tests.Repository;

public partial class DiagnosticsTests
{
    static readonly SortedSet<string> codes =
        [.. Files.Under("src", ".cs").Concat(Files.Under("bench", ".cs"))
        .SelectMany(path => Code().Matches(Files.Read(path)).Select(match => match.Value))];

    static readonly SortedSet<string> pages = [.. Files.Under("docs/diagnostics", ".md")
        .Select(path => Path.GetFileNameWithoutExtension(path)).Where(name => Code().IsMatch(name))];

    static readonly SortedSet<string> tested =
        [.. Files.Under("tests", ".cs").Where(path => !path.EndsWith("DiagnosticsTests.cs", StringComparison.Ordinal))
        .SelectMany(path => Code().Matches(Files.Read(path)).Select(match => match.Value))];

    [Fact]
    public void EveryCode_OccursInATest() => Assert.Empty(codes.Except(tested));

    [Fact]
    public void EveryCode_HasAPage() => Assert.Empty(codes.Except(pages));

    [Fact]
    public void EveryPage_HasACode() => Assert.Empty(pages.Except(codes));

    [Fact]
    public void Pages_BeginWithTheirCode_AndSayHowToMendIt() => Assert.All(pages, code =>
    {
        string page = Files.Read($"docs/diagnostics/{code}.md");
        Assert.StartsWith($"# {code}: ", page);
        Assert.True(page.Split('\n').Length >= 4, $"the page of {code} says too little");
    });

    [Fact]
    public void Index_ListsEveryPageWithItsTitle()
    {
        string index = Files.Read("docs/diagnostics/README.md");
        Assert.All(pages, code =>
            Assert.Contains(
                $"[{code}]({code}.md) | {Files.Read($"docs/diagnostics/{code}.md").Split('\n')[0][$"# {code}: ".Length..]} |",
                index));
    }

    [GeneratedRegex(@"ASH\d{4}")]
    internal static partial Regex Code();
}
