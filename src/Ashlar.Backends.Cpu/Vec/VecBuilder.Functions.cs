namespace Ashlar.Backends.Cpu.Vec;

/// <summary>Elementary functions as expansions into vector operations.</summary>
/// <remarks>
/// Largest errors in units in the last place, over the whole range, which VecFunctionTests checks (f64 against .NET's own
/// functions):
/// <code>
///            f32    f64
/// exp        0.9    1.1
/// exp2       0.9    1.1
/// log        1.1    1.1
/// log2       1.8    2.1
/// tanh       2.6    3.1
/// erf        1.7    lane by lane in C#
/// sin, cos   1.5    .NET's, lane by lane
/// pow        0.6    .NET's, lane by lane
/// </code>
/// NaN gives NaN; infinities, zeros, denormals and overflow are right. The polynomials are minimax fits made for this file
/// (relative error below 2^-24.9 for f32 and 2^-56 for f64), on arguments reduced as the comments say.
/// </remarks>
internal sealed partial class VecBuilder
{
    /// <summary>c[0] + c[1] x + c[2] x^2 + ..., by Horner's rule.</summary>
    Reg Polynomial(Reg x, params ReadOnlySpan<double> c)
    {
        var sum = Const(x.Type, c[^1]);
        for (int i = c.Length - 2; i >= 0; i--) sum = Fma(sum, x, Const(x.Type, c[i]));
        return sum;
    }

    bool Narrow(Reg x) => x.Type.Elem == Elem.F32;

    Reg Integers(Reg x) => Bitcast(x, Narrow(x) ? Elem.I32 : Elem.I64);

    Reg Floats(Reg bits) => Bitcast(bits, bits.Type.Elem == Elem.I32 ? Elem.F32 : Elem.F64);

    // Keeps NaN: MinFast and MaxFast give their second operand then.
    Reg Clamp(Reg x, double least, double greatest) =>
        Binary(VecOp.MinFast, Const(x.Type, greatest), Binary(VecOp.MaxFast, Const(x.Type, least), x));

    Reg SignOf(Reg x) => Integers(x) & (Narrow(x) ? 0x80000000 : long.MinValue);

    Reg WithSign(Reg magnitude, Reg sign) => Floats(Integers(magnitude) | sign);

    // 2^n for an integral float n within the exponents of normal numbers: n + bias, in the low bits of a larger number, shifted
    // up.
    Reg Power2(Reg n) => Narrow(n)
        ? Floats(Integers(n + (12582912.0 + 127)) << 23)
        : Floats(Integers(n + (6755399441055744.0 + 1023)) << 52);

    /// <summary>p * 2^n, rounded once, for an integral float n: two factors where one would leave the normal numbers.</summary>
    Reg Scale(Reg p, Reg n)
    {
        if (Isa == Isa.Avx512) return Binary(VecOp.Scalef, p, n);
        var half = Unary(VecOp.Trunc, n * 0.5);
        return p * Power2(half) * Power2(n - half);
    }

    /// <summary>e to the power x.</summary>
    public Reg Exp(Reg x)
    {
        // x = n ln2 + r with |r| <= ln2/2, ln2 in two parts; e^x = 2^n e^r.
        x = Narrow(x) ? Clamp(x, -104, 89) : Clamp(x, -746, 710);
        var n = Unary(VecOp.Round, x * 1.4426950408889634);
        var r = Narrow(x)
            ? Fma(n, Const(x.Type, -1.428606765330187e-06), Fma(n, Const(x.Type, -0.693145751953125), x))
            : Fma(n, Const(x.Type, -1.9082149292705877e-10), Fma(n, Const(x.Type, -0.6931471803691238), x));
        var p = Narrow(x)
            ? Polynomial(r, 1, 1, 0.4999999403953552, 0.16666516661643982, 0.04166810214519501, 0.008369204588234425,
                0.0013839320745319128)
            : Polynomial(r, 1, 1, 0.5, 0.16666666666666682, 0.041666666666666095, 0.008333333333316966, 0.0013888888889115013,
                0.00019841269896549323,
                2.4801586927629503e-05, 2.7557234699348496e-06, 2.755758098471693e-07, 2.5112093018587863e-08,
                2.0826920817398335e-09);
        return Scale(p, n);
    }

