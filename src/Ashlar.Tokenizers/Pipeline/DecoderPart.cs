using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>One step from tokens back to text: what the decoders of <c>tokenizer.json</c> do.</summary>
abstract class DecoderPart
{
    /// <summary>Changes the texts of all tokens, which may become fewer.</summary>
    public abstract void Apply(List<byte[]> tokens);

    /// <summary>True where the step looks at each token alone, or only at whether it is the first.</summary>
    public abstract bool IsPerToken { get; }

    /// <summary>True where the step leaves one text.</summary>
    public virtual bool Fuses => false;
}

/// <summary>A step that looks at each token alone, or only at whether it is the first.</summary>
abstract class PerTokenPart : DecoderPart
{
    /// <inheritdoc/>
    public sealed override bool IsPerToken => true;

    protected abstract byte[] Change(byte[] token, bool isFirst);

    /// <inheritdoc/>
    public sealed override void Apply(List<byte[]> tokens)
    {
        for (int i = 0; i < tokens.Count; i++) tokens[i] = Change(tokens[i], i == 0);
    }

    /// <summary>One token.</summary>
    public byte[] Apply(byte[] token, bool isFirst) => Change(token, isFirst);
}

/// <summary>All tokens become one text.</summary>
sealed class FuseTokens : DecoderPart
{
    /// <inheritdoc/>
    public override bool IsPerToken => false;

    /// <inheritdoc/>
    public override bool Fuses => true;

    /// <inheritdoc/>
    public override void Apply(List<byte[]> tokens)
    {
        byte[] all = [.. tokens.SelectMany(token => token)];
        tokens.Clear();
        tokens.Add(all);
    }
}

/// <summary>Characters of the byte alphabet become bytes.</summary>
sealed class CharactersToBytes : PerTokenPart
{
    protected override byte[] Change(byte[] token, bool isFirst) => ByteAlphabet.Read(Encoding.UTF8.GetString(token)) ?? token;
}

/// <summary><c>&lt;0x0A&gt;</c> becomes the byte.</summary>
sealed class BytesOfFallback : PerTokenPart
{
    protected override byte[] Change(byte[] token, bool isFirst) => Vocabulary.ByteOf(token) is { } value ? [value] : token;
}

/// <summary>Takes a character from the ends, a number of times.</summary>
sealed class StripCharacter(Rune character, int start, int stop) : PerTokenPart
{
    public byte[] Character { get; } = Encoding.UTF8.GetBytes(character.ToString());

    public int Start => start;

    public int Stop => stop;

    protected override byte[] Change(byte[] token, bool isFirst)
    {
        var left = token.AsSpan();
        for (int i = 0; i < start && left.StartsWith(Character); i++) left = left[Character.Length..];
        for (int i = 0; i < stop && left.EndsWith(Character); i++) left = left[..^Character.Length];
        return left.ToArray();
    }
}

/// <summary>Replaces text within tokens.</summary>
sealed class ReplaceInTokens(Normalizer replace) : PerTokenPart
{
    protected override byte[] Change(byte[] token, bool isFirst) => replace.Apply(token);
}

/// <summary>Marks become blanks; those of the first token are left out where one was written before the text.</summary>
sealed class MetaspaceToBlanks(Rune mark, bool dropsFirst) : PerTokenPart
{
    readonly ReplaceText blank = new(mark.ToString(), " "), nothing = new(mark.ToString(), "");

    protected override byte[] Change(byte[] token, bool isFirst) => (isFirst && dropsFirst ? nothing : blank).Apply(token);
}

/// <summary>Word pieces: a part of a word joins what is before it, a word has a blank before it.</summary>
sealed class JoinWordPieces(string prefix, bool cleans) : PerTokenPart
{
    readonly byte[] prefix = Encoding.UTF8.GetBytes(prefix);

    protected override byte[] Change(byte[] token, bool isFirst)
    {
        if (!isFirst) token = token.AsSpan().StartsWith(prefix) ? token[prefix.Length..] : [(byte)' ', .. token];
        return cleans ? Encoding.UTF8.GetBytes(Clean(Encoding.UTF8.GetString(token))) : token;
    }

    /// <summary>Takes the blanks away that are not written before signs.</summary>
    internal static string Clean(string text) =>
        text.Replace(" .", ".", StringComparison.Ordinal).Replace(" ?", "?", StringComparison.Ordinal)
        .Replace(" !", "!", StringComparison.Ordinal).Replace(" ,", ",", StringComparison.Ordinal)
        .Replace(" ' ", "'", StringComparison.Ordinal)
        .Replace(" n't", "n't", StringComparison.Ordinal).Replace(" 'm", "'m", StringComparison.Ordinal)
        .Replace(" do not", " don't", StringComparison.Ordinal).Replace(" 's", "'s", StringComparison.Ordinal)
        .Replace(" 've", "'ve", StringComparison.Ordinal).Replace(" 're", "'re", StringComparison.Ordinal);
}

/// <summary>A blank between tokens: where a file names no decoder.</summary>
sealed class JoinWithBlanks : PerTokenPart
{
    protected override byte[] Change(byte[] token, bool isFirst) => isFirst ? token : [(byte)' ', .. token];
}

/// <summary>The mark for the end of a word becomes a blank, save behind the last.</summary>
sealed class JoinWordEnds(string suffix) : DecoderPart
{
    readonly ReplaceText blank = new(suffix, " "), nothing = new(suffix, "");

    /// <inheritdoc/>
    public override bool IsPerToken => false;

    /// <inheritdoc/>
    public override void Apply(List<byte[]> tokens)
    {
        for (int i = 0; i < tokens.Count; i++) tokens[i] = (i + 1 == tokens.Count ? nothing : blank).Apply(tokens[i]);
    }
}

/// <summary>Connectionist temporal classification: of equal tokens side by side one, without the pad (Graves et al.
/// 2006).</summary>
sealed class JoinFrames(string pad, string delimiter, bool cleans) : DecoderPart
{
    /// <inheritdoc/>
    public override bool IsPerToken => false;

    /// <inheritdoc/>
    public override void Apply(List<byte[]> tokens)
    {
        var result = new List<byte[]>();
        for (int i = 0; i < tokens.Count; i++)
        {
            if (i > 0 && tokens[i].AsSpan().SequenceEqual(tokens[i - 1])) continue;
            string text = Encoding.UTF8.GetString(tokens[i]).Replace(pad, "", StringComparison.Ordinal);
            if (cleans) text = JoinWordPieces.Clean(text).Replace(delimiter, " ", StringComparison.Ordinal);
            if (text.Length > 0) result.Add(Encoding.UTF8.GetBytes(text));
        }
        tokens.Clear();
        tokens.AddRange(result);
    }
}
