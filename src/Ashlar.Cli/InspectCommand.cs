using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ashlar.Formats;
using Spectre.Console;

namespace Ashlar.Cli;

/// <summary><c>ashlar inspect</c>: what a model file or folder holds.</summary>
static class InspectCommand
{
    static readonly JsonSerializerOptions indented = new() { WriteIndented = true };

    public static Command Define()
    {
        var model = ModelPath.Argument("model", "A .gguf file, a .safetensors file, or the folder of a model.");
        var tensors = new Option<bool>("--tensors") { Description = "List every tensor: name, type, extents, bytes." };
        var metadata = new Option<bool>("--metadata") { Description = "List all metadata of a GGUF file." };
        var json = new Option<bool>("--json") { Description = "Print one JSON object instead of tables." };
        var verb =
            new Verb("inspect", "Show what a model file holds: architecture, tensors, types, sizes, tokenizer, chat template.")
            {
                Arguments = { model },
                Options = { tensors, metadata, json },
                Examples =
            [
                ("ashlar inspect Qwen3-0.6B", "a folder of safetensors files"),
                ("ashlar inspect model-q4_k.gguf --tensors", "every tensor of a GGUF file"),
                ("ashlar inspect model.gguf --metadata", "all that the file says about itself"),
                ("ashlar inspect model.gguf --json", "for a program"),
            ],
            };
        verb.SetAction(parsed =>
        {
            using var file = WeightFile.Open(parsed.GetValue(model)!);
            var summary = ModelSummary.Of(file);
            var output = parsed.InvocationConfiguration.Output;
            var said = parsed.GetValue(metadata) ? (file as Gguf)?.Metadata : null;
            var entries = parsed.GetValue(tensors) ? file.Entries : null;
            if (parsed.GetValue(json)) output.WriteLine(Json(summary, entries, said).ToJsonString(indented));
            else Draw(Screen.On(output), summary, entries, said);
            return 0;
        });
        return verb;
    }

    static void Draw(IAnsiConsole console, ModelSummary model, IReadOnlyList<WeightEntry>? entries, GgufMetadata? metadata)
    {
        string files = model.Parts == 1 ? "one file" : $"{model.Parts} files";
        var facts = new List<(string, string)> { ("format", $"{model.Format}, {files}, {ByteSize.Text(model.FileBytes)}") };
        if (model.Architecture is not null) facts.Add(("architecture", model.Architecture));
        if (model.Name is not null) facts.Add(("name", model.Name));
        facts.Add(("parameters",
            $"{Count(model.Parameters)} ({model.Parameters.ToString("N0", CultureInfo.InvariantCulture)}) in {model.Tensors} tensors"));
        if (model.Parameters > 0) facts.Add(
            ("bits a parameter", (8.0 * model.WeightBytes / model.Parameters).ToString("0.00", CultureInfo.InvariantCulture)));
        console.Section(Path.GetFileName(Path.TrimEndingDirectorySeparator(model.Path)), Screen.Facts([.. facts]));
        if (model.Types.Count > 0) console.Section("Types", Types(model));
        if (model.Config.Count > 0) console.Section("Configuration", Screen.Facts([.. model.Config]));
        if (model.Tokenizer is { } tokenizer)
            console.Section("Tokenizer", Screen.Facts(
            [
                ("kind", tokenizer.Splitter is null ? tokenizer.Kind : $"{tokenizer.Kind}, {tokenizer.Splitter}"),
                ("tokens",
                    $"{tokenizer.Tokens.ToString("N0", CultureInfo.InvariantCulture)}{(tokenizer.Merges > 0 ? $", {tokenizer.Merges.ToString("N0", CultureInfo.InvariantCulture)} merges" : "")}"),
                .. tokenizer.Special,
            ]));
        if (model.ChatTemplate is { } template) console.Section("Chat template", new Text(Beginning(template)));
        if (metadata is not null) console.Section("Metadata", Metadata(metadata));
        if (entries is not null) console.Section("Tensors", Tensors(entries));
    }

