using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ashlar.Formats;
using Ashlar.Models;
using Ashlar.NN;
using Ashlar.Tokenizers;
using Ashlar.Training;
using Spectre.Console;
using static System.FormattableString;

namespace Ashlar.Cli;

/// <summary>One run of <c>ashlar train</c>: data, model, trainer, and what is written into the folder.</summary>
/// <remarks>
/// The folder holds <c>training.json</c>, <c>config.json</c>, <c>tokenizer.json</c>, <c>model.safetensors</c> of the last
/// checkpoint, the folder <c>checkpoints</c>, and the reports: <c>metrics.jsonl</c>, <c>loss.svg</c>, <c>samples.txt</c> and
/// TensorBoard's event files.
/// </remarks>
sealed class TrainRun : IDisposable
{
    const int MostValidationBatches = 50;
    const long MostInMemoryBytes = 1L << 28;      // of text; the tokens of longer ones lie in a file
    const int SampleTokens = 200, ShownOfSample = 100;

    readonly TrainSettings settings;
    readonly string folder;
    readonly bool resumes;
    readonly TextFile text;
    readonly TrainingScreen screen;
    readonly Tokenizer tokenizer;
    readonly Tokens tokens;
    readonly WindowBatches training;
    readonly WindowBatches? validation;
    readonly Weights weights;
    readonly Gpt model;
    readonly Optimizer optimizer;
    readonly Trainer trainer;
    readonly Checkpoints checkpoints;
    readonly MetricsFile metrics;
    readonly EventFile events;
    readonly long begin;             // steps that were made before
    Decoding? decoding;

    /// <param name="settings">What to do.</param>
    /// <param name="folder">Where everything is written.</param>
    /// <param name="resumes">Goes on from the last checkpoint in the folder.</param>
    /// <param name="peak">Of the machine, in operations per second; null: unknown.</param>
    /// <param name="console">Where progress is shown.</param>
    /// <param name="mostInMemoryBytes">The tokens of longer texts are written to a file, which is mapped into memory.</param>
    public TrainRun(
        TrainSettings settings, string folder, bool resumes, double? peak, IAnsiConsole console,
        long mostInMemoryBytes = MostInMemoryBytes)
    {
        (this.settings, this.folder, this.resumes) = (settings, folder, resumes);
        screen = new(console, settings.Steps);
        text = TextFile.Open(settings.Text);
        tokenizer = resumes ? Tokenizer.Load(Path.Combine(folder, "tokenizer.json")) : MakeTokenizer();
        tokens = text.Bytes <= mostInMemoryBytes ? Tokens.Of(text, tokenizer) : TokensInFile();
        var (seen, kept) = settings.Validation > 0 ? tokens.Split(settings.Validation, settings.Context) : (tokens, null);
        training = new(seen, settings.Batch, settings.Context, settings.Seed);
        validation = kept is null ? null : new(kept, settings.Batch, settings.Context, settings.Seed, shuffle: false);

        weights = Weights.Random(settings.Seed);
        model = new(weights, settings.Config(tokenizer.VocabularySize));
        optimizer = settings.MakeOptimizer(weights);
        Tensor LossOf(Tensor x, Tensor y, Tensor? key) => Loss.CrossEntropy(model.Forward(x, key), y, ignore: IBatches.Ignored);
        trainer = new(weights, optimizer, LossOf, new()
        {
            Products = settings.Dtype == ProductKind.BF16 ? DType.BFloat16 : null,
            Steps = settings.Steps,
            EvaluateEvery = settings.EvaluateEvery,
            EvaluationBatches = (int)Math.Clamp((validation?.RowsPerEpoch ?? 1) / settings.Batch, 1, MostValidationBatches),
            SaveEvery = settings.SaveEvery,
            ClipNorm = settings.Clip,
            Accumulate = settings.Accumulate,
            FlopsPerToken = model.Config.TrainingFlopsPerToken(settings.Context),
            PeakFlopsPerSecond = peak,
        });
        checkpoints = new(Path.Combine(folder, "checkpoints"));
        begin = resumes ? Restore() : 0;

        if (!resumes) AtomicFile.Write(Path.Combine(folder, "tokenizer.json"), tokenizer.ToJson());
        GptFolder.WriteConfig(folder, model.Config, About);
        settings.Save(folder);
        metrics = resumes ? MetricsFile.Resume(MetricsPath, begin) : MetricsFile.Create(MetricsPath);
        events = new(folder, resumes ? begin : null);
        CutSamples();
        trainer.Stepped += screen.Show;
        trainer.Stepped += Write;
        trainer.Evaluated += screen.Show;
        trainer.Evaluated += Write;
        trainer.Saving += Save;
    }

    string Again => $"ashlar train --resume --out {folder}";

    static JsonObject About => new() { ["task"] = "text" };

    const string Heading = "--- step ";

    string SamplesPath => Path.Combine(folder, "samples.txt");

    string MetricsPath => Path.Combine(folder, "metrics.jsonl");

