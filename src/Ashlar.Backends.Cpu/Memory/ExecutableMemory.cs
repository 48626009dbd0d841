using System.Runtime.InteropServices;
using Iced.Intel;

namespace Ashlar.Backends.Cpu;

/// <summary>Machine code that can be called. Written first, made executable afterwards, never both at once.</summary>
/// <remarks>
/// The pages go back to the system when nobody references this object, so whoever calls <see cref="Entry"/> keeps it alive.
/// A mapping costs about 4 us and whole pages, which is little for a kernel.
/// </remarks>
sealed unsafe class ExecutableMemory
{
    const int LongestInstruction = 16;     // 15 bytes; declared data counts as instructions of 16 at most

    readonly nuint bytes;

    ExecutableMemory(void* entry, nuint bytes)
    {
        Entry = entry;
        this.bytes = bytes;
    }

    /// <summary>Gives the pages back when the collector finds that nobody references the code.</summary>
    ~ExecutableMemory() => Unmap(Entry, bytes);

    /// <summary>The first instruction, to be cast to a <c>delegate* unmanaged</c>.</summary>
    public void* Entry { get; }

    /// <summary>Encodes what the assembler holds, at the place where it will run.</summary>
    /// <exception cref="DeviceException">The system grants no executable memory.</exception>
    public static ExecutableMemory Of(Assembler assembler)
    {
        ArgumentNullException.ThrowIfNull(assembler);
        nuint bytes = (nuint)((assembler.Instructions.Count * LongestInstruction + Environment.SystemPageSize)
            / Environment.SystemPageSize * Environment.SystemPageSize);
        byte* start = (byte*)Map(bytes);
        try
        {
            using var stream = new UnmanagedMemoryStream(start, 0, (long)bytes, FileAccess.Write);
            assembler.Assemble(new StreamCodeWriter(stream), (ulong)start);
            Seal(start, bytes);
        }
        catch
        {
            Unmap(start, bytes);
            throw;
        }
        return new(start, bytes);
    }

    static void* Map(nuint bytes)
    {
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64)
            throw Refused($"this process runs on {RuntimeInformation.ProcessArchitecture}, and Ashlar assembles only x86-64.");
        if (OperatingSystem.IsLinux())
        {
            void* start = LinuxCalls.Map(null, bytes, LinuxCalls.ProtectRead | LinuxCalls.ProtectWrite,
                LinuxCalls.MapPrivate | LinuxCalls.MapAnonymous, -1, 0);
            return (nint)start != -1 ? start : throw Refused($"mmap failed: {Marshal.GetLastPInvokeErrorMessage()}.");
        }
        if (OperatingSystem.IsWindows())
        {
            void* start = WindowsCalls.VirtualAlloc(null, bytes, WindowsCalls.Reserve | WindowsCalls.Commit, WindowsCalls.PageReadWrite);
            return start != null ? start : throw Refused($"VirtualAlloc failed: {Marshal.GetLastPInvokeErrorMessage()}.");
        }
        throw Refused("Ashlar knows how to ask Linux and Windows for executable memory, and this is neither.");
    }

    static void Seal(void* start, nuint bytes)
    {
        if (OperatingSystem.IsWindows())
        {
            if (!WindowsCalls.VirtualProtect(start, bytes, WindowsCalls.PageExecuteRead, out _))
                throw Refused($"VirtualProtect failed: {Marshal.GetLastPInvokeErrorMessage()}.");
            WindowsCalls.FlushInstructionCache(WindowsCalls.GetCurrentProcess(), start, bytes);
        }
        else if (LinuxCalls.Protect(start, bytes, LinuxCalls.ProtectRead | LinuxCalls.ProtectExecute) != 0)
            throw Refused($"mprotect failed: {Marshal.GetLastPInvokeErrorMessage()}.");
    }

    static void Unmap(void* start, nuint bytes)
    {
        if (OperatingSystem.IsWindows()) WindowsCalls.VirtualFree(start, 0, WindowsCalls.Release);
        else _ = LinuxCalls.Unmap(start, bytes);
    }

    static DeviceException Refused(string why) => new("ASH0603", $"no executable memory for an assembled kernel: {why}",
        "allow the process to map executable pages (SELinux: execmem), or use an element type whose kernels .NET compiles, such as f32.");
}
