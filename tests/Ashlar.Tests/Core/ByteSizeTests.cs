namespace Ashlar.Tests.Core;

public class ByteSizeTests
{
    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(64, "64 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(1024, "1 KiB")]
    [InlineData(1536, "1.50 KiB")]
    [InlineData(48 << 10, "48 KiB")]
    [InlineData((1L << 30) - 1, "1 GiB")]
    [InlineData(123_456_789, "118 MiB")]
    [InlineData(-1536, "-1.50 KiB")]
    [InlineData(long.MaxValue, "8 EiB")]
    public void ByteSize_ReadsWell(long bytes, string text) => Assert.Equal(text, ByteSize.Text(bytes));
}
