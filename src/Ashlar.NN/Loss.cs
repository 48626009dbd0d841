namespace Ashlar.NN;

/// <summary>How wrong a prediction is, as one number to make small: the mean over all that was predicted.</summary>
/// <remarks>Losses of 16-bit predictions are computed in float32.</remarks>
public static class Loss
{
    /// <summary>The mean negative logarithm of the probability that softmax gives to the target.</summary>
    /// <param name="logits">[..., V], unnormalised.</param>
    /// <param name="targets">[...], integers from 0 to below V.</param>
    /// <param name="ignore">Rows of this target do not count, neither in the sum nor in the mean; the target may lie outside of
    /// V.</param>
    /// <param name="smoothing">
    /// The share of probability that the truth spreads evenly over all V classes, from 0 to 1 (Szegedy et al. 2015,
    /// arXiv:1512.00567).
    /// </param>
    /// <returns>A scalar; 0 where every row is ignored.</returns>
    /// <exception cref="ShapeException">The targets are not one per row of logits.</exception>
    public static Tensor CrossEntropy(Tensor logits, Tensor targets, long? ignore = null, double smoothing = 0)
    {
        if (smoothing is < 0 or > 1) throw new ArgumentOutOfRangeException(nameof(smoothing), smoothing, "must be from 0 to 1.");
        logits = Wide(logits);
        if (smoothing == 0) return logits.CrossEntropy(targets, ignore);
        if (ignore is not { } ignored) return Smooth(targets).Mean();
        var counts = targets.NotEqualTo(ignored);
        var rows = Smooth(Tensor.Where(counts, targets, targets.ZerosLike()));
        return Tensor.Where(counts, rows, rows.ZerosLike()).Sum() / counts.Cast(rows.DType).Sum().Maximum(1);

        Tensor Smooth(Tensor known) =>
            logits.CrossEntropyRows(known) * (1 - smoothing) - logits.LogSoftmax().Mean(-1) * smoothing;
    }

    /// <summary>
    /// <see cref="CrossEntropy"/> of <c>hidden.MatMul(weight.Transpose())</c>, without keeping those logits: for large
    /// vocabularies, whose logits take more memory than all else.
    /// </summary>
    /// <param name="hidden">[..., W], what a model knows before its head.</param>
    /// <param name="weight">[V, W], the head's matrix: a row per class.</param>
    /// <param name="targets">[...], integers from 0 to below V.</param>
    /// <param name="ignore">As <see cref="CrossEntropy"/> has it.</param>
    /// <returns>A scalar; 0 where every row is ignored.</returns>
    /// <remarks><see cref="LargeVocabulary"/> says what it costs. Source: Wijmans et al. 2024, arXiv:2411.09009.</remarks>
    /// <exception cref="ShapeException">The widths differ, or there is not one target per row.</exception>
    public static Tensor ProjectedCrossEntropy(Tensor hidden, Tensor weight, Tensor targets, long? ignore = null)
    {
        ArgumentNullException.ThrowIfNull(hidden);
        ArgumentNullException.ThrowIfNull(targets);
        if (ignore is not { } ignored) return hidden.ProjectedCrossEntropyRows(weight, targets).Mean();
        var counts = targets.NotEqualTo(ignored);
        var rows = hidden.ProjectedCrossEntropyRows(weight, Tensor.Where(counts, targets, targets.ZerosLike()));
        return Tensor.Where(counts, rows, rows.ZerosLike()).Sum() / counts.Cast(rows.DType).Sum().Maximum(1);
    }

    /// <summary>The mean of <c>(prediction - target)²</c>.</summary>
    /// <param name="predictions">[...]</param>
    /// <param name="targets">[...], of the same shape.</param>
    /// <returns>A scalar.</returns>
    /// <exception cref="ModelException">The shapes differ.</exception>
    public static Tensor MeanSquaredError(Tensor predictions, Tensor targets)
    {
        Check("MeanSquaredError", predictions, targets);
        return (Wide(predictions) - Wide(targets)).Square().Mean();
    }

    /// <summary>The mean negative logarithm of the probability that each sigmoid gives to its truth.</summary>
    /// <param name="logits">[...], unnormalised: the sigmoid is part of the loss, and cannot overflow.</param>
    /// <param name="targets">[...], of the same shape; from 0 to 1.</param>
    /// <returns>A scalar: the mean of <c>log(1 + exp(x)) - x t</c>.</returns>
    /// <exception cref="ModelException">The shapes differ.</exception>
    public static Tensor BinaryCrossEntropy(Tensor logits, Tensor targets)
    {
        Check("BinaryCrossEntropy", logits, targets);
        logits = Wide(logits);
        return (logits.Softplus() - logits * targets.Cast(logits.DType)).Mean();
    }

    /// <summary>The mean of <c>d² / 2</c> for differences d up to delta, and of <c>delta (|d| - delta / 2)</c> beyond: a square
    /// that outliers do not rule.</summary>
    /// <param name="predictions">[...]</param>
    /// <param name="targets">[...], of the same shape.</param>
    /// <param name="delta">Where the square ends, above 0.</param>
    /// <returns>A scalar.</returns>
    /// <remarks>Source: Huber 1964, "Robust estimation of a location parameter".</remarks>
    /// <exception cref="ModelException">The shapes differ.</exception>
    public static Tensor Huber(Tensor predictions, Tensor targets, double delta = 1)
    {
        Check("Huber", predictions, targets);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(delta);
        var difference = (Wide(predictions) - Wide(targets)).Abs();
        var near = difference.Minimum(delta);   // d² / 2 = near (d - near / 2) within, delta (d - delta / 2) beyond
        return (near * (difference - near * 0.5)).Mean();
    }

    /// <summary>How far the predicted distribution is from the true one: the mean over rows of <c>sum(p (log p - log
    /// q))</c>.</summary>
    /// <param name="logits">[..., V], unnormalised logarithms of the prediction q.</param>
    /// <param name="targetLogits">[..., V], unnormalised logarithms of the truth p, such as those of a larger model that teaches.
    /// Gets a gradient too: <c>StopGradient</c> ends it.</param>
    /// <returns>A scalar, at least 0.</returns>
    /// <remarks>Source: Kullback and Leibler 1951, "On information and sufficiency".</remarks>
    /// <exception cref="ModelException">The shapes differ.</exception>
    public static Tensor KlDivergence(Tensor logits, Tensor targetLogits)
    {
        Check("KlDivergence", logits, targetLogits);
        var truth = Wide(targetLogits).LogSoftmax();
        return (truth.Exp() * (truth - Wide(logits).LogSoftmax())).Sum(-1).Mean();
    }

    static Tensor Wide(Tensor x) => x.Cast(x.DType.Compute);

    // Shapes that broadcast would compare each prediction with every target, silently.
    static void Check(string loss, Tensor predictions, Tensor targets)
    {
        if (predictions.Shape != targets.Shape)
            throw new ModelException("ASH0349",
                $"{loss} compares element by element, but got {predictions.Type} and {targets.Type}.",
                "bring both to one shape; an axis of 1 is removed by Squeeze.");
    }
}
