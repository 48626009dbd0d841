using System.Text;
using Ashlar.Tests.Formats;
using Ashlar.Tests.Tokenizers;
using Ashlar.Tokenizers;
using Ashlar.Training;

namespace Ashlar.Tests.Training;

public sealed class TextFileTests : IDisposable
{
    readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Pieces_AreTheText_WhateverTheirSize()
    {
        string text = Texts.Random(3, 400) + "\nzażółć\n\n gęślą 😀😀😀😀\n" + new string('é', 50) + " the end\n";
        using var file = TextFile.Open(folder.Write("text", Encoding.UTF8.GetBytes(text)));
        Assert.Equal(Encoding.UTF8.GetByteCount(text), file.Bytes);
        for (int most = 4; most < 120; most++)
            Assert.Equal(text,
                string.Concat(file.Pieces(most).Select(piece =>
                    new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(piece.Span))));
        Assert.Equal(text, file.ReadAll());
    }

    [Fact]
    public void Pieces_DoNotChangeTokens_WhereThereAreLineBreaks()
    {
        var random = new Random(1);
        string text = string.Concat(Enumerable.Range(0, 2000).Select(_ =>
            ((string[])["word", " ", "  ", "\n", "\n\n", "\t", "it's", "é", "\u3000", "!", " \n"])[random.Next(11)])) + "\n";
        var tokenizer = BpeTokenizer.Train(Texts.English, 300);
        using var file = TextFile.Open(folder.Write("text", Encoding.UTF8.GetBytes(text)));
        for (int most = 600; most < 630; most++)
            Assert.Equal(tokenizer.Encode(text), file.Pieces(most).SelectMany(piece =>
                tokenizer.Encode(Encoding.UTF8.GetString(piece.Span))));
        Assert.Equal(tokenizer.Encode(text), file.Encode(tokenizer).SelectMany(piece => piece.ToArray()));
    }

    [Fact]
    public void Open_SkipsTheByteOrderMark()
    {
        using var file = TextFile.Open(folder.Write("text", [0xef, 0xbb, 0xbf, (byte)'a']));
        Assert.Equal("a", file.ReadAll());
        Assert.Equal(1, file.Bytes);
    }

    [Theory]
    [InlineData("ASH0431", "", "empty")]
    [InlineData("ASH0431", "\xef\xbb\xbf", "byte order mark")]
    [InlineData("ASH0432", "\u00ff\u00fea\0", "UTF-16")]
    [InlineData("ASH0432", "ab\ncaf\xe9 noir", "bytes e9 20 6e 6f at byte 6, in line 2")]
    [InlineData("ASH0432", "\xef\xbb\xbf\xe9", "bytes e9 at byte 3, in line 1")]
    [InlineData("ASH0432", "abc\xe2\x82", "byte 3")]
    [InlineData("ASH0432", "\xc0\x80", "byte 0")]
    [InlineData("ASH0432", "\xed\xa0\x80", "byte 0")]
    public void Open_RejectsWhatIsNoText(string code, string latin, string says)
    {
        var error = Assert.Throws<DataException>(() => TextFile.Open(folder.Write("text", Encoding.Latin1.GetBytes(latin))));
        Assert.Equal(code, error.Code);
        Assert.Contains(says, error.Message);
        Assert.Contains(folder.File("text"), error.Message);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Open_ChecksBeyondTheFirstMegabytes(int shift)
    {
        // Three-byte characters across the places where the check cuts; then a bad byte far behind.
        byte[] bytes = [.. new byte[shift].Select(_ => (byte)'x'), .. Encoding.UTF8.GetBytes(new string('€', 800_000))];
        TextFile.Open(folder.Write("text", bytes)).Dispose();
        bytes[^2] = (byte)'!';
        Assert.Contains($"at byte {bytes.Length - 3:N0}, in line 1",
            Assert.Throws<DataException>(() => TextFile.Open(folder.Write("text", bytes))).Message);
    }

    [Fact]
    public void Open_SaysWhatIsMissing()
    {
        Assert.Equal("ASH0430", Assert.Throws<DataException>(() => TextFile.Open(folder.File("no"))).Code);
        Assert.Equal("ASH0430", Assert.Throws<DataException>(() => TextFile.Open(folder.Path)).Code);
    }
}
