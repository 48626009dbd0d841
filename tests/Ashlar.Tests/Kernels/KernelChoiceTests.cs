using Ashlar.Backends.Cpu;
using Ashlar.Runtime.Tuning;
using Ashlar.Tests.Tensors;
using Ashlar.Tiles;

namespace Ashlar.Tests.Kernels;

public sealed class KernelChoiceTests() : DeviceTests(new Device(new CpuBackend()))
{
    sealed record Tiles(int Size, float Factor = 2);

    static Kernel Scale(Tiles c) => Kernel.Define("scale_by_choice", k =>
    {
        var (x, y) = (k.Input("x", "N"), k.Output("y", "N"));
        var n = k.Grid(("N", c.Size));
        y[n] = x[n] * c.Factor;
    });

    [Fact]
    public void Call_RunsTheFirstConfig_UntilOneIsTuned()
    {
        var cache = TuningCache.Load(null);
        var choice = Kernel.Choose([new Tiles(64), new Tiles(128)], Scale);
        var x = Tensor.RandomNormal(1, 300);
        Close(choice.Call(x), x * 2);
        Assert.Same(choice.Default, KernelChoices.ChosenFrom(cache, choice, [x]));

        var tuning = choice.Tune([x], cache: cache);
        Assert.Equal(2, tuning.Candidates.Count);
        Assert.All(tuning.Candidates, candidate => Assert.Null(candidate.Rejected));
        var entry = Assert.Single(cache.Entries);
        Assert.Equal(tuning.Best.Config, entry.Config);
        cache.Add(entry with { Config = new Tiles(128).ToString() });
        Assert.Same(choice.Options[1].Define.Value, KernelChoices.ChosenFrom(cache, choice, [Tensor.Zeros(310)]));
        Assert.Same(choice.Default, KernelChoices.ChosenFrom(cache, choice, [Tensor.Zeros(3000)]));
        cache.Add(entry with { Config = "a config of an older text" });
        Assert.Same(choice.Default, KernelChoices.ChosenFrom(cache, choice, [x]));
    }

    [Fact]
    public void Tune_RejectsWrongResults_AndWhatCannotRun()
    {
        var choice = Kernel.Choose([new Tiles(64), new Tiles(32, 3), new Tiles(1 << 30, float.NaN)],
            c => float.IsNaN(c.Factor) ? throw new KernelException("ASH0579", "too large.", "smaller.") : Scale(c));
        var tuning = choice.Tune([Tensor.RandomNormal(1, 100)], cache: TuningCache.Load(null));
        Assert.Equal(choice.Options[0].Config, tuning.Best.Config);
        Assert.Equal("wrong result", tuning.Candidates.Single(candidate =>
            candidate.Config == choice.Options[1].Config).Rejected);
        Assert.Equal("ASH0579: too large.", tuning.Candidates.Single(candidate =>
            candidate.Config == choice.Options[2].Config).Rejected);
    }

    [Fact]
    public void Tune_TimesTheConfigsOfLeastCost()
    {
        var choice = Kernel.Choose([new Tiles(64), new Tiles(16), new Tiles(32), new Tiles(128)], Scale, c => -c.Size);
        var tuning = choice.Tune([Tensor.RandomNormal(1, 100)], most: 2, TuningCache.Load(null));
        Assert.Equal(new[] { choice.Options[0].Config, choice.Options[3].Config }.Order(),
            tuning.Candidates.Select(candidate => candidate.Config).Order());
    }

    [Fact]
    public void Choices_ThatCannotBe_AreFound()
    {
        Assert.Equal("ASH0589", Assert.Throws<KernelException>(() => Kernel.Choose<Tiles>([], Scale)).Code);
        Assert.Equal("ASH0589", Assert.Throws<KernelException>(() => Kernel.Choose([new Tiles(8), new Tiles(8)], Scale)).Code);
        Assert.Equal("ASH0661", Assert.Throws<DeviceException>(() => Kernel.Choose([new Tiles(8)], Scale).Tune([])).Code);
    }
}
