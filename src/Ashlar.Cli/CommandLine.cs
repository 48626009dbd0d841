using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace Ashlar.Cli;

/// <summary>What all verbs share: help with examples, errors without stack traces, Ctrl+C, and exit codes.</summary>
/// <remarks>Exit codes: 0 done, 1 failed or cancelled, 2 the command line was wrong.</remarks>
static partial class CommandLine
{
    const int Done = 0, Failed = 1, Wrong = 2;

    /// <summary>Runs the verb that the arguments name.</summary>
    /// <param name="verbs">The verbs, in the order of the help.</param>
    /// <param name="args">What the user typed.</param>
    /// <param name="output">Where results go; the console where null.</param>
    /// <param name="error">Where problems go; the console where null.</param>
    public static async Task<int> Run(
        IReadOnlyList<Command> verbs, string[] args, TextWriter? output = null, TextWriter? error = null)
    {
        output ??= Console.Out;
        error ??= Console.Error;
        var root = new RootCommand("Ashlar: tensors, gradients, kernels and models, wholly in C#.");
        foreach (var verb in verbs) root.Add(verb);
        foreach (var help in root.Options.OfType<HelpOption>()) help.Action = new HelpWithExamples((HelpAction)help.Action!);

        ParseResult parsed;
        try
        {
            parsed = root.Parse(args.Length == 0 ? ["--help"] : args);
        }
        catch (InvalidOperationException problem) when (NetType().IsMatch(problem.Message))
        {
            // A rule that looks at the value of an option meets the word that is none.
            string named = string.Concat(args.TakeWhile(word => !word.StartsWith('-')).Take(verbs.Any(verb =>
                verb.Name == args[0] && verb.Subcommands.Any(inner => inner.Name == args.ElementAtOrDefault(1))) ? 2 : 1)
                .Select(word => $" {word}"));
            error.WriteLine($"{PlainWords(problem.Message)}{Environment.NewLine}{Environment.NewLine}Try: ashlar{named} --help");
            return Wrong;
        }
        if (parsed.Action is ParseErrorAction wrong) wrong.ShowHelp = false;
        using var interrupt = new CancellationTokenSource();
        void OnInterrupt(object? sender, ConsoleCancelEventArgs e)
        {
            e.Cancel = !interrupt.IsCancellationRequested;           // a second Ctrl+C ends the process at once
            interrupt.Cancel();
        }
        Console.CancelKeyPress += OnInterrupt;
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>   // what kill and job schedulers send
        {
            signal.Cancel = !interrupt.IsCancellationRequested;
            interrupt.Cancel();
        });
        try
        {
            // What is wrong with a command line is told in the words of its help.
            var told = parsed.Action is ParseErrorAction ? new StringWriter() : null;
            var configuration = new InvocationConfiguration
            {
                Output = output,
                Error = told ?? error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
            };
            int code = await parsed.InvokeAsync(configuration, interrupt.Token);
            if (told is not null) error.Write(PlainWords(told.ToString()));
            if (parsed.Errors.Count == 0 || parsed.Action is HelpWithExamples) return code;
            string verb = "";
            for (var at = parsed.CommandResult; at is { Command: not RootCommand }; at = at.Parent as CommandResult)
                verb = $" {at.Command.Name}{verb}";
            error.WriteLine($"Try: ashlar{verb} --help");
            return Wrong;
        }
        catch (Exception problem) when (problem is AshlarException or Tokenizers.TokenizerException)
        {
            error.WriteLine(problem.Message);
            return Failed;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            error.WriteLine(problem.Message);     // of a terminal or a pipe that is gone, or a disk that is full
            return Failed;
        }
        catch (OperationCanceledException) when (interrupt.IsCancellationRequested)
        {
            error.WriteLine("Cancelled.");
            return Failed;
        }
        finally { Console.CancelKeyPress -= OnInterrupt; }
    }

    // The library calls what an option takes by its .NET type.
    static string PlainWords(string problem) => NetType().Replace(problem, match =>
        $"'{match.Groups[1]}' is nothing that {match.Groups[2]} takes: a {(match.Groups[3].Length > 0 ? "whole " : "")}number.");

    [GeneratedRegex(@"Cannot parse argument '(.*)' for option '(--[^']+)' as expected type "
        + @"'[^']*System\.(?:(Int32|Int64)|Single|Double)\]?'\.")]
    private static partial Regex NetType();

    /// <summary>The usual help, and below it what the verb's <see cref="Verb.Examples"/> teach.</summary>
    sealed class HelpWithExamples(HelpAction usual) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            // Arguments of the verbs above cannot be given to this one, though the library lists them.
            var foreign = new List<Argument>();
            for (var above = parseResult.CommandResult.Parent as CommandResult; above is not null;
                above = above.Parent as CommandResult)
                foreign.AddRange(above.Command.Arguments.Where(argument => !argument.Hidden));
            foreach (var argument in foreign) argument.Hidden = true;
            usual.Invoke(parseResult);
            foreach (var argument in foreign) argument.Hidden = false;
            var output = parseResult.InvocationConfiguration.Output;
            if (parseResult.CommandResult.Command is Verb { Examples: { Count: > 0 } examples })
            {
                output.WriteLine("Examples:");
                int width = examples.Max(example => example.Line.Length);
                foreach (var (line, meaning) in examples) output.WriteLine($"  {line.PadRight(width)}  {meaning}");
                output.WriteLine();
            }
            return Done;
        }
    }
}

/// <summary>A command of the command line, with examples for its help.</summary>
/// <param name="name">What the user types.</param>
/// <param name="description">One sentence for the help.</param>
sealed class Verb(string name, string description) : Command(name, description)
{
    /// <summary>Command lines worth knowing, and what each does.</summary>
    public IReadOnlyList<(string Line, string Meaning)> Examples { get; init; } = [];
}
