using System.Buffers.Binary;
using System.Text;
using Ashlar.Formats;

namespace Ashlar.Tests.Formats;

public sealed class SafetensorsTests : IDisposable
{
    readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void File_ReadsBackWhatWasWritten()
    {
        string path = folder.File("model.safetensors");
        float[] floats = [.. Enumerable.Range(0, 96).Select(i => i * 0.5f)];
        Safetensors.Write(path,
        [
            NamedArray.Of<bool>("flags", [3], (bool[])[true, false, true]),
            NamedArray.Of<long>("step", Shape.Scalar, (long[])[1L << 40]),
            NamedArray.Of<float>("h.0.weight", [12, 8], floats),
            NamedArray.Of<float>("none", [0, 4], (float[])[]),
            NamedArray.Of<BFloat16>("half", [2], (BFloat16[])[(BFloat16)1.5f, (BFloat16)(-2f)]),
            NamedArray.Of<int>("naïve \"name\" 名前", [1], (int[])[-7]),
        ], new Dictionary<string, string> { ["format"] = "pt", ["line"] = "a\nb" });

        using var file = Safetensors.Open(path);
        Assert.Equal(["format", "line"], file.Metadata.Keys.Order());
        Assert.Equal("a\nb", file.Metadata["line"]);
        Assert.Equal(["flags", "h.0.weight", "half", "naïve \"name\" 名前", "none", "step"],
            file.Entries.Select(entry => entry.Name).Order(StringComparer.Ordinal));
        Assert.Equal(floats, file.Elements<float>("h.0.weight").ToArray());
        Assert.Equal([12, 8], file["h.0.weight"].Shape);
        Assert.Equal([1L << 40], file.Elements<long>("step").ToArray());
        Assert.Equal(Shape.Scalar, file["step"].Shape);
        Assert.Equal([true, false, true], file.Elements<bool>("flags").ToArray());
        Assert.Equal([1.5f, -2f], file.Elements<BFloat16>("half").ToArray().Select(value => (float)value));
        Assert.Equal([-7], file.Elements<int>("naïve \"name\" 名前").ToArray());
        Assert.Equal(0, file.Elements<float>("none").Length);
        Assert.Equal(["model.safetensors"], folder.Names);
    }

    [Fact]
    public void Arrays_AreAligned_WhateverTheirOrder()
    {
        string path = folder.File("a");
        Safetensors.Write(path,
        [
            NamedArray.Of<byte>("odd", [3], new byte[3]), NamedArray.Of<float>("x", [16], new float[16]),
            NamedArray.Of<short>("s", [5], new short[5]),
            NamedArray.Of<double>("d", [3], new double[3]), NamedArray.Of<float>("y", [32], new float[32]),
        ]);
        using var file = Safetensors.Open(path);
        Assert.All(file.Entries, entry => Assert.Equal(0, entry.Offset % entry.DType.Bytes));
        Assert.All(file.Entries.Where(entry => entry.Bytes % 64 == 0), entry => Assert.Equal(0, entry.Offset % 64));
        Assert.Equal(["x", "y", "d", "s", "odd"], file.Entries.Select(entry => entry.Name));
    }

    [Fact]
    public void File_WithoutArrays_IsOne()
    {
        Safetensors.Write(folder.File("empty"), []);
        using var file = Safetensors.Open(folder.File("empty"));
        Assert.Empty(file.Entries);
        Assert.Empty(file.Metadata);
    }

    [Fact]
    public void Memory_StaysValid_WhilePinned()
    {
        Safetensors.Write(folder.File("a"), [NamedArray.Of<float>("x", [2], (float[])[3, 4])]);
        var file = Safetensors.Open(folder.File("a"));
        var memory = file.Elements<float>("x");
        Tensor x = Tensor.FromMemory(memory);
        file.Dispose();
        Assert.Equal([3f, 4f], x.ToArray<float>());
        Assert.Throws<ObjectDisposedException>(() => memory.ToArray());
        file.Dispose();
    }

