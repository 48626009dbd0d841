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

    /// <summary>The template by which a conversation becomes text.</summary>
    /// <param name="name">Which of several, such as <c>tool_use</c>; by default the usual one.</param>
    /// <exception cref="TokenizerException">There is none, or it is not well formed. None is guessed.</exception>
    public ChatTemplate Template(string? name = null)
    {
        if (ChatTemplates.TryGetValue(name ?? "default", out string? text)) return ChatTemplate.Parse(text);
        string others = ChatTemplates.Count == 0
            ? "the model has none; it may not have been made to talk"
            : $"it has {string.Join(", ", ChatTemplates.Keys)}";
        throw new TokenizerException("ASH0483", $"there is no chat template{(name is null ? "" : $" '{name}'")}: {others}.",
            "give one with --template FILE, or continue text instead (ashlar generate).");
    }
}
