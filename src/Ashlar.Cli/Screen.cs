using Spectre.Console;

namespace Ashlar.Cli;

/// <summary>How verbs draw: tables and progress on a terminal, the same as plain text where output is redirected.</summary>
static class Screen
{
    /// <summary>A console that draws on <paramref name="output"/>.</summary>
    public static IAnsiConsole On(TextWriter output)
    {
        bool isTerminal = ReferenceEquals(output, Console.Out) && !Console.IsOutputRedirected;
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(output),
            Ansi = isTerminal ? AnsiSupport.Detect : AnsiSupport.No,
            Interactive = isTerminal ? InteractionSupport.Detect : InteractionSupport.No,
        });
        if (!isTerminal) console.Profile.Width = 150;
        return console;
    }

    /// <summary>Rows of a name and what it is, without lines.</summary>
    public static Grid Facts(params (string Name, string Value)[] rows)
    {
        var grid = new Grid();
        grid.AddColumn(new GridColumn().NoWrap().PadLeft(2).PadRight(3));
        grid.AddColumn();
        foreach (var (name, value) in rows) grid.AddRow(new Text(name, new Style(Color.Grey)), new Text(value));
        return grid;
    }

    /// <summary>A heading and what stands below it.</summary>
    public static void Section(this IAnsiConsole console, string heading, Spectre.Console.Rendering.IRenderable body)
    {
        console.Write(new Text(heading, new Style(decoration: Decoration.Bold)));
        console.WriteLine();
        console.Write(body);
        console.WriteLine();
    }

    /// <summary>Does work behind a progress bar, which is gone when the work is done.</summary>
    /// <param name="console">Where the bar is drawn, if it is a terminal.</param>
    /// <param name="title">What is going on, in a word.</param>
    /// <param name="work">Reports the share done, from 0 to 1.</param>
    public static void WithProgress(this IAnsiConsole console, string title, Action<IProgress<double>> work) =>
        console.Progress().AutoClear(true).Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn())
            .Start(progress => work(new Share(progress.AddTask(title))));

    sealed class Share(ProgressTask task) : IProgress<double>
    {
        public void Report(double value) => task.Value = 100 * value;
    }
}
