namespace Ashlar.Tokenizers;

/// <summary>Finds the places of a pattern in a text, one behind the other: a regular expression, or what stands for
/// one.</summary>
abstract class Matcher
{
    /// <summary>The next match that begins at a place or behind it, and is not empty.</summary>
    public abstract bool Find(ReadOnlySpan<byte> utf8, int from, out int start, out int end);

    /// <summary>Adds all matches in a part of a text.</summary>
    public virtual void FindAll(ReadOnlySpan<byte> utf8, List<(int Start, int End)> matches)
    {
        for (int at = 0; at < utf8.Length && Find(utf8, at, out int start, out int end); at = end) matches.Add((start, end));
    }
}

/// <summary>A pattern that says at each place what begins there.</summary>
abstract class WordMatcher : Matcher
{
    /// <returns>Where the match that begins here ends; the same place where none begins.</returns>
    public abstract int End(ReadOnlySpan<byte> utf8, int start);

    /// <inheritdoc/>
    public sealed override bool Find(ReadOnlySpan<byte> utf8, int from, out int start, out int end)
    {
        for (start = from; start < utf8.Length;)
        {
            end = End(utf8, start);
            if (end > start) return true;
            CharacterKinds.CharacterAt(utf8, start, out int length);
            start += length;
        }
        end = start;
        return false;
    }
}
