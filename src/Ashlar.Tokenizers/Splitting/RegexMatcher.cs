using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Ashlar.Tokenizers;

/// <summary>Any other regular expression, run by .NET's engine.</summary>
/// <remarks>
/// That engine sees halves of surrogate pairs as characters of their own. So the text that it is given has, for each character
/// beyond U+FFFF, one of the same category below that no pattern is likely to name: classes such as <c>\p{L}</c> then hold what
/// they should. A pattern that names characters beyond U+FFFF cannot be run. The engine may take only so long for a text.
/// </remarks>
sealed class RegexMatcher : Matcher
{
    static readonly TimeSpan usualLimit = TimeSpan.FromSeconds(10);
    static readonly char[] standIns = MakeStandIns();   // by category

    readonly Regex regex;
    readonly TimeSpan limit;

    /// <param name="pattern">As the Rust library writes it (Oniguruma's syntax).</param>
    /// <param name="source">What errors call it.</param>
    /// <param name="limit">The longest that a text may take; null for ten seconds.</param>
    /// <exception cref="TokenizerException">The pattern cannot be run.</exception>
    public RegexMatcher(string pattern, string source, TimeSpan? limit = null)
    {
        this.limit = limit ?? usualLimit;
        string translated = RegexSyntax.Translate(pattern, source);
        try
        {
            // Not the engine that never backtracks: in .NET 10 it misses matches of patterns such as \s?\p{P}+.
            regex = new(translated, RegexOptions.CultureInvariant, this.limit);
        }
        catch (ArgumentException error)
        {
            throw new TokenizerException("ASH0472",
                $"{source} has the pattern '{pattern}', which cannot be run: {error.Message.TrimEnd('.')}.",
                "report it, with the file.");
        }
    }

    /// <inheritdoc/>
    public override bool Find(ReadOnlySpan<byte> utf8, int from, out int start, out int end)
    {
        var matches = new List<(int Start, int End)>();
        FindAll(utf8, matches);
        foreach (var match in matches)
        {
            if (match.Start < from) continue;
            (start, end) = match;
            return true;
        }
        start = end = utf8.Length;
        return false;
    }

    /// <inheritdoc/>
    public override void FindAll(ReadOnlySpan<byte> utf8, List<(int Start, int End)> matches)
    {
        char[] text = System.Buffers.ArrayPool<char>.Shared.Rent(utf8.Length + 1);
        try
        {
            int count = 0;
            for (int at = 0; at < utf8.Length;)
            {
                int character = CharacterKinds.CharacterAt(utf8, at, out int length);
                text[count++] = character < 0x10000
                    ? (char)character
                    : standIns[(int)CharUnicodeInfo.GetUnicodeCategory(character)];
                at += length;
            }
            int characters = 0, bytes = 0;
            foreach (var match in regex.EnumerateMatches(text.AsSpan(0, count)))
            {
                if (match.Length == 0) continue;
                Advance(utf8, match.Index);
                int start = bytes;
                Advance(utf8, match.Index + match.Length);
                matches.Add((start, bytes));
            }

            void Advance(ReadOnlySpan<byte> utf8, int to)
            {
                for (; characters < to; characters++)
                {
                    CharacterKinds.CharacterAt(utf8, bytes, out int length);
                    bytes += length;
                }
            }
        }
        catch (RegexMatchTimeoutException)
        {
            throw new TokenizerException("ASH0473",
                $"the pattern '{regex}' took more than {limit.TotalSeconds:0.###} s on a text of {utf8.Length:N0} bytes.",
                "cut the text into smaller parts.");
        }
        finally
        {
            System.Buffers.ArrayPool<char>.Shared.Return(text);
        }
    }

    static char[] MakeStandIns()
    {
        char[] made = new char[30];
        Array.Fill(made, '\ufffe');
        // The last of each category below U+FFFF that is not in the blocks of Chinese, Korean and wide forms.
        for (int character = 0xabff; character >= 0xa0; character--)
        {
            if (character is >= 0x2e80 and <= 0x9fff) continue;
            ref char place = ref made[(int)CharUnicodeInfo.GetUnicodeCategory((char)character)];
            if (place == '\ufffe') place = (char)character;
        }
        made[(int)UnicodeCategory.PrivateUse] = '\ue000';
        return made;
    }
}
