using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Ashlar.Bench;
using Spectre.Console;

namespace Ashlar.Cli;

/// <summary><c>ashlar bench</c>: what Ashlar's code reaches, as a share of what this machine can do at that moment.</summary>
static class BenchCommand
{
    const string Everything = "all";

    /// <param name="makeStage">Where benchmarks run, for a number of threads.</param>
    /// <param name="suites">What can be asked for; all there is where null.</param>
    /// <param name="llm">The verb below this one that measures language models; null for none.</param>
    public static Command Define(Func<int, Stage> makeStage, IReadOnlyList<Suite>? suites = null, Command? llm = null)
    {
        suites ??= Suites.All;
        string names = string.Join(", ", [.. suites.Select(suite => suite.Name), Everything]);
        var asked = new Argument<string[]>("suite")
        {
            Description =
                $"What to measure: {string.Join("; ", suites.Select(suite => $"{suite.Name} ({suite.Meaning})"))}; {Everything}.",
            Arity = ArgumentArity.OneOrMore,
        };
        asked.Validators.Add(result =>
        {
            foreach (var token in result.Tokens.Where(token => token.Value != Everything
                && suites.All(suite => suite.Name != token.Value)))
                result.AddError($"'{token.Value}' is nothing that can be measured. There are: {names}.");
        });
        var json = new Option<bool>("--json") { Description = "Print one JSON object a line, each as soon as it is measured." };
        var threads = new Option<int[]>("--threads")
        {
            Description = "Numbers of threads to measure on, such as 1,2.",
            HelpName = "counts",
            CustomParser = ParseThreads,
            DefaultValueFactory = _ => DefaultThreads(),
        };
        var filter = new Option<string>("--filter")
        {
            Description = "Only figures whose name contains this text.",
            HelpName = "text",
        };
        var file = new Option<FileInfo>("--out")
        {
            Description = "Append a line that describes the machine and the figures to this file.",
            HelpName = "file",
        };
        file.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && Directory.Exists(token.Value))
                result.AddError($"--out needs a file, and '{token.Value}' is a folder.");
        });
        var verb = new Verb("bench", "Measure Ashlar's code as a share of this machine's limits, sampled in turn with it.")
        {
            Arguments = { asked },
            Options = { json, threads, filter, file },
            Examples =
            [
                ("ashlar bench gemm", "matrix products against the peak of the multiply-adds"),
                ("ashlar bench elementwise norms --threads 2", "two suites, on two threads only"),
                ("ashlar bench gemm --filter m2048 --json", "one size, for a program"),
                ("ashlar bench all --out bench/results/laptop/2026-01-31-all.jsonl", "everything, kept in a file"),
            ],
        };
        if (llm is not null) verb.Subcommands.Add(llm);
        verb.Validators.Add(result =>
        {
            if (result.Errors.Any() || result.GetValue(filter) is not { } text) return;
            // Validators run before defaults are known.
            int[] counts = result.GetValue(threads) is { Length: > 0 } given ? given : DefaultThreads();
            var possible = Chosen(suites, result.GetValue(asked)!, counts, null);
            if (!possible.Any(benchmark => IsMeant(benchmark, text)))
                result.AddError(
                    $"no figure's name contains '{text}'. There are: {string.Join(", ", possible.Select(benchmark => benchmark.Name))}.");
        });
        verb.SetAction((parsed, cancellation) =>
        {
            var benchmarks = Chosen(suites, parsed.GetValue(asked)!, parsed.GetValue(threads)!, parsed.GetValue(filter));
            var output = parsed.InvocationConfiguration.Output;
            StreamWriter? kept = null;
            try
            {
                if (parsed.GetValue(file) is { } path)
                {
                    path.Directory?.Create();
                    kept = path.AppendText();
                    kept.WriteLine(FigureText.MachineLine());
                }
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                parsed.InvocationConfiguration.Error.WriteLine($"The file of --out cannot be written: {problem.Message}");
                return Task.FromResult(1);
            }
            using (kept)
            {
                var session = new Session(makeStage, cancellation);
                if (parsed.GetValue(json))
                    Run(benchmarks, session, kept, (_, figure) => output.WriteLine(FigureText.Line(figure)));
                else Draw(Screen.On(output), benchmarks, session, kept);
            }
            return Task.FromResult(0);
        });
        return verb;
    }

    static List<Benchmark> Chosen(IReadOnlyList<Suite> suites, string[] names, int[] threads, string? filter) =>
    [
        .. suites.Where(suite => names.Contains(suite.Name) || names.Contains(Everything))
            .SelectMany(suite => suite.Benchmarks(threads))
            .Where(benchmark => filter is null || IsMeant(benchmark, filter)),
    ];

    static bool IsMeant(Benchmark benchmark, string filter) =>
        benchmark.Name.Contains(filter, StringComparison.OrdinalIgnoreCase);

    static void Run(List<Benchmark> benchmarks, Session session, StreamWriter? kept, Action<Benchmark, Figure> show,
        Action<Benchmark>? begin = null)
    {
        foreach (var benchmark in benchmarks)
        {
            session.Cancellation.ThrowIfCancellationRequested();
            begin?.Invoke(benchmark);
            var figure = benchmark.Measure(session);
            kept?.WriteLine(FigureText.Line(figure));
            kept?.Flush();
            show(benchmark, figure);
            // Buffers go back to their pool when the collector finds them; the next benchmark wants the memory.
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
    }

    static void Draw(IAnsiConsole console, List<Benchmark> benchmarks, Session session, StreamWriter? kept)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("name");
        foreach (string heading in (string[])["value", "unit", "limit", "share", "target"])
            table.AddColumn(heading == "unit" ? new TableColumn(heading) : new TableColumn(heading).RightAligned());
        table.AddColumn("reached");
        try
        {
            if (!console.Profile.Capabilities.Interactive) Run(benchmarks, session, kept, Row);
            else console.Progress().AutoClear(true).Columns(new TaskDescriptionColumn { Alignment = Justify.Left },
                new ProgressBarColumn()).Start(progress =>
            {
                var task = progress.AddTask("measuring", maxValue: benchmarks.Count);
                Run(benchmarks, session, kept, (benchmark, figure) =>
                {
                    Row(benchmark, figure);
                    task.Increment(1);
                }, benchmark => task.Description = Markup.Escape(benchmark.Name));
            });
        }
        finally
        {
            if (table.Rows.Count > 0) console.Write(table);    // what is measured is worth seeing even when the rest is cancelled
        }

        void Row(Benchmark benchmark, Figure figure)
        {
            var (target, reached) = benchmark.Target switch
            {
                null => (new Text("-"), new Text("")),
                var aim => (new Text($"{(aim.IsFloor ? ">=" : "<=")} {FigureText.Share(aim.Ratio)}"),
                    aim.IsReached(figure.Ratio) ? new Text("yes", new Style(Color.Green)) : new Text("no", new Style(Color.Red))),
            };
            table.AddRow(new Text(figure.Name), new Text(FigureText.Digits(figure.Value)), new Text(figure.Unit),
                new Text(FigureText.Digits(figure.Limit)),
                new Text(FigureText.Share(figure.Ratio)), target, reached);
        }
    }

    static int[] DefaultThreads()
    {
        int most = CpuStage.DefaultThreads;
        return most == 1 ? [1] : [1, most];
    }

    static int[] ParseThreads(ArgumentResult result)
    {
        var counts = new SortedSet<int>();
        foreach (string word in result.Tokens.SelectMany(token => token.Value.Split(',')))
        {
            if (!int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int count) || count < 1)
                result.AddError($"--threads takes numbers such as 1,2, and '{word}' is none.");
            else if (count > Environment.ProcessorCount)
                result.AddError($"--threads asks for {count}, and this machine has {Environment.ProcessorCount}.");
            else counts.Add(count);
        }
        return [.. counts];
    }
}
