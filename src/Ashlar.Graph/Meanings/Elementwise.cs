namespace Ashlar.Graph;

/// <summary>Rows of the elementwise ops. Inputs have one shape and, but for Select and Cast, one element type; nothing broadcasts.</summary>
static class Elementwise
{
    public static readonly Meaning[] Rows =
    [
        Signed(Op.Neg, "neg"),
        Signed(Op.Abs, "abs"),
        Signed(Op.Sign, "sign"),
        Real(Op.Exp, "exp"),
        Real(Op.Log, "log"),
        Real(Op.Sin, "sin"),
        Real(Op.Cos, "cos"),
        Real(Op.Tanh, "tanh"),
        Real(Op.Erf, "erf"),
        Real(Op.Sqrt, "sqrt"),
        Real(Op.Rsqrt, "rsqrt"),
        Real(Op.Recip, "recip"),
        Real(Op.Floor, "floor"),
        Real(Op.Ceil, "ceil"),
        Real(Op.Round, "round"),
        Real(Op.Trunc, "trunc"),
        new(Op.Not, "not", (x, _) => { Rules.Arity(Op.Not, x, 1); Whole(Op.Not, x[0]); return Type(x[0]); }),
        new(Op.Cast, "cast", (x, a) => { Rules.Arity(Op.Cast, x, 1); return new(Rules.Expect<CastAttributes>(Op.Cast, a).DType, x[0].Shape); }),
        new(Op.BitCast, "bitcast", (x, a) =>
        {
            Rules.Arity(Op.BitCast, x, 1);
            var to = Rules.Expect<CastAttributes>(Op.BitCast, a).DType;
            if (to.Bytes != x[0].DType.Bytes || to == DType.Bool || x[0].DType == DType.Bool)
                throw new DTypeException("ASH0206", $"BitCast cannot turn {x[0].DType.Name} into {to.Name}: the sizes differ or one is bool.", "choose a type of the same size, or Cast.");
            return new(to, x[0].Shape);
        }),
        Pair(Op.Add, "add"),
        Pair(Op.Sub, "sub"),
        Pair(Op.Mul, "mul"),
        Pair(Op.Div, "div"),
        Pair(Op.Pow, "pow"),
        Pair(Op.Mod, "mod"),
        new(Op.Max, "max", (x, _) => { Rules.Arity(Op.Max, x, 2); Rules.Same(Op.Max, x); return Type(x[0]); }),
        new(Op.Min, "min", (x, _) => { Rules.Arity(Op.Min, x, 2); Rules.Same(Op.Min, x); return Type(x[0]); }),
        Bits(Op.And, "and"),
        Bits(Op.Or, "or"),
        Bits(Op.Xor, "xor"),
        Shift(Op.Shl, "shl"),
        Shift(Op.Shr, "shr"),
        Compare(Op.Less, "less"),
        Compare(Op.LessEqual, "less_equal"),
        Compare(Op.Equal, "equal"),
        Compare(Op.NotEqual, "not_equal"),
        new(Op.Select, "select", (x, _) =>
        {
            Rules.Arity(Op.Select, x, 3);
            Rules.Same(Op.Select, x[1..]);
            if (x[0].DType != DType.Bool || x[0].Shape != x[1].Shape)
                throw new ShapeException("ASH0106", $"Select needs a bool condition of the values' shape, but got {Rules.Types(x)}.", "compare first, and broadcast the condition to the values' shape.");
            return Type(x[1]);
        }),
        new(Op.RandomBits, "random_bits", (x, _) =>
        {
            Rules.Arity(Op.RandomBits, x, 3);
            Rules.Same(Op.RandomBits, x);
            if (x[0].DType != DType.Int32)
                throw new DTypeException("ASH0207", $"RandomBits needs keys and counter of i32, but got {Rules.Types(x)}.", "cast them to i32.");
            return Type(x[0]);
        }),
    ];

    static NodeType Type(Node x) => new(x.DType, x.Shape);

    static Meaning Signed(Op op, string name) => new(op, name, (x, _) => { Rules.Arity(op, x, 1); Rules.Number(op, x[0]); return Type(x[0]); });

    static Meaning Real(Op op, string name) => new(op, name, (x, _) => { Rules.Arity(op, x, 1); Rules.Float(op, x[0]); return Type(x[0]); });

    static Meaning Pair(Op op, string name) =>
        new(op, name, (x, _) => { Rules.Arity(op, x, 2); Rules.Same(op, x); Rules.Number(op, x[0]); return Type(x[0]); });

    static Meaning Bits(Op op, string name) =>
        new(op, name, (x, _) => { Rules.Arity(op, x, 2); Rules.Same(op, x); Whole(op, x[0]); return Type(x[0]); });

    static Meaning Shift(Op op, string name) =>
        new(op, name, (x, _) => { Rules.Arity(op, x, 2); Rules.Same(op, x); Whole(op, x[0]); Rules.Number(op, x[0]); return Type(x[0]); });

    static Meaning Compare(Op op, string name) =>
        new(op, name, (x, _) => { Rules.Arity(op, x, 2); Rules.Same(op, x); return new(DType.Bool, x[0].Shape); });

    static void Whole(Op op, Node x)
    {
        if (x.DType.IsFloat)
            throw new DTypeException("ASH0208", $"{op} needs integers or bool, but got {x.DType.Name}{x.Shape}.", "cast to an integer type, or compare first.");
    }
}
