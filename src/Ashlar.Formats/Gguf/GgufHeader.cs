using System.Buffers.Binary;

namespace Ashlar.Formats;

/// <summary>What stands before the weights of a GGUF file. Read with every claim checked against the length of the
/// file.</summary>
sealed record GgufHeader(GgufMetadata Metadata, WeightEntry[] Entries, int Alignment)
{
    const int MostAxes = 8, LongestName = 65535;

    /// <summary>The bytes of a tensor's line with an empty name and no axes; no file has more lines than fit.</summary>
    const int LeastTensorBytes = 8 + 4 + 4 + 8;

    /// <summary>The same with its entries in another part of a model.</summary>
    public GgufHeader InPart(int part) =>
        part == 0 ? this : this with { Entries = [.. Entries.Select(entry => entry with { Part = part })] };

    public static GgufHeader Read(MappedFile file, int part)
    {
        var cursor = new GgufCursor(file);
        string path = file.Path;
        if (file.Bytes < 4 || cursor.U32("the magic number") != Gguf.Magic)
            throw Foreign(path, "does not begin with GGUF",
                "name a .gguf file; a download may have brought a web page or a pointer in its place.");
        uint version = cursor.U32("the version");
        if ((version & 0xffff) == 0 && BinaryPrimitives.ReverseEndianness(version) is > 0 and < 0x10000)
            throw Foreign(path, "is in big-endian byte order, which Ashlar does not read",
                "convert it: gguf_convert_endian.py FILE little, of llama.cpp.");
        if (version is not (2 or 3))
            throw Foreign(path, $"is of version {version:N0}, and Ashlar reads versions 2 and 3",
                version == 1 ? "convert it again with a llama.cpp of today." : "check for a newer Ashlar.");
        ulong tensors = cursor.U64("the number of tensors");
        ulong fields = cursor.U64("the number of metadata");
        cursor.ThrowUnlessFit(fields, GgufMetadata.LeastFieldBytes, "metadata");
        var metadata = GgufMetadata.Read(cursor, (int)fields);
        cursor.ThrowUnlessFit(tensors, LeastTensorBytes, "tensors");
        int alignment = ReadAlignment(path, metadata);
        var entries = new WeightEntry[tensors];
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (int i = 0; i < entries.Length; i++)
        {
            entries[i] = ReadTensor(cursor, i, part, alignment);
            if (!seen.Add(entries[i].Name)) throw Wrong(path, $"two tensors are called '{entries[i].Name}'");
        }
        long origin = (cursor.Position + alignment - 1) / alignment * alignment;
        return new(metadata, Place(file, entries, origin), alignment);
    }

    static int ReadAlignment(string path, GgufMetadata metadata)
    {
        if (!metadata.Has("general.alignment")) return Gguf.DefaultAlignment;
        long alignment = metadata.Int("general.alignment");
        if (alignment is < 1 or > 1 << 20 || !long.IsPow2(alignment))
            throw new ModelFileException("ASH0453",
                $"{path}: general.alignment is {alignment:N0}, but should be a power of two up to {1 << 20:N0}.",
                    "write or download the file again.");
        return (int)alignment;
    }

    /// <summary>One tensor's line. Its offset still counts from the first weight.</summary>
    static WeightEntry ReadTensor(GgufCursor cursor, int index, int part, int alignment)
    {
        string path = cursor.File.Path;
        string name = cursor.Name(LongestName, $"the name of tensor {index}");
        uint axes = cursor.U32($"the number of axes of '{name}'");
        if (axes > MostAxes) throw Wrong(path, $"'{name}' has {axes:N0} axes, but a tensor has at most {MostAxes}");
        long[] extents = new long[axes];
        for (int axis = 0; axis < axes; axis++)
        {
            ulong extent = cursor.U64($"the extents of '{name}'");
            if (extent > long.MaxValue) throw Wrong(path, $"'{name}' has an extent of {extent:N0}, which no file can hold");
            extents[axes - 1 - axis] = (long)extent;   // the file has the fastest axis first
        }
        uint number = cursor.U32($"the type of '{name}'");
        if (WeightTypes.OfGguf(number) is not { } type)
            throw Wrong(path, WeightTypes.Retired(number) is { } once
                ? $"'{name}' is of the type {once} (number {number}), which llama.cpp has given up" : $"'{name}' is of the type number {number:N0}, which Ashlar does not know",
                "quantise the model again, to a type of today.");
        if (axes > 0 && extents[^1] % type.BlockElements != 0)
            throw Wrong(path,
                $"'{name}' is {type.Name}[{string.Join(", ", extents)}], but its rows are no whole number of blocks of {type.BlockElements}");
        if (WeightTypes.BytesOf(type, extents) is not { } bytes)
            throw Wrong(path, $"'{name}' is {type.Name}[{string.Join(", ", extents)}], whose bytes no file can hold");
        ulong offset = cursor.U64($"the place of '{name}'");
        if (offset > long.MaxValue) throw Wrong(path, $"'{name}' begins at byte {offset:N0} of the data, which no file has");
        if ((long)offset % alignment != 0)
            throw Wrong(path, $"'{name}' begins at byte {offset:N0} of the data, but weights begin at multiples of {alignment}");
        return new(name, type, [.. extents], (long)offset, bytes, part);
    }

    static WeightEntry[] Place(MappedFile file, WeightEntry[] entries, long origin)
    {
        WeightEntry[] sorted = [.. entries.OrderBy(entry => entry.Offset).ThenBy(entry => entry.Bytes)];
        long end = 0;
        string before = "the header";
        for (int i = 0; i < sorted.Length; i++)
        {
            var entry = sorted[i];
            if (entry.Offset < end)
                throw new ModelFileException("ASH0455",
                    $"{file.Path}: '{entry.Name}' begins at byte {entry.Offset:N0} of the data, but {before} ends at byte {end:N0}: they overlap.",
                    "write or download the file again.");
            if ((Int128)origin + entry.Offset + entry.Bytes > file.Bytes)
                throw new ModelFileException("ASH0452",
                    $"{file.Path} is cut short: '{entry.Name}', {entry.Type.Name}{entry.Extents}, should end at byte "
                    + $"{(Int128)origin + entry.Offset + entry.Bytes:N0}, but the file has {file.Bytes:N0} bytes.",
                    "copy or download the file again; what is there cannot be used.");
            (end, before) = (entry.Offset + entry.Bytes, $"'{entry.Name}'");
            sorted[i] = entry with { Offset = origin + entry.Offset };
        }
        return sorted;
    }

    static ModelFileException Foreign(string path, string problem, string fix) => new("ASH0451", $"{path} {problem}.", fix);

    static ModelFileException Wrong(string path, string problem, string fix = "write or download the file again.") =>
        new("ASH0454", $"{path}: {problem}.", fix);
}