    /// <summary>2 to the power x.</summary>
    public Reg Exp2(Reg x)
    {
        x = Narrow(x) ? Clamp(x, -150, 129) : Clamp(x, -1076, 1025);
        var n = Unary(VecOp.Round, x);
        var f = x - n;   // exact
        var p = Narrow(x)
            ? Polynomial(f, 1, 0.6931471805599453, 0.24022647738456726, 0.05550362169742584, 0.009618528187274933,
                0.0013390274252742529, 0.0001532102469354868)
            : Polynomial(f, 1, 0.6931471805599453, 0.24022650695910072, 0.05550410866482164, 0.009618129107628345,
                0.001333355814640215, 0.00015403530393633396,
                1.525273384668247e-05, 1.3215486590284114e-06, 1.0178054728410856e-07, 7.054978767685714e-09,
                4.456193266738836e-10, 2.5617076281175353e-11);
        return Scale(p, n);
    }

    /// <summary>The bits of 2^x as a bfloat16, in the low half of an int32 (the upper half is anything): 0.53 units in the last
    /// place.</summary>
    /// <remarks>
    /// With n = floor x and f = x - n, 2^x is 2^n times a polynomial in f, right to 2^-13. On AVX-512 its constant has half a
    /// unit of bfloat16 on top: so dropping the lower half of the float rounds. Elsewhere: a float's bits are its logarithm but
    /// for the curve between powers of 2: those of 2^x are 128 (127 + x + (2^f - 1 - f)), and the bracket is a polynomial, right
    /// to 2^-13.5. Adding 1.5 * 2^16 rounds to whole bits. Below 2^-126 results are too small, by 2^-127 at most.
    /// </remarks>
    public Reg Exp2BrainBits(Reg x)
    {
        if (Isa == Isa.Avx512)
        {
            var power = Polynomial(Unary(VecOp.Fraction, x), 0.9998929656518848 + 1 / 256.0, 0.6964573949867364,
                0.22433836480619984, 0.07920424020706379);
            return FromUpper(Integers(Binary(VecOp.Scalef, power, x)));
        }
        var t = Clamp(x, -127, 128);
        var f = t - Unary(VecOp.Floor, t);
        var y = Fma(f, Polynomial(f, -0.3048842494229166, 0.22764961016010277, 0.07706280757403548), t);
        var bits = Integers(y + (98304.0 + 127));
        return Select(Compare(VecOp.Ne, x, x), Const(bits.Type, 0x7fc0), bits);
    }

    /// <summary>x = 2^exponent * significand with the significand in [0.75, 1.5), for x above 0.</summary>
    /// <remarks>Zero gives exponent -infinity and infinity gives +infinity on AVX-512; elsewhere <see cref="Special"/> mends
    /// both.</remarks>
    (Reg Exponent, Reg Significand) Split(Reg x)
    {
        if (Isa == Isa.Avx512)
        {
            var significand = Unary(VecOp.Getmant, x);
            var floor = Unary(VecOp.Getexp, x);
            return (Select(significand < Const(x.Type, 1), floor + 1.0, floor), significand);
        }
        // Denormals are scaled up first. The exponent field of bits + one half of its unit is that of x, one more from 1.5 up; as
        // the low bits of 2^23 (2^52) it becomes a float without a conversion.
        var (field, bias, least, up) = Narrow(x)
            ? (23, 127, 1.17549435e-38, 8388608.0)
            : (52, 1023, 2.2250738585072014e-308, 4503599627370496.0);
        var denormal = x < Const(x.Type, least);
        var bits = Integers(Select(denormal, x * up, x));
        var power = (bits + (1L << field - 1)) >>> field;
        var magic =
            ConstBits(power.Type, Narrow(x) ? BitConverter.SingleToInt32Bits((float)up) : BitConverter.DoubleToInt64Bits(up));
        var exponent = Floats(power | magic) - (up + bias);
        exponent = Select(denormal, exponent - field, exponent);
        return (exponent, Floats(bits - (power << field) + ((long)bias << field)));
    }

    // What a logarithm is where x is not a positive finite number.
    Reg Special(Reg x, Reg logarithm)
    {
        if (Isa == Isa.Avx512) return logarithm;   // Split already gives NaN, -infinity and infinity
        var type = x.Type;
        var zero = Const(type, 0);
        logarithm = Select(x < Const(type, double.PositiveInfinity), logarithm, x);
        logarithm = Select(x < zero, Const(type, double.NaN), logarithm);
        return Select(Compare(VecOp.Eq, x, zero), Const(type, double.NegativeInfinity), logarithm);
    }

