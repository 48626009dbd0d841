using Ashlar.Cli.Quickstart;

namespace Ashlar.Tests.Quickstart;

public class GrammarTests
{
    static readonly Dictionary<string, Table> tables = new()
    {
        ["fruit"] = new("one many", [["apple", "apples"], ["pear", "pears"]]),
    };

    const string Text = """
        # A comment.
        start:
            [3] (a |){fruit.one} (or |and (two |)){fruit.many}{end} -> {fruit.one}{end}
        end:
            [1] ! -> 1
            [0] ? -> 2
        """;

    static IEnumerable<Sentence> Draw(int count) =>
        Enumerable.Range(0, count).Select(i => new Grammar(Text, tables).Draw(new(5, i)));

    [Fact]
    public void Draw_YieldsBothSidesOfOneDerivation()
    {
        string[] all =
            [.. from fruit in (string[])["apple", "pear"] from article in (string[])["a ", ""] from link in (string[])["or ",
                "and two ", "and "] select $"{article}{fruit} {link}{fruit}s!"];
        var drawn = Draw(400).ToList();
        Assert.Equal(all.Order(), drawn.Select(sentence => sentence.English).Distinct().Order());
        Assert.All(drawn, sentence =>
            Assert.Equal(sentence.English.Contains("apple", StringComparison.Ordinal) ? "apple1" : "pear1", sentence.Meaning));
        Assert.All(drawn, sentence => Assert.Equal(1, sentence.TableWords));
    }

    [Fact]
    public void Draw_IsRepeatedByItsSeedAndNumber() => Assert.Equal(Draw(50), Draw(50));

    [Fact]
    public void Patterns_CountWaysWithoutWordsOfTables() => Assert.Equal(2 * 3 * 2, new Grammar(Text, tables).Patterns);

    [Theory]
    [InlineData("start:\n [1] {nobody} -> x", "the rule 'nobody'")]
    [InlineData("start:\n [1] {fruit.none} -> x", "no column 'none'")]
    [InlineData("start:\n [1] a -> {fruit.one}", "the meaning uses {fruit.one}")]
    [InlineData("start:\n [1] (a|b -> x", "a parenthesis is not closed")]
    [InlineData("start:\n a -> x", "a way is '[weight] English -> meaning'")]
    [InlineData(" [1] a -> x", "before the first rule")]
    [InlineData("# nothing", "no rules")]
    public void Grammar_SaysWhichLineIsWrong(string text, string part) =>
        Assert.Contains(part, Assert.Throws<FormatException>(() => new Grammar(text, tables)).Message);
}
