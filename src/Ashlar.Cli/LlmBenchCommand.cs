using System.CommandLine;
using System.Diagnostics;
using Ashlar.Backends.Cpu;
using Ashlar.Bench;
using Ashlar.Formats;
using Ashlar.Models;
using Ashlar.Serving;
using Spectre.Console;

namespace Ashlar.Cli;

/// <summary><c>ashlar bench llm</c>: how fast a model reads prompts and makes tokens, against what this machine's memory
/// gives.</summary>
static class LlmBenchCommand
{
    const int Repeats = 3, WarmUp = 4;
    const double Overhead = 0.15;         // of the bytes of the file's weights, beside the cache
    const double FirstTokenSeconds = 6;   // what a person waits for without wondering, with 512 tokens to read

    /// <param name="prepare">Registers the device.</param>
    public static Command Define(Action prepare)
    {
        var path = new Argument<string>("model")
        {
            Description = "A safetensors folder or a GGUF file; with --make the GGUF file to write, where there is none yet.",
        };
        var prompt = Number("--prompt", "Tokens of the prompt.", 512);
        var generate = Number("--generate", "Tokens to make after it.", 128);
        var batch = Number("--batch", "Also time so many texts side by side.", 1);
        var after = new Option<int?>("--after")
        {
            Description = "Also time tokens after a prompt of so many tokens, against those after 16.",
            HelpName = "tokens",
        };
        var make = new Option<string?>("--make")
        {
            Description = "Write a model of random weights of this size first.",
            HelpName = string.Join('|', RandomModel.Sizes),
        };
        make.AcceptOnlyFromAmong([.. RandomModel.Sizes]);
        var type = new Option<string>("--type")
        {
            Description = "With --make: the type of its matrices.",
            HelpName = "bf16|q8_0|q4_0",
            DefaultValueFactory = _ => "bf16",
        };
        type.AcceptOnlyFromAmong("bf16", "q8_0", "q4_0");
        var json = new Option<bool>("--json") { Description = "Print one JSON object a line, each as soon as it is measured." };
        var file = new Option<FileInfo?>("--out")
        {
            Description = "Append a line that describes the machine and the figures to this file.",
            HelpName = "file",
        };
        var model = new ModelOptions();
        var verb = new Verb("llm", "Measure a language model: prompts, tokens, memory.")
        {
            Arguments = { path },
            Options = { prompt, generate, batch, after, make, type, json, file, model.Weights, model.Cache, model.KeepPacked },
            Examples =
            [
                ("ashlar bench llm llama-3.2-1b-q8_0.gguf", "512 tokens read, 128 made"),
                ("ashlar bench llm model.gguf --batch 8 --json", "eight texts at once"),
                ("ashlar bench llm 1b-q4_0.gguf --make 1b --type q4_0", "with random weights, which need no download"),
            ],
        };
        verb.SetAction((parsed, cancellation) =>
        {
            prepare();
            string name = parsed.GetValue(path)!;
            if (parsed.GetValue(make) is { } size && !File.Exists(name))
                RandomModel.Write(name, size, WeightTypes.Parse(parsed.GetValue(type)!)!.Value);
            int asked = parsed.GetValue(prompt), made = parsed.GetValue(generate), texts = parsed.GetValue(batch);
            int longest = Math.Max(asked, parsed.GetValue(after) ?? 0);
            long start = Stopwatch.GetTimestamp();
            using var language = model.Open(parsed, name, (longest + made + 32) * texts, quiet: true, cancellation, texts, asked);
            double loaded = Stopwatch.GetElapsedTime(start).TotalSeconds;
            var figures = new List<Figure>();
            var console = Screen.On(parsed.InvocationConfiguration.Output);
            using var kept = parsed.GetValue(file) is { } to ? Opened(to) : null;
            kept?.WriteLine(FigureText.MachineLine());
            new Run(language, asked, made, texts, parsed.GetValue(after), loaded, cancellation).Measure(figure =>
            {
                figures.Add(figure);
                kept?.WriteLine(FigureText.Line(figure));
                if (parsed.GetValue(json)) parsed.InvocationConfiguration.Output.WriteLine(FigureText.Line(figure));
            });
            if (!parsed.GetValue(json)) Draw(console, figures);
            return Task.FromResult(0);
        });
        return verb;
    }

    static StreamWriter Opened(FileInfo file)
    {
        file.Directory?.Create();
        return file.AppendText();
    }

