using System.Numerics;
using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>The tokens of a model: number to bytes and bytes to number. Numbers may have gaps.</summary>
sealed class Vocabulary
{
    /// <summary>Numbers are less than this, so that a file cannot ask for all memory.</summary>
    public const int Limit = 1 << 24;

    readonly byte[]?[] tokens;
    readonly int[] slots;   // token + 1; 0 where free
    readonly int mask;

    /// <param name="tokens">By number; null where a number is not used. No two are equal, or the first of them is found.</param>
    public Vocabulary(byte[]?[] tokens)
    {
        this.tokens = tokens;
        slots = new int[BitOperations.RoundUpToPowerOf2((uint)(tokens.Length * 2 + 16))];
        mask = slots.Length - 1;
        for (int token = 0; token < tokens.Length; token++)
        {
            if (tokens[token] is not { } bytes) continue;
            int at = (int)ByteHash.Of(bytes) & mask;
            while (slots[at] != 0 && !tokens[slots[at] - 1].AsSpan().SequenceEqual(bytes)) at = (at + 1) & mask;
            if (slots[at] == 0) slots[at] = token + 1;
        }
    }

    /// <summary>One more than the highest number.</summary>
    public int Count => tokens.Length;

    /// <summary>The bytes of a token; null where the number is not used.</summary>
    public byte[]? this[int token] => (uint)token < (uint)tokens.Length ? tokens[token] : null;

    public bool TryFind(ReadOnlySpan<byte> bytes, out int token)
    {
        for (int at = (int)ByteHash.Of(bytes) & mask; slots[at] != 0; at = (at + 1) & mask)
        {
            token = slots[at] - 1;
            if (bytes.SequenceEqual(tokens[token])) return true;
        }
        token = 0;
        return false;
    }

    public bool TryFind(string text, out int token) => TryFind(Encoding.UTF8.GetBytes(text), out token);

    /// <summary>The tokens <c>&lt;0x00&gt;</c> to <c>&lt;0xFF&gt;</c>, by byte; null where there is none.</summary>
    public ByteTokens? FindByteTokens()
    {
        int?[] found =
            [.. Enumerable.Range(0, 256).Select(value => TryFind($"<0x{value:X2}>", out int token) ? token : (int?)null)];
        return Array.Exists(found, token => token is not null) ? new(found) : null;
    }

    /// <summary>The byte that a text such as <c>&lt;0x0A&gt;</c> stands for; null where it stands for none.</summary>
    public static byte? ByteOf(ReadOnlySpan<byte> token) =>
        token.Length == 6 && token.StartsWith("<0x"u8) && token[5] == '>'
            && byte.TryParse(token[3..5], System.Globalization.NumberStyles.AllowHexSpecifier, null, out byte value)
            ? value
            : null;
}

/// <summary>The tokens of single bytes, of which some may be missing.</summary>
/// <param name="ofByte">By byte; null where one has no token.</param>
sealed class ByteTokens(int?[] ofByte)
{
    public int this[byte value] => ofByte[value]!.Value;

    /// <summary>True where all bytes of a text have tokens.</summary>
    public bool Have(ReadOnlySpan<byte> text)
    {
        foreach (byte value in text)
            if (ofByte[value] is null) return false;
        return true;
    }
}
