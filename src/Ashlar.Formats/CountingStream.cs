namespace Ashlar.Formats;

/// <summary>Hands on what is written to it, and counts and sums the bytes. It does not own the stream below.</summary>
public sealed class CountingStream(Stream inner) : Stream
{
    Crc32C sum;

    /// <summary>How many bytes were written.</summary>
    public long Written { get; private set; }

    /// <summary>The CRC-32C of all bytes written.</summary>
    public uint Checksum => sum.Value;

    /// <inheritdoc/>
    public override bool CanRead => false;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => Written;

    /// <inheritdoc/>
    public override long Position
    {
        get => Written;
        set => throw new NotSupportedException("bytes are written one after the other.");
    }

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        inner.Write(buffer);
        sum.Append(buffer);
        Written += buffer.Length;
    }

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override void Flush() => inner.Flush();

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) =>
        throw new NotSupportedException("this stream is written to.");

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) =>
        throw new NotSupportedException("bytes are written one after the other.");

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException("bytes are written one after the other.");
}
