namespace Ashlar.NN;

/// <summary>How wrong a prediction is, as one number to make small: the mean over all that was predicted.</summary>
public static class Loss
{
    /// <summary>The mean negative logarithm of the probability that softmax gives to the target.</summary>
    /// <param name="logits">[..., V], unnormalised.</param>
    /// <param name="targets">[...], integers from 0 to below V.</param>
    /// <param name="ignore">Rows of this target do not count, neither in the sum nor in the mean; the target may lie outside of V.</param>
    /// <param name="smoothing">
    /// The share of probability that the truth spreads evenly over all V classes, from 0 to 1 (Szegedy et al. 2015, arXiv:1512.00567).
    /// </param>
    /// <returns>A scalar; 0 where every row is ignored.</returns>
    /// <exception cref="ShapeException">The targets are not one per row of logits.</exception>
    public static Tensor CrossEntropy(Tensor logits, Tensor targets, long? ignore = null, double smoothing = 0)
    {
        if (smoothing is < 0 or > 1) throw new ArgumentOutOfRangeException(nameof(smoothing), smoothing, "must be from 0 to 1.");
        if (smoothing == 0) return logits.CrossEntropy(targets, ignore);
        if (ignore is not { } ignored) return Smooth(targets).Mean();
        var counts = targets.NotEqualTo(ignored);
        var rows = Smooth(Tensor.Where(counts, targets, targets.ZerosLike()));
        return Tensor.Where(counts, rows, rows.ZerosLike()).Sum() / counts.Cast(rows.DType).Sum().Maximum(1);

        Tensor Smooth(Tensor known) =>
            logits.CrossEntropyRows(known) * (1 - smoothing) - logits.LogSoftmax().Mean(-1) * smoothing;
    }
}
