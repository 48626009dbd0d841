namespace Ashlar.Tokenizers;

/// <summary>Text that a tokenizer cannot encode, tokens that it cannot decode, or a tokenizer file that cannot be used.</summary>
/// <param name="code">Stable code; its page is docs/diagnostics/CODE.md.</param>
/// <param name="problem">What was wrong, what was found and where, as sentences.</param>
/// <param name="fix">One concrete action.</param>
/// <remarks>Tokenizers stand alone, without a reference to the rest of Ashlar, so this type has the form of its exceptions but
/// not their base.</remarks>
public sealed class TokenizerException(string code, string problem, string fix)
    : Exception($"{code}: {problem}\nFix: {fix}\nMore: docs/diagnostics/{code}.md")
{
    /// <summary>Stable code of this kind of mistake.</summary>
    public string Code => code;
}
