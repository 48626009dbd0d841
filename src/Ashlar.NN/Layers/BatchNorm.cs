namespace Ashlar.NN;

/// <summary>Normalisation of each channel over the batch: <c>(x - mean) / sqrt(variance + ε) · weight + bias</c>.</summary>
/// <remarks>
/// In training mean and variance are the batch's, and running means of both are kept; in evaluation those are used. Parameters
/// <c>weight</c> and <c>bias</c>, states <c>running_mean</c> and <c>running_var</c>, all [channels], as in PyTorch: the running
/// variance is that of a sample, divided by n - 1. Source: Ioffe and Szegedy 2015, arXiv:1502.03167.
/// </remarks>
public sealed class BatchNorm
{
    readonly string name;
    readonly int channels;
    readonly double epsilon, momentum;

    /// <summary>Asks for the parameters and states.</summary>
    /// <param name="weights">The layer's scope.</param>
    /// <param name="channels">The length of axis 1.</param>
    /// <param name="epsilon">Keeps the root from 0.</param>
    /// <param name="momentum">How much a batch counts in the running means, above 0 to 1.</param>
    public BatchNorm(Weights weights, int channels, double epsilon = 1e-5, double momentum = 0.1)
    {
        if (momentum is not (> 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(momentum), momentum, "must be above 0, at most 1.");
        (name, this.channels, this.epsilon, this.momentum) = (weights.Path, channels, epsilon, momentum);
        Weight = weights.Get("weight", [channels], Initial.Ones);
        Bias = weights.Get("bias", [channels], Initial.Zeros);
        RunningMean = weights.GetState("running_mean", [channels], Initial.Zeros);
        RunningVariance = weights.GetState("running_var", [channels], Initial.Ones);
    }

    /// <summary>[channels], begins as ones.</summary>
    public Parameter Weight { get; }

    /// <summary>[channels], begins as zeros.</summary>
    public Parameter Bias { get; }

    /// <summary>[channels], the mean that evaluation uses.</summary>
    public State RunningMean { get; }

    /// <summary>[channels], the variance that evaluation uses.</summary>
    public State RunningVariance { get; }

    /// <param name="x">[N, channels, ...]</param>
    /// <param name="isTraining">Whether to normalise by the batch and to follow it; then it belongs into a
    /// <c>Compiled.Step</c>.</param>
    /// <returns>Like <paramref name="x"/>.</returns>
    /// <exception cref="ModelException"><paramref name="x"/> has other channels, or a single number per channel to learn
    /// from.</exception>
    public Tensor Forward(Tensor x, bool isTraining)
    {
        Widths.ThrowUnlessChannelsAre(channels, x, name, x.Rank >= 2);
        if (!isTraining) return Normalise(x, PerChannel(RunningMean.Value, x), PerChannel(RunningVariance.Value, x));

        int[] others = [.. Enumerable.Range(0, x.Rank).Where(axis => axis != 1)];
        Extent count = x.Shape.Without(1).Elements;
        if (count.Max < 2)
            throw new ModelException("ASH0346",
                $"the layer '{name}' cannot learn from {x.Type}: one number per channel has no variance.",
                "train on larger batches.");
        var wide = x.Cast(x.DType.Compute);
        var mean = wide.Mean(others, keepAxis: true);                        // [1, C, 1, ...]
        var variance = (wide - mean).Square().Mean(others, keepAxis: true);
        Follow(RunningMean, mean);
        var members = Tensor.Ones([count], wide.DType).Sum();                // the batch may be symbolic
        Follow(RunningVariance, variance * (members / (members - 1)));
        return Normalise(x, mean, variance);
    }

    void Follow(State running, Tensor batch) =>
        running.Value = (running.Value * (1 - momentum) + batch.Flatten().StopGradient() * momentum).Cast(running.DType);

    Tensor Normalise(Tensor x, Tensor mean, Tensor variance) =>
        ((x - mean) * (variance + epsilon).Rsqrt() * PerChannel(Weight.Value, x) + PerChannel(Bias.Value, x)).Cast(x.DType);

    // [C] -> [1, C, 1, ...]
    static Tensor PerChannel(Tensor values, Tensor x) =>
        values.Reshape([1, values.Shape[0], .. Enumerable.Repeat((Extent)1, x.Rank - 2)]);
}
