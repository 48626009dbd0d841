using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Ashlar.Training;

namespace Ashlar.Cli;

/// <summary><c>ashlar train</c>: trains a language model on a text, from random weights or from where it stopped.</summary>
static class TrainCommand
{
    /// <summary>The options, each with what it does to the settings.</summary>
    sealed class Options
    {
        static readonly TrainSettings usual = new() { Text = "" };

        public Option<string> Text { get; } = new("--text") { Description = "A text file, UTF-8.", HelpName = "file" };
        public Option<string> Out { get; } = new("--out")
        {
            Description = "The folder of the model, its checkpoints and reports.",
            HelpName = "folder",
            Required = true,
        };
        public Option<bool> Resume { get; } = new("--resume")
        {
            Description = "Go on with the training in --out from its last checkpoint.",
        };
        public Option<TokenizerKind> Tokenizer { get; } = Choice("--tokenizer", "What a token is.", usual.Tokenizer);
        public Option<int> Vocabulary { get; } = Number("--vocab", "Tokens that --tokenizer bpe learns.", 2048);
        public Option<int> Layers { get; } = Number("--layers", "Blocks, one after the other.", usual.Layers);
        public Option<int> Width { get; } = Number("--width",
            "Numbers per token between blocks; a multiple of the heads.", usual.Width);
        public Option<int> Heads { get; } = Number("--heads", "Attention heads of a block.", usual.Heads);
        public Option<int> Context { get; } = Number("--context",
            "Tokens that one can look back on, itself included.", usual.Context);
        public Option<bool> Modern { get; } = new("--modern")
        {
            Description = "Rotary positions, RMS norms, SwiGLU, normalised queries and keys in place of GPT-2's.",
        };
        public Option<double> Dropout { get; } = Number("--dropout",
            "The share of activations that is dropped in training.", usual.Dropout);
        public Option<int> Batch { get; } = Number("--batch", "Rows of a batch, each a context long.", usual.Batch);
        public Option<int> Accumulate { get; } = Number("--accumulate",
            "Batches that are averaged for one update.", usual.Accumulate);
        public Option<long> Steps { get; } = Number("--steps", "Updates.", usual.Steps);
        public Option<OptimizerKind> Optimizer { get; } = Choice("--optimizer", "What moves the weights.", usual.Optimizer);
        public Option<double> LearningRate { get; } = Number("--lr",
            "The greatest learning rate; with muon that of matrices, others have a tenth.", usual.LearningRate);
        public Option<ScheduleKind> Schedule { get; } = Choice("--schedule",
            "How the learning rate falls: to a tenth, at the end to 0, not at all.", usual.Schedule);
        public Option<long> Warmup { get; } = Number("--warmup", "Steps in which the learning rate rises.", usual.Warmup);
        public Option<double> Decay { get; } = Number("--decay", "Weight decay.", usual.Decay);
        public Option<double> Clip { get; } = Number("--clip",
            "The greatest norm of the gradients; more is scaled down.", usual.Clip);
        public Option<double> Validation { get; } = Number("--validation",
            "The share at the end of the text that is kept to validate on.", usual.Validation);
        public Option<long> EvaluateEvery { get; } = Number("--eval-every", "Steps between validations.", usual.EvaluateEvery);
        public Option<long> SaveEvery { get; } = Number("--save-every", "Steps between checkpoints.", usual.SaveEvery);
        public Option<long> Seed { get; } = Number("--seed",
            "Which random numbers: weights, order of the data, dropout.", usual.Seed);
        public Option<ProductKind> Type { get; } = Choice("--dtype",
            "What products are computed in: bf16 rounds their operands; weights and sums stay f32.", usual.Dtype);

        /// <summary>What may change when a training is resumed; the rest is that of its beginning.</summary>
        public Option[] OnResume => [Out, Resume, Text, Steps, EvaluateEvery, SaveEvery];

        public Option[] All =>
        [
            Text, Out, Resume, Tokenizer, Vocabulary, Layers, Width, Heads, Context, Modern, Dropout, Batch, Accumulate, Steps,
            Optimizer, LearningRate, Schedule, Warmup, Decay, Clip, Validation, EvaluateEvery, SaveEvery, Seed, Type,
        ];

