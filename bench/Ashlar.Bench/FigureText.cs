using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ashlar.Backends.Cpu;

namespace Ashlar.Bench;

/// <summary>Figures as text: JSON lines for programs and for <c>bench/results</c>, short numbers for people.</summary>
public static class FigureText
{
    // Names of processors hold (R) and the like, which are nothing to escape in a file.
    static readonly JsonSerializerOptions plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>A figure as one line: <c>{"name", "value", "unit", "limit", "ratio"}</c>; null for a number that there is none of
    /// (NaN).</summary>
    public static string Line(Figure figure) => new JsonObject
    {
        ["name"] = figure.Name,
        ["value"] = Rounded(figure.Value),
        ["unit"] = figure.Unit,
        ["limit"] = Rounded(figure.Limit),
        ["ratio"] = Rounded(figure.Ratio),
    }.ToJsonString(plain);

    /// <summary>The line that begins each run in a file of results: the machine, and when.</summary>
    public static string MachineLine() => new JsonObject
    {
        ["machine"] = Processor.Current.Model,
        ["cores"] = Processor.Current.Count,
        ["memory_bytes"] = MachineMemory.Read().TotalBytes,
        ["runtime"] = RuntimeInformation.FrameworkDescription,
        ["isa"] = Isa.Chosen.Name,
        ["date"] = DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture),
    }.ToJsonString(plain);

    /// <summary>The figures in the lines of a file of results; lines that describe machines are passed over.</summary>
    public static IEnumerable<Figure> Read(IEnumerable<string> lines) =>
        from line in lines
        where line.Trim().Length > 0
        let json = JsonNode.Parse(line)!.AsObject()
        where json.ContainsKey("name")
        select new Figure((string)json["name"]!, (double)json["value"]!, (string)json["unit"]!, Number(json["limit"]),
            Number(json["ratio"]));

    /// <summary>A number as tables show it: three digits, or all before the point.</summary>
    public static string Digits(double value) => value.ToString(Math.Abs(value) switch
    {
        0 => "0",
        >= 99.95 => "0",
        >= 9.995 => "0.0",
        >= 0.9995 => "0.00",
        _ => "0.000",
    }, CultureInfo.InvariantCulture);

    /// <summary>A ratio as tables show it: <c>81.2 %</c>; nothing where there is none.</summary>
    public static string Share(double ratio) =>
        double.IsNaN(ratio) ? "" : (100 * ratio).ToString("0.0", CultureInfo.InvariantCulture) + " %";

    static double Number(JsonNode? number) => number is null ? double.NaN : (double)number;

    // JSON has no NaN.
    static JsonNode? Rounded(double value) => double.IsNaN(value)
        ? null
        : double.Parse(value.ToString("G5", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
}
