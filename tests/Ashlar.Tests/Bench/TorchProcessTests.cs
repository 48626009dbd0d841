using Ashlar.Bench.Training;

namespace Ashlar.Tests.Bench;

public sealed class TorchProcessTests
{
    [Fact]
    public void Answer_IsALineOfJson()
    {
        using var output = new StringReader("{\"seconds\": 0.25}\n");
        Assert.Equal(0.25, TorchProcess.Answer(output).GetProperty("seconds").GetDouble());
    }

    [Fact]
    public void Answer_NamesTheScript_WhenPyTorchEnded()
    {
        var problem = Assert.Throws<DeviceException>(() => TorchProcess.Answer(new StringReader("")));
        Assert.Equal("ASH0606", problem.Code);
        Assert.Contains("bench/peers/torch.sh", problem.Message, StringComparison.Ordinal);
    }
}
