using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Unicode;

namespace Ashlar.Formats;

/// <summary>The types of values in the metadata of GGUF files; the numbers are those of the format.</summary>
public enum GgufValueType : byte
{
    /// <summary>Unsigned 8-bit integer.</summary>
    U8 = 0,
    /// <summary>Signed 8-bit integer.</summary>
    I8 = 1,
    /// <summary>Unsigned 16-bit integer.</summary>
    U16 = 2,
    /// <summary>Signed 16-bit integer.</summary>
    I16 = 3,
    /// <summary>Unsigned 32-bit integer.</summary>
    U32 = 4,
    /// <summary>Signed 32-bit integer.</summary>
    I32 = 5,
    /// <summary>IEEE 754 binary32.</summary>
    F32 = 6,
    /// <summary>True or false, one byte.</summary>
    Bool = 7,
    /// <summary>Bytes, meant to be UTF-8, with their number before them.</summary>
    Text = 8,
    /// <summary>A type, a number, and as many values of that type.</summary>
    List = 9,
    /// <summary>Unsigned 64-bit integer.</summary>
    U64 = 10,
    /// <summary>Signed 64-bit integer.</summary>
    I64 = 11,
    /// <summary>IEEE 754 binary64.</summary>
    F64 = 12,
}

/// <summary>Named values: what a GGUF file says about its model and tokenizer.</summary>
/// <remarks>
/// Values stay the bytes of the file until they are asked for, so that a vocabulary of 150,000 tokens costs nothing before.
/// Reading is thread-safe. The setters build the metadata of a file that is to be written; they do not change a file.
/// </remarks>
public sealed partial class GgufMetadata
{
    /// <summary>The bytes of the shortest field: a name of one letter, a type and a byte.</summary>
    internal const int LeastFieldBytes = 8 + 1 + 4 + 1;

    const int LongestKey = 65535, DeepestList = 8;

    readonly OrderedDictionary<string, Field> fields = new(StringComparer.Ordinal);

    readonly record struct Field(GgufValueType Type, ReadOnlyMemory<byte> Value);

    /// <summary>No values yet.</summary>
    public GgufMetadata() : this("the metadata")
    {
    }

    GgufMetadata(string path) => Path = path;

    /// <summary>Where they come from, for errors.</summary>
    string Path { get; }

    /// <summary>Every name, in the order of the file.</summary>
    public IReadOnlyList<string> Keys => fields.Keys;

    /// <summary>True where there is a value of this name.</summary>
    public bool Has(string key) => fields.ContainsKey(key);

    /// <summary>The type of a value.</summary>
    /// <exception cref="ModelFileException">There is none of this name.</exception>
    public GgufValueType TypeOf(string key) => this[key].Type;

    /// <summary>The type of the items of a list, and how many it has.</summary>
    /// <exception cref="ModelFileException">There is no list of this name.</exception>
    public (GgufValueType Type, int Count) ListOf(string key)
    {
        var field = this[key];
        if (field.Type != GgufValueType.List) throw OfAnotherType(key, field, "a list");
        return Items(field.Value.Span);
    }

    /// <summary>A text.</summary>
    /// <exception cref="ModelFileException">There is no text of this name, or it is not UTF-8.</exception>
    public string Text(string key)
    {
        var field = this[key];
        if (field.Type != GgufValueType.Text) throw OfAnotherType(key, field, "a text");
        return Decode(key, field.Value.Span[8..]);
    }

    /// <summary>A whole number, of any of the integer types.</summary>
    /// <exception cref="ModelFileException">There is no whole number of this name, or it is over 2^63 - 1.</exception>
    public long Int(string key)
    {
        var field = this[key];
        return IsInteger(field.Type) ? ToInt(key, field.Type, field.Value.Span)
            : throw OfAnotherType(key, field, "a whole number");
    }

    /// <summary>A number; whole numbers are taken too.</summary>
    /// <exception cref="ModelFileException">There is no number of this name.</exception>
    public double Float(string key)
    {
        var field = this[key];
        return IsInteger(field.Type) || IsFloat(field.Type) ? ToFloat(key, field.Type, field.Value.Span)
            : throw OfAnotherType(key, field, "a number");
    }

    /// <summary>True or false.</summary>
    /// <exception cref="ModelFileException">There is no bool of this name.</exception>
    public bool Bool(string key)
    {
        var field = this[key];
        return field.Type == GgufValueType.Bool ? field.Value.Span[0] != 0 : throw OfAnotherType(key, field, "a bool");
    }

    /// <summary>A list of texts, each made when it is asked for. Keep the list: making it walks over all its bytes
    /// once.</summary>
    /// <exception cref="ModelFileException">There is no list of texts of this name.</exception>
    public GgufTexts Texts(string key)
    {
        var field = List(key, type => type == GgufValueType.Text, "a list of texts", out _, out int count);
        return new(Path, key, field.Value[12..], count);
    }

