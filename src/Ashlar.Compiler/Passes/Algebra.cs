using Ashlar.Graph;
using static Ashlar.Graph.Nodes;

namespace Ashlar.Compiler.Passes;

/// <summary>Laws of elementwise ops that hold for every value, NaN and infinity included, up to the sign of zero.</summary>
/// <remarks>Floats do not associate, so only integers are reordered. Constants stand on the right of what commutes.</remarks>
static class Algebra
{
    public static RuleSet Rules { get; } = new("algebra")
    {
        { "constants go right",
            n => n is (Op.Add or Op.Mul or Op.Max or Op.Min or Op.And or Op.Or or Op.Xor or Op.Equal or Op.NotEqual,
                [{ Constant: not null } c, { Constant: null } x])
                ? Binary(n.Op, x, c)
                : null },
        { "x + 0 = x", n => n is (Op.Add, [var x, { Constant: 0 }]) ? x : null },
        { "x - 0 = x", n => n is (Op.Sub, [var x, { Constant: 0 }]) ? x : null },
        { "0 - x = -x", n => n is (Op.Sub, [{ Constant: 0 }, var x]) ? -x : null },
        { "x - c = x + -c", n => n is (Op.Sub, [{ Constant: null } x, { Constant: { } }]) ? x + Opposite(n.Inputs[1]) : null },
        { "x * 1 = x", n => n is (Op.Mul, [var x, { Constant: 1 }]) ? x : null },
        { "x * -1 = -x", n => n is (Op.Mul, [var x, { Constant: -1 }]) ? -x : null },
        { "x * 0 = 0 for integers", n => n is (Op.Mul, [_, { Constant: 0, DType.IsFloat: false } zero]) ? zero : null },
        { "x / 1 = x", n => n is (Op.Div, [var x, { Constant: 1 }]) ? x : null },
        { "1 / x = recip x", n => n is (Op.Div, [{ Constant: 1, DType.IsFloat: true }, var x]) ? Unary(Op.Recip, x) : null },
        { "x / 2^k = x * 2^-k",
            n => n is (Op.Div, [var x, { DType.IsFloat: true, Constant: { } c }]) && IsPowerOfTwo(c, n.DType)
                ? x * (1 / c)
                : null },
        { "recip sqrt x = rsqrt x", n => n is (Op.Recip, [(Op.Sqrt, [var x])]) ? Rsqrt(x) : null },
        { "x - x = 0 for integers", n => n is (Op.Sub, [{ DType.IsFloat: false } x, var y]) && x == y ? x.Like(0) : null },
        { "-(-x) = x", n => n is (Op.Neg, [(Op.Neg, [var x])]) ? x : null },
        { "-(x - y) = y - x", n => n is (Op.Neg, [(Op.Sub, [var x, var y])]) ? y - x : null },
        { "-(x * c) = x * -c", n => n is (Op.Neg, [(Op.Mul, [var x, { Constant: { } } c])]) ? x * Opposite(c) : null },
        { "x + -y = x - y", n => n is (Op.Add, [var x, (Op.Neg, [var y])]) ? x - y : null },
        { "-x + y = y - x", n => n is (Op.Add, [(Op.Neg, [var x]), var y]) ? y - x : null },
        { "x - -y = x + y", n => n is (Op.Sub, [var x, (Op.Neg, [var y])]) ? x + y : null },
        { "-x * -y = x * y", n => n is (Op.Mul, [(Op.Neg, [var x]), (Op.Neg, [var y])]) ? x * y : null },
        { "-x * c = x * -c", n => n is (Op.Mul, [(Op.Neg, [var x]), { Constant: { } } c]) ? x * Opposite(c) : null },
        { "-x / -y = x / y", n => n is (Op.Div, [(Op.Neg, [{ DType.IsFloat: true } x]), (Op.Neg, [var y])]) ? x / y : null },
        { "(x + c) + d = x + (c + d) for integers",
            n => n is (Op.Add, [(Op.Add, [var x, { Constant: { } } c]), { DType.IsFloat: false, Constant: { } } d])
                ? x + (c + d)
                : null },
        { "(x * c) * d = x * (c * d) for integers",
            n => n is (Op.Mul, [(Op.Mul, [var x, { Constant: { } } c]), { DType.IsFloat: false, Constant: { } } d])
                ? x * (c * d)
                : null },
        { "abs -x = abs x, but for unsigned integers",
            n => n is (Op.Abs, [(Op.Neg, [{ DType: not DType.UInt8 } x])]) ? Unary(Op.Abs, x) : null },
        { "abs abs x = abs x for floats", n => n is (Op.Abs, [(Op.Abs, [{ DType.IsFloat: true }]) x]) ? x : null },
        { "abs x * abs x = x * x for floats",
            n => n is (Op.Mul, [(Op.Abs, [{ DType.IsFloat: true } x]), (Op.Abs, [var y])]) && x == y ? x * x : null },
        { "floor, ceil, round and trunc of a whole number are that number",
            n => n is (>= Op.Floor and <= Op.Trunc, [(>= Op.Floor and <= Op.Trunc, _) x]) ? x : null },
        { "max(x, x) = min(x, x) = x & x = x | x = x",
            n => n is (Op.Max or Op.Min or Op.And or Op.Or, [var x, var y]) && x == y ? x : null },
        { "x ^ x = 0", n => n is (Op.Xor, [var x, var y]) && x == y ? x.Like(0) : null },
        { "x & 0 = 0", n => n is (Op.And, [_, { Constant: 0 } zero]) ? zero : null },
        { "x | 0 = x ^ 0 = x << 0 = x >> 0 = x",
            n => n is (Op.Or or Op.Xor or Op.Shl or Op.Shr, [var x, { Constant: 0 }]) ? x : null },
        { "x & true = x; x | true = true; x ^ true = not x",
            n => n is (Op.And or Op.Or or Op.Xor, [var x, { DType: DType.Bool, Constant: 1 } yes])
                ? n.Op switch { Op.And => x, Op.Or => yes, _ => Unary(Op.Not, x) }
                : null },
        { "not not x = x", n => n is (Op.Not, [(Op.Not, [var x])]) ? x : null },
        { "x < x and x != x are false, x <= x and x = x are true, but for NaN",
            n => n is (>= Op.Less and <= Op.NotEqual, [var x, var y]) && x == y && (!x.DType.IsFloat || n.Op == Op.Less)
                ? n.Like(n.Op is Op.LessEqual or Op.Equal ? 1 : 0)
                : null },
        { "x ^ 0 = 1, x ^ 1 = x, x ^ -1 = recip x for floats",
            n => n is (Op.Pow, [{ DType.IsFloat: true } x, { Constant: { } c }])
                ? c switch { 0 => x.Like(1), 1 => x, -1 => Unary(Op.Recip, x), _ => null }
                : null },
        { "x ^ 2 = x x, x ^ 3 = x x x",
            n => n is (Op.Pow, [var x, { Constant: { } c }]) ? c switch { 2 => x * x, 3 => x * x * x, _ => null } : null },
        { "select of one value twice is the value", n => n is (Op.Select, [_, var a, var b]) && a == b ? a : null },
        { "select of a constant condition is a branch",
            n => n is (Op.Select, [{ Constant: { } c }, var a, var b]) ? c != 0 ? a : b : null },
        { "not c ? a : b = c ? b : a", n => n is (Op.Select, [(Op.Not, [var c]), var a, var b]) ? Select(c, b, a) : null },
        { "c ? true : false = c",
            n => n is (Op.Select, [var c, { DType: DType.Bool, Constant: { } a }, { Constant: { } b }]) && a != b
                ? a != 0 ? c : Unary(Op.Not, c)
                : null },
        { "c ? (c ? a : b) : d = c ? a : d",
            n => n is (Op.Select, [var c, (Op.Select, [var e, var a, _]), var d]) && c == e ? Select(c, a, d) : null },
        { "c ? a : (c ? b : d) = c ? a : d",
            n => n is (Op.Select, [var c, var a, (Op.Select, [var e, _, var d])]) && c == e ? Select(c, a, d) : null },
        { "a cast to its own type is nothing", n => n is (Op.Cast or Op.BitCast, [var x]) && x.DType == n.DType ? x : null },
        { "a cast of a lossless cast is one cast",
            n => n is (Op.Cast, [(Op.Cast, [var x]) middle]) && IsTransparent(x.DType, middle.DType, n.DType)
                ? Cast(x, n.DType)
                : null },
        { "a bit cast of a bit cast is one", n => n is (Op.BitCast, [(Op.BitCast, [var x])]) ? BitCast(x, n.DType) : null },
        { "a barrier inside a barrier joins it",
            n => n is (Op.Barrier, [(Op.Barrier, _) inner, ..])
                ? Barrier(inner.Inputs[0], [.. inner.Inputs.Skip(1).Concat(n.Inputs.Skip(1)).Distinct()])
                : null },
        { "nothing waits for constants",
            n => n.Op == Op.Barrier && n.Inputs.Skip(1).Any(IsFree)
                ? Barrier(n.Inputs[0], [.. n.Inputs.Skip(1).Where(node => !IsFree(node))])
                : null },
        { "a barrier before nothing, or around a constant, is nothing",
            n => n.Op == Op.Barrier && (n.Inputs.Count == 1 || IsFree(n.Inputs[0])) ? n.Inputs[0] : null },
    };

