using Ashlar.Training;

namespace Ashlar.Tests.Training;

public class BatchesTests
{
    static (int[] Inputs, int[] Targets) Fill(Batches batches, long step)
    {
        int[] inputs = new int[batches.Rows * batches.Length], targets = new int[inputs.Length];
        batches.Read(step, inputs, targets);
        return (inputs, targets);
    }

    static Tokens Counting(int count) => Tokens.Of(Enumerable.Range(0, count).ToArray(), count);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(64)]
    [InlineData(1000)]
    public void Shuffle_HasEveryNumberOnce(int count)
    {
        var orders = Enumerable.Range(0, 5).Select(key =>
            Enumerable.Range(0, count).Select(place => new Shuffle(count, (ulong)key)[place]).ToArray()).ToArray();
        Assert.All(orders, order => Assert.Equal(Enumerable.Range(0, count).Select(i => (long)i), order.Order()));
        if (count > 5) Assert.Equal(5, orders.Select(order => string.Join(' ', order)).Distinct().Count());
    }

    [Fact]
    public void Shuffle_PutsEveryNumberEverywhere_AboutEquallyOften()
    {
        const int Count = 6, Keys = 6000;
        int[,] times = new int[Count, Count];
        for (ulong key = 0; key < Keys; key++)
            for (int place = 0; place < Count; place++) times[place, new Shuffle(Count, Shuffle.Mix(9, key))[place]]++;
        Assert.All(times.Cast<int>(), found => Assert.InRange(found, 1000 - 150, 1000 + 150));   // 5 standard deviations
    }

    [Fact]
    public void Shuffle_ReachesNumbersBeyond32Bits()
    {
        var order = new Shuffle(1L << 40, 3);
        long[] values = [.. Enumerable.Range(0, 100).Select(i => order[i])];
        Assert.Equal(100, values.Distinct().Count());
        Assert.All(values, value => Assert.InRange(value, 0, (1L << 40) - 1));
        Assert.Contains(values, value => value > uint.MaxValue);
    }

    [Fact]
    public void Windows_HaveTheNextTokenAsTarget()
    {
        var batches = new WindowBatches(Counting(1000), rows: 4, length: 16, seed: 1);
        for (int step = 0; step < 40; step++)
        {
            var (inputs, targets) = Fill(batches, step);
            Assert.Equal(inputs.Select(token => token + 1), targets);
            Assert.All(inputs.Chunk(16), row => Assert.Equal(Enumerable.Range(row[0], 16), row));
        }
    }

    [Fact]
    public void Windows_OfAnEpoch_DoNotOverlap_AndNextTimeBeginElsewhere()
    {
        var batches = new WindowBatches(Counting(1000), rows: 1, length: 10, seed: 1);
        Assert.Equal(98, batches.RowsPerEpoch);
        Assert.Equal(1.5, batches.Epochs(147));
        int[][] epochs = [.. Enumerable.Range(0, 3).Select(epoch =>
            Enumerable.Range(0, 98).Select(row => Fill(batches, epoch * 98 + row).Inputs[0]).ToArray())];
        Assert.All(epochs, starts => Assert.Single(starts.Select(start => start % 10).Distinct()));
        Assert.All(epochs, starts => Assert.Equal(98, starts.Distinct().Count()));
        Assert.True(epochs.Select(starts => starts[0] % 10).Distinct().Count() > 1);
    }

    [Fact]
    public void Batches_AreAFunctionOfSeedAndStep()
    {
        var one = new WindowBatches(Counting(1000), 4, 16, seed: 1);
        var same = new WindowBatches(Counting(1000), 4, 16, seed: 1);
        var other = new WindowBatches(Counting(1000), 4, 16, seed: 2);
        var later = Fill(one, 123);
        for (int step = 0; step < 5; step++) Fill(same, step);
        Assert.Equal(later.Inputs, Fill(same, 123).Inputs);
        Assert.Equal(later.Targets, Fill(same, 123).Targets);
        Assert.NotEqual(later.Inputs, Fill(other, 123).Inputs);
        Assert.NotEqual(later.Inputs, Fill(one, 122).Inputs);
        Fill(one, 1L << 40);
    }

    [Fact]
    public void Windows_ToValidateOn_GoThroughTheTextInOrder()
    {
        var batches = new WindowBatches(Counting(41), rows: 2, length: 10, shuffle: false);
        Assert.Equal(4, batches.RowsPerEpoch);
        Assert.Equal(Enumerable.Range(0, 40), Enumerable.Range(0, 2).SelectMany(step => Fill(batches, step).Inputs));
        Assert.Equal(Fill(batches, 0).Inputs, Fill(batches, 2).Inputs);
    }

    [Theory]
    [InlineData(11)]
    [InlineData(15)]
    [InlineData(20)]
    [InlineData(21)]
    [InlineData(22)]
    [InlineData(31)]
    public void Windows_FitTextsOfFewTokens(int count)
    {
        var batches = new WindowBatches(Counting(count), rows: 3, length: 10, seed: 4);
        for (int step = 0; step < 20; step++)
            Assert.All(Fill(batches, step).Targets, token => Assert.InRange(token, 1, count - 1));
    }

    [Fact]
    public void Windows_NeedOneContextAndAToken()
    {
        var error = Assert.Throws<DataException>(() => new WindowBatches(Counting(10), 1, 10));
        Assert.Equal("ASH0433", error.Code);
        Assert.Contains("10 tokens", error.Message);
        Assert.Contains("at least 11", error.Message);
    }

    [Fact]
    public void Read_AllocatesNothing()
    {
        var batches = new WindowBatches(Counting(1000), 4, 16, seed: 1);
        int[] inputs = new int[64], targets = new int[64];
        batches.Read(0, inputs, targets);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int step = 0; step < 100; step++) batches.Read(step, inputs, targets);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Assert.Throws<ArgumentException>(() => batches.Read(0, inputs, new int[63]));
    }

    [Fact]
    public void Resuming_RejectsOtherData()
    {
        var batches = new WindowBatches(Counting(1000), 4, 16, seed: 1);
        batches.ThrowUnlessSame(new WindowBatches(Counting(1000), 4, 16, seed: 1).State);
        Assert.Contains("seed was 2, is 1", Differs(new WindowBatches(Counting(1000), 4, 16, seed: 2)));
        Assert.Contains("rows of a batch was 5, is 4, context was 20, is 16",
            Differs(new WindowBatches(Counting(1000), 5, 20, seed: 1)));
        Assert.Contains("the tokens themselves", Differs(new WindowBatches(Tokens.Of(new int[1000], 1000), 4, 16, seed: 1)));

        string Differs(Batches before)
        {
            var error = Assert.Throws<DataException>(() => batches.ThrowUnlessSame(before.State));
            Assert.Equal("ASH0437", error.Code);
            return error.Message;
        }
    }

    [Fact]
    public void Packed_KeepsDocumentsWhole_AndCountsOnlyTheirTargets()
    {
        var batches =
            new PackedBatches([new((int[])[1, 2, 3, 4], FirstTarget: 2), new((int[])[5, 6, 7])], rows: 1, length: 8, filler: 9);
        Assert.Equal(1, batches.RowsPerEpoch);
        var (inputs, targets) = Fill(batches, 0);
        const int No = IBatches.Ignored;
        bool firstFirst = inputs[0] == 1;
        Assert.Equal(firstFirst ? [1, 2, 3, 4, 5, 6, 7, 9] : [5, 6, 7, 1, 2, 3, 4, 9], inputs);
        Assert.Equal(firstFirst ? [No, 3, 4, No, 6, 7, No, No] : [6, 7, No, No, 3, 4, No, No], targets);
        Assert.Equal(0.5, batches.CountingShare);
    }

    [Fact]
    public void Packed_UsesTheLastTokenOfARowAsATarget()
    {
        var (inputs, targets) = Fill(new PackedBatches([new((int[])[1, 2, 3])], rows: 1, length: 2), 0);
        Assert.Equal([1, 2], inputs);
        Assert.Equal([2, 3], targets);
    }

    [Fact]
    public void Packed_HasEveryDocumentOncePerEpoch_AndLeavesLittleRoom()
    {
        var random = new Random(3);
        Document[] documents =
            [.. Enumerable.Range(0, 500).Select(i => new Document(Enumerable.Repeat(i + 1, random.Next(2, 30)).ToArray()))];
        var batches = new PackedBatches(documents, rows: 1, length: 63, seed: 5);
        var times = new Dictionary<int, int>();
        for (int step = 0; step < batches.RowsPerEpoch; step++)
        {
            var (inputs, targets) = Fill(batches, step);
            for (int i = 0; i < 63; i++)
                if (targets[i] != IBatches.Ignored)
                {
                    Assert.Equal(inputs[i], targets[i]);   // within a document
                    times[targets[i]] = times.GetValueOrDefault(targets[i]) + 1;
                }
        }
        Assert.All(documents.Index(), entry => Assert.Equal(entry.Item.Tokens.Length - 1, times[entry.Index + 1]));
        Assert.InRange(documents.Sum(document => document.Tokens.Length) / (double)(batches.RowsPerEpoch * 64), 0.95, 1);
    }

    [Fact]
    public void Packed_RejectsDocumentsThatDoNotFit()
    {
        Assert.Equal("ASH0438", Assert.Throws<DataException>(() => new PackedBatches([new(new int[10])], 1, 8)).Code);
        Assert.Equal("ASH0438", Assert.Throws<DataException>(() => new PackedBatches([new(new int[1])], 1, 8)).Code);
        Assert.Equal("ASH0433", Assert.Throws<DataException>(() => new PackedBatches([], 1, 8)).Code);
    }
}
