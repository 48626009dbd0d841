using Ashlar.Backends.Cpu;

namespace Ashlar.Tests.Cpu;

/// <summary>Memory between two pages that no one may touch: a load or store one byte outside ends the process.</summary>
/// <remarks>Runs on Linux; elsewhere the memory is ordinary and only the values are checked.</remarks>
sealed unsafe class GuardedMemory : IDisposable
{
    const long Page = 4096;

    readonly byte* start;
    readonly long pages;      // without the two guards

    /// <param name="bytes">How many bytes lie between the guards.</param>
    /// <param name="atEnd">True lays the last byte against the guard behind; false the first byte against the guard
    /// before.</param>
    public GuardedMemory(long bytes, bool atEnd = true)
    {
        pages = Math.Max(1, (bytes + Page - 1) / Page);
        nuint all = (nuint)((pages + 2) * Page);
        if (OperatingSystem.IsLinux())
        {
            start =
                (byte*)LinuxCalls.Map(null, all, LinuxCalls.ProtectNone, LinuxCalls.MapPrivate | LinuxCalls.MapAnonymous, -1, 0);
            Assert.NotEqual(-1, (nint)start);
            int result =
                LinuxCalls.Protect(start + Page, (nuint)(pages * Page), LinuxCalls.ProtectRead | LinuxCalls.ProtectWrite);
            Assert.Equal(0, result);
        }
        else start = (byte*)System.Runtime.InteropServices.NativeMemory.AllocZeroed(all);
        Pointer = start + Page + (atEnd ? pages * Page - bytes : 0);
    }

    /// <summary>The first byte that may be touched.</summary>
    public void* Pointer { get; }

    public void Dispose()
    {
        if (OperatingSystem.IsLinux()) _ = LinuxCalls.Unmap(start, (nuint)((pages + 2) * Page));
        else System.Runtime.InteropServices.NativeMemory.Free(start);
    }
}