    static Node Opposite(Node c) => c.DType.IsFloat
        ? c.Like(-c.Constant!.Value)
        : Constant(unchecked(-c.Get<ConstantAttributes>().Integer), c.DType, c.Shape);

    // The quotient is exact then, but where a result is subnormal it is rounded once either way.
    static bool IsPowerOfTwo(double c, DType dtype)
    {
        int widest = dtype == DType.Float16 ? 14 : 100;   // the reciprocal must be a normal number of the type
        return double.IsFinite(c) && c != 0 && Math.Abs(Math.ILogB(c)) <= widest && Math.ScaleB(Math.Sign(c), Math.ILogB(c)) == c;
    }

    // Does casting through the middle type give what casting at once gives?
    static bool IsTransparent(DType from, DType middle, DType to)
    {
        if (from == DType.Bool) return true;
        if (!Holds(middle, from)) return false;
        // Integers wrap into integers, but floats saturate.
        return from.IsFloat || !middle.IsFloat || to.IsFloat || to == DType.Bool || Holds(to, from);
    }

    // Is every value of one type a value of the other?
    static bool Holds(DType wide, DType narrow) => wide == narrow || (wide.IsFloat, narrow.IsFloat) switch
    {
        (true, true) => wide == DType.Float64 || wide == DType.Float32 && narrow != DType.Float64,
        (true, false) => narrow.IsInteger && 8 * narrow.Bytes - (narrow == DType.UInt8 ? 0 : 1) <= Precision(wide),
        (false, false) => wide.IsInteger && narrow.IsInteger && (wide.Bytes > narrow.Bytes && wide != DType.UInt8),
        _ => false,
    };

    // Whole numbers up to 2 to this power are exact.
    static int Precision(DType dtype) => dtype switch { DType.BFloat16 => 8, DType.Float16 => 11, DType.Float32 => 24, _ => 53 };

    static bool IsFree(Node node) => node.Op is Op.Constant or Op.Size or Op.Iota;
}
