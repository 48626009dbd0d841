using Ashlar.Graph;

namespace Ashlar.Tiles;

/// <summary>The functions of the kernel language. <c>using static Ashlar.Tiles.KernelMath;</c> lets kernels read like
/// formulas.</summary>
public static class KernelMath
{
    /// <summary><c>e^x</c>.</summary>
    public static KernelValue Exp(KernelValue x) => Apply(Op.Exp, x);

    /// <summary><c>2^x</c>.</summary>
    public static KernelValue Exp2(KernelValue x) => Exp(x * 0.6931471805599453);

    /// <summary>The natural logarithm.</summary>
    public static KernelValue Log(KernelValue x) => Apply(Op.Log, x);

    /// <summary>The square root.</summary>
    public static KernelValue Sqrt(KernelValue x) => Apply(Op.Sqrt, x);

    /// <summary><c>1 / sqrt(x)</c>.</summary>
    public static KernelValue Rsqrt(KernelValue x) => Apply(Op.Rsqrt, x);

    /// <summary>The hyperbolic tangent.</summary>
    public static KernelValue Tanh(KernelValue x) => Apply(Op.Tanh, x);

    /// <summary>The error function.</summary>
    public static KernelValue Erf(KernelValue x) => Apply(Op.Erf, x);

    /// <summary>The sine.</summary>
    public static KernelValue Sin(KernelValue x) => Apply(Op.Sin, x);

    /// <summary>The cosine.</summary>
    public static KernelValue Cos(KernelValue x) => Apply(Op.Cos, x);

    /// <summary>The magnitude.</summary>
    public static KernelValue Abs(KernelValue x) => Apply(Op.Abs, x);

    /// <summary>The greatest whole number that is not above x.</summary>
    public static KernelValue Floor(KernelValue x) => Apply(Op.Floor, x);

    /// <summary>The nearest whole number, ties to even.</summary>
    public static KernelValue Round(KernelValue x) => Apply(Op.Round, x);

    /// <summary><c>1 / (1 + e^-x)</c>.</summary>
    public static KernelValue Sigmoid(KernelValue x) => 1f / (1f + Exp(-x));

    /// <summary>The greater; NaN where either is.</summary>
    public static KernelValue Max(KernelValue a, KernelValue b) => Combine(Op.Max, "compares", a, b);

    /// <summary>The lesser; NaN where either is.</summary>
    public static KernelValue Min(KernelValue a, KernelValue b) => Combine(Op.Min, "compares", a, b);

    /// <summary>Where a and b are equal.</summary>
    public static KernelValue Equal(KernelValue a, KernelValue b) => Combine(Op.Equal, "compares", a, b);

    /// <summary><c>a</c> where the condition holds, <c>b</c> elsewhere.</summary>
    /// <exception cref="KernelException">The condition is no bool or the values have two types (ASH0574), or shapes do not fit
    /// (ASH0573).</exception>
    public static KernelValue Select(KernelValue condition, KernelValue a, KernelValue b)
    {
        (condition, a, b) = (condition.Settled(), a.Settled(), b.Settled());
        if (condition.DType != DType.Bool)
            throw new KernelException("ASH0574", $"Select chooses by {condition.Type}{KernelBuilder.Where()}.",
                "compare: a condition is a bool.");
        var type = Common("chooses between", a, b);
        var axes = Broadcast("chooses between", Broadcast("chooses between", condition.Axes, a.Axes, condition, a), b.Axes,
            condition, b);
        return new(BuilderOf(condition, a, b), axes, type,
            i => Nodes.Select(Operand(condition, DType.Bool, axes, i), Operand(a, type, axes, i), Operand(b, type, axes, i)),
            [.. condition.Reads, .. a.Reads, .. b.Reads]);
    }

    /// <summary>Every element in another type: floats round to nearest, become integers by dropping the fraction.</summary>
    public static KernelValue Cast(KernelValue x, DType dtype)
    {
        var settled = x.Settled();
        if (settled.Number is not null) return new(null, [], dtype, _ => settled.As(dtype)(0));
        return new(settled.Builder, settled.Axes, dtype, i => Nodes.Cast(settled.At(i), dtype), [.. settled.Reads]);
    }

