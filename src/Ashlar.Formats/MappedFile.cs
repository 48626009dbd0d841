using System.Buffers;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Ashlar.Formats;

/// <summary>A file seen as memory: pages are read when they are first touched, and nothing is copied.</summary>
/// <remarks>
/// The file must not be cut short while it is mapped; a file that is replaced by a rename is not touched by that. Memory handed
/// out stays valid while it is pinned, also after <see cref="Dispose"/>; asking it for a span after that is an error.
/// </remarks>
public sealed unsafe partial class MappedFile : IDisposable
{
    const int WillNeed = 3, DontNeed = 4;   // of madvise; equal on Linux and macOS

    readonly MemoryMappedFile? file;
    readonly MemoryMappedViewAccessor? view;
    readonly byte* start;

    /// <summary>Maps a file for reading.</summary>
    /// <exception cref="IOException">There is no such file, or it cannot be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be read.</exception>
    public MappedFile(string path)
    {
        Path = path;
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete,
            bufferSize: 0);
        Bytes = stream.Length;
        if (Bytes == 0) return;   // no system maps nothing
        file = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None,
            leaveOpen: true);
        view = file.CreateViewAccessor(0, Bytes, MemoryMappedFileAccess.Read);
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
        start += view.PointerOffset;
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>How long the file was when it was opened.</summary>
    public long Bytes { get; }

    /// <summary>Elements of the file, as they lie there.</summary>
    /// <param name="offset">The first byte.</param>
    /// <param name="count">How many elements.</param>
    /// <exception cref="ArgumentOutOfRangeException">They are not all within the file.</exception>
    public ReadOnlyMemory<T> Memory<T>(long offset, int count) where T : unmanaged
    {
        ThrowUnlessWithin<T>(offset, count);
        return count == 0 ? default : new Elements<T>(this, offset, count).Memory;
    }

    /// <summary>Elements of the file, as they lie there; allocates nothing. Not to be used after <see cref="Dispose"/>.</summary>
    /// <inheritdoc cref="Memory{T}(long, int)"/>
    public ReadOnlySpan<T> Span<T>(long offset, int count) where T : unmanaged
    {
        ThrowUnlessWithin<T>(offset, count);
        ObjectDisposedException.ThrowIf(IsClosed, this);
        return new(start + offset, count);
    }

    /// <summary>Asks the system to read this range ahead. A hint: where the system has no such call, nothing happens.</summary>
    /// <param name="offset">The first byte.</param>
    /// <param name="count">How many bytes.</param>
    public void Prefetch(long offset, long count) => Advise(offset, count, WillNeed, outward: true);

    /// <summary>
    /// Gives the memory of the pages that lie wholly within this range back to the system; touching them reads the file again.
    /// </summary>
    /// <inheritdoc cref="Prefetch"/>
    public void Release(long offset, long count) => Advise(offset, count, DontNeed, outward: false);

    /// <summary>Unmaps the file, once nothing is pinned in it any more.</summary>
    public void Dispose()
    {
        if (view is null || IsClosed) return;
        IsClosed = true;
        view.SafeMemoryMappedViewHandle.ReleasePointer();
        view.Dispose();
        file!.Dispose();
    }

    bool IsClosed { get; set; }

    void Advise(long offset, long count, int advice, bool outward)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Bytes - count);
        if (OperatingSystem.IsWindows() || count == 0 || IsClosed) return;
        long page = Environment.SystemPageSize;
        long first = outward ? offset / page * page : (offset + page - 1) / page * page;
        long last = outward || offset + count == Bytes ? offset + count : (offset + count) / page * page;
        if (last > first) _ = AdviseMemory((nint)(start + first), (nuint)(last - first), advice);
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int AdviseMemory(nint address, nuint length, int advice);

    void ThrowUnlessWithin<T>(long offset, int count) where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        if (offset > Bytes - (long)count * sizeof(T))
            throw new ArgumentOutOfRangeException(nameof(count),
                $"{count} elements of {sizeof(T)} bytes from byte {offset} on do not lie within the {Bytes} bytes of {Path}.");
    }

    sealed class Elements<T>(MappedFile owner, long offset, int count) : MemoryManager<T> where T : unmanaged
    {
        public override Span<T> GetSpan()
        {
            ObjectDisposedException.ThrowIf(owner.IsClosed, owner);
            return new(owner.start + offset, count);
        }

        public override MemoryHandle Pin(int elementIndex = 0)
        {
            bool added = false;
            Handle.DangerousAddRef(ref added);
            return new((T*)(owner.start + offset) + elementIndex, pinnable: this);
        }

        public override void Unpin() => Handle.DangerousRelease();

        SafeMemoryMappedViewHandle Handle => owner.view!.SafeMemoryMappedViewHandle;

        protected override void Dispose(bool disposing)
        {
        }
    }
}