    [Fact]
    public void Names_MustExist_AndTypesFit()
    {
        Safetensors.Write(folder.File("a"),
            [NamedArray.Of<float>("h.0.weight", [1], new float[1]), NamedArray.Of<float>("h.0.bias", [1], new float[1])]);
        using var file = Safetensors.Open(folder.File("a"));
        Assert.Contains("'h.0.weight'", Throws("ASH0417", () => file["h.0.weigth"]));
        Assert.False(file.TryGet("x", out _));
        Assert.Equal("ASH0222", Assert.Throws<DTypeException>(() => file.Elements<int>("h.0.bias")).Code);
    }

    [Theory]
    [InlineData("ASH0411", "")]
    [InlineData("ASH0411", "{}")]
    [InlineData("ASH0411", "version https://git-lfs.github.com/spec/v1")]
    [InlineData("ASH0411", "\u0001\0\0\0\0\0\0\0{")]
    [InlineData("ASH0411", "\u0002\0\0\0\0\0\0\0[]")]
    [InlineData("ASH0411", "\u0002\0\0\0\0\0\0\0")]
    public void Open_RejectsOtherFiles(string code, string content) =>
        Assert.Contains(folder.File("x"), Throws(code,
            () => Safetensors.Open(folder.Write("x", Encoding.Latin1.GetBytes(content)))));

