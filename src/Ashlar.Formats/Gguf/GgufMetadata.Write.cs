using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Ashlar.Formats;

public sealed partial class GgufMetadata
{
    /// <summary>Sets a text.</summary>
    public void SetText(string key, string value)
    {
        ArgumentNullException.ThrowIfNull(value);
        Set(key, GgufValueType.Text, writer => Put(writer, value));
    }

    /// <summary>Sets a whole number.</summary>
    /// <exception cref="ModelFileException">The type cannot hold it.</exception>
    public void SetInt(string key, long value, GgufValueType type = GgufValueType.U32) =>
        Set(key, type, writer => Put(writer, key, type, value));

    /// <summary>Sets a number, as float32.</summary>
    public void SetFloat(string key, double value) =>
        Set(key, GgufValueType.F32, writer => BinaryPrimitives.WriteSingleLittleEndian(Take(writer, 4), (float)value));

    /// <summary>Sets a bool.</summary>
    public void SetBool(string key, bool value) =>
        Set(key, GgufValueType.Bool, writer => Take(writer, 1)[0] = value ? (byte)1 : (byte)0);

    /// <summary>Sets a list of texts.</summary>
    public void SetTexts(string key, IReadOnlyCollection<string> values) =>
        SetList(key, GgufValueType.Text, values, (writer, value) => Put(writer, value));

    /// <summary>Sets a list of texts by their bytes, which need not be UTF-8.</summary>
    public void SetTexts(string key, IReadOnlyCollection<ReadOnlyMemory<byte>> values) =>
        SetList(key, GgufValueType.Text, values, (writer, value) => Put(writer, value.Span));

    /// <summary>Sets a list of whole numbers.</summary>
    /// <exception cref="ModelFileException">The type cannot hold one of them.</exception>
    public void SetInts(string key, IReadOnlyCollection<long> values, GgufValueType type = GgufValueType.I32) =>
        SetList(key, type, values, (writer, value) => Put(writer, key, type, value));

    /// <summary>Sets a list of numbers, as float32.</summary>
    public void SetFloats(string key, IReadOnlyCollection<float> values) =>
        SetList(key, GgufValueType.F32, values,
            (writer, value) => BinaryPrimitives.WriteSingleLittleEndian(Take(writer, 4), value));

    /// <summary>Sets a list of bools.</summary>
    public void SetBools(string key, IReadOnlyCollection<bool> values) =>
        SetList(key, GgufValueType.Bool, values, (writer, value) => Take(writer, 1)[0] = value ? (byte)1 : (byte)0);

    /// <summary>Takes a value over from other metadata, byte for byte.</summary>
    /// <exception cref="ModelFileException">There is none of this name.</exception>
    public void Copy(GgufMetadata from, string key)
    {
        ArgumentNullException.ThrowIfNull(from);
        fields[key] = from[key];
    }

    /// <summary>Takes a value away, where there is one.</summary>
    public void Remove(string key) => fields.Remove(key);

    /// <summary>The same values, to be changed on their own.</summary>
    public GgufMetadata Clone()
    {
        var clone = new GgufMetadata(Path);
        foreach (var (key, field) in fields) clone.fields.Add(key, field);
        return clone;
    }

    /// <summary>Writes all fields as files have them.</summary>
    internal void WriteTo(IBufferWriter<byte> writer)
    {
        foreach (var (key, field) in fields)
        {
            Put(writer, key);
            BinaryPrimitives.WriteUInt32LittleEndian(Take(writer, 4), (uint)field.Type);
            writer.Write(field.Value.Span);
        }
    }

    /// <summary>A text with its length before it.</summary>
    internal static void Put(IBufferWriter<byte> writer, string text) => Put(writer, Encoding.UTF8.GetBytes(text));

    static void Put(IBufferWriter<byte> writer, ReadOnlySpan<byte> text)
    {
        BinaryPrimitives.WriteInt64LittleEndian(Take(writer, 8), text.Length);
        writer.Write(text);
    }

    void Put(IBufferWriter<byte> writer, string key, GgufValueType type, long value)
    {
        if (!IsInteger(type)) throw new ArgumentException($"{type} holds no whole numbers.", nameof(type));
        var (least, most) = type switch
        {
            GgufValueType.U8 => (0L, byte.MaxValue),
            GgufValueType.I8 => (sbyte.MinValue, sbyte.MaxValue),
            GgufValueType.U16 => (0, ushort.MaxValue),
            GgufValueType.I16 => (short.MinValue, short.MaxValue),
            GgufValueType.U32 => (0, uint.MaxValue),
            GgufValueType.I32 => (int.MinValue, int.MaxValue),
            GgufValueType.U64 => (0, long.MaxValue),
            _ => (long.MinValue, long.MaxValue),
        };
        if (value < least || value > most)
            throw new ModelFileException("ASH0460", $"'{key}' is {value:N0}, which {type} cannot hold.",
                "check the configuration of the model.");
        var bytes = Take(writer, SizeOf(type));
        for (int i = 0; i < bytes.Length; i++) bytes[i] = (byte)(value >> 8 * i);
    }

    void SetList<T>(string key, GgufValueType type, IReadOnlyCollection<T> values, Action<IBufferWriter<byte>, T> put)
    {
        ArgumentNullException.ThrowIfNull(values);
        Set(key, GgufValueType.List, writer =>
        {
            BinaryPrimitives.WriteUInt32LittleEndian(Take(writer, 4), (uint)type);
            BinaryPrimitives.WriteInt64LittleEndian(Take(writer, 8), values.Count);
            foreach (var value in values) put(writer, value);
        });
    }

    void Set(string key, GgufValueType type, Action<IBufferWriter<byte>> put)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        var writer = new ArrayBufferWriter<byte>();
        put(writer);
        fields[key] = new(type, writer.WrittenMemory);
    }

    static Span<byte> Take(IBufferWriter<byte> writer, int bytes)
    {
        var span = writer.GetSpan(bytes)[..bytes];
        writer.Advance(bytes);
        return span;
    }
}
