namespace Ashlar.Tokenizers;

/// <summary>What the files of a model say about its text: the tokenizer, its special tokens, its chat templates.</summary>
public sealed partial record TokenizerFiles
{
    /// <summary>Text to tokens.</summary>
    public required Tokenizer Tokenizer { get; init; }

    /// <summary>The tokens that stand for something.</summary>
    public SpecialTokens Special { get; init; } = new();

    /// <summary>Chat templates by name; the usual one is <c>default</c>. Empty for a model that was not made to talk.</summary>
    public IReadOnlyDictionary<string, string> ChatTemplates { get; init; } = new Dictionary<string, string>();
}
