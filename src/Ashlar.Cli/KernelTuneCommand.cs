using System.CommandLine;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Tuning;
using Ashlar.Kernels;
using Ashlar.Runtime.Tuning;
using Spectre.Console;

namespace Ashlar.Cli;

/// <summary><c>ashlar kernel tune</c>: times the configs of a product that a model ranks first, and keeps the best for programs
/// that run later.</summary>
static class KernelTuneCommand
{
    const string Product = "matmul";

    static readonly JsonSerializerOptions plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <param name="cache">Where tuned configs are kept.</param>
    /// <param name="prepare">Registers the device.</param>
    public static Verb Define(Func<TuningCache> cache, Action prepare)
    {
        string names = string.Join(", ", KernelLibrary.All.Where(kernel => kernel.Choice is not null)
            .Select(kernel => kernel.Name).Prepend(Product));
        var name = new Argument<string?>("name")
        {
            Description = $"What to tune: {names}. {Product} is the matrix engine's.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        name.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && token.Value != Product && KernelLibrary.Find(token.Value)?.Choice is null)
                result.AddError($"'{token.Value}' cannot be tuned. There are: {names}.");
        });
        Option<long> rows = Extent("--m", "Rows of the left factor and of the result."),
            columns = Extent("--n", "Columns of the right factor and of the result."),
            inner = Extent("--k", "Columns of the left factor, rows of the right one.");
        var dtype = new Option<string>("--dtype")
        {
            Description = "Element type of the factors: f32, bf16, int8.",
            DefaultValueFactory = _ => "f32",
        };
        dtype.AcceptOnlyFromAmong("f32", "bf16", "int8");
        var layout = new Option<string>("--layout")
        {
            Description = "How the factors lie, n as written and t transposed: nn, nt (weights of layers, [n, k]), tn, tt.",
            DefaultValueFactory = _ => "nn",
        };
        layout.AcceptOnlyFromAmong("nn", "nt", "tn", "tt");
        var packed = new Option<bool>("--packed")
        {
            Description =
                "The right factor is packed for the tile unit beforehand, as bf16 weights of models are; experts and quantised weights use no tuned config.",
        };
        var all = new Option<bool>("--all")
        {
            Description =
                $"Time every legal config, not the first {ProductTuner.MostCandidates} of the model: shows how good the model is. Takes minutes.",
        };
        var size = new Option<long?>("--size")
        {
            Description = "For a kernel of the library: the length of a sequence, rows of a matrix.",
            HelpName = "n",
        };
        size.Validators.Add(result =>
        {
            if (result.GetValue(size) is < 1) result.AddError("--size must be at least 1.");
        });
        var json = new Option<bool>("--json") { Description = "Print one JSON object." };
        var dry = new Option<bool>("--dry") { Description = "Keep nothing." };
        var list = new Option<bool>("--list") { Description = "List what was tuned before instead." };
        var forget = new Option<bool>("--forget") { Description = "Remove everything that was tuned before instead." };
        var verb = new Verb("tune",
            "Find the fastest blocks of a matrix product on this machine, and keep them for programs that run later.")
        {
            Arguments = { name },
            Options = { rows, columns, inner, dtype, layout, packed, size, all, dry, json, list, forget },
            Examples =
            [
                ("ashlar kernel tune matmul --m 1024 --n 1024 --k 1024 --dtype bf16", "a square product on the tile unit"),
                ("ashlar kernel tune matmul --m 512 --n 4096 --k 1024 --layout nt",
                    "a layer of 1024 inputs and 4096 outputs, 512 rows"),
                ("ashlar kernel tune flash_attention --size 2048", "the tiles of a kernel of the library"),
                ("ashlar kernel tune --list", "what was tuned, where, and what it gained"),
            ],
        };
        verb.Validators.Add(result =>
        {
            bool other = result.GetValue(list) || result.GetValue(forget);
            if (!other && result.GetValue(name) is null) result.AddError($"Say what to tune ({names}), or --list.");
            if (other && result.GetValue(name) is not null) result.AddError("--list and --forget take no name.");
        });
        verb.SetAction((parsed, cancellation) =>
        {
            var output = parsed.InvocationConfiguration.Output;
            var kept = cache();
            if (parsed.GetValue(forget))
            {
                kept.Forget();
                output.WriteLine(kept.Path is { } path ? $"{path} is gone." : "Nothing is kept.");
                return Task.FromResult(0);
            }
            if (parsed.GetValue(list))
            {
                List(kept, parsed.GetValue(json), output);
                return Task.FromResult(0);
            }
            if (KernelLibrary.Find(parsed.GetValue(name)!) is { Choice: { } choice } library)
            {
                prepare();
                var inputs = KernelCommand.Random(library, parsed.GetValue(size) ?? library.Size);
                var found = choice.Tune(inputs, parsed.GetValue(all) ? int.MaxValue : KernelChoices.MostCandidates,
                    parsed.GetValue(dry) ? TuningCache.Load(null) : kept);
                if (parsed.GetValue(json)) output.WriteLine(Json(found).ToJsonString(plain));
                else Draw(found, parsed.GetValue(dry) ? null : kept.Path, Screen.On(output));
                return Task.FromResult(0);
            }
            string order = parsed.GetValue(layout)!;
            var product = new TunableProduct(parsed.GetValue(dtype) switch
            {
                "bf16" => DType.BFloat16,
                "int8" => DType.Int8,
                _ => DType.Float32,
            },
                parsed.GetValue(rows), parsed.GetValue(columns), parsed.GetValue(inner), order[0] == 't', order[1] == 't',
                parsed.GetValue(packed));
            var profile = ProductTuner.Profile(parsed.InvocationConfiguration.Error.WriteLine);
            var tuning = ProductTuner.Tune(product, parsed.GetValue(all), profile, cancellation);
            if (!parsed.GetValue(dry)) kept.Add(tuning.Entry(profile.Machine));
            if (parsed.GetValue(json)) output.WriteLine(Json(tuning).ToJsonString(plain));
            else Draw(tuning, parsed.GetValue(dry) ? null : kept.Path, Screen.On(output));
            return Task.FromResult(0);
        });
        return verb;
    }

    static Option<long> Extent(string name, string meaning)
    {
        var extent = new Option<long>(name) { Description = meaning, HelpName = "extent", DefaultValueFactory = _ => 1024 };
        extent.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && result.GetValue(extent) < 1) result.AddError($"{name} must be at least 1.");
        });
        return extent;
    }

    static void Draw(ProductTuning tuning, string? path, IAnsiConsole console)
    {
        var table = new Table().Border(TableBorder.Simple);
        foreach (string heading in (string[])["rank", "model's", "config", "measured", "model", "GFLOP/s", "share of peak", ""])
            table.AddColumn(heading is "config" or "" ? new TableColumn(heading) : new TableColumn(heading).RightAligned());
        int rank = 0;
        foreach (var candidate in tuning.Candidates)
        {
            rank++;
            string note = candidate.IsWrong ? "wrong result: rejected" : candidate.IsDefault ? "runs without tuning" : "";
            double? rate = tuning.Product.Flops / candidate.Seconds / 1e9;
            table.AddRow(rank.ToString(CultureInfo.InvariantCulture), candidate.ModelRank.ToString(CultureInfo.InvariantCulture),
                Markup.Escape(candidate.Config),
                Micros(candidate.Seconds), Micros(candidate.ModelSeconds), rate is { } here
                    ? here.ToString("0", CultureInfo.InvariantCulture)
                    : "-",
                rate is { } value ? (value / tuning.Peak).ToString("0.0%", CultureInfo.InvariantCulture) : "-", note);
        }
        console.Write(table);
        var best = tuning.Best;
        console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{tuning.Kernel}, {tuning.Shape}: {tuning.LegalConfigs} legal configs, {tuning.Candidates.Count} timed in {tuning.Seconds:0.0} s."));
        console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"The fastest is the model's number {best.ModelRank}; model and measurement order them alike to {tuning.RankCorrelation:0.00} (rank correlation, 1 is the same order)."));
        console.WriteLine(best.IsDefault ? "It is what runs without tuning." : string.Create(CultureInfo.InvariantCulture,
            $"It takes {1 / best.Gain:0.0%} of the time of what runs without tuning, run beside it."));
        if (!best.IsDefault && tuning.Kept.IsDefault) console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"Less than {ProductTuner.LeastGain - 1:0%} cannot be told from noise: what runs without tuning stays."));
        console.WriteLine(path is null
            ? "Nothing was kept."
            : $"Kept in {path}; products of this class of shapes use it from the next start of a program on.");
    }

    static void Draw(KernelTuning tuning, string? path, IAnsiConsole console)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("rank", "config", "measured", "");
        int rank = 0;
        foreach (var candidate in tuning.Candidates)
            table.AddRow((++rank).ToString(CultureInfo.InvariantCulture), Markup.Escape(candidate.Config),
                Micros(candidate.Seconds),
                Markup.Escape(candidate.Rejected is { } reason
                    ? $"rejected: {reason}"
                    : candidate.IsDefault ? "runs without tuning" : ""));
        console.Write(table);
        console.WriteLine(tuning.Best.IsDefault
            ? "The fastest is what runs without tuning."
            : string.Create(CultureInfo.InvariantCulture,
            $"The fastest takes {tuning.Best.Seconds / tuning.Default.Seconds:0.0%} of the time of what runs without tuning."));
        console.WriteLine(path is null ? "Nothing was kept." : $"Kept in {path}.");
    }

    static string Micros(double? seconds) => seconds is { } value && double.IsFinite(value)
        ? (value * 1e6).ToString("0.0", CultureInfo.InvariantCulture) + " us"
        : "-";

    static JsonObject Json(KernelTuning tuning) => new()
    {
        ["kernel"] = tuning.Kernel,
        ["shape"] = tuning.Shape,
        ["share_of_default_time"] = tuning.Best.Seconds / tuning.Default.Seconds,
        ["candidates"] = new JsonArray([.. tuning.Candidates.Select(candidate => new JsonObject
        {
            ["config"] = candidate.Config,
            ["us"] = candidate.Seconds * 1e6,
            ["default"] = candidate.IsDefault,
            ["rejected"] = candidate.Rejected,
        })]),
    };

    static JsonObject Json(ProductTuning tuning) => new()
    {
        ["kernel"] = tuning.Kernel,
        ["shape"] = tuning.Shape,
        ["threads"] = tuning.Threads,
        ["peak_gflops"] = tuning.Peak,
        ["legal_configs"] = tuning.LegalConfigs,
        ["seconds"] = tuning.Seconds,
        ["best_model_rank"] = tuning.Best.ModelRank,
        ["rank_correlation"] = double.IsNaN(tuning.RankCorrelation) ? null : tuning.RankCorrelation,
        ["regret"] = tuning.Regret,
        ["share_of_default_time"] = 1 / tuning.Best.Gain,
        ["kept"] = tuning.Kept.Config,
        ["candidates"] = new JsonArray([.. tuning.Candidates.Select(candidate => new JsonObject
        {
            ["config"] = candidate.Config,
            ["model_rank"] = candidate.ModelRank,
            ["model_us"] = double.IsFinite(candidate.ModelSeconds) ? candidate.ModelSeconds * 1e6 : null,
            ["us"] = candidate.Seconds * 1e6,
            ["default"] = candidate.IsDefault,
            ["wrong"] = candidate.IsWrong,
        })]),
    };

    static void List(TuningCache cache, bool json, TextWriter output)
    {
        string machine = DeviceProfile.MachineOf(Isa.Chosen);
        if (json)
        {
            output.WriteLine(new JsonObject
            {
                ["path"] = cache.Path,
                ["problems"] = new JsonArray([.. cache.Problems.Select(problem => (JsonNode)problem)]),
                ["entries"] = new JsonArray([.. cache.Entries.Select(entry => new JsonObject
                {
                    ["kernel"] = entry.Kernel,
                    ["shape"] = entry.Shape,
                    ["config"] = entry.Config,
                    ["us"] = entry.Seconds * 1e6,
                    ["default_us"] = entry.DefaultSeconds * 1e6,
                    ["date"] = entry.Date,
                    ["machine"] = entry.Machine,
                    ["version"] = entry.Version,
                    ["used"] = WhyNot(entry, machine) is null,
                })]),
            }.ToJsonString(plain));
            return;
        }
        output.WriteLine(cache.Path is { } path ? $"{path} ({CacheFolder.Why})" : $"Nothing is kept: {CacheFolder.Why}.");
        foreach (string problem in cache.Problems) output.WriteLine($"ASH0656: {problem}.");
        if (cache.Entries.Count == 0)
        {
            output.WriteLine("Nothing was tuned.");
            return;
        }
        var table = new Table().Border(TableBorder.None).AddColumns("kernel", "shapes", "config", "time", "without", "used");
        foreach (var entry in cache.Entries)
            table.AddRow(new Text(entry.Kernel), new Text(entry.Shape), new Text(entry.Config), new Text(Time(entry.Seconds)),
                new Text(Time(entry.DefaultSeconds)),
                new Text(WhyNot(entry, machine) is { } reason ? $"no: {reason}" : "yes"));
        Screen.On(output).Write(table);

        static string Time(double seconds) => (seconds * 1e6).ToString("0.0", CultureInfo.InvariantCulture) + " us";
    }

    static string? WhyNot(TuningEntry entry, string machine) =>
        entry.Machine != machine
            ? $"of another machine ({entry.Machine})"
            : entry.Version != TuningEntry.CurrentVersion ? $"of version {entry.Version}" : null;
}
