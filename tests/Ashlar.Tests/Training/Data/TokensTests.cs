using Ashlar.Tests.Formats;
using Ashlar.Tokenizers;
using Ashlar.Training;

namespace Ashlar.Tests.Training;

public sealed class TokensTests : IDisposable
{
    readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<int, bool> Places =>
        new() { { 65, false }, { 65, true }, { 1 << 16, true }, { (1 << 16) + 1, false }, { (1 << 16) + 1, true } };

    Tokens Make(int[] tokens, int vocabulary, bool inFile)
    {
        if (!inFile) return Tokens.Of(tokens, vocabulary);
        Tokens.Write(folder.File("a.tokens"), tokens.Chunk(7).Select(piece => (ReadOnlyMemory<int>)piece), vocabulary);
        return Tokens.Open(folder.File("a.tokens"));
    }

    [Theory]
    [MemberData(nameof(Places))]
    public void Tokens_ReadBack(int vocabulary, bool inFile)
    {
        int[] all = [.. Enumerable.Range(0, 100).Select(i => (i * 31 + vocabulary - 1) % vocabulary), vocabulary - 1];
        using var tokens = Make(all, vocabulary, inFile);
        tokens.Verify();
        Assert.Equal((101, vocabulary), (tokens.Count, tokens.Vocabulary));
        int[] read = new int[20];
        tokens.Read(81, read);
        Assert.Equal(all[81..], read);
        tokens.Slice(10, 50).Slice(5, 30).Read(10, read);
        Assert.Equal(all[25..45], read);
        Assert.Equal(Tokens.Of(all, vocabulary).Fingerprint(), tokens.Fingerprint());
        Assert.Throws<ArgumentOutOfRangeException>(() => tokens.Read(82, new int[20]));
        Assert.Throws<ArgumentOutOfRangeException>(() => tokens.Slice(90, 12));
    }

    [Fact]
    public void Fingerprint_Differs_ForOtherTokens()
    {
        int[] few = [.. Enumerable.Range(0, 5000).Select(i => i % 50)],
            many = [.. Enumerable.Range(0, 200_000).Select(i => i % 50)];
        uint[] prints =
        [
            Tokens.Of(few, 50).Fingerprint(), Tokens.Of(few, 51).Fingerprint(), Tokens.Of(few.AsMemory(1), 50).Fingerprint(),
            Tokens.Of((int[])[.. few[..4999], 7], 50).Fingerprint(), Tokens.Of(many, 50).Fingerprint(),
            Tokens.Of((int[])[.. many[..^1], 7], 50).Fingerprint(),
        ];
        Assert.Equal(prints.Length, prints.Distinct().Count());
    }

    [Fact]
    public void Of_EncodesText()
    {
        using var text = TextFile.Open(folder.Write("text", "hello"u8));
        var tokens = Tokens.Of(text, new ByteTokenizer());
        int[] read = new int[5];
        tokens.Read(0, read);
        Assert.Equal("hello"u8.ToArray().Select(value => (int)value), read);
        Assert.Equal(256, tokens.Vocabulary);
    }

    [Fact]
    public void Split_CutsOffTheEnd()
    {
        var (training, validation) = Tokens.Of(Enumerable.Range(0, 100).ToArray(), 100).Split(0.1, context: 8);
        Assert.Equal((90, 10), (training.Count, validation.Count));
        int[] first = new int[1];
        validation.Read(0, first);
        Assert.Equal([90], first);
        Assert.Contains("10 tokens to validate on", Assert.Throws<DataException>(() =>
            Tokens.Of(new int[100], 1).Split(0.1, context: 10)).Message);
        Assert.Contains("10 tokens to train on", Assert.Throws<DataException>(() =>
            Tokens.Of(new int[100], 1).Split(0.9, context: 10)).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => Tokens.Of(new int[100], 1).Split(double.NaN, context: 10));
    }

    [Fact]
    public void Open_RejectsEveryFileThatIsCutShortOrChanged()
    {
        Make([1, 2, 3], 65, inFile: true).Dispose();
        byte[] whole = File.ReadAllBytes(folder.File("a.tokens"));
        Assert.Equal(64 + 6, whole.Length);
        for (int length = 0; length < whole.Length; length++)
            Assert.Equal("ASH0434", Assert.Throws<DataException>(() =>
                Tokens.Open(folder.Write("b", whole.AsSpan(0, length)))).Code);
        Assert.Equal("ASH0434", Assert.Throws<DataException>(() => Tokens.Open(folder.Write("b", [.. whole, 0]))).Code);
        for (int at = 0; at < 64; at++)
        {
            byte[] changed = [.. whole];
            changed[at] ^= 4;
            Assert.Equal(at is >= 8 and < 12
                ? "ASH0435"
                : "ASH0434", Assert.Throws<DataException>(() => Tokens.Open(folder.Write("b", changed))).Code);
        }
        Assert.Equal("ASH0430", Assert.Throws<DataException>(() => Tokens.Open(folder.File("no"))).Code);
    }

    [Fact]
    public void Damage_IsFound_InTheTokensThemselves()
    {
        Make([1, 2, 3], 65, inFile: true).Dispose();
        byte[] changed = File.ReadAllBytes(folder.File("a.tokens"));
        changed[^1] = 1;   // 3 becomes 259
        using var tokens = Tokens.Open(folder.Write("b", changed));
        Assert.Equal("ASH0434", Assert.Throws<DataException>(tokens.Verify).Code);
        Assert.Contains("token 259", Assert.Throws<DataException>(() => tokens.Read(0, new int[3])).Message);
    }

    [Fact]
    public void Write_RejectsTokensBeyondTheVocabulary()
    {
        Assert.Equal("ASH0436", Assert.Throws<DataException>(() => Make([1, 65], 65, inFile: true)).Code);
        Assert.Equal("ASH0436", Assert.Throws<DataException>(() => Make([-1], 65, inFile: false)).Code);
        Assert.Empty(folder.Names);
    }
}
