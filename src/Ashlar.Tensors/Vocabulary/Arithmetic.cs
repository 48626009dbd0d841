namespace Ashlar;

/// <summary>Arithmetic, element by element. Shapes broadcast as in NumPy; element types promote as in PyTorch; numbers never
/// widen.</summary>
/// <remarks>A function of real numbers turns integers into float32. Bools count as int32.</remarks>
public static class Arithmetic
{
    extension(Tensor)
    {
        /// <summary>-x</summary>
        public static Tensor operator -(Tensor x) => new(Nodes.Unary(Op.Neg, Nodes.Cast(x.Node, Promotion.Number(x.DType))));

        /// <summary>a + b</summary>
        public static Tensor operator +(Tensor a, Tensor b) => Promotion.Binary(Op.Add, "+", a, b, Promotion.Number);

        /// <summary>a + b</summary>
        public static Tensor operator +(Tensor a, Operand b) => Promotion.Binary(Op.Add, "+", a, b, Promotion.Number);

        /// <summary>a + b</summary>
        public static Tensor operator +(Operand a, Tensor b) => Promotion.Binary(Op.Add, "+", a, b, Promotion.Number);

        /// <summary>a - b</summary>
        public static Tensor operator -(Tensor a, Tensor b) => Promotion.Binary(Op.Sub, "-", a, b, Promotion.Number);

        /// <summary>a - b</summary>
        public static Tensor operator -(Tensor a, Operand b) => Promotion.Binary(Op.Sub, "-", a, b, Promotion.Number);

        /// <summary>a - b</summary>
        public static Tensor operator -(Operand a, Tensor b) => Promotion.Binary(Op.Sub, "-", a, b, Promotion.Number);

        /// <summary>a * b</summary>
        public static Tensor operator *(Tensor a, Tensor b) => Promotion.Binary(Op.Mul, "*", a, b, Promotion.Number);

        /// <summary>a * b</summary>
        public static Tensor operator *(Tensor a, Operand b) => Promotion.Binary(Op.Mul, "*", a, b, Promotion.Number);

        /// <summary>a * b</summary>
        public static Tensor operator *(Operand a, Tensor b) => Promotion.Binary(Op.Mul, "*", a, b, Promotion.Number);

        /// <summary>a / b, true division: integers give float32.</summary>
        public static Tensor operator /(Tensor a, Tensor b) => Promotion.Binary(Op.Div, "/", a, b, Promotion.Float);

        /// <summary>a / b, true division: integers give float32.</summary>
        public static Tensor operator /(Tensor a, Operand b) => Promotion.Binary(Op.Div, "/", a, b, Promotion.Float);

        /// <summary>a / b, true division: integers give float32.</summary>
        public static Tensor operator /(Operand a, Tensor b) => Promotion.Binary(Op.Div, "/", a, b, Promotion.Float);

        /// <summary>The remainder with the sign of the divisor, as in Python: <c>a - floor(a / b) * b</c>.</summary>
        public static Tensor operator %(Tensor a, Tensor b) => Promotion.Binary(Op.Mod, "%", a, b, Promotion.Number);

        /// <summary>The remainder with the sign of the divisor, as in Python.</summary>
        public static Tensor operator %(Tensor a, Operand b) => Promotion.Binary(Op.Mod, "%", a, b, Promotion.Number);

        /// <summary>The remainder with the sign of the divisor, as in Python.</summary>
        public static Tensor operator %(Operand a, Tensor b) => Promotion.Binary(Op.Mod, "%", a, b, Promotion.Number);
    }

    extension(Tensor x)
    {
        /// <summary>Another element type, by value: floats are rounded to nearest, floats to integers truncate and
        /// saturate.</summary>
        public Tensor Cast(DType dtype) => dtype == x.DType ? x : new(Nodes.Cast(x.Node, dtype));

        /// <summary>Another element type of the same size, by bits.</summary>
        public Tensor BitCast(DType dtype) => dtype == x.DType ? x : new(Nodes.BitCast(x.Node, dtype));

        /// <summary>|x|</summary>
        public Tensor Abs() => x.DType == DType.Bool ? x : new(Nodes.Unary(Op.Abs, x.Node));

        /// <summary>-1, 0 or 1</summary>
        public Tensor Sign() => new(Nodes.Unary(Op.Sign, Nodes.Cast(x.Node, Promotion.Number(x.DType))));

        /// <summary>exp(x)</summary>
        /// <remarks>At most 0.9 units in the last place from exact in float32, 1.1 in float64: docs/guides/accuracy.md.</remarks>
        public Tensor Exp() => Promotion.FloatUnary(Op.Exp, x);

        /// <summary>The natural logarithm.</summary>
        /// <remarks>At most 1.1 units in the last place from exact in float32, 1.1 in float64: docs/guides/accuracy.md.</remarks>
        public Tensor Log() => Promotion.FloatUnary(Op.Log, x);

        /// <summary>The logarithm to the base 2.</summary>
        public Tensor Log2() => x.Log() * (1 / Math.Log(2));

        /// <summary>The logarithm to the base 10.</summary>
        public Tensor Log10() => x.Log() * (1 / Math.Log(10));

        /// <summary>log(1 + x), exact near 0.</summary>
        /// <remarks>Kahan's correction: <c>log(u) * x / (u - 1)</c> with <c>u = 1 + x</c>.</remarks>
        public Tensor Log1P()
        {
            var u = 1 + x;
            var safe = Tensor.Where(u.EqualTo(1), 2.0, u);   // the quotient is not used where u is 1
            return Tensor.Where(u.EqualTo(1), x, Tensor.Where(u.IsInfinity(), u, safe.Log() * (x / (safe - 1))));
        }

