using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Tuning;
using Ashlar.Runtime.Tuning;

namespace Ashlar.Tests.Tuning;

public sealed class DeviceProfileTests : IDisposable
{
    readonly string folder = Directory.CreateTempSubdirectory("ashlar-profile").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    static DeviceProfile Profile(string machine = "here", int threads = 2) =>
        new(machine, TuningEntry.CurrentVersion, threads, "2026-11-22T00:00:00Z",
            new Dictionary<string, double> { ["fma.f32@1"] = 123.456, ["read.l2@all"] = 200 });

    string File => Path.Combine(folder, "device.json");

    [Fact]
    public void Profile_ReadsBack()
    {
        Profile().Write(File);
        var (read, _) = DeviceProfile.Read(File, "here", 2);
        Assert.Equal(123.456, read!.Rate(Limit.Fma, all: false));
        Assert.Equal(200, read.Rate(Limit.L2Read, all: true));
        Assert.Null(read.Rate(Limit.AmxBF16, all: true));
    }

    [Theory]
    [InlineData("machine", "is of another machine (there)")]
    [InlineData("version", "is of another version (0.0.1)")]
    [InlineData("threads", "was measured with 3 threads, not 2")]
    [InlineData("damage", "is damaged")]
    [InlineData("cut", "cannot be read")]
    public void Profile_IsNotTaken_WhenItIsNotOfThisMachineOrDamaged(string what, string problem)
    {
        var profile = Profile(what == "machine" ? "there" : "here", what == "threads" ? 3 : 2);
        (what == "version" ? profile with { Version = "0.0.1" } : profile).Write(File);
        string text = System.IO.File.ReadAllText(File);
        if (what == "damage") System.IO.File.WriteAllText(File, text.Replace("123.456", "923.456"));
        if (what == "cut") System.IO.File.WriteAllText(File, text[..50]);
        var (read, said) = DeviceProfile.Read(File, "here", 2);
        Assert.Null(read);
        Assert.Equal(problem, said);
    }

    [Fact]
    public void Profile_IsMeasuredOnce_AndAgainWithAWarning_WhenItsFileIsDamaged()
    {
        var warnings = new List<string>();
        int measured = 0;
        Assert.Equal(123.456, Get());
        Assert.Equal(123.456, Get());
        Assert.Equal((1, 0), (measured, warnings.Count));
        string path = DeviceProfile.PathIn(folder, "here");
        System.IO.File.WriteAllText(path, System.IO.File.ReadAllText(path).Replace("123.456", "923.456"));
        Assert.Equal(123.456, Get());
        Assert.Equal($"ASH0657: the device profile {path} is damaged. It is measured again.", Assert.Single(warnings));
        Assert.Equal(123.456, Get());
        Assert.Equal((2, 1), (measured, warnings.Count));                 // the new one replaced the file

        double? Get() => DeviceProfile.Get(folder, "here", 2, () => { measured++; return Profile(); }, warnings.Add)
            .Rate(Limit.Fma, all: false);
    }

    [Fact]
    public void Profile_OfAMachine_HasAFileOfItsOwn() =>
        Assert.NotEqual(DeviceProfile.PathIn(folder, "here"), DeviceProfile.PathIn(folder, "there"));
}
