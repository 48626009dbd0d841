using Ashlar.Graph;

namespace Ashlar.Runtime;

/// <summary>Buffers to the interpreter's arrays and back: how each element type lies in memory.</summary>
public static class Storage
{
    /// <summary>The elements of a buffer as doubles.</summary>
    public static Value Load(Buffer buffer, DType dtype, long[] extents)
    {
        var value = Value.Zeros(extents);
        Load(buffer, dtype, value.Data);
        return value;
    }

    /// <summary>Fills <paramref name="elements"/> from the front of a buffer.</summary>
    public static void Load(Buffer buffer, DType dtype, Span<double> elements) => Load(buffer, dtype, 0, elements);

    /// <summary>Fills <paramref name="elements"/> from the elements of a buffer from <paramref name="start"/> on.</summary>
    public static void Load(Buffer buffer, DType dtype, long start, Span<double> elements)
    {
        switch (dtype)
        {
            case DType.Bool: Read<byte>(buffer, start, elements, x => x == 0 ? 0 : 1); break;
            case DType.UInt8: Read<byte>(buffer, start, elements, x => x); break;
            case DType.Int8: Read<sbyte>(buffer, start, elements, x => x); break;
            case DType.Int16: Read<short>(buffer, start, elements, x => x); break;
            case DType.Int32: Read<int>(buffer, start, elements, x => x); break;
            case DType.Int64: Read<long>(buffer, start, elements, x => x); break;
            case DType.BFloat16: Read<BFloat16>(buffer, start, elements, x => x); break;
            case DType.Float16: Read<Half>(buffer, start, elements, x => (double)x); break;
            case DType.Float32: Read<float>(buffer, start, elements, x => x); break;
            default: Read<double>(buffer, start, elements, x => x); break;
        }
        GC.KeepAlive(buffer);
    }

    /// <summary>Writes doubles to the front of a buffer, each rounded to the element type. Integers keep their low
    /// bits.</summary>
    public static void Store(ReadOnlySpan<double> elements, DType dtype, Buffer buffer)
    {
        switch (dtype)
        {
            case DType.Bool: Write<byte>(elements, buffer, x => x != 0 ? (byte)1 : (byte)0); break;
            case DType.UInt8: Write<byte>(elements, buffer, x => unchecked((byte)(long)x)); break;
            case DType.Int8: Write<sbyte>(elements, buffer, x => unchecked((sbyte)(long)x)); break;
            case DType.Int16: Write<short>(elements, buffer, x => unchecked((short)(long)x)); break;
            case DType.Int32: Write<int>(elements, buffer, x => unchecked((int)(long)x)); break;
            case DType.Int64: Write<long>(elements, buffer, x => (long)x); break;
            case DType.BFloat16: Write<BFloat16>(elements, buffer, x => (BFloat16)x); break;
            case DType.Float16: Write<Half>(elements, buffer, x => (Half)x); break;
            case DType.Float32: Write<float>(elements, buffer, x => (float)x); break;
            default: Write<double>(elements, buffer, x => x); break;
        }
        GC.KeepAlive(buffer);
    }

    static void Read<T>(Buffer buffer, long start, Span<double> elements, Func<T, double> convert) where T : unmanaged
    {
        var source = buffer.Span<T>(start, elements.Length);
        for (int i = 0; i < source.Length; i++) elements[i] = convert(source[i]);
    }

    static void Write<T>(ReadOnlySpan<double> elements, Buffer buffer, Func<double, T> convert) where T : unmanaged
    {
        var target = buffer.Span<T>(elements.Length);
        for (int i = 0; i < target.Length; i++) target[i] = convert(elements[i]);
    }
}
