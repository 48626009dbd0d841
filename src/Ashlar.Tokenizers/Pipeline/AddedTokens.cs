using System.Buffers;
using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>Finds added tokens in text: the leftmost, and of those that begin there the longest.</summary>
sealed class AddedTokens
{
    readonly AddedToken[] tokens;
    readonly ByteTrie trie = new();
    readonly SearchValues<byte> first;

    /// <param name="entries">The tokens, and what is looked for.</param>
    public AddedTokens(IEnumerable<(AddedToken Token, byte[] Text)> entries)
    {
        (AddedToken Token, byte[] Text)[] all = [.. entries.Where(entry => entry.Text.Length > 0)];
        tokens = [.. all.Select(entry => entry.Token)];
        for (int i = 0; i < all.Length; i++) trie.Add(all[i].Text, i);
        first = SearchValues.Create(all.Select(entry => entry.Text[0]).Distinct().ToArray());
    }

    public bool IsEmpty => tokens.Length == 0;

    /// <summary>The next added token.</summary>
    /// <param name="utf8">The text.</param>
    /// <param name="from">Where to begin; what is before is taken.</param>
    /// <param name="start">Where it begins, with the white space that it takes.</param>
    /// <param name="end">Where it ends, with the white space that it takes.</param>
    /// <param name="token">Which it is.</param>
    public bool TryFind(ReadOnlySpan<byte> utf8, int from, out int start, out int end, out AddedToken? token)
    {
        for (int at = from; tokens.Length > 0; at++)
        {
            int step = utf8[at..].IndexOfAny(first);
            if (step < 0) break;
            at += step;
            if (!trie.TryLongest(utf8[at..], out int length, out int index)) continue;
            token = tokens[index];
            (start, end) = (at, at + length);
            if (token.IsSingleWord && (IsWordBefore(utf8, start) || IsWordAt(utf8, end)))
            {
                at = end - 1;
                continue;
            }
            if (token.StripsLeft)
                while (start > from && IsSpaceBefore(utf8[from..start], out int space)) start -= space;
            if (token.StripsRight)
                while ((CharacterKinds.At(utf8, end, out int space) & CharacterKinds.Spaces) != 0) end += space;
            return true;
        }
        (start, end, token) = (0, 0, null);
        return false;
    }

    static bool IsWordAt(ReadOnlySpan<byte> utf8, int at) => (CharacterKinds.At(utf8, at, out _) & CharacterKinds.Word) != 0;

    static bool IsWordBefore(ReadOnlySpan<byte> utf8, int at) =>
        Rune.DecodeLastFromUtf8(utf8[..at], out var character, out _) == OperationStatus.Done
            && (CharacterKinds.Of(character.Value) & CharacterKinds.Word) != 0;

    static bool IsSpaceBefore(ReadOnlySpan<byte> utf8, out int length) =>
        Rune.DecodeLastFromUtf8(utf8, out var character, out length) == OperationStatus.Done
        && (CharacterKinds.Of(character.Value) & CharacterKinds.Spaces) != 0;
}
