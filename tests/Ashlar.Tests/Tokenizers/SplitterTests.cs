using System.Text;
using System.Text.RegularExpressions;
using Ashlar.Tokenizers;

namespace Ashlar.Tests.Tokenizers;

/// <summary>Splitters that were written by hand, against .NET's regular expressions.</summary>
public class SplitterTests
{
    const string Contraction = "(?:'[sS\u017f]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";

    // Without possessive quantifiers, and with the long s spelled out.
    static string Spelled(string pattern) => pattern == KnownPatterns.Cl100k
        ? @"'(?:[sSdDmMtT\u017f]|[lL][lL]|[vV][eE]|[rR][eE])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+\z|\s*[\r\n]|\s+(?!\S)|\s"
        : pattern.Replace("(?i:'s|'t|'re|'ve|'m|'ll|'d)", Contraction, StringComparison.Ordinal);

    public static TheoryData<string> Patterns =>
    [
        Gpt2Words.Pattern, KnownPatterns.Llama3, KnownPatterns.Cl100k, KnownPatterns.Qwen2, KnownPatterns.Qwen35,
        KnownPatterns.O200k,
        KnownPatterns.Tekken, KnownPatterns.Youtu, DeepSeekWords.Pattern, @"\p{N}{1,3}", @"\p{N}", @"\s?\p{L}+",
        @"\s?\p{P}+", @"\S+",
        @"[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", @"[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    ];

    [Theory]
    [MemberData(nameof(Patterns))]
    public void Words_AreThoseOfTheRegularExpression(string pattern)
    {
        var matcher = KnownPatterns.Find(pattern)!;
        var regex = new Regex(Spelled(pattern), RegexOptions.CultureInvariant);
        for (int seed = 0; seed < 400; seed++)
        {
            string text = seed == 0 ? Texts.English : seed % 2 == 0 ? Basic(Texts.Random(seed, 40)) : Signs(seed);
            byte[] utf8 = Encoding.UTF8.GetBytes(text);
            var found = new List<(int Start, int End)>();
            matcher.FindAll(utf8, found);
            string[] expected = [.. regex.Matches(text).Where(match => match.Length > 0).Select(match => match.Value)];
            Assert.Equal(expected, found.Select(match => Encoding.UTF8.GetString(utf8, match.Start, match.End - match.Start)));

            // The engine of .NET, used for patterns without a splitter, gives the same.
            var others = new List<(int Start, int End)>();
            if (seed < 40 && pattern != KnownPatterns.Cl100k)
            {
                new RegexMatcher(Spelled(pattern), "the test").FindAll(utf8, others);
                Assert.Equal(found, others);
            }
        }

        // .NET's regular expressions see two halves of a pair, not one letter or sign.
        static string Basic(string text) => string.Concat(text.Where(half => !char.IsSurrogate(half)));
    }

    // Many of the places where the branches of the expressions meet.
    static string Signs(int seed)
    {
        var random = new Random(seed);
        string[] parts =
        [
            " ", "  ", "\n", "\r\n", "\t", "'", "'s", "'RE", "'l", "'ll", "'\u017f", "a", "Bc", "BcD", "é", "ǅ", "ʰ", "1", "23",
            "½", "!", "?!", "/", "/\n", "\u3000",
            "\u00a0", "名", "ひ", "\u0301", "\u0903", "'S", "\u0000", "\u200b", "$", "Ⅷ", "٣",
        ];
        return string.Concat(Enumerable.Range(0, 14).Select(_ => parts[random.Next(parts.Length)]));
    }

    [Fact]
    public void Words_TakeCharactersBeyondTheBasicPlane_ByTheirKind()
    {
        // A mathematical letter, an emoji, a digit of their planes: a letter, a sign and a number, for splitter and engine alike.
        const string text = "a\U0001D400b 1\U0001D7CE \U0001F600!";
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        foreach (var matcher in (Matcher[])[Gpt2Words.Instance, new RegexMatcher(Gpt2Words.Pattern, "the test")])
        {
            var found = new List<(int Start, int End)>();
            matcher.FindAll(utf8, found);
            Assert.Equal(["a\U0001D400b", " 1\U0001D7CE", " \U0001F600!"],
                found.Select(match => Encoding.UTF8.GetString(utf8, match.Start, match.End - match.Start)));
        }
    }

    [Fact]
    public void Patterns_OfTheLibraries_AreUnderstoodAsTheyAreWritten()
    {
        foreach (string pattern in (string[])[KnownPatterns.Llama3, KnownPatterns.Cl100k, KnownPatterns.O200k])
        {
            var found = new List<(int Start, int End)>();
            new RegexMatcher(pattern, "the test").FindAll("We'll see"u8, found);
            Assert.Equal([.. pattern == KnownPatterns.O200k ? [(0, 5)] : ((int, int)[])[(0, 2), (2, 5)], (5, 9)], found);
        }
    }

    [Theory]
    [InlineData(@"a++b", "aab")]
    [InlineData(@"(?:ab)*+c", "ababc")]
    [InlineData(@"[^a]?+a", "ba")]
    [InlineData(@"\p{L}{1,2}+", "abcde")]
    [InlineData(@"\p{Han}+", "漢字")]
    [InlineData(@"[\p{Han}x]+", "漢x")]
    [InlineData(@"\h+", "fF0")]
    public void Patterns_AreTranslated(string pattern, string match)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes("- " + match + " -");
        Assert.True(new RegexMatcher(pattern, "the test").Find(utf8, 0, out int start, out int end));
        Assert.Equal(match, Encoding.UTF8.GetString(utf8, start, end - start));
    }

    [Theory]
    [InlineData(@"[\p{L}&&[^a]]")]
    [InlineData(@"\p{Greek}")]
    [InlineData("[\U0001F600]")]
    [InlineData("(")]
    public void Patterns_ThatCannotBeRun_AreRefused(string pattern) =>
        Assert.Equal("ASH0472", Assert.Throws<TokenizerException>(() => new RegexMatcher(pattern, "the test")).Code);

    [Fact]
    public void Pattern_IsStopped_WhenItTriesTooManyWays()
    {
        // 2^60 ways to share the letters among the rounds of the outer loop, none of which ends in what comes next.
        byte[] text = Encoding.UTF8.GetBytes(new string('a', 60) + "!");
        var matcher = new RegexMatcher("^(a+)+$", "the test", TimeSpan.FromMilliseconds(20));
        var error = Assert.Throws<TokenizerException>(() => matcher.FindAll(text, []));
        Assert.Equal("ASH0473", error.Code);
        Assert.Contains("'^(a+)+$' took more than 0.02 s on a text of 61 bytes", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Gguf_PatternsCanAllBeRun()
    {
        foreach (string name in GgufWords.Names)
        {
            foreach (string pattern in GgufWords.Find(name)!.Patterns)
            {
                var matches = new List<(int Start, int End)>();
                PreTokenizers.Matcher(pattern, name).FindAll("It's 12345 漢字, ok?\n\n  Σ"u8, matches);
                Assert.All(matches, match => Assert.True(match.End > match.Start));
            }
        }
    }

    [Fact]
    public void Kimi_SetsChineseApart()
    {
        byte[] utf8 = Encoding.UTF8.GetBytes("abc漢字def's 漢 x");
        var found = new List<(int Start, int End)>();
        KnownPatterns.Find(KnownPatterns.Kimi)!.FindAll(utf8, found);
        Assert.Equal(["abc", "漢字", "def's", " ", "漢", " x"],
            found.Select(match => Encoding.UTF8.GetString(utf8, match.Start, match.End - match.Start)));
    }
}
