using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>Changes a text before it is cut into words.</summary>
abstract class Normalizer
{
    /// <summary>Appends the changed text to an empty buffer.</summary>
    public abstract void Apply(ReadOnlySpan<byte> utf8, ByteBuffer result);

    /// <summary>A text, changed.</summary>
    public byte[] Apply(ReadOnlySpan<byte> utf8)
    {
        var result = new ByteBuffer();
        Apply(utf8, result);
        return result.Span.ToArray();
    }
}

/// <summary>One normalizer behind the other.</summary>
sealed class NormalizerSequence(IReadOnlyList<Normalizer> parts) : Normalizer
{
    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<byte> utf8, ByteBuffer result)
    {
        if (parts.Count == 0)
        {
            result.Add(utf8);
            return;
        }
        if (parts.Count == 1)
        {
            parts[0].Apply(utf8, result);
            return;
        }
        var (from, to) = (new ByteBuffer(), new ByteBuffer());
        parts[0].Apply(utf8, from);
        for (int i = 1; i < parts.Count - 1; i++)
        {
            to.Clear();
            parts[i].Apply(from.Span, to);
            (from, to) = (to, from);
        }
        parts[^1].Apply(from.Span, result);
    }
}

/// <summary>Writes a text before a text that is not empty.</summary>
sealed class Prepend(string prefix) : Normalizer
{
    readonly byte[] prefix = Encoding.UTF8.GetBytes(prefix);

    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<byte> utf8, ByteBuffer result)
    {
        if (!utf8.IsEmpty) result.Add(prefix);
        result.Add(utf8);
    }
}

/// <summary>Replaces a text by another wherever it is.</summary>
sealed class ReplaceText(string pattern, string replacement) : Normalizer
{
    readonly byte[] pattern = Encoding.UTF8.GetBytes(pattern), replacement = Encoding.UTF8.GetBytes(replacement);

    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<byte> utf8, ByteBuffer result)
    {
        while (pattern.Length > 0 && utf8.IndexOf(pattern) is >= 0 and int at)
        {
            result.Add(utf8[..at]);
            result.Add(replacement);
            utf8 = utf8[(at + pattern.Length)..];
        }
        result.Add(utf8);
    }
}

/// <summary>Replaces what a pattern matches by a text.</summary>
sealed class ReplacePattern(Matcher pattern, string replacement) : Normalizer
{
    readonly byte[] replacement = Encoding.UTF8.GetBytes(replacement);

    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<byte> utf8, ByteBuffer result)
    {
        var matches = new List<(int Start, int End)>();
        pattern.FindAll(utf8, matches);
        int at = 0;
        foreach (var (start, end) in matches)
        {
            result.Add(utf8[at..start]);
            result.Add(replacement);
            at = end;
        }
        result.Add(utf8[at..]);
    }
}

/// <summary>Takes white space from the ends of a text.</summary>
sealed class StripEnds(bool left, bool right) : Normalizer
{
    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<byte> utf8, ByteBuffer result)
    {
        int start = 0, end = utf8.Length;
        while (left && start < end && (CharacterKinds.At(utf8, start, out int length) & CharacterKinds.Spaces) != 0)
            start += length;
        while (right && end > start
            && Rune.DecodeLastFromUtf8(utf8[start..end], out var character, out int length) == System.Buffers.OperationStatus.Done
            && (CharacterKinds.Of(character.Value) & CharacterKinds.Spaces) != 0) end -= length;
        result.Add(utf8[start..end]);
    }
}

/// <summary>Small letters.</summary>
sealed class Lowercase : Normalizer
{
    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<byte> utf8, ByteBuffer result)
    {
        for (int at = 0; at < utf8.Length;)
        {
            int character = CharacterKinds.CharacterAt(utf8, at, out int length);
            at += length;
            Lower(character, result);
        }
    }

    /// <summary>The one character whose small form is two is the I with a dot.</summary>
    internal static void Lower(int character, ByteBuffer result)
    {
        if (character < 128) result.Add((byte)(character is >= 'A' and <= 'Z' ? character | 0x20 : character));
        else if (character == 0x130) result.Add("i\u0307"u8);
        else result.Add(Rune.ToLowerInvariant(new(character)));
    }
}

