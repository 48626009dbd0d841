using Ashlar.Models;

namespace Ashlar.Serving;

/// <summary>How a text goes on.</summary>
/// <param name="MostTokens">How many tokens at most.</param>
public sealed record GenerationOptions(int MostTokens = 256)
{
    /// <summary>How each token is chosen.</summary>
    public SamplingOptions Sampling { get; init; } = new(0);

    /// <summary>Which random numbers: equal seeds give equal texts on equal machines; null draws other ones each time.</summary>
    public long? Seed { get; init; }

    /// <summary>The text ends before one of these, which is not a part of it.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Tokens behind which the model has nothing more to say do not end the text.</summary>
    public bool IgnoreEnd { get; init; }

    /// <summary>For each token, how many of the likeliest are told with their probabilities; null tells none, 0 only that of the
    /// chosen one.</summary>
    public int? LogProbabilities { get; init; }
}

/// <summary>Why a text ended.</summary>
public enum FinishReason
{
    /// <summary>The model ended it, or a text of <see cref="GenerationOptions.Stop"/> came.</summary>
    Stop,
    /// <summary>It has as many tokens as it may, or as the context holds.</summary>
    Length,
}

/// <summary>A token as it was chosen.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Text">The characters that it completes; what may become a part of a stop text is held back.</param>
/// <param name="LogProbability">The logarithm of its probability; null unless it was asked for.</param>
/// <param name="Likeliest">The likeliest tokens at this place; empty unless they were asked for.</param>
/// <param name="Finish">Why the text ends here; null where it goes on.</param>
public sealed record GeneratedToken(int Id, string Text, double? LogProbability,
    IReadOnlyList<(int Token, double LogProbability)> Likeliest, FinishReason? Finish);
