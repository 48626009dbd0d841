using static Ashlar.Tokenizers.CharacterKinds;

namespace Ashlar.Tokenizers;

/// <summary>The words of DeepSeek V3, behind digits and Chinese, which are cut off before.</summary>
/// <remarks>
/// <c>[!-/:-@\[-`{-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+</c>.
/// </remarks>
sealed class DeepSeekWords : WordMatcher
{
    public const string Pattern =
        @"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    public static DeepSeekWords Instance { get; } = new();

    /// <inheritdoc/>
    public override int End(ReadOnlySpan<byte> utf8, int start)
    {
        const uint letters = Letters | Marks, signs = Punctuation | Symbols;
        byte first = utf8[start];
        uint kind = At(utf8, start, out int length);
        int at = start + length;
        if (first < 128 && (kind & signs) != 0 && at < utf8.Length && char.IsAsciiLetter((char)utf8[at]))
        {
            while (at < utf8.Length && char.IsAsciiLetter((char)utf8[at])) at++;
            return at;
        }
        if ((kind & (Letters | signs)) == 0 && first is not ((byte)'\r' or (byte)'\n')
            && (At(utf8, at, out int behind) & letters) != 0)
            return Gpt4Words.Run(utf8, at + behind, letters);
        if ((kind & letters) != 0) return Gpt4Words.Run(utf8, at, letters);
        if (first == ' ' && (At(utf8, at, out behind) & signs) != 0) (at, kind) = (at + behind, signs);
        if ((kind & signs) != 0)
        {
            at = Gpt4Words.Run(utf8, at, signs);
            while (at < utf8.Length && utf8[at] is (byte)'\r' or (byte)'\n') at++;
            return at;
        }
        return (kind & Spaces) != 0 ? Gpt4Words.WhiteSpace(utf8, start) : start;
    }
}
