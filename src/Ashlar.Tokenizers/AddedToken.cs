namespace Ashlar.Tokenizers;

/// <summary>Two tokens that become one.</summary>
/// <param name="Left">The token before.</param>
/// <param name="Right">The token behind.</param>
/// <param name="Result">The token that they become.</param>
public readonly record struct Merge(int Left, int Right, int Result)
{
    /// <summary>A pair of tokens as one key.</summary>
    internal static long Key(int left, int right) => (long)left << 32 | (uint)right;
}

/// <summary>
/// A token that is found in text as a whole, before words are cut: the end of a document, the turn of a speaker.
/// </summary>
/// <param name="Text">Its text, such as <c>&lt;|endoftext|&gt;</c>.</param>
/// <param name="Token">Its number.</param>
/// <param name="IsSpecial">True where it is a sign to the model, not text.</param>
public sealed record AddedToken(string Text, int Token, bool IsSpecial = true)
{
    /// <summary>It takes the white space before it.</summary>
    public bool StripsLeft { get; init; }

    /// <summary>It takes the white space behind it.</summary>
    public bool StripsRight { get; init; }

    /// <summary>It is found only where no letter or digit touches it.</summary>
    public bool IsSingleWord { get; init; }

    /// <summary>It is looked for in text after normalisation, as its own text is normalised.</summary>
    public bool IsNormalized { get; init; }
}
