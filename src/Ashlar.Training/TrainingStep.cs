using Ashlar.NN;

namespace Ashlar.Training;

/// <summary>A step of a training as compiled programs: loss, gradients, clipping, update. If not finite, nothing
/// changes.</summary>
/// <remarks>
/// That the weights survive such a step is what makes it possible to look for its cause. It costs one select in kernels that
/// write the weights anyway.
/// </remarks>
sealed class TrainingStep
{
    readonly Weights weights;
    readonly Optimizer optimizer;
    readonly Func<Tensor, Tensor, Tensor?, Tensor> loss;
    readonly double clip;
    readonly int parts;
    readonly Func<Tensor, Tensor, (Tensor Loss, Tensor Norm)> whole;
    readonly Action<Tensor, Tensor> gather;
    readonly Func<(Tensor Loss, Tensor Norm)> apply;
    readonly GradientAccumulator accumulator;
    readonly State lossSum = new("loss", Tensor.Zeros());
    readonly State part = new("part", Tensor.Zeros([], DType.Int32));

    /// <param name="weights">What is learned.</param>
    /// <param name="optimizer">How.</param>
    /// <param name="loss">The loss of tokens [B, T] and targets [B, T]; the third argument is the key of dropout.</param>
    /// <param name="clip">The greatest global norm of the gradients; infinity leaves them.</param>
    /// <param name="parts">Batches whose gradients are averaged for one update.</param>
    /// <param name="products">What the operands of products are rounded to; null: they stay as they are.</param>
    public TrainingStep(Weights weights, Optimizer optimizer, Func<Tensor, Tensor, Tensor?, Tensor> loss, double clip, int parts,
        DType? products)
    {
        (this.weights, this.optimizer, this.loss, this.clip, this.parts) = (weights, optimizer, loss, clip, parts);
        accumulator = new(weights);
        whole = Compiled.Step((Tensor tokens, Tensor targets) =>
        {
            Narrow();
            var value = loss(tokens, targets, optimizer.Count.Value);
            return (value, Update(value, value.Gradient(weights)));
        });
        gather = Compiled.Step((Tensor tokens, Tensor targets) =>
        {
            Narrow();
            var value = loss(tokens, targets, optimizer.Count.Value * parts + part.Value);
            accumulator.Add(value.Gradient(weights));
            part.Value += 1;
            lossSum.Value += value.Cast(DType.Float32) / parts;
        });
        apply = Compiled.Step(() =>
        {
            Narrow();
            var value = lossSum.Value;
            var norm = Update(value, accumulator.Take());
            (lossSum.Value, part.Value) = (Tensor.Zeros(), Tensor.Zeros([], DType.Int32));
            return (value, norm);
        });

        void Narrow()
        {
            if (products is { } dtype) Compiled.ProductsIn(dtype);
        }
    }

    /// <summary>Runs the step on batches that are read one after the other.</summary>
    /// <returns>The loss before the update, and the global norm of the gradients before clipping.</returns>
    public (float Loss, float Norm) Run(Func<int, (Tensor Tokens, Tensor Targets)> batch)
    {
        Tensor value, norm;
        if (parts == 1)
        {
            var (tokens, targets) = batch(0);
            (value, norm) = whole(tokens, targets);
        }
        else
        {
            for (int part = 0; part < parts; part++)
            {
                var (tokens, targets) = batch(part);
                gather(tokens, targets);
            }
            (value, norm) = apply();
        }
        return (value.Item<float>(), norm.Item<float>());
    }

    /// <summary>Where loss or gradients of a batch first leave the finite numbers, with the weights as they are now.</summary>
    public NonFinite? FindNonFinite(Tensor tokens, Tensor targets)
    {
        var value = loss(tokens, targets, optimizer.Count.Value);
        return NonFinite.Find([value], weights.States) ?? NonFinite.Find([value, .. value.Gradient(weights)], weights.States);
    }

    Tensor Update(Tensor value, Tensor[] gradients)
    {
        State[] states = [.. weights.States, .. optimizer.States];
        Tensor[] before = [.. states.Select(state => state.Value)];
        var norm = gradients.GlobalNorm();
        if (double.IsFinite(clip)) (gradients, norm) = gradients.ClipByGlobalNorm(clip);
        optimizer.Update(gradients);
        var isFinite = value.IsFinite() & norm.IsFinite();
        for (int i = 0; i < states.Length; i++)
            if (states[i].Value.Node != before[i].Node) states[i].Value = Tensor.Where(isFinite, states[i].Value, before[i]);
        return norm;
    }
}