        public void Check()
        {
            foreach (var option in (Option<int>[])[Layers, Width, Heads, Context, Batch, Accumulate])
                Require(option, value => value >= 1, "must be at least 1");
            foreach (var option in (Option<long>[])[Steps, EvaluateEvery, SaveEvery])
                Require(option, value => value >= 1, "must be at least 1");
            Require(Vocabulary, value => value >= 256, "must be at least 256, one for each byte");
            Require(Dropout, value => value is >= 0 and < 1, "must be from 0 to below 1");
            Require(LearningRate, value => value is > 0 and < double.PositiveInfinity, "must be above 0");
            Require(Warmup, value => value >= 0, "must be 0 or more");
            Require(Decay, value => value is >= 0 and < double.PositiveInfinity, "must be 0 or more");
            Require(Clip, value => value > 0, "must be above 0");
            Require(Validation, value => value is >= 0 and < 1, "must be from 0, for none, to below 1");
        }

        public TrainSettings Read(ParseResult parsed) => new()
        {
            Text = Path.GetFullPath(parsed.GetValue(Text)!),
            Tokenizer = parsed.GetValue(Tokenizer),
            Vocabulary = parsed.GetValue(Tokenizer) == TokenizerKind.Bpe ? parsed.GetValue(Vocabulary) : null,
            Layers = parsed.GetValue(Layers),
            Width = parsed.GetValue(Width),
            Heads = parsed.GetValue(Heads),
            Context = parsed.GetValue(Context),
            Modern = parsed.GetValue(Modern),
            Dropout = parsed.GetValue(Dropout),
            Batch = parsed.GetValue(Batch),
            Accumulate = parsed.GetValue(Accumulate),
            Steps = parsed.GetValue(Steps),
            Optimizer = parsed.GetValue(Optimizer),
            LearningRate = parsed.GetValue(LearningRate),
            Schedule = parsed.GetValue(Schedule),
            Warmup = Given(parsed.CommandResult, Warmup) ? parsed.GetValue(Warmup)
                : Math.Min(usual.Warmup, parsed.GetValue(Steps) / 10),
            Decay = parsed.GetValue(Decay),
            Clip = parsed.GetValue(Clip),
            Validation = parsed.GetValue(Validation),
            EvaluateEvery = parsed.GetValue(EvaluateEvery),
            SaveEvery = parsed.GetValue(SaveEvery),
            Seed = parsed.GetValue(Seed),
            Dtype = parsed.GetValue(Type),
        };

        /// <summary>The settings of a training that is resumed, with what the command line changes.</summary>
        public TrainSettings Change(TrainSettings before, ParseResult parsed) => before with
        {
            Text = Given(parsed.CommandResult, Text) ? Path.GetFullPath(parsed.GetValue(Text)!) : before.Text,
            Steps = Given(parsed.CommandResult, Steps) ? parsed.GetValue(Steps) : before.Steps,
            Warmup = Given(parsed.CommandResult, Steps) ? Math.Min(before.Warmup, parsed.GetValue(Steps)) : before.Warmup,
            EvaluateEvery = Given(parsed.CommandResult, EvaluateEvery) ? parsed.GetValue(EvaluateEvery) : before.EvaluateEvery,
            SaveEvery = Given(parsed.CommandResult, SaveEvery) ? parsed.GetValue(SaveEvery) : before.SaveEvery,
        };

        static Option<T> Number<T>(string name, string description, T usual) =>
            new(name) { Description = description, HelpName = "number", DefaultValueFactory = _ => usual };

        static Option<T> Choice<T>(string name, string description, T usual) where T : struct, Enum
        {
            string[] names = [.. Enum.GetNames<T>().Select(each => each.ToLowerInvariant())];
            var option = new Option<T>(name)
            {
                Description = $"{description} {string.Join(" | ", names)}.",
                HelpName = "kind",
                DefaultValueFactory = _ => usual,
                CustomParser = result =>
                {
                    string given = result.Tokens[0].Value;
                    if (names.Contains(given.ToLowerInvariant())) return Enum.Parse<T>(given, ignoreCase: true);
                    string all = $"{string.Join(", ", names[..^1])} or {names[^1]}";
                    result.AddError($"{name} takes {all}, and '{given}' is none of them.");
                    return usual;
                },
            };
            return option;
        }