    /// <summary>A list of whole numbers; a single one is a list of one.</summary>
    /// <exception cref="ModelFileException">There are no whole numbers of this name.</exception>
    public long[] Ints(string key)
    {
        if (fields.TryGetValue(key, out var single) && IsInteger(single.Type)) return [Int(key)];
        var field = List(key, IsInteger, "a list of whole numbers", out var type, out int count);
        long[] numbers = new long[count];
        int size = SizeOf(type);
        for (int i = 0; i < count; i++) numbers[i] = ToInt(key, type, field.Value.Span[(12 + i * size)..]);
        return numbers;
    }

    /// <summary>A list of numbers, as float32; a single one is a list of one.</summary>
    /// <exception cref="ModelFileException">There are no numbers of this name.</exception>
    public float[] Floats(string key)
    {
        if (fields.TryGetValue(key, out var single)
            && (IsInteger(single.Type) || IsFloat(single.Type))) return [(float)Float(key)];
        var field = List(key, type => IsInteger(type) || IsFloat(type), "a list of numbers", out var type, out int count);
        float[] numbers = new float[count];
        int size = SizeOf(type);
        if (type == GgufValueType.F32) MemoryMarshal.Cast<byte, float>(field.Value.Span[12..]).CopyTo(numbers);
        else for (int i = 0; i < count; i++) numbers[i] = (float)ToFloat(key, type, field.Value.Span[(12 + i * size)..]);
        return numbers;
    }

    /// <summary>A list of bools; a single one is a list of one.</summary>
    /// <exception cref="ModelFileException">There are no bools of this name.</exception>
    public bool[] Bools(string key)
    {
        if (fields.TryGetValue(key, out var single) && single.Type == GgufValueType.Bool) return [Bool(key)];
        var field = List(key, type => type == GgufValueType.Bool, "a list of bools", out _, out int count);
        bool[] values = new bool[count];
        for (int i = 0; i < count; i++) values[i] = field.Value.Span[12 + i] != 0;
        return values;
    }

    /// <summary>A text, where there is a value of this name.</summary>
    /// <exception cref="ModelFileException">There is one, but it is no text.</exception>
    public bool TryText(string key, [NotNullWhen(true)] out string? value) => Try(key, Text, out value);

    /// <summary>A whole number, where there is a value of this name.</summary>
    /// <exception cref="ModelFileException">There is one, but it is no whole number.</exception>
    public bool TryInt(string key, out long value) => Try(key, Int, out value);

    /// <summary>A number, where there is a value of this name.</summary>
    /// <exception cref="ModelFileException">There is one, but it is no number.</exception>
    public bool TryFloat(string key, out double value) => Try(key, Float, out value);

    /// <summary>A bool, where there is a value of this name.</summary>
    /// <exception cref="ModelFileException">There is one, but it is no bool.</exception>
    public bool TryBool(string key, out bool value) => Try(key, Bool, out value);

    /// <summary>A list of texts, where there is a value of this name.</summary>
    /// <exception cref="ModelFileException">There is one, but it is no list of texts.</exception>
    public bool TryTexts(string key, [NotNullWhen(true)] out GgufTexts? value) => Try(key, Texts, out value);

    /// <summary>Whole numbers, where there is a value of this name.</summary>
    /// <exception cref="ModelFileException">There is one, but it is something else.</exception>
    public bool TryInts(string key, [NotNullWhen(true)] out long[]? value) => Try(key, Ints, out value);

    /// <summary>Numbers, where there is a value of this name.</summary>
    /// <exception cref="ModelFileException">There is one, but it is something else.</exception>
    public bool TryFloats(string key, [NotNullWhen(true)] out float[]? value) => Try(key, Floats, out value);

    /// <summary>Bools, where there is a value of this name.</summary>
    /// <exception cref="ModelFileException">There is one, but it is something else.</exception>
    public bool TryBools(string key, [NotNullWhen(true)] out bool[]? value) => Try(key, Bools, out value);

