namespace Ashlar.Formats;

public sealed partial class GgufMetadata
{
    /// <summary>Reads so many fields where the cursor stands.</summary>
    internal static GgufMetadata Read(GgufCursor cursor, int count)
    {
        var metadata = new GgufMetadata(cursor.File.Path);
        for (int i = 0; i < count; i++)
        {
            string key = cursor.Name(LongestKey, $"the name of metadata {i}");
            var type = ReadType(cursor, key);
            long start = cursor.Position;
            SkipValue(cursor, key, type, depth: 0);
            if (!metadata.fields.TryAdd(key, new(type, cursor.Since(start, $"'{key}'"))))
                throw Invalid(cursor, $"'{key}' stands there twice");
        }
        return metadata;
    }

    static GgufValueType ReadType(GgufCursor cursor, string key)
    {
        uint type = cursor.U32($"the type of '{key}'");
        return type <= (uint)GgufValueType.F64 ? (GgufValueType)type
            : throw Invalid(cursor, $"'{key}' is of the type number {type:N0}, which the format does not have");
    }

    static void SkipValue(GgufCursor cursor, string key, GgufValueType type, int depth)
    {
        if (type == GgufValueType.Text) cursor.Text($"'{key}'");
        else if (type == GgufValueType.List) SkipList(cursor, key, depth + 1);
        else SkipPlain(cursor, key, type, 1);
    }

    static void SkipList(GgufCursor cursor, string key, int depth)
    {
        if (depth > DeepestList) throw Invalid(cursor, $"'{key}' has lists within lists, more than {DeepestList} deep");
        var type = ReadType(cursor, key);
        ulong count = cursor.U64($"the length of '{key}'");
        cursor.ThrowUnlessFit(count, type switch { GgufValueType.Text => 8, GgufValueType.List => 12, _ => SizeOf(type) },
            $"items of '{key}'");
        if (type == GgufValueType.Text)
        {
            string what = $"an item of '{key}'";
            for (ulong i = 0; i < count; i++) cursor.Text(what);
        }
        else if (type == GgufValueType.List)
            for (ulong i = 0; i < count; i++) SkipList(cursor, key, depth + 1);
        else SkipPlain(cursor, key, type, (int)count);
    }

    static void SkipPlain(GgufCursor cursor, string key, GgufValueType type, int count)
    {
        long start = cursor.Position;
        cursor.Skip((long)count * SizeOf(type), $"'{key}'");
        if (type == GgufValueType.Bool && cursor.Since(start, $"'{key}'")
            .Span.IndexOfAnyExcept((byte)0, (byte)1) is >= 0 and var at)
            throw Invalid(cursor, $"'{key}' is a bool of {cursor.Since(start, key).Span[at]}, but should be 0 or 1");
    }

    static ModelFileException Invalid(GgufCursor cursor, string problem) => new("ASH0453",
        $"{cursor.File.Path}: {problem}.", "write or download the file again.");
}
