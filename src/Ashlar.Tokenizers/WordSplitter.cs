using System.Globalization;
using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>Cuts UTF-8 text into the words within which a BPE merges: GPT-2's pattern, written by hand.</summary>
/// <remarks>
/// <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c>: contractions; letters, digits or signs with
/// one blank before them; white space, of which the last character goes to the word behind it where that word can take it.
/// Radford et al. 2019.
/// </remarks>
ref struct WordSplitter(ReadOnlySpan<byte> text)
{
    readonly ReadOnlySpan<byte> text = text;
    int end;

    enum Kind : byte { Sign, Letter, Digit, Space }

    /// <summary>The word that <see cref="MoveNext"/> found.</summary>
    public ReadOnlySpan<byte> Current { get; private set; }

    public readonly WordSplitter GetEnumerator() => this;

    public bool MoveNext()
    {
        int start = end;
        if (start == text.Length) return false;
        end = Next(start);
        Current = text[start..end];
        return true;
    }

    readonly int Next(int start)
    {
        if (text[start] == '\'' && Contraction(text[(start + 1)..]) is > 0 and int letters) return start + 1 + letters;

        int at = start;
        var kind = KindAt(at, out int length);
        if (text[at] == ' ' && at + 1 < text.Length)
        {
            var behind = KindAt(at + 1, out int lengthBehind);
            if (behind != Kind.Space) (at, kind, length) = (at + 1, behind, lengthBehind);
        }
        int last = at;   // where the last character of the run begins
        for (at += length; at < text.Length && KindAt(at, out length) == kind; at += length) last = at;
        // White space before a word leaves its last character to that word, or stands alone if it is only one.
        return kind == Kind.Space && at < text.Length && last > start ? last : at;
    }

    /// <returns>How many letters behind an apostrophe belong to it; 0 for none.</returns>
    static int Contraction(ReadOnlySpan<byte> letters)
    {
        if (letters.IsEmpty) return 0;
        if (letters[0] is (byte)'s' or (byte)'t' or (byte)'m' or (byte)'d') return 1;
        return letters.StartsWith("re"u8) || letters.StartsWith("ve"u8) || letters.StartsWith("ll"u8) ? 2 : 0;
    }

    readonly Kind KindAt(int at, out int length)
    {
        byte first = text[at];
        if (first < 128)
        {
            length = 1;
            return char.IsAsciiLetter((char)first) ? Kind.Letter : char.IsAsciiDigit((char)first) ? Kind.Digit
                : first is (byte)' ' or (>= 9 and <= 13) ? Kind.Space : Kind.Sign;
        }
        Rune.DecodeFromUtf8(text[at..], out var rune, out length);
        if (Rune.IsWhiteSpace(rune)) return Kind.Space;
        return Rune.GetUnicodeCategory(rune) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
                or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Kind.Letter,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber => Kind.Digit,
            _ => Kind.Sign,
        };
    }
}
