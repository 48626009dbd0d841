namespace Ashlar.Training;

/// <summary>How long a <see cref="Trainer"/> trains, and what it does on the way.</summary>
public sealed record TrainerOptions
{
    /// <summary>Updates until the end, those before a resume included.</summary>
    public required long Steps { get; init; }

    /// <summary>Steps between validations; the last step is followed by one too. Null: none.</summary>
    public long? EvaluateEvery { get; init; } = 250;

    /// <summary>Batches of a validation.</summary>
    public int EvaluationBatches { get; init; } = 20;

    /// <summary>Steps between checkpoints; the last step is followed by one too. Null: only that one.</summary>
    public long? SaveEvery { get; init; }

    /// <summary>The greatest global norm of the gradients; infinity leaves them as they are.</summary>
    public double ClipNorm { get; init; } = 1;

    /// <summary>
    /// The 16-bit float that the operands of products are rounded to, gradients' and validations' included; null: none.
    /// Weights, their moments and all sums stay float32.
    /// </summary>
    public DType? Products { get; init; }

    /// <summary>Batches whose gradients are averaged for one update.</summary>
    public int Accumulate { get; init; } = 1;

    /// <summary>Operations that a token costs, forward and backward, for the share of the machine's peak; null:
    /// unknown.</summary>
    public double? FlopsPerToken { get; init; }

    /// <summary>The measured peak of the machine, in operations per second; null: unknown.</summary>
    public double? PeakFlopsPerSecond { get; init; }
}

/// <summary>What a step gave.</summary>
/// <param name="Step">Updates made, this one included.</param>
/// <param name="Loss">Before the update.</param>
/// <param name="GradientNorm">The global norm of the gradients, before clipping.</param>
/// <param name="LearningRate">Of this update.</param>
/// <param name="TokensPerSecond">Over the last seconds.</param>
/// <param name="Utilisation">The model's operations as a share of the machine's peak; null where either is unknown.</param>
/// <param name="Elapsed">Since this run began, validations and checkpoints included.</param>
/// <param name="Remaining">Until the last step, at the speed of the last seconds; null until there is one.</param>
public sealed record StepReport(
    long Step, float Loss, float GradientNorm, double LearningRate, double TokensPerSecond, double? Utilisation, TimeSpan Elapsed,
    TimeSpan? Remaining);

/// <summary>What a validation gave.</summary>
/// <param name="Step">Updates made before it.</param>
/// <param name="Loss">The mean over its batches.</param>
/// <param name="IsBest">Lower than all before it, those before a resume included.</param>
public sealed record EvaluationReport(long Step, double Loss, bool IsBest);

/// <summary>How a training ended.</summary>
/// <param name="Step">Updates made, those before a resume included.</param>
/// <param name="Loss">Of the last step; null where none was made.</param>
/// <param name="Evaluation">The last validation; null where there was none.</param>
/// <param name="IsComplete">False where it was cancelled before the last step.</param>
/// <param name="Elapsed">How long this run took.</param>
public sealed record TrainingResult(long Step, float? Loss, EvaluationReport? Evaluation, bool IsComplete, TimeSpan Elapsed);
