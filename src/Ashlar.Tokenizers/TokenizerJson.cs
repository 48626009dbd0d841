using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Ashlar.Tokenizers;

/// <summary>Tokenizers as <c>tokenizer.json</c>, in the layout of Hugging Face's tokenizers library.</summary>
/// <remarks>
/// Written and read are byte-level BPE (model BPE, pre-tokenizer and decoder ByteLevel), bytes (the same with 256 tokens and no
/// merges) and characters (model WordLevel, a Split that isolates every character, decoder Fuse). What would encode differently
/// here than there is refused.
/// </remarks>
static class TokenizerJson
{
    const string EveryCharacter = "(?s:.)";

    public static byte[] WriteBpe(
        IReadOnlyList<byte[]?> bytes, IReadOnlyList<Merge> merges, IReadOnlyList<AddedToken> added, bool splitWords) =>
        Write(added, json =>
    {
        foreach (string part in (string[])["pre_tokenizer", "post_processor", "decoder"])
        {
            if (part == "post_processor")
            {
                json.WriteNull(part);
                continue;
            }
            json.WriteStartObject(part);
            json.WriteString("type", "ByteLevel");
            json.WriteBoolean("add_prefix_space", false);
            json.WriteBoolean("trim_offsets", true);
            json.WriteBoolean("use_regex", splitWords);
            json.WriteEndObject();
        }
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteNull("dropout");
        json.WriteNull("unk_token");
        json.WriteNull("continuing_subword_prefix");
        json.WriteNull("end_of_word_suffix");
        json.WriteBoolean("fuse_unk", false);
        json.WriteBoolean("byte_fallback", false);
        json.WriteStartObject("vocab");
        var elsewhere = added.Select(token => token.Token).ToHashSet();
        for (int token = 0; token < bytes.Count; token++)
            if (bytes[token] is { } known && !elsewhere.Contains(token)) json.WriteNumber(ByteAlphabet.Write(known), token);
        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach (var merge in merges) json.WriteStringValue($"{ByteAlphabet.Write(bytes[merge.Left])} {ByteAlphabet.Write(bytes[merge.Right])}");
        json.WriteEndArray();
        json.WriteEndObject();
    });

    public static byte[] WriteCharacters(IReadOnlyList<Rune> characters) => Write([], json =>
    {
        json.WriteStartObject("pre_tokenizer");
        json.WriteString("type", "Split");
        json.WriteStartObject("pattern");
        json.WriteString("Regex", EveryCharacter);
        json.WriteEndObject();
        json.WriteString("behavior", "Isolated");
        json.WriteBoolean("invert", false);
        json.WriteEndObject();
        json.WriteNull("post_processor");
        json.WriteStartObject("decoder");
        json.WriteString("type", "Fuse");
        json.WriteEndObject();
        json.WriteStartObject("model");
        json.WriteString("type", "WordLevel");
        json.WriteStartObject("vocab");
        foreach (var (token, character) in characters.Index()) json.WriteNumber(character.ToString(), token);
        json.WriteEndObject();
        json.WriteString("unk_token", "<unk>");   // in no vocabulary, so that an unknown character is an error there too
        json.WriteEndObject();
    });

