using System.Text.RegularExpressions;

namespace Ashlar.Tests.Repository;

public partial class SourceTests
{
    static IEnumerable<string> Sources() =>
        ((string[])["src", "tests", "bench", "samples"]).SelectMany(folder => Files.Under(folder, ".cs"));

    [Fact]
    public void Files_HaveAtMost800Lines() =>
        Assert.All(Files.Under("src", ".cs"),
            path =>
                Assert.True(Files.Read(path).Split('\n').Length <= 801,
                    $"{path} has more than 800 lines; split it by what its parts own"));

    [Fact]
    public void Sources_LeaveNothingForLater() =>
        Assert.All(Sources(), path =>
            Assert.False(LaterWords().IsMatch(Files.Read(path)), $"{path} leaves work for later; finish it or open an issue"));

    [Fact]
    public void EnvironmentVariables_AreReadInOnePlace()
    {
        var readers = Files.Under("src", ".cs").Where(path =>
            Files.Read(path).Contains("GetEnvironmentVariable", StringComparison.Ordinal));
        Assert.Equal(["src/Ashlar.Core/AshlarEnvironment.cs"], readers);
    }

    [Fact]
    public void Decisions_AreNumberedWithoutGaps()
    {
        string[] names = [.. Files.Under("docs/decisions", ".md").Select(path => Path.GetFileName(path))];
        Assert.All(names.Index(), entry => Assert.StartsWith($"{entry.Index + 1:0000}-", entry.Item));
    }

    [Fact]
    public void Documents_LinkOnlyToWhatExists()
    {
        string[] documents = [.. Files.Under("docs", ".md"), "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"];
        foreach (string document in documents)
            foreach (Match link in Links().Matches(Files.Read(document)))
            {
                string target = link.Groups[1].Value.Split('#')[0];
                if (target.Length == 0 || target.Contains("://", StringComparison.Ordinal)) continue;
                string path = Path.Combine(Files.Root, Path.GetDirectoryName(document)!, target);
                Assert.True(File.Exists(path) || Directory.Exists(path), $"{document} links to {target}, which does not exist");
            }
    }

    [GeneratedRegex(@"\b(TO" + @"DO|FIX" + @"ME|HA" + @"CK|XX" + @"X)\b")]
    internal static partial Regex LaterWords();

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    internal static partial Regex Links();
}
