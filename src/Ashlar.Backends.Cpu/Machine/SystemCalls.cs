using System.Runtime.InteropServices;

namespace Ashlar.Backends.Cpu;

/// <summary>The calls into libc that .NET has no name for. Only for Linux on x86-64 and arm64.</summary>
static unsafe partial class LinuxCalls
{
    const long ArchPrctl = 158, GetXfeatureSupport = 0x1021, RequestXfeaturePermission = 0x1023;

    /// <summary>madvise: the pages of these addresses may be 2 MiB ones.</summary>
    public const int AdviseHugePages = 14;

    public const int ProtectNone = 0, ProtectRead = 1, ProtectWrite = 2, ProtectExecute = 4;
    public const int MapPrivate = 2, MapAnonymous = 0x20;

    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    public static partial int Advise(void* address, nuint bytes, int advice);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    public static partial void* Map(void* address, nuint bytes, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    public static partial int Protect(void* address, nuint bytes, int protection);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    public static partial int Unmap(void* address, nuint bytes);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    public static partial nint Syscall(nint number, nint a, nint b);

    /// <summary>Which parts of the extended register state the kernel can switch; 0 where it cannot say.</summary>
    public static ulong SupportedXfeatures()
    {
        ulong features = 0;
        return Syscall((nint)ArchPrctl, (nint)GetXfeatureSupport, (nint)(&features)) == 0 ? features : 0;
    }

    /// <summary>Asks the kernel for one part of the register state, for all threads of this process.</summary>
    public static bool RequestXfeature(int feature) => Syscall((nint)ArchPrctl, (nint)RequestXfeaturePermission, feature) == 0;
}

/// <summary>The calls into kernel32 that .NET has no name for.</summary>
static unsafe partial class WindowsCalls
{
    public const uint Commit = 0x1000, Reserve = 0x2000, Release = 0x8000;
    public const uint PageReadWrite = 0x04, PageExecuteRead = 0x20;

    [LibraryImport("kernel32")]
    public static partial ulong GetEnabledXStateFeatures();

    [LibraryImport("kernel32", SetLastError = true)]
    public static partial void* VirtualAlloc(void* address, nuint bytes, uint type, uint protection);

    [LibraryImport("kernel32", SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    public static partial bool VirtualProtect(void* address, nuint bytes, uint protection, out uint before);

    [LibraryImport("kernel32", SetLastError = true)]
    [return: MarshalAs(UnmanagedType.Bool)]
    public static partial bool VirtualFree(void* address, nuint bytes, uint type);

    [LibraryImport("kernel32")]
    public static partial void* GetCurrentProcess();

    [LibraryImport("kernel32")]
    [return: MarshalAs(UnmanagedType.Bool)]
    public static partial bool FlushInstructionCache(void* process, void* address, nuint bytes);
}
