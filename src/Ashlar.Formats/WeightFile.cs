namespace Ashlar.Formats;

/// <summary>A weight in a file: what it is, and where its bytes lie.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">How its elements are stored.</param>
/// <param name="Extents">The extents, outermost first, in both formats: a linear layer's weight is [outputs, inputs].</param>
/// <param name="Offset">The first byte, counted from the start of its file.</param>
/// <param name="Bytes">How many bytes the elements take.</param>
/// <param name="Part">Which of the files it lies in, from 0 on: <see cref="WeightFile.Parts"/>.</param>
public sealed record WeightEntry(string Name, WeightType Type, ValueList<long> Extents, long Offset, long Bytes, int Part = 0)
{
    /// <summary>The product of the extents.</summary>
    public long Elements => Bytes / Type.BlockBytes * Type.BlockElements;

    /// <summary>The last extent: how many elements lie one after the other; 1 for a scalar.</summary>
    public long RowElements => Extents.Count == 0 ? 1 : Extents[^1];

    /// <summary>Name, type and extents: <c>output.weight: q6_k[32000, 2048]</c>.</summary>
    public override string ToString() => $"{Name}: {Type.Name}{Extents}";
}

/// <summary>The weights of a model in one or several files, mapped into memory: <see cref="Gguf"/>, <see
/// cref="SafetensorsFolder"/>.</summary>
/// <remarks>
/// Opening reads and checks headers alone; the elements are read when they are touched. Disposing unmaps the files as soon as
/// nothing is pinned in them any more. Thread-safe.
/// </remarks>
public abstract class WeightFile : IDisposable
{
    readonly MappedFile[] parts;
    readonly Dictionary<string, WeightEntry> byName;

    private protected WeightFile(string path, MappedFile[] parts, IReadOnlyList<WeightEntry> entries)
    {
        (Path, Entries, this.parts) = (path, entries, parts);
        Parts = [.. parts.Select(part => part.Path)];
        byName = entries.ToDictionary(entry => entry.Name, StringComparer.Ordinal);
    }

    /// <summary>What was opened: a file or a folder.</summary>
    public string Path { get; }

    /// <summary>The files, in their order.</summary>
    public IReadOnlyList<string> Parts { get; }

    /// <summary>How long all files are together.</summary>
    public long FileBytes => parts.Sum(part => part.Bytes);

    /// <summary>Every weight, in the order of parts and of bytes in them.</summary>
    public IReadOnlyList<WeightEntry> Entries { get; }

    /// <summary>The weight of a name.</summary>
    /// <exception cref="ModelFileException">There is none; the error names those that are called alike.</exception>
    public WeightEntry this[string name] =>
        byName.TryGetValue(name, out var entry) ? entry : throw new ModelFileException("ASH0417",
        $"{Path} has no array '{name}'.{SimilarNames.Text(name, byName.Keys)}",
            "check that the file is of the model that it is read for.");

    /// <summary>The weight of a name, where there is one.</summary>
    public bool TryGet(string name, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out WeightEntry? entry) =>
        byName.TryGetValue(name, out entry);

    /// <summary>The bytes of a weight where they lie in the mapped file, without a copy.</summary>
    /// <exception cref="ModelFileException">There are more than 2 GiB: <see cref="Bytes(WeightEntry, long, int)"/>.</exception>
    public ReadOnlyMemory<byte> Bytes(WeightEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        if (entry.Bytes > int.MaxValue)
            throw new ModelFileException("ASH0417",
                $"{entry} of {Path} has {entry.Bytes:N0} bytes, more than one span can show.", "read it in pieces.");
        return Bytes(entry, 0, (int)entry.Bytes);
    }

