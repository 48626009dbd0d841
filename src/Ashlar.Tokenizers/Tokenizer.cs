using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace Ashlar.Tokenizers;

/// <summary>Text to tokens and back. Every token stands for a fixed sequence of bytes; text is UTF-8.</summary>
/// <remarks>
/// Decoding what was encoded gives the same text, for every text that can be encoded. Immutable and thread-safe. A tokenizer is
/// kept as a <c>tokenizer.json</c> in the layout of Hugging Face: <see cref="ToJson"/> and <see cref="FromJson"/>.
/// </remarks>
public abstract class Tokenizer
{
    // The strict form: half of a surrogate pair is an error, not a question mark.
    static readonly UTF8Encoding strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>What kind of tokenizer this is, as one word for people: <c>byte</c>, <c>character</c>, <c>bpe</c>.</summary>
    public abstract string Kind { get; }

    /// <summary>Every token is less than this.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>The bytes that a token stands for; a part of a character, one, or several.</summary>
    /// <exception cref="TokenizerException">There is no such token.</exception>
    public abstract ReadOnlySpan<byte> Bytes(int token);

    /// <summary>The tokens of a text.</summary>
    /// <exception cref="TokenizerException">
    /// The text holds half of a surrogate pair, or a character that has no token.
    /// </exception>
    public int[] Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        byte[] bytes = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(text.Length));
        try
        {
            int length = strict.GetBytes(text, bytes);
            var tokens = new List<int>(length / 3 + 4);
            EncodeUtf8(bytes.AsSpan(0, length), tokens);
            return [.. tokens];
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
    /// <exception cref="TokenizerException">The bytes are not UTF-8, or hold a character that has no token.</exception>
    public void Encode(ReadOnlySpan<byte> utf8, List<int> tokens)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        if (!Utf8.IsValid(utf8))
            throw new TokenizerException("ASH0445",
                $"the text is not UTF-8 at byte {FirstInvalid(utf8)}.",
                "read text files with TextFile, which names the place in the file.");
        EncodeUtf8(utf8, tokens);
    }

    /// <summary>The text of tokens. Bytes that are no UTF-8 become U+FFFD, as a model may emit any tokens.</summary>
    /// <exception cref="TokenizerException">A token does not exist.</exception>
    public string Decode(ReadOnlySpan<int> tokens)
    {
        var bytes = new ArrayBufferWriter<byte>(tokens.Length * 4 + 16);
        foreach (int token in tokens) bytes.Write(Bytes(token));
        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }

    /// <summary>Decodes token by token, for text that is shown while it is made.</summary>
    public TokenDecoder Decoder() => new(this);

    /// <summary>The tokenizer as a <c>tokenizer.json</c>.</summary>
    public abstract byte[] ToJson();

    /// <summary>
    /// The tokenizer of a <c>tokenizer.json</c>: byte-level BPE, bytes or characters, as <see cref="ToJson"/> writes them.
    /// </summary>
    /// <param name="json">The content of the file, UTF-8.</param>
    /// <param name="source">What errors call it.</param>
    /// <exception cref="TokenizerException">It is not well formed, or of a kind that is not supported.</exception>
    public static Tokenizer FromJson(ReadOnlyMemory<byte> json, string source = "tokenizer.json") =>
        TokenizerJson.Read(json, source);

    /// <summary>Reads a <c>tokenizer.json</c>.</summary>
    /// <exception cref="TokenizerException">It is missing, not well formed, or of a kind that is not supported.</exception>
    public static Tokenizer Load(string path)
    {
        try
        {
            return FromJson(File.ReadAllBytes(path), path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new TokenizerException("ASH0441",
                $"{path} could not be opened: {error.Message.TrimEnd('.')}.",
                "name a folder or file with a tokenizer; training writes one beside the model.");
        }
    }

    /// <summary>Encodes text that was found to be UTF-8.</summary>
    private protected abstract void EncodeUtf8(ReadOnlySpan<byte> utf8, List<int> tokens);

    private protected TokenizerException NoSuchToken(int token) => new("ASH0443",
        $"the token {token} does not exist; this {Kind} tokenizer has {VocabularySize:N0}.", "decode with the tokenizer that the model was trained with.");

    static int FirstInvalid(ReadOnlySpan<byte> utf8)
    {
        int at = 0;
        while (Rune.DecodeFromUtf8(utf8[at..], out _, out int length) == OperationStatus.Done) at += length;
        return at;
    }
}
