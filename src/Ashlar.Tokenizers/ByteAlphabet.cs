using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>
/// How byte-level tokenizers write bytes in JSON: each byte as one printable character, GPT-2's <c>bytes_to_unicode</c>.
/// </summary>
/// <remarks>Printable Latin-1 stands for itself; the 68 others, in order, are the characters from U+0100 on. Radford et al.
/// 2019.</remarks>
static class ByteAlphabet
{
    static readonly char[] characters = Make();
    static readonly Dictionary<char, byte> bytes =
        characters.Index().ToDictionary(entry => entry.Item, entry => (byte)entry.Index);

    /// <summary>The character that stands for a byte.</summary>
    public static char Character(byte value) => characters[value];

    public static string Write(ReadOnlySpan<byte> token)
    {
        var text = new StringBuilder(token.Length);
        foreach (byte value in token) text.Append(characters[value]);
        return text.ToString();
    }

    /// <returns>Null where a character stands for no byte.</returns>
    public static byte[]? Read(string text)
    {
        byte[] token = new byte[text.Length];
        for (int i = 0; i < token.Length; i++)
            if (!bytes.TryGetValue(text[i], out token[i])) return null;
        return token;
    }

    static char[] Make()
    {
        char[] made = new char[256];
        char next = '\u0100';
        for (int value = 0; value < 256; value++)
            made[value] = value is >= '!' and <= '~' or >= 0xa1 and <= 0xac or >= 0xae ? (char)value : next++;
        return made;
    }
}
