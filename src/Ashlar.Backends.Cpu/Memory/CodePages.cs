using System.Runtime.InteropServices;

namespace Ashlar.Backends.Cpu;

/// <summary>How a system hands out pages for code: written first, then sealed, which makes them executable and no longer
/// writable.</summary>
abstract unsafe class CodePages
{
    /// <summary>Those of the system that this process runs on.</summary>
    public static CodePages Current { get; } = OperatingSystem.IsLinux()
        ? new LinuxPages()
        : OperatingSystem.IsWindows() ? new WindowsPages() : new NoPages();

    /// <summary>Writable pages; null where there are none, with the problem, a sentence.</summary>
    public abstract void* Map(nuint bytes, out string problem);

    /// <summary>Makes pages executable; false where that is refused, with the problem, a sentence.</summary>
    public abstract bool Seal(void* start, nuint bytes, out string problem);

    /// <summary>Gives pages back, sealed or not.</summary>
    public abstract void Unmap(void* start, nuint bytes);

    static string LastError(string call) => $"{call} failed: {Marshal.GetLastPInvokeErrorMessage()}.";

    sealed class LinuxPages : CodePages
    {
        public override void* Map(nuint bytes, out string problem)
        {
            void* start = LinuxCalls.Map(null, bytes, LinuxCalls.ProtectRead | LinuxCalls.ProtectWrite,
                LinuxCalls.MapPrivate | LinuxCalls.MapAnonymous, -1, 0);
            bool isMapped = (nint)start != -1;
            problem = isMapped ? "" : LastError("mmap");
            return isMapped ? start : null;
        }

        public override bool Seal(void* start, nuint bytes, out string problem)
        {
            bool isSealed = LinuxCalls.Protect(start, bytes, LinuxCalls.ProtectRead | LinuxCalls.ProtectExecute) == 0;
            problem = isSealed ? "" : LastError("mprotect");
            return isSealed;
        }

        public override void Unmap(void* start, nuint bytes) => _ = LinuxCalls.Unmap(start, bytes);
    }

    sealed class WindowsPages : CodePages
    {
        public override void* Map(nuint bytes, out string problem)
        {
            void* start =
                WindowsCalls.VirtualAlloc(null, bytes, WindowsCalls.Reserve | WindowsCalls.Commit, WindowsCalls.PageReadWrite);
            problem = start != null ? "" : LastError("VirtualAlloc");
            return start;
        }

        public override bool Seal(void* start, nuint bytes, out string problem)
        {
            bool isSealed = WindowsCalls.VirtualProtect(start, bytes, WindowsCalls.PageExecuteRead, out _);
            problem = isSealed ? "" : LastError("VirtualProtect");
            if (isSealed) WindowsCalls.FlushInstructionCache(WindowsCalls.GetCurrentProcess(), start, bytes);
            return isSealed;
        }

        public override void Unmap(void* start, nuint bytes) => WindowsCalls.VirtualFree(start, 0, WindowsCalls.Release);
    }

    sealed class NoPages : CodePages
    {
        public override void* Map(nuint bytes, out string problem)
        {
            problem = "Ashlar knows how to ask Linux and Windows for executable memory, and this is neither.";
            return null;
        }

        public override bool Seal(void* start, nuint bytes, out string problem) =>
            throw new NotSupportedException("nothing was mapped");

        public override void Unmap(void* start, nuint bytes) => throw new NotSupportedException("nothing was mapped");
    }
}
