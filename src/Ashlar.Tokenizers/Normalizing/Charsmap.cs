using System.Buffers.Binary;
using System.Globalization;

namespace Ashlar.Tokenizers;

/// <summary>The compiled rules of SentencePiece: a double array of prefixes, and the texts that take their place.</summary>
/// <remarks>
/// Layout: 32-bit length of the array in bytes; the array of 32-bit units (Darts-clone: base, label, flags); the texts, each
/// ended by a zero byte. Kudo and Richardson 2018, arXiv:1808.06226.
/// </remarks>
sealed class Charsmap
{
    readonly uint[] units;
    readonly byte[] texts;

    /// <param name="blob">As the file holds it.</param>
    /// <param name="source">What errors call it.</param>
    /// <exception cref="TokenizerException">A length lies.</exception>
    public Charsmap(ReadOnlySpan<byte> blob, string source)
    {
        if (blob.Length < 4 || BinaryPrimitives.ReadUInt32LittleEndian(blob) is var length
            && (length % 4 != 0 || length > blob.Length - 4))
            throw new TokenizerException("ASH0471",
                $"{source} has a map of characters (precompiled_charsmap) of {blob.Length:N0} bytes that is not well formed.",
                "fetch the file again.");
        units = new uint[length / 4];
        for (int i = 0; i < units.Length; i++) units[i] = BinaryPrimitives.ReadUInt32LittleEndian(blob[(4 + i * 4)..]);
        texts = blob[(4 + (int)length)..].ToArray();
    }

    /// <summary>The longest rule with which a text begins, or the shortest.</summary>
    public bool TryFind(ReadOnlySpan<byte> utf8, bool longest, out int length, out ReadOnlySpan<byte> replacement)
    {
        length = 0;
        replacement = default;
        if (units.Length == 0) return false;
        bool found = false;
        uint position = Offset(units[0]);
        for (int i = 0; i < utf8.Length && utf8[i] != 0; i++)
        {
            position ^= utf8[i];
            if (position >= units.Length) break;
            uint unit = units[position];
            if ((unit & (1u << 31 | 0xff)) != utf8[i]) break;
            position ^= Offset(unit);
            if ((unit >> 8 & 1) == 0) continue;
            if (position >= units.Length) break;
            uint at = units[position] & 0x7fffffff;
            if (at >= texts.Length) break;
            int end = texts.AsSpan((int)at).IndexOf((byte)0);
            replacement = end < 0 ? texts.AsSpan((int)at) : texts.AsSpan((int)at, end);
            (length, found) = (i + 1, true);
            if (!longest) break;
        }
        return found;
    }

    static uint Offset(uint unit) => unit >> 10 << (int)((unit & 1 << 9) >> 6);
}

/// <summary>The rules as the Rust library applies them: to each grapheme of a few bytes, else to each character.</summary>
sealed class PrecompiledNormalizer(Charsmap map) : Normalizer
{
    readonly bool keepsAscii = Enumerable.Range(' ', 95).All(value => !map.TryFind([(byte)value], longest: false, out _, out _));

    /// <inheritdoc/>
    public override void Apply(ReadOnlySpan<byte> utf8, ByteBuffer result)
    {
        if (keepsAscii && utf8.IndexOfAnyExceptInRange((byte)' ', (byte)'~') < 0)
        {
            result.Add(utf8);
            return;
        }
        string text = System.Text.Encoding.UTF8.GetString(utf8);
        Span<byte> part = stackalloc byte[8];
        for (int at = 0; at < text.Length;)
        {
            int graphemeEnd = at + StringInfo.GetNextTextElementLength(text, at);
            var grapheme = text.AsSpan(at, graphemeEnd - at);
            int bytes = grapheme.Length < 6 ? System.Text.Encoding.UTF8.GetByteCount(grapheme) : 6;
            if (bytes < 6
                && map.TryFind(part[..System.Text.Encoding.UTF8.GetBytes(grapheme, part)], longest: false, out _, out var whole))
            {
                result.Add(whole);
                at = graphemeEnd;
                continue;
            }
            foreach (var character in grapheme.EnumerateRunes())
            {
                int length = character.EncodeToUtf8(part);
                if (map.TryFind(part[..length], longest: false, out _, out var replaced)) result.Add(replaced);
                else result.Add(part[..length]);
            }
            at = graphemeEnd;
        }
    }
}
