using System.Text.RegularExpressions;
using Ashlar.Bench;

namespace Ashlar.Tests.Repository;

/// <summary>What the README says was measured is in a file of results.</summary>
public partial class ResultsTests
{
    static Figure[] Committed() =>
        [.. Files.Under("bench/results", ".jsonl").SelectMany(path => FigureText.Read(Files.Read(path).Split('\n')))];

    [Fact]
    public void Files_BeginWithTheirMachine() =>
        Assert.All(Files.Under("bench/results", ".jsonl"), path => Assert.StartsWith("{\"machine\":", Files.Read(path)));

    [Fact]
    public void Readme_ShowsOnlyWhatWasMeasured()
    {
        var block = Block().Match(Files.Read("README.md"));
        Assert.True(block.Success, "README.md has no block between <!-- results:begin --> and <!-- results:end -->");
        Assert.Empty(Unfounded(block.Groups[1].Value, Committed()));
    }

    [Theory]
    [InlineData("| `a.t1` | 12.3 GB/s | 81.2 % |", true)]
    [InlineData("| `a.t1` | 12.3 of 15.2 GB/s | 81.2 % | 80 % |", true)]     // the last column is the target
    [InlineData("| `a.t1` | 12.4 GB/s | 81.2 % |", false)]
    [InlineData("| `a.t1` | 12.3 GB/s | 82 % |", false)]
    [InlineData("| `a.t1` | 12.3 GB/s | 50.0 % |", false)]                   // the share of another run
    [InlineData("| `b.t1` | 12.3 GB/s | 81.2 % |", false)]
    [InlineData("| a.t1 | 12.3 GB/s | 81.2 % |", false)]
    public void Unfounded_FindsWhatNoFileHolds(string row, bool founded)
    {
        string heading = row.Count(letter => letter == '|') == 5
            ? "| figure | reached | share | target |\n|---|---|---|---|\n"
            : "| figure | reached | share |\n|---|---|---|\n";
        Figure[] figures = [new("a.t1", 12.345, "GB/s", 15.2, 0.8122), new("a.t1", 7, "GB/s", 14, 0.5)];
        Assert.Equal(founded, !Unfounded(heading + row, figures).Any());
    }

    /// <summary>Rows with a number, outside the target's column, that no one record of the row's figure holds.</summary>
    static IEnumerable<string> Unfounded(string table, Figure[] figures)
    {
        string[] headings = [];
        foreach (string line in table.Split('\n').Where(line => line.StartsWith('|')))
        {
            string[] cells = [.. line.Trim().Trim('|').Split('|').Select(cell => cell.Trim())];
            if (headings.Length == 0) headings = cells;
            if (headings == cells || cells.All(cell => cell.Trim('-', ':').Length == 0)) continue;
            string[] numbers = [.. cells.Skip(1).Where((_, i) => i + 1 >= headings.Length || headings[i + 1] != "target")
                .SelectMany(cell => Number().Matches(cell)).Select(match => match.Value)];
            bool found = Name().Match(cells[0]) is { Success: true } name
                && figures.Where(figure => figure.Name == name.Groups[1].Value)
                .Any(figure =>
                    Array.TrueForAll(numbers, new[] { FigureText.Digits(figure.Value), FigureText.Digits(figure.Limit),
                        FigureText.Share(figure.Ratio) }.Contains));
            if (!found) yield return line;
        }
    }

    [GeneratedRegex("<!-- results:begin -->(.*)<!-- results:end -->", RegexOptions.Singleline)]
    internal static partial Regex Block();

    [GeneratedRegex("`([^`]+)`")]
    internal static partial Regex Name();

    [GeneratedRegex(@"\d+(\.\d+)?( %)?")]
    internal static partial Regex Number();
}
