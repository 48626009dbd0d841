using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Ashlar.Formats;

namespace Ashlar.Training;

/// <summary>
/// Numbers of a run for TensorBoard: one event file in a folder, to be looked at with <c>tensorboard --logdir FOLDER</c>.
/// </summary>
/// <remarks>
/// A file of records. Each is the length of an event (uint64), the masked CRC-32C of that length, the event, and the masked
/// CRC-32C of the event; all little-endian. An event is a protocol buffer: wall time (1, double), step (2, int64), and one of the
/// version of the file (3, string), a summary (5) and a session log (7). A summary holds values (1) of a tag (1, string) and a
/// number (2, float). Every record is written at once, so whoever reads beside a run sees whole ones. Not thread-safe.
/// </remarks>
public sealed class EventFile : IDisposable
{
    readonly FileStream file;
    readonly TimeProvider time;
    readonly ArrayBufferWriter<byte> record = new();

    /// <summary>Begins an event file.</summary>
    /// <param name="folder">Made where it does not exist; files of earlier runs in it are kept.</param>
    /// <param name="resumedAt">
    /// Steps that a resumed run had made; what the folder shows beyond them is replaced. Null: a new run.
    /// </param>
    /// <param name="time">The clock; null: the system's.</param>
    /// <exception cref="IOException">The file cannot be made.</exception>
    public EventFile(string folder, long? resumedAt = null, TimeProvider? time = null)
    {
        this.time = time ?? TimeProvider.System;
        Directory.CreateDirectory(folder);
        double seconds = this.time.GetUtcNow().ToUnixTimeMilliseconds() / 1000.0;
        string name = string.Create(CultureInfo.InvariantCulture,
            $"events.out.tfevents.{seconds:0000000000.000}.{Environment.MachineName}");
        file = new(System.IO.Path.Combine(folder, name), FileMode.Create, FileAccess.Write, FileShare.Read | FileShare.Delete,
            bufferSize: 0);
        Write(0, body => body.Text(3, "brain.Event:2"));
        // TensorBoard drops what earlier files say of this step and those after it.
        if (resumedAt is { } step) Write(step + 1, body => body.Message(7, log => log.Integer(1, 1)));
    }

    /// <summary>The file.</summary>
    public string Path => file.Name;

    /// <summary>Writes numbers of a step.</summary>
    /// <param name="step">Updates made.</param>
    /// <param name="values">Tags and numbers, kept as float32; a slash in a tag makes a group: <c>loss/train</c>.</param>
    /// <exception cref="IOException">The disk is full.</exception>
    public void Write(long step, params IReadOnlyList<(string Tag, double Value)> values) =>
        Write(step, body => body.Message(5, summary =>
    {
        foreach (var (tag, value) in values)
            summary.Message(1, entry =>
            {
                entry.Text(1, tag);
                entry.Float(2, (float)value);
            });
    }));

    /// <summary>Closes the file.</summary>
    public void Dispose() => file.Dispose();

    void Write(long step, Action<ProtocolBuffer> body)
    {
        var message = new ProtocolBuffer();
        message.Double(1, (time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalSeconds);
        message.Integer(2, step);
        body(message);
        record.ResetWrittenCount();
        BinaryPrimitives.WriteInt64LittleEndian(record.GetSpan(8), message.Bytes.Length);
        record.Advance(8);
        Checksum(record.WrittenSpan);
        record.Write(message.Bytes);
        Checksum(message.Bytes);
        file.Write(record.WrittenSpan);

        void Checksum(ReadOnlySpan<byte> bytes)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(record.GetSpan(4), Mask(Crc32C.Of(bytes)));
            record.Advance(4);
        }
    }

    /// <summary>A checksum of data that may itself hold checksums: rotated right by 15 bits, plus a constant.</summary>
    internal static uint Mask(uint checksum) => (checksum >> 15 | checksum << 17) + 0xa282ead8;

    /// <summary>Writes fields of a protocol buffer: number and wire type, then the value.</summary>
    sealed class ProtocolBuffer
    {
        readonly ArrayBufferWriter<byte> bytes = new();

        public ReadOnlySpan<byte> Bytes => bytes.WrittenSpan;

        public void Integer(int field, long value)
        {
            Varint((uint)field << 3);
            Varint((ulong)value);
        }

        public void Double(int field, double value)
        {
            Varint((uint)field << 3 | 1);
            BinaryPrimitives.WriteDoubleLittleEndian(bytes.GetSpan(8), value);
            bytes.Advance(8);
        }

        public void Float(int field, float value)
        {
            Varint((uint)field << 3 | 5);
            BinaryPrimitives.WriteSingleLittleEndian(bytes.GetSpan(4), value);
            bytes.Advance(4);
        }

        public void Text(int field, string value) => Block(field, Encoding.UTF8.GetBytes(value));

        public void Message(int field, Action<ProtocolBuffer> write)
        {
            var message = new ProtocolBuffer();
            write(message);
            Block(field, message.Bytes);
        }

        void Block(int field, ReadOnlySpan<byte> content)
        {
            Varint((uint)field << 3 | 2);
            Varint((ulong)content.Length);
            bytes.Write(content);
        }

        // Seven bits a byte, the lowest first; the eighth says that more follow.
        void Varint(ulong value)
        {
            for (; value >= 128; value >>= 7) bytes.Write([(byte)(value | 128)]);
            bytes.Write([(byte)value]);
        }
    }
}
