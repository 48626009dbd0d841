using Ashlar.Backends.Cpu;

namespace Ashlar.Tests.Cpu;

public class OwnedItemsTests
{
    [Fact]
    public void Worker_TakesItsOwnInOrder_ThenTheLastOfAnother()
    {
        var items = new OwnedItems();
        items.Share(5, 2);
        var taken = new List<(long, bool)>();
        while (items.Take(0, 2, out long item, out bool isFollowed)) taken.Add((item, isFollowed));
        Assert.Equal([(0, true), (1, true), (2, false), (4, false), (3, false)], taken);
        Assert.False(items.Take(1, 2, out _, out _));
    }

    [Fact]
    public void Worker_TakesFewerTowardsTheEnd_AndNeverBeyondARow()
    {
        var items = new OwnedItems();
        items.Share(48, 2);
        var taken = new List<(long, long, long)>();
        var sizes = new RunSizes(8, 4, 20);
        while (items.TakeSome(0, 2, sizes, out long first, out long count, out long next)) taken.Add((first, count, next));
        Assert.Equal([(0, 8, 8), (8, 8, 4), (16, 4, 0), (20, 2, 1), (22, 1, 1), (23, 1, 0),
            (40, 8, 0), (32, 8, 0), (28, 4, 0), (26, 2, 0), (25, 1, 0), (24, 1, 0)], taken);
    }

    [Theory]
    [InlineData(1, 1), InlineData(3, 4), InlineData(1000, 3), InlineData(257, 8)]
    public async Task EachOfSome_IsTakenOnce_WhenWorkersTakeAtOnce(int count, int workers)
    {
        var items = new OwnedItems();
        items.Share(count, workers);
        int[] times = new int[count];
        await Task.WhenAll(Enumerable.Range(0, workers).Select(worker => Task.Run(() =>
        {
            while (items.TakeSome(worker, workers, new(16, 4, 30), out long first, out long some, out _))
                for (long item = first; item < first + some; item++) Interlocked.Increment(ref times[item]);
        })));
        Assert.All(times, time => Assert.Equal(1, time));
    }

    [Theory]
    [InlineData(1, 1), InlineData(3, 4), InlineData(1000, 3), InlineData(257, 8)]
    public async Task EachItem_IsTakenOnce_WhenWorkersTakeAtOnce(int count, int workers)
    {
        var items = new OwnedItems();
        for (int round = 0; round < 5; round++)
        {
            items.Share(count, workers);
            int[] times = new int[count];
            await Task.WhenAll(Enumerable.Range(0, workers).Select(worker => Task.Run(() =>
            {
                while (items.Take(worker, workers, out long item, out _)) Interlocked.Increment(ref times[item]);
            })));
            Assert.All(times, time => Assert.Equal(1, time));
        }
    }
}
