using Ashlar.Backends.Cpu;

namespace Ashlar.Tests.Cpu;

public unsafe class LimitsTests
{
    public static TheoryData<Isa> AvailablePaths => [.. Isa.Available];

    [Theory, MemberData(nameof(AvailablePaths))]
    public void Limits_SampleEveryLimit_OnEveryPath(Isa isa)
    {
        using var workers = new Workers(2);
        var limits = new Limits(isa, workers);
        foreach (var limit in new[] { Limit.Fma, Limit.L1Read, Limit.L2Read, Limit.ForkJoin })
        {
            double sample = limits.Sample(limit, 2);
            Assert.True(double.IsFinite(sample) && sample > 0, $"{Limits.NameOf(limit)} {sample}");
        }
    }

    [Theory, MemberData(nameof(AvailablePaths))]
    public void LimitKernels_TouchAllOfTheirMemory(Isa isa)
    {
        // A share of 64 KiB for each of three workers, and guards around: a body that skips or oversteps shows.
        const int bytes = 3 * 64 << 10;
        using var a = new GuardedMemory(bytes);
        using var b = new GuardedMemory(bytes);
        using var workers = new Workers(3);
        float* sums = stackalloc float[48];
        var work = new LimitWork { A = (float*)a.Pointer, B = (float*)b.Pointer, Bytes = bytes, Sums = sums };
        var bodies = Limits.BodiesOf(isa);
        var first = new Span<float>(a.Pointer, bytes / 4);
        var second = new Span<float>(b.Pointer, bytes / 4);

        workers.Run(bodies.Write, &work);
        Assert.True(first.IndexOfAnyExcept(1f) < 0);

        for (int i = 0; i < first.Length; i++) first[i] = i;
        workers.Run(bodies.Copy, &work);
        Assert.True(first.SequenceEqual(second));

        second.Clear();
        workers.Run(bodies.CopyStreaming, &work);
        Assert.True(first.SequenceEqual(second));

        workers.Run(bodies.InPlace, &work);
        for (int i = 0; i < first.Length; i++) Assert.Equal(-i, first[i]);

        workers.Run(bodies.WriteStreaming, &work);
        Assert.True(first.IndexOfAnyExcept(1f) < 0);

        // One changed element of the whole set must reach a worker's sum.
        workers.Run(bodies.Read, &work);
        float before = sums[33];
        first[^1] = 3;
        workers.Run(bodies.Read, &work);
        Assert.NotEqual(before, sums[33]);
    }

    [Fact]
    public void Limits_SampleAmx_OrSayWhyNot()
    {
        using var workers = new Workers(2);
        var limits = new Limits(Isa.Portable, workers);
        if (limits.WhyNot(Limit.AmxBF16, 1) is { } reason)
        {
            var error = Assert.Throws<DeviceException>(() => limits.Sample(Limit.AmxBF16, 1));
            Assert.Contains(reason, error.Message);
        }
        else Assert.True(limits.Sample(Limit.AmxBF16, 2) > 0);
        if (limits.WhyNot(Limit.AmxInt8, 1) is null) Assert.True(limits.Sample(Limit.AmxInt8, 2) > 0);
    }

    [Fact]
    public void Limits_HaveNoForkJoinOfOneThread()
    {
        using var workers = new Workers(1);
        var limits = new Limits(Isa.Portable, workers);
        Assert.NotNull(limits.WhyNot(Limit.ForkJoin, 1));
        Assert.Equal("ASH0604", Assert.Throws<DeviceException>(() => limits.Sample(Limit.ForkJoin, 1)).Code);
        Assert.Throws<ArgumentOutOfRangeException>(() => limits.Sample(Limit.Fma, 2));
    }
}
