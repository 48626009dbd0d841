namespace Ashlar.NN;

/// <summary>Sets elements to 0 at random and scales the others so that the mean stays; nothing where no key is given.</summary>
/// <remarks>
/// Which elements are dropped depends on the seed, the key and the place alone: with the number of the step as key, a step that
/// is repeated, or resumed from a checkpoint, drops the same. Source: Srivastava et al. 2014, "Dropout: a simple way to prevent
/// neural networks from overfitting".
/// </remarks>
public sealed class Dropout
{
    readonly double rate;
    readonly long seed;

    /// <summary>A layer without parameters.</summary>
    /// <param name="rate">The share that is dropped, from 0 to below 1.</param>
    /// <param name="seed">Which random numbers; one of its own for each layer of a model.</param>
    public Dropout(double rate, long seed)
    {
        if (rate is not (>= 0 and < 1)) throw new ArgumentOutOfRangeException(nameof(rate), rate, "must be from 0 to below 1.");
        (this.rate, this.seed) = (rate, seed);
    }

    /// <param name="x">[...]</param>
    /// <param name="key">An integer scalar that differs from step to step; null, as in evaluation, drops nothing.</param>
    /// <returns>Like <paramref name="x"/>.</returns>
    public Tensor Forward(Tensor x, Tensor? key) => key is null ? x : x.Dropout(rate, seed, key);
}
