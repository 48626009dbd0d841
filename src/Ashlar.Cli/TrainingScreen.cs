using System.Diagnostics;
using Ashlar.Training;
using Spectre.Console;
using static System.FormattableString;

namespace Ashlar.Cli;

/// <summary>How a training shows itself: a bar on a terminal, a line now and then where output is redirected.</summary>
sealed class TrainingScreen
{
    const int PlainLines = 20;                                   // of steps, over a whole training
    static readonly TimeSpan longestSilence = TimeSpan.FromSeconds(30);

    readonly IAnsiConsole console;
    readonly long steps;
    readonly Stopwatch silence = Stopwatch.StartNew();
    ProgressTask? bar;

    /// <param name="console">Where to draw.</param>
    /// <param name="steps">Of the whole training.</param>
    public TrainingScreen(IAnsiConsole console, long steps) => (this.console, this.steps) = (console, steps);

    /// <summary>Runs a training with the bar around it.</summary>
    /// <param name="done">Steps that were made before.</param>
    /// <param name="train">Does the work.</param>
    public TrainingResult Run(long done, Func<TrainingResult> train)
    {
        if (!console.Profile.Capabilities.Interactive) return train();
        var text = new TaskDescriptionColumn { Alignment = Justify.Left };
        var columns = (ProgressColumn[])[new ProgressBarColumn { Width = 12 }, text];
        return console.Progress().AutoClear(true).Columns(columns).Start(progress =>
        {
            bar = progress.AddTask("compiling", maxValue: steps);
            bar.Value = done;
            try { return train(); }
            finally { bar = null; }
        });
    }

    /// <summary>Shows a step.</summary>
    public void Show(StepReport report)
    {
        if (bar is not null)
        {
            bar.Value = report.Step;
            bar.Description = Markup.Escape(Short(report));
            return;
        }
        bool isDue = report.Step == 1 || report.Step == steps || report.Step % Math.Max(1, steps / PlainLines) == 0;
        if (!isDue && silence.Elapsed < longestSilence) return;
        silence.Restart();
        Say($"step {Line(report)}");
    }

    /// <summary>Shows a validation.</summary>
    public void Show(EvaluationReport report) =>
        Say(Invariant($"step {report.Step:N0}: validation loss {report.Loss:F4}{(report.IsBest ? ", the best so far" : "")}"));

    /// <summary>Writes a line; above the bar where there is one.</summary>
    public void Say(string text)
    {
        console.Write(new Text(text));
        console.WriteLine();
    }

    string Line(StepReport report)
    {
        string line =
            Invariant($"{report.Step:N0}/{steps:N0}  loss {report.Loss:F4}  learning rate {report.LearningRate:0.00e+0}");
        if (report.TokensPerSecond > 0) line += Invariant($"  {report.TokensPerSecond:N0} tokens/s");
        if (report.Utilisation is > 0 and { } share) line += Invariant($"  {100 * share:F0} % of peak");
        if (report.Remaining is { } left && report.Step < steps) line += $"  {Duration(left)} left";
        return line;
    }

    // Fits beside the bar into 80 columns.
    string Short(StepReport report)
    {
        string line = Invariant($"{report.Step}/{steps} loss {report.Loss:F4} lr {report.LearningRate:0.0e+0}");
        if (report.TokensPerSecond > 0) line += Invariant($" {report.TokensPerSecond / 1000:F1}k tok/s");
        if (report.Utilisation is > 0 and { } share) line += Invariant($" {100 * share:F0}%");
        return report.Remaining is { } left ? $"{line} {Duration(left)}" : line;
    }

    /// <summary>A time as people say it: 45 s, 3 min 05 s, 2 h 10 min.</summary>
    public static string Duration(TimeSpan time) =>
        time.TotalSeconds < 60 ? Invariant($"{time.TotalSeconds:F0} s")
        : time.TotalMinutes < 60 ? $"{(int)time.TotalMinutes} min {time.Seconds:00} s"
        : $"{(int)time.TotalHours} h {time.Minutes:00} min";
}