    /// <summary>A piece of the bytes of a weight, without a copy: for weights of any size.</summary>
    /// <param name="entry">A weight of this file.</param>
    /// <param name="offset">The first byte, counted from that of the weight.</param>
    /// <param name="count">How many bytes.</param>
    /// <exception cref="ArgumentOutOfRangeException">They are not all within the weight.</exception>
    public ReadOnlyMemory<byte> Bytes(WeightEntry entry, long offset, int count)
    {
        ThrowUnlessWithin(entry, offset, count);
        return parts[entry.Part].Memory<byte>(entry.Offset + offset, count);
    }

    /// <summary>A piece of the bytes of a weight; allocates nothing. Not to be used after <see cref="Dispose"/>.</summary>
    /// <inheritdoc cref="Bytes(WeightEntry, long, int)"/>
    public ReadOnlySpan<byte> Span(WeightEntry entry, long offset, int count)
    {
        ThrowUnlessWithin(entry, offset, count);
        return parts[entry.Part].Span<byte>(entry.Offset + offset, count);
    }

    /// <summary>Asks the system to read a weight ahead, so that touching it does not wait for the disk page by page.</summary>
    public void Prefetch(WeightEntry entry)
    {
        ThrowUnlessWithin(entry, 0, 0);
        parts[entry.Part].Prefetch(entry.Offset, entry.Bytes);
    }

    /// <summary>
    /// Gives the memory of a weight's pages back to the system. The weight can still be read: its pages come from the file again.
    /// </summary>
    /// <remarks>Call it when a weight was packed, so that the process never holds two copies. Pages shared with neighbours
    /// stay.</remarks>
    public void Release(WeightEntry entry)
    {
        ThrowUnlessWithin(entry, 0, 0);
        parts[entry.Part].Release(entry.Offset, entry.Bytes);
    }

    /// <summary>Opens a model by what it is: a GGUF file (any part of a split one), a safetensors file, or a folder of
    /// either.</summary>
    /// <param name="path">A file or a folder.</param>
    /// <exception cref="ModelFileException">There is no model, or its files are damaged or do not fit together.</exception>
    public static WeightFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
        {
            if (SafetensorsFolder.IsOne(path)) return SafetensorsFolder.Open(path);
            string[] files = [.. Directory.EnumerateFiles(path, "*.gguf")
                .Where(file => SplitName.Parse(file) is not { Part: > 1 }).Order(StringComparer.Ordinal)];
            return files.Length switch
            {
                1 => Gguf.Open(files[0]),
                0 => throw new ModelFileException("ASH0450",
                    $"{path} holds no model: it has no {SafetensorsFolder.SingleName}, no {SafetensorsFolder.IndexName} and no .gguf file.",
                    "name the folder of a downloaded model, or a .gguf file."),
                _ => throw new ModelFileException("ASH0450",
                    $"{path} holds {files.Length} models: {string.Join(", ", files.Take(5).Select(System.IO.Path.GetFileName))}"
                    + (files.Length > 5 ? ", ..." : "") + ".",
                    "name one of the files."),
            };
        }
        if (path.EndsWith(".index.json", StringComparison.Ordinal)) return SafetensorsFolder.Open(path);
        // What is called a GGUF file and is none is told what it lacks of that.
        return Gguf.IsOne(path) || File.Exists(path) && path.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase)
            ? Gguf.Open(path)
            : SafetensorsFolder.Open(path);
    }

    /// <summary>Unmaps the files, once nothing is pinned in them any more.</summary>
    public void Dispose()
    {
        foreach (var part in parts) part.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Maps a file, or says why not.</summary>
    private protected static MappedFile Map(string path)
    {
        try
        {
            return new(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ModelFileException("ASH0410",
                $"{path} could not be opened: {error.Message.TrimEnd('.')}.",
                "check the path and whether the file may be read.");
        }
    }

    void ThrowUnlessWithin(WeightEntry entry, long offset, int count)
    {
        ArgumentNullException.ThrowIfNull(entry);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        if ((uint)entry.Part >= (uint)parts.Length || offset > entry.Bytes - count)
            throw new ArgumentOutOfRangeException(nameof(count),
                $"{count} bytes from byte {offset} on do not lie within {entry} of {Path}.");
    }
}
