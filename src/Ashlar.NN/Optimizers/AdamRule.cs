namespace Ashlar.NN;

/// <summary>Adam's change of one parameter, from running means of its gradient and of the gradient's square.</summary>
/// <remarks>Source: Kingma and Ba 2014, arXiv:1412.6980.</remarks>
sealed class AdamRule
{
    readonly double beta1, beta2, epsilon;
    Tensor? meanScale, rootScale;   // of the step that is being built

    public AdamRule(double beta1, double beta2, double epsilon)
    {
        if (beta1 is not (>= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(beta1), beta1, "must be from 0 to below 1.");
        if (beta2 is not (>= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(beta2), beta2, "must be from 0 to below 1.");
        (this.beta1, this.beta2, this.epsilon) = (beta1, beta2, epsilon);
    }

    public void Begin(Tensor step)
    {
        var t = step.Cast(DType.Float64) + 1;   // in float64: 1 - β^t of small t loses digits
        meanScale = (1 / (1 - (t * Math.Log(beta1)).Exp())).Cast(DType.Float32);
        rootScale = (1 / (1 - (t * Math.Log(beta2)).Exp()).Sqrt()).Cast(DType.Float32);
    }

    /// <summary>What to subtract: the rate times the mean over the root of the mean square. Assigns both means.</summary>
    public Tensor Change(State mean, State square, Tensor gradient, Tensor rate)
    {
        mean.Value = mean.Value * beta1 + gradient * (1 - beta1);
        square.Value = square.Value * beta2 + gradient.Square() * (1 - beta2);
        return mean.Value * (rate * meanScale!.Cast(rate.DType)) / (square.Value.Sqrt() * rootScale!.Cast(rate.DType) + epsilon);
    }
}
