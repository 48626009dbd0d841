namespace Ashlar.NN;

/// <summary>Sums of gradients over several small batches, which then count as one large batch.</summary>
/// <remarks>
/// The sums are states, so one compiled step adds a batch and another updates: any number of batches, each with the memory of
/// one. The update of a parameter can no longer be part of the kernel of its gradient; a batch that fits into memory needs no
/// accumulator. With batches of equal size and mean losses, the result is that of the large batch up to rounding.
/// </remarks>
/// <example><code>
/// var add = Compiled.Step((Tensor tokens, Tensor targets) =>
/// {
///     var loss = Loss.CrossEntropy(model.Forward(tokens), targets);
///     accumulator.Add(loss.Gradient(weights));
///     return loss;
/// });
/// var update = Compiled.Step(() => optimizer.Update(accumulator.Take()));
/// </code></example>
public sealed class GradientAccumulator
{
    readonly Parameter[] parameters;
    readonly State[] sums;
    readonly State count;

    /// <summary>Sums of zeros for all parameters that were asked for so far.</summary>
    /// <param name="weights">Of a model that was made.</param>
    public GradientAccumulator(Weights weights)
    {
        ArgumentNullException.ThrowIfNull(weights);
        parameters = [.. weights.Parameters];
        sums = [.. parameters.Select(parameter =>
            new State($"accumulated.{parameter.Name}", Tensor.Zeros(parameter.Shape, parameter.DType.Compute)))];
        count = new("accumulated", Tensor.Zeros([], DType.Int32));
    }

    /// <summary>The sums and their number, named: what a checkpoint between two updates must hold.</summary>
    public IReadOnlyList<State> States => [count, .. sums];

    /// <summary>Adds the gradients of one batch.</summary>
    /// <param name="gradients">One per parameter, as <c>loss.Gradient(weights)</c> gives them.</param>
    /// <exception cref="ModelException">There is not one gradient per parameter.</exception>
    public void Add(IReadOnlyList<Tensor> gradients)
    {
        ArgumentNullException.ThrowIfNull(gradients);
        if (gradients.Count != sums.Length)
            throw new ModelException("ASH0348",
                $"the accumulator has {sums.Length} parameters, but got {gradients.Count} gradients.",
                "make it after the model, and give it loss.Gradient(weights) of the same weights.");
        for (int i = 0; i < sums.Length; i++) sums[i].Value += gradients[i].Cast(sums[i].DType);
        count.Value += 1;
    }

    /// <summary>The mean gradients of the batches added since the last time; begins anew.</summary>
    /// <returns>One per parameter, like it; zeros where nothing was added.</returns>
    public Tensor[] Take()
    {
        var share = 1 / count.Value.Maximum(1).Cast(DType.Float32);
        Tensor[] means = [.. sums.Select((sum, i) => (sum.Value * share.Cast(sum.DType)).Cast(parameters[i].DType))];
        foreach (var sum in sums) sum.Value = Tensor.Zeros(sum.Shape, sum.DType);
        count.Value = Tensor.Zeros([], DType.Int32);
        return means;
    }
}
