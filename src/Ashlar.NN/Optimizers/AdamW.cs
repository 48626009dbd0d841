namespace Ashlar.NN;

/// <summary>Adam with decay of the weights apart from the gradient.</summary>
/// <remarks>
/// <c>m = β1 m + (1 - β1) g; v = β2 v + (1 - β2) g²; w = w - r (m / (1 - β1^t) / (sqrt(v / (1 - β2^t)) + ε) + λ w)</c>, where t
/// counts from 1. Source: Loshchilov and Hutter 2019, arXiv:1711.05101.
/// </remarks>
public sealed class AdamW : Optimizer
{
    readonly AdamRule rule;
    readonly double decay;
    readonly bool[] decays;
    readonly State[] means, squares;

    /// <summary>An optimizer of all parameters that were asked for so far.</summary>
    /// <param name="weights">Of a model that was made.</param>
    /// <param name="learningRate">A number, or one that changes with the step.</param>
    /// <param name="beta1">How much of the mean gradient stays, from 0 to below 1.</param>
    /// <param name="beta2">How much of the mean square stays, from 0 to below 1; 0.95 suits language models.</param>
    /// <param name="epsilon">Keeps the quotient finite.</param>
    /// <param name="decay">λ: what share of a weight a step takes away, times the learning rate.</param>
    /// <param name="decays">Which parameters decay; null: those of two axes or more.</param>
    public AdamW(
        Weights weights, Schedule learningRate, double beta1 = 0.9, double beta2 = 0.999, double epsilon = 1e-8,
        double decay = 0.01, Func<Parameter, bool>? decays = null)
        : base(weights, learningRate, "adamw")
    {
        (rule, this.decay) = (new(beta1, beta2, epsilon), decay);
        this.decays = [.. Parameters.Select(decays ?? IsMatrix)];
        (means, squares) = (Moments("mean"), Moments("square"));
    }

    /// <inheritdoc/>
    protected override void Begin(Tensor step) => rule.Begin(step);

    /// <inheritdoc/>
    protected override Tensor Step(int index, Tensor value, Tensor gradient, Tensor rate)
    {
        var change = rule.Change(means[index], squares[index], gradient, rate);
        return (decays[index] && decay != 0 ? value * (1 - rate * decay) : value) - change;
    }
}
