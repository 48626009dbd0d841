using System.Buffers;
using System.Runtime.InteropServices;

namespace Ashlar.Runtime;

/// <summary>Memory of the host, aligned to 64 bytes and freed when nobody refers to it.</summary>
/// <remarks>Every backend so far runs on the host, so tensors made before a device is registered keep their data in one of
/// these.</remarks>
public sealed unsafe class HostBuffer : Buffer
{
    const long Alignment = 64;

    static readonly long machine = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;   // asking allocates

    readonly void* memory;
    readonly long pressure;

    HostBuffer(long bytes)
    {
        Bytes = bytes;
        pressure = Math.Max(bytes, Alignment);
        try
        {
            memory = NativeMemory.AlignedAlloc(checked((nuint)pressure), (nuint)Alignment);
        }
        catch (OutOfMemoryException)
        {
            GC.SuppressFinalize(this);
            throw OutOfMemory(bytes);
        }
        // Without it the collector sees a few dozen bytes where gigabytes wait to be freed.
        GC.AddMemoryPressure(pressure);
    }

    /// <inheritdoc/>
    public override nint Address => (nint)memory;

    /// <inheritdoc/>
    public override long Bytes { get; }

    /// <summary>Memory for <paramref name="bytes"/> bytes, not cleared.</summary>
    /// <exception cref="OutOfMemoryOnDeviceException">The machine has not that much memory.</exception>
    public static HostBuffer Allocate(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        // Linux promises memory that it does not have; the kernel would end the process at the first touch.
        if (bytes > machine) throw OutOfMemory(bytes);
        return new(bytes);
    }

    /// <summary>Frees the memory; nobody refers to it any more.</summary>
    ~HostBuffer()
    {
        NativeMemory.AlignedFree(memory);
        GC.RemoveMemoryPressure(pressure);
    }

    static OutOfMemoryOnDeviceException OutOfMemory(long bytes) => new("ASH0701",
        $"a buffer of {bytes:N0} bytes was needed, but this machine offers {machine:N0} bytes in all.",
        "use smaller batches or a narrower element type, or compute the large value in parts.");
}

/// <summary>Memory that the caller owns, pinned for as long as somebody refers to the buffer. Written only where the caller asks
/// for results in it.</summary>
sealed unsafe class BorrowedBuffer(MemoryHandle handle, long bytes) : Buffer
{
    MemoryHandle handle = handle;

    public override nint Address => (nint)handle.Pointer;

    public override long Bytes => bytes;

    ~BorrowedBuffer() => handle.Dispose();
}
