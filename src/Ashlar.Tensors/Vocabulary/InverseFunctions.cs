namespace Ashlar;

/// <summary>Inverse trigonometric and hyperbolic functions, lengths and logarithms of sums, element by element.</summary>
/// <remarks>
/// Angles are in radians. The values are computed in float64 and rounded once to the element type, so float32 results are within
/// 1e-7 of the exact ones, relatively; integers give float32. NaN gives NaN. Gradients are the closed forms.
/// </remarks>
public static class InverseFunctions
{
    // Cephes, S. Moshier: atan(x) = x + x³ P(x²) / Q(x²) for |x| up to 0.66.
    static readonly double[] atanP =
        [-8.750608600031904122785e-1, -1.615753718733365076637e1, -7.500855792314704667340e1, -1.228866684490136173410e2,
            -6.485021904942025371773e1];

    static readonly double[] atanQ =
        [1, 2.485846490142306297962e1, 1.650270098316988542046e2, 4.328810604912902668951e2, 4.853903996359136964868e2,
            1.945506571482613964425e2];

    extension(Tensor x)
    {
        /// <summary>The angle in [-pi/2, pi/2] whose tangent is x.</summary>
        public Tensor Atan() => Wide.Function("atan", x, Angle, (at, _) => 1 / (1 + at * at));

        /// <summary>The angle in [-pi/2, pi/2] whose sine is x; NaN outside of [-1, 1].</summary>
        public Tensor Asin() => Wide.Function("asin", x,
            at => Angle(at / (1 + ((1 - at) * (1 + at)).Sqrt())) * 2,
            (at, _) => ((1 - at) * (1 + at)).Rsqrt());

        /// <summary>The angle in [0, pi] whose cosine is x; NaN outside of [-1, 1].</summary>
        public Tensor Acos() => Wide.Function("acos", x,
            at => Angle(((1 - at) / (1 + at)).Sqrt()) * 2,
            (at, _) => -((1 - at) * (1 + at)).Rsqrt());

        /// <summary>The angle in (-pi, pi] of the point (<paramref name="horizontal"/>, x); 0 for the origin.</summary>
        /// <param name="horizontal">The coordinate along the axis that angles count from; broadcasts.</param>
        /// <remarks>The sign of a zero does not count: below the horizontal axis is only what is less than 0.</remarks>
        public Tensor Atan2(Operand horizontal) => Wide.Function("atan2", x, horizontal,
            (up, along) =>
            {
                Tensor height = up.Abs(), width = along.Abs();
                var ratio = Tensor.Where(height.EqualTo(width), Tensor.Where(height.EqualTo(0), 0.0, height.OnesLike()),
                    height / width);
                var angle = Angle(ratio);
                angle = Tensor.Where(along < 0, Math.PI - angle, angle);
                return Tensor.Where(up < 0, -angle, angle);
            },
            (up, along, _) =>
            {
                var square = up * up + along * along;
                return (along / square, -up / square);
            });

        /// <summary>The number whose hyperbolic sine is x.</summary>
        public Tensor Asinh() => Wide.Function("asinh", x,
            at =>
            {
                var size = at.Abs();
                var near = size.Minimum(1e8);   // 1 more than its square is its square, and soon infinite
                var low = (near + near * near / (1 + (1 + near * near).Sqrt())).Log1P();
                return at.Sign() * Tensor.Where(size > 1e8, size.Log() + Math.Log(2), low);
            },
            (at, _) => (1 + at * at).Rsqrt());

        /// <summary>The number from 0 whose hyperbolic cosine is x; NaN below 1.</summary>
        public Tensor Acosh() => Wide.Function("acosh", x,
            at =>
            {
                var above = at.Minimum(1e8) - 1;
                var low = (above + (above * (above + 2)).Sqrt()).Log1P();
                return Tensor.Where(at < 1, double.NaN, Tensor.Where(at > 1e8, at.Log() + Math.Log(2), low));
            },
            (at, _) => ((at - 1) * (at + 1)).Rsqrt());

