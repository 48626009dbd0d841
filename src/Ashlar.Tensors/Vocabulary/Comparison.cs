namespace Ashlar;

/// <summary>Comparisons, logic and bits, element by element, and the choice between elements.</summary>
/// <remarks>Equality is a method: <c>==</c> on tensors compares the handles, as with every class.</remarks>
public static class Comparison
{
    extension(Tensor)
    {
        /// <summary>True where a is less; false with NaN.</summary>
        public static Tensor operator <(Tensor a, Tensor b) => Promotion.Binary(Op.Less, "<", a, b);

        /// <summary>True where a is less; false with NaN.</summary>
        public static Tensor operator <(Tensor a, Operand b) => Promotion.Binary(Op.Less, "<", a, b);

        /// <summary>True where a is less; false with NaN.</summary>
        public static Tensor operator <(Operand a, Tensor b) => Promotion.Binary(Op.Less, "<", a, b);

        /// <summary>True where a is greater; false with NaN.</summary>
        public static Tensor operator >(Tensor a, Tensor b) => Promotion.Binary(Op.Less, ">", b, a);

        /// <summary>True where a is greater; false with NaN.</summary>
        public static Tensor operator >(Tensor a, Operand b) => Promotion.Binary(Op.Less, ">", b, a);

        /// <summary>True where a is greater; false with NaN.</summary>
        public static Tensor operator >(Operand a, Tensor b) => Promotion.Binary(Op.Less, ">", b, a);

        /// <summary>True where a is at most b; false with NaN.</summary>
        public static Tensor operator <=(Tensor a, Tensor b) => Promotion.Binary(Op.LessEqual, "<=", a, b);

        /// <summary>True where a is at most b; false with NaN.</summary>
        public static Tensor operator <=(Tensor a, Operand b) => Promotion.Binary(Op.LessEqual, "<=", a, b);

        /// <summary>True where a is at most b; false with NaN.</summary>
        public static Tensor operator <=(Operand a, Tensor b) => Promotion.Binary(Op.LessEqual, "<=", a, b);

        /// <summary>True where a is at least b; false with NaN.</summary>
        public static Tensor operator >=(Tensor a, Tensor b) => Promotion.Binary(Op.LessEqual, ">=", b, a);

        /// <summary>True where a is at least b; false with NaN.</summary>
        public static Tensor operator >=(Tensor a, Operand b) => Promotion.Binary(Op.LessEqual, ">=", b, a);

        /// <summary>True where a is at least b; false with NaN.</summary>
        public static Tensor operator >=(Operand a, Tensor b) => Promotion.Binary(Op.LessEqual, ">=", b, a);

        /// <summary>And of bools, or of the bits of integers.</summary>
        public static Tensor operator &(Tensor a, Tensor b) => Promotion.Binary(Op.And, "&", a, b);

        /// <summary>And of the bits of integers.</summary>
        public static Tensor operator &(Tensor a, Operand b) => Promotion.Binary(Op.And, "&", a, b);

        /// <summary>Or of bools, or of the bits of integers.</summary>
        public static Tensor operator |(Tensor a, Tensor b) => Promotion.Binary(Op.Or, "|", a, b);

        /// <summary>Or of the bits of integers.</summary>
        public static Tensor operator |(Tensor a, Operand b) => Promotion.Binary(Op.Or, "|", a, b);

        /// <summary>Exclusive or of bools, or of the bits of integers.</summary>
        public static Tensor operator ^(Tensor a, Tensor b) => Promotion.Binary(Op.Xor, "^", a, b);

        /// <summary>Exclusive or of the bits of integers.</summary>
        public static Tensor operator ^(Tensor a, Operand b) => Promotion.Binary(Op.Xor, "^", a, b);

        /// <summary>Not of bools, or of the bits of integers.</summary>
        public static Tensor operator ~(Tensor x) => new(Nodes.Unary(Op.Not, x.Node));

        /// <summary>Not of bools.</summary>
        public static Tensor operator !(Tensor x) => x.DType == DType.Bool ? ~x : x.EqualTo(0);

        /// <summary>The bits of integers moved up.</summary>
        public static Tensor operator <<(Tensor x, Operand bits) => Promotion.Binary(Op.Shl, "<<", x, bits);

        /// <summary>The bits of integers moved down; the sign is kept.</summary>
        public static Tensor operator >>(Tensor x, Operand bits) => Promotion.Binary(Op.Shr, ">>", x, bits);

