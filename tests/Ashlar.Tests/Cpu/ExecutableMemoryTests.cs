using System.Runtime.InteropServices;
using Ashlar.Backends.Cpu;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Ashlar.Tests.Cpu;

public unsafe class ExecutableMemoryTests
{
    /// <summary>A system that hands out memory, but no executable one: SELinux without execmem.</summary>
    sealed class HardenedPages(bool maps) : CodePages
    {
        public int Mapped { get; private set; }

        public override void* Map(nuint bytes, out string problem)
        {
            problem = maps ? "" : "mmap failed: Cannot allocate memory.";
            if (maps) Mapped++;
            return maps ? NativeMemory.Alloc(bytes) : null;
        }

        public override bool Seal(void* start, nuint bytes, out string problem)
        {
            problem = "mprotect failed: Permission denied.";
            return false;
        }

        public override void Unmap(void* start, nuint bytes)
        {
            Mapped--;
            NativeMemory.Free(start);
        }
    }

    static bool IsX64 => RuntimeInformation.ProcessArchitecture == Architecture.X64;

    [Fact]
    public void Code_RunsAsItWasAssembled()
    {
        if (!IsX64) return;
        var assembler = new Assembler(64);
        assembler.lea(eax, OperatingSystem.IsWindows() ? __[rcx + rcx * 2 + 1] : __[rdi + rdi * 2 + 1]);
        assembler.ret();
        var code = ExecutableMemory.Of(assembler);
        Assert.Equal(22, ((delegate* unmanaged<long, int>)code.Entry)(7));
        GC.KeepAlive(code);
    }

    [Fact]
    public void Code_IsNeverWritable_OnLinux()
    {
        if (!OperatingSystem.IsLinux() || !File.Exists("/proc/self/maps")) return;
        var code = ExecutableMemory.Of(Nops(5000));
        string entry = ((nint)code.Entry).ToString("x");
        string line = File.ReadLines("/proc/self/maps").First(line => line.StartsWith(entry, StringComparison.Ordinal));
        Assert.Contains(" r-xp ", line);
        GC.KeepAlive(code);
    }

    [Theory]
    [InlineData(true, "mprotect failed: Permission denied")]
    [InlineData(false, "mmap failed: Cannot allocate memory")]
    public void Code_ThatTheSystemRefuses_IsAnError_AndItsPagesGoBack(bool maps, string says)
    {
        if (!IsX64) return;
        var pages = new HardenedPages(maps);
        var error = Assert.Throws<DeviceException>(() => ExecutableMemory.Of(Nops(1), pages));
        Assert.Equal("ASH0603", error.Code);
        Assert.Contains(says, error.Message, StringComparison.Ordinal);
        Assert.Equal(0, pages.Mapped);
    }

    [Fact]
    public void Products_RunOnTheVectors_AndSayWhy_WhenTheSystemRefusesCode()
    {
        if (!IsX64) return;
        string refusal = MatrixUnit.WhyNoCode(() => ExecutableMemory.Of(Nops(1), new HardenedPages(maps: true)))!;
        Assert.StartsWith("ASH0603: ", refusal, StringComparison.Ordinal);
        string why = Amx.WhyNot ?? refusal;                             // where there is no tile unit, that comes first
        var path = MatrixUnit.PathOf(Isa.Avx512, DType.BFloat16, DType.BFloat16, null, refusal);
        Assert.Equal("avx512", path.Name);
        Assert.Contains(why, path.Why, StringComparison.Ordinal);       // `ashlar env` shows it
        var error = Assert.Throws<DeviceException>(() =>
            MatrixUnit.PathOf(Isa.Avx512, DType.BFloat16, DType.BFloat16, "on", refusal));
        Assert.Equal("ASH0620", error.Code);                            // who asks for tiles is not given vectors
        Assert.Contains(why, error.Message, StringComparison.Ordinal);
    }

    static Assembler Nops(int count)
    {
        var assembler = new Assembler(64);
        for (int i = 0; i < count; i++) assembler.nop();
        assembler.ret();
        return assembler;
    }
}
