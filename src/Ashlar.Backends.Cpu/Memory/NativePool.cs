using System.Runtime.InteropServices;

namespace Ashlar.Backends.Cpu;

/// <summary>What a pool holds.</summary>
/// <param name="LiveBytes">In buffers that were not given back; some may be unreferenced already.</param>
/// <param name="PooledBytes">In blocks that wait to be used again.</param>
/// <param name="PeakBytes">The most that <paramref name="LiveBytes"/> ever was.</param>
/// <param name="LiveBuffers">How many buffers <paramref name="LiveBytes"/> counts.</param>
/// <param name="Collections">How often the pool made the garbage collector look for unreferenced buffers.</param>
readonly record struct NativePoolStatistics(long LiveBytes, long PooledBytes, long PeakBytes, long LiveBuffers, int Collections);

/// <summary>Lends unmanaged memory and takes it back, so that a steady state asks nothing of the operating system.</summary>
/// <remarks>
/// How this works. Blocks come in size classes; a block that came back waits in the list of its class. When a request finds
/// no block, three things happen in turn: if much was lent since the last look, the garbage collector runs, because buffers
/// nobody references return only through it, and it cannot see how large they are; then the limits are checked; then the
/// operating system is asked. The amount lent must double between two looks, so they cost little on the whole.
/// Safe to use from every thread, the finalizer's included.
/// </remarks>
sealed unsafe class NativePool
{
    const int LargerClassesToo = 2;                                   // a request may take a block up to a quarter larger
    const long CheckEvery = 16 << 20;                                 // reading /proc/meminfo costs as much as touching a MiB

    static readonly Lazy<NativePool> shared = new(() => new(MachineMemory.Read));

    readonly Func<MachineMemory> readMemory;
    readonly long leastBytesBetweenLooks;
    readonly Lock guard = new();
    readonly Stack<nint>[] free = [.. Enumerable.Range(0, SizeClasses.Count).Select(_ => new Stack<nint>())];

    long live, pooled, peak, buffers;                                 // under the guard
    long lookAt;                                                      // run the collector when live would pass this
    long uncheckedBytes = CheckEvery;                                 // asked of the system since the limits were read
    int collections;
    int isLooking;

    /// <summary>The pool of this process.</summary>
    public static NativePool Shared => shared.Value;

    /// <param name="readMemory">What the machine has, now.</param>
    /// <param name="leastBytesBetweenLooks">How much may be lent before the first look for unreferenced buffers.</param>
    public NativePool(Func<MachineMemory> readMemory, long leastBytesBetweenLooks = 256 << 20)
    {
        this.readMemory = readMemory;
        this.leastBytesBetweenLooks = leastBytesBetweenLooks;
        lookAt = leastBytesBetweenLooks;
    }

    /// <summary>What the pool holds now.</summary>
    public NativePoolStatistics Statistics
    {
        get { lock (guard) return new(live, pooled, peak, buffers, collections); }
    }

    /// <summary>Lends a buffer. Its contents are undefined; at 4 MiB and more it starts at a multiple of 2 MiB.</summary>
    /// <exception cref="OutOfMemoryOnDeviceException">The machine has not that much left.</exception>
    public NativeBuffer Rent(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        if (bytes > SizeClasses.Most) ThrowOutOfMemory(bytes, readMemory(), live);
        int sizeClass = SizeClasses.Of(bytes);
        if (TryReuse(bytes, sizeClass) is { } reused) return reused;
        if (LookIsDue(SizeClasses.BytesOf(sizeClass)))
        {
            ReturnUnreferenced();
            if (TryReuse(bytes, sizeClass) is { } found) return found;
        }
        return Allocate(bytes, sizeClass);
    }

    /// <summary>Gives the waiting blocks back to the operating system.</summary>
    /// <returns>How many bytes that freed.</returns>
    public long Trim()
    {
        long freed = 0;
        for (int sizeClass = 0; sizeClass < free.Length; sizeClass++)
        {
            nint[] blocks;
            lock (guard)
            {
                blocks = [.. free[sizeClass]];
                free[sizeClass].Clear();
                pooled -= blocks.Length * SizeClasses.BytesOf(sizeClass);
            }
            foreach (nint block in blocks) Blocks.Free(block, SizeClasses.BytesOf(sizeClass));
            freed += blocks.Length * SizeClasses.BytesOf(sizeClass);
        }
        return freed;
    }

