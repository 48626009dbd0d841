using System.Text;
using System.Text.Json;

namespace Ashlar.Tokenizers;

public sealed partial record TokenizerFiles
{
    /// <summary>
    /// Reads the tokenizer of a model folder, or one file: <c>tokenizer.json</c>, a SentencePiece model (<c>tokenizer.model</c>,
    /// <c>spiece.model</c>), tiktoken ranks (<c>*.tiktoken</c>, or a <c>tokenizer.model</c> of such lines), in that order.
    /// </summary>
    /// <remarks>
    /// <c>tokenizer_config.json</c>, <c>special_tokens_map.json</c>, <c>generation_config.json</c> and <c>chat_template.jinja</c>
    /// beside the file are read where they are there. Settings of a caller (truncation, padding) are not used.
    /// </remarks>
    /// <param name="path">A folder or a file.</param>
    /// <exception cref="TokenizerException">There is none, or it cannot be used.</exception>
    public static TokenizerFiles Load(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        string folder = Directory.Exists(path) ? path : Path.GetDirectoryName(Path.GetFullPath(path))!;
        string file = Directory.Exists(path) ? Pick(path) : path;
        var config = FolderConfig.Read(folder);
        byte[] content = SmallFile.Read(file);
        if (LooksLikeJson(content) || file.EndsWith(".json", StringComparison.Ordinal))
        {
            var tokenizer = Tokenizer.FromJson(content, file);
            return config.Complete(tokenizer is TokenizerPipeline pipeline ? config.Adjust(pipeline) : tokenizer, new());
        }
        if (TiktokenFile.LooksLike(content))
            return config.Complete(TiktokenFile.Read(content, file, config.TiktokenPattern(folder, content), config.AddedTokens),
                new());
        var read = SentencePieceModel.Read(content, file, config.AddsBegin ?? true, config.AddsEnd ?? false, config.AddedTokens);
        return config.Complete(read.Tokenizer, read.Special);
    }

    static string Pick(string folder)
    {
        foreach (string name in (string[])["tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model"])
            if (File.Exists(Path.Combine(folder, name))) return Path.Combine(folder, name);
        if (Directory.EnumerateFiles(folder, "*.tiktoken").Order(StringComparer.Ordinal).FirstOrDefault() is { } ranks)
            return ranks;
        throw new TokenizerException("ASH0470",
            $"{folder} holds no tokenizer: no tokenizer.json, tokenizer.model, spiece.model or *.tiktoken.",
            "fetch the tokenizer's files too, or name another folder.");
    }

    static bool LooksLikeJson(ReadOnlySpan<byte> content) => content.TrimStart(" \t\r\n"u8).StartsWith("{"u8);
}
