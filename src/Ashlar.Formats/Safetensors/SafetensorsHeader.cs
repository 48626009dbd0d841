using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Unicode;

namespace Ashlar.Formats;

/// <summary>The header of safetensors files: 8 bytes of length, then JSON. Read with every claim checked, and written.</summary>
static class SafetensorsHeader
{
    const string MetadataName = "__metadata__";

    /// <summary>An array as the header has it; offsets count from the end of the header.</summary>
    readonly record struct Claim(string Name, WeightType Type, ValueList<long> Extents, long Start, long End);

    /// <param name="file">The mapped file.</param>
    /// <param name="part">Which file of a model it is.</param>
    /// <param name="tensorTypesOnly">True refuses element types that no tensor has.</param>
    public static (WeightEntry[] Entries, IReadOnlyDictionary<string, string> Metadata) Read(MappedFile file, int part,
        bool tensorTypesOnly)
    {
        string path = file.Path;
        if (file.Bytes < 8)
            throw Foreign(path,
                $"has {file.Bytes} bytes, but a safetensors file begins with 8 bytes that say how long its header is");
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(file.Memory<byte>(0, 8).Span);
        if (length is < 2 or > Safetensors.LongestHeader)
            throw Foreign(path, $"says in its first 8 bytes that its header has {length:N0} bytes, "
                + $"but a header has 2 to {Safetensors.LongestHeader:N0}");
        int available = (int)Math.Min((long)length, file.Bytes - 8);
        var text = file.Memory<byte>(8, available);
        if (available == 0 || text.Span[0] != (byte)'{')
            throw Foreign(path, "has no header that begins with '{' at byte 8");
        if (available < (long)length)
            throw CutShort(path, $"its header alone should end at byte {8 + length:N0}, but the file has {file.Bytes:N0} bytes");

        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        var claims = new List<Claim>();
        Parse(path, text, claims, metadata, tensorTypesOnly);
        return (Place(path, part, claims, 8 + (long)length, file.Bytes), metadata);
    }

    static void Parse(
        string path, ReadOnlyMemory<byte> text, List<Claim> claims, Dictionary<string, string> metadata, bool tensorTypesOnly)
    {
        if (!Utf8.IsValid(text.Span)) throw Invalid(path, "the header is not UTF-8");
        try
        {
            using var document = JsonDocument.Parse(text);
            var names = new HashSet<string>(StringComparer.Ordinal);
            foreach (var property in document.RootElement.EnumerateObject())
            {
                string name = property.Name;
                if (!names.Add(name)) throw Invalid(path, $"the header names '{name}' twice");
                if (name == MetadataName) ParseMetadata(path, property.Value, metadata);
                else claims.Add(ParseArray(path, name, property.Value, tensorTypesOnly));
            }
        }
        catch (JsonException error)
        {
            throw Invalid(path, $"the header is not JSON: {error.Message.TrimEnd('.')}");
        }
        catch (InvalidOperationException)
        {
            throw Invalid(path, "the header holds text with half of a surrogate pair");
        }
    }

    static void ParseMetadata(string path, JsonElement value, Dictionary<string, string> metadata)
    {
        if (value.ValueKind != JsonValueKind.Object)
            throw Invalid(path, $"{MetadataName} is {Kind(value)}, but should be an object of strings");
        foreach (var property in value.EnumerateObject())
        {
            if (property.Value.ValueKind != JsonValueKind.String)
                throw Invalid(path, $"{MetadataName}.{property.Name} is {Kind(property.Value)}, but should be a string");
            if (!metadata.TryAdd(property.Name, property.Value.GetString()!))
                throw Invalid(path, $"{MetadataName} names '{property.Name}' twice");
        }
    }

    static Claim ParseArray(string path, string name, JsonElement value, bool tensorTypesOnly)
    {
        if (value.ValueKind != JsonValueKind.Object)
            throw Invalid(path, $"'{name}' is {Kind(value)}, but should be an object with dtype, shape and data_offsets");
        JsonElement? dtypeText = null, shapeText = null, offsetsText = null;
        foreach (var property in value.EnumerateObject())
        {
            ref var place = ref dtypeText;
            switch (property.Name)
            {
                case "dtype": break;
                case "shape": place = ref shapeText; break;
                case "data_offsets": place = ref offsetsText; break;
                default:
                    throw Invalid(path,
                    $"'{name}' has a field '{property.Name}', but should have dtype, shape and data_offsets");
            }
            if (place is not null) throw Invalid(path, $"'{name}' gives {property.Name} twice");
            place = property.Value;
        }
        if (dtypeText is not { ValueKind: JsonValueKind.String } dtypeName)
            throw Invalid(path, $"'{name}' has no dtype that is a string");
        if (shapeText is not { ValueKind: JsonValueKind.Array } shapeList)
            throw Invalid(path, $"'{name}' has no shape that is a list of numbers");
        if (offsetsText is not { ValueKind: JsonValueKind.Array } offsetsList || offsetsList.GetArrayLength() != 2)
            throw Invalid(path, $"'{name}' has no data_offsets that are two numbers");

        string typeName = dtypeName.GetString()!;
        if (WeightTypes.OfSafetensors(typeName) is not { } type || tensorTypesOnly && type.DType is null)
            throw new ModelFileException("ASH0413",
                $"{path}: '{name}' has the element type '{typeName}', which Ashlar does not know. "
                + $"It knows {(tensorTypesOnly ? SafetensorsTypes.All : WeightTypes.SafetensorsNames)}.",
                "convert the file to one of these element types.");
        long[] extents = [.. shapeList.EnumerateArray().Select(extent => Number(path, name, "shape", extent))];
        long[] offsets = [.. offsetsList.EnumerateArray().Select(offset => Number(path, name, "data_offsets", offset))];
        if (offsets[1] < offsets[0])
            throw Wrong(path, name, $"has data_offsets from {offsets[0]:N0} to {offsets[1]:N0}, which end before they begin");
        Int128 elements = 1;
        foreach (long extent in extents)
        {
            elements *= extent;
            if (elements > long.MaxValue / type.BlockBytes)
                throw Wrong(path, name, $"has the shape [{string.Join(", ", extents)}], whose bytes no file can hold");
        }
        if (WeightTypes.BytesOf(type, extents) is not { } bytes)
            throw Wrong(path, name, $"is {type.Name}[{string.Join(", ", extents)}], which takes no whole number of bytes");
        if (bytes != offsets[1] - offsets[0])
            throw Wrong(path, name, $"is {type.Name}[{string.Join(", ", extents)}], which takes {bytes:N0} bytes, "
                + $"but its data_offsets span {offsets[1] - offsets[0]:N0}");
        return new(name, type, [.. extents], offsets[0], offsets[1]);
    }

