using System.Text;
using Ashlar.Formats;

namespace Ashlar.Tests.Formats;

/// <summary>Builds GGUF files byte by byte, wrong ones too: apart from the writer, so that neither hides the other's
/// mistakes.</summary>
sealed class GgufBytes : IDisposable
{
    readonly MemoryStream fields = new(), tensors = new(), data = new();
    ulong fieldCount, tensorCount;

    public uint Magic { get; set; } = 0x46554747;

    public uint Version { get; set; } = 3;

    public int Alignment { get; set; } = 32;

    public ulong? FieldCount { get; set; }

    public ulong? TensorCount { get; set; }

    public void Dispose()
    {
        fields.Dispose();
        tensors.Dispose();
        data.Dispose();
    }

    public GgufBytes Field(string key, uint type, params byte[] value)
    {
        var writer = new BinaryWriter(fields);
        writer.Write(Text(key));
        writer.Write(type);
        writer.Write(value);
        fieldCount++;
        return this;
    }

    public GgufBytes Field(string key, string text) => Field(key, 8, Text(text));

    public GgufBytes Field(string key, uint number) => Field(key, 4, BitConverter.GetBytes(number));

    public GgufBytes Texts(string key, params string[] texts) =>
        Field(key, 9, [.. BitConverter.GetBytes(8), .. BitConverter.GetBytes((long)texts.Length), .. texts.SelectMany(Text)]);

    public GgufBytes Tensor(string name, uint type, long[] fastestFirst, byte[] content, ulong? offset = null)
    {
        while (data.Length % Alignment != 0) data.WriteByte(0);
        var writer = new BinaryWriter(tensors);
        writer.Write(Text(name));
        writer.Write((uint)fastestFirst.Length);
        foreach (long extent in fastestFirst) writer.Write(extent);
        writer.Write(type);
        writer.Write(offset ?? (ulong)data.Length);
        data.Write(content);
        tensorCount++;
        return this;
    }

    public byte[] Build()
    {
        var all = new MemoryStream();
        var writer = new BinaryWriter(all);
        writer.Write(Magic);
        writer.Write(Version);
        writer.Write(TensorCount ?? tensorCount);
        writer.Write(FieldCount ?? fieldCount);
        fields.WriteTo(all);
        tensors.WriteTo(all);
        while (all.Length % Alignment != 0) all.WriteByte(0);
        data.WriteTo(all);
        return all.ToArray();
    }

    public static byte[] Text(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        return [.. BitConverter.GetBytes((long)bytes.Length), .. bytes];
    }

    public static byte[] Floats(params float[] values) => [.. values.SelectMany(BitConverter.GetBytes)];
}
