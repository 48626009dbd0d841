using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using System.Text;

namespace Ashlar.Backends.Cpu;

/// <summary>The processor this process runs on: its name, its caches, and its units beside the vectors.</summary>
/// <remarks>
/// Read from the CPUID instruction on x86 and from /sys on other Linux machines. A hypervisor may mask either, so the sizes
/// are advice for choosing tiles, never something correctness depends on.
/// </remarks>
public sealed record Processor
{
    const int XfeatureTileConfig = 17, XfeatureTileData = 18;

    static readonly Lazy<Processor> current = new(Detect);

    /// <summary>The processor of this process.</summary>
    public static Processor Current => current.Value;

    /// <summary>The name its maker gave it.</summary>
    public required string Model { get; init; }

    /// <summary>Threads it runs at once, within this process's affinity and container limit.</summary>
    public int Count { get; init; } = Environment.ProcessorCount;

    /// <summary>Bytes of the first-level data cache of one core; 32 KiB where the machine does not say.</summary>
    public long L1Bytes { get; init; } = 32 << 10;

    /// <summary>Bytes of the second-level cache of one core; 256 KiB where the machine does not say.</summary>
    public long L2Bytes { get; init; } = 256 << 10;

    /// <summary>Bytes of the last-level cache, shared; 0 where there is none or the machine does not say.</summary>
    public long L3Bytes { get; init; }

    /// <summary>512-bit dot products of bytes: <c>vpdpbusd zmm</c>.</summary>
    public bool HasAvx512Vnni { get; init; }

    /// <summary>512-bit dot products of bfloat16: <c>vdpbf16ps zmm</c>.</summary>
    public bool HasAvx512BF16 { get; init; }

    /// <summary>512-bit arithmetic on float16: <c>vfmadd231ph zmm</c>.</summary>
    public bool HasAvx512FP16 { get; init; }

    /// <summary>128 and 256-bit dot products of bytes: <c>vpdpbusd ymm</c> without AVX-512.</summary>
    public bool HasAvxVnni { get; init; }

    /// <summary>Tile products of bfloat16: <c>tdpbf16ps</c>; true only where the operating system switches tile state.</summary>
    public bool HasAmxBF16 { get; init; }

    /// <summary>Tile products of bytes: <c>tdpbssd</c>; true only where the operating system switches tile state.</summary>
    public bool HasAmxInt8 { get; init; }

    /// <summary>Tile products of float16: <c>tdpfp16ps</c>; true only where the operating system switches tile state.</summary>
    public bool HasAmxFP16 { get; init; }

    /// <summary>What it has that kernels can use, by the names that /proc/cpuinfo gives, in a fixed order.</summary>
    public required IReadOnlyList<string> Features { get; init; }

    static Processor Detect()
    {
        if (!X86Base.IsSupported)
        {
            return WithCachesFromSys(new Processor
            {
                Model = RuntimeInformation.ProcessArchitecture.ToString(),
                Features = Vector128.IsHardwareAccelerated ? ["vector128"] : [],
            });
        }

        int highest = X86Base.CpuId(0, 0).Eax;
        var (_, ebx7, ecx7, edx7) = highest >= 7 ? X86Base.CpuId(7, 0) : default;
        var (eax71, _, _, _) = highest >= 7 ? X86Base.CpuId(7, 1) : default;
        bool wide = Avx512F.IsSupported;         // says too that the operating system saves the registers
        bool tiles = Bit(edx7, 24) && TileStateIsEnabled();

        var processor = new Processor
        {
            Model = ModelName(),
            HasAvx512Vnni = wide && Bit(ecx7, 11),
            HasAvx512BF16 = wide && Bit(eax71, 5),
            HasAvx512FP16 = wide && Bit(edx7, 23),
            HasAvxVnni = Avx2.IsSupported && Bit(eax71, 4),
            HasAmxBF16 = tiles && Bit(edx7, 22),
            HasAmxInt8 = tiles && Bit(edx7, 25),
            HasAmxFP16 = tiles && Bit(eax71, 21),
            Features = [],
        };
        (string Name, bool Present)[] table =
        [
            ("sse4_2", Sse42.IsSupported), ("avx", Avx.IsSupported), ("avx2", Avx2.IsSupported), ("fma", Fma.IsSupported),
            ("bmi2", Bmi2.IsSupported), ("avx_vnni", processor.HasAvxVnni),
            ("avx512f", wide), ("avx512bw", Avx512BW.IsSupported), ("avx512dq", Avx512DQ.IsSupported),
            ("avx512vl", Avx512F.VL.IsSupported), ("avx512_vbmi", Avx512Vbmi.IsSupported),
            ("avx512_vnni", processor.HasAvx512Vnni), ("avx512_bf16", processor.HasAvx512BF16),
            ("avx512_fp16", processor.HasAvx512FP16),
            ("amx_bf16", processor.HasAmxBF16), ("amx_int8", processor.HasAmxInt8), ("amx_fp16", processor.HasAmxFP16),
        ];
        return WithCachesFromCpuId(processor with { Features = [.. table.Where(row => row.Present).Select(row => row.Name)] });
    }

