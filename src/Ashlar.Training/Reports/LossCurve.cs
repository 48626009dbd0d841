using System.Globalization;
using System.Security;
using System.Text;

namespace Ashlar.Training;

/// <summary>A line of a picture.</summary>
/// <param name="Name">For the legend.</param>
/// <param name="Points">Steps and values, in the order of steps. A value that is not finite interrupts the line.</param>
/// <param name="Smooth">Draws the points pale, and over them their mean over a fiftieth of the line.</param>
/// <param name="Marked">Draws a dot at every point: for lines of few.</param>
public sealed record Curve(string Name, IReadOnlyList<(double X, double Y)> Points, bool Smooth = false, bool Marked = false);

/// <summary>A picture of losses over steps, as SVG.</summary>
/// <param name="Title">Above the picture.</param>
/// <param name="Curves">Up to four; the first is drawn lowest.</param>
/// <param name="YScale">How losses are spread.</param>
/// <param name="XScale">How steps are spread.</param>
/// <param name="XLabel">Below the picture.</param>
/// <param name="YLabel">Beside it.</param>
/// <remarks>The picture follows the reader's choice of light or dark. Lines of many points are thinned to what can be
/// seen.</remarks>
public sealed record LossCurve(
    string Title, IReadOnlyList<Curve> Curves, Scale YScale = Scale.Linear, Scale XScale = Scale.Linear,
    string XLabel = "step", string YLabel = "loss")
{
    const int Width = 760, Height = 440, Left = 64, Right = 24, Top = 72, Bottom = 56;
    const int Columns = 600;   // lines are thinned to two points in each

    /// <summary>The usual picture of a run: every loss of training, and those of validation.</summary>
    /// <param name="title">Above the picture.</param>
    /// <param name="training">Losses of steps, in their order.</param>
    /// <param name="validation">Losses of validations, in their order; where there is none, its line is left out.</param>
    /// <param name="scale">How losses are spread.</param>
    public static LossCurve Of(
        string title, IReadOnlyList<(double Step, double Loss)> training, IReadOnlyList<(double Step, double Loss)> validation,
        Scale scale = Scale.Linear)
    {
        Curve seen = new("training", training, Smooth: true), unseen = new("validation", validation, Marked: true);
        return new(title, validation.Count == 0 ? [seen] : [seen, unseen], scale);
    }

    /// <summary>The picture, a whole SVG file.</summary>
    public string ToSvg()
    {
        var points = Curves.SelectMany(curve => curve.Points).Where(point => double.IsFinite(point.Y)).ToList();
        var x = new Axis(points.Select(point => point.X), XScale, fromZero: true);
        var y = new Axis(points.Select(point => point.Y), YScale, margin: 0.04);
        var svg = new StringBuilder();
        svg.AppendLine(CultureInfo.InvariantCulture, $"""
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Width} {Height}" width="{Width}" height="{Height}" role="img"
                font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif">
            <title>{Escape(Title)}</title>
            <style>
            .back {Braces("fill: #ffffff")} .ink {Braces("fill: #1f2328")} .faint {Braces("fill: #59636e")} .grid {Braces("stroke: #e4e8ec")} .axis {Braces("stroke: #8b949e")}
            .c0 {Braces("stroke: #0969da")} .c1 {Braces("stroke: #d4590a")} .c2 {Braces("stroke: #1a7f37")} .c3 {Braces("stroke: #8250df")}
            .d0 {Braces("fill: #0969da")} .d1 {Braces("fill: #d4590a")} .d2 {Braces("fill: #1a7f37")} .d3 {Braces("fill: #8250df")}
            @media (prefers-color-scheme: dark) {Braces("""

            .back { fill: #0d1117 } .ink { fill: #f0f6fc } .faint { fill: #9198a1 } .grid { stroke: #262c36 } .axis { stroke: #656c76 }
            .c0 { stroke: #58a6ff } .c1 { stroke: #f0883e } .c2 { stroke: #3fb950 } .c3 { stroke: #bc8cff }
            .d0 { fill: #58a6ff } .d1 { fill: #f0883e } .d2 { fill: #3fb950 } .d3 { fill: #bc8cff }

            """)}
            </style>
            <rect class="back" width="{Width}" height="{Height}" rx="8"/>
            <text class="ink" x="{Left}" y="32" font-size="17" font-weight="600">{Escape(Title)}</text>
            """);
        foreach (double tick in y.Ticks(8))
        {
            string at = Number(Y(tick));
            svg.AppendLine(CultureInfo.InvariantCulture, $"""
                <line class="grid" x1="{Left}" y1="{at}" x2="{Width - Right}" y2="{at}"/>
                <text class="faint" x="{Left - 8}" y="{at}" dy="4" font-size="12" text-anchor="end">{Axis.Text(tick)}</text>
                """);
        }
        foreach (double tick in x.Ticks(8))
        {
            string at = Number(X(tick));
            svg.AppendLine(CultureInfo.InvariantCulture, $"""
                <line class="axis" x1="{at}" y1="{Height - Bottom}" x2="{at}" y2="{Height - Bottom + 5}"/>
                <text class="faint" x="{at}" y="{Height - Bottom + 20}" font-size="12" text-anchor="middle">{Axis.Text(tick)}</text>
                """);
        }
        int middle = Top + (Height - Bottom - Top) / 2, centre = Left + (Width - Left - Right) / 2;
        string yLabel = Escape(YLabel) + (YScale == Scale.Log ? " (log)" : "");
        svg.AppendLine(CultureInfo.InvariantCulture, $"""
            <line class="axis" x1="{Left}" y1="{Height - Bottom}" x2="{Width - Right}" y2="{Height - Bottom}"/>
            <text class="faint" x="{centre}" y="{Height - 14}" font-size="13" text-anchor="middle">{Escape(XLabel)}</text>
            <text class="faint" x="18" y="{middle}" font-size="13" text-anchor="middle" transform="rotate(-90 18 {middle})">{yLabel}</text>
            """);
        if (points.Count == 0)
            svg.AppendLine(CultureInfo.InvariantCulture, $"""
                <text class="faint" x="{centre}" y="{middle}" font-size="14" text-anchor="middle">no steps yet</text>
                """);
        double legend = Left;
        foreach (var (i, curve) in Curves.Index())
        {
            int colour = i % 4;
            string label = Label(curve);
            svg.AppendLine(CultureInfo.InvariantCulture, $"""
                <line class="c{colour}" x1="{Number(legend)}" y1="52" x2="{Number(legend + 22)}" y2="52" stroke-width="3" stroke-linecap="round"/>
                <text class="ink" x="{Number(legend + 30)}" y="56" font-size="13">{Escape(label)}</text>
                """);
            legend += 30 + label.Length * 7.2 + 28;
            if (curve.Smooth && curve.Points.Count >= 100)
            {
                Line(curve.Points, colour, """stroke-width="1" opacity="0.3" """);
                Line(Smoothed(curve.Points), colour, """stroke-width="2" """);
            }
            else Line(curve.Points, colour, """stroke-width="2" """);
            if (!curve.Marked) continue;
            foreach (var point in Thin(curve.Points).Where(Fits))
                svg.AppendLine(CultureInfo.InvariantCulture,
                    $"""<circle class="d{colour}" cx="{Number(X(point.X))}" cy="{Number(Y(point.Y))}" r="3"/>""");
        }
        svg.AppendLine("</svg>");
        return svg.Replace("\r\n", "\n").ToString();

        double X(double value) => Left + x.Place(value) * (Width - Left - Right);
        double Y(double value) => Height - Bottom - y.Place(value) * (Height - Bottom - Top);
        bool Fits((double X, double Y) point) => x.Fits(point.X) && y.Fits(point.Y);

        void Line(IReadOnlyList<(double X, double Y)> line, int colour, string style)
        {
            var path = new StringBuilder();
            bool isOpen = false;
            foreach (var point in Thin(line))
            {
                char verb = isOpen ? 'L' : 'M';
                if (Fits(point)) path.Append(CultureInfo.InvariantCulture, $"{verb}{Number(X(point.X))} {Number(Y(point.Y))}");
                isOpen = Fits(point);
            }
            if (path.Length > 0)
                svg.AppendLine(CultureInfo.InvariantCulture, $"""
                    <path class="c{colour}" d="{path}" fill="none" {style}stroke-linejoin="round" stroke-linecap="round"/>
                    """);
        }
    }

    static string Label(Curve curve)
    {
        var finite = curve.Points.Where(point => double.IsFinite(point.Y)).ToList();
        return finite.Count == 0 ? curve.Name
            : curve.Smooth && finite.Count >= 100 ? $"{curve.Name} {Value(Smoothed(finite)[^1].Y)}"
            : curve.Marked ? $"{curve.Name} {Value(finite[^1].Y)}, best {Value(finite.Min(point => point.Y))}"
            : $"{curve.Name} {Value(finite[^1].Y)}";

        static string Value(double value) =>
            value.ToString(Math.Abs(value) is >= 1e-3 and < 1e5 ? "0.000" : "0.00e-00", CultureInfo.InvariantCulture);
    }

    /// <summary>
    /// The mean around each point: over a fiftieth of the line, less at its steep beginning, and of the points before it at the
    /// end.
    /// </summary>
    static List<(double X, double Y)> Smoothed(IReadOnlyList<(double X, double Y)> points)
    {
        int half = Math.Max(1, points.Count / 100);
        double[] sums = new double[points.Count + 1];    // of what comes before each point
        int[] counts = new int[points.Count + 1];
        for (int i = 0; i < points.Count; i++)
        {
            bool counted = double.IsFinite(points[i].Y);
            sums[i + 1] = sums[i] + (counted ? points[i].Y : 0);
            counts[i + 1] = counts[i] + (counted ? 1 : 0);
        }
        var smooth = new List<(double, double)>(points.Count);
        for (int i = 0; i < points.Count; i++)
        {
            int reach = Math.Min(i, half), from = i - reach, to = Math.Min(points.Count, i + reach + 1);
            double mean = (sums[to] - sums[from]) / (counts[to] - counts[from]);
            smooth.Add((points[i].X, double.IsFinite(points[i].Y) ? mean : double.NaN));
        }
        return smooth;
    }

    /// <summary>
    /// The lowest and the highest point of each column that can be told apart, in order; points that are not finite stay.
    /// </summary>
    static IReadOnlyList<(double X, double Y)> Thin(IReadOnlyList<(double X, double Y)> points)
    {
        if (points.Count <= 2 * Columns) return points;
        var thin = new List<(double X, double Y)> { points[0] };
        for (int column = 0; column < Columns; column++)
        {
            int from = (int)((long)points.Count * column / Columns), to = (int)((long)points.Count * (column + 1) / Columns);
            int low = from, high = from, gap = -1;
            for (int i = from; i < to; i++)
            {
                if (!double.IsFinite(points[i].Y)) gap = i;
                else
                {
                    if (!(points[low].Y <= points[i].Y)) low = i;
                    if (!(points[high].Y >= points[i].Y)) high = i;
                }
            }
            foreach (int i in new SortedSet<int> { low, high, gap >= 0 ? gap : low }) thin.Add(points[i]);
        }
        thin.Add(points[^1]);
        return thin;
    }

    static string Number(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);

    static string Braces(string content) => $"{{ {content} }}";

    /// <summary>Text within XML, without the characters that XML has no place for.</summary>
    static string Escape(string text) =>
        SecurityElement.Escape(string.Concat(text.EnumerateRunes()
            .Where(rune => rune.Value is '\t' or '\n' or (>= 0x20 and not (0xfffe or 0xffff))).Select(rune => rune.ToString())));
}
