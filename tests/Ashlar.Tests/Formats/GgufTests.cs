using Ashlar.Formats;

namespace Ashlar.Tests.Formats;

public sealed class GgufTests : IDisposable
{
    readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    Gguf Open(GgufBytes bytes) => Gguf.Open(folder.Write("model.gguf", bytes.Build()));

    string Throws(string code, GgufBytes bytes) => Throws(code, bytes.Build());

    string Throws(string code, byte[] bytes)
    {
        string path = folder.Write("bad.gguf", bytes);
        var error = Assert.Throws<ModelFileException>(() => Gguf.Open(path));
        Assert.True(code == error.Code, error.Message);
        Assert.Contains(path, error.Message);
        return error.Message;
    }

    [Fact]
    public void Metadata_NamesAKeyThatItLacks()
    {
        var error = Assert.Throws<ModelFileException>(() => new GgufMetadata().Text("general.name"));
        Assert.Equal("ASH0458", error.Code);
        Assert.Contains("general.name", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Codec_NamesATypeThatItCannotDecode()
    {
        var error = Assert.Throws<ModelFileException>(() => BlockCodec.Of(WeightType.C64));
        Assert.Equal("ASH0459", error.Code);
        Assert.Contains("c64", error.Message, StringComparison.Ordinal);
    }

    static byte[] Lists(int depth, params byte[] inner) =>
        depth == 0 ? inner : [.. BitConverter.GetBytes(9), .. BitConverter.GetBytes(1L), .. Lists(depth - 1, inner)];

    [Theory]
    [InlineData(2u)]
    [InlineData(3u)]
    public void Open_ReadsMetadataAndTensors_InEveryVersion(uint version)
    {
        using var file = Open(new GgufBytes { Version = version }
            .Field("general.architecture", "llama")
            .Field("u8", 0, 250).Field("i8", 1, 250)
            .Field("u16", 2, BitConverter.GetBytes((ushort)65535)).Field("i16", 3, BitConverter.GetBytes((short)-2))
            .Field("u32", uint.MaxValue).Field("i32", 5, BitConverter.GetBytes(-3))
            .Field("f32", 6, BitConverter.GetBytes(0.5f)).Field("yes", 7, 1)
            .Field("u64", 10, BitConverter.GetBytes(ulong.MaxValue)).Field("i64", 11, BitConverter.GetBytes(-4L))
            .Field("f64", 12, BitConverter.GetBytes(0.1))
            .Texts("words", "a", "", "naïve 名前")
            .Field("ints", 9, [.. BitConverter.GetBytes(5), .. BitConverter.GetBytes(2L), .. BitConverter.GetBytes(7),
                .. BitConverter.GetBytes(-8)])
            .Field("floats", 9, [.. BitConverter.GetBytes(6), .. BitConverter.GetBytes(2L), .. GgufBytes.Floats(1.5f, -2)])
            .Field("bools", 9, [.. BitConverter.GetBytes(7), .. BitConverter.GetBytes(2L), 1, 0])
            .Field("nested", 9, Lists(2, [.. BitConverter.GetBytes(0), .. BitConverter.GetBytes(1L), 9]))
            .Tensor("x", 0, [3, 2], GgufBytes.Floats(1, 2, 3, 4, 5, 6))
            .Tensor("q", 8, [64, 1, 2], new byte[4 * 34])
            .Tensor("one", 28, [], BitConverter.GetBytes(2.5)));

        var said = file.Metadata;
        Assert.Equal("llama", file.Architecture);
        Assert.Equal([250, -6, 65535, -2, uint.MaxValue, -3, -4], ((string[])["u8", "i8", "u16", "i16", "u32", "i32", "i64"])
            .Select(said.Int));
        Assert.Equal([0.5, 0.1, -3], ((string[])["f32", "f64", "i32"]).Select(said.Float));
        Assert.True(said.Bool("yes"));
        Assert.Equal(["a", "", "naïve 名前"], said.Texts("words"));
        Assert.Equal("naïve 名前"u8.ToArray(), said.Texts("words").Utf8(2).ToArray());
        Assert.Equal([7L, -8], said.Ints("ints"));
        Assert.Equal([250L], said.Ints("u8"));
        Assert.Equal([1.5f, -2], said.Floats("floats"));
        Assert.Equal([true, false], said.Bools("bools"));
        Assert.Equal((GgufValueType.I32, 2), said.ListOf("ints"));
        Assert.False(said.TryInt("none", out _));
        Assert.Equal(["x", "q", "one"], file.Entries.Select(entry => entry.Name));
        Assert.Equal([2, 3], file["x"].Extents);
        Assert.Equal([2, 1, 64], file["q"].Extents);
        Assert.Equal((WeightType.Q8_0, 128L, 136L), (file["q"].Type, file["q"].Elements, file["q"].Bytes));
        Assert.Equal(GgufBytes.Floats(1, 2, 3, 4, 5, 6), file.Bytes(file["x"]).ToArray());
        Assert.Equal(BitConverter.GetBytes(2.5), file.Bytes(file["one"]).ToArray());
        Assert.Equal(GgufBytes.Floats(3, 4), file.Span(file["x"], 8, 8).ToArray());
        file.Prefetch(file["q"]);
        file.Release(file["q"]);
        Assert.Equal(new byte[136], file.Bytes(file["q"]).ToArray());
    }

    [Fact]
    public void Alignment_IsThatOfTheFile()
    {
        var bytes = new GgufBytes { Alignment = 8 }.Field("general.alignment", 8u).Tensor("a", 24, [3], [1, 2, 3])
            .Tensor("b", 24, [2], [4, 5]);
        using var file = Open(bytes);
        Assert.Equal(8, file.Alignment);
        Assert.Equal([4, 5], file.Bytes(file["b"]).ToArray());
        Assert.Contains("power of two", Throws("ASH0453", new GgufBytes().Field("general.alignment", 12u)));
        Assert.Contains("power of two", Throws("ASH0453", new GgufBytes().Field("general.alignment", 0u)));
    }

    [Fact]
    public void Metadata_SayWhatIsMissing_AndWhatIsOfAnotherType()
    {
        using var file = Open(new GgufBytes().Field("llama.block_count", 5u).Field("name", "x")
            .Field("huge", 10, BitConverter.GetBytes(ulong.MaxValue)).Field("bytes", 8, [1, 0, 0, 0, 0, 0, 0, 0, 0xff]));
        string Message(Action action)
        {
            var error = Assert.Throws<ModelFileException>(action);
            Assert.Contains(file.Path, error.Message);
            return error.Message;
        }
        Assert.Contains("'llama.block_count'", Message(() => file.Metadata.Int("llama.blok_count")));
        Assert.Contains("U32", Message(() => file.Metadata.Text("llama.block_count")));
        Assert.Contains("read as a whole number", Message(() => file.Metadata.TryInt("name", out _)));
        Assert.Contains("list of texts", Message(() => file.Metadata.Texts("name")));
        Assert.Contains("2^63", Message(() => file.Metadata.Int("huge")));
        Assert.Contains("UTF-8", Message(() => file.Metadata.Text("bytes")));
        Assert.Contains("'weight'", Message(() => _ = file["weight"]));
    }

    [Fact]
    public void Open_RefusesOtherFilesVersionsAndByteOrders()
    {
        Throws("ASH0451", []);
        Throws("ASH0451", "<!DOCTYPE html>"u8.ToArray());
        Assert.Contains("big-endian", Throws("ASH0451", new GgufBytes { Version = 0x03000000 }));
        Assert.Contains("version 1", Throws("ASH0451", new GgufBytes { Version = 1 }));
        Assert.Contains("version 9", Throws("ASH0451", new GgufBytes { Version = 9 }));
        Assert.Equal("ASH0410", Assert.Throws<ModelFileException>(() => Gguf.Open(folder.File("no.gguf"))).Code);
    }

    [Fact]
    public void Open_RefusesCountsAndLengthsThatLie()
    {
        Assert.Contains("tensors", Throws("ASH0452", new GgufBytes { TensorCount = 1UL << 60 }));
        Assert.Contains("metadata", Throws("ASH0452", new GgufBytes { FieldCount = 1UL << 60 }));
        Throws("ASH0452", new GgufBytes { FieldCount = ulong.MaxValue });
        Throws("ASH0452", new GgufBytes().Field("text", 8, BitConverter.GetBytes(1L << 60)));
        Throws("ASH0452", new GgufBytes().Field("text", 8, BitConverter.GetBytes(-1L)));
        foreach (int type in (int[])[0, 5, 8, 9, 12])
            Assert.Contains("items of 'list'",
                Throws("ASH0452", new GgufBytes()
                    .Field("list", 9, [.. BitConverter.GetBytes(type), .. BitConverter.GetBytes(1L << 60)])));
        Assert.Contains("deep",
            Throws("ASH0453", new GgufBytes()
                .Field("deep", 9, Lists(40, [.. BitConverter.GetBytes(0), .. BitConverter.GetBytes(0L)]))));
        Assert.Contains("type number 13", Throws("ASH0453", new GgufBytes().Field("x", 13, 0)));
        Assert.Contains("'x' stands there twice", Throws("ASH0453", new GgufBytes().Field("x", 0, 1).Field("x", 0, 1)));
        Assert.Contains("bool of 2", Throws("ASH0453", new GgufBytes().Field("x", 7, 2)));
        Assert.Contains("1 to 65,535", Throws("ASH0453", new GgufBytes().Field("", 0, 1)));
    }

    [Fact]
    public void Open_RefusesTensorsThatLie()
    {
        byte[] four = new byte[4];
        Assert.Contains("two tensors", Throws("ASH0454", new GgufBytes().Tensor("x", 0, [1], four).Tensor("x", 0, [1], four)));
        Assert.Contains("9 axes", Throws("ASH0454", new GgufBytes().Tensor("x", 0, [1, 1, 1, 1, 1, 1, 1, 1, 1], four)));
        Assert.Contains("no file can hold", Throws("ASH0454", new GgufBytes().Tensor("x", 0, [1L << 40, 1L << 40], four)));
        Assert.Contains("no file can hold", Throws("ASH0454", new GgufBytes().Tensor("x", 0, [1L << 61, 1], four)));
        Assert.Contains("no file can hold", Throws("ASH0454", new GgufBytes().Tensor("x", 0, [-1], four)));
        Assert.Contains("blocks of 32", Throws("ASH0454", new GgufBytes().Tensor("x", 8, [31, 32], four)));
        Assert.Contains("number 99", Throws("ASH0454", new GgufBytes().Tensor("x", 99, [1], four)));
        Assert.Contains("Q4_0_4_4", Throws("ASH0454", new GgufBytes().Tensor("x", 31, [32], four)));
        Assert.Contains("multiples of 32", Throws("ASH0454", new GgufBytes().Tensor("x", 0, [1], four, offset: 4)));
        Assert.Contains("overlap",
            Throws("ASH0455", new GgufBytes().Tensor("x", 0, [9], new byte[36]).Tensor("y", 0, [1], four, offset: 32)));
        Assert.Contains("'x'", Throws("ASH0452", new GgufBytes().Tensor("x", 0, [2], four)));
        Assert.Contains("'x'", Throws("ASH0452", new GgufBytes().Tensor("x", 0, [1], four, offset: long.MaxValue / 32 * 32)));
        Assert.Contains("which no file has", Throws("ASH0454", new GgufBytes().Tensor("x", 0, [1], four, offset: 1UL << 63)));
    }

    [Fact]
    public void Open_RefusesEveryFileThatIsCutShort()
    {
        byte[] whole = new GgufBytes().Field("a", "text").Texts("b", "x", "y").Tensor("t", 0, [2, 1], new byte[8]).Build();
        for (int length = 0; length < whole.Length; length++)
        {
            string path = folder.Write("cut", whole.AsSpan(0, length));
            Assert.Throws<ModelFileException>(() => Gguf.Open(path));
        }
        Gguf.Open(folder.Write("whole", whole)).Dispose();
    }

    GgufBytes Part(int number, int count, int tensors, string tensor) => new GgufBytes()
        .Field("general.architecture", $"part{number}")
        .Field("split.no", 2, BitConverter.GetBytes((ushort)number)).Field("split.count", 2, BitConverter.GetBytes((ushort)count))
        .Field("split.tensors.count", 5, BitConverter.GetBytes(tensors))
        .Tensor(tensor, 24, [1], [(byte)number]);

    string WritePart(int number, GgufBytes part) => folder.Write($"m-{number:00000}-of-00003.gguf", part.Build());

    [Fact]
    public void SplitModels_OpenFromAnyPart()
    {
        string[] paths = [.. Enumerable.Range(0, 3).Select(i => WritePart(i + 1, Part(i, 3, 3, $"t{i}")))];
        foreach (string path in paths)
        {
            using var file = Gguf.Open(path);
            Assert.Equal(paths, file.Parts);
            Assert.Equal("part0", file.Architecture);
            Assert.Equal(["t0", "t1", "t2"], file.Entries.Select(entry => entry.Name));
            Assert.All(Enumerable.Range(0, 3), i => Assert.Equal([(byte)i], file.Bytes(file[$"t{i}"]).ToArray()));
        }
        using (var file = WeightFile.Open(folder.Path)) Assert.Equal(3, file.Entries.Count);

        string Message() => Assert.Throws<ModelFileException>(() => Gguf.Open(paths[0])).Message;
        WritePart(3, Part(2, 3, 3, "t1"));
        Assert.Contains("'t1'", Message());
        WritePart(3, Part(1, 3, 3, "t2"));
        Assert.Contains("part 3 of 3", Message());
        File.Delete(paths[2]);
        Assert.Contains(paths[2], Message());
        WritePart(3, Part(2, 3, 3, "t2"));
        WritePart(1, Part(0, 3, 4, "t0"));
        Assert.Contains("4 tensors", Message());
        Assert.Contains("of the form", Assert.Throws<ModelFileException>(() =>
            Gguf.Open(folder.Write("x.gguf", Part(0, 3, 3, "t0").Build()))).Message);
    }

    [Fact]
    public void Open_TakesLittleForLargeVocabularies()
    {
        string[] words = [.. Enumerable.Range(0, 150_000).Select(i => $"word{i}")];
        string path = folder.Write("words.gguf", new GgufBytes().Texts("tokenizer.ggml.tokens", words).Build());
        using (Gguf.Open(path)) { }
        long before = GC.GetAllocatedBytesForCurrentThread();
        using var file = Gguf.Open(path);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100_000);
        var texts = file.Metadata.Texts("tokenizer.ggml.tokens");
        Assert.Equal("word149999", texts[^1]);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1_000_000);
    }

    [DataFact]
    public void Open_ReadsFilesOfOthers()
    {
        string models = Path.Combine(DataFact.Folder!, "models/stories260k");
        using var gguf = (Gguf)WeightFile.Open(Path.Combine(models, "stories260k.gguf"));
        using var safetensors = (SafetensorsFolder)WeightFile.Open(models);
        Assert.Equal("llama", gguf.Architecture);
        Assert.Equal([512, 64], gguf["token_embd.weight"].Extents);
        Assert.Equal(512, gguf.Metadata.Texts("tokenizer.ggml.tokens").Count);
        Assert.Equal(safetensors.Bytes(safetensors["model.norm.weight"]).ToArray(),
            gguf.Bytes(gguf["output_norm.weight"]).ToArray());
        foreach (string path in Directory.EnumerateFiles(Path.Combine(DataFact.Folder!, "tokenizers/gguf"), "*.gguf"))
        {
            using var vocabulary = Gguf.Open(path);
            Assert.True(vocabulary.Metadata.Texts("tokenizer.ggml.tokens").Count > 1000);
        }
    }
}
