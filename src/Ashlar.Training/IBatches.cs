namespace Ashlar.Training;

/// <summary>Batches of tokens, each a function of its number alone: a training that resumes sees what it would have
/// seen.</summary>
/// <remarks>B rows, T tokens each.</remarks>
public interface IBatches
{
    /// <summary>The target of tokens that do not count in the loss.</summary>
    const int Ignored = -1;

    /// <summary>Rows of a batch: B.</summary>
    int Rows { get; }

    /// <summary>Tokens of a row: T.</summary>
    int Length { get; }

    /// <summary>Writes a batch.</summary>
    /// <param name="number">Which one, from 0 on; there is no last one.</param>
    /// <param name="tokens">[B * T], row by row.</param>
    /// <param name="targets">[B * T]: what follows each token, or <see cref="Ignored"/>.</param>
    void Read(long number, Span<int> tokens, Span<int> targets);
}
