using System.Buffers;
using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.Unicode;
using Ashlar.Serving;
using Ashlar.Tokenizers;
using Spectre.Console;

namespace Ashlar.Cli;

/// <summary><c>ashlar tokenize</c>: the tokens of a text.</summary>
static class TokenizeCommand
{
    public static Command Define()
    {
        var model =
            ModelPath.Argument("model", "A model folder, tokenizer.json, tokenizer.model, a .tiktoken file, or a GGUF file.");
        var text = new Option<string>("--text") { Description = "The text.", HelpName = "text" };
        var file = new Option<FileInfo>("--file") { Description = "A file with the text, UTF-8.", HelpName = "file" };
        var noSpecial = new Option<bool>("--no-special")
        {
            Description = "Neither write special tokens around the text nor find them in it.",
        };
        var ids = new Option<bool>("--ids") { Description = "Print the numbers alone, with commas between." };
        var json = new Option<bool>("--json") { Description = "Print one JSON object with tokens (numbers) and pieces (texts)." };
        var verb = new Verb("tokenize", "Show the tokens of a text.")
        {
            Arguments = { model },
            Options = { text, file, noSpecial, ids, json },
            Examples =
            [
                ("ashlar tokenize llama --text \"Hello world\"", "a table of numbers, texts and bytes"),
                ("ashlar tokenize model.gguf --file book.txt --ids", "numbers for --prompt-ids"),
                ("ashlar tokenize qwen --text \"<|im_end|>\" --no-special --json", "as plain text, for a program"),
            ],
        };
        verb.Validators.Add(result =>
        {
            if (result.GetResult(text) is null == result.GetResult(file) is null)
                result.AddError("Give the text by --text or by --file.");
            if (result.GetValue(ids) && result.GetValue(json))
                result.AddError("--ids and --json are two forms of the result; give one.");
        });
        verb.SetAction((parsed, _) =>
        {
            var tokenizer = ModelTokenizer.Load(parsed.GetValue(model)!).Tokenizer;
            bool special = !parsed.GetValue(noSpecial);
            var tokens = new List<int>();
            if (parsed.GetValue(text) is { } given) tokenizer.Encode(given, tokens, special, special);
            else tokenizer.Encode(ReadText(parsed.GetValue(file)!.FullName), tokens, special, special);
            var output = parsed.InvocationConfiguration.Output;
            if (parsed.GetValue(json)) output.WriteLine(Json(tokenizer, tokens).ToJsonString());
            else if (parsed.GetValue(ids)) output.WriteLine(string.Join(',', tokens));
            else Show(output, tokenizer, tokens);
            return Task.FromResult(0);
        });
        return verb;
    }

    /// <summary>The bytes of a text file, without a byte order mark.</summary>
    internal static byte[] ReadText(string path)
    {
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new TokenizerException("ASH0441", $"{path} could not be opened: {error.Message.TrimEnd('.')}.",
                "name a file with text.");
        }
        if (!Utf8.IsValid(bytes))
        {
            int at = 0;
            while (Rune.DecodeFromUtf8(bytes.AsSpan(at), out _, out int length) == OperationStatus.Done) at += length;
            throw new TokenizerException("ASH0445", $"{path} is not UTF-8 at byte {at:N0}.",
                "convert it: iconv -f LATIN1 -t UTF-8 FILE, with the encoding that it has.");
        }
        return bytes.AsSpan().StartsWith("\ufeff"u8) ? bytes[3..] : bytes;
    }

    static JsonObject Json(Tokenizer tokenizer, List<int> tokens) => new()
    {
        ["tokens"] = new JsonArray([.. tokens.Select(token => (JsonNode)token)]),
        ["pieces"] = new JsonArray([.. tokens.Select(token => (JsonNode)Encoding.UTF8.GetString(tokenizer.Bytes(token)))]),
    };

    static void Show(TextWriter output, Tokenizer tokenizer, List<int> tokens)
    {
        var table = new Table().Border(TableBorder.None);
        table.AddColumn(new TableColumn("token").RightAligned().PadRight(3));
        table.AddColumn(new TableColumn("text").PadRight(3));
        table.AddColumn("bytes");
        foreach (int token in tokens)
        {
            var bytes = tokenizer.Bytes(token);
            table.AddRow(new Text(token.ToString(CultureInfo.InvariantCulture)),
                new Text(Visible(Encoding.UTF8.GetString(bytes))),
                new Text(Convert.ToHexStringLower(bytes)));
        }
        var console = Screen.On(output);
        console.Write(table);
        console.WriteLine($"{tokens.Count} tokens of {tokenizer.VocabularySize} ({tokenizer.Kind})");
    }

    // Blanks and ends of lines are seen.
    static string Visible(string text) => text.Replace(' ', '\u00b7').Replace("\n", "\\n", StringComparison.Ordinal)
        .Replace("\r", "\\r", StringComparison.Ordinal).Replace("\t", "\\t", StringComparison.Ordinal);
}
