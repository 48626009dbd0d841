namespace Ashlar.Serving;

/// <summary>A text that an engine reads: its tokens so far, and the pages of the cache that hold them.</summary>
/// <remarks>Dispose it to give the pages back. For one thread at a time.</remarks>
public sealed class TextState : IDisposable
{
    readonly Engine engine;
    const int MostReserved = 1 << 16;   // tokens of a list that is made at once: those of longer texts grow

    readonly List<int> tokens, pages;

    internal TextState(Engine engine, int length)
    {
        (this.engine, Length) = (engine, length);
        int reserved = Math.Clamp(length, 1, Math.Min(engine.MostTokens, MostReserved));
        (tokens, pages) = (new(reserved), new(reserved / PageLayout.Tokens + 1));
    }

    /// <summary>The tokens that the cache holds.</summary>
    public IReadOnlyList<int> Tokens => tokens;

    /// <summary>How many they are.</summary>
    public int Count => tokens.Count;

    /// <summary>How long the text is expected to become at most; long-context models choose their positions by it.</summary>
    public int Length { get; }

    internal List<int> Pages => pages;

    internal bool IsDisposed { get; private set; }

    internal void Append(ReadOnlySpan<int> added) => tokens.AddRange(added);

    /// <summary>Forgets the end of the text: what is read next follows the first <paramref name="count"/> tokens.</summary>
    /// <param name="count">How many tokens are kept, at most <see cref="Count"/>.</param>
    public void Truncate(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, tokens.Count);
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        tokens.RemoveRange(count, tokens.Count - count);
        engine.Shrink(this);
    }

    /// <summary>Gives the pages back.</summary>
    public void Dispose()
    {
        if (IsDisposed) return;
        tokens.Clear();
        engine.Shrink(this);
        IsDisposed = true;
    }
}
