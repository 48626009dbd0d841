using Ashlar.Models;

namespace Ashlar.Tests.Serving;

/// <summary>Filters and penalties. The share of a token is measured by draws at even distances, so it is exact to one
/// draw.</summary>
public class SamplerFilterTests
{
    // Their softmax is 0.0861, 0.6364, 0.2341, 0.0117, 0.0317: expected surprise 1.000, surprises 2.45, 0.45, 1.45, 4.45, 3.45.
    static readonly float[] logits = [1, 3, 2, -1, 0];
    const int Draws = 20_000;

    static void AssertShares(double[] changed, int[] kept, SamplingOptions options, int[]? before = null, int[]? generated = null)
    {
        var sampler = new Sampler(logits.Length);
        var counts = new int[logits.Length];
        for (int i = 0; i < Draws; i++) counts[sampler.Sample(logits, options, (i + 0.5) / Draws, before, generated)]++;
        double total = kept.Sum(token => Math.Exp(changed[token]));
        for (int token = 0; token < logits.Length; token++)
            Assert.Equal(kept.Contains(token) ? Math.Exp(changed[token]) / total : 0, counts[token] / (double)Draws, 2.0 / Draws);
        for (int token = 0; token < logits.Length; token++) Assert.Equal(kept.Contains(token), counts[token] > 0);
    }

    static double[] Same => [.. logits.Select(logit => (double)logit)];

    [Theory]
    [InlineData(0.4f, new[] { 1 })]
    [InlineData(0.3f, new[] { 1, 2 })]
    [InlineData(0.1f, new[] { 0, 1, 2 })]
    [InlineData(0.04f, new[] { 0, 1, 2, 4 })]
    [InlineData(1e-6f, new[] { 0, 1, 2, 3, 4 })]
    public void MinP_KeepsTheSet(float minP, int[] kept) => AssertShares(Same, kept, new() { MinP = minP });

    [Theory]
    [InlineData(0.2f, new[] { 2 })]
    [InlineData(0.8f, new[] { 1, 2 })]
    [InlineData(0.9f, new[] { 0, 1, 2 })]
    [InlineData(0.97f, new[] { 0, 1, 2, 4 })]
    public void Typical_KeepsTheSet(float typical, int[] kept) => AssertShares(Same, kept, new() { TypicalP = typical });

    [Fact]
    public void Filters_FollowEachOther()
    {
        AssertShares(Same, [1], new(TopK: 3) { TypicalP = 0.2f });   // of three the surprise expected is 0.83
        AssertShares(Same, [1, 2], new(TopK: 3, TopP: 0.7f) { MinP = 0.01f });
        AssertShares(Same, [1], new(TopK: 4, TopP: 0.99f) { MinP = 0.5f });
    }

    [Fact]
    public void RepetitionPenalty_DividesAndMultiplies_Once() =>
        AssertShares([1, 1.5, 2, -2, 0], [0, 1, 2, 3, 4], new() { RepetitionPenalty = 2 }, before: [1, 3, 1], generated: [1]);

    [Fact]
    public void PresenceAndFrequency_CountWhatWasGenerated() =>
        AssertShares([1, 0.5, 2, -1, -2], [0, 1, 2, 3, 4], new() { PresencePenalty = 1.5f, FrequencyPenalty = 0.5f },
            before: [2, 2, 1, 1, 4], generated: [1, 1, 4]);

    [Fact]
    public void Bias_AddsAndForbids()
    {
        AssertShares([3, double.NegativeInfinity, 2, -1, 0], [0, 2, 3, 4], new()
        {
            Bias = new Dictionary<int, float> { [0] = 2, [1] = float.NegativeInfinity, [99] = 5 },
        });
        Assert.Equal(2, new Sampler(5).Sample(logits, new(0) { Bias = new Dictionary<int, float> { [1] = -2 } }, 0));
    }

    [Fact]
    public void Penalties_LeaveNothingBehind()
    {
        var sampler = new Sampler(5);
        sampler.Sample(logits, new()
        {
            RepetitionPenalty = 3,
            PresencePenalty = 2,
            FrequencyPenalty = 1,
            TypicalP = 0.9f,
        }, 0.5, [1, 1, 2], [1, 2]);
        // 3 - 0.5 is the greatest still.
        Assert.Equal(1, sampler.Sample(logits, new(0) { PresencePenalty = 0.5f }, 0, [1], [1]));
    }

    [Fact]
    public void Sample_AllocatesNothing_WithEverything()
    {
        var sampler = new Sampler(logits.Length);
        var options = new SamplingOptions(0.7f, 4, 0.95f)
        {
            MinP = 0.01f,
            TypicalP = 0.9f,
            RepetitionPenalty = 1.1f,
            PresencePenalty = 0.1f,
            FrequencyPenalty = 0.1f,
        };
        int[] text = [1, 2, 3, 1];
        for (int i = 0; i < 10; i++) sampler.Sample(logits, options, 0.5, text, text);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++) sampler.Sample(logits, options, 0.5, text, text);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void LogProbabilities_AreThoseOfTheSoftmax()
    {
        Assert.Equal(1 - Math.Log(logits.Sum(logit => Math.Exp(logit))), Sampler.LogProbability(logits, 0), 1e-4);
        var likeliest = Sampler.Likeliest(logits, 2);
        Assert.Equal([1, 2], likeliest.Select(entry => entry.Token));
        Assert.Equal(Sampler.LogProbability(logits, 2), likeliest[1].LogProbability, 1e-9);
    }
}
