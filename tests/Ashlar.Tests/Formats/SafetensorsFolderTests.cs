using System.Buffers.Binary;
using System.Text;
using Ashlar.Formats;

namespace Ashlar.Tests.Formats;

public sealed class SafetensorsFolderTests : IDisposable
{
    readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    internal static byte[] FileOf(string header, byte[] data)
    {
        byte[] text = Encoding.UTF8.GetBytes(header);
        byte[] length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, text.Length);
        return [.. length, .. text, .. data];
    }

    void WriteShard(string name, params string[] weights)
    {
        string header = string.Join(",", weights.Select((weight, i) =>
            $$"""  "{{weight}}":{"dtype":"BF16","shape":[1],"data_offsets":[{{2 * i}},{{2 * i + 2}}]}"""));
        folder.Write(name, FileOf($"{{{header}}}", new byte[2 * weights.Length]));
    }

    void WriteIndex(params (string Weight, string File)[] places)
    {
        string map = string.Join(",", places.Select(place => $"\"{place.Weight}\":\"{place.File}\""));
        folder.Write(SafetensorsFolder.IndexName, Encoding.UTF8.GetBytes("{\"metadata\":{\"total_size\":1},\"weight_map\":{"
            + map + "}}"));
    }

    string Message(string code)
    {
        var error = Assert.Throws<ModelFileException>(() => WeightFile.Open(folder.Path));
        Assert.True(code == error.Code, error.Message);
        return error.Message;
    }

    [Fact]
    public void Open_ReadsEveryElementType()
    {
        string[] types = [.. WeightTypes.All.Select(type => type.SafetensorsName).OfType<string>()];
        var header = new StringBuilder("{");
        int at = 0;
        foreach (string name in types)
        {
            var type = WeightTypes.OfSafetensors(name)!.Value;
            int bytes = 4 / type.BlockElements * type.BlockBytes;
            header.Append(
                $$"""{{(at == 0 ? "" : ",")}}"{{name}}":{"dtype":"{{name}}","shape":[2,2],"data_offsets":[{{at}},{{at += bytes}}]}""");
        }
        folder.Write("model.safetensors", FileOf(header.Append('}').ToString(), new byte[at]));
        using var file = WeightFile.Open(folder.Path);
        Assert.Equal(types, file.Entries.Select(entry => entry.Type.SafetensorsName));
        Assert.All(file.Entries, entry => Assert.Equal(4, entry.Elements));
        Assert.Equal(2, file["F4"].Bytes);
        Assert.Equal(3, file["F6_E2M3"].Bytes);
    }

    [Fact]
    public void Shards_AreOneModel_AndKeepTheirPlaces()
    {
        WriteShard("model-00001-of-00002.safetensors", "a", "b");
        WriteShard("model-00002-of-00002.safetensors", "c");
        WriteIndex(("a", "model-00001-of-00002.safetensors"), ("b", "model-00001-of-00002.safetensors"),
            ("c", "model-00002-of-00002.safetensors"));
        using var file = (SafetensorsFolder)WeightFile.Open(folder.Path);
        Assert.Equal(["a", "b", "c"], file.Entries.Select(entry => entry.Name));
        Assert.Equal([0, 0, 1], file.Entries.Select(entry => entry.Part));
        Assert.Equal(folder.Path, file.Folder);
        using var indexed = WeightFile.Open(folder.File(SafetensorsFolder.IndexName));
        using var single = WeightFile.Open(folder.File("model-00002-of-00002.safetensors"));
        Assert.Equal((3, 1), (indexed.Entries.Count, single.Entries.Count));
    }

    [Fact]
    public void Index_MustFitTheFiles()
    {
        WriteShard("one.safetensors", "a", "b");
        WriteIndex(("a", "one.safetensors"), ("c", "two.safetensors"));
        string missing = Message("ASH0456");
        Assert.Contains("two.safetensors", missing);
        Assert.Contains("'c'", missing);
        WriteShard("two.safetensors", "d");
        Assert.Contains("'c' is in two.safetensors, but that file has no such weight", Message("ASH0456"));
        WriteShard("two.safetensors", "c", "b");
        Assert.Contains("'b' is in one.safetensors and again in two.safetensors", Message("ASH0456"));
        WriteShard("two.safetensors", "c");
        WriteIndex(("a", "two.safetensors"), ("c", "one.safetensors"));
        Assert.Contains("but it is in one.safetensors", Message("ASH0456"));
    }

    [Theory]
    [InlineData("""{"weight_map":{"a":"../x.safetensors"}}""", "same folder")]
    [InlineData("""{"weight_map":{"a":"/etc/passwd"}}""", "same folder")]
    [InlineData("""{"weight_map":{"a":1}}""", "same folder")]
    [InlineData("""{"weight_map":{"a":"x","a":"x"}}""", "'a' twice")]
    [InlineData("""{"weight_map":{}}""", "no weight")]
    [InlineData("""{"weight_map":[]}""", "no weight_map")]
    [InlineData("""[]""", "no weight_map")]
    [InlineData("""{"weight_map":""", "not JSON")]
    [InlineData("""{"weight_map":{"\ud800":"x"}}""", "surrogate")]
    public void Index_MustBeWellFormed(string text, string says)
    {
        folder.Write(SafetensorsFolder.IndexName, Encoding.UTF8.GetBytes(text));
        Assert.Contains(says, Message("ASH0457"));
    }

    [Fact]
    public void Open_SaysWhatAFolderLacks()
    {
        Assert.Contains("holds no model", Message("ASH0450"));
        WriteShard("a.safetensors", "a");
        using (var file = WeightFile.Open(folder.Path)) Assert.Single(file.Entries);
        WriteShard("b.safetensors", "b");
        Assert.Contains("2 safetensors files", Message("ASH0450"));
        using var other = new TemporaryFolder();
        other.Write("a.gguf", new GgufBytes().Build());
        other.Write("b.gguf", new GgufBytes().Build());
        Assert.Contains("a.gguf, b.gguf", Assert.Throws<ModelFileException>(() => WeightFile.Open(other.Path)).Message);
    }
}
