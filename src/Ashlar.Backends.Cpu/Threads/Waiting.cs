using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Ashlar.Backends.Cpu;

/// <summary>Waits for a number to change by spinning for a while, and learns how long a while pays.</summary>
/// <remarks>
/// Waking a parked thread costs some 60 us, so spinning pays when the number changes within about that time; then the limit
/// doubles, and it halves when a park turns out long. The first stretch only pauses; after it every look at the number is
/// followed by an offer of the processor to other threads, because whom we wait for may need it.
/// </remarks>
sealed unsafe class Waiting
{
    static readonly long microsecond = Math.Max(1, Stopwatch.Frequency / 1_000_000);
    static readonly long least = 20 * microsecond, most = 200 * microsecond, wakeUp = 60 * microsecond;

    long limit = 50 * microsecond;

    /// <summary>The clock that limits are counted in.</summary>
    public static long Now => Stopwatch.GetTimestamp();

    /// <summary>Spins until the number is no longer <paramref name="old"/>.</summary>
    /// <returns>False when it gave up: the number was still old.</returns>
    public bool Spin(int* number, int old)
    {
        for (int i = 0; i < 32; i++)
        {
            if (Volatile.Read(ref *number) != old) return true;
            Pause();
        }
        long start = Now, spent = 0;
        while (spent < limit)
        {
            for (int i = 0; i < 8; i++)
            {
                if (Volatile.Read(ref *number) != old) return true;
                Pause();
            }
            if (spent > least) Thread.Yield();
            spent = Now - start;
        }
        return false;
    }

    /// <summary>Adjusts the limit after a park of this many ticks.</summary>
    public void Learn(long parked) =>
        limit = parked < most + wakeUp ? Math.Min(limit * 2, most) : Math.Max(limit / 2, least);

    /// <summary>Tells the processor that this is a spin loop: it saves power and lets a sibling thread run.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Pause()
    {
        if (X86Base.IsSupported) X86Base.Pause();
        else if (ArmBase.IsSupported) ArmBase.Yield();
        else Thread.SpinWait(1);
    }
}