    static long Number(string path, string name, string field, JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number) && number >= 0 ? number
            : throw Invalid(path, $"'{name}' has {value.GetRawText()} in its {field}, which is no whole number from 0 on");

    /// <summary>Checks that the arrays follow each other without gap or overlap and end where the file ends.</summary>
    static WeightEntry[] Place(string path, int part, List<Claim> claims, long origin, long fileBytes)
    {
        claims.Sort((a, b) => (a.Start, a.End) != (b.Start, b.End)
            ? (a.Start, a.End).CompareTo((b.Start, b.End)) : string.CompareOrdinal(a.Name, b.Name));
        long end = 0;
        string before = "the header";
        var entries = new WeightEntry[claims.Count];
        for (int i = 0; i < entries.Length; i++)
        {
            var claim = claims[i];
            if (claim.Start != end)
                throw new ModelFileException("ASH0415",
                    $"{path}: '{claim.Name}' begins at byte {claim.Start:N0} of the data, but {before} ends at byte {end:N0}: "
                    + (claim.Start < end ? "they overlap." : "there is a gap."),
                    "write the file again; arrays of a safetensors file follow each other without gap.");
            if (origin > fileBytes - claim.End)
                throw CutShort(path, $"'{claim.Name}', {claim.Type.Name}{claim.Extents}, should end at byte {(Int128)origin + claim.End:N0}, "
                    + $"but the file has {fileBytes:N0} bytes");
            entries[i] = new(claim.Name, claim.Type, claim.Extents, origin + claim.Start, claim.End - claim.Start, part);
            (end, before) = (claim.End, $"'{claim.Name}'");
        }
        if (origin + end != fileBytes)
            throw new ModelFileException("ASH0416",
                $"{path} has {fileBytes:N0} bytes, but its last array ends at byte {origin + end:N0}.",
                "write or download the file again; something was appended to it.");
        return entries;
    }

    /// <summary>Length and JSON of a header, padded with blanks so that the first array is aligned.</summary>
    public static byte[] Write(ReadOnlySpan<NamedWeight> arrays, IReadOnlyDictionary<string, string>? metadata)
    {
        var text = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(text))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                json.WriteStartObject(MetadataName);
                foreach (var (name, value) in metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal)) json.WriteString(name,
                    value);
                json.WriteEndObject();
            }
            var names = new HashSet<string>(StringComparer.Ordinal) { MetadataName };
            long offset = 0;
            foreach (var array in arrays)
            {
                if (!names.Add(array.Name))
                    throw new ModelFileException("ASH0419",
                        array.Name == MetadataName
                            ? $"an array is called '{MetadataName}', which the format reserves." : $"two arrays are called '{array.Name}'.",
                        "give every array a name of its own.");
                json.WriteStartObject(array.Name);
                json.WriteString("dtype", array.Type.SafetensorsName ?? throw new ModelFileException("ASH0419",
                    $"'{array.Name}' is {array.Type.Name}, which safetensors files do not have.", "convert it to another type."));
                json.WriteStartArray("shape");
                foreach (long extent in array.Extents) json.WriteNumberValue(extent);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset = checked(offset + array.Bytes));
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        int padded = (8 + text.WrittenCount + Safetensors.Alignment - 1) / Safetensors.Alignment * Safetensors.Alignment - 8;
        if (padded > Safetensors.LongestHeader)
            throw new ModelFileException("ASH0419",
                $"the header would have {padded:N0} bytes, but readers accept {Safetensors.LongestHeader:N0}.",
                "split the arrays over several files.");
        byte[] header = new byte[8 + padded];
        BinaryPrimitives.WriteInt64LittleEndian(header, padded);
        text.WrittenSpan.CopyTo(header.AsSpan(8));
        header.AsSpan(8 + text.WrittenCount).Fill((byte)' ');
        return header;
    }

    static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "a list",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "a bool",
    };

    static ModelFileException Foreign(string path, string problem) => new("ASH0411",
        $"{path} is no safetensors file: it {problem}.",
        "name a .safetensors file; a download may have brought a web page or a pointer in its place.");

    static ModelFileException Invalid(string path, string problem) => new("ASH0412",
        $"{path}: {problem}.", "write or download the file again.");

    static ModelFileException Wrong(string path, string name, string problem) => new("ASH0414",
        $"{path}: '{name}' {problem}.", "write or download the file again.");

    static ModelFileException CutShort(string path, string problem) => new("ASH0416",
        $"{path} is cut short: {problem}.", "copy or download the file again; what is there cannot be used.");
}