    // log(1 + f) in double precision without its leading f: -s (f - R) with s = f / (2 + f), from 2 atanh(s) = f - s f + s R.
    Reg LogTail(Reg f)
    {
        var s = f / (f + 2.0);
        var z = s * s;
        var r = z * Polynomial(z, 0.666666666666666, 0.4000000000005667, 0.28571428555829903, 0.22222224296432355,
            0.18181665867746621,
            0.15391112547499144, 0.13173583565610236, 0.13843183183038352);
        return s * (f - r);
    }

    /// <summary>Natural logarithm.</summary>
    public Reg Log(Reg x)
    {
        var (exponent, significand) = Split(x);
        var f = significand - 1.0;
        Reg result;
        if (Narrow(x))
        {
            var p = Polynomial(f, -0.5, 0.33333447575569153, -0.2500009536743164, 0.19990865886211395, -0.16647328436374664,
                0.14478372037410736,
                -0.13161058723926544, 0.10462897270917892, -0.04507473111152649);
            var y = Fma(exponent, Const(x.Type, 1.428606765330187e-06), Fma(f * f, p, f));
            result = Fma(exponent, Const(x.Type, 0.693145751953125), y);
        }
        else
        {
            var tail = Fma(exponent, Const(x.Type, -1.9082149292705877e-10), LogTail(f));
            result = Fma(exponent, Const(x.Type, 0.6931471803691238), f - tail);
        }
        return Special(x, result);
    }

    /// <summary>Logarithm to base 2; exact for powers of 2.</summary>
    public Reg Log2(Reg x)
    {
        var (exponent, significand) = Split(x);
        var f = significand - 1.0;
        Reg result;
        if (Narrow(x))
        {
            var q = Polynomial(f, -0.7213475108146667, 0.4809001088142395, -0.36067453026771545, 0.2884034812450409,
                -0.24017655849456787,
                0.20893235504627228, -0.18989098072052002, 0.15073612332344055, -0.06478923559188843);
            var low = Fma(f, Const(x.Type, 1.925963033500011e-08), f * f * q);
            result = exponent + Fma(f, Const(x.Type, 1.4426950216293335), low);
        }
        else
        {
            var y = f - LogTail(f);
            result = Fma(y, Const(x.Type, 1.4426950408889634), Fma(y, Const(x.Type, 2.0355273740931033e-17), exponent));
        }
        return Special(x, result);
    }

    // e^x - 1 for |x| up to a few dozen: 2^n (e^r - 1) + (2^n - 1), so nothing cancels near 0.
    Reg ExpMinus1(Reg x)
    {
        var n = Unary(VecOp.Round, x * 1.4426950408889634);
        var r = Narrow(x)
            ? Fma(n, Const(x.Type, -1.428606765330187e-06), Fma(n, Const(x.Type, -0.693145751953125), x))
            : Fma(n, Const(x.Type, -1.9082149292705877e-10), Fma(n, Const(x.Type, -0.6931471803691238), x));
        var p = Narrow(x)
            ? Polynomial(r, 0.4999999701976776, 0.1666654348373413, 0.04166720062494278, 0.008366549387574196,
                0.0013882481725886464)
            : Polynomial(r, 0.5, 0.16666666666666677, 0.04166666666666651, 0.008333333333321653, 0.0013888888888962554,
                0.00019841269886076125,
                2.4801587172291785e-05, 2.755724425168528e-06, 2.755740274052557e-07, 2.5109025289959433e-08,
                2.0875336712354908e-09);
        p = Fma(r * r, p, r);
        var power = Power2(n);
        return Fma(p, power, power - 1.0);
    }

    /// <summary>1 / x within 1 ULP: an estimate and a Newton step where that is quicker than the division, which takes 16
    /// cycles.</summary>
    public Reg RecipNear(Reg x)
    {
        if (Isa != Isa.Avx512 || x.Type.Elem != Elem.F32) return Unary(VecOp.Recip, x);
        var estimate = Unary(VecOp.RecipEstimate, x);
        // 1 - x * estimate; where they are infinite and 0 that is NaN, which the minimum replaces, so the estimate stays.
        var error = Binary(VecOp.MinFast, Fma(-x, estimate, Const(x.Type, 1)), Const(x.Type, 1));
        return Fma(estimate, error, estimate);
    }

