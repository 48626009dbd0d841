using static Ashlar.Tokenizers.CharacterKinds;

namespace Ashlar.Tokenizers;

/// <summary>The words of GPT-4o (o200k) and of Mistral's tekken: a capital begins a new word within one.</summary>
/// <remarks>
/// <c>[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|...)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|...)?|\p{N}{1,3}|
/// ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+</c>, the first that matches, as a backtracking engine finds it.
/// </remarks>
sealed class O200kWords : WordMatcher
{
    const uint Both = Modifier | OtherLetter | Marks;
    const uint Capitals = Upper | Title | Both;
    const uint Smalls = Lower | Both;

    /// <summary>The most digits in a word.</summary>
    public int Digits { get; init; } = 3;

    /// <summary>A word keeps the contraction behind it.</summary>
    public bool Contractions { get; init; } = true;

    /// <summary>Characters of this kind make words of their own (Kimi: Chinese); null for none.</summary>
    public Func<int, bool>? Apart { get; init; }

    /// <summary>Signs keep slashes behind them, as they keep ends of lines.</summary>
    public bool SlashesFollowSigns { get; init; } = true;

    /// <inheritdoc/>
    public override int End(ReadOnlySpan<byte> utf8, int start)
    {
        byte first = utf8[start];
        if (Apart is not null && first >= 128 && Apart(CharacterAt(utf8, start, out _)))
        {
            int apart = start;
            while (apart < utf8.Length && Apart(CharacterAt(utf8, apart, out int taken))) apart += taken;
            return apart;
        }
        uint kind = KindAt(utf8, start, out int length);
        bool isLead = (kind & (Letters | Numbers)) == 0 && first is not ((byte)'\r' or (byte)'\n');
        int at = -1;
        if (isLead) at = SmallWord(utf8, start + length);
        if (at < 0) at = SmallWord(utf8, start);
        if (at < 0 && isLead) at = CapitalWord(utf8, start + length);
        if (at < 0) at = CapitalWord(utf8, start);
        if (at >= 0) return Contractions ? at + Gpt4Words.Contraction(utf8, at) : at;

        at = start;
        if ((kind & Numbers) != 0)
        {
            at += length;
            for (int count = 1; count < Digits && (At(utf8, at, out length) & Numbers) != 0; count++) at += length;
            return at;
        }
        const uint signs = ~(Spaces | Letters | Numbers);
        if (first == ' ' && (At(utf8, start + 1, out int behind) & signs) != 0) (at, kind, length) = (start + 1, signs, behind);
        if ((kind & signs) != 0)
        {
            at = Gpt4Words.Run(utf8, at + length, signs);
            while (at < utf8.Length && (utf8[at] is (byte)'\r' or (byte)'\n' || utf8[at] == '/' && SlashesFollowSigns)) at++;
            return at;
        }
        return Gpt4Words.WhiteSpace(utf8, start);
    }

    // Within words, what stands apart is nothing.
    uint KindAt(ReadOnlySpan<byte> utf8, int at, out int length)
    {
        if (Apart is null || at >= utf8.Length || utf8[at] < 128) return At(utf8, at, out length);
        int character = CharacterAt(utf8, at, out length);
        return Apart(character) ? 0 : Of(character);
    }

    // Capitals* Smalls+: as many capitals as leave one small; -1 where there is none.
    int SmallWord(ReadOnlySpan<byte> utf8, int start)
    {
        int at = start, length, behindBoth = -1;
        uint kind;
        for (; ((kind = KindAt(utf8, at, out length)) & Capitals) != 0; at += length)
            if ((kind & Both) != 0) behindBoth = at + length;
        if ((kind & Smalls) == 0) return behindBoth;
        while ((KindAt(utf8, at, out length) & Smalls) != 0) at += length;
        return at;
    }

    // Capitals+ Smalls*
    int CapitalWord(ReadOnlySpan<byte> utf8, int start)
    {
        int at = start, length;
        while ((KindAt(utf8, at, out length) & Capitals) != 0) at += length;
        if (at == start) return -1;
        while ((KindAt(utf8, at, out length) & Smalls) != 0) at += length;
        return at;
    }
}
