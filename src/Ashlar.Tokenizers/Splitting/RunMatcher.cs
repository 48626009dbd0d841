namespace Ashlar.Tokenizers;

/// <summary>Runs of characters of one class: <c>\p{N}{1,3}</c>, <c>\s?\p{L}+</c>, <c>[\r\n]</c>.</summary>
/// <param name="holds">True for characters of the class.</param>
sealed class RunMatcher(Func<int, bool> holds) : WordMatcher
{
    /// <summary>The most characters of a run.</summary>
    public int Most { get; init; } = int.MaxValue;

    /// <summary>A character of white space may lead.</summary>
    public bool SpaceMayLead { get; init; }

    /// <summary>The run reaches to the end of the text.</summary>
    public bool AtEnd { get; init; }

    /// <summary>Runs of kinds of characters.</summary>
    public static RunMatcher Of(uint kinds, int most = int.MaxValue) =>
        new(character => (CharacterKinds.Of(character) & kinds) != 0)
        {
            Most = most,
        };

    /// <inheritdoc/>
    public override int End(ReadOnlySpan<byte> utf8, int start)
    {
        int at = start;
        if (SpaceMayLead && (CharacterKinds.At(utf8, start, out int lead) & CharacterKinds.Spaces) != 0
            && Run(utf8, start + lead) is var behind && behind > start + lead) at = behind;
        if (at == start) at = Run(utf8, start);
        return AtEnd && at < utf8.Length ? start : at;
    }

    int Run(ReadOnlySpan<byte> utf8, int at)
    {
        for (int count = 0; at < utf8.Length && count < Most; count++)
        {
            if (!holds(CharacterKinds.CharacterAt(utf8, at, out int length))) break;
            at += length;
        }
        return at;
    }
}