    /// <summary>Runs the garbage collector, so that buffers nobody references come back.</summary>
    public void ReturnUnreferenced()
    {
        if (Interlocked.Exchange(ref isLooking, 1) == 1) return;      // another thread is at it
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true, compacting: false);
        GC.WaitForPendingFinalizers();
        lock (guard)
        {
            collections++;
            lookAt = Math.Max(leastBytesBetweenLooks, 2 * live);
        }
        Volatile.Write(ref isLooking, 0);
    }

    /// <summary>Takes back what a buffer held.</summary>
    internal void TakeBack(nint block, int sizeClass)
    {
        lock (guard)
        {
            free[sizeClass].Push(block);
            live -= SizeClasses.BytesOf(sizeClass);
            pooled += SizeClasses.BytesOf(sizeClass);
            buffers--;
        }
    }

    bool LookIsDue(long capacity)
    {
        lock (guard) return live + capacity > lookAt;
    }

    NativeBuffer? TryReuse(long bytes, int sizeClass)
    {
        lock (guard)
        {
            int last = Math.Min(sizeClass + LargerClassesToo, free.Length - 1);
            for (int larger = sizeClass; larger <= last; larger++)
            {
                if (!free[larger].TryPop(out nint block)) continue;
                pooled -= SizeClasses.BytesOf(larger);
                Lend(SizeClasses.BytesOf(larger));
                return new(this, block, bytes, larger);
            }
        }
        return null;
    }

    NativeBuffer Allocate(long bytes, int sizeClass)
    {
        long capacity = SizeClasses.BytesOf(sizeClass);
        if (Interlocked.Add(ref uncheckedBytes, capacity) >= CheckEvery)
        {
            Interlocked.Exchange(ref uncheckedBytes, 0);
            if (Shortage(capacity) is { })
            {
                ReturnUnreferenced();
                Trim();
                if (Shortage(capacity) is { } memory)
                {
                    Interlocked.Exchange(ref uncheckedBytes, CheckEvery);
                    ThrowOutOfMemory(bytes, memory, Statistics.LiveBytes);
                }
            }
        }
        nint block = Blocks.TryAllocate(capacity);
        if (block == 0)
        {
            Trim();
            block = Blocks.TryAllocate(capacity);
            if (block == 0) ThrowOutOfMemory(bytes, readMemory(), Statistics.LiveBytes);
        }
        lock (guard) Lend(capacity);
        return new(this, block, bytes, sizeClass);
    }

    /// <summary>The memory of the machine where it cannot give this much more; null where it can.</summary>
    /// <remarks>Two tests, because the system counts a page as used only once it was written.</remarks>
    MachineMemory? Shortage(long capacity)
    {
        var memory = readMemory();
        var (lent, waiting, _, _, _) = Statistics;
        return capacity > memory.AvailableBytes || lent + waiting + capacity > memory.TotalBytes ? memory : null;
    }

    void Lend(long capacity)
    {
        live += capacity;
        buffers++;
        peak = Math.Max(peak, live);
    }

    [System.Diagnostics.CodeAnalysis.DoesNotReturn]
    static void ThrowOutOfMemory(long bytes, MachineMemory memory, long live) =>
        throw new OutOfMemoryOnDeviceException("ASH0701",
            $"a buffer of {ByteSize.Text(bytes)} was asked for, but the cpu has {ByteSize.Text(memory.AvailableBytes)} available " +
            $"of {ByteSize.Text(memory.TotalBytes)}; buffers in use hold {ByteSize.Text(live)}.",
            "use a smaller batch or a narrower dtype, or drop references to tensors that are no longer needed.");
}

/// <summary>Blocks of memory as the operating system gives them.</summary>
static unsafe class Blocks
{
    const long HugePage = 2 << 20;

    /// <summary>Blocks of at least so many bytes lie on pages of 2 MiB where the system has them: what is within one.</summary>
    internal const long LeastBytesForHugePages = HugePage;

    /// <summary>A new block, 64-byte aligned; from 2 MiB on aligned to 2 MiB and advised to use pages of that size.</summary>
    /// <returns>0 where the system refuses.</returns>
    public static nint TryAllocate(long bytes)
    {
        if (bytes >= LeastBytesForHugePages && OperatingSystem.IsLinux()) return TryMap(bytes);
        try { return (nint)NativeMemory.AlignedAlloc((nuint)bytes, bytes >= LeastBytesForHugePages ? (nuint)HugePage : 64); }
        catch (OutOfMemoryException) { return 0; }
    }

    /// <summary>Gives a block of this many bytes back to the system.</summary>
    public static void Free(nint block, long bytes)
    {
        if (bytes >= LeastBytesForHugePages && OperatingSystem.IsLinux()) _ = LinuxCalls.Unmap((void*)block, (nuint)bytes);
        else NativeMemory.AlignedFree((void*)block);
    }

    static nint TryMap(long bytes)
    {
        void* mapped = LinuxCalls.Map(null, (nuint)(bytes + HugePage), LinuxCalls.ProtectRead | LinuxCalls.ProtectWrite,
            LinuxCalls.MapPrivate | LinuxCalls.MapAnonymous, -1, 0);
        if ((nint)mapped == -1) return 0;

        // What lies before the first multiple of 2 MiB and behind the block goes back at once.
        nint start = ((nint)mapped + (nint)HugePage - 1) & ~(nint)(HugePage - 1);
        nint before = start - (nint)mapped, behind = (nint)HugePage - before;
        if (before > 0) _ = LinuxCalls.Unmap(mapped, (nuint)before);
        if (behind > 0) _ = LinuxCalls.Unmap((void*)(start + (nint)bytes), (nuint)behind);
        _ = LinuxCalls.Advise((void*)start, (nuint)bytes, LinuxCalls.AdviseHugePages);    // refused: ordinary pages do too
        return start;
    }
}