    static Table Types(ModelSummary model)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("type");
        foreach (string name in (string[])["tensors", "parameters", "bytes", "share", "bits"]) table.AddColumn(
            new TableColumn(name).RightAligned());
        foreach (var type in model.Types)
            table.AddRow(type.Type.Name, type.Tensors.ToString(CultureInfo.InvariantCulture), Count(type.Elements),
                ByteSize.Text(type.Bytes),
                (type.Bytes / (double)Math.Max(1, model.WeightBytes)).ToString("0.0 %", CultureInfo.InvariantCulture),
                type.Type.BitsPerElement.ToString("0.##", CultureInfo.InvariantCulture));
        return table;
    }

    static Table Metadata(GgufMetadata metadata)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("key", "type", "value");
        foreach (string key in metadata.Keys) table.AddRow(new Text(key), new Text(TypeText(metadata, key)),
            new Text(metadata.ValueText(key)));
        return table;
    }

    static string TypeText(GgufMetadata metadata, string key)
    {
        var type = metadata.TypeOf(key);
        return type == GgufValueType.List ? $"{Lower(metadata.ListOf(key).Type)}[]" : Lower(type);

        static string Lower(GgufValueType type) => type.ToString().ToLowerInvariant();
    }

    static Table Tensors(IReadOnlyList<WeightEntry> entries)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("name", "type", "extents")
            .AddColumn(new TableColumn("bytes").RightAligned());
        foreach (var entry in entries)
            table.AddRow(new Text(entry.Name), new Text(entry.Type.Name), new Text(entry.Extents.ToString()),
                new Text(ByteSize.Text(entry.Bytes)));
        return table;
    }

    static string Beginning(string template)
    {
        const int Lines = 8, Letters = 140;
        string[] lines = template.Split('\n');
        var shown = lines.Take(Lines).Select(line => "  " + (line.Length > Letters ? line[..Letters] + "..." : line.TrimEnd()));
        return string.Join('\n', shown) + (lines.Length > Lines ? $"\n  ... {lines.Length - Lines} more lines\n" : "\n");
    }

    static string Count(long number) => number switch
    {
        >= 1_000_000_000 => (number / 1e9).ToString("0.00 'G'", CultureInfo.InvariantCulture),
        >= 1_000_000 => (number / 1e6).ToString("0.00 'M'", CultureInfo.InvariantCulture),
        >= 10_000 => (number / 1e3).ToString("0.0 'k'", CultureInfo.InvariantCulture),
        _ => number.ToString(CultureInfo.InvariantCulture),
    };

    static JsonObject Json(ModelSummary model, IReadOnlyList<WeightEntry>? entries, GgufMetadata? metadata)
    {
        var json = new JsonObject
        {
            ["path"] = model.Path,
            ["format"] = model.Format,
            ["architecture"] = model.Architecture,
            ["name"] = model.Name,
            ["files"] = model.Parts,
            ["file_bytes"] = model.FileBytes,
            ["parameters"] = model.Parameters,
            ["tensor_count"] = model.Tensors,
            ["types"] = new JsonArray([.. model.Types.Select(type => (JsonNode)new JsonObject
            {
                ["type"] = type.Type.Name,
                ["tensors"] = type.Tensors,
                ["parameters"] = type.Elements,
                ["bytes"] = type.Bytes,
            })]),
            ["config"] = new JsonObject(model.Config.DistinctBy(pair => pair.Name)
                .Select(pair => KeyValuePair.Create(pair.Name, (JsonNode?)pair.Value))),
            ["tokenizer"] = model.Tokenizer is not { } tokenizer ? null : new JsonObject
            {
                ["kind"] = tokenizer.Kind,
                ["splitter"] = tokenizer.Splitter,
                ["tokens"] = tokenizer.Tokens,
                ["merges"] = tokenizer.Merges,
                ["special"] = new JsonObject(tokenizer.Special.Select(pair =>
                    KeyValuePair.Create(pair.Role, (JsonNode?)pair.Token))),
            },
            ["chat_template"] = model.ChatTemplate,
        };
        if (metadata is not null)
            json["metadata"] = new JsonObject(
                metadata.Keys.Select(key => KeyValuePair.Create(key, (JsonNode?)metadata.ValueText(key))));
        if (entries is not null)
            json["tensors"] = new JsonArray([.. entries.Select(entry => (JsonNode)new JsonObject
            {
                ["name"] = entry.Name,
                ["type"] = entry.Type.Name,
                ["extents"] = new JsonArray([.. entry.Extents.Select(extent => (JsonNode)extent)]),
                ["offset"] = entry.Offset,
                ["bytes"] = entry.Bytes,
                ["part"] = entry.Part,
            })]);
        return json;
    }
}
