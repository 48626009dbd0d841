namespace Ashlar.Tokenizers;

/// <summary>One token per byte of UTF-8: 256 tokens, every text can be encoded, nothing is to be trained.</summary>
public sealed class ByteTokenizer : Tokenizer
{
    static readonly byte[] all = [.. Enumerable.Range(0, 256).Select(value => (byte)value)];

    /// <inheritdoc/>
    public override string Kind => "byte";

    /// <inheritdoc/>
    public override int VocabularySize => 256;

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Bytes(int token) => (uint)token < 256 ? all.AsSpan(token, 1) : throw NoSuchToken(token);

    /// <summary>The tokenizer as a <c>tokenizer.json</c>: a byte-level BPE of 256 tokens without merges.</summary>
    public override byte[] ToJson() =>
        TokenizerJson.WriteBpe([.. all.Select(value => new[] { value })], [], [], splitWords: false);

    private protected override void EncodeUtf8(ReadOnlySpan<byte> utf8, List<int> tokens, bool addSpecial, bool parseSpecial)
    {
        foreach (byte value in utf8) tokens.Add(value);
    }
}
