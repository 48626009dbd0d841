using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Tuning;
using Ashlar.Runtime.Tuning;
using Spectre.Console;

namespace Ashlar.Cli;

/// <summary><c>ashlar env</c>: what this machine has, which path runs and why, and every variable Ashlar reads.</summary>
static class EnvCommand
{
    static readonly JsonSerializerOptions indented = new() { WriteIndented = true };

    public static Command Define()
    {
        var measure = new Option<bool>("--measure")
        {
            Description =
                "Measure this machine's limits too, and keep the device profile that 'ashlar kernel tune' reads; takes about seven seconds.",
        };
        var json = new Option<bool>("--json") { Description = "Print one JSON object instead of tables." };
        var verb = new Verb("env", "Show what this machine offers, which path runs and why, and every variable Ashlar reads.")
        {
            Options = { measure, json },
            Examples =
            [
                ("ashlar env", "what there is"),
                ("ashlar env --measure", "and how fast it is: arithmetic, caches, memory, threads"),
                ("ashlar env --json > machine.json", "the same for a program or a bug report"),
                ("ASHLAR_ISA=avx2 ashlar env --measure", "the limits of the 256-bit path"),
            ],
        };
        verb.SetAction((parsed, cancellation) =>
        {
            var output = parsed.InvocationConfiguration.Output;
            var machine = new Machine();
            if (parsed.GetValue(json))
            {
                if (parsed.GetValue(measure)) machine.Measure(null, cancellation);
                output.WriteLine(machine.ToJson().ToJsonString(indented));
                return Task.FromResult(0);
            }
            var console = Screen.On(output);
            if (parsed.GetValue(measure)) console.WithProgress("measuring", share => machine.Measure(share, cancellation));
            machine.Draw(console);
            return Task.FromResult(0);
        });
        return verb;
    }

    /// <summary>Everything the verb prints, read once.</summary>
    sealed class Machine
    {
        readonly Processor processor = Processor.Current;
        readonly MachineMemory memory = MachineMemory.Read();
        readonly Limits session = new(Isa.Chosen);
        MachineLimits? limits;
        string? profile;                               // where that of tuning was kept

        public void Measure(IProgress<double>? progress, CancellationToken cancellation)
        {
            limits = session.Measure(progress, cancellation);
            profile = DeviceProfile.Renew(session, cancellation);
        }

        string WhyPath =>
            AshlarEnvironment.Isa.Value is null ? "the widest this machine has" : $"{AshlarEnvironment.Isa.Name} asks for it";

        string WhyThreads =>
            AshlarEnvironment.Threads.Value is null ? "one per processor" : $"{AshlarEnvironment.Threads.Name} asks for it";

        int[] ThreadCounts => session.Threads == 1 ? [1] : [1, session.Threads];

        public void Draw(IAnsiConsole console)
        {
            console.Section("Machine", Screen.Facts(
                ("processor", $"{processor.Model}, {processor.Count} {(processor.Count == 1 ? "thread" : "threads")}"),
                ("caches", $"L1 {ByteSize.Text(processor.L1Bytes)}, L2 {ByteSize.Text(processor.L2Bytes)} per core" +
                    (processor.L3Bytes > 0 ? $"; L3 {ByteSize.Text(processor.L3Bytes)}" : "")),
                ("memory", $"{ByteSize.Text(memory.TotalBytes)}, {ByteSize.Text(memory.AvailableBytes)} available"),
                ("has", string.Join(' ', processor.Features)),
                ("system", $"{RuntimeInformation.OSDescription}, {RuntimeInformation.FrameworkDescription}")));
            console.Section("What runs", Screen.Facts(
                ("path", $"{Isa.Chosen.Name}: {8 * Isa.Chosen.VectorBytes}-bit vectors, {WhyPath}"),
                ("choices", string.Join(", ", Isa.Available.Select(isa => isa.Name))),
                ("threads", $"{session.Threads}, {WhyThreads}"),
                ("bf16 products", Text(Product(DType.BFloat16))),
                ("int8 products", Text(Product(DType.Int8))),
                ("tuned configs", TunedText())));
            console.Section("Variables", Variables());
            if (limits is null) return;
            console.Section("Limits, median (best)", LimitTable());
            console.Section("Device profile", Screen.Facts(("kept in", profile ?? $"no file: {CacheFolder.Why}")));
        }

        static ProductPath Product(DType dtype) => MatrixUnit.PathOf(Isa.Chosen, dtype, dtype);