    /// <summary>The matrix product of [M, K] and [K, N]: <c>acc += Dot(a, b)</c> accumulates, <c>Dot(a, b.T)</c> multiplies by a
    /// transpose.</summary>
    /// <remarks>
    /// Sums are kept in float32 for floats up to 32 bits, float64, or int32 for integers of up to 16 bits. Of two float types the
    /// wider counts.
    /// A factor that is more than a part of a tile or buffer is computed into a tile first.
    /// </remarks>
    /// <exception cref="KernelException">The shapes do not fit (ASH0576), or there is no product of these types
    /// (ASH0575).</exception>
    public static KernelProduct Dot(KernelValue a, KernelValue b)
    {
        (a, b) = (a.Settled(), b.Settled());
        if (a.Rank != 2 || b.Rank != 2 || a.Axes[1].Length != b.Axes[0].Length)
            throw new KernelException("ASH0576", $"Dot multiplies {a.Type} by {b.Type}{KernelBuilder.Where()}.",
                "the columns of the left must be the rows of the right: [M, K] by [K, N]; transpose one with .T.");
        if (a.DType != b.DType && a.DType.IsFloat && b.DType.IsFloat)
        {
            var wide = a.DType == DType.Float64 || b.DType == DType.Float64 ? DType.Float64 : DType.Float32;
            (a, b) = (Widened(a, wide), Widened(b, wide));
        }
        DType? sum = a.DType != b.DType ? null : a.DType switch
        {
            DType.Float64 => DType.Float64,
            DType.Float32 or DType.Float16 or DType.BFloat16 => DType.Float32,
            DType.Int8 or DType.UInt8 or DType.Int16 => DType.Int32,
            _ => null,
        };
        if (sum is not { } dtype)
            throw new KernelException("ASH0575",
                $"Dot lacks a product of {a.DType.Name} and {b.DType.Name}{KernelBuilder.Where()}.",
                "cast both to one of f64, f32, f16, bf16, i16, i8, u8: Cast(x, DType.Float32).");
        var k = BuilderOf(a, b)!;
        return new(k, [a.Axes[0], b.Axes[1]], dtype, k.Plain(a), k.Plain(b));

        static KernelValue Widened(KernelValue x, DType wide) => x.DType == wide ? x : Cast(x, wide);
    }

    /// <summary>The sum of every row: [M, N] becomes [M]. Computed now.</summary>
    public static KernelValue RowSum(KernelValue x) => Rows(Op.ReduceSum, x);

    /// <summary>The greatest element of every row: [M, N] becomes [M]. Computed now.</summary>
    public static KernelValue RowMax(KernelValue x) => Rows(Op.ReduceMax, x);

    /// <summary>The least element of every row: [M, N] becomes [M]. Computed now.</summary>
    public static KernelValue RowMin(KernelValue x) => Rows(Op.ReduceMin, x);

    /// <summary>Where the greatest element of every row is, int32: [M, N] becomes [M]. Computed now.</summary>
    public static KernelValue RowArgMax(KernelValue x) => Rows(Op.ArgMax, x);

    /// <summary>Where the greatest element of every column is, int32: [M, N] becomes [N]. Computed now.</summary>
    public static KernelValue ColumnArgMax(KernelValue x) => Columns(Op.ArgMax, x);

    /// <summary>The sum of every column: [M, N] becomes [N]. Computed now.</summary>
    public static KernelValue ColumnSum(KernelValue x) => Columns(Op.ReduceSum, x);

    /// <summary>The greatest element of every column: [M, N] becomes [N]. Computed now.</summary>
    public static KernelValue ColumnMax(KernelValue x) => Columns(Op.ReduceMax, x);

    /// <summary>The least element of every column: [M, N] becomes [N]. Computed now.</summary>
    public static KernelValue ColumnMin(KernelValue x) => Columns(Op.ReduceMin, x);

    /// <summary>The sum of all elements. Computed now.</summary>
    public static KernelValue Sum(KernelValue x) => All(Op.ReduceSum, x);

    /// <summary>The greatest of all elements. Computed now.</summary>
    public static KernelValue Max(KernelValue x) => All(Op.ReduceMax, x);

    /// <summary>The least of all elements. Computed now.</summary>
    public static KernelValue Min(KernelValue x) => All(Op.ReduceMin, x);

    internal static KernelValue Apply(Op op, KernelValue x)
    {
        var settled = x.Settled();
        settled.Builder?.Count();
        var type = settled.DType.Compute;
        Probe(op, $"takes {Meanings.Of(op).Name} of", [type], settled);
        return new(settled.Builder, settled.Axes, type, i => Nodes.Unary(op, settled.Wide(i)), [.. settled.Reads]);
    }

    internal static KernelValue Combine(Op op, string does, KernelValue a, KernelValue b)
    {
        (a, b) = (a.Settled(), b.Settled());
        var k = BuilderOf(a, b);
        k?.Count();
        var type = Common(does, a, b);
        var axes = Broadcast(does, a.Axes, b.Axes, a, b);
        var result = Probe(op, does, [type, type], a, b);
        return new(k, axes, result, i => Nodes.Binary(op, Operand(a, type, axes, i), Operand(b, type, axes, i)),
            [.. a.Reads, .. b.Reads]);
    }

