using System.CommandLine;
using System.CommandLine.Parsing;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Ashlar.Models;
using Ashlar.Training;

namespace Ashlar.Cli;

/// <summary><c>ashlar generate</c>: lets a model that was trained go on from a text.</summary>
static class GenerateCommand
{
    /// <param name="prepare">Registers the device.</param>
    public static Command Define(Action prepare)
    {
        var folder = new Argument<string>("model") { Description = "The folder that ashlar train or ashlar quickstart wrote." };
        var prompt = new Option<string>("--prompt")
        {
            Description = "What the text begins with.",
            HelpName = "text",
            Required = true,
        };
        var count = Number("--max-tokens", "How many tokens at most.", 200);
        var temperature = Number("--temperature",
            "0 takes the likeliest token each time; 1 draws as the model learned; more is wilder.", 0.8f);
        var topK = Number("--top-k", "Draw among so many of the likeliest tokens; 0: all.", 0);
        var topP = Number("--top-p", "Draw among the likeliest tokens that together have this share of the probability.", 1f);
        var seed = Number("--seed", "Equal seeds give equal texts.", 0);
        var json = new Option<bool>("--json")
        {
            Description = "Print one JSON object with text, tokens and speed instead of the text as it comes.",
        };
        Check(count, value => value >= 1, "must be at least 1");
        Check(temperature, value => value is >= 0 and < float.PositiveInfinity, "must be 0 or more");
        Check(topK, value => value >= 0, "must be 0, for all, or more");
        Check(topP, value => value is > 0 and <= 1, "must be above 0 and at most 1");
        var verb = new Verb("generate", "Let a model go on from a text.")
        {
            Arguments = { folder },
            Options = { prompt, count, temperature, topK, topP, seed, json },
            Examples =
            [
                ("ashlar generate shakespeare --prompt \"ROMEO:\"", "200 tokens, as they come"),
                ("ashlar generate shakespeare --prompt \"ROMEO:\" --temperature 0", "the likeliest text"),
                ("ashlar generate shakespeare --prompt \"To be\" --top-k 10 --seed 7 --json", "for a program"),
            ],
        };
        verb.Validators.Add(result =>
        {
            bool isCold = Given(result, temperature) && result.GetValue(temperature) == 0;
            if (isCold && (Given(result, topK) || Given(result, topP) || Given(result, seed)))
                result.AddError("--temperature 0 takes the likeliest token, so leave out --top-k, --top-p and --seed.");
        });
        verb.SetAction((parsed, cancellation) =>
        {
            prepare();
            var saved = GptFolder.Load(parsed.GetValue(folder)!);
            string text = parsed.GetValue(prompt)!;
            int[] tokens = saved.Tokenizer.Encode(text);
            if (tokens.Length == 0)
                throw new TrainingException("ASH0505",
                    "the prompt is empty, and a model goes on from something.", "give it a word: --prompt \"The\".");
            var options = new SamplingOptions(parsed.GetValue(temperature), parsed.GetValue(topK), parsed.GetValue(topP));
            var made = new Decoding(saved.Model).Generate(tokens, parsed.GetValue(count), options, parsed.GetValue(seed));
            var output = parsed.InvocationConfiguration.Output;
            if (parsed.GetValue(json)) output.WriteLine(Json(saved, text, made, cancellation).ToJsonString());
            else Stream(output, saved, text, made, cancellation);
            return Task.FromResult(0);
        });
        return verb;
    }

    static void Stream(TextWriter output, GptFolder saved, string prompt, IEnumerable<int> tokens, CancellationToken cancellation)
    {
        output.Write(prompt);
        var decoder = saved.Tokenizer.Decoder();
        foreach (int token in tokens)
        {
            if (cancellation.IsCancellationRequested) break;
            output.Write(decoder.Add(token));
            output.Flush();
        }
        output.WriteLine(decoder.Finish());
    }

    static JsonObject Json(GptFolder saved, string prompt, IEnumerable<int> tokens, CancellationToken cancellation)
    {
        long start = Stopwatch.GetTimestamp();
        int[] made = [.. tokens.TakeWhile(_ => !cancellation.IsCancellationRequested)];
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return new()
        {
            ["prompt"] = prompt,
            ["text"] = saved.Tokenizer.Decode(made),
            ["tokens"] = new JsonArray([.. made.Select(token => (JsonNode)token)]),
            ["tokens_per_second"] = Math.Round(made.Length / seconds, 1),
        };
    }

    static Option<T> Number<T>(string name, string description, T usual) =>
        new(name) { Description = description, HelpName = "number", DefaultValueFactory = _ => usual };

    static void Check<T>(Option<T> option, Func<T, bool> holds, string rule) => option.Validators.Add(result =>
    {
        if (!result.Errors.Any() && result.GetValue(option) is { } value && !holds(value))
            result.AddError(string.Create(CultureInfo.InvariantCulture, $"{option.Name} {rule}, and {value} is not."));
    });

    static bool Given(CommandResult result, Option option) => result.GetResult(option) is { Implicit: false };
}
