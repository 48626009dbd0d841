using System.Buffers.Binary;
using System.Text;
using Ashlar.Tests.Formats;
using Ashlar.Training;

namespace Ashlar.Tests.Training;

public sealed class EventFileTests : IDisposable
{
    readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    sealed record Event(double WallTime, long Step, string? Version, (string Tag, float Value)[] Scalars, bool IsStart);

    [Fact]
    public void Events_ReadBack()
    {
        using (var file = new EventFile(folder.File("run"), time: new Clock(1_700_000_000.25)))
        {
            file.Write(1, ("loss/train", 2.5));
            file.Write(1L << 40, ("loss/train", double.NaN), ("lr ü", 3e-4));
        }
        var events = Read(File.ReadAllBytes(Path.Combine(folder.Path, Assert.Single(folder.Names, name => name != "run"))));
        Assert.Equal(3, events.Count);
        Assert.All(events, found => Assert.Equal(1_700_000_000.25, found.WallTime));
        Assert.Equal("brain.Event:2", events[0].Version);
        Assert.Empty(events[0].Scalars);
        Assert.Equal((1, "loss/train", 2.5f), (events[1].Step, events[1].Scalars[0].Tag, events[1].Scalars[0].Value));
        Assert.Equal(1L << 40, events[2].Step);
        Assert.Equal([("loss/train", float.NaN), ("lr ü", 3e-4f)], events[2].Scalars);
    }

    [Fact]
    public void File_HasTheNameThatTensorBoardLooksFor()
    {
        using var file = new EventFile(folder.Path, time: new Clock(1_700_000_000.25));
        Assert.Equal($"events.out.tfevents.1700000000.250.{Environment.MachineName}", Path.GetFileName(file.Path));
    }

    [Fact]
    public void Resuming_SaysWhichStepsAreReplaced()
    {
        using (var file = new EventFile(folder.Path, resumedAt: 500)) file.Write(501, ("loss", 1));
        var events = Read(File.ReadAllBytes(Path.Combine(folder.Path, folder.Names.Single())));
        Assert.Equal((501, true), (events[1].Step, events[1].IsStart));
        Assert.False(events[2].IsStart);
    }

    [Fact]
    public void Records_AreWhole_WhileTheRunGoesOn()
    {
        using var file = new EventFile(folder.Path);
        for (int step = 1; step <= 3; step++)
        {
            file.Write(step, ("loss", step));
            using var stream = new FileStream(file.Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            byte[] bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            Assert.Equal(1 + step, Read(bytes).Count);
        }
    }

    [Fact]
    public void Mask_RotatesAndAdds()
    {
        Assert.Equal(0xa282ead8u, EventFile.Mask(0));
        Assert.Equal(0xa282ead8u + 1, EventFile.Mask(1 << 15));
        Assert.Equal(0xa282ead8u + (1 << 17), EventFile.Mask(1));
        Assert.Equal(0xe3069283u, Unmask(EventFile.Mask(0xe3069283)));
        Assert.Equal(0xe3069283u, SlowCrc32C("123456789"u8));   // published: the check value of CRC-32C
    }

    static uint Unmask(uint masked)
    {
        uint rotated = masked - 0xa282ead8;
        return rotated >> 17 | rotated << 15;
    }

    // An independent reader: the checksum bit by bit, fields by their numbers in event.proto and summary.proto.
    static List<Event> Read(byte[] bytes)
    {
        var events = new List<Event>();
        for (int at = 0; at < bytes.Length;)
        {
            int length = (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at));
            Assert.Equal(SlowCrc32C(bytes.AsSpan(at, 8)), Unmask(BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 8))));
            var body = bytes.AsSpan(at + 12, length);
            Assert.Equal(SlowCrc32C(body), Unmask(BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 12 + length))));
            var fields = Fields(body);
            var scalars = fields.Where(field => field.Number == 5).SelectMany(field => Fields(field.Bytes)).Select(value =>
            {
                var inner = Fields(value.Bytes);
                return (Encoding.UTF8.GetString(inner.Single(field => field.Number == 1).Bytes),
                    BinaryPrimitives.ReadSingleLittleEndian(inner.Single(field => field.Number == 2).Bytes));
            });
            events.Add(new(
                BinaryPrimitives.ReadDoubleLittleEndian(fields.Single(field => field.Number == 1).Bytes),
                (long)fields.Single(field => field.Number == 2).Value,
                fields.Where(field => field.Number == 3).Select(field => Encoding.UTF8.GetString(field.Bytes)).SingleOrDefault(),
                [.. scalars],
                fields.Any(field => field.Number == 7 && Fields(field.Bytes).Single() is { Number: 1, Value: 1 })));
            at += 16 + length;
        }
        return events;
    }

    sealed record Field(int Number, ulong Value, byte[] Bytes);

    static List<Field> Fields(ReadOnlySpan<byte> bytes)
    {
        var fields = new List<Field>();
        while (bytes.Length > 0)
        {
            ulong key = Varint(ref bytes);
            int length = (key & 7) switch
            {
                0 => 0,
                1 => 8,
                2 => -1,
                5 => 4,
                _ => throw new InvalidDataException($"wire type {key & 7}"),
            };
            ulong value = length == 0 ? Varint(ref bytes) : 0;
            if (length < 0) length = (int)Varint(ref bytes);
            fields.Add(new((int)(key >> 3), value, bytes[..length].ToArray()));
            bytes = bytes[length..];
        }
        return fields;
    }

    static ulong Varint(ref ReadOnlySpan<byte> bytes)
    {
        ulong value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte next = bytes[0];
            bytes = bytes[1..];
            value |= (ulong)(next & 127) << shift;
            if (next < 128) return value;
        }
    }

    static uint SlowCrc32C(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte one in bytes)
        {
            crc ^= one;
            for (int bit = 0; bit < 8; bit++) crc = (crc & 1) == 0 ? crc >> 1 : crc >> 1 ^ 0x82f63b78;
        }
        return ~crc;
    }

    sealed class Clock(double seconds) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddSeconds(seconds);
    }
}
