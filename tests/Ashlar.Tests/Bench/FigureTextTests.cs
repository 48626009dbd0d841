using System.Text.Json.Nodes;
using Ashlar.Bench;

namespace Ashlar.Tests.Bench;

public class FigureTextTests
{
    [Fact]
    public void Line_HoldsNull_WhenThereIsNoRatio()
    {
        var figure = new Figure("llm.tiny.first_token", 1.5, "s", double.NaN, double.NaN);
        string line = FigureText.Line(figure);
        var json = JsonNode.Parse(line)!.AsObject();
        Assert.True(json.ContainsKey("ratio") && json["ratio"] is null && json["limit"] is null);
        Assert.Equal(figure, Assert.Single(FigureText.Read([line])));
    }

    [Fact]
    public void Share_IsEmpty_WhenThereIsNone()
    {
        Assert.Equal("", FigureText.Share(double.NaN));
        Assert.Equal("81.2 %", FigureText.Share(0.8122));
    }
}
