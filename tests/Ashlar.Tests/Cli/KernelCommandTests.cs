using Ashlar.Backends.Cpu;
using Ashlar.Cli;
using Ashlar.Kernels;

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
    [InlineData("vec", "vec softmax")]
    public async Task Show_PrintsEachStage(string stage, string words)
    {
        var (code, output, _) = await Run("show", "softmax", "--stage", stage);
        Assert.Equal(0, code);
        Assert.Contains(words, output, StringComparison.Ordinal);
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