        static void Require<T>(Option<T> option, Func<T, bool> holds, string rule) => option.Validators.Add(result =>
        {
            if (!result.Errors.Any() && result.GetValue(option) is { } value && !holds(value))
                result.AddError(string.Create(CultureInfo.InvariantCulture, $"{option.Name} {rule}, and {value} is not."));
        });
    }

    /// <param name="prepare">Registers the device, and gives the machine's peak in operations per second; null: unknown.</param>
    public static Command Define(Func<double?> prepare)
    {
        var options = new Options();
        options.Check();
        var verb = new Verb("train", "Train a language model on a text, from random weights or from where it stopped.")
        {
            Examples =
            [
                ("ashlar train --text a.txt --out a", "the character model of nanoGPT: 10 million parameters"),
                ("ashlar train --text a.txt --out a --layers 4 --width 128 --heads 4 --context 64", "a small one, in minutes"),
                ("ashlar train --text a.txt --out a --tokenizer bpe --modern --optimizer muon --lr 0.02", "today's means"),
                ("ashlar train --resume --out a", "go on where Ctrl+C, or a power cut, stopped it"),
                ("ashlar train --resume --out a --steps 10000", "train longer than was meant"),
                ("tensorboard --logdir a", "look at it while it trains; loss.svg is a picture of its losses"),
            ],
        };
        foreach (var option in options.All) verb.Options.Add(option);
        verb.Validators.Add(result => CheckTogether(result, options));
        verb.SetAction((parsed, cancellation) =>
        {
            string folder = parsed.GetValue(options.Out)!;
            bool resumes = parsed.GetValue(options.Resume);
            var settings = resumes ? options.Change(TrainSettings.Load(folder), parsed) : options.Read(parsed);
            if (!resumes && TrainSettings.Exist(folder))
                throw new TrainingException("ASH0506",
                    $"{folder} holds a training already.",
                    $"go on with it: ashlar train --resume --out {folder}; or name another folder.");
            double? peak = prepare();
            using var run = new TrainRun(settings, folder, resumes, peak, Screen.On(parsed.InvocationConfiguration.Output));
            return Task.FromResult(run.Run(cancellation) ? 0 : 1);
        });
        return verb;
    }

    static void CheckTogether(CommandResult result, Options options)
    {
        if (result.Errors.Any()) return;
        // Defaults are put in after validation.
        T Value<T>(Option<T> option) => Given(result, option) ? result.GetValue(option)! : (T)option.GetDefaultValue()!;
        if (result.GetValue(options.Resume))
        {
            foreach (var option in options.All.Except(options.OnResume).Where(option => Given(result, option)))
                result.AddError($"--resume goes on as the training began, so {option.Name} cannot be given; "
                    + "only --steps, --eval-every and --save-every may change.");
            return;
        }
        if (!Given(result, options.Text))
            result.AddError("--text is missing: name the text file to learn from, or --resume a training.");
        if (Given(result, options.Vocabulary) && Value(options.Tokenizer) != TokenizerKind.Bpe)
            result.AddError("--vocab is for --tokenizer bpe: characters and bytes are as many as they are.");
        if (Value(options.Width) % Value(options.Heads) != 0)
            result.AddError($"--heads {Value(options.Heads)} does not divide --width {Value(options.Width)}.");
        else if (result.GetValue(options.Modern) && Value(options.Width) / Value(options.Heads) % 2 != 0)
            result.AddError("--modern turns pairs of numbers, so --width divided by --heads must be even.");
        if (Given(result, options.Warmup) && Value(options.Warmup) > Value(options.Steps))
            result.AddError($"--warmup {Value(options.Warmup)} is longer than the training of --steps {Value(options.Steps)}.");
        if (File.Exists(result.GetValue(options.Out)))
            result.AddError($"--out needs a folder, and '{result.GetValue(options.Out)}' is a file.");
        if (Given(result, options.EvaluateEvery) && Value(options.Validation) == 0)
            result.AddError("--eval-every needs something to validate on, and --validation is 0.");
    }

    static bool Given(CommandResult result, Option option) => result.GetResult(option) is { Implicit: false };
}
