using System.CommandLine;
using System.CommandLine.Parsing;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Ashlar.Models;
using Ashlar.Serving;
using Ashlar.Tokenizers;
using Ashlar.Training;

namespace Ashlar.Cli;

/// <summary><c>ashlar generate</c>: lets a model go on from a text, one that was trained here or one of files that people
/// download.</summary>
static class GenerateCommand
{
    /// <param name="prepare">Registers the device.</param>
    public static Command Define(Action prepare)
    {
        var path = ModelPath.Argument("model",
            "A folder that ashlar train wrote, a safetensors folder in the Hugging Face layout, or a GGUF file.");
        var prompt = new Option<string?>("--prompt") { Description = "What the text begins with.", HelpName = "text" };
        var ids = new Option<int[]?>("--prompt-ids")
        {
            Description = "What the text begins with as token ids, such as 1,2,3; a model without tokenizer answers with ids.",
            HelpName = "ids",
            CustomParser = ParseIds,
        };
        var count = new Option<int>("--max-tokens")
        {
            Description = "How many tokens at most.",
            HelpName = "number",
            DefaultValueFactory = _ => 200,
        };
        count.Validators.Add(result =>
        {
            if (!result.Errors.Any() && result.GetValue(count) is < 1 and var value)
                result.AddError($"--max-tokens must be at least 1, and {value} is not.");
        });
        var stop = new Option<string[]>("--stop")
        {
            Description = "End the text before this; may be given several times.",
            HelpName = "text",
        };
        var ignoreEnd = new Option<bool>("--ignore-end") { Description = "Go on though the model ends the text." };
        var logProbabilities = new Option<int?>("--logprobs")
        {
            Description = "With --json: log-probabilities of each token and of so many of the likeliest.",
            HelpName = "number",
        };
        var json = new Option<bool>("--json")
        {
            Description = "Print one JSON object with text, tokens and timings instead of the text as it comes.",
        };
        var sampling = new SamplingChoices();
        var model = new ModelOptions();
        var verb = new Verb("generate", "Let a model go on from a text.")
        {
            Arguments = { path },
            Options = { prompt, ids, count, stop, ignoreEnd, logProbabilities, json, model.Weights, model.Cache, model.KeepPacked,
                model.Context },
            Examples =
            [
                ("ashlar generate shakespeare --prompt \"ROMEO:\"", "200 tokens, as they come"),
                ("ashlar generate SmolLM2-135M --prompt \"The sea\" --temperature 0", "a downloaded model; the likeliest text"),
                ("ashlar generate llama-3.2-1b-q8_0.gguf --prompt \"To be\" --top-k 10 --seed 7 --json", "for a program"),
                ("ashlar generate model.gguf --prompt-ids 1,306,4658 --max-tokens 32", "without the tokenizer"),
            ],
        };
        foreach (var option in sampling.All) verb.Options.Add(option);
        stop.Validators.Add(result =>
        {
            if (result.Tokens.Any(token => token.Value.Length == 0))
                result.AddError("--stop takes a text, and '' would end every text at once.");
        });
        logProbabilities.Validators.Add(result =>
        {
            if (!result.Errors.Any() && result.GetValue(logProbabilities) is < 0 and var value)
                result.AddError($"--logprobs must be 0 or more, and {value} is not.");
        });
        verb.Validators.Add(result =>
        {
            if (Given(result, logProbabilities) && !result.GetValue(json))
                result.AddError("--logprobs is a part of the JSON object: give --json, too.");
            if (Given(result, prompt) == Given(result, ids))
                result.AddError("give what the text begins with: --prompt TEXT, or --prompt-ids IDS.");
            bool isCold = Given(result, sampling.Temperature) && result.GetValue(sampling.Temperature) == 0;
            if (isCold && (Given(result, sampling.TopK) || Given(result, sampling.TopP) || Given(result, sampling.MinP)
                || Given(result, sampling.Typical) || Given(result, sampling.Seed)))
                result.AddError(
                    "--temperature 0 takes the likeliest token, so leave out --top-k, --top-p, --min-p, --typical and --seed.");
        });
        verb.SetAction((parsed, cancellation) =>
        {
            prepare();
            string folder = parsed.GetValue(path)!;
            var output = parsed.InvocationConfiguration.Output;
            if (GptFolder.IsOne(folder))
                RunTrained(parsed, folder, parsed.GetValue(prompt), parsed.GetValue(ids), parsed.GetValue(count), sampling,
                    parsed.GetValue(json), output, cancellation);
            else RunFile(parsed, folder);
            return Task.FromResult(0);

            void RunFile(ParseResult parsed, string folder)
            {
                bool isJson = parsed.GetValue(json);
                long start = Stopwatch.GetTimestamp();
                int most = parsed.GetValue(count);
                // The context is what the text needs; the prompt's length is known only with the tokenizer.
                int[]? given = parsed.GetValue(ids) is { Length: > 0 } some ? some : null;
                var tokenizer = given is null ? ModelTokenizer.Load(folder) : null;
                int[] tokens = given ?? Encode(tokenizer!, parsed.GetValue(prompt)!);
                int needed = (int)Math.Min(int.MaxValue, tokens.Length + (long)most);
                using var language = model.Open(parsed, folder, needed, isJson, cancellation, prompt: tokens.Length,
                    tokenizer: tokenizer);
                double loadSeconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
                var options = new GenerationOptions(most)
                {
                    Sampling = sampling.Of(parsed, language, output: parsed.InvocationConfiguration.Error),
                    Seed = parsed.GetValue(sampling.Seed) ?? 0,
                    Stop = parsed.GetValue(stop) ?? [],
                    IgnoreEnd = parsed.GetValue(ignoreEnd),
                    LogProbabilities = parsed.GetValue(logProbabilities),
                };
                var made = language.Generate(tokens, options, cancellation: cancellation);
                if (isJson) output.WriteLine(Json(language, tokens, made, loadSeconds).ToJsonString());
                else if (language.HasTokenizer) Stream(output, parsed.GetValue(prompt) ?? "", made);
                else output.WriteLine(string.Join(',', made.Select(token => token.Id)));
            }
        });
        return verb;
    }