    /// <summary>A value as people read it: a list by its length and its first items, a long text by its beginning.</summary>
    /// <exception cref="ModelFileException">There is none of this name.</exception>
    public string ValueText(string key)
    {
        const int Most = 6, Letters = 200;
        var field = this[key];
        if (field.Type == GgufValueType.List)
        {
            var (type, count) = Items(field.Value.Span);
            IEnumerable<string> shown = type switch
            {
                GgufValueType.Text => Texts(key).Shown(Most),
                GgufValueType.Bool => Bools(key).Take(Most).Select(value => value ? "true" : "false"),
                GgufValueType.List => [],
                _ when IsFloat(type) => Floats(key).Take(Most).Select(value => value.ToString(CultureInfo.InvariantCulture)),
                _ => Ints(key).Take(Most).Select(value => value.ToString(CultureInfo.InvariantCulture)),
            };
            string items = string.Join(", ", shown);
            return count <= Most && items.Length > 0
                ? $"[{items}]" : $"[{items}{(items.Length > 0 ? ", ..." : "")}] ({count:N0})";
        }
        if (field.Type == GgufValueType.Text)
        {
            string text = Encoding.UTF8.GetString(field.Value.Span[8..]).ReplaceLineEndings(" ");
            return text.Length <= Letters ? text : $"{text[..Letters]}...";
        }
        return field.Type == GgufValueType.Bool ? (Bool(key) ? "true" : "false")
            : field.Type == GgufValueType.U64 ? BinaryPrimitives.ReadUInt64LittleEndian(field.Value.Span)
                .ToString(CultureInfo.InvariantCulture)
            : field.Type == GgufValueType.F32 ? ((float)Float(key)).ToString(CultureInfo.InvariantCulture)
            : IsFloat(field.Type) ? Float(key).ToString(CultureInfo.InvariantCulture) : Int(key)
                .ToString(CultureInfo.InvariantCulture);
    }

    Field this[string key] => fields.TryGetValue(key, out var field) ? field : throw new ModelFileException("ASH0458",
        $"{Path} does not say '{key}'.{SimilarNames.Text(key, fields.Keys)}",
            "check that the file is whole and of the model that it is read for.");

    bool Try<T>(string key, Func<string, T> read, [MaybeNullWhen(false)] out T value)
    {
        value = Has(key) ? read(key) : default;
        return Has(key);
    }

    Field List(string key, Func<GgufValueType, bool> isWanted, string wanted, out GgufValueType type, out int count)
    {
        var field = this[key];
        (type, count) = field.Type == GgufValueType.List ? Items(field.Value.Span) : default;
        return field.Type == GgufValueType.List && isWanted(type) ? field : throw OfAnotherType(key, field, wanted);
    }

    static (GgufValueType Type, int Count) Items(ReadOnlySpan<byte> list) =>
        ((GgufValueType)BinaryPrimitives.ReadUInt32LittleEndian(list), (int)BinaryPrimitives.ReadUInt64LittleEndian(list[4..]));

    long ToInt(string key, GgufValueType type, ReadOnlySpan<byte> value) => type switch
    {
        GgufValueType.U8 => value[0],
        GgufValueType.I8 => (sbyte)value[0],
        GgufValueType.U16 => BinaryPrimitives.ReadUInt16LittleEndian(value),
        GgufValueType.I16 => BinaryPrimitives.ReadInt16LittleEndian(value),
        GgufValueType.U32 => BinaryPrimitives.ReadUInt32LittleEndian(value),
        GgufValueType.I32 => BinaryPrimitives.ReadInt32LittleEndian(value),
        GgufValueType.I64 => BinaryPrimitives.ReadInt64LittleEndian(value),
        _ => BinaryPrimitives.ReadUInt64LittleEndian(value) is <= long.MaxValue and var number ? (long)number
            : throw new ModelFileException("ASH0458", $"{Path}: '{key}' is over 2^63 - 1.", "write or download the file again."),
    };

    double ToFloat(string key, GgufValueType type, ReadOnlySpan<byte> value) => type switch
    {
        GgufValueType.F32 => BinaryPrimitives.ReadSingleLittleEndian(value),
        GgufValueType.F64 => BinaryPrimitives.ReadDoubleLittleEndian(value),
        _ => ToInt(key, type, value),
    };

    string Decode(string key, ReadOnlySpan<byte> text) => Utf8.IsValid(text) ? Encoding.UTF8.GetString(text)
        : throw new ModelFileException("ASH0453", $"{Path}: '{key}' is not UTF-8.", "write or download the file again.");

    ModelFileException OfAnotherType(string key, Field field, string wanted)
    {
        string found = field.Type != GgufValueType.List ? field.Type.ToString() : $"a list of {Items(field.Value.Span).Type}";
        return new("ASH0458", $"{Path}: '{key}' is {found}, but was read as {wanted}.",
            "check that the file is of the model that it is read for.");
    }

    static bool IsInteger(GgufValueType type) => type is <= GgufValueType.I32 or GgufValueType.U64 or GgufValueType.I64;

    static bool IsFloat(GgufValueType type) => type is GgufValueType.F32 or GgufValueType.F64;

    /// <summary>Bytes of a value whose size its type says.</summary>
    static int SizeOf(GgufValueType type) => type switch
    {
        GgufValueType.U8 or GgufValueType.I8 or GgufValueType.Bool => 1,
        GgufValueType.U16 or GgufValueType.I16 => 2,
        GgufValueType.U32 or GgufValueType.I32 or GgufValueType.F32 => 4,
        _ => 8,
    };
}
