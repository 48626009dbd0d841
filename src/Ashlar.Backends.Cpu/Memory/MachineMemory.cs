using System.Globalization;

namespace Ashlar.Backends.Cpu;

/// <summary>The main memory that this process may use.</summary>
/// <param name="TotalBytes">What the machine has, or its container's limit.</param>
/// <param name="AvailableBytes">What can be had now without swapping.</param>
public readonly record struct MachineMemory(long TotalBytes, long AvailableBytes)
{
    /// <summary>What holds now.</summary>
    public static MachineMemory Read()
    {
        var seen = GC.GetGCMemoryInfo();
        long total = seen.TotalAvailableMemoryBytes;              // knows container limits
        long available = Math.Min(AvailableOnMachine() ?? total - seen.MemoryLoadBytes, AvailableInContainer() ?? long.MaxValue);
        return new(total, Math.Clamp(available, 0, total));
    }

    static long? AvailableOnMachine()
    {
        if (!File.Exists("/proc/meminfo")) return null;
        foreach (string line in File.ReadLines("/proc/meminfo"))
        {
            if (!line.StartsWith("MemAvailable:", StringComparison.Ordinal)) continue;
            return line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, var kibibytes, "kB"]
                && long.TryParse(kibibytes, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
                    ? number << 10
                    : null;
        }
        return null;
    }

    static long? AvailableInContainer()
    {
        const string limit = "/sys/fs/cgroup/memory.max", used = "/sys/fs/cgroup/memory.current";
        if (!File.Exists(limit) || !File.Exists(used)) return null;
        return long.TryParse(File.ReadAllText(limit), CultureInfo.InvariantCulture, out long most)
            && long.TryParse(File.ReadAllText(used), CultureInfo.InvariantCulture, out long now) ? most - now : null;
    }
}
