using System.Buffers;

namespace Ashlar.Runtime;

/// <summary>Ways to see a buffer's bytes from managed code. The caller keeps the buffer alive while it uses a span.</summary>
public static class Buffers
{
    /// <summary>Memory for <paramref name="bytes"/> bytes: of the default device, or of the host where there is none
    /// yet.</summary>
    public static Buffer Allocate(long bytes) => Device.Current?.Backend.Allocate(bytes) ?? HostBuffer.Allocate(bytes);

    /// <summary>A buffer that is the caller's memory itself where it is aligned to 64 bytes, or a copy of it where it is
    /// not.</summary>
    /// <remarks>
    /// Memory-mapped files and native memory are aligned; most managed arrays are not. Wrapped memory must not change while a
    /// tensor is made of it.
    /// </remarks>
    public static unsafe Buffer Of<T>(ReadOnlyMemory<T> memory) where T : unmanaged
    {
        var handle = memory.Pin();
        if ((nint)handle.Pointer % 64 == 0 && !memory.IsEmpty) return new BorrowedBuffer(handle, (long)memory.Length * sizeof(T));
        handle.Dispose();
        return Of(memory.Span);
    }

    /// <summary>A buffer over memory that was pinned, such as a part of a mapped file of any size; the handle is disposed when
    /// nobody refers to the buffer.</summary>
    /// <param name="pinned">The first byte. At a multiple of 64: kernels load whole lines.</param>
    /// <param name="bytes">How many there are.</param>
    public static Buffer Pinned(MemoryHandle pinned, long bytes) => new BorrowedBuffer(pinned, bytes);

    /// <summary>A buffer with a copy of these elements.</summary>
    public static Buffer Of<T>(ReadOnlySpan<T> elements) where T : unmanaged
    {
        var buffer = Allocate((long)elements.Length * System.Runtime.CompilerServices.Unsafe.SizeOf<T>());
        elements.CopyTo(buffer.Span<T>(elements.Length));
        return buffer;
    }

    extension(Buffer buffer)
    {
        /// <summary>The first <paramref name="count"/> elements.</summary>
        /// <exception cref="ShapeException">More than a span holds.</exception>
        public Span<T> Span<T>(long count) where T : unmanaged => buffer.Span<T>(0, count);

        /// <summary><paramref name="count"/> elements from <paramref name="start"/> on.</summary>
        /// <exception cref="ShapeException">More than a span holds.</exception>
        public unsafe Span<T> Span<T>(long start, long count) where T : unmanaged
        {
            if (count > int.MaxValue)
                throw new ShapeException("ASH0140",
                    $"a span of {count:N0} elements was needed, but spans end at {int.MaxValue:N0}.",
                    "slice the tensor and read it in parts.");
            if ((start + count) * sizeof(T) > buffer.Bytes)
                throw new ArgumentOutOfRangeException(nameof(count),
                    $"{start} + {count} elements of {sizeof(T)} bytes do not fit a buffer of {buffer.Bytes} bytes.");
            return new((T*)buffer.Address + start, (int)count);
        }

        /// <summary>Copies the first <paramref name="bytes"/> bytes of another buffer into this one.</summary>
        public unsafe void CopyFrom(Buffer source, long bytes)
        {
            System.Buffer.MemoryCopy((void*)source.Address, (void*)buffer.Address, buffer.Bytes, bytes);
            GC.KeepAlive(source);
            GC.KeepAlive(buffer);
        }
    }
}
