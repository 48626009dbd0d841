using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Ashlar.Backends.Cpu.Attention;

/// <summary>Pages of a cache that are wanted soon: brought to the second cache while others are computed, some lines at a time,
/// so that no burst of them holds up the loads of the present.</summary>
/// <remarks>A line of each page in turn: hardware fetches ahead too, within each 4 KiB by itself, and one stretch at a time
/// leaves memory half idle.</remarks>
unsafe struct FetchAhead
{
    readonly byte** ring;
    readonly int shift, end;
    int at;                                // lines asked for, of all pages

    /// <summary>Wants some pages.</summary>
    /// <param name="ring">Their addresses, with room for the next power of two, at least 2: what is left of it is filled.</param>
    /// <param name="count">How many pages; none where nothing is wanted.</param>
    /// <param name="bytes">Of each.</param>
    public FetchAhead(byte** ring, int count, long bytes)
    {
        this.ring = ring;
        if (count == 0 || !Sse.IsSupported) return;
        shift = 1;
        while (1 << shift < count) shift++;
        for (int i = count; i < 1 << shift; i++) ring[i] = ring[i - 1];
        end = (int)(bytes / 64) << shift;
    }

    /// <summary>Lines that are still to be asked for.</summary>
    public readonly int Left => end - at;

    /// <summary>Asks for the next two lines.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Two()
    {
        if (at >= end) return;
        byte** pages = ring + (at & (1 << shift) - 1);
        long line = (at >> shift) * 64;
        Sse.Prefetch1(pages[0] + line);
        Sse.Prefetch1(pages[1] + line);
        at += 2;
    }

    /// <summary>Asks for some lines.</summary>
    public void Some(int lines)
    {
        for (; lines > 0; lines -= 2) Two();
    }
}
