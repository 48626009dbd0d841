namespace Ashlar.Formats;

/// <summary>A GGUF file, the format of llama.cpp, mapped into memory: metadata and weights, in one file or in several.</summary>
/// <remarks>
/// docs/formats/gguf.md describes the format. Versions 2 and 3 are read, in little-endian byte order. Opening reads the header
/// alone: under a millisecond for most models, some for a vocabulary of 150,000 tokens.
/// </remarks>
public sealed class Gguf : WeightFile
{
    /// <summary>The first four bytes of every file: "GGUF".</summary>
    internal const uint Magic = 0x46554747;

    /// <summary>The version that is written.</summary>
    internal const uint Version = 3;

    /// <summary>The multiple of bytes that weights begin at where the metadata do not say another.</summary>
    internal const int DefaultAlignment = 32;

    Gguf(string path, MappedFile[] parts, WeightEntry[] entries, GgufMetadata metadata, int alignment)
        : base(path, parts, entries) => (Metadata, Alignment) = (metadata, alignment);

    /// <summary>What the file says about the model, its tokenizer included; of a split file, what its first part says.</summary>
    public GgufMetadata Metadata { get; }

    /// <summary>The multiple of bytes that weights begin at.</summary>
    public int Alignment { get; }

    /// <summary>The architecture: <c>llama</c>, <c>qwen3</c>.</summary>
    /// <exception cref="ModelFileException">The file does not say.</exception>
    public string Architecture => Metadata.Text("general.architecture");

    /// <summary>True where a file begins as a GGUF file does, in either byte order.</summary>
    public static bool IsOne(string path)
    {
        try
        {
            using var stream = File.OpenRead(path);
            Span<byte> start = stackalloc byte[4];
            return stream.ReadAtLeast(start, 4, throwOnEndOfStream: false) == 4 && start.SequenceEqual("GGUF"u8);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Opens a file, or all files of a split model, and checks every header.</summary>
    /// <param name="path">The file; of a split model any of its parts.</param>
    /// <exception cref="ModelFileException">
    /// A file cannot be read, is of another format or byte order, is cut short, or its header contradicts itself; a part is
    /// missing.
    /// </exception>
    public static new Gguf Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var files = new List<MappedFile>();
        try
        {
            files.Add(Map(path));
            var first = GgufHeader.Read(files[0], part: 0);
            if (!first.Metadata.TryInt("split.count", out long count) || count <= 1)
                return new(path, [.. files], first.Entries, first.Metadata, first.Alignment);
            return OpenSplit(path, files, first, count);
        }
        catch
        {
            foreach (var file in files) file.Dispose();
            throw;
        }
    }

    /// <summary>Writes a model, weight after weight, each file atomically: <see cref="AtomicFile"/>.</summary>
    /// <remarks>Equal metadata and weights give equal files, byte for byte. Weights lie in the order given.</remarks>
    /// <param name="path">The file; one of that name is replaced. Parts get names of the form NAME-00001-of-00003.gguf.</param>
    /// <param name="metadata">What the model is; "general.alignment" is heeded.</param>
    /// <param name="weights">Their names differ, and their types are those of the format.</param>
    /// <param name="partBytes">The most bytes of weights in a file; null writes one file.</param>
    /// <exception cref="ModelFileException">A file cannot be written, or the weights cannot be in one.</exception>
    public static void Write(string path, GgufMetadata metadata, IEnumerable<NamedWeight> weights, long? partBytes = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(metadata);
        ArgumentNullException.ThrowIfNull(weights);
        GgufWriter.Write(path, metadata, weights, partBytes);
    }

    static Gguf OpenSplit(string path, List<MappedFile> files, GgufHeader given, long count)
    {
        if (SplitName.Parse(path) is not { } name || name.Parts != count)
            throw new ModelFileException("ASH0456",
                $"{path} says that it is one of {count:N0} parts, but its name is not of the form NAME-00001-of-{count:00000}.gguf.",
                "give the parts the names that they were downloaded under.");
        var headers = new GgufHeader[count];
        var parts = new MappedFile[count];
        for (int part = 0; part < count; part++)
        {
            string partPath = (name with { Part = part + 1 }).ToString();
            if (part == name.Part - 1) (headers[part], parts[part]) = (given.InPart(part), files[0]);
            else
            {
                if (!File.Exists(partPath))
                    throw new ModelFileException("ASH0456",
                        $"{partPath} is missing: the model has {count:N0} parts.",
                            "download the missing part beside the others.");
                files.Add(parts[part] = Map(partPath));
                headers[part] = GgufHeader.Read(parts[part], part);
            }
            if (!headers[part].Metadata.TryInt("split.no", out long number) || number != part
                || !headers[part].Metadata.TryInt("split.count", out long parted) || parted != count)
                throw new ModelFileException("ASH0456",
                    $"{partPath} does not say that it is part {part + 1} of {count}.",
                        "give the parts the names that they were downloaded under.");
        }
        WeightEntry[] entries = [.. headers.SelectMany(header => header.Entries)];
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var entry in entries)
            if (!seen.TryAdd(entry.Name, entry.Part))
                throw new ModelFileException("ASH0456",
                    $"'{entry.Name}' is in {parts[seen[entry.Name]].Path} and again in {parts[entry.Part].Path}.",
                    "download the parts again; they seem to be of two models.");
        if (headers[0].Metadata.TryInt("split.tensors.count", out long expected) && expected != entries.Length)
            throw new ModelFileException("ASH0456",
                $"{parts[0].Path} says that the model has {expected:N0} tensors, but its parts have {entries.Length:N0}.",
                "download the parts again; they seem to be of two models.");
        return new(path, parts, entries, headers[0].Metadata, headers[0].Alignment);
    }
}
