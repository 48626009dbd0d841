using System.Buffers;
using System.Buffers.Binary;

namespace Ashlar.Formats;

/// <summary>Writes GGUF files: docs/formats/gguf.md.</summary>
static class GgufWriter
{
    const int MostAxes = 4;   // what llama.cpp reads

    public static void Write(string path, GgufMetadata metadata, IEnumerable<NamedWeight> weights, long? partBytes)
    {
        var parts = NamedWeight.Split(weights, partBytes);
        Check(parts);
        if (parts.Length == 1)
        {
            AtomicFile.Write(path, stream => WritePart(stream, metadata, parts[0]));
            return;
        }
        if (parts.Length > ushort.MaxValue)
            throw new ModelFileException("ASH0460",
                $"the model would have {parts.Length:N0} parts, but the format has {ushort.MaxValue:N0}.",
                "make the parts larger.");
        string stem = path.EndsWith(".gguf", StringComparison.Ordinal) ? path[..^".gguf".Length] : path;
        for (int part = 0; part < parts.Length; part++)
        {
            var own = part == 0 ? metadata.Clone() : new GgufMetadata();
            if (part > 0 && metadata.Has("general.alignment")) own.Copy(metadata, "general.alignment");
            own.SetInt("split.no", part, GgufValueType.U16);
            own.SetInt("split.count", parts.Length, GgufValueType.U16);
            own.SetInt("split.tensors.count", parts.Sum(other => other.Length), GgufValueType.I32);
            var weightsOfPart = parts[part];
            AtomicFile.Write(new SplitName(stem, part + 1, parts.Length, ".gguf").ToString(),
                stream => WritePart(stream, own, weightsOfPart));
        }
    }

    static void Check(NamedWeight[][] parts)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var weight in parts.SelectMany(part => part))
        {
            if (!seen.Add(weight.Name)) throw Invalid($"two weights are called '{weight.Name}'.",
                "give every weight a name of its own.");
            if (weight.Type.GgufNumber is null)
                throw Invalid($"'{weight.Name}' is {weight.Type.Name}, which GGUF files do not have.",
                    "convert it to another type.");
            if (weight.Extents.Count > MostAxes)
                throw Invalid($"{weight} has {weight.Extents.Count} axes, but readers take {MostAxes}.",
                    "merge axes before it is written.");
            if (weight.RowElements % weight.Type.BlockElements != 0)
                throw Invalid($"{weight} has rows that are no whole number of blocks of {weight.Type.BlockElements}.",
                    "choose another type for it.");
        }
    }

    static void WritePart(Stream stream, GgufMetadata metadata, NamedWeight[] weights)
    {
        int alignment = metadata.TryInt("general.alignment", out long given) ? (int)given : Gguf.DefaultAlignment;
        var header = new ArrayBufferWriter<byte>();
        PutU32(header, Gguf.Magic);
        PutU32(header, Gguf.Version);
        PutI64(header, weights.Length);
        PutI64(header, metadata.Keys.Count);
        metadata.WriteTo(header);
        long offset = 0;
        foreach (var weight in weights)
        {
            GgufMetadata.Put(header, weight.Name);
            PutU32(header, (uint)weight.Extents.Count);
            foreach (long extent in weight.Extents.Reverse()) PutI64(header, extent);
            PutU32(header, (uint)weight.Type.GgufNumber!.Value);
            PutI64(header, offset);
            offset = checked((offset + weight.Bytes + alignment - 1) / alignment * alignment);
        }
        stream.Write(header.WrittenSpan);
        WriteZeros(stream, header.WrittenCount, alignment);
        foreach (var weight in weights)
        {
            weight.WriteTo(stream);
            WriteZeros(stream, weight.Bytes, alignment);
        }
    }

    static void WriteZeros(Stream stream, long after, int alignment)
    {
        long count = (after + alignment - 1) / alignment * alignment - after;
        if (count > 0) stream.Write(new byte[count]);
    }

    static void PutU32(ArrayBufferWriter<byte> writer, uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(writer.GetSpan(4), value);
        writer.Advance(4);
    }

    static void PutI64(ArrayBufferWriter<byte> writer, long value)
    {
        BinaryPrimitives.WriteInt64LittleEndian(writer.GetSpan(8), value);
        writer.Advance(8);
    }

    static ModelFileException Invalid(string problem, string fix) => new("ASH0460", problem, fix);
}
