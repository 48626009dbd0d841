using System.Diagnostics;

namespace Ashlar.Backends.Cpu;

/// <summary>Items that are shared out beforehand, so that each worker's follow each other.</summary>
/// <remarks>Who is done takes from the end of another's.</remarks>
sealed class OwnedItems
{
    const int Stride = 16;                             // of 8 bytes: two cache lines a worker, so that taking disturbs no one

    // Of each worker the next item, and above it, in the upper half, where its items end.
    long[] ranges = [];

    /// <summary>Shares items out, each worker an <see cref="EvenRange"/>. No worker takes meanwhile.</summary>
    /// <param name="count">How many items.</param>
    /// <param name="workers">How many workers.</param>
    public void Share(long count, int workers)
    {
        Debug.Assert(count < int.MaxValue, "items are panels of a matrix in memory");
        if (ranges.Length < (workers + 1) * Stride) ranges = new long[(workers + 1) * Stride];
        for (int worker = 0; worker < workers; worker++)
        {
            var (first, end) = EvenRange.Of(count, worker, workers);
            ranges[PlaceOf(worker)] = end << 32 | first;
        }
    }

    /// <summary>Takes some of the next items of the worker, or else some of the last ones of another: fewer towards the end, so
    /// that all are done at about the same time.</summary>
    /// <param name="worker">Who takes.</param>
    /// <param name="workers">How many there are.</param>
    /// <param name="sizes">How many at a time.</param>
    /// <param name="first">The first of what was taken.</param>
    /// <param name="count">How many were.</param>
    /// <param name="next">How many the worker will very likely take next, right behind these; 0 where others come.</param>
    /// <returns>False when nothing is left.</returns>
    public bool TakeSome(int worker, int workers, in RunSizes sizes, out long first, out long count, out long next)
    {
        for (int i = 0; i < workers; i++)
        {
            ref long range = ref ranges[PlaceOf((worker + i) % workers)];
            for (long seen = Volatile.Read(ref range); ;)
            {
                long begin = seen & int.MaxValue, end = seen >> 32;
                if (begin >= end) break;
                count = sizes.Of(end - begin);
                // Not beyond the row of items that the first, or last, one lies in.
                count = Math.Min(count, i == 0 ? sizes.Row - begin % sizes.Row : (end - 1) % sizes.Row + 1);
                long left = i == 0 ? end << 32 | begin + count : end - count << 32 | begin;
                long found = Interlocked.CompareExchange(ref range, left, seen);
                if (found != seen)
                {
                    seen = found;
                    continue;
                }
                first = i == 0 ? begin : end - count;
                long behind = begin + count;
                next = i == 0 && behind < end && behind % sizes.Row != 0
                    ? Math.Min(sizes.Of(end - behind), sizes.Row - behind % sizes.Row)
                    : 0;
                return true;
            }
        }
        first = count = next = 0;
        return false;
    }

    /// <summary>Takes the next item of the worker, or else the last one of another.</summary>
    /// <param name="worker">Who takes.</param>
    /// <param name="workers">How many there are.</param>
    /// <param name="item">What was taken.</param>
    /// <param name="isFollowed">The item behind it will very likely be this worker's next.</param>
    /// <returns>False when nothing is left.</returns>
    public bool Take(int worker, int workers, out long item, out bool isFollowed)
    {
        for (int i = 0; i < workers; i++)
        {
            ref long range = ref ranges[PlaceOf((worker + i) % workers)];
            for (long seen = Volatile.Read(ref range); ;)
            {
                long first = seen & int.MaxValue, end = seen >> 32;
                if (first >= end) break;
                long left = i == 0 ? end << 32 | first + 1 : end - 1 << 32 | first;
                long found = Interlocked.CompareExchange(ref range, left, seen);
                if (found != seen)
                {
                    seen = found;
                    continue;
                }
                item = i == 0 ? first : end - 1;
                isFollowed = i == 0 && first + 1 < end;
                return true;
            }
        }
        (item, isFollowed) = (0, false);
        return false;
    }

    // The first lines are left to whatever lies before the array.
    static int PlaceOf(int worker) => (worker + 1) * Stride - 1;
}

/// <summary>How many items are taken at a time.</summary>
/// <param name="Most">At most so many.</param>
/// <param name="Whole">Multiples of this many, unless fewer are taken.</param>
/// <param name="Row">Items that may be taken together: those from one multiple of this to the next.</param>
readonly record struct RunSizes(long Most, long Whole, long Row)
{
    /// <summary>How many of those that a worker has left: half of them towards the end.</summary>
    public long Of(long left)
    {
        long size = Math.Clamp(left / 2, 1, Most);
        return size > Whole ? size / Whole * Whole : size;
    }
}
