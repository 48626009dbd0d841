namespace Ashlar;

/// <summary>What attention over a paged cache does besides.</summary>
/// <param name="Scale">Scores are multiplied by it.</param>
/// <param name="Window">A token sees so many tokens at most, itself included; null sees all before it.</param>
/// <param name="Softcap">Scores become <c>cap * tanh(score / cap)</c>; null leaves them.</param>
/// <param name="HasSinks">Each head has a learned score that takes part in the softmax and has no value.</param>
public sealed record PagedAttentionOptions(double Scale, int? Window = null, double? Softcap = null, bool HasSinks = false);
