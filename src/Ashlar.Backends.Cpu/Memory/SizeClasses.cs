using System.Numerics;

namespace Ashlar.Backends.Cpu;

/// <summary>The sizes that blocks come in: eight steps per doubling, so that at most an eighth of a block is unused.</summary>
/// <remarks>Class 0 is 512 bytes. Every size is a multiple of 64 bytes, and of 2 MiB from 16 MiB on.</remarks>
static class SizeClasses
{
    const int Steps = 8, StepBits = 3, LeastBits = 9;

    /// <summary>How many classes there are; the largest is beyond any machine.</summary>
    public const int Count = (46 - LeastBits) * Steps;

    /// <summary>Bytes of the largest block.</summary>
    public static readonly long Most = BytesOf(Count - 1);

    /// <summary>The smallest class that holds this many bytes; they must not exceed <see cref="Most"/>.</summary>
    public static int Of(long bytes)
    {
        if (bytes <= 1 << LeastBits) return 0;
        int doubling = BitOperations.Log2((ulong)bytes - 1);                // 2^doubling < bytes <= 2^(doubling + 1)
        int step = (int)(bytes - 1 >> doubling - StepBits) & Steps - 1;
        return (doubling - LeastBits) * Steps + step + 1;
    }

    /// <summary>Bytes of a block of this class.</summary>
    public static long BytesOf(int sizeClass) => (long)(Steps + sizeClass % Steps) << LeastBits - StepBits + sizeClass / Steps;
}
