using static Ashlar.Tokenizers.CharacterKinds;

namespace Ashlar.Tokenizers;

/// <summary>GPT-2's words.</summary>
/// <remarks>
/// <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c>: contractions; letters, digits or signs with
/// one blank before them; white space, of which the last character goes to the word behind it where that word can take it.
/// Radford et al. 2019.
/// </remarks>
sealed class Gpt2Words : WordMatcher
{
    public const string Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    public static Gpt2Words Instance { get; } = new();

    /// <inheritdoc/>
    public override int End(ReadOnlySpan<byte> utf8, int start)
    {
        if (utf8[start] == '\'' && Contraction(utf8[(start + 1)..]) is > 0 and int letters) return start + 1 + letters;
        int at = start;
        uint kind = At(utf8, at, out int length);
        if (utf8[at] == ' ' && At(utf8, at + 1, out int lengthBehind) is not 0 and uint behind && (behind & Spaces) == 0)
            (at, kind, length) = (at + 1, behind, lengthBehind);
        uint same = (kind & Letters) != 0 ? Letters : (kind & Numbers) != 0 ? Numbers : (kind & Spaces) != 0 ? Spaces
            : ~(Letters | Numbers | Spaces);
        int last = at;   // where the last character of the run begins
        for (at += length; (At(utf8, at, out length) & same) != 0; at += length) last = at;
        // White space before a word leaves its last character to that word, or stands alone if it is only one.
        return same == Spaces && at < utf8.Length && last > start ? last : at;
    }

    /// <returns>How many letters behind an apostrophe belong to it; 0 for none.</returns>
    static int Contraction(ReadOnlySpan<byte> letters)
    {
        if (letters.IsEmpty) return 0;
        if (letters[0] is (byte)'s' or (byte)'t' or (byte)'m' or (byte)'d') return 1;
        return letters.StartsWith("re"u8) || letters.StartsWith("ve"u8) || letters.StartsWith("ll"u8) ? 2 : 0;
    }
}
