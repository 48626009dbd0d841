using static Ashlar.Graph.Nodes;

namespace Ashlar.Graph;

/// <summary>Rows of the elementwise ops. Inputs have one shape and, but for Select and Cast, one element type; nothing
/// broadcasts.</summary>
static class Elementwise
{
    public static readonly Meaning[] Rows =
    [
        Signed(Op.Neg, "neg") with { Element = x => -x[0], Gradient = (dy, _, _) => [-dy] },
        Signed(Op.Abs, "abs") with { Element = x => Math.Abs(x[0]), Gradient = (dy, _, x) => [dy * Unary(Op.Sign, x[0])] },
        Signed(Op.Sign, "sign") with { Element = x => double.IsNaN(x[0]) ? x[0] : Math.Sign(x[0]), Gradient = Flat },
        Real(Op.Exp, "exp") with { Element = x => Math.Exp(x[0]), Gradient = (dy, y, _) => [dy * y] },
        Real(Op.Log, "log") with { Element = x => Math.Log(x[0]), Gradient = (dy, _, x) => [dy / x[0]] },
        Real(Op.Sin, "sin") with { Element = x => Math.Sin(x[0]), Gradient = (dy, _, x) => [dy * Unary(Op.Cos, x[0])] },
        Real(Op.Cos, "cos") with { Element = x => Math.Cos(x[0]), Gradient = (dy, _, x) => [-(dy * Unary(Op.Sin, x[0]))] },
        Real(Op.Tanh, "tanh") with { Element = x => Math.Tanh(x[0]), Gradient = (dy, y, _) => [dy * (1 - y * y)] },
        Real(Op.Erf, "erf") with
        {
            Element = x => SpecialFunctions.Erf(x[0]),
            Gradient = (dy, _, x) => [dy * (Exp(-(x[0] * x[0])) * (2 / Math.Sqrt(Math.PI)))],
        },
        Real(Op.Sqrt, "sqrt") with { Element = x => Math.Sqrt(x[0]), Gradient = (dy, y, _) => [dy * 0.5 / y] },
        Real(Op.Rsqrt, "rsqrt") with { Element = x => 1 / Math.Sqrt(x[0]), Gradient = (dy, y, _) => [dy * -0.5 * (y * y * y)] },
        Real(Op.Recip, "recip") with { Element = x => 1 / x[0], Gradient = (dy, y, _) => [-(dy * (y * y))] },
        Real(Op.Floor, "floor") with { Element = x => Math.Floor(x[0]), Gradient = Flat },
        Real(Op.Ceil, "ceil") with { Element = x => Math.Ceiling(x[0]), Gradient = Flat },
        Real(Op.Round, "round") with { Element = x => Math.Round(x[0], MidpointRounding.ToEven), Gradient = Flat },
        Real(Op.Trunc, "trunc") with { Element = x => Math.Truncate(x[0]), Gradient = Flat },
        Exact(new(Op.Not, "not", (x, _) => { Rules.Arity(Op.Not, x, 1); Whole(Op.Not, x[0]); return Type(x[0]); }), x => ~x[0]),
        new(Op.Cast, "cast", (x, a) =>
            { Rules.Arity(Op.Cast, x, 1); return new(Rules.Expect<CastAttributes>(Op.Cast, a).DType, x[0].Shape); })
        {
            Evaluate = (node, x) => Map(x[0], element => Conversion.Cast(element, node.Inputs[0].DType, node.DType)),
            Gradient = (dy, _, x) => [x[0].DType.IsFloat ? Cast(dy, x[0].DType) : null],
        },
        new(Op.BitCast, "bitcast", (x, a) =>
        {
            Rules.Arity(Op.BitCast, x, 1);
            var to = Rules.Expect<CastAttributes>(Op.BitCast, a).DType;
            if (to.Bytes != x[0].DType.Bytes || to == DType.Bool || x[0].DType == DType.Bool)
                throw new DTypeException("ASH0206",
                    $"BitCast cannot turn {x[0].DType.Name} into {to.Name}: the sizes differ or one is bool.",
                    "choose a type of the same size, or Cast.");
            return new(to, x[0].Shape);
        })
        {
            Evaluate = (node, x) => Map(x[0], element => Conversion.BitCast(element, node.Inputs[0].DType, node.DType)),
        },
        Pair(Op.Add, "add") with { Element = x => x[0] + x[1], Gradient = (dy, _, _) => [dy, dy] },
        Pair(Op.Sub, "sub") with { Element = x => x[0] - x[1], Gradient = (dy, _, _) => [dy, -dy] },
        Pair(Op.Mul, "mul") with
        {
            Element = x => x[0] * x[1],
            Integer = x => unchecked(x[0] * x[1]),
            Gradient = (dy, _, x) => [dy * x[1], dy * x[0]],
        },
        // Integers: rounded down as in Python; by 0, 0.
        Pair(Op.Div, "div") with
        {
            Element = x => x[0] / x[1],
            Integer = x => FloorDivide(x[0], x[1]),
            Gradient = (dy, y, x) => [dy / x[1], -(dy / x[1] * y)],
        },
        Pair(Op.Pow, "pow") with
        {
            Element = x => Math.Pow(x[0], x[1]),
            Integer = x => Power(x[0], x[1]),
            Gradient = (dy, y, x) => [PowerByBase(dy, x[0], x[1]), PowerByExponent(dy, y, x[0])],
        },
        // The remainder of Div rounded down: it has the sign of the divisor.
        Pair(Op.Mod, "mod") with
        {
            Element = x => x[0] - x[1] * Math.Floor(x[0] / x[1]),
            Integer = x => x[1] == 0 ? 0 : unchecked(x[0] - x[1] * FloorDivide(x[0], x[1])),
            Gradient = (dy, _, x) => [dy, -(dy * Unary(Op.Floor, x[0] / x[1]))],
        },
        Extreme(Op.Max, "max") with { Element = x => Math.Max(x[0], x[1]), Gradient = (dy, _, x) => Winners(dy, x[0], x[1]) },
        Extreme(Op.Min, "min") with { Element = x => Math.Min(x[0], x[1]), Gradient = (dy, _, x) => Winners(dy, x[1], x[0]) },
        Exact(Bits(Op.And, "and"), x => x[0] & x[1]),
        Exact(Bits(Op.Or, "or"), x => x[0] | x[1]),
        Exact(Bits(Op.Xor, "xor"), x => x[0] ^ x[1]),
        // A count below 0 or beyond the width shifts everything out: 0, or the sign.
        Exact(Shift(Op.Shl, "shl"), x => x[1] is < 0 or > 63 ? 0 : x[0] << (int)x[1]),
        Exact(Shift(Op.Shr, "shr"), x => x[0] >> (x[1] is < 0 or > 63 ? 63 : (int)x[1])),
        Compare(Op.Less, "less") with { Element = x => x[0] < x[1] ? 1 : 0 },
        Compare(Op.LessEqual, "less_equal") with { Element = x => x[0] <= x[1] ? 1 : 0 },
        Compare(Op.Equal, "equal") with { Element = x => x[0] == x[1] ? 1 : 0 },
        Compare(Op.NotEqual, "not_equal") with { Element = x => x[0] != x[1] ? 1 : 0 },
        new(Op.Select, "select", (x, _) =>
        {
            Rules.Arity(Op.Select, x, 3);
            Rules.Same(Op.Select, x[1..]);
            if (x[0].DType != DType.Bool || x[0].Shape != x[1].Shape)
                throw new ShapeException("ASH0106",
                    $"Select needs a bool condition of the values' shape, but got {Rules.Types(x)}.",
                    "compare first, and broadcast the condition to the values' shape.");
            return Type(x[1]);
        })
        {
            Element = x => x[0] != 0 ? x[1] : x[2],
            Gradient = (dy, _, x) => [null, Select(x[0], dy, dy.Like(0)), Select(x[0], dy.Like(0), dy)],
        },
        Exact(new(Op.RandomBits, "random_bits", (x, _) =>
        {
            Rules.Arity(Op.RandomBits, x, 3);
            Rules.Same(Op.RandomBits, x);
            if (x[0].DType != DType.Int32)
                throw new DTypeException("ASH0207", $"RandomBits needs keys and counter of i32, but got {Rules.Types(x)}.",
                    "cast them to i32.");
            return Type(x[0]);
        }), x => Threefry.Block((uint)x[0], (uint)x[1], (uint)x[2], 0).First),
    ];

