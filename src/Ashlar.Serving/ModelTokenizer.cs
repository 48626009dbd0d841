using Ashlar.Formats;
using Ashlar.Tokenizers;

namespace Ashlar.Serving;

/// <summary>The tokenizer of a model, wherever it is: files in a folder, one file, or within a GGUF file.</summary>
public static class ModelTokenizer
{
    /// <summary>Finds the tokenizer of a model.</summary>
    /// <param name="path">A model folder, a tokenizer's file, or a GGUF file.</param>
    /// <exception cref="TokenizerException">There is no tokenizer, or it cannot be used.</exception>
    /// <exception cref="ModelFileException">A GGUF file cannot be read.</exception>
    public static TokenizerFiles Load(string path)
    {
        if (Directory.Exists(path) && !IsIn(path) && Directory.EnumerateFiles(path, "*.gguf").Order(StringComparer.Ordinal)
            .FirstOrDefault() is { } inside)
            path = inside;
        else if (path.EndsWith(".safetensors", StringComparison.Ordinal)
            || path.EndsWith(".index.json", StringComparison.Ordinal))
            path = Path.GetDirectoryName(Path.GetFullPath(path))!;     // the tokenizer lies beside the weights
        if (!File.Exists(path) || !Gguf.IsOne(path)) return TokenizerFiles.Load(path);
        using var file = Gguf.Open(path);
        return Vocabulary(file.Metadata).Build(path);
    }

    /// <summary>Whether a folder has the file of a tokenizer.</summary>
    public static bool IsIn(string folder) =>
        ((string[])["tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model"])
        .Any(name => File.Exists(Path.Combine(folder, name))) || Directory.EnumerateFiles(folder, "*.tiktoken").Any();

    /// <summary>The vocabulary that the metadata of a GGUF file hold.</summary>
    public static GgufVocabulary Vocabulary(GgufMetadata metadata)
    {
        var tokens = metadata.Texts("tokenizer.ggml.tokens");
        var templates = new Dictionary<string, string>();
        const string template = "tokenizer.chat_template";
        foreach (string key in metadata.Keys)
        {
            if (key == template) templates["default"] = metadata.Text(key);
            else if (key.StartsWith(template + ".", StringComparison.Ordinal))
                templates[key[(template.Length + 1)..]] = metadata.Text(key);
        }
        return new()
        {
            Model = metadata.Text("tokenizer.ggml.model"),
            Pre = metadata.TryText("tokenizer.ggml.pre", out string? pre) ? pre : null,
            Tokens = Bytes(tokens),
            Scores = metadata.TryFloats("tokenizer.ggml.scores", out float[]? scores) ? scores : null,
            Types = metadata.TryInts("tokenizer.ggml.token_type", out long[]? types)
                ? Array.ConvertAll(types, type => (int)type)
                : null,
            Merges = metadata.TryTexts("tokenizer.ggml.merges", out var merges) ? Bytes(merges) : null,
            Begin = Id("bos"),
            End = Id("eos"),
            EndOfTurn = Id("eot"),
            EndOfMessage = Id("eom"),
            Unknown = Id("unknown"),
            Separator = Id("seperator"),
            Padding = Id("padding"),
            Mask = Id("mask"),
            AddBegin = Flag("add_bos_token"),
            AddEnd = Flag("add_eos_token"),
            AddSeparator = Flag("add_sep_token"),
            AddSpacePrefix = Flag("add_space_prefix"),
            RemoveExtraWhitespaces = Flag("remove_extra_whitespaces"),
            PrecompiledCharsmap = metadata.TryInts("tokenizer.ggml.precompiled_charsmap", out long[]? map)
                ? Array.ConvertAll(map, value => (byte)value)
                : null,
            Lowercase = Flag("normalizer.lowercase"),
            StripAccents = Flag("normalizer.strip_accents"),
            ModelName = metadata.TryText("general.name", out string? name) ? name : null,
            ChatTemplates = templates,
        };

        int? Id(string name) => metadata.TryInt($"tokenizer.ggml.{name}_token_id", out long id)
            ? (int)Math.Clamp(id, int.MinValue, int.MaxValue)
            : null;
        bool? Flag(string name) => metadata.TryBool($"tokenizer.ggml.{name}", out bool value) ? value : null;
    }

    static byte[][] Bytes(GgufTexts texts) => [.. Enumerable.Range(0, texts.Count).Select(i => texts.Utf8(i).ToArray())];
}
