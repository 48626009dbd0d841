namespace Ashlar.Training;

/// <summary>Rows that are windows of one long text: T tokens, and as targets the same moved by one.</summary>
/// <remarks>
/// Each epoch cuts the text into windows that do not overlap, beginning at an offset of its own, so that what stands at the edge
/// of a window in one epoch stands within one in the next. Less than two windows per epoch are left out.
/// </remarks>
public sealed class WindowBatches : Batches
{
    readonly Tokens all;

    /// <summary>Batches of a text.</summary>
    /// <param name="tokens">At least one more than <paramref name="length"/>.</param>
    /// <param name="rows">B, of a batch.</param>
    /// <param name="length">T, tokens of a row.</param>
    /// <param name="seed">Which order.</param>
    /// <param name="shuffle">False takes the windows in the order of the text, always the same ones: for validation.</param>
    /// <exception cref="DataException">There are fewer tokens than one window needs.</exception>
    public WindowBatches(Tokens tokens, int rows, int length, long seed = 0, bool shuffle = true)
        : base(rows, length, seed, shuffle)
    {
        ArgumentNullException.ThrowIfNull(tokens);
        tokens.ThrowUnlessEnough(length, "to learn from");
        all = tokens;
        long windows = (tokens.Count - 1) / length;
        // one is given up, so that there is room to begin elsewhere
        RowsPerEpoch = shuffle && windows > 1 ? windows - 1 : windows;
    }

    /// <inheritdoc/>
    public override long RowsPerEpoch { get; }

    private protected override string Kind => "windows";

    private protected override uint Fingerprint() => all.Fingerprint();

    private protected override void ReadRow(long row, ulong? key, Span<int> tokens, Span<int> targets)
    {
        long offset = 0;
        if (key is { } random)
        {
            long room = all.Count - 1 - RowsPerEpoch * Length;
            offset = (long)(Shuffle.Mix(random, 1) % (ulong)(room + 1));
        }
        long start = offset + row * Length;
        all.Read(start, tokens);
        tokens[1..].CopyTo(targets);
        all.Read(start + Length, targets[^1..]);
    }
}
