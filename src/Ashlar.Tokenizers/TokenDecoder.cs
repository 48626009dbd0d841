using System.Buffers;
using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>Turns tokens into text as they come, without ever cutting a character in two.</summary>
/// <remarks>
/// A token may end within a character; its bytes are held back until the rest comes. Put together, the pieces equal
/// <see cref="Tokenizer.Decode"/> of all tokens. For one text and one thread.
/// </remarks>
public sealed class TokenDecoder
{
    readonly Tokenizer tokenizer;
    readonly bool skipsSpecial;
    readonly List<int>? all;    // where text comes only at the end
    readonly ByteBuffer bytes = new();
    readonly StringBuilder text = new();
    bool isFirst;
    int leads;                  // how many leading characters may still be taken away

    /// <summary>A decoder for one text.</summary>
    /// <param name="tokenizer">Whose tokens come.</param>
    /// <param name="skipsSpecial">Special tokens stand for nothing.</param>
    /// <param name="continues">
    /// The tokens follow others, so that a blank with which the first begins is kept. Text that a model makes behind a prompt
    /// is such.
    /// </param>
    public TokenDecoder(Tokenizer tokenizer, bool skipsSpecial = false, bool continues = false)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        (this.tokenizer, this.skipsSpecial, isFirst) = (tokenizer, skipsSpecial, !continues);
        leads = continues ? 0 : tokenizer.Decoding?.Lead?.Start ?? 0;
        all = tokenizer.Decoding is { NeedsAll: true } ? [] : null;
    }

    /// <summary>The characters that this token completes; empty where it completes none.</summary>
    /// <exception cref="TokenizerException">There is no such token.</exception>
    public string Add(int token)
    {
        if (!Take(token)) return "";
        return Characters(isLast: false);
    }

    /// <summary>What is left at the end: U+FFFD where the last character is not whole, else nothing.</summary>
    /// <remarks>Of the few kinds of tokenizers that need all tokens for any text, here comes all text.</remarks>
    public string Finish()
    {
        if (all is { Count: > 0 })
        {
            bytes.Add(tokenizer.Decoding!.Whole(all.Select(token => tokenizer.Text(token))));
            all.Clear();
        }
        return Characters(isLast: true);
    }

    /// <summary>The text of all tokens.</summary>
    internal string All(ReadOnlySpan<int> tokens)
    {
        foreach (int token in tokens) Take(token);
        return Finish();
    }

    bool Take(int token)
    {
        if (skipsSpecial && tokenizer.IsSpecial(token)) return false;
        if (all is not null)
        {
            _ = tokenizer.Bytes(token);   // throws where there is no such token
            all.Add(token);
            return false;
        }
        var piece = isFirst && tokenizer.Decoding?.Bytes(token, isFirst: true) is { } first ? first : tokenizer.Bytes(token);
        isFirst = false;
        if (leads > 0 && bytes.Length == 0)
        {
            byte[] lead = tokenizer.Decoding!.Lead!.Character;
            for (; leads > 0 && piece.StartsWith(lead); leads--) piece = piece[lead.Length..];
            if (!piece.IsEmpty) leads = 0;
        }
        bytes.Add(piece);
        return true;
    }

    string Characters(bool isLast)
    {
        text.Clear();
        var left = bytes.Span;
        Span<char> chars = stackalloc char[2];
        while (!left.IsEmpty)
        {
            var status = Rune.DecodeFromUtf8(left, out var rune, out int length);
            if (status == OperationStatus.NeedMoreData && !isLast) break;
            text.Append(chars[..rune.EncodeToUtf16(chars)]);   // U+FFFD for what is no UTF-8
            left = left[length..];
        }
        bytes.Drop(bytes.Length - left.Length);   // at most 3 bytes stay
        return text.ToString();
    }
}
