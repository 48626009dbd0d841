using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace Ashlar.Tokenizers;

/// <summary>Text to tokens and back. Text is UTF-8; tokens are numbers from 0.</summary>
/// <remarks>
/// Immutable and thread-safe. Encoding allocates nothing per token once words are known. Text that is no text (half of a
/// surrogate pair, bytes that are no UTF-8) is an error that says where, as no reference agrees with another on what it means.
/// </remarks>
public abstract class Tokenizer
{
    // The strict form: half of a surrogate pair is an error, not a question mark.
    static readonly UTF8Encoding strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>
    /// What kind of tokenizer this is, as one word for people: <c>byte</c>, <c>character</c>, <c>bpe</c>, <c>unigram</c>,
    /// <c>wordpiece</c>, <c>wordlevel</c>.
    /// </summary>
    public abstract string Kind { get; }

    /// <summary>Every token is less than this.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>The bytes that a token stands for within a text; a part of a character, one, or several.</summary>
    /// <exception cref="TokenizerException">There is no such token.</exception>
    public abstract ReadOnlySpan<byte> Bytes(int token);

    /// <summary>The text of a token as the file of the tokenizer writes it, marks for blanks and bytes included.</summary>
    /// <exception cref="TokenizerException">There is no such token.</exception>
    public virtual string Name(int token) => Encoding.UTF8.GetString(Bytes(token));

    /// <summary>The token of a text that a file writes so, such as <c>&lt;|im_end|&gt;</c>; null where there is none.</summary>
    public virtual int? Find(string name)
    {
        for (int token = 0; token < VocabularySize; token++)
            if (Has(token) && Name(token) == name) return token;
        return null;
    }

    /// <summary>True where the number is used.</summary>
    public virtual bool Has(int token) => (uint)token < (uint)VocabularySize;

    /// <summary>True for a sign to the model that is not text: the begin or end of a text, the turn of a speaker.</summary>
    public virtual bool IsSpecial(int token) => false;

    /// <summary>Tokens that are found in text as a whole.</summary>
    public virtual IReadOnlyList<AddedToken> Added => [];

    /// <summary>The tokens that <c>addSpecial</c> writes before a text.</summary>
    public virtual IReadOnlyList<int> Before => [];

    /// <summary>The tokens that <c>addSpecial</c> writes behind a text.</summary>
    public virtual IReadOnlyList<int> Behind => [];

    /// <summary>The tokens of a text.</summary>
    /// <param name="text">Any length.</param>
    /// <param name="addSpecial">Writes what the model expects around a text, such as the token that begins one.</param>
    /// <param name="parseSpecial">
    /// True finds special tokens written in the text; false takes them as text, which is right for text from strangers.
    /// </param>
    /// <exception cref="TokenizerException">
    /// The text holds half of a surrogate pair, or a character that has no token.
    /// </exception>
    public int[] Encode(string text, bool addSpecial = false, bool parseSpecial = true)
    {
        ArgumentNullException.ThrowIfNull(text);
        var tokens = new List<int>(text.Length / 3 + 4);
        Encode(text, tokens, addSpecial, parseSpecial);
        return [.. tokens];
    }

    /// <summary>Appends the tokens of a text to a list.</summary>
    /// <inheritdoc cref="Encode(string, bool, bool)"/>
    public void Encode(ReadOnlySpan<char> text, List<int> tokens, bool addSpecial = false, bool parseSpecial = true)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        byte[] bytes = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(text.Length));
        try
        {
            int length = strict.GetBytes(text, bytes);
            EncodeUtf8(bytes.AsSpan(0, length), tokens, addSpecial, parseSpecial);
        }
        catch (EncoderFallbackException error)
        {
            throw new TokenizerException("ASH0445",
                $"the text holds half of a surrogate pair at char {error.Index}, which is no character.",
                "pass text that is whole; do not cut strings between two halves of a pair.");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    /// <summary>Appends the tokens of a text to a list.</summary>
    /// <param name="utf8">The text, without a byte order mark.</param>
    /// <param name="tokens">Keeps what it holds.</param>
    /// <param name="addSpecial">Writes what the model expects around a text, such as the token that begins one.</param>
    /// <param name="parseSpecial">True finds special tokens written in the text; false takes them as text.</param>
    /// <exception cref="TokenizerException">The bytes are not UTF-8, or hold a character that has no token.</exception>
    public void Encode(ReadOnlySpan<byte> utf8, List<int> tokens, bool addSpecial = false, bool parseSpecial = true)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        if (!Utf8.IsValid(utf8))
            throw new TokenizerException("ASH0445",
                $"the text is not UTF-8 at byte {FirstInvalid(utf8)}.",
                "read text files with TextFile, which names the place in the file.");
        EncodeUtf8(utf8, tokens, addSpecial, parseSpecial);
    }

    /// <summary>The text of tokens. Bytes that are no UTF-8 become U+FFFD, as a model may emit any tokens.</summary>
    /// <param name="tokens">In order.</param>
    /// <param name="skipSpecial">Special tokens stand for nothing.</param>
    /// <exception cref="TokenizerException">A token does not exist.</exception>
    public string Decode(ReadOnlySpan<int> tokens, bool skipSpecial = false) => new TokenDecoder(this, skipSpecial).All(tokens);

    /// <summary>Decodes token by token, for text that is shown while it is made.</summary>
    /// <param name="skipSpecial">Special tokens stand for nothing.</param>
    /// <param name="continues">The tokens follow others, so that a blank with which the first begins is kept.</param>
    public TokenDecoder Decoder(bool skipSpecial = false, bool continues = false) => new(this, skipSpecial, continues);

    /// <summary>The tokenizer as a <c>tokenizer.json</c>.</summary>
    /// <exception cref="TokenizerException">It was read from a file of another kind.</exception>
    public abstract byte[] ToJson();

    /// <summary>The tokenizer of a <c>tokenizer.json</c>.</summary>
    /// <param name="json">The content of the file, UTF-8.</param>
    /// <param name="source">What errors call it.</param>
    /// <exception cref="TokenizerException">It is not well formed, or of a kind that is not supported.</exception>
    public static Tokenizer FromJson(ReadOnlyMemory<byte> json, string source = "tokenizer.json") =>
        TokenizerJson.Read(json, source);

    /// <summary>Reads a <c>tokenizer.json</c>.</summary>
    /// <exception cref="TokenizerException">It is missing, not well formed, or of a kind that is not supported.</exception>
    public static Tokenizer Load(string path) => FromJson(SmallFile.Read(path), path);

    /// <summary>How tokens become text; null where each stands for its bytes.</summary>
    internal virtual Decoding? Decoding => null;

    /// <summary>The bytes of a token as the file has them.</summary>
    internal virtual byte[] Text(int token) => Bytes(token).ToArray();

    /// <summary>Encodes text that was found to be UTF-8.</summary>
    private protected abstract void EncodeUtf8(ReadOnlySpan<byte> utf8, List<int> tokens, bool addSpecial, bool parseSpecial);

    private protected TokenizerException NoSuchToken(int token) => new("ASH0443",
        $"the token {token} does not exist; this {Kind} tokenizer has {VocabularySize:N0}.",
        "decode with the tokenizer that the model was trained with.");

    static int FirstInvalid(ReadOnlySpan<byte> utf8)
    {
        int at = 0;
        while (Rune.DecodeFromUtf8(utf8[at..], out _, out int length) == OperationStatus.Done) at += length;
        return at;
    }
}
