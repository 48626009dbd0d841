using System.Text.Json.Nodes;
using Ashlar.Backends.Cpu;
using Ashlar.Cli;

namespace Ashlar.Tests.Cli;

public class EnvCommandTests
{
    static async Task<(int Code, string Output, string Error)> Run(params string[] args)
    {
        var output = new StringWriter();
        var error = new StringWriter();
        int code = await CommandLine.Run([EnvCommand.Define()], args, output, error);
        return (code, output.ToString(), error.ToString());
    }

    [Fact]
    public async Task Env_NamesThePathAndEveryVariable()
    {
        var (code, output, error) = await Run("env");
        Assert.Equal((0, ""), (code, error));
        Assert.Contains(Isa.Chosen.Name, output);
        Assert.All(AshlarEnvironment.All, variable => Assert.Contains(variable.Name, output));
    }

    [Fact]
    public async Task Env_PrintsOneJsonObject()
    {
        var (code, output, _) = await Run("env", "--json");
        Assert.Equal(0, code);
        var json = JsonNode.Parse(output)!.AsObject();
        Assert.Equal(Isa.Chosen.Name, (string?)json["isa"]!["chosen"]);
        Assert.Equal(AshlarEnvironment.All.Count, json["variables"]!.AsArray().Count);
        Assert.True((long)json["processor"]!["l2_bytes"]! > 0);
        Assert.False(json.ContainsKey("limits"));
    }

    [Fact]
    public async Task Help_TeachesWithExamples()
    {
        var (code, output, _) = await Run("env", "--help");
        Assert.Equal(0, code);
        Assert.Contains("--measure", output);
        Assert.Contains("Examples:", output);
        Assert.Contains("ashlar env --json > machine.json", output);
    }

    [Fact]
    public async Task CommandLine_ShowsTheVerbs_WhenNothingIsAsked()
    {
        var (code, output, _) = await Run();
        Assert.Equal(0, code);
        Assert.Contains("env", output);
    }

    [Theory]
    [InlineData("env", "--mesure")]
    [InlineData("enw")]
    public async Task CommandLine_SaysWhatIsWrong_WithCode2(params string[] args)
    {
        var (code, _, error) = await Run(args);
        Assert.Equal(2, code);
        Assert.Contains(args[^1], error);
        Assert.Contains("Try: ashlar", error);
    }

    [Fact]
    public async Task CommandLine_PrintsAshlarsErrorsAsText_WithCode1()
    {
        var verb = new Verb("fail", "Fails.");
        verb.SetAction((_, _) => throw new DeviceException("ASH0600", "nothing works.", "buy another."));
        var error = new StringWriter();
        int code = await CommandLine.Run([verb], ["fail"], TextWriter.Null, error);
        Assert.Equal(1, code);
        Assert.StartsWith("ASH0600: nothing works.", error.ToString());
        Assert.DoesNotContain(" at Ashlar", error.ToString());
    }
}
