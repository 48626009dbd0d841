using Ashlar.Models;

namespace Ashlar.Tests.Models;

public class SamplerTests
{
    static readonly float[] logits = [1, 3, 2, -1, 0];

    static double[] Shares(SamplingOptions options, int draws = 200_000)
    {
        var (sampler, random, counts) = (new Sampler(logits.Length), new Random(1), new double[logits.Length]);
        for (int i = 0; i < draws; i++) counts[sampler.Sample(logits, options, random.NextDouble())]++;
        return [.. counts.Select(count => count / draws)];
    }

    static double[] Softmax(double temperature, params int[] kept)
    {
        double total = kept.Sum(token => Math.Exp(logits[token] / temperature));
        return [.. Enumerable.Range(0, logits.Length).Select(token =>
            kept.Contains(token) ? Math.Exp(logits[token] / temperature) / total : 0)];
    }

    [Theory]
    [InlineData(1)]
    [InlineData(0.5f)]
    [InlineData(2)]
    public void Sample_FollowsSoftmax(float temperature)
    {
        foreach (var (expected, share) in Softmax(temperature, 0, 1, 2, 3, 4).Zip(Shares(new(temperature))))
            Assert.Equal(expected, share, 0.005);
    }

    [Fact]
    public void Sample_TakesTheLikeliest_WhenColdOrOneIsKept()
    {
        Assert.Equal([0, 1, 0, 0, 0], Shares(new(Temperature: 0), 100));
        Assert.Equal([0, 1, 0, 0, 0], Shares(new(TopK: 1), 100));
        Assert.Equal([0, 1, 0, 0, 0], Shares(new(TopP: 0), 100));
    }

    // Softmax of these logits: 0.086, 0.636, 0.234, 0.012, 0.032.
    [Theory]
    [InlineData(2, 1, new[] { 1, 2 })]
    [InlineData(0, 0.7f, new[] { 1, 2 })]
    [InlineData(0, 0.9f, new[] { 0, 1, 2 })]
    [InlineData(99, 1, new[] { 0, 1, 2, 3, 4 })]
    [InlineData(3, 0.99f, new[] { 0, 1, 2 })]
    public void Sample_KeepsTheSet(int topK, float topP, int[] kept)
    {
        foreach (var (expected, share) in Softmax(1, kept).Zip(Shares(new(TopK: topK, TopP: topP))))
            Assert.Equal(expected, share, 0.005);
    }

    [Fact]
    public void Sample_AllocatesNothing()
    {
        var sampler = new Sampler(logits.Length);
        var options = new SamplingOptions(TopK: 3, TopP: 0.9f);
        for (int i = 0; i < 10; i++) sampler.Sample(logits, options, 0.5);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++) sampler.Sample(logits, options, 0.5);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Sample_Refuses_LogitsOfAnotherVocabulary() =>
        Assert.Throws<ArgumentException>(() => new Sampler(4).Sample(logits, new(), 0));
}
