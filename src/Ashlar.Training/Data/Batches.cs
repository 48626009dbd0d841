namespace Ashlar.Training;

/// <summary>Which data a run learns from and in which order: with the number of the step, all that resuming needs.</summary>
/// <param name="Kind">How rows are made: <c>windows</c> or <c>packed</c>.</param>
/// <param name="Seed">Of the order.</param>
/// <param name="BatchSize">Rows of a batch.</param>
/// <param name="Context">Tokens of a row.</param>
/// <param name="RowsPerEpoch">How many rows there are.</param>
/// <param name="Fingerprint">A checksum of the tokens.</param>
public sealed record DataState(string Kind, long Seed, int BatchSize, int Context, long RowsPerEpoch, uint Fingerprint);

/// <summary>Batches of inputs and targets for the steps of a training run.</summary>
/// <remarks>
/// The batch of a step is a function of the seed and the number of the step alone, so a run resumes exactly, and any step can be looked at. Every
/// epoch has all rows once, in an order of its own. Thread-safe.
/// </remarks>
public abstract class Batches
{
    /// <summary>The target of a position that does not count in the loss.</summary>
    public const int Ignored = -1;

    readonly bool shuffle;

    private protected Batches(int batchSize, int context, long seed, bool shuffle)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(batchSize);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(context);
        (BatchSize, Context, Seed, this.shuffle) = (batchSize, context, seed, shuffle);
    }

    /// <summary>B: rows of a batch.</summary>
    public int BatchSize { get; }

    /// <summary>T: tokens of a row.</summary>
    public int Context { get; }

    /// <summary>Which order.</summary>
    public long Seed { get; }

    /// <summary>How many rows an epoch has.</summary>
    public abstract long RowsPerEpoch { get; }

    /// <summary>How often all rows were seen before a step: 1.5 is in the middle of the second time.</summary>
    public double Epochs(long step) => (double)step * BatchSize / RowsPerEpoch;

    /// <summary>Fills in the batch of a step; allocates nothing.</summary>
    /// <param name="step">From 0 on.</param>
    /// <param name="inputs">[B, T], row-major.</param>
    /// <param name="targets">[B, T]: the token behind each input, or <see cref="Ignored"/>.</param>
    /// <exception cref="ArgumentException">A span has not exactly B times T elements.</exception>
    public void Fill(long step, Span<int> inputs, Span<int> targets)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        if (inputs.Length != BatchSize * Context || targets.Length != inputs.Length)
            throw new ArgumentException($"a batch of {BatchSize} rows of {Context} tokens needs {BatchSize * Context} inputs and targets, but got room for {inputs.Length} and {targets.Length}.");
        for (int row = 0; row < BatchSize; row++)
        {
            long sample = checked(step * BatchSize + row), epoch = sample / RowsPerEpoch, place = sample % RowsPerEpoch;
            ulong key = Shuffle.Mix((ulong)Seed, (ulong)epoch);
            if (shuffle) place = new Shuffle(RowsPerEpoch, key)[place];
            FillRow(place, shuffle ? key : null, inputs.Slice(row * Context, Context), targets.Slice(row * Context, Context));
        }
    }

    /// <summary>What identifies data and order, to be kept in a checkpoint beside the number of the step.</summary>
    public DataState State => field ??= new(Kind, Seed, BatchSize, Context, RowsPerEpoch, Fingerprint());

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
        Compare("batch", before.BatchSize, now.BatchSize);
        Compare("context", before.Context, now.Context);
        Compare("rows", before.RowsPerEpoch, now.RowsPerEpoch);
        if (differences.Count == 0) differences.Add("the tokens themselves");
        throw new DataException("ASH0437", $"the run was trained on other data than it is to go on with: {string.Join(", ", differences)}.", "resume with the same text, tokenizer, batch, context and seed, or begin a new run.");

        void Compare<T>(string name, T then, T now)
        {
            if (!Equals(then, now)) differences.Add($"{name} was {then}, is {now}");
        }
    }

    private protected abstract string Kind { get; }

    private protected abstract uint Fingerprint();

    /// <param name="row">Which one, below <see cref="RowsPerEpoch"/>.</param>
    /// <param name="key">A random number of the epoch; null where the order is not random.</param>
    /// <param name="inputs">[T]</param>
    /// <param name="targets">[T]</param>
    private protected abstract void FillRow(long row, ulong? key, Span<int> inputs, Span<int> targets);
}
