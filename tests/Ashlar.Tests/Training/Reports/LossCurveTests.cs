using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Ashlar.Training;

namespace Ashlar.Tests.Training;

public partial class LossCurveTests
{
    static readonly XNamespace svg = "http://www.w3.org/2000/svg";

    static XElement Draw(LossCurve picture)
    {
        var root = XDocument.Parse(picture.ToSvg()).Root!;
        // Whatever is drawn lies within the picture.
        foreach (Match number in Numbers()
            .Matches(string.Join(' ', root.Descendants(svg + "path").Select(path => path.Attribute("d")!.Value))))
            Assert.InRange(double.Parse(number.Value, CultureInfo.InvariantCulture), 0, 760);
        return root;
    }

    static (double X, double Y)[] Line(int count, Func<int, double> y) =>
        [.. Enumerable.Range(1, count).Select(i => ((double)i, y(i)))];

    static string[] Texts(XElement root) => [.. root.Descendants(svg + "text").Select(text => text.Value)];

    static XElement[] Paths(XElement root, string colour) =>
        [.. root.Descendants(svg + "path").Where(path => path.Attribute("class")!.Value == colour)];

    [Fact]
    public void Picture_HasTitleLabelsTicksAndLegend()
    {
        var root = Draw(LossCurve.Of("a < b & \"c\" \u0001", Line(2000, i => 1.5 + 3 / Math.Sqrt(i)), Line(8, i => 2 + 1.0 / i)));
        string[] texts = Texts(root);
        Assert.Equal("a < b & \"c\" ", root.Element(svg + "title")!.Value);
        Assert.Contains("step", texts);
        Assert.Contains("loss", texts);
        Assert.Contains("1,500", texts);
        Assert.Contains("2.5", texts);
        Assert.Contains(texts, text => text.StartsWith("training 1.5", StringComparison.Ordinal));
        Assert.Contains("validation 2.125, best 2.125", texts);
        Assert.Equal(8, root.Descendants(svg + "circle").Count());
        Assert.Equal(2, Paths(root, "c0").Length);   // every loss, and their mean
        Assert.Single(Paths(root, "c1"));
        Assert.Contains("prefers-color-scheme: dark", root.Element(svg + "style")!.Value);
    }

    [Fact]
    public void Line_IsWhereItsNumbersAre()
    {
        var root = Draw(new("t", [new("a", [(0, 0), (10, 10)])]));
        string path = Assert.Single(Paths(root, "c0")).Attribute("d")!.Value;
        double[] numbers = [.. Numbers().Matches(path).Select(match => double.Parse(match.Value, CultureInfo.InvariantCulture))];
        Assert.Equal(64, numbers[0]);
        Assert.Equal(736, numbers[2]);
        Assert.True(numbers[1] > numbers[3], "a greater loss lies higher");
    }

    [Fact]
    public void LogScale_GivesEqualRoomToEqualRatios()
    {
        var root = Draw(new("t", [new("a", [(1, 0.01), (2, 0.1), (3, 1), (4, 0), (5, 10)])], YScale: Scale.Log));
        string path = Assert.Single(Paths(root, "c0")).Attribute("d")!.Value;
        Assert.Equal(2, path.Count(letter => letter == 'M'));   // 0 has no logarithm
        double[] y = [.. Numbers().Matches(path).Select(match => double.Parse(match.Value, CultureInfo.InvariantCulture))
            .Where((_, i) => i % 2 == 1)];
        Assert.Equal(y[0] - y[1], y[1] - y[2], 0.05);
        Assert.Contains("loss (log)", Texts(root));
    }

    [Fact]
    public void Line_IsInterrupted_WhereALossIsNotFinite()
    {
        var root = Draw(new("t", [new("a", Line(3000, i => i is > 1000 and < 2000 ? double.NaN : i))]));
        Assert.Equal(2, Assert.Single(Paths(root, "c0")).Attribute("d")!.Value.Count(letter => letter == 'M'));
    }

    [Fact]
    public void LongLines_AreThinned_ButKeepTheirPeaks()
    {
        var picture = new LossCurve("t", [new("a", Line(1_000_000, i => i == 777_777 ? 100 : i % 7))]);
        Assert.InRange(picture.ToSvg().Length, 5_000, 60_000);
        string path = Assert.Single(Paths(Draw(picture), "c0")).Attribute("d")!.Value;
        double highest = Numbers().Matches(path).Select(match => double.Parse(match.Value, CultureInfo.InvariantCulture))
            .Where((_, i) => i % 2 == 1).Min();
        Assert.InRange(highest, 72, 90);
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 0)]
    [InlineData(1, 2.5)]
    [InlineData(5, 2.5)]
    [InlineData(5, 1e-30)]
    [InlineData(5, -3)]
    [InlineData(3, double.NaN)]
    public void Picture_IsOne_WhateverThereIsToShow(int count, double value)
    {
        foreach (var scale in Enum.GetValues<Scale>())
        {
            string text =
                new LossCurve("t", [new("a", Line(count, _ => value), Smooth: true, Marked: true)], scale, scale).ToSvg();
            XDocument.Parse(text);
            Assert.DoesNotContain("NaN", text);
            Assert.DoesNotContain("∞", text);
        }
        Assert.Equal(count == 0 || double.IsNaN(value), Texts(Draw(new("t", [new("a", Line(count, _ => value))])))
            .Contains("no steps yet"));
    }

    [Theory]
    [InlineData(0, 10, "0 2 4 6 8 10")]
    [InlineData(1.4, 4.2, "1.5 2 2.5 3 3.5 4")]
    [InlineData(0, 5000, "0 1,000 2,000 3,000 4,000 5,000")]
    [InlineData(0, 120000, "0 20k 40k 60k 80k 100k 120k")]
    [InlineData(-1, 1, "-1 -0.5 0 0.5 1")]
    [InlineData(0.00001, 0.00005, "1e-05 2e-05 3e-05 4e-05 5e-05")]
    public void LinearTicks_AreRound(double from, double to, string expected) =>
        Assert.Equal(expected, string.Join(' ', new Axis([from, to], Scale.Linear).Ticks(6).Select(Axis.Text)));

    [Theory]
    [InlineData(0.05, 5, "0.05 0.1 0.2 0.5 1 2 5")]
    [InlineData(0.001, 1000, "0.001 0.01 0.1 1 10 100 1,000")]
    [InlineData(1.5, 4, "1.5 2 2.5 3 3.5 4")]
    public void LogTicks_AreRound(double from, double to, string expected) =>
        Assert.Equal(expected, string.Join(' ', new Axis([from, to], Scale.Log).Ticks(6).Select(Axis.Text)));

    [GeneratedRegex(@"\d+(\.\d+)?")]
    internal static partial Regex Numbers();
}