        /// <summary>The number whose hyperbolic tangent is x; infinite at -1 and 1, NaN beyond.</summary>
        public Tensor Atanh() => Wide.Function("atanh", x,
            at =>
            {
                var size = at.Abs();
                return at.Sign() * 0.5 * (2 * size / (1 - size)).Log1P();
            },
            (at, _) => 1 / ((1 - at) * (1 + at)));

        /// <summary>sqrt(x² + other²) without overflow: the length of the side that x and <paramref name="other"/> enclose at a
        /// right angle.</summary>
        /// <param name="other">Broadcasts.</param>
        /// <remarks>Infinite where either is, even beside NaN. The gradient at (0, 0) is 0.</remarks>
        public Tensor Hypot(Operand other) => Wide.Function("hypot", x, other,
            (a, b) =>
            {
                Tensor size = a.Abs(), otherSize = b.Abs();
                Tensor great = size.Maximum(otherSize), small = size.Minimum(otherSize);
                var ratio = small / Tensor.Where(great.EqualTo(0), 1.0, great);
                return Tensor.Where(a.IsInfinity() | b.IsInfinity(), double.PositiveInfinity, great * (1 + ratio * ratio).Sqrt());
            },
            (a, b, length) =>
            {
                var safe = Tensor.Where(length.EqualTo(0), 1.0, length);
                return (a / safe, b / safe);
            });

        /// <summary>2 to the power of x.</summary>
        public Tensor Exp2() => Wide.Function("exp2", x,
            at => (at * Math.Log(2)).Exp(),
            (_, power) => power * Math.Log(2));

        /// <summary>log(exp(x) + exp(other)), without overflow.</summary>
        /// <param name="other">Broadcasts.</param>
        public Tensor LogAddExp(Operand other) => Wide.Function("logaddexp", x, other,
            (a, b) =>
            {
                var great = a.Maximum(b);
                var distance = Tensor.Where(a.EqualTo(b), 0.0, (a - b).Abs());   // equal infinities have none
                return great + (-distance).Exp().Log1P();
            },
            (a, b, sum) =>
            {
                var share = Tensor.Where(a.EqualTo(b), 0.5, (a - b).Sigmoid());
                return (share, 1 - share);
            });

        /// <summary>The cube root, with the sign of x.</summary>
        public Tensor Cbrt() => Wide.Function("cbrt", x,
            at => at.Sign() * at.Abs().Pow(1.0 / 3),
            (_, root) => 1 / (3 * root * root));

        /// <summary>x with numbers in place of NaN and of infinities.</summary>
        /// <param name="nan">In place of NaN.</param>
        /// <param name="positiveInfinity">Null: the greatest finite number of the element type.</param>
        /// <param name="negativeInfinity">Null: the least finite number of the element type.</param>
        public Tensor NanToNum(double nan = 0, double? positiveInfinity = null, double? negativeInfinity = null)
        {
            if (!x.DType.IsFloat) return x;
            double greatest = x.DType switch
            {
                DType.Float64 => double.MaxValue,
                DType.Float32 => float.MaxValue,
                DType.Float16 => (double)Half.MaxValue,
                _ => 3.3895313892515355e38,   // (2 - 2^-7) * 2^127
            };
            var finite = Tensor.Where(x.IsInfinity(),
                Tensor.Where(x > 0, positiveInfinity ?? greatest, x.FullLike(negativeInfinity ?? -greatest)), x);
            return Tensor.Where(x.IsNaN(), nan, finite);
        }
    }

    // The arcus tangent in float64: beyond tan(3 pi / 8) by way of -1 / x, beyond 0.66 by way of (x - 1) / (x + 1).
    static Tensor Angle(Tensor x)
    {
        var size = x.Abs();
        Tensor far = size > 2.41421356237309504880, middle = size > 0.66;
        var reduced = Tensor.Where(far, -1 / size, Tensor.Where(middle, (size - 1) / (size + 1), size));
        var offset = Tensor.Where(far, Math.PI / 2, Tensor.Where(middle, Math.PI / 4, size.ZerosLike()));
        var square = reduced * reduced;
        var angle = offset + (reduced + reduced * (square * Wide.Polynomial(square, atanP) / Wide.Polynomial(square, atanQ)));
        return Tensor.Where(x < 0, -angle, angle);
    }
}