        /// <summary>exp(x) - 1, exact near 0.</summary>
        /// <remarks><c>2 sinh(x/2) exp(x/2)</c> by way of tanh: <c>t (exp(x) + 1)</c> with <c>t = tanh(x / 2)</c>.</remarks>
        public Tensor ExpM1()
        {
            var near = Tensor.Where(x > 1, 1.0, x);   // where exp overflows, a gradient of 0 times infinity would be NaN
            var small = (near * 0.5).Tanh() * (near.Exp() + 1);
            return Tensor.Where(x > 1, x.Exp() - 1, small);
        }

        /// <summary>sin(x), in radians</summary>
        /// <remarks>At most 1.5 units in the last place from exact in float32, 0.5 in float64: docs/guides/accuracy.md.</remarks>
        public Tensor Sin() => Promotion.FloatUnary(Op.Sin, x);

        /// <summary>cos(x), in radians</summary>
        /// <remarks>At most 1.5 units in the last place from exact in float32, 0.5 in float64: docs/guides/accuracy.md.</remarks>
        public Tensor Cos() => Promotion.FloatUnary(Op.Cos, x);

        /// <summary>tan(x), in radians</summary>
        public Tensor Tan() => x.Sin() / x.Cos();

        /// <summary>The hyperbolic tangent.</summary>
        /// <remarks>At most 2.6 units in the last place from exact in float32, 3.1 in float64: docs/guides/accuracy.md.</remarks>
        public Tensor Tanh() => Promotion.FloatUnary(Op.Tanh, x);

        /// <summary>The hyperbolic sine.</summary>
        /// <remarks><c>2 sinh(x/2) cosh(x/2)</c>, exact near 0 and finite where the result is.</remarks>
        public Tensor Sinh()
        {
            var half = x * 0.5;
            return (half.ExpM1() - (-half).ExpM1()) * ((half.Exp() + (-half).Exp()) * 0.5);
        }

        /// <summary>The hyperbolic cosine.</summary>
        /// <remarks><c>1 + 2 sinh(x/2)²</c>, finite where the result is.</remarks>
        public Tensor Cosh()
        {
            var twice = (x * 0.5).ExpM1() - (x * -0.5).ExpM1();   // 2 sinh(x/2)
            return 1 + twice * (twice * 0.5);
        }

        /// <summary>The error function.</summary>
        /// <remarks>At most 1.7 units in the last place from exact in float32, 0.5 in float64: docs/guides/accuracy.md.</remarks>
        public Tensor Erf() => Promotion.FloatUnary(Op.Erf, x);

        /// <summary>The square root.</summary>
        public Tensor Sqrt() => Promotion.FloatUnary(Op.Sqrt, x);

        /// <summary>1 / sqrt(x)</summary>
        public Tensor Rsqrt() => Promotion.FloatUnary(Op.Rsqrt, x);

        /// <summary>1 / x</summary>
        public Tensor Reciprocal() => Promotion.FloatUnary(Op.Recip, x);

        /// <summary>x * x</summary>
        public Tensor Square() => x * x;

        /// <summary>The greatest whole number that is not above.</summary>
        public Tensor Floor() => x.DType.IsFloat ? new(Nodes.Unary(Op.Floor, x.Node)) : x;

        /// <summary>The least whole number that is not below.</summary>
        public Tensor Ceiling() => x.DType.IsFloat ? new(Nodes.Unary(Op.Ceil, x.Node)) : x;

        /// <summary>The nearest whole number, ties to even.</summary>
        public Tensor Round() => x.DType.IsFloat ? new(Nodes.Unary(Op.Round, x.Node)) : x;

        /// <summary>The whole number next toward 0.</summary>
        public Tensor Truncate() => x.DType.IsFloat ? new(Nodes.Unary(Op.Trunc, x.Node)) : x;

        /// <summary>x to the power of <paramref name="exponent"/>.</summary>
        /// <remarks>Floats: at most 0.6 units in the last place from exact in float32; in float64 .NET's own. See
        /// docs/guides/accuracy.md.</remarks>
        public Tensor Pow(Operand exponent) => Promotion.Binary(Op.Pow, "Pow", x, exponent, Promotion.Number);

        /// <summary>floor(x / divisor); integers stay integers.</summary>
        public Tensor FloorDivide(Operand divisor)
        {
            var (numerator, denominator) = Promotion.Together("FloorDivide", x, divisor);
            return numerator.DType.IsFloat ? (numerator / denominator).Floor() : new(numerator.Node / denominator.Node);
        }

        /// <summary>The greater of two elements; NaN wins.</summary>
        public Tensor Maximum(Operand other) => Promotion.Binary(Op.Max, "Maximum", x, other);

        /// <summary>The lesser of two elements; NaN wins.</summary>
        public Tensor Minimum(Operand other) => Promotion.Binary(Op.Min, "Minimum", x, other);

        /// <summary>Elements moved into [min, max]; NaN stays.</summary>
        /// <param name="min">Null leaves that side open.</param>
        /// <param name="max">Null leaves that side open.</param>
        public Tensor Clamp(Operand? min = null, Operand? max = null)
        {
            var result = x;
            if (min is { } least) result = result.Maximum(least);
            if (max is { } greatest) result = result.Minimum(greatest);
            return result;
        }

        /// <summary>(1 - weight) * x + weight * end</summary>
        public Tensor Lerp(Operand end, Operand weight) => x + weight.ToTensor() * (end.ToTensor() - x);
    }
}
