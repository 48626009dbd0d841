using System.Text.RegularExpressions;

namespace Ashlar.Tests.Repository;

public partial class DiagnosticsTests
{
    static readonly SortedSet<string> codes =
        [.. Files.Under("src", ".cs").SelectMany(path => Code().Matches(Files.Read(path)).Select(match => match.Value))];

    static readonly SortedSet<string> pages = [.. Files.Under("docs/diagnostics", ".md")
        .Select(path => Path.GetFileNameWithoutExtension(path)).Where(name => Code().IsMatch(name))];

    // Codes that no test names, and why.
    static readonly SortedDictionary<string, string> untested = new()
    {
        ["ASH0351"] = "not yet: needs a model file of an unknown family",
        ["ASH0465"] = "not yet: needs a tokenizer that a GGUF file cannot hold",
        ["ASH0473"] = "a pattern that takes seconds, and tests do not wait",
        ["ASH0474"] = "not yet: needs a tokenizer of another format",
        ["ASH0603"] = "a system that refuses executable memory: not within the reach of a test",
        ["ASH0657"] = "a warning, not an error",
    };

    static readonly SortedSet<string> tested =
        [.. Files.Under("tests", ".cs").Where(path => !path.EndsWith("DiagnosticsTests.cs", StringComparison.Ordinal))
        .SelectMany(path => Code().Matches(Files.Read(path)).Select(match => match.Value))];

    [Fact]
    public void EveryCode_OccursInATest() => Assert.Empty(codes.Except(tested).Except(untested.Keys));

    [Fact]
    public void UntestedCodes_AreStillUntested() =>
        Assert.All(untested.Keys, code => Assert.True(codes.Contains(code) && !tested.Contains(code), code));

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
