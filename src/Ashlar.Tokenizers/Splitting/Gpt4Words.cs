using static Ashlar.Tokenizers.CharacterKinds;

namespace Ashlar.Tokenizers;

/// <summary>The words of cl100k, Llama 3, Qwen and their kin, which differ in small things.</summary>
/// <remarks>
/// <c>(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+</c>.
/// </remarks>
sealed class Gpt4Words : WordMatcher
{
    /// <summary>The most digits in a word.</summary>
    public int Digits { get; init; } = 3;

    /// <summary>Combining marks are parts of words, as letters are (Qwen 3.5).</summary>
    public bool MarksAreLetters { get; init; }

    /// <summary>Contractions are words of their own.</summary>
    public bool Contractions { get; init; } = true;

    /// <summary>White space at the end of the text is one word, whatever it holds (tiktoken's own form).</summary>
    public bool EndIsOneWord { get; init; }

    /// <inheritdoc/>
    public override int End(ReadOnlySpan<byte> utf8, int start)
    {
        byte first = utf8[start];
        if (Contractions && first == '\'' && Contraction(utf8, start) is var taken and > 0) return start + taken;

        uint kind = At(utf8, start, out int length);
        uint letters = MarksAreLetters ? Letters | Marks : Letters;
        // [^\r\n\p{L}\p{N}]?\p{L}+
        int at = start;
        bool isLead = (kind & (Letters | Numbers)) == 0 && first is not ((byte)'\r' or (byte)'\n');
        if (isLead && (At(utf8, start + length, out int behind) & letters) != 0)
            return Run(utf8, start + length + behind, letters);
        if ((kind & letters) != 0) return Run(utf8, start + length, letters);
        // \p{N}{1,3}
        if ((kind & Numbers) != 0)
        {
            at += length;
            for (int count = 1; count < Digits && (At(utf8, at, out length) & Numbers) != 0; count++) at += length;
            return at;
        }
        //  ?[^\s\p{L}\p{N}]+[\r\n]*
        uint signs = ~(Spaces | letters | Numbers);
        if (first == ' ' && (At(utf8, start + 1, out behind) & signs) != 0) (at, kind, length) = (start + 1, signs, behind);
        if ((kind & signs) != 0)
        {
            at = Run(utf8, at + length, signs);
            while (at < utf8.Length && utf8[at] is (byte)'\r' or (byte)'\n') at++;
            return at;
        }
        return WhiteSpace(utf8, start, EndIsOneWord);
    }

    /// <summary><c>\s*[\r\n]+|\s+(?!\S)|\s+</c>.</summary>
    internal static int WhiteSpace(ReadOnlySpan<byte> utf8, int start, bool endIsOneWord = false)
    {
        int at = start, last = start, lineEnd = -1, length;
        for (; (At(utf8, at, out length) & Spaces) != 0; at += length)
        {
            last = at;
            if (utf8[at] is (byte)'\r' or (byte)'\n') lineEnd = at + 1;
        }
        if (endIsOneWord && at == utf8.Length) return at;
        if (lineEnd >= 0) return lineEnd;
        return at < utf8.Length && last > start ? last : at;
    }

    internal static int Run(ReadOnlySpan<byte> utf8, int at, uint kinds)
    {
        while ((At(utf8, at, out int length) & kinds) != 0) at += length;
        return at;
    }

    /// <returns>How many bytes of <c>(?i:'s|'t|'re|'ve|'m|'ll|'d)</c> are here; 0 for none.</returns>
    /// <remarks>Without case, the long s (U+017F) is an s too.</remarks>
    internal static int Contraction(ReadOnlySpan<byte> utf8, int apostrophe)
    {
        if (apostrophe + 1 >= utf8.Length || utf8[apostrophe] != '\'') return 0;
        int first = utf8[apostrophe + 1] | 0x20, second = apostrophe + 2 < utf8.Length ? utf8[apostrophe + 2] | 0x20 : 0;
        if (first is 's' or 't' or 'm' or 'd') return 2;
        if (first == 'r' && second == 'e' || first == 'v' && second == 'e' || first == 'l' && second == 'l') return 3;
        return utf8[(apostrophe + 1)..].StartsWith("\u017f"u8) ? 3 : 0;
    }
}
