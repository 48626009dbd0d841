using System.Runtime.InteropServices;
using Ashlar.Backends.Cpu;
using Ashlar.Cli;
using Ashlar.Kernels;
using Ashlar.Tests.Cpu;

namespace Ashlar.Tests.Cli;

public class KernelCommandTests
{
    static async Task<(int Code, string Output, string Error)> Run(params string[] args)
    {
        using var selection = new Device(new CpuBackend()).Select();
        StringWriter output = new(), error = new();
        int code = await CommandLine.Run([KernelCommand.Define(() => { })], ["kernel", .. args], output, error);
        return (code, output.ToString(), error.ToString());
    }

    [Fact]
    public async Task List_NamesEveryKernel()
    {
        var (code, output, _) = await Run("list");
        Assert.Equal(0, code);
        foreach (var kernel in KernelLibrary.All) Assert.Contains(kernel.Name, output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tile", "parallel g0")]
    [InlineData("text", "parallel i0")]
    [InlineData("scheduled", "softmax: grid g0 < M")]
    [InlineData("vec", "vec softmax")]
    public async Task Show_PrintsEachStage(string stage, string words)
    {
        var (code, output, _) = await Run("show", "softmax", "--stage", stage);
        Assert.Equal(0, code);
        Assert.Contains(words, output, StringComparison.Ordinal);
    }

    [Theory, InlineData("avx512"), InlineData("avx2"), InlineData("portable")]
    public async Task Show_PrintsTheMachineCodeOfAPath(string isa)
    {
        if (Isa.Available.All(path => path.Name != isa)) return;
        var (code, output, error) = await Run("show", "softmax", "--stage", "disassembly", "--isa", isa);
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64)
        {
            Assert.StartsWith("ASH0612", error, StringComparison.Ordinal);
            return;
        }
        Assert.True(code == 0, error);
        Assert.StartsWith($"softmax {isa}:", output, StringComparison.Ordinal);
        Assert.Matches(@"\n  [0-9a-f]{5}  ret\b", output);
        Assert.Matches(@"\n  [0-9a-f]{5}  j\w+ (short |near ptr )?[0-9a-f]{5}\n", output);
        string widest = isa switch { "avx512" => "zmm", "avx2" => "ymm", _ => "xmm" };
        Assert.Contains(widest, output, StringComparison.Ordinal);
        if (isa == "avx2") Assert.DoesNotContain("zmm", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Listing_EndsBehindTheLastJump()
    {
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64) return;
        var x = new Iced.Intel.Assembler(64);
        var (back, over) = (x.CreateLabel(), x.CreateLabel());
        x.test(Iced.Intel.AssemblerRegisters.eax, Iced.Intel.AssemblerRegisters.eax);
        x.je(over);
        x.ret();
        x.Label(ref back);
        x.ret();
        x.Label(ref over);
        x.jmp(back);
        x.nop();
        var memory = ExecutableMemory.Of(x);
        unsafe
        {
            string[] lines = MachineCode.Listing((byte*)memory.Entry).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal(["test eax, eax", "je short 00006", "ret", "ret", "jmp short 00005"], lines.Select(line => line[9..]));
        }
        GC.KeepAlive(memory);
    }

    [TileFact]
    public void Show_SaysWhatRunsOnTheTileUnit_AndShowsItsCode()
    {
        var program = MatMul.Define(new(DType.BFloat16)).For([new(DType.BFloat16, [64, 64]), new(DType.BFloat16, [64, 64])]).Program;
        Assert.Contains("product on the tile unit", KernelListing.Schedule(program, Isa.Chosen), StringComparison.Ordinal);
        Assert.Contains("tdpbf16ps tmm", KernelListing.Disassembly(program, Isa.Chosen), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_ComparesWithTheInterpreter()
    {
        foreach (var kernel in KernelLibrary.All.Where(kernel => kernel.Flops is null))
        {
            var (code, output, error) = await Run("run", kernel.Name, "--size", "3");
            Assert.True(code == 0, error);
            string last = output.TrimEnd().Split('\n')[^1];
            Assert.True(double.Parse(last[(last.LastIndexOf(' ') + 1)..],
                System.Globalization.CultureInfo.InvariantCulture) < 1e-5, output);
        }
    }

    [Fact]
    public async Task Show_NamesWhatThereIs_WhenTheNameIsWrong()
    {
        var (code, _, error) = await Run("show", "soft");
        Assert.Equal(2, code);
        Assert.Contains("'soft' is no kernel of the library. There are: vector_add", error, StringComparison.Ordinal);
        Assert.Contains("Try: ashlar kernel show --help", error, StringComparison.Ordinal);
    }
}