    /// <summary>Trains, and says how it ended.</summary>
    /// <returns>False where it was cancelled.</returns>
    public bool Run(CancellationToken cancellation)
    {
        double epochs = training.Epochs(settings.Steps * settings.Accumulate);
        screen.Say(
            Invariant($"{weights.ParameterCount:N0} parameters, {tokens.Count:N0} tokens, {tokenizer.VocabularySize:N0} of them ")
            + Invariant($"different ({tokenizer.Kind}), {epochs:0.#} times through the text in {settings.Steps:N0} steps."));
        if (resumes && begin == 0) screen.Say("There is no checkpoint yet: it begins anew.");
        if (begin > 0) screen.Say(Invariant($"Resumed after step {begin:N0}."));
        if (begin >= settings.Steps)
        {
            screen.Say($"All {settings.Steps} steps are made. To train longer: {Again} --steps {2 * settings.Steps}");
            return true;
        }
        var result = screen.Run(begin, () => trainer.Train(training, validation, cancellation));
        WriteCurve();
        if (!result.IsComplete)
        {
            string step = result.Step.ToString("N0", CultureInfo.InvariantCulture);
            screen.Say($"Stopped after step {step}, and saved. Go on with: {Again}");
            return false;
        }
        string loss = result.Evaluation is not { } last ? ""
            : Invariant($" Validation loss {last.Loss:F4}.");
        screen.Say($"Done in {TrainingScreen.Duration(result.Elapsed)}.{loss} Saved in {folder}.");
        screen.Say($"Let it write: ashlar generate {folder} --prompt TEXT");
        return true;
    }

    /// <summary>Closes the files.</summary>
    public void Dispose()
    {
        metrics.Dispose();
        events.Dispose();
        tokens.Dispose();
        text.Dispose();
    }

    Tokenizer MakeTokenizer() => settings.Tokenizer switch
    {
        TokenizerKind.Char => CharacterTokenizer.From(text.Pieces()),
        TokenizerKind.Byte => new ByteTokenizer(),
        _ => BpeTokenizer.Train(text.Pieces(), settings.Vocabulary!.Value),
    };

    Tokens TokensInFile()
    {
        string path = Path.Combine(folder, "text.tokens");
        if (!resumes || !File.Exists(path)) Tokens.Write(path, text.Encode(tokenizer), tokenizer.VocabularySize);
        return Tokens.Open(path);
    }

    long Restore()
    {
        using var checkpoint = checkpoints.Latest(problem => screen.Say($"A checkpoint is left out: {problem}"));
        if (checkpoint is null) return 0;   // stopped before its first one: from the same seed it begins the same
        if (checkpoint.Facts["data"].Deserialize<DataState>() is { } data) training.ThrowUnlessSame(data);
        checkpoint.Restore(weights.States, optimizer.States);
        trainer.BestLoss = (double?)checkpoint.Facts["best_loss"];
        return checkpoint.Step;
    }

    void Save(long step)
    {
        var data = JsonSerializer.SerializeToNode(training.State);
        var facts = new JsonObject { ["data"] = data, ["best_loss"] = trainer.BestLoss };
        checkpoints.Save(step, weights.States, optimizer.States, facts);
        GptFolder.WriteWeights(folder, weights);
        WriteCurve();
    }

    void Write(StepReport report)
    {
        var numbers = ((string, double)[])
        [
            ("gradient_norm", report.GradientNorm), ("learning_rate", report.LearningRate),
            ("tokens_per_second", report.TokensPerSecond),
        ];
        metrics.Write(report.Step, [("loss", report.Loss), .. numbers]);
        events.Write(report.Step, [("loss/training", report.Loss), .. numbers, ("utilisation", report.Utilisation ?? 0)]);
    }

    void Write(EvaluationReport report)
    {
        metrics.Write(report.Step, ("validation_loss", report.Loss));
        events.Write(report.Step, ("loss/validation", report.Loss));
        string sample = Sample((int)report.Step);
        string heading = Invariant($"{Heading}{report.Step}, validation loss {report.Loss:F4}");
        File.AppendAllText(SamplesPath, $"{heading}\n{sample}\n\n");
        screen.Say($"  {sample[..Math.Min(sample.Length, ShownOfSample)].Trim().ReplaceLineEndings(" / ")}");
    }

    // From the first token of the text, so that every tokenizer knows it.
    string Sample(int seed)
    {
        var first = new int[1];
        tokens.Read(0, first);
        decoding ??= new(model);
        return tokenizer.Decode([.. decoding.Generate(first, SampleTokens, new(Temperature: 0.8f), seed)]);
    }

    // What a run that is resumed had written beyond the step where it resumes goes: it is written again.
    void CutSamples()
    {
        if (!File.Exists(SamplesPath)) return;
        var kept = File.ReadAllText(SamplesPath).Split(Heading).Skip(1)
            .Where(sample => long.TryParse(sample.Split(',')[0], CultureInfo.InvariantCulture, out long step) && step <= begin);
        AtomicFile.Write(SamplesPath, System.Text.Encoding.UTF8.GetBytes(string.Concat(kept.Select(sample => Heading + sample))));
    }

    void WriteCurve()
    {
        var lines = MetricsFile.Read(MetricsPath);
        (double, double)[] Points(string name) =>
            [.. lines.Where(line => line.Values.ContainsKey(name)).Select(line => ((double)line.Step, line.Values[name]))];
        string title = Path.GetFileName(Path.GetFullPath(folder));
        string picture = LossCurve.Of(title, Points("loss"), Points("validation_loss")).ToSvg();
        AtomicFile.Write(Path.Combine(folder, "loss.svg"), System.Text.Encoding.UTF8.GetBytes(picture));
    }
}