    static bool Bit(int word, int bit) => (word >> bit & 1) != 0;

    static string ModelName()
    {
        if ((uint)X86Base.CpuId(unchecked((int)0x80000000), 0).Eax < 0x80000004) return "x86";
        var name = new byte[48];
        for (int leaf = 0; leaf < 3; leaf++)
        {
            var (eax, ebx, ecx, edx) = X86Base.CpuId(unchecked((int)0x80000002) + leaf, 0);
            MemoryMarshal.Cast<byte, int>(name.AsSpan(leaf * 16))[0] = eax;
            MemoryMarshal.Cast<byte, int>(name.AsSpan(leaf * 16))[1] = ebx;
            MemoryMarshal.Cast<byte, int>(name.AsSpan(leaf * 16))[2] = ecx;
            MemoryMarshal.Cast<byte, int>(name.AsSpan(leaf * 16))[3] = edx;
        }
        string text = Encoding.ASCII.GetString(name).TrimEnd('\0');
        return string.Join(' ', text.Split(' ', StringSplitOptions.RemoveEmptyEntries));
    }

    /// <summary>Caches by CPUID leaf 4 (Intel) or 0x8000001D (AMD), which share one format.</summary>
    static Processor WithCachesFromCpuId(Processor processor)
    {
        bool isAmd = X86Base.CpuId(0, 0).Ecx == 0x444d4163;      // "cAMD", the end of AuthenticAMD
        int leaf = isAmd ? unchecked((int)0x8000001d) : 4;
        for (int index = 0; index < 16; index++)
        {
            var (eax, ebx, ecx, _) = X86Base.CpuId(leaf, index);
            int kind = eax & 31, level = eax >> 5 & 7;
            if (kind == 0) break;
            if (kind == 2) continue;                              // instructions
            long ways = (ebx >> 22 & 1023) + 1, partitions = (ebx >> 12 & 1023) + 1, line = (ebx & 4095) + 1;
            processor = WithCache(processor, level, ways * partitions * line * ((uint)ecx + 1L));
        }
        return processor;
    }

    static Processor WithCachesFromSys(Processor processor)
    {
        const string folder = "/sys/devices/system/cpu/cpu0/cache";
        if (!Directory.Exists(folder)) return processor;
        foreach (string cache in Directory.EnumerateDirectories(folder, "index*"))
        {
            if (Line("type") is not ("Data" or "Unified")) continue;
            if (!int.TryParse(Line("level"), CultureInfo.InvariantCulture, out int level)) continue;
            if (Line("size") is not [.. var digits, 'K']) continue;
            if (long.TryParse(digits, CultureInfo.InvariantCulture, out long kibibytes))
                processor = WithCache(processor, level, kibibytes << 10);

            string Line(string name) =>
                File.Exists(Path.Combine(cache, name)) ? File.ReadAllText(Path.Combine(cache, name)).Trim() : "";
        }
        return processor;
    }

    static Processor WithCache(Processor processor, int level, long bytes) => level switch
    {
        1 => processor with { L1Bytes = bytes },
        2 => processor with { L2Bytes = bytes },
        3 => processor with { L3Bytes = bytes },
        _ => processor,
    };

    static bool TileStateIsEnabled()
    {
        const ulong both = 1ul << XfeatureTileConfig | 1ul << XfeatureTileData;
        return OperatingSystem.IsLinux() ? (LinuxCalls.SupportedXfeatures() & both) == both
            : OperatingSystem.IsWindows() && (WindowsCalls.GetEnabledXStateFeatures() & both) == both;
    }
}
