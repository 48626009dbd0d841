using System.Text.Json.Nodes;
using Ashlar.Bench;
using Ashlar.Cli;
using Ashlar.Graph;
using Ashlar.Runtime;

namespace Ashlar.Tests.Cli;

public class BenchCommandTests
{
    static readonly Suite[] suites =
    [
        new("tiny", "a sum", threads => Timing.Of([Tiny("tiny.sum"), Tiny("tiny.other")], threads)),
        new("fixed", "known numbers", _ =>
        [
            new("fixed.good", Target.AtLeast(0.8), _ => new("fixed.good", 45.1234567, "GB/s", 50, 0.9)),
            new("fixed.bad", Target.AtMost(1), _ => Figure.Against("fixed.bad", 7.5, "ms", 5)),
        ]),
    ];

    static Workload Tiny(string name)
    {
        Node x = Nodes.Parameter(0, DType.Float32, [8]);
        return new(name, () => new([x], [x + x]), 64, Backends.Cpu.Limit.Copy);
    }

    static async Task<(int Code, string Output, string Error)> Run(params string[] args) => await RunOf(suites, args);

    static async Task<(int Code, string Output, string Error)> RunOf(IReadOnlyList<Suite>? suites, params string[] args)
    {
        var output = new StringWriter();
        var error = new StringWriter();
        var verb = BenchCommand.Define(threads => new(threads, new ReferenceBackend(), _ => 1, _ => { }), suites);
        int code = await CommandLine.Run([verb], ["bench", .. args], output, error);
        return (code, output.ToString(), error.ToString());
    }

    static JsonObject[] Lines(string output) =>
        [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!.AsObject())];

    [Fact]
    public async Task Json_IsOneObjectALine()
    {
        var (code, output, error) = await Run("fixed", "--json");
        Assert.Equal((0, ""), (code, error));
        Assert.Equal("""{"name":"fixed.good","value":45.123,"unit":"GB/s","limit":50,"ratio":0.9}""",
            output.Split('\n')[0].TrimEnd());
        Assert.Equal(["fixed.good", "fixed.bad"], Lines(output).Select(line => (string)line["name"]!));
    }

    [Fact]
    public async Task Workloads_RunOncePerNumberOfThreads()
    {
        var (code, output, _) = await Run("tiny", "--json", "--threads", "1", "--filter", "SUM");
        Assert.Equal(0, code);
        var line = Assert.Single(Lines(output));
        Assert.Equal(["name", "value", "unit", "limit", "ratio"], line.Select(pair => pair.Key));
        Assert.Equal("tiny.sum.t1", (string)line["name"]!);
        Assert.True((double)line["value"]! > 0);
    }

    [Fact]
    public async Task Table_ShowsSharesAndWhetherTargetsAreReached()
    {
        var (code, output, _) = await Run("all", "--filter", "fixed");
        Assert.Equal(0, code);
        Assert.Matches(@"fixed\.good +45\.1 +GB/s +50\.0 +90\.0 % +>= 80\.0 % +yes", output);
        Assert.Matches(@"fixed\.bad +7\.50 +ms +5\.00 +150\.0 % +<= 100\.0 % +no", output);
    }

    [Fact]
    public async Task Out_KeepsTheMachineAndTheFigures_OfEveryRun()
    {
        string folder = Directory.CreateTempSubdirectory("ashlar-bench").FullName;
        try
        {
            string path = Path.Combine(folder, "machine", "run.jsonl");
            await Run("fixed", "--filter", "good", "--out", path);
            await Run("fixed", "--filter", "bad", "--json", "--out", path);
            string[] lines = File.ReadAllLines(path);
            Assert.Equal(4, lines.Length);
            Assert.Equal(["machine", "cores", "memory_bytes", "runtime", "isa", "date"], JsonNode.Parse(lines[0])!.AsObject()
                .Select(pair => pair.Key));
            Assert.Equal(["fixed.good", "fixed.bad"], FigureText.Read(lines).Select(figure => figure.Name));
        }
        finally { Directory.Delete(folder, recursive: true); }
    }

    [Fact]
    public async Task Out_IsRefused_WhenItIsAFolder()
    {
        var (code, _, error) = await Run("fixed", "--out", Path.GetTempPath());
        Assert.Equal(2, code);
        Assert.Contains("is a folder", error);
    }

    [Fact]
    public async Task Out_IsRefused_WhenItCannotBeWritten()
    {
        string file = Path.GetTempFileName();
        var (code, output, error) = await Run("fixed", "--out", Path.Combine(file, "below-a-file.jsonl"));
        File.Delete(file);
        Assert.Equal((1, ""), (code, output));
        Assert.Contains("cannot be written", error);
    }

    [Theory]
    [InlineData("'gem' is nothing that can be measured. There are: tiny, fixed, all.", "gem")]
    [InlineData("no figure's name contains 'nothing'. There are: tiny.sum.t1, tiny.other.t1.", "tiny", "--threads", "1",
        "--filter", "nothing")]
    [InlineData("no figure's name contains 'nothing'. There are: tiny.sum.t1", "tiny", "--filter", "nothing")]
    [InlineData("'two' is none", "tiny", "--threads", "two")]
    [InlineData("'0' is none", "tiny", "--threads", "1,0")]
    [InlineData("asks for 100000", "tiny", "--threads", "100000")]
    [InlineData("suite", "--json")]
    public async Task Mistakes_AreNamed_WithCode2(string expected, params string[] args)
    {
        var (code, output, error) = await Run(args);
        Assert.Equal((2, ""), (code, output));
        Assert.Contains(expected, error);
        Assert.Contains("Try: ashlar bench --help", error);
    }

    [Fact]
    public async Task Help_NamesEverySuite_AndTeachesWithExamples()
    {
        var (code, output, _) = await RunOf(null, "--help");
        Assert.Equal(0, code);
        Assert.All(Suites.All, suite => Assert.Contains($"{suite.Name} (", output));
        Assert.Contains("ashlar bench gemm --filter m2048 --json", output);
    }

    [Fact]
    public async Task Help_OfLlm_ShowsItsOwnArgumentAlone()
    {
        StringWriter output = new();
        await CommandLine.Run([BenchCommand.Define(_ =>
            throw new InvalidOperationException(), llm: LlmBenchCommand.Define(() => { }))], ["bench", "llm", "--help"], output);
        Assert.Contains(" bench llm <model>", output.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("<suite>", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Figures_AreShown_WhenTheRunIsCancelledLater()
    {
        Suite[] stopped =
        [
            new("fixed", "known numbers", _ =>
            [
                new("fixed.first", null, _ => new("fixed.first", 1, "GB/s", 2, 0.5)),
                new("fixed.second", null, _ => throw new OperationCanceledException()),
            ]),
        ];
        var output = new StringWriter();
        var verb = BenchCommand.Define(_ => null!, stopped);
        await Assert.ThrowsAsync<OperationCanceledException>(() =>
            CommandLine.Run([verb], ["bench", "fixed"], output, TextWriter.Null));
        Assert.Contains("fixed.first", output.ToString());
    }
}
