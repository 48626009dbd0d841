using Ashlar.Backends.Cpu;

namespace Ashlar.Tests.Cpu;

public class ProcessorTests
{
    [Fact]
    public void Processor_CachesGrowOutward()
    {
        var processor = Processor.Current;
        Assert.InRange(processor.L1Bytes, 4 << 10, 1 << 20);
        Assert.True(processor.L2Bytes >= processor.L1Bytes);
        Assert.True(processor.L3Bytes == 0 || processor.L3Bytes >= processor.L2Bytes);
    }

    [Fact]
    public void Processor_FeaturesAgreeWithTheKernel_OnLinux()
    {
        if (!OperatingSystem.IsLinux() || !File.Exists("/proc/cpuinfo")) return;
        string? flags =
            File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("flags", StringComparison.Ordinal));
        if (flags is null) return;                                    // not x86
        var kernel = flags.Split(' ').ToHashSet();
        string[] named =
            ["avx", "avx2", "fma", "bmi2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8"];
        foreach (string feature in named)
            if (Processor.Current.Features.Contains(feature)) Assert.Contains(feature, kernel);
    }
}
