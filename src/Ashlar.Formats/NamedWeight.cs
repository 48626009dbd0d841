namespace Ashlar.Formats;

/// <summary>A weight to be written to a file: what it is, and how its bytes are produced.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="Type">How its elements are stored.</param>
/// <param name="Extents">Outermost first.</param>
/// <param name="Write">Writes exactly <see cref="Bytes"/> bytes. Called once, when its turn comes: nothing is held
/// before.</param>
public sealed record NamedWeight(string Name, WeightType Type, ValueList<long> Extents, Action<Stream> Write)
{
    /// <summary>A copy goes in pieces of so many bytes.</summary>
    const int PieceBytes = 16 << 20;

    /// <summary>How many bytes the elements take.</summary>
    /// <exception cref="ModelFileException">They are no whole number of blocks, or more than a file can hold.</exception>
    public long Bytes => WeightTypes.BytesOf(Type, Extents) ?? throw new ModelFileException("ASH0460",
        $"'{Name}' cannot be {Type.Name}{Extents}: that is no whole number of blocks of {Type.BlockElements}.",
            "choose another type for it.");

    /// <summary>The last extent: how many elements lie one after the other; 1 for a scalar.</summary>
    public long RowElements => Extents.Count == 0 ? 1 : Extents[^1];

    /// <summary>Name, type and extents.</summary>
    public override string ToString() => $"{Name}: {Type.Name}{Extents}";

    /// <summary>The bytes of a weight of a file, as they are. Its memory is given back after it was written.</summary>
    /// <param name="file">Stays open until the weight was written.</param>
    /// <param name="entry">A weight of it.</param>
    /// <param name="name">Its new name; null keeps the old.</param>
    public static NamedWeight Copy(WeightFile file, WeightEntry entry, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(entry);
        return new(name ?? entry.Name, entry.Type, entry.Extents, stream =>
        {
            for (long at = 0; at < entry.Bytes; at += PieceBytes) stream.Write(
                file.Span(entry, at, (int)Math.Min(PieceBytes, entry.Bytes - at)));
            file.Release(entry);
        });
    }

    /// <summary>Writes the weight, and checks that it wrote as much as it is.</summary>
    internal void WriteTo(Stream stream)
    {
        var counted = new CountingStream(stream);
        Write(counted);
        if (counted.Written != Bytes)
            throw new ModelFileException("ASH0460",
                $"{this} has {Bytes:N0} bytes, but {counted.Written:N0} were written.", "write each element once.");
    }

    /// <summary>Cuts weights into files of at most so many bytes, in their order; one that is larger has a file of its
    /// own.</summary>
    internal static NamedWeight[][] Split(IEnumerable<NamedWeight> weights, long? partBytes)
    {
        if (partBytes is <= 0) throw new ArgumentOutOfRangeException(nameof(partBytes), "a part has at least one byte.");
        var parts = new List<NamedWeight[]>();
        var part = new List<NamedWeight>();
        long bytes = 0;
        foreach (var weight in weights)
        {
            if (part.Count > 0 && bytes + weight.Bytes > partBytes)
            {
                parts.Add([.. part]);
                part.Clear();
                bytes = 0;
            }
            part.Add(weight);
            bytes += weight.Bytes;
        }
        parts.Add([.. part]);
        return [.. parts];
    }
}