    static void Draw(IAnsiConsole console, List<Figure> figures)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumn("name");
        foreach (string heading in (string[])["value", "unit", "limit", "share"])
            table.AddColumn(heading == "unit" ? new TableColumn(heading) : new TableColumn(heading).RightAligned());
        foreach (var figure in figures)
            table.AddRow(figure.Name, FigureText.Digits(figure.Value), figure.Unit, FigureText.Digits(figure.Limit),
                FigureText.Share(figure.Ratio));
        console.Write(table);
    }

    static Option<int> Number(string name, string description, int usual)
    {
        var option = new Option<int>(name) { Description = description, HelpName = "number", DefaultValueFactory = _ => usual };
        option.Validators.Add(result =>
        {
            if (!result.Errors.Any() && result.GetValue(option) is < 1 and var value)
                result.AddError($"{name} must be at least 1, and {value} is not.");
        });
        return option;
    }

    sealed class Run(LanguageModel model, int prompt, int generate, int batch, int? after, double loaded,
        CancellationToken cancellation)
    {
        readonly Engine engine = model.Engine;
        readonly Random random = new(1);
        readonly Limits limits = new(Isa.Chosen);
        readonly string name = $"llm.{model.Name}";

        public void Measure(Action<Figure> report)
        {
            long start = Stopwatch.GetTimestamp();
            int token = 0;
            using (var text = engine.NewText())
                engine.Read(text, Tokens(prompt), logits => token = Best(logits), cancellation: cancellation);
            report(Figure.Against($"{name}.load", loaded, "s", FirstTokenSeconds));
            report(Figure.Against($"{name}.first_token", loaded + Stopwatch.GetElapsedTime(start).TotalSeconds, "s",
                FirstTokenSeconds));

            double read = Median(Repeats, () =>
            {
                using var text = engine.NewText();
                long before = Stopwatch.GetTimestamp();
                engine.Read(text, Tokens(prompt), null, cancellation: cancellation);
                return prompt / Stopwatch.GetElapsedTime(before).TotalSeconds;
            });
            Steps(1, 4, 8);
            if (batch > 1) Steps(batch, 4, 8);
            // Before the limits are sampled: they read large arrays of their own.
            double resident = Environment.WorkingSet, weights = model.Decoder.FileBytes, cache = engine.CacheBytes;
            report(new($"{name}.resident", resident / 1e6, "MB", (weights + cache) / 1e6, resident / (weights + cache)));
            report(Figure.Against($"{name}.resident.overhead", (resident - cache) / weights - 1, "of the weights", Overhead));

            bool hasTiles = MatrixUnit.PathOf(Isa.Chosen, DType.BFloat16, DType.BFloat16).Name == "amx";
            double peak = 1e9 * Median(5, () => limits.Sample(hasTiles ? Limit.AmxBF16 : Limit.Fma, limits.Threads)),
                most = peak / (2.0 * model.Decoder.WeightCount);
            report(new($"{name}.prompt{prompt}", read, "token/s", most, read / most));

            double one = Decode($"{name}.decode", prompt, 1, report);
            if (batch > 1)
                report(Figure.Against($"{name}.decode.b{batch}.gain",
                    Decode($"{name}.decode.b{batch}", prompt, batch, report) / one, "times", batch));
            if (after is not { } length) return;
            double early = Decode($"{name}.decode_after16", 16, 1, report),
                late = Decode($"{name}.decode_after{length}", length, 1, report);
            report(new($"{name}.decode_after{length}.share", late, "token/s", early, late / early));
        }

        // Tokens a second, all texts together.
        double Decode(string figure, int length, int count, Action<Figure> report)
        {
            double bandwidth = 1e9 * Median(3, () => limits.Sample(Limit.Read, limits.Threads));
            var (each, allocated) = Steps(count, length, generate);
            bandwidth = Math.Max(bandwidth, 1e9 * Median(3, () => limits.Sample(Limit.Read, limits.Threads)));
            double cache = new PageLayout(engine.CacheType, model.Decoder.Config.KeyWidth, model.Decoder.Config.ValueWidth)
                .BytesPerToken(model.Decoder.Config.CacheHeads) * model.Decoder.Layers.Count * length * count;
            double most = count * bandwidth / (model.Decoder.WeightBytes + cache);
            report(new(figure, count / each, "token/s", most, count / each / most));
            report(Figure.Against($"{figure}.allocated", allocated, "bytes/token", 0));
            return count / each;
        }

        // Seconds of a step of one token of each text, and bytes that it allocates for each.
        (double Seconds, double Allocated) Steps(int count, int length, int steps)
        {
            var texts = Enumerable.Range(0, count).Select(_ => engine.NewText()).ToArray();
            int[] tokens = new int[count];
            int vocabulary = model.Decoder.Config.Vocabulary;
            for (int i = 0; i < count; i++)
            {
                int at = i;
                engine.Read(texts[i], Tokens(length), logits => tokens[at] = Best(logits), cancellation: cancellation);
            }
            void Choose(ReadOnlySpan<float> logits)
            {
                for (int i = 0; i < tokens.Length; i++) tokens[i] = Best(logits.Slice(i * vocabulary, vocabulary));
            }
            LogitsReader use = Choose;
            for (int i = 0; i < WarmUp; i++) engine.ReadEach(texts, tokens, use);
            double[] times = new double[Math.Max(1, steps - WarmUp)];
            long allocated = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < times.Length; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                long before = Stopwatch.GetTimestamp();
                engine.ReadEach(texts, tokens, use);
                times[i] = Stopwatch.GetElapsedTime(before).TotalSeconds;
            }
            allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
            foreach (var text in texts) text.Dispose();
            return (times.Order().ElementAt(times.Length / 2), (double)allocated / times.Length / count);
        }

        int[] Tokens(int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(3, model.Decoder.Config.Vocabulary))];

        static int Best(ReadOnlySpan<float> logits)
        {
            int best = 0;
            for (int i = 1; i < logits.Length; i++)
                if (logits[i] > logits[best]) best = i;
            return best;
        }

        static double Median(int count, Func<double> sample) =>
            Enumerable.Range(0, count).Select(_ => sample()).Order().ElementAt(count / 2);
    }
}