/// <summary>Takes away the marks that decomposition sets free, <c>\p{Mn}</c>.</summary>
sealed class StripAccents : Normalizer
{
    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<byte> utf8, ByteBuffer result)
    {
        for (int at = 0, length; at < utf8.Length; at += length)
            if (CharacterKinds.At(utf8, at, out length) != 1u << (int)System.Globalization.UnicodeCategory.NonSpacingMark)
                result.Add(utf8.Slice(at, length));
    }
}

/// <summary>Takes away and replaces what the NMT normalizer of SentencePiece does: controls, odd spaces.</summary>
sealed class NmtNormalizer : Normalizer
{
    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<byte> utf8, ByteBuffer result)
    {
        for (int at = 0, length; at < utf8.Length; at += length)
        {
            int character = CharacterKinds.CharacterAt(utf8, at, out length);
            if (character is >= 1 and <= 8 or 0xb or >= 0xe and <= 0x1f or 0x7f or 0x8f or 0x9f) continue;
            bool isSpace = character is 9 or 0xa or 0xc or 0xd or 0x1680 or >= 0x200b and <= 0x200f or 0x2028 or 0x2029 or 0x2581
                or 0xfeff or 0xfffd;
            if (isSpace) result.Add((byte)' ');
            else result.Add(utf8.Slice(at, length));
        }
    }
}

/// <summary>What BERT does before it cuts words.</summary>
/// <param name="cleans">Takes away controls and U+FFFD; every white space is a blank.</param>
/// <param name="separatesChinese">Chinese characters stand apart.</param>
/// <param name="stripsAccents">Marks are taken away.</param>
/// <param name="lowers">Letters are small.</param>
sealed class BertNormalizer(bool cleans, bool separatesChinese, bool stripsAccents, bool lowers) : Normalizer
{
    static readonly UnicodeForm decompose = new(compatible: false, composes: false);
    static readonly StripAccents strip = new();

    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<byte> utf8, ByteBuffer result)
    {
        if (!stripsAccents || System.Text.Ascii.IsValid(utf8))
        {
            Map(utf8, result);
            return;
        }
        var (mapped, decomposed) = (new ByteBuffer(), new ByteBuffer());
        Map(utf8, mapped, lower: false);
        decompose.Apply(mapped.Span, decomposed);
        mapped.Clear();
        strip.Apply(decomposed.Span, mapped);
        if (lowers) new Lowercase().Apply(mapped.Span, result);
        else result.Add(mapped.Span);
    }

    void Map(ReadOnlySpan<byte> utf8, ByteBuffer result, bool lower = true)
    {
        for (int at = 0, length; at < utf8.Length; at += length)
        {
            int character = CharacterKinds.CharacterAt(utf8, at, out length);
            uint kind = CharacterKinds.Of(character);
            if (cleans)
            {
                bool isSpace = character is '\t' or '\n' or '\r'
                    || (kind & CharacterKinds.Spaces & ~CharacterKinds.SpaceControls) != 0;
                if (character is 0 or 0xfffd || !isSpace && (kind & (CharacterKinds.Others | CharacterKinds.SpaceControls)) != 0)
                    continue;
                if (isSpace)
                {
                    result.Add((byte)' ');
                    continue;
                }
            }
            bool apart = separatesChinese && IsChinese(character);
            if (apart) result.Add((byte)' ');
            if (lowers && lower) Lowercase.Lower(character, result);
            else result.Add(utf8.Slice(at, length));
            if (apart) result.Add((byte)' ');
        }
    }

    internal static bool IsChinese(int character) =>
        character is >= 0x4e00 and <= 0x9fff or >= 0x3400 and <= 0x4dbf or >= 0x20000 and <= 0x2a6df
        or >= 0x2a700 and <= 0x2b73f or >= 0x2b740 and <= 0x2b81f or >= 0x2b920 and <= 0x2ceaf or >= 0xf900 and <= 0xfaff
            or >= 0x2f800 and <= 0x2fa1f;
}

/// <summary>Writes each byte as the character that stands for it (<see cref="ByteAlphabet"/>).</summary>
sealed class BytesAsCharacters : Normalizer
{
    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<byte> utf8, ByteBuffer result)
    {
        foreach (byte value in utf8) result.Add(new Rune(ByteAlphabet.Character(value)));
    }
}
