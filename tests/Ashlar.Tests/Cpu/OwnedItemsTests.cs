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
