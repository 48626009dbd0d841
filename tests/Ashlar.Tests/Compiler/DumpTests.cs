using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Programs;

namespace Ashlar.Tests.Compiler;

public class DumpTests
{
    [Fact]
    public void Dump_ListsTheStages_WhenItNamesNone()
    {
        var error = Assert.Throws<DeviceException>(() => Dumps.Of("simplyfy", TextWriter.Null));
        Assert.Equal("ASH0605", error.Code);
        foreach (string name in Dumps.Names) Assert.Contains(name, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Dump_IsNothing_WhenTheVariableIsUnset() => Assert.Null(Dumps.Of(null, TextWriter.Null));

    [Theory]
    [InlineData("simplify", "function(")]
    [InlineData("cut kernels", "")]
    [InlineData("plan", "")]
    [InlineData("tiles", "parallel")]
    [InlineData("vec", "loop")]
    public void Stage_IsPrintedAlone(string stage, string holds)
    {
        string text = Printed(stage);
        Assert.StartsWith($"-- {stage}", text, StringComparison.Ordinal);
        Assert.Contains(holds, text, StringComparison.Ordinal);
        Assert.Equal(1, text.Split('\n').Count(line => line.StartsWith("-- ", StringComparison.Ordinal)));
    }

    [Fact]
    public void All_PrintsEveryStageOfTheLevel_InOrder()
    {
        string[] printed = [.. Printed("all").ReplaceLineEndings("\n").Split('\n')
            .Where(line => line.StartsWith("-- ", StringComparison.Ordinal)).Select(line => line[3..])];
        Assert.Equal(Dumps.Names.SkipLast(1), printed);
    }

    static string Printed(string stage)
    {
        var to = new StringWriter();
        using var workers = new Workers(1);
        new CpuBackend(Isa.Chosen, workers, dumps: Dumps.Of(stage, to))
            .Compile(Programs.All["two layer gradient"](), new(OptimizationLevel.O2));
        return to.ToString();
    }
}
