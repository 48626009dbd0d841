namespace Ashlar.NN;

/// <summary>Adam with decay of the weights apart from the gradient.</summary>
/// <remarks>
/// <c>m = β1 m + (1 - β1) g; v = β2 v + (1 - β2) g²; w = w - r (m / (1 - β1^t) / (sqrt(v / (1 - β2^t)) + ε) + λ w)</c>, where t counts
/// from 1. Source: Loshchilov and Hutter 2019, arXiv:1711.05101.
/// </remarks>
public sealed class AdamW : Optimizer
{
    readonly double beta1, beta2, epsilon, decay;
    readonly bool[] decays;
    readonly State[] means, squares;
    Tensor? meanScale, rootScale;   // of the step that is being built

    /// <summary>An optimizer of all parameters that were asked for so far.</summary>
    /// <param name="weights">Of a model that was made.</param>
    /// <param name="learningRate">A number, or one that changes with the step.</param>
    /// <param name="beta1">How much of the mean gradient stays, from 0 to below 1.</param>
    /// <param name="beta2">How much of the mean square stays, from 0 to below 1; 0.95 suits language models.</param>
    /// <param name="epsilon">Keeps the quotient finite.</param>
    /// <param name="decay">λ: what share of a weight a step takes away, times the learning rate.</param>
    /// <param name="decays">Which parameters decay; null: those of two axes or more.</param>
    public AdamW(
        Weights weights, Schedule learningRate, double beta1 = 0.9, double beta2 = 0.999, double epsilon = 1e-8, double decay = 0.01,
        Func<Parameter, bool>? decays = null)
        : base(weights, learningRate, "adamw")
    {
        if (beta1 is not (>= 0 and < 1)) throw new ArgumentOutOfRangeException(nameof(beta1), beta1, "must be from 0 to below 1.");
        if (beta2 is not (>= 0 and < 1)) throw new ArgumentOutOfRangeException(nameof(beta2), beta2, "must be from 0 to below 1.");
        (this.beta1, this.beta2, this.epsilon, this.decay) = (beta1, beta2, epsilon, decay);
        this.decays = [.. Parameters.Select(decays ?? IsMatrix)];
        (means, squares) = (Moments("mean"), Moments("square"));
    }

    /// <inheritdoc/>
    protected override void Begin(Tensor step)
    {
        var t = step.Cast(DType.Float64) + 1;   // in float64: 1 - β^t of small t loses digits
        meanScale = (1 / (1 - (t * Math.Log(beta1)).Exp())).Cast(DType.Float32);
        rootScale = (1 / (1 - (t * Math.Log(beta2)).Exp()).Sqrt()).Cast(DType.Float32);
    }

    /// <inheritdoc/>
    protected override Tensor Step(int index, Tensor value, Tensor gradient, Tensor rate)
    {
        var mean = means[index].Value = means[index].Value * beta1 + gradient * (1 - beta1);
        var square = squares[index].Value = squares[index].Value * beta2 + gradient.Square() * (1 - beta2);
        var change = mean * (rate * meanScale!.Cast(value.DType)) / (square.Sqrt() * rootScale!.Cast(value.DType) + epsilon);
        return (decays[index] && decay != 0 ? value * (1 - rate * decay) : value) - change;
    }
}
