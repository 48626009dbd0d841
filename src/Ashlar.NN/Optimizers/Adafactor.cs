namespace Ashlar.NN;

/// <summary>Adam's scaling by the gradient's size, with a number per row and one per column in place of one per weight.</summary>
/// <remarks>
/// Matrices keep means of the squared gradient over rows <c>R</c> and columns <c>C</c>, and take <c>V = R C / mean(R)</c>;
/// vectors keep V whole. <c>u = g / sqrt(V); u = u / max(1, rms(u) / d); w = w - r max(ε2, rms(w)) u</c>, with <c>β2 = 1 -
/// t^-0.8</c>, t from 1. There is no mean of the gradient. Of parameters with more than two axes the last two count. Source:
/// Shazeer and Stern 2018, arXiv:1804.04235.
/// </remarks>
public sealed class Adafactor : Optimizer
{
    const double Epsilon1 = 1e-30, Epsilon2 = 1e-3;
    readonly double limit;
    readonly bool isRelative;
    readonly State?[] rows, columns, squares;
    Tensor? keep;   // β2 of the step that is being built

    /// <summary>An optimizer of all parameters that were asked for so far.</summary>
    /// <param name="weights">Of a model that was made.</param>
    /// <param name="learningRate">Relative to the size of each parameter: 0.01, falling with the root of the step, is the
    /// paper's.</param>
    /// <param name="limit">d: the greatest root mean square of a step before the learning rate.</param>
    /// <param name="isRelative">Whether the learning rate is multiplied by the root mean square of the parameter.</param>
    public Adafactor(Weights weights, Schedule learningRate, double limit = 1, bool isRelative = true)
        : base(weights, learningRate, "adafactor")
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(limit);
        (this.limit, this.isRelative) = (limit, isRelative);
        State?[] Of(string kind, bool ofMatrices, Func<Shape, Shape> shape) =>
            [.. Parameters.Select(parameter =>
                IsMatrix(parameter) == ofMatrices ? Moment(kind, parameter, shape(parameter.Shape)) : null)];
        rows = Of("rows", true, shape => shape.Without(shape.Rank - 1));
        columns = Of("columns", true, shape => shape.Without(shape.Rank - 2));
        squares = Of("square", false, shape => shape);
    }

    /// <inheritdoc/>
    protected override void Begin(Tensor step) =>
        keep = (1 - ((step.Cast(DType.Float64) + 1).Log() * -0.8).Exp()).Cast(DType.Float32);

    /// <inheritdoc/>
    protected override Tensor Step(int index, Tensor value, Tensor gradient, Tensor rate)
    {
        var square = gradient.Square() + Epsilon1;
        Tensor scale;   // 1 / sqrt(V)
        if (squares[index] is { } whole) scale = Follow(whole, square).Rsqrt();
        else
        {
            var row = Follow(rows[index]!, square.Mean(-1));          // [..., M]
            var column = Follow(columns[index]!, square.Mean(-2));    // [..., N]
            // two roots, not one of the product: squares near 1e-30 have products that float32 cannot hold
            scale = (row / row.Mean(-1, keepAxis: true)).Rsqrt().Unsqueeze(-1) * column.Rsqrt().Unsqueeze(-2);
        }
        var change = gradient * scale;
        change /= (Rms(change) / limit).Maximum(1.0);
        return value - change * (isRelative ? rate * Rms(value).Maximum(Epsilon2) : rate);

        Tensor Follow(State mean, Tensor now)
        {
            var kept = keep!.Cast(now.DType);
            return mean.Value = mean.Value * kept + now * (1 - kept);
        }
    }

    static Tensor Rms(Tensor x) => x.Square().Mean().Sqrt();
}
