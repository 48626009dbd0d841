using System.Buffers;
using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>Turns tokens into text as they come, without ever cutting a character in two.</summary>
/// <remarks>
/// A token may end within a character; its bytes are held back until the rest comes. Put together, the pieces equal
/// <see cref="Tokenizer.Decode"/> of all tokens. For one text and one thread.
/// </remarks>
public sealed class TokenDecoder(Tokenizer tokenizer)
{
    readonly ArrayBufferWriter<byte> bytes = new(64);
    readonly StringBuilder text = new();

    /// <summary>The characters that this token completes; empty where it completes none.</summary>
    /// <exception cref="TokenizerException">There is no such token.</exception>
    public string Add(int token)
    {
        bytes.Write(tokenizer.Bytes(token));
        return Take(isLast: false);
    }

    /// <summary>What is left at the end: U+FFFD where the last character is not whole, else nothing.</summary>
    public string Finish() => Take(isLast: true);

    string Take(bool isLast)
    {
        text.Clear();
        var left = bytes.WrittenSpan;
        Span<char> chars = stackalloc char[2];
        while (!left.IsEmpty)
        {
            var status = Rune.DecodeFromUtf8(left, out var rune, out int length);
            if (status == OperationStatus.NeedMoreData && !isLast) break;
            text.Append(chars[..rune.EncodeToUtf16(chars)]);   // U+FFFD for what is no UTF-8
            left = left[length..];
        }
        byte[] rest = left.ToArray();   // at most 3 bytes
        bytes.ResetWrittenCount();
        bytes.Write(rest);
        return text.ToString();
    }
}
