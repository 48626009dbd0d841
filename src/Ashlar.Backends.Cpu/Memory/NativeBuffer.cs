using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Ashlar.Backends.Cpu;

/// <summary>Unmanaged memory, 64-byte aligned, that goes back to its pool when nobody references this object.</summary>
/// <remarks>
/// The contents are what the last owner left. Whoever uses <see cref="Pointer"/> must keep the object alive meanwhile
/// (<see cref="GC.KeepAlive"/> after the last use): the collector does not see pointers.
/// </remarks>
sealed unsafe class NativeBuffer : Runtime.Buffer
{
    readonly NativePool pool;
    readonly int sizeClass;
    nint address;

    internal NativeBuffer(NativePool pool, nint address, long bytes, int sizeClass)
    {
        this.pool = pool;
        this.address = address;
        this.sizeClass = sizeClass;
        Bytes = bytes;
    }

    /// <summary>Gives the memory back when the collector finds that nobody references it.</summary>
    ~NativeBuffer() => Return();

    /// <summary>The first byte; null once released.</summary>
    public void* Pointer => (void*)address;

    /// <summary>The first byte; 0 once released.</summary>
    public override nint Address => address;

    /// <summary>How many bytes were asked for.</summary>
    public override long Bytes { get; }

    /// <summary>How many there are: <see cref="Bytes"/> rounded up to a size class.</summary>
    public long CapacityBytes => SizeClasses.BytesOf(sizeClass);

    /// <summary>Its first bytes as elements; the span does not keep the buffer alive.</summary>
    /// <exception cref="OverflowException">More elements than a span can hold.</exception>
    public Span<T> AsSpan<T>() where T : unmanaged
    {
        Debug.Assert(address != 0, "the buffer was released");
        return new((void*)address, checked((int)(Bytes / sizeof(T))));
    }

    /// <summary>Gives the memory back now, for an owner who knows that nobody else uses it. Doing it twice does
    /// nothing.</summary>
    public void Release()
    {
        Return();
#pragma warning disable CA1816   // not IDisposable: then everybody would have to dispose, and nobody needs to
        GC.SuppressFinalize(this);
#pragma warning restore CA1816
    }

    void Return()
    {
        nint mine = Interlocked.Exchange(ref address, 0);
        if (mine != 0) pool.TakeBack(mine, sizeClass);
    }
}
