using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ashlar.Formats;
using Spectre.Console;

namespace Ashlar.Cli;

/// <summary><c>ashlar quantize</c>: a model in fewer bits, and how far its weights are from what they were.</summary>
static class QuantizeCommand
{
    static readonly JsonSerializerOptions indented = new() { WriteIndented = true };

    /// <param name="perplexity">Of a model on a text, by their paths; null leaves --text out.</param>
    public static Command Define(Func<string, string, CancellationToken, double>? perplexity = null)
    {
        var from = ModelPath.Argument("in", "A .gguf file, or the folder of a model.");
        var to = new Argument<string>("out") { Description = "The .gguf file to write." };
        var type = new Option<string>("--to")
        {
            Description = $"The type of the matrices: {string.Join(", ", Quantization.Names)}.",
            HelpName = "type",
            Required = true,
        };
        var keep = new Option<string[]>("--keep")
        {
            Description = "Another type for tensors whose name fits, such as output.weight=f16; may be given several times.",
            HelpName = "pattern=type",
        };
        var json = new Option<bool>("--json") { Description = "Print one JSON object instead of a table." };
        var text = new Option<FileInfo>("--text")
        {
            Description = "Measure the perplexity on this text, UTF-8, before and after.",
            HelpName = "file",
        }.AcceptExistingOnly();
        var verb = new Verb("quantize", "Write a model in fewer bits, and report the error of every tensor.")
        {
            Arguments = { from, to },
            Options = { type, keep, json },
            Examples =
            [
                ("ashlar quantize model-f16.gguf model-q8_0.gguf --to q8_0", "half the size, nearly the same numbers"),
                ("ashlar quantize Qwen3-0.6B qwen3-q4_k.gguf --to q4_k", "from a folder of safetensors files"),
                ("ashlar quantize a.gguf b.gguf --to q4_0 --keep \"*attn_v*=q6_k\"", "with more bits where they matter"),
                ("ashlar quantize a.gguf b.gguf --to int8 --json > report.json", "the report for a program"),
            ],
        };
        if (perplexity is not null) verb.Options.Add(text);
        verb.SetAction((parsed, cancellation) =>
        {
            var plan = new Quantization(Quantization.Parse(parsed.GetValue(type)!),
                [.. (parsed.GetValue(keep) ?? []).Select(ParseKeep)]);
            string source = parsed.GetValue(from)!, target = parsed.GetValue(to)!;
            var output = parsed.InvocationConfiguration.Output;
            var report = new List<QuantizationError>();
            var console = Screen.On(parsed.GetValue(json) ? parsed.InvocationConfiguration.Error : output);
            var (before, after) = (0L, 0L);
            // First, so that a text that cannot be used is known before the model is written, and a model may replace itself.
            string? measured = perplexity is null ? null : parsed.GetValue(text)?.FullName;
            double perplexityBefore = measured is null ? 0 : perplexity!(source, measured, cancellation);
            console.WithProgress("quantising",
                share => (before, after) = QuantizedModel.Write(source, target, plan, report.Add, share, cancellation));
            (double, double)? perplexities = measured is null ? null
                : (perplexityBefore, perplexity!(target, measured, cancellation));
            if (parsed.GetValue(json)) output.WriteLine(Json(plan, report, before, after, perplexities).ToJsonString(indented));
            else Draw(console, target, report, before, after, perplexities);
            return Task.FromResult(0);
        });
        return verb;
    }

    static (string, WeightType) ParseKeep(string text)
    {
        int at = text.LastIndexOf('=');
        return at > 0 ? (text[..at], Quantization.Parse(text[(at + 1)..])) : throw new ModelFileException("ASH0466",
            $"--keep is '{text}', but should be a pattern of names and a type.", "write it like --keep \"output.weight=q8_0\".");
    }

    static void Draw(IAnsiConsole console, string target, List<QuantizationError> report, long before, long after,
        (double Before, double After)? perplexity)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("tensor", "from", "to");
        foreach (string name in (string[])["bytes", "rms error", "greatest", "relative", "SNR dB"]) table.AddColumn(
            new TableColumn(name).RightAligned());
        foreach (var error in report)
            table.AddRow(error.Name, error.From.Name, error.To.Name, ByteSize.Text(error.Bytes), Digits(error.RootMeanSquare),
                Digits(error.Greatest),
                error.Relative.ToString("0.00 %", CultureInfo.InvariantCulture),
                double.IsInfinity(error.Decibels) ? "exact" : error.Decibels.ToString("0.0", CultureInfo.InvariantCulture));
        console.Section("Tensors that changed their type", table);
        var facts = new List<(string, string)>
        {
            ("written", $"{target}, {ByteSize.Text(after)}"),
            ("before",
                $"{ByteSize.Text(before)}, {(before / (double)Math.Max(1, after)).ToString("0.00", CultureInfo.InvariantCulture)} times as much"),
        };
        if (perplexity is { } measured) facts.Add(("perplexity", $"{Digits(measured.After)}, before {Digits(measured.Before)}"));
        console.Section("Model", Screen.Facts([.. facts]));
    }

    static string Digits(double value) => value.ToString("0.###e+0", CultureInfo.InvariantCulture);

    static JsonObject Json(Quantization plan, List<QuantizationError> report, long before, long after,
        (double Before, double After)? perplexity)
    {
        var json = new JsonObject
        {
            ["to"] = plan.To.Name,
            ["bytes_before"] = before,
            ["bytes_after"] = after,
            ["tensors"] = new JsonArray([.. report.Select(error => (JsonNode)new JsonObject
            {
                ["name"] = error.Name,
                ["from"] = error.From.Name,
                ["to"] = error.To.Name,
                ["elements"] = error.Elements,
                ["bytes"] = error.Bytes,
                ["rmse"] = error.RootMeanSquare,
                ["max_error"] = error.Greatest,
                ["relative_error"] = error.Relative,
                ["snr_db"] = double.IsInfinity(error.Decibels) ? null : error.Decibels,
            })]),
        };
        if (perplexity is { } measured) (json["perplexity_before"], json["perplexity_after"]) = (measured.Before, measured.After);
        return json;
    }
}
