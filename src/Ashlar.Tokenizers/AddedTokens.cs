using System.Buffers;
using System.Text;

namespace Ashlar.Tokenizers;

/// <summary>Finds added tokens in text: the leftmost, and of those that begin there the longest.</summary>
sealed class AddedTokens
{
    readonly (byte[] Text, AddedToken Token)[] byLength;
    readonly SearchValues<byte> first;

    public AddedTokens(AddedToken[] all)
    {
        All = all;
        byLength = [.. all.Where(token => token.Text.Length > 0).Select(token => (Text: Encoding.UTF8.GetBytes(token.Text), token))
            .OrderByDescending(entry => entry.Text.Length)];
        first = SearchValues.Create(byLength.Select(entry => entry.Text[0]).Distinct().ToArray());
    }

    public AddedToken[] All { get; }

    /// <returns>Where it begins, which it is, and how many bytes it has; null where there is none.</returns>
    public (int At, AddedToken Token, int Length)? Find(ReadOnlySpan<byte> utf8)
    {
        for (int at = 0; byLength.Length > 0; at++)
        {
            int step = utf8[at..].IndexOfAny(first);
            if (step < 0) return null;
            at += step;
            foreach (var (text, token) in byLength)
                if (utf8[at..].StartsWith(text)) return (at, token, text.Length);
        }
        return null;
    }
}
