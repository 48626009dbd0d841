using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>Bytes that grow at the end and are used again and again.</summary>
sealed class ByteBuffer
{
    byte[] bytes = new byte[256];

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Span => bytes.AsSpan(0, Length);

    public void Clear() => Length = 0;

    public void Add(byte value) => Room(1)[0] = value;

    public void Add(ReadOnlySpan<byte> values) => values.CopyTo(Room(values.Length));

    public void Add(Rune character)
    {
        Span<byte> utf8 = stackalloc byte[4];
        Add(utf8[..character.EncodeToUtf8(utf8)]);
    }

    public void Add(ReadOnlySpan<char> text)
    {
        int length = Encoding.UTF8.GetByteCount(text);
        Encoding.UTF8.GetBytes(text, Room(length));
    }

    /// <summary>Drops bytes from the end.</summary>
    public void Truncate(int length) => Length = length;

    /// <summary>Drops bytes from the start.</summary>
    public void Drop(int count)
    {
        bytes.AsSpan(count, Length - count).CopyTo(bytes);
        Length -= count;
    }

    /// <summary>Makes room for that many more bytes, which the caller fills.</summary>
    Span<byte> Room(int count)
    {
        int end = checked(Length + count);
        if (end > bytes.Length) Array.Resize(ref bytes, (int)Math.Min(Array.MaxLength, Math.Max((long)end, bytes.Length * 2L)));
        var room = bytes.AsSpan(Length, count);
        Length = end;
        return room;
    }
}
