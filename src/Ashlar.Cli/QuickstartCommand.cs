using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Ashlar.Cli.Quickstart;
using Ashlar.Training;
using Spectre.Console;
using static System.FormattableString;

namespace Ashlar.Cli;

/// <summary><c>ashlar quickstart</c>: trains a small transformer from scratch and lets it answer, within a few minutes.</summary>
static class QuickstartCommand
{
    const string DefaultFolder = "schedules";
    const string Task = "schedules";       // in config.json: what the model was trained for

    static readonly string[] samples =
    [
        "every weekday at half past eight",
        "on the 1st and 15th of every month at noon",
        "every 15 minutes between 9am and 5pm on weekdays",
        "quarter to nine in the evening, daily except sunday",
        "please run the backup every other day at 03:20",
    ];

    /// <param name="input">Where questions are read from.</param>
    /// <param name="isTyping">True where a person types them.</param>
    /// <param name="prepare">Registers the device, and gives the machine's peak in operations per second; null: unknown.</param>
    public static Command Define(TextReader input, bool isTyping, Func<double?> prepare)
    {
        var phrases = new Argument<string[]>("phrase")
        {
            Description = "Schedules in English to be answered.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var quick = new Option<bool>("--quick")
        {
            Description = "A run of seconds that learns next to nothing: to see that everything works.",
        };
        var folder = new Option<string>("--out")
        {
            Description = "Where the model is saved.",
            HelpName = "folder",
            DefaultValueFactory = _ => DefaultFolder,
        };
        var ask = new Option<bool>("--ask") { Description = "Do not train: ask the model that was saved." };
        var seed = new Option<long>("--seed")
        {
            Description = "Which random numbers weights and data come from.",
            HelpName = "number",
            DefaultValueFactory = _ => 1,
        };
        var verb = new Verb("quickstart", "Train a transformer from scratch that turns English into cron, then ask it.")
        {
            Arguments = { phrases },
            Options = { quick, folder, ask, seed },
            Examples =
            [
                ("ashlar quickstart", "about three minutes of training, then type schedules"),
                ("ashlar quickstart \"every friday at 17:30\"", "train, answer this, and end"),
                ("ashlar quickstart --ask", "ask the model of an earlier run again"),
                ("ashlar quickstart --quick --out /tmp/try", "everything in seconds, for a test"),
            ],
        };
        phrases.Validators.Add(result =>
        {
            foreach (var token in result.Tokens.Where(token => token.Value.StartsWith('-')))
                result.AddError($"'{token.Value}' is no option, and no schedule either.");
        });
        verb.Validators.Add(result =>
        {
            if (result.GetValue(ask) && result.GetValue(quick))
                result.AddError("--ask trains nothing, so it cannot be --quick: leave one of them out.");
            if (result.GetValue(ask) && result.GetResult(seed) is { Implicit: false })
                result.AddError("--ask trains nothing, so --seed has no meaning: leave one of them out.");
            if (File.Exists(result.GetValue(folder)))
                result.AddError($"--out needs a folder, and '{result.GetValue(folder)}' is a file.");
        });
        verb.SetAction((parsed, cancellation) =>
        {
            var console = Screen.On(parsed.InvocationConfiguration.Output);
            string path = parsed.GetValue(folder)!;
            string[] asked = parsed.GetValue(phrases)!;
            double? peak = prepare();
            ScheduleModel? model;
            if (parsed.GetValue(ask)) model = Load(path);
            else
            {
                var recipe = parsed.GetValue(quick) ? ScheduleRecipe.Quick : new();
                model = Train(console, recipe, parsed.GetValue(seed), peak, path, cancellation);
                if (model is null) return System.Threading.Tasks.Task.FromResult(1);
            }
            var now = DateTime.Now;
            if (asked.Length > 0)
                foreach (string phrase in asked) Show(console, model, phrase, now);
            else if (isTyping) Talk(console, model, input, cancellation);
            else
                foreach (string phrase in samples) Show(console, model, phrase, now);
            return System.Threading.Tasks.Task.FromResult(0);
        });
        return verb;
    }

    static ScheduleModel? Train(
        IAnsiConsole console, ScheduleRecipe recipe, long seed, double? peak, string folder, CancellationToken cancellation)
    {
        var watch = Stopwatch.StartNew();
        var codec = ScheduleCodec.Learn(seed, recipe.Vocabulary, recipe.VocabularyExamples);
        var model = ScheduleModel.Make(recipe, codec, seed);
        var screen = new TrainingScreen(console, recipe.Steps);
        string size = model.Weights.ParameterCount.ToString("N0", CultureInfo.InvariantCulture);
        string length = Invariant($"{recipe.Steps:N0} steps of {recipe.BatchSize} examples");
        screen.Say($"A transformer of {size} parameters learns to turn English into cron, from random weights: {length}.");
        var trainer = model.Trainer(recipe, peak);
        trainer.Stepped += screen.Show;
        var batches = new ScheduleBatches(codec, seed, recipe.BatchSize, recipe.RowTokens);
        var result = screen.Run(0, () => trainer.Train(batches, cancellation: cancellation));
        if (!result.IsComplete)
        {
            screen.Say("Cancelled before it had learned enough; nothing is saved. --quick is a run of seconds.");
            return null;
        }
        double phrasings = model.ExactMatch(Portion.Phrasing, recipe.HeldOut, seed);
        double combinations = model.ExactMatch(Portion.Combination, recipe.HeldOut, seed);
        screen.Say(Invariant(
            $"Held-out phrasings, never seen in training: {100 * phrasings:F1} % of {recipe.HeldOut:N0} answered exactly; ")
            + Invariant($"held-out combinations: {100 * combinations:F1} %."));
        var about = new JsonObject
        {
            ["task"] = Task,
            ["seed"] = seed,
            ["steps"] = recipe.Steps,
            ["exact_match"] = phrasings,
            ["exact_match_combinations"] = combinations,
        };
        new GptFolder(model.Model, model.Weights, codec.Tokenizer, about).Save(folder);
        string again = $"ashlar quickstart --ask{(folder == DefaultFolder ? "" : $" --out {folder}")}";
        screen.Say($"Saved in {folder} after {TrainingScreen.Duration(watch.Elapsed)}. Ask it again with: {again}");
        console.WriteLine();
        return model;
    }

    static ScheduleModel Load(string folder)
    {
        var saved = GptFolder.Load(folder);
        if ((string?)saved.About["task"] != Task)
            throw new TrainingException("ASH0503",
                $"the model in {folder} was not trained by ashlar quickstart.",
                $"let it go on from a text: ashlar generate {folder} --prompt TEXT.");
        return new(saved.Model, saved.Weights, new(saved.Tokenizer));
    }

    static void Talk(IAnsiConsole console, ScheduleModel model, TextReader input, CancellationToken cancellation)
    {
        console.WriteLine($"Describe a schedule in English, such as: {samples[0]}. An empty line ends.");
        while (!cancellation.IsCancellationRequested)
        {
            console.Write(new Text("> ", new Style(Color.Green)));
            if (input.ReadLine() is not { } line || line.Trim().Length == 0) return;
            Answer(console, model, line, DateTime.Now);
        }
    }

    static void Show(IAnsiConsole console, ScheduleModel model, string phrase, DateTime now)
    {
        console.Write(new Text(phrase));
        console.WriteLine();
        Answer(console, model, phrase, now);
    }

    static void Answer(IAnsiConsole console, ScheduleModel model, string phrase, DateTime now)
    {
        string answer = model.Answer(phrase);
        var cron = Cron.TryParse(answer, out string? problem);
        var style = new Style(cron is null ? Color.Red : Color.Green, decoration: Decoration.Bold);
        console.Write(new Text($"  {answer,-20}  ", style));
        console.Write(new Text(cron is null ? $"is no cron expression: {problem}" : cron.Describe()));
        console.WriteLine();
        if (cron is null) return;
        string[] next =
            [.. cron.After(now).Take(3).Select(time => time.ToString("ddd yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture))];
        console.Write(new Text(next.Length == 0 ? "  never" : $"  next: {string.Join(", ", next)}", new Style(Color.Grey)));
        console.WriteLine();
    }
}
