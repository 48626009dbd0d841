namespace Ashlar.Training;

/// <summary>Which data a run learns from and in which order: with the number of the step, all that resuming needs.</summary>
/// <param name="Kind">How rows are made: <c>windows</c> or <c>packed</c>.</param>
/// <param name="Seed">Of the order.</param>
/// <param name="Rows">Of a batch.</param>
/// <param name="Length">Tokens of a row.</param>
/// <param name="RowsPerEpoch">How many rows there are.</param>
/// <param name="Fingerprint">A checksum of the tokens.</param>
public sealed record DataState(string Kind, long Seed, int Rows, int Length, long RowsPerEpoch, uint Fingerprint);

/// <summary>Batches in a random order that is a function of the seed and the number of the batch alone.</summary>
/// <remarks>
/// So a run resumes exactly where it stood, and any batch can be looked at. Every epoch has all rows once, in an order of its
/// own. Thread-safe.
/// </remarks>
public abstract class Batches : IBatches
{
    readonly bool shuffle;

    private protected Batches(int rows, int length, long seed, bool shuffle)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        (Rows, Length, Seed, this.shuffle) = (rows, length, seed, shuffle);
    }

    /// <inheritdoc/>
    public int Rows { get; }

    /// <inheritdoc/>
    public int Length { get; }

    /// <summary>Which order.</summary>
    public long Seed { get; }

    /// <summary>How many rows an epoch has.</summary>
    public abstract long RowsPerEpoch { get; }

    /// <summary>How often all rows were seen before a batch: 1.5 is in the middle of the second time.</summary>
    public double Epochs(long number) => (double)number * Rows / RowsPerEpoch;

    /// <summary>Writes a batch; allocates nothing.</summary>
    /// <param name="number">Which one, from 0 on; there is no last one.</param>
    /// <param name="tokens">[B * T], row by row.</param>
    /// <param name="targets">[B * T]: what follows each token, or <see cref="IBatches.Ignored"/>.</param>
    /// <exception cref="ArgumentException">A span has not exactly B times T elements.</exception>
    public void Read(long number, Span<int> tokens, Span<int> targets)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(number);
        if (tokens.Length != Rows * Length || targets.Length != tokens.Length)
            throw new ArgumentException(
                $"a batch of {Rows} rows of {Length} tokens needs room for {Rows * Length}, but got {tokens.Length} and {targets.Length}.");
        for (int row = 0; row < Rows; row++)
        {
            long sample = checked(number * Rows + row), epoch = sample / RowsPerEpoch, place = sample % RowsPerEpoch;
            ulong key = Shuffle.Mix((ulong)Seed, (ulong)epoch);
            if (shuffle) place = new Shuffle(RowsPerEpoch, key)[place];
            ReadRow(place, shuffle ? key : null, tokens.Slice(row * Length, Length), targets.Slice(row * Length, Length));
        }
    }

    /// <summary>What identifies data and order, to be kept in a checkpoint beside the number of the batch.</summary>
    public DataState State => field ??= new(Kind, Seed, Rows, Length, RowsPerEpoch, Fingerprint());

    /// <summary>Fails where a run that is to be resumed had other data or another order.</summary>
    /// <param name="before">Of the checkpoint.</param>
    /// <exception cref="DataException">Something differs; the message names it.</exception>
    public void ThrowUnlessSame(DataState before)
    {
        ArgumentNullException.ThrowIfNull(before);
        if (before == State) return;
        var now = State;
        var differences = new List<string>();
        Compare("kind", before.Kind, now.Kind);
        Compare("seed", before.Seed, now.Seed);
        Compare("rows of a batch", before.Rows, now.Rows);
        Compare("context", before.Length, now.Length);
        Compare("rows of an epoch", before.RowsPerEpoch, now.RowsPerEpoch);
        if (differences.Count == 0) differences.Add("the tokens themselves");
        throw new DataException("ASH0437",
            $"the run was trained on other data than it is to go on with: {string.Join(", ", differences)}.",
            "resume with the same text, tokenizer, batch, context and seed, or begin a new run.");

        void Compare<T>(string name, T then, T now)
        {
            if (!Equals(then, now)) differences.Add($"{name} was {then}, is {now}");
        }
    }

    private protected abstract string Kind { get; }

    private protected abstract uint Fingerprint();

    /// <param name="row">Which one, below <see cref="RowsPerEpoch"/>.</param>
    /// <param name="key">A random number of the epoch; null where the order is not random.</param>
    /// <param name="tokens">[T]</param>
    /// <param name="targets">[T]</param>
    private protected abstract void ReadRow(long row, ulong? key, Span<int> tokens, Span<int> targets);
}
