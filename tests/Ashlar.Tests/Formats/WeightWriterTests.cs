using Ashlar.Formats;

namespace Ashlar.Tests.Formats;

public sealed class WeightWriterTests : IDisposable
{
    readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    static NamedWeight Source(string name, WeightType type, params long[] extents)
    {
        byte[] bytes = new byte[WeightTypes.BytesOf(type, extents)!.Value];
        new Random(name.Length).NextBytes(bytes);
        return new(name, type, [.. extents], stream => stream.Write(bytes));
    }

    static GgufMetadata Metadata()
    {
        var metadata = new GgufMetadata();
        metadata.SetText("general.architecture", "llama");
        metadata.SetInt("llama.block_count", 5);
        metadata.SetInt("least", long.MinValue, GgufValueType.I64);
        metadata.SetFloat("eps", 1e-5);
        metadata.SetBool("flag", true);
        metadata.SetTexts("words", ["a", "", "naïve"]);
        metadata.SetTexts("bytes", [new byte[] { 0xff }]);
        metadata.SetInts("types", [1, -2, 3]);
        metadata.SetFloats("scores", [0, -1.5f]);
        metadata.SetBools("bools", [true, false]);
        return metadata;
    }

    [Theory]
    [InlineData(null)]
    [InlineData(128L)]
    public void Gguf_ReadsBackWhatWasWritten_AndWritesItAgainAlike(long? partBytes)
    {
        var metadata = Metadata();
        if (partBytes is null) metadata.SetInt("general.alignment", 64);
        NamedWeight[] weights = [Source("a", WeightType.F32, 3), Source("bb", WeightType.Q4_0, 2, 64),
            Source("ccc", WeightType.BF16, 2, 3, 4, 5), Source("dddd", WeightType.I8)];
        string path = folder.File(partBytes is null ? "m.gguf" : "m-00001-of-00003.gguf");
        Gguf.Write(folder.File("m.gguf"), metadata, weights, partBytes);
        Gguf.Write(folder.File("again.gguf"), metadata, weights, partBytes);
        string[] names = [.. folder.Names.Where(name => name.StartsWith('m'))];
        Assert.Equal(partBytes is null ? 1 : 3, names.Length);
        Assert.All(names,
            name => Assert.Equal(File.ReadAllBytes(folder.File(name)), File.ReadAllBytes(folder.File("again" + name[1..]))));

        using var file = Gguf.Open(path);
        Assert.Equal(weights.Select(weight => weight.ToString()), file.Entries.Select(entry => entry.ToString()));
        foreach (var (weight, entry) in weights.Zip(file.Entries))
        {
            var bytes = new MemoryStream();
            weight.Write(bytes);
            Assert.Equal(bytes.ToArray(), file.Bytes(entry).ToArray());
        }
        Assert.Equal((5, long.MinValue), (file.Metadata.Int("llama.block_count"), file.Metadata.Int("least")));
        Assert.Equal(1e-5f, (float)file.Metadata.Float("eps"));
        Assert.Equal(["a", "", "naïve"], file.Metadata.Texts("words"));
        Assert.Equal([0xff], file.Metadata.Texts("bytes").Utf8(0).ToArray());
        Assert.Equal([1L, -2, 3], file.Metadata.Ints("types"));
        Assert.Equal([0, -1.5f], file.Metadata.Floats("scores"));
        Assert.Equal([true, false], file.Metadata.Bools("bools"));

        // What was read is written again, from the mapped bytes, to the same file.
        var copy = file.Metadata.Clone();
        foreach (string key in (string[])["split.no", "split.count", "split.tensors.count"]) copy.Remove(key);
        Gguf.Write(folder.File("copy.gguf"), copy, file.Entries.Select(entry => NamedWeight.Copy(file, entry)), partBytes);
        Assert.All(names,
            name => Assert.Equal(File.ReadAllBytes(folder.File(name)), File.ReadAllBytes(folder.File("copy" + name[1..]))));
    }

    [Fact]
    public void Gguf_RefusesWhatNobodyCouldRead()
    {
        void Refuses(string says, params NamedWeight[] weights)
        {
            var error = Assert.Throws<ModelFileException>(() => Gguf.Write(folder.File("bad.gguf"), new(), weights));
            Assert.Equal("ASH0460", error.Code);
            Assert.Contains(says, error.Message);
        }
        Refuses("two weights", Source("a", WeightType.F32, 1), Source("a", WeightType.F32, 1));
        Refuses("do not have", Source("a", WeightType.F8E4M3, 1));
        Refuses("5 axes", Source("a", WeightType.F32, 1, 1, 1, 1, 1));
        Refuses("blocks of 32", Source("a", WeightType.Q8_0, 32, 1));
        Refuses("3 were written", Source("a", WeightType.F32, 1) with { Write = stream => stream.Write(new byte[3]) });
        Assert.Empty(folder.Names);
        Assert.Throws<ModelFileException>(() => new GgufMetadata().SetInt("x", -1));
        Assert.Throws<ModelFileException>(() => new GgufMetadata().SetInts("x", [256], GgufValueType.U8));
    }

    [Theory]
    [InlineData(null)]
    [InlineData(64L)]
    public void Safetensors_ReadBackWhatWasWritten(long? partBytes)
    {
        NamedWeight[] weights = [Source("a", WeightType.F32, 3), Source("bb", WeightType.F8E4M3, 2, 64),
            Source("ccc", WeightType.BF16, 2, 3), Source("dddd", WeightType.U16)];
        SafetensorsFolder.Write(folder.File("m"), weights, partBytes);
        SafetensorsFolder.Write(folder.File("again"), weights, partBytes);
        string[] names = [.. Directory.EnumerateFiles(folder.File("m")).Select(path => Path.GetFileName(path)!)];
        Assert.Equal(partBytes is null ? 1 : 4, names.Length);
        Assert.All(names,
            name => Assert.Equal(File.ReadAllBytes(folder.File($"m/{name}")), File.ReadAllBytes(folder.File($"again/{name}"))));
        using var file = WeightFile.Open(folder.File("m"));
        foreach (var weight in weights)
        {
            var bytes = new MemoryStream();
            weight.Write(bytes);
            Assert.Equal(bytes.ToArray(), file.Bytes(file[weight.Name]).ToArray());
            Assert.Equal(weight.ToString(), file[weight.Name].ToString());
        }
        SafetensorsFolder.Write(folder.File("m"), weights, partBytes);
        Assert.Throws<ModelFileException>(() =>
            SafetensorsFolder.Write(folder.File("m"), weights, partBytes is null ? 64 : null));
        Assert.Throws<ModelFileException>(() => SafetensorsFolder.Write(folder.File("x"), [Source("a", WeightType.Q8_0, 32)]));
    }
}