    [Theory]
    [InlineData("ASH0412", """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}""", "not JSON")]
    [InlineData("ASH0412", """{"a":1}""", "'a' is a number")]
    [InlineData("ASH0412", """{"a":{"dtype":"F32","shape":[1]}}""", "no data_offsets")]
    [InlineData("ASH0412", """{"a":{"dtype":"F32","data_offsets":[0,4]}}""", "no shape")]
    [InlineData("ASH0412", """{"a":{"shape":[1],"data_offsets":[0,4]}}""", "no dtype")]
    [InlineData("ASH0412", """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}""", "two numbers")]
    [InlineData("ASH0412", """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"stride":[1]}}""", "'stride'")]
    [InlineData("ASH0412", """{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", "dtype twice")]
    [InlineData("ASH0412", """{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""", "-1 in its shape")]
    [InlineData("ASH0412", """{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}""", "1.5 in its shape")]
    [InlineData("ASH0412", """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,99999999999999999999]}}""", "data_offsets")]
    [InlineData("ASH0412",
        """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""",
        "'a' twice")]
    [InlineData("ASH0412", """{"__metadata__":{"x":1}}""", "should be a string")]
    [InlineData("ASH0412", """{"__metadata__":[]}""", "is a list")]
    [InlineData("ASH0412", """{"__metadata__":{"x":"1","x":"2"}}""", "'x' twice")]
    [InlineData("ASH0412", """{"\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", "surrogate")]
    [InlineData("ASH0413", """{"a":{"dtype":"F8_E5M2","shape":[4],"data_offsets":[0,4]}}""", "'F8_E5M2'")]
    [InlineData("ASH0414", """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", "takes 8 bytes")]
    [InlineData("ASH0414", """{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}""", "end before they begin")]
    [InlineData("ASH0414", """{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}""", "no file can hold")]
    [InlineData("ASH0414", """{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}}""", "no file can hold")]
    [InlineData("ASH0415",
        """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}""",
        "overlap")]
    [InlineData("ASH0415",
        """{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}""", "gap")]
    [InlineData("ASH0415", """{"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}""", "gap")]
    [InlineData("ASH0416", """{"a":{"dtype":"U8","shape":[16],"data_offsets":[0,16]}}""", "'a'")]
    [InlineData("ASH0416", """{"a":{"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,9223372036854775807]}}""",
        "'a'")]
    [InlineData("ASH0416", """{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", "last array")]
    public void Open_RejectsLyingHeaders(string code, string header, string says)
    {
        string message = Throws(code, () => Safetensors.Open(folder.Write("lie", File(header, new byte[8]))));
        Assert.Contains(says, message);
        Assert.Contains(folder.File("lie"), message);
    }

    [Fact]
    public void Open_RejectsHeadersThatAreNotText()
    {
        byte[] content = File("""{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}""", new byte[8]);
        content[10] = 0xff;
        Assert.Contains("UTF-8", Throws("ASH0412", () => Safetensors.Open(folder.Write("a", content))));
    }

    [Fact]
    public void Open_RejectsEveryFileThatIsCutShort()
    {
        Safetensors.Write(folder.File("whole"),
            [NamedArray.Of<float>("a", [3], new float[3]), NamedArray.Of<byte>("b", [1], new byte[1])]);
        byte[] whole = System.IO.File.ReadAllBytes(folder.File("whole"));
        for (int length = 0; length < whole.Length; length++)
        {
            string cut = folder.Write("cut", whole.AsSpan(0, length));
            Assert.Throws<ModelFileException>(() => Safetensors.Open(cut));
        }
        Assert.Contains("'b'", Throws("ASH0416", () => Safetensors.Open(folder.Write("cut", whole.AsSpan(0, whole.Length - 1)))));
        Assert.Throws<ModelFileException>(() => Safetensors.Open(folder.Write("long", [.. whole, 0])));
    }

    [Fact]
    public void Open_SaysWhichFileIsMissing() =>
        Assert.Contains(folder.File("no"), Throws("ASH0410", () => Safetensors.Open(folder.File("no"))));

    [Fact]
    public void Write_RejectsWhatWouldLie()
    {
        var x = NamedArray.Of<float>("x", [1], new float[1]);
        Throws("ASH0419", () => NamedArray.Of<float>("x", [2], new float[1]));
        Throws("ASH0419", () => Safetensors.Write(folder.File("a"), [x, x]));
        Throws("ASH0419", () => Safetensors.Write(folder.File("a"), [x with { Name = "__metadata__" }]));
        Throws("ASH0419", () => Safetensors.Write(folder.File("a"), [x with { Write = stream => stream.Write(new byte[3]) }]));
        Assert.Empty(folder.Names);
    }

    [Fact]
    public void Write_GivesEqualFiles_ForEqualArrays()
    {
        NamedArray[] arrays = [NamedArray.Of<float>("x", [1], new float[1]), NamedArray.Of<float>("y", [1], new float[1])];
        Safetensors.Write(folder.File("a"), arrays, new Dictionary<string, string> { ["p"] = "1", ["q"] = "2" });
        Safetensors.Write(folder.File("b"), arrays, new Dictionary<string, string> { ["q"] = "2", ["p"] = "1" });
        Assert.Equal(System.IO.File.ReadAllBytes(folder.File("a")), System.IO.File.ReadAllBytes(folder.File("b")));
        using var file = Safetensors.Open(folder.File("a"));
        Assert.Equal(Crc32C.Of(System.IO.File.ReadAllBytes(folder.File("a"))), file.Checksum());
    }

    [DataFact]
    public void Open_ReadsFilesOfOthers()
    {
        using var file = Safetensors.Open(Path.Combine(DataFact.Folder!, "models/stories260k/model.safetensors"));
        Assert.Equal([512, 64], file["model.embed_tokens.weight"].Shape);
        Assert.All(file.Elements<float>("model.norm.weight").ToArray(), value => Assert.True(float.IsFinite(value)));
    }

    static byte[] File(string header, byte[] data)
    {
        byte[] text = Encoding.UTF8.GetBytes(header);
        byte[] length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, text.Length);
        return [.. length, .. text, .. data];
    }

    static string Throws(string code, Func<object?> action)
    {
        var error = Assert.Throws<ModelFileException>(action);
        Assert.Equal(code, error.Code);
        return error.Message;
    }

    static string Throws(string code, Action action) => Throws(code, () => { action(); return null; });
}
