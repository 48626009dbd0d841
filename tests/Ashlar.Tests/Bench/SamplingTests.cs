using Ashlar.Backends.Cpu;
using Ashlar.Bench;

namespace Ashlar.Tests.Bench;

public class SamplingTests
{
    [Theory]
    [InlineData(new double[] { 3 }, 3)]
    [InlineData(new double[] { 9, 1, 2 }, 2)]
    [InlineData(new double[] { 4, 1, 2, 100 }, 3)]
    public void Median_IsTheMiddle(double[] samples, double expected) => Assert.Equal(expected, Sampling.Median(samples));

    [Fact]
    public void Pairs_CompareNeighbours_WhenTheMachineSlowsDown()
    {
        // Each pair runs on a machine half as fast as the one before; within a pair the kernel always gets 80 %.
        int calls = 0;
        double Speed() => Math.Pow(0.5, calls++ / 2);
        var outcome = Sampling.Pairs(() => 0.8 * Speed(), Speed, CancellationToken.None);
        Assert.Equal(0.8, outcome.Ratio, 12);
    }

    [Fact]
    public void Pairs_GiveMedians_WhenOneSampleIsDisturbed()
    {
        int calls = 0;
        var outcome = Sampling.Pairs(() => calls++ == 3 ? 0.01 : 30, () => 40, CancellationToken.None);
        Assert.Equal(new Sampling.Outcome(30, 40, 0.75), outcome);
        Assert.True(calls >= Sampling.FewestPairs);
    }

    [Fact]
    public void Pairs_ChangeTheirOrder()
    {
        var order = new List<char>();
        double Sample(char kind)
        {
            order.Add(kind);
            return 1;
        }
        Sampling.Pairs(() => Sample('v'), () => Sample('l'), CancellationToken.None);
        Assert.Equal("lvvllv", string.Concat(order.Take(6)));
        Assert.Equal(order.Count / 2, order.Count(kind => kind == 'v'));
    }

    [Fact]
    public void Pairs_StopBetweenSamples_WhenCancelled()
    {
        using var source = new CancellationTokenSource();
        int values = 0;
        double Value()
        {
            values++;
            source.Cancel();
            return 1;
        }
        Assert.Throws<OperationCanceledException>(() => Sampling.Pairs(Value, () => 1, source.Token));
        Assert.Equal(1, values);
    }

    [Fact]
    public void WarmUp_RunsAtLeastThreeTimes_AndFillsASample()
    {
        int runs = 0;
        int repeats = Sampling.WarmUp(() => runs++, CancellationToken.None);
        Assert.True(runs >= 3);
        Assert.True(repeats > 1, "a run of nanoseconds fills no sample");
    }

    [Fact]
    public void Bound_IsTheNearerOne()
    {
        // 100 flops on 10 bytes: 50 flops per second of arithmetic, or 3 bytes per second of memory, which is 30 flops.
        var workload = new Workload("w", () => null!, 100, Limit.Fma) { OtherLimit = (Limit.Read, 10) };
        Assert.Equal(30, Timing.Bound(workload, limit => limit == Limit.Fma ? 50 : 3), 12);
        Assert.Equal(20, Timing.Bound(workload, limit => limit == Limit.Fma ? 20 : 3), 12);
        Assert.Equal(50, Timing.Bound(workload with { OtherLimit = null }, limit => limit == Limit.Fma ? 50 : 3), 12);
    }

    [Theory]
    [InlineData(0.85, 0.85, true)]
    [InlineData(0.85, 0.849, false)]
    public void Target_IsAFloor_ForRates(double target, double ratio, bool reached) =>
        Assert.Equal(reached, Target.AtLeast(target).IsReached(ratio));

    [Fact]
    public void Target_IsACeiling_ForBudgets()
    {
        Assert.True(Target.AtMost(1).IsReached(Figure.Against("x", 4, "ms", 5).Ratio));
        Assert.False(Target.AtMost(1).IsReached(Figure.Against("x", 6, "ms", 5).Ratio));
        Assert.True(Target.AtMost(0).IsReached(Figure.Against("x", 0, "bytes", 0).Ratio));
        Assert.False(Target.AtMost(0).IsReached(Figure.Against("x", 24, "bytes", 0).Ratio));
    }
}
