using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;

namespace Ashlar.Formats;

/// <summary>Reads the header of a GGUF file from front to back; every step is checked against the end of the file.</summary>
sealed class GgufCursor(MappedFile file)
{
    public MappedFile File => file;

    public long Position { get; private set; }

    public long Remaining => file.Bytes - Position;

    public uint U32(string what) => BinaryPrimitives.ReadUInt32LittleEndian(Take(4, what));

    public ulong U64(string what) => BinaryPrimitives.ReadUInt64LittleEndian(Take(8, what));

    /// <summary>A text with its length before it, as it lies there.</summary>
    public ReadOnlySpan<byte> Text(string what)
    {
        ulong length = U64(what);
        if (length > (ulong)Remaining) throw CutShort(what, length);
        if (length > int.MaxValue) throw TooLong(what, length);
        return Take((int)length, what);
    }

    /// <summary>A name: not empty, UTF-8, and short.</summary>
    public string Name(int longest, string what)
    {
        ulong length = U64(what);
        if (length > (ulong)Remaining) throw CutShort(what, length);
        if (length == 0 || length > (ulong)longest)
            throw new ModelFileException("ASH0453",
                $"{file.Path}: {what} has {length:N0} bytes, but a name has 1 to {longest:N0}.",
                    "write or download the file again.");
        var text = Take((int)length, what);
        if (!Utf8.IsValid(text))
            throw new ModelFileException("ASH0453", $"{file.Path}: {what} is not UTF-8.", "write or download the file again.");
        return Encoding.UTF8.GetString(text);
    }

    public void Skip(long bytes, string what)
    {
        if (bytes > Remaining) throw CutShort(what, (ulong)bytes);
        Position += bytes;
    }

    /// <summary>Checks that so many things of at least so many bytes can stand in the rest of the file.</summary>
    public void ThrowUnlessFit(ulong count, int leastBytes, string what)
    {
        if (count > (ulong)(Remaining / leastBytes))
            throw new ModelFileException("ASH0452",
                $"{file.Path} says at byte {Position:N0} that {count:N0} {what} follow, but has {file.Bytes:N0} bytes in all.",
                "copy or download the file again; what is there cannot be used.");
        if (count > int.MaxValue) throw TooLong(what, count);
    }

    /// <summary>What was read since <paramref name="start"/>.</summary>
    public ReadOnlyMemory<byte> Since(long start, string what)
    {
        if (Position - start > int.MaxValue) throw TooLong(what, (ulong)(Position - start));
        return file.Memory<byte>(start, (int)(Position - start));
    }

    ReadOnlySpan<byte> Take(int bytes, string what)
    {
        if (bytes > Remaining) throw CutShort(what, (ulong)bytes);
        var taken = file.Span<byte>(Position, bytes);
        Position += bytes;
        return taken;
    }

    ModelFileException CutShort(string what, ulong bytes) => new("ASH0452",
        $"{file.Path} is cut short: {what} should have {bytes:N0} bytes from byte {Position:N0} on, but the file has {file.Bytes:N0} bytes.",
        "copy or download the file again; what is there cannot be used.");

    ModelFileException TooLong(string what, ulong count) => new("ASH0452",
        $"{file.Path}: {what}: {count:N0} are more than a process can hold.", "write or download the file again.");
}