    // Before the weights, which take longer: an empty prompt should not wait for them.
    static int[] Encode(TokenizerFiles files, string prompt)
    {
        int[] tokens = files.Tokenizer.Encode(prompt, addSpecial: true);
        return tokens.Length > 0
            ? tokens
            : throw new ModelException("ASH0355", "the prompt is empty, and a model goes on from something.",
                "give it a word: --prompt \"The\".");
    }

    static void Stream(TextWriter output, string prompt, IEnumerable<GeneratedToken> tokens)
    {
        output.Write(prompt);
        foreach (var token in tokens)
        {
            output.Write(token.Text);
            output.Flush();
        }
        output.WriteLine();
    }

    static JsonObject Json(LanguageModel model, int[] prompt, IEnumerable<GeneratedToken> tokens, double loadSeconds)
    {
        long start = Stopwatch.GetTimestamp(), first = start;
        var made = new List<GeneratedToken>();
        foreach (var token in tokens)
        {
            if (made.Count == 0) first = Stopwatch.GetTimestamp();
            made.Add(token);
        }
        double promptSeconds = Stopwatch.GetElapsedTime(start, first).TotalSeconds,
            seconds = Stopwatch.GetElapsedTime(first).TotalSeconds;
        var json = new JsonObject
        {
            ["text"] = string.Concat(made.Select(token => token.Text)),
            ["tokens"] = new JsonArray([.. made.Select(token => (JsonNode)token.Id)]),
            ["prompt_tokens"] = prompt.Length,
            ["finish_reason"] = made[^1].Finish == FinishReason.Stop ? "stop" : "length",
            ["timings"] = new JsonObject
            {
                ["load_seconds"] = Math.Round(loadSeconds, 3),
                ["prompt_seconds"] = Math.Round(promptSeconds, 4),
                ["prompt_tokens_per_second"] = Math.Round(prompt.Length / promptSeconds, 1),
                ["generation_seconds"] = Math.Round(seconds, 4),
                ["tokens_per_second"] = made.Count > 1 ? Math.Round((made.Count - 1) / seconds, 1) : null,
            },
        };
        if (made[0].LogProbability is not null)
            json["logprobs"] = new JsonArray([.. made.Select(token => (JsonNode)new JsonObject
            {
                ["id"] = token.Id,
                ["logprob"] = token.LogProbability,
                ["top"] =
                    new JsonArray([.. token.Likeliest.Select(other =>
                        (JsonNode)new JsonObject { ["id"] = other.Token, ["logprob"] = other.LogProbability })]),
            })]);
        return json;
    }

    static void RunTrained(ParseResult parsed, string folder, string? prompt, int[]? ids, int count, SamplingChoices sampling,
        bool json, TextWriter output, CancellationToken cancellation)
    {
        var saved = GptFolder.Load(folder);
        int[] tokens = ids is { Length: > 0 } ? ids : saved.Tokenizer.Encode(prompt!);
        if (tokens.Length == 0)
            throw new TrainingException("ASH0505", "the prompt is empty, and a model goes on from something.",
                "give it a word: --prompt \"The\".");
        var made = new Decoding(saved.Model)
            .Generate(tokens, count, sampling.Of(parsed), unchecked((int)(parsed.GetValue(sampling.Seed) ?? 0)))
            .TakeWhile(_ => !cancellation.IsCancellationRequested);
        if (json)
        {
            long start = Stopwatch.GetTimestamp();
            int[] all = [.. made];
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            output.WriteLine(new JsonObject
            {
                ["prompt"] = prompt,
                ["text"] = saved.Tokenizer.Decode(all),
                ["tokens"] = new JsonArray([.. all.Select(token => (JsonNode)token)]),
                ["prompt_tokens"] = tokens.Length,
                ["finish_reason"] = "length",
                ["tokens_per_second"] = Math.Round(all.Length / seconds, 1),
            }.ToJsonString());
            return;
        }
        output.Write(prompt);
        var decoder = saved.Tokenizer.Decoder();
        foreach (int token in made)
        {
            output.Write(decoder.Add(token));
            output.Flush();
        }
        output.WriteLine(decoder.Finish());
    }

    static int[] ParseIds(ArgumentResult result)
    {
        var ids = new List<int>();
        foreach (string word in result.Tokens.SelectMany(token => token.Value.Split(',', StringSplitOptions.TrimEntries)))
            if (int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int id)) ids.Add(id);
            else result.AddError($"--prompt-ids takes numbers such as 1,2,3, and '{word}' is none.");
        return [.. ids];
    }

    static bool Given(CommandResult result, Option option) => result.GetResult(option) is { Implicit: false };
}
