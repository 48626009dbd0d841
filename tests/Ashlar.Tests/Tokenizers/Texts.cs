using System.Text;

namespace Ashlar.Tests.Tokenizers;

/// <summary>Text to try tokenizers on.</summary>
static class Texts
{
    public const string English = """
        We'll see what the cat's doing; it isn't here, they've said. The cat sat on the mat, and the other cat sat there as well.
            def add(x, y): return x + y  # 12345 and 3.14

        I'd say: don't!  The theatre there is 100 years old.
        """;

    static readonly (int From, int To)[] ranges = [(0, 0x7f), (0x20, 0x7e), (0x20, 0x20), (0x09, 0x0d), (0x80, 0x7ff),
        (0x800, 0xd7ff), (0xe000, 0xffff), (0x10000, 0x10ffff), (0x1f600, 0x1f64f), (0x3000, 0x3000), ('a', 'f')];

    /// <summary>Any characters: ASCII, controls, white space, every length of UTF-8, runs of equal characters.</summary>
    public static string Random(int seed, int characters)
    {
        var random = new Random(seed);
        var text = new StringBuilder();
        while (text.Length < characters)
        {
            var (from, to) = ranges[random.Next(ranges.Length)];
            var character = new Rune(random.Next(from, to + 1));
            for (int repeat = random.Next(8) == 0 ? random.Next(30) : 1; repeat > 0; repeat--) text.Append(character.ToString());
        }
        return text.ToString();
    }
}
