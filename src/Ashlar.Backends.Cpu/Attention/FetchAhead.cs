using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Ashlar.Backends.Cpu.Attention;

/// <summary>Memory that is wanted soon: brought to the second cache while something else is computed, some lines at a time, so
/// that no burst of them holds up the loads of the present.</summary>
unsafe struct FetchAhead(byte* from, long bytes)
{
    byte* at = from;
    readonly byte* end = from + bytes;

    /// <summary>Asks for the next two lines.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Two()
    {
        if (at >= end || !Sse.IsSupported) return;
        Sse.Prefetch1(at);
        Sse.Prefetch1(at + 64);
        at += 128;
    }

    /// <summary>Asks for all that is left.</summary>
    public void Rest()
    {
        while (at < end && Sse.IsSupported) Two();
    }
}
