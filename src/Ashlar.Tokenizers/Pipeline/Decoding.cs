namespace Ashlar.Tokenizers;

/// <summary>From tokens to bytes: what each stands for, within a text and at its start.</summary>
/// <remarks>
/// Where all steps look at each token alone, or at the start of the text, text comes out token by token. Where a step needs all
/// tokens (the mark of the end of a word, classification of frames), it comes at the end.
/// </remarks>
sealed class Decoding
{
    readonly Vocabulary vocabulary;
    readonly DecoderPart[] parts;
    readonly PerTokenPart[]? perToken;   // null where a step needs all tokens
    readonly byte[]?[] known;

    /// <param name="vocabulary">The texts of the tokens.</param>
    /// <param name="parts">One step behind the other; none leaves the texts as they are.</param>
    public Decoding(Vocabulary vocabulary, IReadOnlyList<DecoderPart> parts)
    {
        (this.vocabulary, this.parts) = (vocabulary, [.. parts]);
        known = new byte[]?[vocabulary.Count];
        int fuse = Array.FindIndex(this.parts, part => part.Fuses);
        var before = fuse < 0 ? this.parts : this.parts[..fuse];
        var behind = fuse < 0 ? [] : this.parts[(fuse + 1)..].Where(part => !part.Fuses).ToArray();
        // A single text is left as it is by a fallback to bytes, and stripped at its start while it comes.
        bool streams = before.All(part => part.IsPerToken) && behind is [] or [StripCharacter { Stop: 0 }];
        if (!streams) return;
        perToken = [.. before.Cast<PerTokenPart>()];
        Lead = behind is [StripCharacter strip] ? strip : null;
    }

    /// <summary>What is taken from the start of the text; null for nothing.</summary>
    public StripCharacter? Lead { get; }

    /// <summary>True where text comes out only when all tokens are there.</summary>
    public bool NeedsAll => perToken is null;

    /// <summary>What a token stands for; null where there is no such token.</summary>
    public byte[]? Bytes(int token, bool isFirst)
    {
        if (vocabulary[token] is not { } text) return null;
        if (isFirst) return Change(text, isFirst: true);
        return known[token] ??= perToken is { Length: 0 } ? text : Change(text, isFirst: false);
    }

    /// <summary>All at once.</summary>
    public byte[] Whole(IEnumerable<byte[]> texts)
    {
        List<byte[]> list = [.. texts];
        foreach (var part in parts) part.Apply(list);
        return [.. list.SelectMany(text => text)];
    }

    byte[] Change(byte[] text, bool isFirst)
    {
        foreach (var part in perToken ?? []) text = part.Apply(text, isFirst);
        return text;
    }
}
