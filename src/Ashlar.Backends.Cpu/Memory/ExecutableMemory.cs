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
    readonly CodePages pages;

    ExecutableMemory(void* entry, nuint bytes, CodePages pages)
    {
        Entry = entry;
        this.bytes = bytes;
        this.pages = pages;
    }

    /// <summary>Gives the pages back when the collector finds that nobody references the code.</summary>
    ~ExecutableMemory() => pages.Unmap(Entry, bytes);

    /// <summary>The first instruction, to be cast to a <c>delegate* unmanaged</c>.</summary>
    public void* Entry { get; }

    /// <summary>Encodes what the assembler holds, at the place where it will run.</summary>
    /// <exception cref="DeviceException">The system grants no executable memory (ASH0603).</exception>
    public static ExecutableMemory Of(Assembler assembler) => Of(assembler, CodePages.Current);

    /// <summary>The same with pages of a system's own.</summary>
    internal static ExecutableMemory Of(Assembler assembler, CodePages pages)
    {
        ArgumentNullException.ThrowIfNull(assembler);
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64)
            throw Refused($"this process runs on {RuntimeInformation.ProcessArchitecture}, and Ashlar assembles only x86-64.");
        nuint bytes = (nuint)((assembler.Instructions.Count * LongestInstruction + Environment.SystemPageSize)
            / Environment.SystemPageSize * Environment.SystemPageSize);
        byte* start = (byte*)pages.Map(bytes, out string problem);
        if (start == null) throw Refused(problem);
        try
        {
            using var stream = new UnmanagedMemoryStream(start, 0, (long)bytes, FileAccess.Write);
            assembler.Assemble(new StreamCodeWriter(stream), (ulong)start);
            if (!pages.Seal(start, bytes, out problem)) throw Refused(problem);
        }
        catch
        {
            pages.Unmap(start, bytes);
            throw;
        }
        return new(start, bytes, pages);
    }

    static DeviceException Refused(string why) => new("ASH0603", $"no executable memory for an assembled kernel: {why}",
        "allow the process to map executable pages (SELinux: execmem), or use an element type whose kernels .NET compiles, such as f32.");
}
