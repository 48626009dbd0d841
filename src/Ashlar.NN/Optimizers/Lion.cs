namespace Ashlar.NN;

/// <summary>Moves every weight by the same amount, in the direction that a running mean of its gradient says.</summary>
/// <remarks>
/// <c>w = w - r (sign(β1 m + (1 - β1) g) + λ w); m = β2 m + (1 - β2) g</c>. One moment instead of AdamW's two; it wants a
/// learning rate 3 to 10 times smaller and a decay as many times greater. Source: Chen et al. 2023, arXiv:2302.06675.
/// </remarks>
public sealed class Lion : Optimizer
{
    readonly double beta1, beta2, decay;
    readonly bool[] decays;
    readonly State[] means;

    /// <summary>An optimizer of all parameters that were asked for so far.</summary>
    /// <param name="weights">Of a model that was made.</param>
    /// <param name="learningRate">A number, or one that changes with the step.</param>
    /// <param name="beta1">How much the mean counts in the direction, from 0 to below 1.</param>
    /// <param name="beta2">How much of the mean stays, from 0 to below 1.</param>
    /// <param name="decay">λ: what share of a weight a step takes away, times the learning rate.</param>
    /// <param name="decays">Which parameters decay; null: those of two axes or more.</param>
    public Lion(
        Weights weights, Schedule learningRate, double beta1 = 0.9, double beta2 = 0.99, double decay = 0.1,
        Func<Parameter, bool>? decays = null)
        : base(weights, learningRate, "lion")
    {
        if (beta1 is not (>= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(beta1), beta1, "must be from 0 to below 1.");
        if (beta2 is not (>= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(beta2), beta2, "must be from 0 to below 1.");
        (this.beta1, this.beta2, this.decay) = (beta1, beta2, decay);
        this.decays = [.. Parameters.Select(decays ?? IsMatrix)];
        means = Moments("mean");
    }

    /// <inheritdoc/>
    protected override Tensor Step(int index, Tensor value, Tensor gradient, Tensor rate)
    {
        var mean = means[index].Value;
        means[index].Value = mean * beta2 + gradient * (1 - beta2);
        var direction = (mean * beta1 + gradient * (1 - beta1)).Sign();
        return value - rate * (decays[index] && decay != 0 ? direction + value * decay : direction);
    }
}