    /// <summary>Hyperbolic tangent.</summary>
    public Reg Tanh(Reg x)
    {
        // tanh |x| = (e^2|x| - 1) / (e^2|x| + 1); beyond the bound it rounds to 1.
        var magnitude = Binary(VecOp.MinFast, Const(x.Type, Narrow(x) ? 10 : 20), Unary(VecOp.Abs, x));
        var e = ExpMinus1(magnitude + magnitude);
        return WithSign(e * RecipNear(e + 2.0), SignOf(x));
    }

    /// <summary>The error function.</summary>
    public Reg Erf(Reg x)
    {
        if (!Narrow(x)) return Unary(VecOp.ErfCall, x);
        // erf t = 1 - erfc t = -(e^-q - 1) with q = -log(erfc t), which is smooth: t times a polynomial. Beyond 3.95 it rounds to
        // 1.
        var t = Binary(VecOp.MinFast, Const(x.Type, 3.95), Unary(VecOp.Abs, x));
        var inner = Polynomial(t, 5.8635382771399236e-08, -0.636619508266449, -0.10277680307626724, 0.019149597734212875,
            0.00016635388601571321,
            -0.0016726477770134807, 0.0006357654347084463, -0.00011842811363749206, 9.340985343442298e-06);
        var q = Fma(t, Const(x.Type, -1.128379225730896), t * inner);
        return WithSign(Unary(VecOp.Abs, ExpMinus1(q)), SignOf(x));
    }

    /// <summary>Sine of an angle in radians.</summary>
    public Reg Sin(Reg x) => Narrow(x) ? Circular(x, 0) : Unary(VecOp.SinCall, x);

    /// <summary>Cosine of an angle in radians.</summary>
    public Reg Cos(Reg x) => Narrow(x) ? Circular(x, 1) : Unary(VecOp.CosCall, x);

    Reg Circular(Reg x, long quarters)
    {
        // x = n pi/2 + r, pi/2 in three parts: right while n has at most 17 bits. Beyond, lane by lane.
        const double bound = 100000, magic = 12582912;   // 1.5 * 2^23: adding it leaves the integer in the low bits
        var type = x.Type;
        var shifted = Fma(x, Const(type, 0.6366197723675814), Const(type, magic));
        var n = shifted - magic;
        var r = Fma(n, Const(type, -1.5707963705062866), x);
        r = Fma(n, Const(type, 4.371138828673793e-08), r);
        r = Fma(n, Const(type, 1.7151245100058819e-15), r);
        var z = r * r;
        var sine = Fma(r * z, Polynomial(z, -0.16666655242443085, 0.008332188241183758, -0.0001951806916622445), r);
        var cosine = Polynomial(z, 1, -0.5, 0.04166664555668831, -0.0013887309469282627, 2.4432341888314113e-05);
        var quadrant = Bitcast(shifted, Elem.I32) + quarters;
        var one = Const(quadrant.Type, 1);
        var value = Select(Compare(VecOp.Eq, quadrant & one, one), cosine, sine);
        var result = Var(Floats(Integers(value) ^ ((quadrant & Const(quadrant.Type, 2)) << 30)));
        var large = ~(Unary(VecOp.Abs, x) <= Const(type, bound));
        If(Any(large), () => Assign(result, Select(large, Unary(quarters == 0 ? VecOp.SinCall : VecOp.CosCall, x), result)));
        return result;
    }

    /// <summary>x to the power y, by the rules of IEEE 754.</summary>
    public Reg Pow(Reg x, Reg y)
    {
        if (!Narrow(x)) return Binary(VecOp.PowCall, x, y);
        // In double precision, half a register at a time, for positive finite x; anything else lane by lane.
        var result = Var(InHalves(x, y));
        var type = x.Type;
        var plain = (x > Const(type, 0)) & (x < Const(type, double.PositiveInfinity)) & (Unary(VecOp.Abs, y) < Const(type, 1e30));
        If(Any(~plain), () => Assign(result, Select(plain, result, Binary(VecOp.PowCall, x, y))));
        return result;

        Reg InHalves(Reg a, Reg b)
        {
            if (a.Type.Lanes * 8 > Isa.VectorBytes && a.Type.Lanes > 1)
                return Concat(InHalves(Lower(a), Lower(b)), InHalves(Upper(a), Upper(b)));
            return Convert(Exp2(Convert(b, Elem.F64) * Log2(Convert(a, Elem.F64))), Elem.F32);
        }
    }
}