    static NodeType Type(Node x) => new(x.DType, x.Shape);

    static Meaning Signed(Op op, string name) =>
        new(op, name, (x, _) => { Rules.Arity(op, x, 1); Rules.Number(op, x[0]); return Type(x[0]); });

    static Meaning Real(Op op, string name) =>
        new(op, name, (x, _) => { Rules.Arity(op, x, 1); Rules.Float(op, x[0]); return Type(x[0]); });

    static Meaning Pair(Op op, string name) =>
        new(op, name, (x, _) => { Rules.Arity(op, x, 2); Rules.Same(op, x); Rules.Number(op, x[0]); return Type(x[0]); });

    static Meaning Extreme(Op op, string name) =>
        new(op, name, (x, _) => { Rules.Arity(op, x, 2); Rules.Same(op, x); return Type(x[0]); });

    static Meaning Bits(Op op, string name) =>
        new(op, name, (x, _) => { Rules.Arity(op, x, 2); Rules.Same(op, x); Whole(op, x[0]); return Type(x[0]); });

    static Meaning Shift(Op op, string name) =>
        new(op, name, (x, _) =>
            { Rules.Arity(op, x, 2); Rules.Same(op, x); Whole(op, x[0]); Rules.Number(op, x[0]); return Type(x[0]); });

