using Ashlar.NN;
using Ashlar.Tests.Tensors;

namespace Ashlar.Tests.NN;

public sealed class ScheduleTests() : DeviceTests(Devices.Reference)
{
    [Fact]
    public void Cosine_RisesAndFalls()
    {
        var schedule = Schedule.Cosine(peak: 1, steps: 110, warmup: 10, final: 0.1);
        Assert.Equal(0.1, schedule.At(0), 1e-12);
        Assert.Equal(0.5, schedule.At(4), 1e-12);
        Assert.Equal(1, schedule.At(9), 1e-12);
        Assert.Equal(1, schedule.At(10), 1e-12);
        Assert.Equal(0.55, schedule.At(60), 1e-12);
        Assert.Equal(0.1 + 0.9 * (1 + Math.Cos(Math.PI * 0.25)) / 2, schedule.At(35), 1e-12);
        Assert.Equal(0.1, schedule.At(110), 1e-12);
        Assert.Equal(0.1, schedule.At(100_000), 1e-12);
    }

    [Fact]
    public void Wsd_StaysInBetween()
    {
        var schedule = Schedule.Wsd(peak: 2, steps: 100, warmup: 4, decay: 20, final: 0.5);
        Assert.Equal([0.5, 1, 1.5, 2, 2], Enumerable.Range(0, 5).Select(step => Math.Round(schedule.At(step), 12)));
        Assert.Equal(2, schedule.At(79), 1e-12);
        Assert.Equal(1.25, schedule.At(90), 1e-12);
        Assert.Equal(0.5, schedule.At(100), 1e-12);
    }

    [Fact]
    public void Number_IsAConstantSchedule()
    {
        Schedule schedule = 3e-4f;
        Assert.Equal(3e-4f, schedule.At(0));
        Assert.Equal(3e-4f, schedule.At(12345));
    }

    [Fact]
    public void Program_ComputesTheSame()
    {
        Schedule[] schedules = [0.25, Schedule.Cosine(3e-3, 50, 7, 1e-4), Schedule.Cosine(1, 30), Schedule.Wsd(1e-2, 60, 10, 15),
            Schedule.Wsd(1, 10, 0, 10)];
        foreach (var schedule in schedules)
            for (int step = 0; step < 70; step += 3)
                Same(schedule.At(Tensor.Of(step)), "f32[]", schedule.At(step));
    }

    [Fact]
    public void Schedules_Refuse_MorePartsThanSteps()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Schedule.Cosine(1, 10, 11));
        Assert.Throws<ArgumentOutOfRangeException>(() => Schedule.Wsd(1, 10, 5, 6));
        Assert.Throws<ArgumentOutOfRangeException>(() => Schedule.Wsd(1, 10, -1, 6));
    }
}
