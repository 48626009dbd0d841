using System.Runtime.InteropServices;

namespace Ashlar.Formats;

/// <summary>An array to be written to a file: what it is called, what it is, and how its bytes are produced.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="DType">The element type.</param>
/// <param name="Shape">The extents; none is symbolic.</param>
/// <param name="Write">Writes the elements in row-major order, little-endian, as exactly <see cref="Bytes"/> bytes.</param>
public sealed record NamedArray(string Name, DType DType, Shape Shape, Action<Stream> Write)
{
    /// <summary>How many bytes the elements take.</summary>
    public long Bytes => checked(Shape.Elements.Value * DType.Bytes);

    /// <summary>An array of these elements.</summary>
    /// <param name="name">Its name in the file.</param>
    /// <param name="shape">As many elements as <paramref name="elements"/> holds.</param>
    /// <param name="elements">In row-major order; read when the file is written.</param>
    /// <exception cref="ModelFileException">The shape has another number of elements.</exception>
    public static NamedArray Of<T>(string name, Shape shape, ReadOnlyMemory<T> elements) where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(shape);
        if (shape.Elements.Value != elements.Length)
            throw new ModelFileException("ASH0419",
                $"the array '{name}' of shape {shape} was given {elements.Length:N0} elements.",
                "give as many elements as the shape has.");
        return new(name, DTypes.Of<T>(), shape, stream => WriteElements(stream, elements.Span));
    }

    /// <summary>
    /// Writes elements as they lie in memory. Every machine that .NET 10 runs Ashlar on is little-endian, as the files are.
    /// </summary>
    public static void WriteElements<T>(Stream stream, ReadOnlySpan<T> elements) where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(stream);
        const int Most = 1 << 26;   // bytes of a piece: a span of bytes ends at 2 GiB, long before one of elements does
        int step = Most / Marshal.SizeOf<T>();
        for (int start = 0; start < elements.Length; start += step)
            stream.Write(MemoryMarshal.AsBytes(elements.Slice(start, Math.Min(step, elements.Length - start))));
    }
}
