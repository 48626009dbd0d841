namespace Ashlar.NN;

/// <summary>Gradient descent, with momentum if wanted.</summary>
/// <remarks>
/// <c>g = g + λ w; v = μ v + g; w = w - r v</c>, with Nesterov's look ahead <c>w = w - r (g + μ v)</c>, as in PyTorch. Source:
/// Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning".
/// </remarks>
public sealed class Sgd : Optimizer
{
    readonly double momentum, decay;
    readonly bool nesterov;
    readonly bool[] decays;
    readonly State[] velocities;

    /// <summary>An optimizer of all parameters that were asked for so far.</summary>
    /// <param name="weights">Of a model that was made.</param>
    /// <param name="learningRate">A number, or one that changes with the step.</param>
    /// <param name="momentum">μ: how much of the velocity stays, from 0 to below 1; 0 keeps no state.</param>
    /// <param name="nesterov">Whether the gradient counts as if it were taken after the next move; needs momentum.</param>
    /// <param name="decay">λ: added to the gradient as a share of the weight.</param>
    /// <param name="decays">Which parameters decay; null: those of two axes or more.</param>
    public Sgd(
        Weights weights, Schedule learningRate, double momentum = 0, bool nesterov = false, double decay = 0,
        Func<Parameter, bool>? decays = null)
        : base(weights, learningRate, "sgd")
    {
        if (momentum is not (>= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(momentum), momentum, "must be from 0 to below 1.");
        if (nesterov && momentum == 0)
            throw new ArgumentException("Nesterov's look ahead needs momentum: 0.9 is usual.", nameof(nesterov));
        (this.momentum, this.nesterov, this.decay) = (momentum, nesterov, decay);
        this.decays = [.. Parameters.Select(decays ?? IsMatrix)];
        velocities = momentum == 0 ? [] : Moments("velocity");
    }

    /// <inheritdoc/>
    protected override Tensor Step(int index, Tensor value, Tensor gradient, Tensor rate)
    {
        if (decays[index] && decay != 0) gradient += value * decay;
        if (momentum == 0) return value - rate * gradient;
        var velocity = velocities[index].Value = velocities[index].Value * momentum + gradient;
        return value - rate * (nesterov ? gradient + velocity * momentum : velocity);
    }
}
