using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Ashlar.Models;
using Ashlar.Serving;
using Ashlar.Tokenizers;
using Microsoft.Extensions.AI;
using Spectre.Console;

namespace Ashlar.Cli;

/// <summary><c>ashlar chat</c>: a conversation with a model in the terminal.</summary>
static class ChatCommand
{
    const string Commands =
        "/clear begins anew, /system TEXT sets the system prompt, /think shows or hides reasoning, /stats shows speed, /exit ends.";

    /// <param name="prepare">Registers the device.</param>
    /// <param name="input">Where the user's lines come from; the console where null.</param>
    public static Command Define(Action prepare, TextReader? input = null)
    {
        var path = ModelPath.Argument("model",
            "A safetensors folder in the Hugging Face layout, or a GGUF file, of a model that was made to talk.");
        var system = new Option<string?>("--system")
        {
            Description = "What the model is told before the conversation.",
            HelpName = "text",
        };
        var count = new Option<int>("--max-tokens")
        {
            Description = "How many tokens an answer has at most.",
            HelpName = "number",
            DefaultValueFactory = _ => 1024,
        };
        var sampling = new SamplingChoices();
        var model = new ModelOptions();
        var verb = new Verb("chat", "Talk to a model in the terminal.")
        {
            Arguments = { path },
            Options = { system, count, model.Weights, model.Cache, model.KeepPacked, model.Context, model.Template },
            Examples =
            [
                ("ashlar chat Qwen3-0.6B", "a conversation; Ctrl+C stops an answer, /exit ends"),
                ("ashlar chat llama.gguf --system \"Answer in one sentence.\" --temperature 0.3", "with a system prompt"),
                ("echo \"What is a stone?\" | ashlar chat llama.gguf", "one question from a pipe"),
            ],
        };
        foreach (var option in sampling.All) verb.Options.Add(option);
        verb.SetAction((parsed, cancellation) =>
        {
            prepare();
            using var language = model.Open(parsed, parsed.GetValue(path)!, null, quiet: false, cancellation);
            _ = language.Template;   // a model without one cannot talk: said before the first question
            var options = new GenerationOptions(parsed.GetValue(count))
            {
                Sampling = sampling.Of(parsed, language, output: parsed.InvocationConfiguration.Error),
                Seed = parsed.GetValue(sampling.Seed),
            };
            new Talk(language, options, parsed.GetValue(system), parsed.InvocationConfiguration.Output, input ?? Console.In,
                cancellation).Run();
            return Task.FromResult(0);
        });
        return verb;
    }

    sealed class Talk(LanguageModel model, GenerationOptions options, string? system, TextWriter output, TextReader input,
        CancellationToken cancellation)
    {
        readonly IAnsiConsole console = Screen.On(output);
        readonly bool isTerminal = !Console.IsInputRedirected && ReferenceEquals(input, Console.In);
        readonly List<ChatTurn> turns = system is null ? [] : [new("system", system)];
        bool showsReasoning = true, showsSpeed = !Console.IsInputRedirected;

        public void Run()
        {
            if (isTerminal)
                console.MarkupLineInterpolated(
                    $"[grey]{model.Name}: {model.Decoder.Config.Family}, {model.Engine.MostTokens} tokens of context. {Commands}[/]");
            using var text = model.Engine.NewText();
            while (!cancellation.IsCancellationRequested)
            {
                if (isTerminal) console.Markup("[bold]> [/]");
                if (input.ReadLine() is not { } line) break;
                if (line.Trim() is not { Length: > 0 } said) continue;
                if (said.StartsWith('/') && Obey(said, out bool ends))
                {
                    if (ends) break;
                    continue;
                }
                Answer(said, text);
            }
        }

        bool Obey(string said, out bool ends)
        {
            string[] words = said.Split(' ', 2);
            ends = false;
            switch (words[0])
            {
                case "/exit" or "/quit":
                    ends = true;
                    return true;
                case "/clear":
                    turns.RemoveAll(turn => turn.Role != "system");
                    return true;
                case "/system":
                    turns.Clear();
                    if (words.Length > 1) turns.Add(new("system", words[1]));
                    return true;
                case "/think":
                    showsReasoning = !showsReasoning;
                    return true;
                case "/stats":
                    showsSpeed = !showsSpeed;
                    return true;
                case "/help":
                    console.WriteLine(Commands);
                    return true;
                default:
                    console.WriteLine($"{words[0]} is no command. {Commands}");
                    return true;
            }
        }

        void Answer(string said, TextState text)
        {
            turns.Add(new("user", said));
            using var stopped = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            long start = Stopwatch.GetTimestamp(), first = 0;
            int made = 0, asked = 0;
            try
            {
                int[] prompt = model.Encode(new() { Turns = turns });
                asked = prompt.Length;
                var answer = new AnswerReader(model, prompt);
                foreach (var token in model.Generate(prompt, options, text, cancellation: stopped.Token))
                {
                    if (made++ == 0) first = Stopwatch.GetTimestamp();
                    foreach (var part in answer.Add(token))
                        Show(part is TextReasoningContent thought ? thought.Text : ((TextContent)part).Text,
                            part is TextReasoningContent);
                }
                turns.Add(new("assistant", answer.Answer.Trim()));
            }
            catch (AshlarException problem)
            {
                turns.RemoveAt(turns.Count - 1);   // the conversation stays as it was
                output.WriteLine(problem.Message);
                return;
            }
            output.WriteLine();
            if (!showsSpeed || made == 0) return;
            double read = Stopwatch.GetElapsedTime(start, first).TotalSeconds,
                rest = Stopwatch.GetElapsedTime(first).TotalSeconds;
            console.MarkupLine(string.Create(CultureInfo.InvariantCulture,
                $"[grey]{asked} tokens read in {read:F2} s, {made} made at {(made > 1 ? (made - 1) / rest : 0):F1} tokens/s[/]"));
        }

        void Show(string piece, bool isReasoning)
        {
            if (!isReasoning) output.Write(piece);
            else if (showsReasoning) console.Write(new Text(piece, new Style(Color.Grey)));
            output.Flush();
        }
    }
}
