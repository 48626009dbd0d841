using System.Runtime.CompilerServices;

namespace Ashlar.Formats;

/// <summary>An array in a file: what it is, and where its bytes lie.</summary>
/// <param name="Name">Its name.</param>
/// <param name="DType">The element type.</param>
/// <param name="Shape">The extents.</param>
/// <param name="Offset">The first byte, counted from the start of the file.</param>
/// <param name="Bytes">How many bytes the elements take.</param>
public sealed record ArrayEntry(string Name, DType DType, Shape Shape, long Offset, long Bytes)
{
    /// <summary>Name, element type and shape: <c>h.0.weight: f32[64, 64]</c>.</summary>
    public override string ToString() => $"{Name}: {DType.Name}{Shape}";
}

/// <summary>A safetensors file, mapped into memory: named arrays, and a few words about them.</summary>
/// <remarks>
/// docs/formats/safetensors.md describes the format. Opening reads and checks the header alone; the elements are read when they
/// are touched. Disposing unmaps the file as soon as no tensor is made of its memory any more. Thread-safe.
/// </remarks>
public sealed class Safetensors : IDisposable
{
    /// <summary>The most bytes that a header may have; the reference implementation has the same limit.</summary>
    public const long LongestHeader = 100_000_000;

    /// <summary>
    /// The place of the first element in files that Ashlar writes is a multiple of this, so that tensors need no copy.
    /// </summary>
    internal const int Alignment = 64;

    readonly MappedFile file;
    readonly Dictionary<string, ArrayEntry> byName;

    Safetensors(MappedFile file, IReadOnlyList<ArrayEntry> entries, IReadOnlyDictionary<string, string> metadata)
    {
        this.file = file;
        (Entries, Metadata) = (entries, metadata);
        byName = entries.ToDictionary(entry => entry.Name, StringComparer.Ordinal);
    }

    /// <summary>The file.</summary>
    public string Path => file.Path;

    /// <summary>How long the file is.</summary>
    public long Bytes => file.Bytes;

    /// <summary>Every array, in the order of its bytes in the file.</summary>
    public IReadOnlyList<ArrayEntry> Entries { get; }

    /// <summary>What the writer said about the file; empty where it said nothing.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>The array of a name.</summary>
    /// <exception cref="ModelFileException">There is none; the error names those that are called alike.</exception>
    public ArrayEntry this[string name] =>
        byName.TryGetValue(name, out var entry) ? entry : throw new ModelFileException("ASH0417",
        $"{Path} has no array '{name}'.{SimilarNames.Text(name, byName.Keys)}",
            "check that the file is of the model that it is read for.");

    /// <summary>The array of a name, where there is one.</summary>
    public bool TryGet(string name, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out ArrayEntry? entry) =>
        byName.TryGetValue(name, out entry);

