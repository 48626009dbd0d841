using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Ashlar.Tokenizers;

/// <summary>Tokenizers as <c>tokenizer.json</c>, in the layout of Hugging Face's tokenizers library.</summary>
/// <remarks>
/// Written are byte-level BPE (model BPE, pre-tokenizer and decoder ByteLevel), bytes (the same with 256 tokens and no merges)
/// and characters (model WordLevel, a Split that isolates every character, decoder Fuse). Read is every kind; what would encode
/// differently here than there is refused.
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
        foreach (var merge in merges)
            json.WriteStringValue($"{ByteAlphabet.Write(bytes[merge.Left])} {ByteAlphabet.Write(bytes[merge.Right])}");
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
        using (var json = new Utf8JsonWriter(text,
            new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
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
            if (root.ValueKind != JsonValueKind.Object) throw Invalid(source, "it is not an object");
            if (IsOwnCharacters(root)) return ReadCharacters(root, source);
            var read = new TokenizerJsonReader(root, source).Read(() => text.ToArray());
            return IsPlainBytes(root, read) ? Trained(root, read) : read;
        }
        catch (JsonException error)
        {
            throw Invalid(source, $"it is not JSON: {error.Message.TrimEnd('.')}");
        }
        catch (Exception error) when (error is InvalidOperationException or FormatException or KeyNotFoundException
            or IndexOutOfRangeException or OverflowException)
        {
            throw Invalid(source, $"a part is missing or of the wrong kind: {error.Message.TrimEnd('.')}");
        }
    }

    // What the trainer writes comes back as what the trainer made, which can be written again.
    static bool IsPlainBytes(JsonElement root, TokenizerPipeline read) =>
        read is { Model: BytePairModel { MissingByte: null }, Before: [], Behind: [], Parts.Normalizer: null }
        && Text(root, "pre_tokenizer", "type") == "ByteLevel" && Text(root, "decoder", "type") == "ByteLevel"
        && Part(root.GetProperty("pre_tokenizer"), "add_prefix_space") is { ValueKind: JsonValueKind.False }
        && !IsTrue(root.GetProperty("model"), "ignore_merges") && !IsTrue(root.GetProperty("model"), "byte_fallback")
        && read.Added.All(token => token is { StripsLeft: false, StripsRight: false, IsSingleWord: false });

    static Tokenizer Trained(JsonElement root, TokenizerPipeline read)
    {
        var vocabulary = read.Model.Vocabulary;
        var elsewhere = read.Added.ToDictionary(token => token.Token);
        byte[]?[] bytes =
            [.. Enumerable.Range(0, vocabulary.Count).Select(token => elsewhere.ContainsKey(token) ? null : vocabulary[token])];
        var merges = new List<Merge>();
        foreach (var entry in root.GetProperty("model").GetProperty("merges").EnumerateArray())
        {
            byte[][] parts = [.. (entry.ValueKind == JsonValueKind.String ? entry.GetString()!.Split(' ')
                : [.. entry.EnumerateArray().Select(part => part.GetString()!)]).Select(part => ByteAlphabet.Read(part)!)];
            vocabulary.TryFind(parts[0], out int left);
            vocabulary.TryFind(parts[1], out int right);
            vocabulary.TryFind([.. parts[0], .. parts[1]], out int result);
            merges.Add(new(left, right, result));
        }
        bool splitWords = Part(root.GetProperty("pre_tokenizer"), "use_regex") is not { ValueKind: JsonValueKind.False };
        bool isBytes = bytes.Length == 256 && merges.Count == 0 && elsewhere.Count == 0
            && bytes.Index().All(entry => entry.Item is [byte only] && only == entry.Index);
        return isBytes ? new ByteTokenizer() : new BpeTokenizer(bytes, merges, read.Added, splitWords);
    }

    static bool IsOwnCharacters(JsonElement root) =>
        Text(root, "model", "type") == "WordLevel" && Part(root, "normalizer") is null
            && Text(root, "pre_tokenizer", "pattern", "Regex") == EveryCharacter;

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
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out var part)
            && part.ValueKind != JsonValueKind.Null ? part : null;

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
