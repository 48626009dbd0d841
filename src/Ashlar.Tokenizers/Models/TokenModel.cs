namespace Ashlar.Tokenizers;

/// <summary>What turns a word into tokens: one of byte pairs, unigrams, word pieces, whole words.</summary>
abstract class TokenModel(Vocabulary vocabulary)
{
    public Vocabulary Vocabulary => vocabulary;

    /// <summary>One word for people.</summary>
    public abstract string Kind { get; }

    /// <summary>Appends the tokens of a word.</summary>
    /// <param name="word">At least one byte of UTF-8.</param>
    /// <param name="scratch">Of this thread.</param>
    /// <param name="tokens">Keeps what it holds.</param>
    public abstract void Encode(ReadOnlySpan<byte> word, Scratch scratch, List<int> tokens);
}