        static string TunedText()
        {
            var cache = TuningCache.Current;
            if (cache.Path is null) return $"none: {CacheFolder.Why}";
            string machine = DeviceProfile.MachineOf(Isa.Chosen);
            int used = cache.Entries.Count(entry => entry.Machine == machine && entry.Version == TuningEntry.CurrentVersion);
            string others = cache.Entries.Count > used ? $", {cache.Entries.Count - used} of other machines or versions" : "";
            string problems = cache.Problems.Count > 0 ? $"; {cache.Problems[0]}" : "";
            return $"{used} in {cache.Path} ({CacheFolder.Why}){others}{problems}";
        }

        static string Text(ProductPath path) => $"{path.Name}: {path.Why}";

        static JsonObject Json(DType dtype)
        {
            var path = Product(dtype);
            return new() { ["dtype"] = dtype.Name, ["path"] = path.Name, ["why"] = path.Why };
        }

        static Table Variables()
        {
            var table = new Table().Border(TableBorder.Simple).AddColumns("variable", "now", "values", "unset", "meaning");
            foreach (var variable in AshlarEnvironment.All)
                table.AddRow(new Text(variable.Name), new Text(variable.Value ?? "-"), new Text(variable.Values),
                    new Text(variable.Default),
                    new Text(variable.Meaning));
            return table;
        }

        Table LimitTable()
        {
            var table = new Table().Border(TableBorder.Simple).AddColumn("limit");
            foreach (int threads in ThreadCounts)
                table.AddColumn(new TableColumn(threads == 1 ? "1 thread" : $"{threads} threads").RightAligned());
            table.AddColumn("unit").AddColumn("what is measured");
            foreach (var limit in Enum.GetValues<Limit>())
            {
                var cells = ThreadCounts.Select(threads => limits![limit, threads] is { } measured
                    ? $"{Digits(measured.Median)} ({Digits(measured.Best)})" : "-");
                string meaning = session.WhyNot(limit, session.Threads) is { } reason
                    ? $"not here: {reason}"
                    : Limits.MeaningOf(limit);
                table.AddRow([Limits.NameOf(limit), .. cells, Limits.UnitOf(limit), meaning]);
            }
            return table;
        }

        static string Digits(double value) =>
            value.ToString(value >= 100 ? "0" : value >= 10 ? "0.0" : "0.00", CultureInfo.InvariantCulture);

        public JsonObject ToJson()
        {
            var json = new JsonObject
            {
                ["processor"] = new JsonObject
                {
                    ["model"] = processor.Model,
                    ["threads"] = processor.Count,
                    ["l1_bytes"] = processor.L1Bytes,
                    ["l2_bytes"] = processor.L2Bytes,
                    ["l3_bytes"] = processor.L3Bytes,
                    ["features"] = new JsonArray([.. processor.Features.Select(feature => (JsonNode)feature)]),
                },
                ["memory"] = new JsonObject { ["total_bytes"] = memory.TotalBytes, ["available_bytes"] = memory.AvailableBytes },
                ["system"] = new JsonObject
                {
                    ["os"] = RuntimeInformation.OSDescription,
                    ["runtime"] = RuntimeInformation.FrameworkDescription,
                },
                ["isa"] = new JsonObject
                {
                    ["chosen"] = Isa.Chosen.Name,
                    ["why"] = WhyPath,
                    ["available"] = new JsonArray([.. Isa.Available.Select(isa => (JsonNode)isa.Name)]),
                },
                ["products"] = new JsonArray(Json(DType.BFloat16), Json(DType.Int8)),
                ["threads"] = session.Threads,
                ["cache"] = CacheFolder.Path,
                ["profile"] = profile,
                ["variables"] = new JsonArray([.. AshlarEnvironment.All.Select(variable => new JsonObject
                {
                    ["name"] = variable.Name,
                    ["value"] = variable.Value,
                    ["values"] = variable.Values,
                    ["default"] = variable.Default,
                    ["meaning"] = variable.Meaning,
                })]),
            };
            if (limits is not null)
                json["limits"] = new JsonArray([.. limits.All.Select(measured => new JsonObject
                {
                    ["name"] = Limits.NameOf(measured.Limit),
                    ["threads"] = measured.Threads,
                    ["median"] = measured.Median,
                    ["best"] = measured.Best,
                    ["unit"] = Limits.UnitOf(measured.Limit),
                })]);
            return json;
        }
    }
}
