using Ashlar.Formats;

namespace Ashlar.Tests.Formats;

public class Crc32CTests
{
    // RFC 3720, appendix B.4, and the check value of the catalogue of CRC algorithms.
    public static TheoryData<byte[], uint> Published => new()
    {
        { new byte[32], 0x8a9136aa },
        { Enumerable.Repeat((byte)0xff, 32).ToArray(), 0x62a8ab43 },
        { Enumerable.Range(0, 32).Select(i => (byte)i).ToArray(), 0x46dd794e },
        { Enumerable.Range(0, 32).Select(i => (byte)(31 - i)).ToArray(), 0x113fdb5c },
        { "123456789"u8.ToArray(), 0xe3069283 },
        { [], 0 },
    };

    [Theory]
    [MemberData(nameof(Published))]
    public void Crc32C_IsThePublishedOne(byte[] bytes, uint expected) => Assert.Equal(expected, Crc32C.Of(bytes));

    [Fact]
    public void Crc32C_DoesNotDependOnPieces()
    {
        byte[] bytes = [.. Enumerable.Range(0, 50).Select(i => (byte)(i * 37))];
        for (int cut = 0; cut <= bytes.Length; cut++)
        {
            Crc32C sum = default;
            sum.Append(bytes.AsSpan(0, cut));
            sum.Append(bytes.AsSpan(cut));
            Assert.Equal(Crc32C.Of(bytes), sum.Value);
        }
    }

    [Theory]
    [InlineData(12287), InlineData(12288), InlineData(12289), InlineData(24576), InlineData(40001)]
    public void Crc32C_OfLongBytes_IsThatOfTheirPieces(int count)
    {
        byte[] bytes = new byte[count];
        new Random(count).NextBytes(bytes);
        Crc32C sum = default;
        // Too short to be cut in thirds.
        for (int at = 0; at < count; at += 1000) sum.Append(bytes.AsSpan(at, Math.Min(1000, count - at)));
        Assert.Equal(sum.Value, Crc32C.Of(bytes));
    }
}
