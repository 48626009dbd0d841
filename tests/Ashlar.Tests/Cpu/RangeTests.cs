using Ashlar.Backends.Cpu;

namespace Ashlar.Tests.Cpu;

public unsafe class RangeTests
{
    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 4)]
    [InlineData(1000, 7)]
    [InlineData(1024, 16)]
    public void ChunkedRange_GivesEveryIndexOnce(int count, int chunk)
    {
        using var workers = new Workers(4);
        int[] taken = new int[count];
        var range = new ChunkedRange(count, chunk);
        var shared = &range;
        workers.Run((_, _) =>
        {
            while (shared->Take(out long start, out long end))
                for (long i = start; i < end; i++) Interlocked.Increment(ref taken[i]);
        });
        Assert.All(taken, times => Assert.Equal(1, times));
    }

    [Theory]
    [InlineData(0, 3, 1)]
    [InlineData(2, 3, 1)]
    [InlineData(100, 3, 16)]
    [InlineData(129, 4, 16)]
    [InlineData(1 << 20, 5, 64)]
    public void EvenRange_SharesFollowEachOther_CutAtMultiples(long count, int workers, long multiple)
    {
        long next = 0, least = long.MaxValue, most = 0;
        for (int worker = 0; worker < workers; worker++)
        {
            var (start, end) = EvenRange.Of(count, worker, workers, multiple);
            Assert.Equal(next, start);
            Assert.True(start % multiple == 0 || start == count);
            (least, most) = (Math.Min(least, end - start), Math.Max(most, end - start));
            next = end;
        }
        Assert.Equal(count, next);
        Assert.True(most - least <= multiple + (count % multiple == 0 ? 0 : multiple));
    }
}
