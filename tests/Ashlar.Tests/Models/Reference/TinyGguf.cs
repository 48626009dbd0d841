using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace Ashlar.Tests.Models.Reference;

/// <summary>A <see cref="TinyModel"/> as llama.cpp's converter writes it: other names, other orders of rotary pairs, norms with
/// their 1 added, experts in one tensor. Written by code of its own; numbers are float32, experts that were MXFP4 stay
/// so.</summary>
/// <remarks>Source: ggml's docs/gguf.md, and llama.cpp's conversion scripts.</remarks>
sealed partial class TinyGguf
{
    const int F32 = 0, Mxfp4 = 39;

    readonly TinyModel model;
    readonly ReferenceConfig config;
    readonly List<(string Key, object Value)> metadata = [];
    readonly List<(string Name, int Type, int[] Shape, byte[] Data)> tensors = [];

    TinyGguf(TinyModel model, string architecture)
    {
        (this.model, Architecture, config) = (model, architecture, new(model.ParsedConfig));
        metadata.Add(("general.architecture", architecture));
        metadata.Add(("general.name", "tiny"));
        metadata.Add(("general.file_type", 0u));
    }

    public string Architecture { get; }

    /// <summary>Metadata of the architecture, or with a colon in front of any kind.</summary>
    void Say(string key, object value) => metadata.Add((key[0] == ':' ? key[1..] : $"{Architecture}.{key}", value));

    void Add(string name, int[] shape, float[] data) =>
        tensors.Add((name, F32, shape, MemoryMarshal.AsBytes<float>(data).ToArray()));

    void Add(string name, string source) => Add(name, model.Weights[source].Shape, model.Weights[source].Data);

    /// <summary>Adds a weight and, where there is one, its bias.</summary>
    void AddLinear(string name, string source, Func<float[], int[], float[]>? change = null)
    {
        foreach (string part in (string[])["weight", "bias"])
            if (model.Weights.TryGetValue($"{source}.{part}", out var weight))
                Add($"{name}.{part}", weight.Shape, change is null ? weight.Data : change(weight.Data, weight.Shape));
    }

    void AddNorm(string name, string source, float shift = 0)
    {
        if (model.Weights.TryGetValue($"{source}.weight", out var weight))
            Add($"{name}.weight", weight.Shape, [.. weight.Data.Select(value => value + shift)]);
        if (model.Weights.TryGetValue($"{source}.bias", out var bias)) Add($"{name}.bias", bias.Shape, bias.Data);
    }

    /// <summary>Experts that have a tensor each, as one tensor.</summary>
    void AddExperts(string name, int count, Func<int, string> source)
    {
        var parts = Enumerable.Range(0, count).Select(expert => model.Weights[source(expert) + ".weight"]).ToArray();
        Add($"{name}.weight", [count, .. parts[0].Shape], [.. parts.SelectMany(part => part.Data)]);
    }

    /// <summary>Rows of each head, whose halves are rotary partners, so that partners are neighbours.</summary>
    static Func<float[], int[], float[]> Interleave(int heads) => (data, shape) =>
    {
        int width = shape[0] / heads, row = data.Length / shape[0];
        var result = new float[data.Length];
        for (int h = 0; h < heads; h++)
            for (int i = 0; i < width; i++)
                Array.Copy(data, (h * width + i % 2 * (width / 2) + i / 2) * row, result, (h * width + i) * row, row);
        return result;
    };

    static float[] Transpose(float[] data, int rows, int columns)
    {
        var result = new float[data.Length];
        for (int r = 0; r < rows; r++)
            for (int c = 0; c < columns; c++)
                result[c * rows + r] = data[r * columns + c];
        return result;
    }

    /// <summary>Writes the file and gives its path.</summary>
    public string Write(string path)
    {
        using var stream = File.Create(path);
        using var writer = new BinaryWriter(stream);
        writer.Write("GGUF"u8);
        writer.Write(3u);
        writer.Write((ulong)tensors.Count);
        writer.Write((ulong)metadata.Count);
        foreach (var (key, value) in metadata)
        {
            WriteText(writer, key);
            WriteValue(writer, value);
        }
        ulong offset = 0;
        foreach (var (name, type, shape, data) in tensors)
        {
            WriteText(writer, name);
            writer.Write((uint)shape.Length);
            foreach (int extent in shape.Reverse()) writer.Write((ulong)extent);
            writer.Write((uint)type);
            writer.Write(offset);
            offset += (ulong)(data.Length + 31) / 32 * 32;
        }
        foreach (var (_, _, _, data) in tensors)
        {
            while (stream.Position % 32 != 0) writer.Write((byte)0);
            writer.Write(data);
        }
        return path;
    }

    static void WriteText(BinaryWriter writer, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }

    static void WriteValue(BinaryWriter writer, object value)
    {
        void Items<T>(uint type, T[] items, Action<T> write)
        {
            writer.Write(9u);
            writer.Write(type);
            writer.Write((ulong)items.Length);
            foreach (var item in items) write(item);
        }
        switch (value)
        {
            case uint number: writer.Write(4u); writer.Write(number); break;
            case int number: writer.Write(4u); writer.Write((uint)number); break;
            case double number: writer.Write(6u); writer.Write((float)number); break;
            case bool flag: writer.Write(7u); writer.Write(flag); break;
            case string text: writer.Write(8u); WriteText(writer, text); break;
            case string[] texts: Items(8, texts, text => WriteText(writer, text)); break;
            case float[] numbers: Items(6, numbers, writer.Write); break;
            case int[] numbers: Items(5, numbers, writer.Write); break;
            case bool[] flags: Items(7, flags, writer.Write); break;
            default: throw new NotSupportedException($"{value.GetType()}");
        }
    }

    /// <summary>An MXFP4 block as GGUF has it: the power of two first, then low halves for the first 16 numbers and high halves
    /// for the others.</summary>
    static void WriteBlock(Span<byte> block, byte scale, ReadOnlySpan<float> pairs)
    {
        Span<byte> codes = stackalloc byte[32];
        for (int i = 0; i < 16; i++) (codes[2 * i], codes[2 * i + 1]) = ((byte)((int)pairs[i] & 15), (byte)((int)pairs[i] >> 4));
        block[0] = scale;
        for (int i = 0; i < 16; i++) block[1 + i] = (byte)(codes[i] | codes[16 + i] << 4);
    }
}
