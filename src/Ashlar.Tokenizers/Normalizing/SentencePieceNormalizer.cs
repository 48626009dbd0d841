namespace Ashlar.Tokenizers;

/// <summary>How SentencePiece prepares text: rules for characters, blanks, the mark for a blank.</summary>
/// <param name="map">Rules for characters; null for none.</param>
/// <param name="prefix">A blank is written before the text.</param>
/// <param name="removesExtra">Blanks at the ends, and of several side by side all but one, are left out.</param>
/// <param name="escapes">Blanks are written as U+2581.</param>
/// <param name="suffix">The blank is written behind the text, not before it.</param>
/// <param name="kept">Texts that no rule changes.</param>
sealed class SentencePieceNormalizer(Charsmap? map, bool prefix, bool removesExtra, bool escapes, bool suffix = false,
    ByteTrie? kept = null) : Normalizer
{
    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<byte> utf8, ByteBuffer result)
    {
        int at = 0;
        while (removesExtra && at < utf8.Length && Part(utf8[at..], out int taken) is [(byte)' ']) at += taken;
        if (at == utf8.Length) return;
        var blank = escapes ? "\u2581"u8 : " "u8;
        int start = result.Length;
        if (prefix && !suffix) result.Add(blank);
        bool wasBlank = removesExtra;
        while (at < utf8.Length)
        {
            var part = Part(utf8[at..], out int taken);
            while (wasBlank && part.StartsWith(" "u8)) part = part[1..];
            if (!part.IsEmpty) wasBlank = removesExtra && part[^1] == ' ';
            while (part.IndexOf((byte)' ') is >= 0 and int blankAt)
            {
                result.Add(part[..blankAt]);
                result.Add(blank);
                part = part[(blankAt + 1)..];
            }
            result.Add(part);
            at += taken;
        }
        while (removesExtra && result.Length > start && result.Span.EndsWith(blank))
            result.Truncate(result.Length - blank.Length);
        if (prefix && suffix) result.Add(blank);
    }

    ReadOnlySpan<byte> Part(ReadOnlySpan<byte> utf8, out int taken)
    {
        if (kept is not null && kept.TryLongest(utf8, out taken, out _)) return utf8[..taken];
        if (map is not null && map.TryFind(utf8, longest: true, out taken, out var replacement)) return replacement;
        // Without rules, all up to the next blank is one part.
        if (map is null && kept is null)
        {
            taken = utf8[0] == ' ' ? 1 : utf8.IndexOf((byte)' ') is > 0 and var next ? next : utf8.Length;
            return utf8[..taken];
        }
        CharacterKinds.CharacterAt(utf8, 0, out taken);
        return utf8[..taken];
    }
}
