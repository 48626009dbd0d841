namespace Ashlar;

/// <summary>Functions that are computed in float64 and rounded once, with gradients in closed form.</summary>
static class Wide
{
    /// <summary>A function of one number.</summary>
    /// <param name="name">For text forms.</param>
    /// <param name="x">Of any element type.</param>
    /// <param name="value">From float64 to float64.</param>
    /// <param name="slope">The derivative, from the argument and the value.</param>
    public static Tensor Function(string name, Tensor x, Func<Tensor, Tensor> value, Func<Tensor, Tensor, Tensor> slope)
    {
        var dtype = Promotion.Float(x.DType);
        return Tensor.CustomGradient(
            input => value(input[0].Cast(DType.Float64)).Cast(dtype),
            (dy, y, input) => [(dy.Cast(DType.Float64) * slope(input[0].Cast(DType.Float64), y.Cast(DType.Float64))).Cast(dtype)],
            [x.Cast(dtype)], name);
    }

    /// <summary>A function of two numbers, which broadcast.</summary>
    /// <param name="name">For text forms and errors.</param>
    /// <param name="x">Of any element type.</param>
    /// <param name="other">Of any element type that promotes with the first.</param>
    /// <param name="value">From float64 to float64.</param>
    /// <param name="slopes">The derivatives, from the arguments and the value.</param>
    public static Tensor Function(string name, Tensor x, Operand other, Func<Tensor, Tensor, Tensor> value,
        Func<Tensor, Tensor, Tensor, (Tensor, Tensor)> slopes)
    {
        var dtype = Promotion.Float(Promotion.Type(name, x, other));
        var shape = Promotion.Meet(name, x, other);
        return Tensor.CustomGradient(
            input => value(input[0].Cast(DType.Float64), input[1].Cast(DType.Float64)).Cast(dtype),
            (dy, y, input) =>
            {
                var (first, second) = slopes(input[0].Cast(DType.Float64), input[1].Cast(DType.Float64), y.Cast(DType.Float64));
                var seed = dy.Cast(DType.Float64);
                return [(seed * first).Cast(dtype), (seed * second).Cast(dtype)];
            },
            [new(((Operand)x).ToNode(name, dtype, shape)), new(other.ToNode(name, dtype, shape))], name);
    }

    /// <summary>A polynomial by Horner's rule, the coefficient of the highest power first.</summary>
    public static Tensor Polynomial(Tensor x, double[] coefficients)
    {
        Tensor sum = x.FullLike(coefficients[0]);
        foreach (double coefficient in coefficients.AsSpan(1)) sum = sum * x + coefficient;
        return sum;
    }
}
