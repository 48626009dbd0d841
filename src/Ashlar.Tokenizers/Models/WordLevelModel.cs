using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>Each word is a token, or unknown.</summary>
sealed class WordLevelModel(Vocabulary vocabulary, int? unknown) : TokenModel(vocabulary)
{
    /// <inheritdoc/>
    public override string Kind => "wordlevel";

    /// <inheritdoc/>
    public override void Encode(ReadOnlySpan<byte> word, Scratch scratch, List<int> tokens) =>
        tokens.Add(Vocabulary.TryFind(word, out int token) ? token : unknown ?? throw new TokenizerException("ASH0440",
            $"the word '{Encoding.UTF8.GetString(word)}' has no token, and the tokenizer has none for what is unknown.",
            "leave it out of the text."));
}
