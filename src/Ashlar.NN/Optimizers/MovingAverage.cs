namespace Ashlar.NN;

/// <summary>Running means of all weights, which often predict better than the weights of the last step.</summary>
/// <remarks>
/// <c>a = decay a + (1 - decay) w</c> after every update; a begins as the weights. Source: Polyak and Juditsky 1992,
/// "Acceleration of stochastic approximation by averaging".
/// </remarks>
public sealed class MovingAverage
{
    readonly Parameter[] parameters;
    readonly State[] averages;
    readonly double decay;

    /// <summary>Means of all parameters that were asked for so far; they begin as the values now.</summary>
    /// <param name="weights">Of a model that was made.</param>
    /// <param name="decay">How much of the mean stays, from 0 to below 1; 0.999 averages about the last 1000 steps.</param>
    public MovingAverage(Weights weights, double decay = 0.999)
    {
        ArgumentNullException.ThrowIfNull(weights);
        if (decay is not (>= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(decay), decay, "must be from 0 to below 1.");
        this.decay = decay;
        parameters = [.. weights.Parameters];
        averages = [.. parameters.Select(parameter =>
            new State($"average.{parameter.Name}", parameter.Value.Cast(parameter.DType.Compute)))];
    }

    /// <summary>The means, named, in the order of the parameters.</summary>
    public IReadOnlyList<State> States => averages;

    /// <summary>Takes the weights now into the means: after <see cref="Optimizer.Update"/>, within the same compiled
    /// step.</summary>
    public void Update()
    {
        for (int i = 0; i < averages.Length; i++)
            averages[i].Value = averages[i].Value * decay + parameters[i].Value.Cast(averages[i].DType) * (1 - decay);
    }

    /// <summary>Swaps weights and means: before an evaluation by the means, and again after it.</summary>
    /// <remarks>Means of 16-bit weights are float32, and are rounded by this.</remarks>
    public void Exchange()
    {
        foreach (var (parameter, average) in parameters.Zip(averages))
            (parameter.Value, average.Value) = (average.Value.Cast(parameter.DType), parameter.Value.Cast(average.DType));
    }
}