    static byte[] Write(IReadOnlyList<AddedToken> added, Action<Utf8JsonWriter> rest)
    {
        var text = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(text, new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteString("version", "1.0");
            json.WriteNull("truncation");
            json.WriteNull("padding");
            json.WriteStartArray("added_tokens");
            foreach (var token in added)
            {
                json.WriteStartObject();
                json.WriteNumber("id", token.Token);
                json.WriteString("content", token.Text);
                json.WriteBoolean("single_word", false);
                json.WriteBoolean("lstrip", false);
                json.WriteBoolean("rstrip", false);
                json.WriteBoolean("normalized", false);
                json.WriteBoolean("special", token.IsSpecial);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteNull("normalizer");
            rest(json);
            json.WriteEndObject();
        }
        return text.WrittenSpan.ToArray();
    }

    public static Tokenizer Read(ReadOnlyMemory<byte> text, string source)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            var root = document.RootElement;
            if (Part(root, "model") is null) throw Invalid(source, "it has no model");
            string model = Text(root, "model", "type") ?? "of no type";
            if (Part(root, "normalizer") is not null)
                throw Unsupported(source, $"it normalises text ({Text(root, "normalizer", "type")})");
            string splitter = Text(root, "pre_tokenizer", "type") ?? "nothing";
            return (model, splitter) switch
            {
                ("BPE", "ByteLevel") => ReadBpe(root, source),
                ("WordLevel", "Split") when Text(root, "pre_tokenizer", "pattern", "Regex") == EveryCharacter => ReadCharacters(root, source),
                _ => throw Unsupported(source, $"its model is {model} and its text is cut by {splitter}"),
            };
        }
        catch (JsonException error)
        {
            throw Invalid(source, $"it is not JSON: {error.Message.TrimEnd('.')}");
        }
        catch (Exception error) when (error is InvalidOperationException or FormatException or KeyNotFoundException)
        {
            throw Invalid(source, $"a part is missing or of the wrong kind: {error.Message.TrimEnd('.')}");
        }
    }

    static Tokenizer ReadBpe(JsonElement root, string source)
    {
        var model = root.GetProperty("model");
        if (IsTrue(model, "byte_fallback")) throw Unsupported(source, "it falls back to bytes (byte_fallback)");
        if (IsTrue(model, "ignore_merges")) throw Unsupported(source, "it takes whole words before merges (ignore_merges)");
        foreach (string affix in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
            if (Part(model, affix)?.GetString() is { Length: > 0 })
                throw Unsupported(source, $"it marks parts of words ({affix})");
        var cut = root.GetProperty("pre_tokenizer");
        if (IsTrue(cut, "add_prefix_space")) throw Unsupported(source, "it puts a blank before the text (add_prefix_space)");

        var added = ReadAdded(root, source);
        var addedTexts = added.ToDictionary(token => token.Text, token => token.Token);
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        var bytes = new List<byte[]?>();
        foreach (var entry in model.GetProperty("vocab").EnumerateObject())
        {
            int token = Number(entry.Value, source, entry.Name);
            if (addedTexts.TryGetValue(entry.Name, out int known) && known == token) continue;
            while (bytes.Count <= token) bytes.Add(null);
            if (bytes[token] is not null || !numbers.TryAdd(entry.Name, token))
                throw Invalid(source, $"the token {token} or its text '{entry.Name}' comes twice");
            bytes[token] = ByteAlphabet.Read(entry.Name) ?? throw Invalid(source, $"the token {token} is '{entry.Name}', which stands for no bytes");
        }
        var merges = new List<Merge>();
        foreach (var entry in model.GetProperty("merges").EnumerateArray())
        {
            string[] parts = entry.ValueKind == JsonValueKind.String
                ? entry.GetString()!.Split(' ') : [.. entry.EnumerateArray().Select(part => part.GetString()!)];
            if (parts.Length != 2 || !numbers.TryGetValue(parts[0], out int left) || !numbers.TryGetValue(parts[1], out int right)
                || !numbers.TryGetValue(parts[0] + parts[1], out int result))
                throw Invalid(source, $"the merge {merges.Count}, '{string.Join(' ', parts)}', does not join two tokens to a third");
            merges.Add(new(left, right, result));
        }
        var single = bytes.Where(token => token is [_]).Select(token => token![0]).ToHashSet();
        if (single.Count < 256)
            throw Unsupported(source, $"it has no token for the byte 0x{Enumerable.Range(0, 256).First(value => !single.Contains((byte)value)):x2}");
        bool splitWords = Part(cut, "use_regex") is not { ValueKind: JsonValueKind.False };
        bool isBytes = bytes.Count == 256 && merges.Count == 0 && added.Length == 0
            && bytes.Index().All(entry => entry.Item is [byte only] && only == entry.Index);
        return isBytes ? new ByteTokenizer() : new BpeTokenizer(bytes, merges, added, splitWords);
    }

    static AddedToken[] ReadAdded(JsonElement root, string source)
    {
        if (Part(root, "added_tokens") is not { } list) return [];
        var added = new List<AddedToken>();
        foreach (var entry in list.EnumerateArray())
        {
            string text = entry.GetProperty("content").GetString()!;
            foreach (string field in (string[])["single_word", "lstrip", "rstrip"])
                if (IsTrue(entry, field)) throw Unsupported(source, $"its added token '{text}' has the field {field}");
            if (text.Length == 0 || added.Any(other => other.Text == text))
                throw Invalid(source, $"an added token is empty or comes twice: '{text}'");
            added.Add(new(text, Number(entry.GetProperty("id"), source, text), IsTrue(entry, "special")));
        }
        return [.. added];
    }

    static CharacterTokenizer ReadCharacters(JsonElement root, string source)
    {
        var characters = new SortedDictionary<int, Rune>();
        foreach (var entry in root.GetProperty("model").GetProperty("vocab").EnumerateObject())
        {
            int token = Number(entry.Value, source, entry.Name);
            if (!Rune.TryGetRuneAt(entry.Name.Length == 0 ? "\ud800" : entry.Name, 0, out var character)
                || character.Utf16SequenceLength != entry.Name.Length)
                throw Unsupported(source, $"its token {token} is '{entry.Name}', not one character");
            if (!characters.TryAdd(token, character)) throw Invalid(source, $"the token {token} comes twice");
        }
        if (characters.Count == 0 || characters.Keys.Last() != characters.Count - 1)
            throw Invalid(source, "its tokens are not numbered from 0 without gaps");
        return new(characters.Values);
    }

    static JsonElement? Part(JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out var part) && part.ValueKind != JsonValueKind.Null ? part : null;

    static string? Text(JsonElement root, params ReadOnlySpan<string> path)
    {
        JsonElement? part = root;
        foreach (string name in path) part = part is { } parent ? Part(parent, name) : null;
        return part is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;
    }

    static bool IsTrue(JsonElement parent, string name) => Part(parent, name) is { ValueKind: JsonValueKind.True };

    static int Number(JsonElement value, string source, string name) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) && number is >= 0 and < 1 << 24 ? number
            : throw Invalid(source, $"'{name}' has the number {value.GetRawText()}");

    static TokenizerException Invalid(string source, string problem) =>
        new("ASH0441", $"{source} cannot be used: {problem}.", "write the tokenizer again, or fetch the file again.");

    static TokenizerException Unsupported(string source, string problem) =>
        new("ASH0442", $"{source} is of a kind that is not supported: {problem}.",
        "use a byte-level BPE such as GPT-2's, or train a tokenizer.");
}
