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