        /// <summary>condition ? a : b, element by element; all three broadcast.</summary>
        /// <param name="condition">bool</param>
        /// <param name="a">Taken where the condition is true.</param>
        /// <param name="b">Taken where it is false. Both sides are computed.</param>
        public static Tensor Where(Tensor condition, Operand a, Operand b)
        {
            if (condition.DType != DType.Bool)
                throw new DTypeException("ASH0223",
                    $"Where needs a bool condition, but got {condition.Type}.", "compare first, for example x > 0.");
            var dtype = Promotion.Type("Where", a, b);
            var shape = Promotion.Meet("Where", condition, a, b);
            return new(Nodes.Select(Nodes.Stretch(condition.Node, shape), a.ToNode("Where", dtype, shape),
                b.ToNode("Where", dtype, shape)));
        }
    }

    extension(Tensor x)
    {
        /// <summary>True where the elements are equal; NaN equals nothing.</summary>
        public Tensor EqualTo(Operand other) => Promotion.Binary(Op.Equal, "EqualTo", x, other);

        /// <summary>True where the elements differ; NaN differs from everything.</summary>
        public Tensor NotEqualTo(Operand other) => Promotion.Binary(Op.NotEqual, "NotEqualTo", x, other);

        /// <summary>True where the element is no number.</summary>
        public Tensor IsNaN() => x.NotEqualTo(x);

        /// <summary>True where the element is plus or minus infinity.</summary>
        public Tensor IsInfinity() =>
            x.DType.IsFloat ? x.Abs().EqualTo(double.PositiveInfinity) : Tensor.Zeros(x.Shape, DType.Bool);

        /// <summary>True where the element is neither infinite nor NaN.</summary>
        public Tensor IsFinite() => x.DType.IsFloat ? x.Abs() < double.PositiveInfinity : Tensor.Ones(x.Shape, DType.Bool);

        /// <summary>True where two elements are equal, or finite and as close as <c>|x - other| &lt;= absolute + relative *
        /// |other|</c>.</summary>
        /// <param name="other">Broadcasts.</param>
        /// <param name="relative">The tolerance as a share of the other.</param>
        /// <param name="absolute">The tolerance that is always there.</param>
        /// <param name="nanEqualsNan">Two NaNs are close too.</param>
        /// <remarks>Integers and bools are compared in float64.</remarks>
        public Tensor IsClose(Operand other, double relative = 1e-5, double absolute = 1e-8, bool nanEqualsNan = false)
        {
            var met = Promotion.Type("IsClose", x, other);
            var dtype = met.IsFloat ? met.Compute : DType.Float64;   // a difference of integers can wrap
            Tensor a = x.Cast(dtype), b = other.ToTensor().Cast(dtype);
            var close = a.EqualTo(b) | (b.IsFinite() & ((a - b).Abs() <= absolute + relative * b.Abs()));
            return nanEqualsNan ? close | (a.IsNaN() & b.IsNaN()) : close;
        }

        /// <summary>True where all elements are close: <c>IsClose(...).All()</c>.</summary>
        /// <param name="other">Broadcasts.</param>
        /// <param name="relative">The tolerance as a share of the other.</param>
        /// <param name="absolute">The tolerance that is always there.</param>
        /// <param name="nanEqualsNan">Two NaNs are close too.</param>
        /// <returns>A bool scalar; <c>(bool)a.AllClose(b)</c> reads it.</returns>
        public Tensor AllClose(Operand other, double relative = 1e-5, double absolute = 1e-8, bool nanEqualsNan = false) =>
            x.IsClose(other, relative, absolute, nanEqualsNan).All();

        /// <summary>True where exactly one of two elements is not 0.</summary>
        /// <param name="other">Broadcasts; of any element type.</param>
        public Tensor LogicalXor(Operand other) => x.Cast(DType.Bool) ^ other.ToTensor().Cast(DType.Bool);

        /// <summary>True where both elements are not 0.</summary>
        /// <param name="other">Broadcasts; of any element type.</param>
        public Tensor LogicalAnd(Operand other) => x.Cast(DType.Bool) & other.ToTensor().Cast(DType.Bool);

        /// <summary>True where one element or both are not 0.</summary>
        /// <param name="other">Broadcasts; of any element type.</param>
        public Tensor LogicalOr(Operand other) => x.Cast(DType.Bool) | other.ToTensor().Cast(DType.Bool);

        /// <summary>True where the element is 0.</summary>
        public Tensor LogicalNot() => ~x.Cast(DType.Bool);

        /// <summary>True where the element is one of some values; NaN is none of them.</summary>
        /// <param name="values">Of any shape; element types promote.</param>
        /// <remarks>Compares each element with each value.</remarks>
        public Tensor IsIn(Tensor values) => x.Unsqueeze(-1).EqualTo(values.Flatten()).Any(-1);

        /// <summary>This tensor where the mask is false, <paramref name="value"/> where it is true.</summary>
        /// <param name="mask">bool; broadcasts.</param>
        /// <param name="value">Takes this tensor's element type.</param>
        public Tensor MaskedFill(Tensor mask, Operand value) =>
            Tensor.Where(mask, value.Tensor is { } tensor ? tensor.Cast(x.DType) : value, x);
    }
}
