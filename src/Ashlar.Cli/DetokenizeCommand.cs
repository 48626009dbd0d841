using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Ashlar.Serving;
using Ashlar.Tokenizers;

namespace Ashlar.Cli;

/// <summary><c>ashlar detokenize</c>: the text of tokens.</summary>
static class DetokenizeCommand
{
    public static Command Define()
    {
        var model =
            ModelPath.Argument("model", "A model folder, tokenizer.json, tokenizer.model, a .tiktoken file, or a GGUF file.");
        var ids = new Option<string>("--ids")
        {
            Description = "The tokens, numbers with commas or blanks between.",
            HelpName = "numbers",
        };
        var file = new Option<FileInfo>("--file")
        {
            Description = "A file with the numbers, with commas, blanks or ends of lines between.",
            HelpName = "file",
        };
        var noSpecial = new Option<bool>("--no-special") { Description = "Leave special tokens out of the text." };
        var json = new Option<bool>("--json") { Description = "Print one JSON object with text." };
        var verb = new Verb("detokenize", "Show the text of tokens.")
        {
            Arguments = { model },
            Options = { ids, file, noSpecial, json },
            Examples =
            [
                ("ashlar detokenize llama --ids 1,15043,3186", "the text"),
                ("ashlar detokenize model.gguf --file tokens.txt --json", "for a program"),
            ],
        };
        verb.Validators.Add(result =>
        {
            if (result.GetResult(ids) is null == result.GetResult(file) is null)
                result.AddError("Give the tokens by --ids or by --file.");
            if (result.GetValue(ids) is { } given && Parse(given) is (_, { } wrong))
                result.AddError($"--ids takes numbers, and '{wrong}' is none.");
        });
        verb.SetAction((parsed, _) =>
        {
            string given =
                parsed.GetValue(ids) ?? Encoding.UTF8.GetString(TokenizeCommand.ReadText(parsed.GetValue(file)!.FullName));
            var (tokens, wrong) = Parse(given);
            if (wrong is not null)
                throw new TokenizerException("ASH0443", $"'{(wrong.Length > 40 ? wrong[..40] + "..." : wrong)}' is no token.",
                    "give numbers from 0, with commas between.");
            string text = ModelTokenizer.Load(parsed.GetValue(model)!).Tokenizer.Decode(tokens, parsed.GetValue(noSpecial));
            var output = parsed.InvocationConfiguration.Output;
            output.WriteLine(parsed.GetValue(json) ? new JsonObject { ["text"] = text }.ToJsonString() : text);
            return Task.FromResult(0);
        });
        return verb;
    }

    static (int[] Tokens, string? Wrong) Parse(string text)
    {
        var tokens = new List<int>();
        foreach (string part in text.Split([',', ' ', '\n', '\r', '\t', '[', ']'], StringSplitOptions.RemoveEmptyEntries))
        {
            if (!int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int token)) return ([], part);
            tokens.Add(token);
        }
        return ([.. tokens], null);
    }
}
