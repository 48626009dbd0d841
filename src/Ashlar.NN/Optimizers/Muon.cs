namespace Ashlar.NN;

/// <summary>Moves matrices by orthogonal steps, so that no direction of a gradient drowns the others; AdamW moves the
/// rest.</summary>
/// <remarks>
/// <c>v = μ v + g; u = orthogonal(g + μ v); w = w - r (sqrt(max(1, outputs / inputs)) u + λ w)</c>. The orthogonal matrix nearest
/// to a gradient is approached by five steps of a Newton-Schulz iteration whose limits are singular values between 0.7 and 1.2.
/// Tables (embeddings and heads) and vectors belong to AdamW, with a learning rate of its own. Source: Jordan et al. 2024, "Muon:
/// an optimizer for hidden layers in neural networks", kellerjordan.github.io/posts/muon.
/// </remarks>
public sealed class Muon : Optimizer
{
    readonly AdamRule rule;
    readonly Schedule adamLearningRate;
    readonly double momentum, decay;
    readonly State?[] velocities, means, squares;
    Tensor? adamRate;   // of the step that is being built

    /// <summary>An optimizer of all parameters that were asked for so far.</summary>
    /// <param name="weights">Of a model that was made.</param>
    /// <param name="learningRate">Of the matrices; 0.02 is usual.</param>
    /// <param name="adamLearningRate">Of all others; 3e-4 is usual.</param>
    /// <param name="momentum">μ: how much of the velocity stays, from 0 to below 1.</param>
    /// <param name="decay">λ: what share of a weight a step takes away, times the learning rate; of matrices and tables.</param>
    /// <param name="beta1">AdamW's, of the mean.</param>
    /// <param name="beta2">AdamW's, of the mean square.</param>
    /// <param name="epsilon">AdamW's.</param>
    /// <param name="orthogonalises">Which parameters move by orthogonal steps; null: those of two axes that are no
    /// tables.</param>
    public Muon(
        Weights weights, Schedule learningRate, Schedule adamLearningRate, double momentum = 0.95, double decay = 0,
        double beta1 = 0.9, double beta2 = 0.95, double epsilon = 1e-8, Func<Parameter, bool>? orthogonalises = null)
        : base(weights, learningRate, "muon")
    {
        if (momentum is not (>= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(momentum), momentum, "must be from 0 to below 1.");
        rule = new(beta1, beta2, epsilon);
        (this.adamLearningRate, this.momentum, this.decay) = (adamLearningRate, momentum, decay);
        orthogonalises ??= parameter => parameter.Shape.Rank == 2 && !parameter.IsTable;
        bool[] orthogonal = [.. Parameters.Select(orthogonalises)];
        foreach (var (parameter, chosen) in Parameters.Zip(orthogonal))
            if (chosen && parameter.Shape.Rank != 2)
                throw new ModelException("ASH0345",
                    $"Muon was asked to move '{parameter.Name}' {parameter.Shape} by orthogonal steps, but it is no matrix.",
                    "leave parameters of other than two axes to AdamW.");
        State?[] Of(string kind, bool ofMatrices) =>
            [.. Parameters.Select((parameter, i) =>
                orthogonal[i] == ofMatrices ? Moment(kind, parameter, parameter.Shape) : null)];
        (velocities, means, squares) = (Of("velocity", true), Of("mean", false), Of("square", false));
    }

    /// <inheritdoc/>
    protected override void Begin(Tensor step)
    {
        adamRate = adamLearningRate.At(step);
        rule.Begin(step);
    }

    /// <inheritdoc/>
    protected override Tensor Step(int index, Tensor value, Tensor gradient, Tensor rate)
    {
        bool isDecaying = decay != 0 && IsMatrix(Parameters[index]);
        if (velocities[index] is not { } velocity)
        {
            var wide = adamRate!.Cast(rate.DType);
            var change = rule.Change(means[index]!, squares[index]!, gradient, wide);
            return (isDecaying ? value * (1 - wide * decay) : value) - change;
        }
        velocity.Value = velocity.Value * momentum + gradient;
        var direction = Orthogonal(gradient + velocity.Value * momentum);
        double scale = Math.Sqrt(Math.Max(1, (double)value.Shape[1].Value / value.Shape[0].Value));
        return (isDecaying ? value * (1 - rate * decay) : value) - direction * (rate * scale);
    }

    /// <summary>About the orthogonal matrix nearest to this one: five steps of <c>x = a x + (b x xᵀ + c (x xᵀ)²) x</c> from <c>x
    /// / |x|</c>.</summary>
    /// <param name="x">[M, N]</param>
    internal static Tensor Orthogonal(Tensor x)
    {
        const double A = 3.4445, B = -4.7750, C = 2.0315;
        bool isTall = x.Shape[0].Value > x.Shape[1].Value;   // the products are over the longer side, their results small
        if (isTall) x = x.Transpose();
        x /= x.Square().Sum().Sqrt() + 1e-7;
        for (int i = 0; i < 5; i++)
        {
            var square = x.MatMul(x.Transpose());
            x = x * A + (square * B + square.MatMul(square) * C).MatMul(x);
        }
        return isTall ? x.Transpose() : x;
    }
}
