using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Ashlar.Formats;

namespace Ashlar.Cli;

/// <summary><c>ashlar convert</c>: between folders of safetensors files and GGUF files.</summary>
static class ConvertCommand
{
    static readonly Dictionary<string,
        WeightType> types = new() { ["f32"] = WeightType.F32, ["f16"] = WeightType.F16, ["bf16"] = WeightType.BF16 };

    public static Command Define()
    {
        var from = ModelPath.Argument("in", "A .gguf file, or the folder of a model.");
        var to = new Argument<string>("out") { Description = "What to write: NAME.gguf, or a folder for safetensors files." };
        var dtype = new Option<string?>("--dtype")
        {
            Description = "The type of the matrices; as they are where left out.",
            HelpName = "type"
        };
        dtype.AcceptOnlyFromAmong([.. types.Keys]);
        var split = new Option<string?>("--split")
        {
            Description = "The most bytes of weights in a file: 2G, 500M.",
            HelpName = "size"
        };
        split.Validators.Add(result =>
        {
            if (result.GetValue(split) is { } size && ParseSize(size) is null) result.AddError(
                $"--split is a size such as 2G or 500M, and '{size}' is not.");
        });
        var json = new Option<bool>("--json") { Description = "Print one JSON object instead of a sentence." };
        var verb = new Verb("convert", "Convert a model between a folder of safetensors files and GGUF.")
        {
            Arguments = { from, to },
            Options = { dtype, split, json },
            Examples =
            [
                ("ashlar convert Qwen3-0.6B qwen3.gguf", "names, metadata and tokenizer as llama.cpp has them"),
                ("ashlar convert llama.gguf llama-folder --dtype bf16", "and back, for programs that read safetensors"),
                ("ashlar convert Big big.gguf --split 4G", "in files of 4 GiB"),
            ],
        };
        verb.SetAction((parsed, cancellation) =>
        {
            string source = parsed.GetValue(from)!, target = parsed.GetValue(to)!;
            WeightType? type = parsed.GetValue(dtype) is { } name ? types[name] : null;
            long? part = parsed.GetValue(split) is { } size ? ParseSize(size) : null;
            var output = parsed.InvocationConfiguration.Output;
            var console = Screen.On(parsed.GetValue(json) ? parsed.InvocationConfiguration.Error : output);
            ConversionResult? done = null;
            console.WithProgress("converting",
                share => done = ModelConversion.Convert(source, target, type, part, share, cancellation));
            if (parsed.GetValue(json))
                output.WriteLine(new JsonObject
                {
                    ["architecture"] = done!.Architecture,
                    ["tensors"] = done.Tensors,
                    ["bytes"] = done.Bytes,
                    ["files"] = new JsonArray([.. done.Files.Select(file => (JsonNode)file)]),
                    ["notes"] = new JsonArray([.. done.Notes.Select(note => (JsonNode)note)]),
                }.ToJsonString());
            else
            {
                output.WriteLine(
                    $"{target}: {done!.Architecture}, {done.Tensors} tensors, {ByteSize.Text(done.Bytes)} in {done.Files.Count} {(done.Files.Count == 1 ? "file" : "files")}");
                foreach (string note in done.Notes) output.WriteLine($"  {note}");
            }
            return Task.FromResult(0);
        });
        return verb;
    }

    static long? ParseSize(string text)
    {
        long unit = text.Length == 0 ? 1 : char.ToUpperInvariant(text[^1]) switch
        {
            'K' => 1L << 10,
            'M' => 1L << 20,
            'G' =>
            1L << 30,
            _ => 1
        };
        return double.TryParse(unit == 1 ? text : text[..^1], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture,
            out double number) && number > 0 && number * unit is >= 1 and < 1e18
            ? (long)(number * unit) : null;
    }
}
