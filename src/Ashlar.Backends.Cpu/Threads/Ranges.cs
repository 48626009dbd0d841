using System.Runtime.InteropServices;

namespace Ashlar.Backends.Cpu;

/// <summary>A range that workers take in chunks: who is faster takes more. For work whose cost varies along the range.</summary>
/// <remarks>It lies in the caller's state, which all workers point to. Alone in its cache lines, so that taking disturbs no
/// one.</remarks>
[StructLayout(LayoutKind.Explicit, Size = 256)]
struct ChunkedRange(long count, long chunk)
{
    [FieldOffset(64)] readonly long count = count;
    [FieldOffset(72)] readonly long chunk = Math.Max(1, chunk);
    [FieldOffset(128)] long next;

    /// <summary>Takes the next chunk, [start, end).</summary>
    /// <returns>False when nothing is left.</returns>
    public bool Take(out long start, out long end)
    {
        start = Interlocked.Add(ref next, chunk) - chunk;
        end = Math.Min(start + chunk, count);
        return start < count;
    }
}

/// <summary>Ranges divided beforehand, for work whose cost is even.</summary>
static class EvenRange
{
    /// <summary>The share of <paramref name="worker"/>: [start, end) of [0, count), cut at multiples of
    /// <paramref name="multiple"/>.</summary>
    /// <remarks>Shares differ by one multiple at most; the ranges of all workers follow each other without gap.</remarks>
    public static (long Start, long End) Of(long count, int worker, int workers, long multiple = 1)
    {
        long units = (count + multiple - 1) / multiple;
        long each = units / workers, longer = units % workers;      // the first workers take one unit more
        long start = worker * each + Math.Min(worker, longer);
        long end = start + each + (worker < longer ? 1 : 0);
        return (Math.Min(start * multiple, count), Math.Min(end * multiple, count));
    }
}