    /// <summary>The element of an operand at a point of axes that it broadcasts to.</summary>
    internal static Node Operand(KernelValue x, DType type, KernelAxis[] axes, Node[] i)
    {
        if (x.Number is not null) return x.As(type)(0);
        var own = new Node[x.Rank];
        for (int axis = 0; axis < own.Length; axis++) own[axis] = x.Axes[axis].IsOne ? TileNodes.Number(0)
            : i[axis + axes.Length - own.Length];
        return Nodes.Cast(x.At(own), type);
    }

    internal static KernelAxis[] Broadcast(string does, KernelAxis[] a, KernelAxis[] b, KernelValue left, KernelValue right)
    {
        var axes = new KernelAxis[Math.Max(a.Length, b.Length)];
        for (int axis = 1; axis <= axes.Length; axis++)
        {
            var one = axis <= a.Length ? a[^axis] : KernelAxis.One;
            var other = axis <= b.Length ? b[^axis] : KernelAxis.One;
            if (one.Length != other.Length && !one.IsOne && !other.IsOne)
                throw new KernelException("ASH0573", $"a kernel {does} {left.Type} and {right.Type}{KernelBuilder.Where()}.",
                    "make the axes equal from the last on, or 1: .Rows makes a vector one value per row; a ragged tile fits "
                    + "tiles made from the same loop (k.Tile(n)).");
            axes[^axis] = one.IsOne ? other : one;
        }
        return axes;
    }

    /// <summary>The type that two operands compute in.</summary>
    internal static DType Common(string does, KernelValue a, KernelValue b)
    {
        if (a.Number is { } left && b.Number is { } right) return left.IsInteger && right.IsInteger ? DType.Int32 : DType.Float32;
        if (a.Number is not null || b.Number is not null)
        {
            var (number, other) = a.Number is { } first ? (first, b) : (b.Number!.Value, a);
            var type = other.DType.Compute;
            return number.IsInteger || type.IsFloat ? type : throw Mixed(does, a, b,
                "write a whole number, or cast the tile: Cast(x, DType.Float32).");
        }
        var (one, two) = (a.DType.Compute, b.DType.Compute);
        if (one == two) return one;
        if (one.IsInteger && two.IsInteger) return DType.Int64;
        throw Mixed(does, a, b, "cast one of them: Cast(x, DType.Float32).");
    }

    /// <summary>Whose trace these belong to.</summary>
    /// <exception cref="KernelException">They belong to two (ASH0581).</exception>
    internal static KernelBuilder? BuilderOf(params ReadOnlySpan<KernelValue?> values)
    {
        KernelBuilder? k = null;
        foreach (var value in values)
        {
            if (value?.Builder is not { } own) continue;
            if (k is not null && k != own || own.IsDone)
                throw new KernelException("ASH0581",
                    $"{value.Type} belongs to the trace of another kernel{KernelBuilder.Where()}.",
                    "use only what this kernel's own builder made; keep nothing of a trace.");
            k = own;
        }
        return k;
    }

    static KernelException Mixed(string does, KernelValue a, KernelValue b, string fix) =>
        new("ASH0574", $"a kernel {does} {a.Type} and {b.Type}{KernelBuilder.Where()}: their types do not mix.", fix);

    // The type rule of an op, asked now, so that the message has the line.
    static DType Probe(Op op, string does, DType[] types, params KernelValue[] operands)
    {
        try
        {
            return Node.Of(op, [.. types.Select(type => Nodes.Constant(1L, type, Shape.Scalar))]).DType;
        }
        catch (AshlarException)
        {
            throw new KernelException("ASH0574",
                $"a kernel {does} {string.Join(" and ", operands.Select(x => x.Type))}{KernelBuilder.Where()}, which "
                + $"{Meanings.Of(op).Name} does not know.",
                "cast to a type that it knows: Cast(x, DType.Float32).");
        }
    }

    static KernelValue Rows(Op op, KernelValue x) =>
        x.Rank == 2 ? Of(x).Reduce(op, x.Settled(), [1]) : throw x.WrongRank("is reduced by rows", "two axes");

    static KernelValue Columns(Op op, KernelValue x) =>
        x.Rank == 2 ? Of(x).Reduce(op, x.Settled(), [0]) : throw x.WrongRank("is reduced by columns", "two axes");

    static KernelValue All(Op op, KernelValue x) =>
        x.Rank > 0 ? Of(x).Reduce(op, x.Settled(), [.. Enumerable.Range(0, x.Rank)]) : throw x.WrongRank("is reduced", "an axis");

    static KernelBuilder Of(KernelValue x) => BuilderOf(x)!;
}
