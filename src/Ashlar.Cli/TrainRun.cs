using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ashlar.Formats;
using Ashlar.Models;
using Ashlar.NN;
using Ashlar.Tokenizers;
using Ashlar.Training;
using Spectre.Console;

namespace Ashlar.Cli;

/// <summary>One run of <c>ashlar train</c>: data, model, trainer, and what is written into the folder.</summary>
/// <remarks>
/// The folder holds <c>training.json</c>, <c>config.json</c>, <c>tokenizer.json</c>, <c>model.safetensors</c> of the last checkpoint, the folder
/// <c>checkpoints</c>, and the reports: <c>metrics.jsonl</c>, <c>loss.svg</c>, <c>samples.txt</c> and TensorBoard's event files.
/// </remarks>
sealed class TrainRun : IDisposable
{
    const int MostValidationBatches = 50;
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
    public TrainRun(TrainSettings settings, string folder, bool resumes, double? peak, IAnsiConsole console)
    {
        (this.settings, this.folder, this.resumes) = (settings, folder, resumes);
        screen = new(console, settings.Steps);
        text = TextFile.Open(settings.Text);
        tokenizer = resumes ? Tokenizer.Load(Path.Combine(folder, "tokenizer.json")) : MakeTokenizer();
        tokens = Tokens.Of(text, tokenizer);
        var (seen, kept) = settings.Validation > 0 ? tokens.Split(settings.Validation, settings.Context) : (tokens, null);
        training = new(seen, settings.Batch, settings.Context, settings.Seed);
        validation = kept is null ? null : new(kept, settings.Batch, settings.Context, settings.Seed, shuffle: false);

        weights = Weights.Random(settings.Seed);
        model = new(weights, settings.Config(tokenizer.VocabularySize));
        optimizer = settings.MakeOptimizer(weights);
        trainer = new(weights, optimizer, (x, y, key) => Loss.CrossEntropy(model.Forward(x, key), y, ignore: IBatches.Ignored), new()
        {
            Steps = settings.Steps,
            EvaluateEvery = settings.EvaluateEvery,
            EvaluationBatches = validation is null ? 1 : (int)Math.Clamp(validation.RowsPerEpoch / settings.Batch, 1, MostValidationBatches),
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

    static JsonObject About => new() { ["task"] = "text" };

    const string Heading = "--- step ";

    string SamplesPath => Path.Combine(folder, "samples.txt");

    string MetricsPath => Path.Combine(folder, "metrics.jsonl");

    /// <summary>Trains, and says how it ended.</summary>
    /// <returns>False where it was cancelled.</returns>
    public bool Run(CancellationToken cancellation)
    {
        screen.Say(string.Create(CultureInfo.InvariantCulture,
            $"{weights.ParameterCount:N0} parameters, {tokens.Count:N0} tokens of {tokenizer.VocabularySize:N0} kinds ({tokenizer.Kind}), {training.Epochs(settings.Steps * settings.Accumulate):0.#} times through the text in {settings.Steps:N0} steps."));
        if (resumes && begin == 0) screen.Say("There is no checkpoint yet: it begins anew.");
        if (begin > 0) screen.Say(string.Create(CultureInfo.InvariantCulture, $"Resumed after step {begin:N0}."));
        if (begin >= settings.Steps)
        {
            screen.Say($"All {settings.Steps} steps are made. To train longer: ashlar train --resume --out {folder} --steps {2 * settings.Steps}");
            return true;
        }
        var result = screen.Run(begin, () => trainer.Train(training, validation, cancellation));
        WriteCurve();
        if (!result.IsComplete)
        {
            screen.Say(string.Create(CultureInfo.InvariantCulture, $"Stopped after step {result.Step:N0}, and saved. Go on with: ashlar train --resume --out {folder}"));
            return false;
        }
        string loss = result.Evaluation is { } last ? string.Create(CultureInfo.InvariantCulture, $" Validation loss {last.Loss:F4}.") : "";
        screen.Say($"Done in {TrainingScreen.Duration(result.Elapsed)}.{loss} Saved in {folder}; let it write: ashlar generate {folder} --prompt TEXT");
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
        var facts = new JsonObject { ["data"] = JsonSerializer.SerializeToNode(training.State), ["best_loss"] = trainer.BestLoss };
        checkpoints.Save(step, weights.States, optimizer.States, facts);
        Safetensors.Write(Path.Combine(folder, "model.safetensors"), weights.States.Select(state => StateArrays.Array(state.Name, state)), GptFolder.Metadata);
        WriteCurve();
    }

    void Write(StepReport report)
    {
        metrics.Write(report.Step, ("loss", report.Loss), ("gradient_norm", report.GradientNorm), ("learning_rate", report.LearningRate), ("tokens_per_second", report.TokensPerSecond));
        events.Write(report.Step, ("loss/training", report.Loss), ("gradient_norm", report.GradientNorm), ("learning_rate", report.LearningRate),
            ("tokens_per_second", report.TokensPerSecond), ("utilisation", report.Utilisation ?? 0));
    }

    void Write(EvaluationReport report)
    {
        metrics.Write(report.Step, ("validation_loss", report.Loss));
        events.Write(report.Step, ("loss/validation", report.Loss));
        string sample = Sample((int)report.Step);
        File.AppendAllText(SamplesPath, string.Create(CultureInfo.InvariantCulture, $"{Heading}{report.Step}, validation loss {report.Loss:F4}\n{sample}\n\n"));
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
            .Where(sample => long.TryParse(sample.AsSpan(0, Math.Max(0, sample.IndexOf(','))), CultureInfo.InvariantCulture, out long step) && step <= begin);
        AtomicFile.Write(SamplesPath, System.Text.Encoding.UTF8.GetBytes(string.Concat(kept.Select(sample => Heading + sample))));
    }

    void WriteCurve()
    {
        var lines = MetricsFile.Read(MetricsPath);
        (double, double)[] Points(string name) => [.. lines.Where(line => line.Values.ContainsKey(name)).Select(line => ((double)line.Step, line.Values[name]))];
        string picture = LossCurve.Of(Path.GetFileName(Path.GetFullPath(folder)), Points("loss"), Points("validation_loss")).ToSvg();
        AtomicFile.Write(Path.Combine(folder, "loss.svg"), System.Text.Encoding.UTF8.GetBytes(picture));
    }
}