    /// <summary>Opens a file and checks all of its header.</summary>
    /// <exception cref="ModelFileException">
    /// The file cannot be read, is of another format, is cut short, or its header contradicts itself or the length of the file.
    /// </exception>
    public static Safetensors Open(string path)
    {
        MappedFile file;
        try
        {
            file = new(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ModelFileException("ASH0410",
                $"{path} could not be opened: {error.Message.TrimEnd('.')}.",
                "check the path and whether the file may be read.");
        }
        try
        {
            var (entries, metadata) = SafetensorsHeader.Read(file, part: 0, tensorTypesOnly: true);
            return new(file, [.. entries.Select(ToArray)], metadata);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The elements of an array where they lie in the mapped file, without a copy.</summary>
    /// <remarks>Files of other writers need not align their arrays; code that needs alignment copies.</remarks>
    /// <exception cref="ModelFileException">There is no such array, or it has more elements than a span can.</exception>
    /// <exception cref="DTypeException">The elements are of another type.</exception>
    public ReadOnlyMemory<T> Elements<T>(string name) where T : unmanaged
    {
        var entry = this[name];
        var asked = DTypes.Of<T>();
        if (asked != entry.DType)
            throw new DTypeException("ASH0222",
                $"{entry} of {Path} was read as {typeof(T).Name}, which holds {asked.Name}.",
                "read it as its own type, and convert it then.");
        return Memory<T>(entry, entry.Bytes / Unsafe.SizeOf<T>());
    }

    /// <summary>The bytes of an array where they lie in the mapped file, without a copy.</summary>
    /// <exception cref="ModelFileException">There is no such array, or it has more bytes than a span can.</exception>
    public ReadOnlyMemory<byte> ElementBytes(string name) => Memory<byte>(this[name], this[name].Bytes);

    /// <summary>A piece of the bytes of an array of any size; allocates nothing. Not to be used after
    /// <see cref="Dispose"/>.</summary>
    /// <param name="entry">An array of this file.</param>
    /// <param name="offset">The first byte, counted from that of the array.</param>
    /// <param name="count">How many bytes.</param>
    public ReadOnlySpan<byte> Span(ArrayEntry entry, long offset, int count)
    {
        ArgumentNullException.ThrowIfNull(entry);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, entry.Bytes - count);
        return file.Span<byte>(entry.Offset + offset, count);
    }

    /// <summary>Holds an array of any size in place until the handle is disposed, also after <see cref="Dispose"/>.</summary>
    /// <returns>Points to its first byte.</returns>
    public System.Buffers.MemoryHandle Pin(ArrayEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        return file.Memory<byte>(entry.Offset, (int)Math.Min(entry.Bytes, int.MaxValue)).Pin();
    }

    /// <summary>The checksum of the whole file, which reads all of it.</summary>
    public uint Checksum()
    {
        Crc32C sum = default;
        for (long offset = 0; offset < file.Bytes; offset += 1 << 24)
            sum.Append(file.Memory<byte>(offset, (int)Math.Min(1 << 24, file.Bytes - offset)).Span);
        return sum.Value;
    }

    /// <summary>Writes a file, atomically: <see cref="AtomicFile"/>.</summary>
    /// <param name="path">The file; one of that name is replaced.</param>
    /// <param name="arrays">Their names differ.</param>
    /// <param name="metadata">What readers may want to know; null writes none.</param>
    /// <exception cref="ModelFileException">The file cannot be written, or two arrays share a name.</exception>
    public static void Write(string path, IEnumerable<NamedArray> arrays, IReadOnlyDictionary<string, string>? metadata = null) =>
        AtomicFile.Write(path, stream => Write(stream, arrays, metadata));

    /// <summary>Writes a file to a stream.</summary>
    /// <remarks>
    /// Arrays whose bytes are a multiple of 64 come first, then wider element types before narrower ones, otherwise in the order
    /// given. So every array is aligned to its elements and most to 64 bytes, though the format allows no gaps. Equal arrays give
    /// equal files.
    /// </remarks>
    /// <param name="stream">Unbuffered streams do: pieces are large.</param>
    /// <param name="arrays">Their names differ.</param>
    /// <param name="metadata">What readers may want to know; null writes none.</param>
    /// <exception cref="ModelFileException">
    /// Two arrays share a name, or one writes another number of bytes than it has.
    /// </exception>
    public static void Write(Stream stream, IEnumerable<NamedArray> arrays, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Write(stream, [.. arrays.Select(array =>
            new NamedWeight(array.Name, SafetensorsTypes.Of(array.DType), [.. array.Shape.Values], array.Write))], metadata);
    }

    /// <summary>Writes a file of weights of any type that the format has.</summary>
    internal static void Write(Stream stream, IReadOnlyList<NamedWeight> weights, IReadOnlyDictionary<string, string>? metadata)
    {
        NamedWeight[] ordered =
            [.. weights.OrderBy(weight => weight.Bytes % Alignment == 0 ? 0 : 1)
                .ThenByDescending(weight => weight.Type.BlockBytes)];
        stream.Write(SafetensorsHeader.Write(ordered, metadata));
        var counted = new CountingStream(stream);
        foreach (var weight in ordered)
        {
            long before = counted.Written;
            weight.Write(counted);
            if (counted.Written - before != weight.Bytes)
                throw new ModelFileException("ASH0419",
                    $"the array '{weight.Name}', {weight.Type.Name}{weight.Extents}, has {weight.Bytes:N0} bytes, "
                    + $"but {counted.Written - before:N0} were written.",
                    "write each element once.");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => file.Dispose();

    static ArrayEntry ToArray(WeightEntry entry) =>
        new(entry.Name, entry.Type.DType!.Value, entry.Extents.ToArray(), entry.Offset, entry.Bytes);

    ReadOnlyMemory<T> Memory<T>(ArrayEntry entry, long count) where T : unmanaged
    {
        if (count > int.MaxValue)
            throw new ModelFileException("ASH0417",
                $"{entry} of {Path} has {entry.Bytes:N0} bytes, more than one span can show.",
                "read it as its own element type, or split the array.");
        return file.Memory<T>(entry.Offset, (int)count);
    }
}