    static Meaning Compare(Op op, string name) =>
        new(op, name, (x, _) => { Rules.Arity(op, x, 2); Rules.Same(op, x); return new(DType.Bool, x[0].Shape); });

    static Meaning Exact(Meaning row, Func<long[], long> integer) =>
        row with { Integer = integer, Element = x => integer(Array.ConvertAll(x, element => (long)element)) };

    static void Whole(Op op, Node x)
    {
        if (x.DType.IsFloat)
            throw new DTypeException("ASH0208", $"{op} needs integers or bool, but got {x.DType.Name}{x.Shape}.",
                "cast to an integer type, or compare first.");
    }

    static Value Map(Value x, Func<double, double> element) =>
        new(Array.ConvertAll(x.Data, new Converter<double, double>(element)), x.Extents);

    // Constant almost everywhere.
    static Node?[] Flat(Node dy, Node y, IReadOnlyList<Node> x) => [null];

    static long FloorDivide(long a, long b)
    {
        if (b == 0) return 0;
        if (b == -1) return unchecked(-a);   // the processor traps on the least number over -1
        long quotient = a / b;
        return a % b != 0 && a < 0 != b < 0 ? quotient - 1 : quotient;
    }

    static long Power(long x, long exponent)
    {
        if (exponent < 0) return x switch { 1 => 1, -1 => (exponent & 1) == 0 ? 1 : -1, _ => 0 };
        long result = 1;
        for (; exponent > 0; exponent >>= 1)
        {
            if ((exponent & 1) != 0) result = unchecked(result * x);
            x = unchecked(x * x);
        }
        return result;
    }

    // b a^(b-1); where b is 0 it is 0 even at a = 0, where the formula would be 0 times infinity
    static Node? PowerByBase(Node dy, Node a, Node b) => b.Constant switch
    {
        0 => null,
        1 => dy,
        2 => dy * (2 * a),
        { } exponent => dy * (Binary(Op.Pow, a, b.Like(exponent - 1)) * exponent),
        null => dy * Select(Binary(Op.Equal, b, b.Like(0)), b.Like(0), b * Binary(Op.Pow, a, b - 1)),
    };

    // a^b log a; 0 at a = 0, where the formula would be 0 times infinity
    static Node PowerByExponent(Node dy, Node y, Node a) =>
        dy * (y * Log(Select(Binary(Op.Equal, a, a.Like(0)), a.Like(1), a)));

    // Equal inputs share the gradient evenly.
    static Node[] Winners(Node dy, Node greater, Node less)
    {
        var tie = Binary(Op.Equal, greater, less);
        var half = dy * 0.5;
        var shared = Select(tie, half, dy.Like(0));
        return [Select(Binary(Op.Less, less, greater), dy, shared), Select(Binary(Op.Less, greater, less), dy, shared)];
    }
}
