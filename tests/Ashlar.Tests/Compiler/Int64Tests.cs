using Ashlar.Backends.Cpu;
using Ashlar.Graph;
using Ashlar.Runtime;
using static Ashlar.Graph.Nodes;

namespace Ashlar.Tests.Compiler;

/// <summary>int64 beyond 2^53, where the interpreter's doubles end: against plain C#, at every level and on every path.</summary>
public class Int64Tests
{
    static readonly long[] special =
    [
        0, 1, -1, 2, -2, 3, 7, -7, 63, 64, (1L << 31) - 1, -(1L << 31), (1L << 32) + 1, (1L << 53) - 1, (1L << 53) + 1,
        -(1L << 53) - 1, (1L << 62) + 1, 0x7FFF_FFFF_0000_0001,
        1234567890123456789, -987654321098765432, 3037000500, long.MaxValue, long.MaxValue - 1, long.MinValue, long.MinValue + 1,
    ];

    static readonly int n = special.Length;

    // Every pair: row r of left is special[r], row r of right is all of them.
    static readonly long[] left = [.. special.SelectMany(x => Enumerable.Repeat(x, special.Length))];
    static readonly long[] right = [.. special.SelectMany(_ => special)];

    sealed record Case(string Name, Func<Node, Node, Node> Build, Func<long[]> Expected);

    // Whatever the type of a value, its bits or its cast are int64, so everything is compared exactly.
    static readonly Case[] cases =
    [
        Pairs("add", (a, b) => a + b, (a, b) => a + b),
        Pairs("sub", (a, b) => a - b, (a, b) => a - b),
        Pairs("mul", (a, b) => a * b, (a, b) => a * b),
        Pairs("div", (a, b) => Binary(Op.Div, a, b), Divided),
        Pairs("mod", (a, b) => Binary(Op.Mod, a, b), (a, b) => b == 0 ? 0 : a - b * Divided(a, b)),
        Pairs("div by 3", (a, _) => Binary(Op.Div, a, Whole(3, a)), (a, _) => Divided(a, 3)),
        Pairs("mod by 8", (a, _) => Binary(Op.Mod, a, Whole(8, a)), (a, _) => a & 7),
        Pairs("shl", (a, b) => Binary(Op.Shl, a, b), (a, b) => b is < 0 or > 63 ? 0 : a << (int)b),
        Pairs("shr", (a, b) => Binary(Op.Shr, a, b), (a, b) => a >> (b is < 0 or > 63 ? 63 : (int)b)),
        Pairs("and", (a, b) => Binary(Op.And, a, b), (a, b) => a & b),
        Pairs("or", (a, b) => Binary(Op.Or, a, b), (a, b) => a | b),
        Pairs("xor", (a, b) => Binary(Op.Xor, a, b), (a, b) => a ^ b),
        Pairs("not", (a, _) => Unary(Op.Not, a), (a, _) => ~a),
        Pairs("neg", (a, _) => -a, (a, _) => -a),
        Pairs("abs", (a, _) => Unary(Op.Abs, a), (a, _) => a < 0 ? -a : a),
        Pairs("sign", (a, _) => Unary(Op.Sign, a), (a, _) => Math.Sign(a)),
        Pairs("max", Max, Math.Max),
        Pairs("min", Min, Math.Min),
        Pairs("less", (a, b) => Cast(Binary(Op.Less, a, b), DType.Int64), (a, b) => a < b ? 1 : 0),
        Pairs("less or equal", (a, b) => Cast(Binary(Op.LessEqual, a, b), DType.Int64), (a, b) => a <= b ? 1 : 0),
        Pairs("equal", (a, b) => Cast(Binary(Op.Equal, a, b), DType.Int64), (a, b) => a == b ? 1 : 0),
        Pairs("not equal", (a, b) => Cast(Binary(Op.NotEqual, a, b), DType.Int64), (a, b) => a != b ? 1 : 0),
        Pairs("select", (a, b) => Select(Binary(Op.Less, a, b), a, Whole((1L << 53) + 1, a)),
            (a, b) => a < b ? a : (1L << 53) + 1),
        Pairs("constants", (a, _) => a + Whole((1L << 53) + 1, a) * Whole(3, a), (a, _) => a + 3 * ((1L << 53) + 1)),
        Pairs("to int32", (a, _) => Cast(Cast(a, DType.Int32), DType.Int64), (a, _) => (int)a),
        Pairs("to int16", (a, _) => Cast(Cast(a, DType.Int16), DType.Int64), (a, _) => (short)a),
        Pairs("to uint8", (a, _) => Cast(Cast(a, DType.UInt8), DType.Int64), (a, _) => (byte)a),
        Pairs("to bool", (a, _) => Cast(Cast(a, DType.Bool), DType.Int64), (a, _) => a != 0 ? 1 : 0),
        Pairs("to float64", (a, _) => BitCast(Cast(a, DType.Float64), DType.Int64), (a, _) => BitConverter.DoubleToInt64Bits(a)),
        Pairs("to float32", (a, _) => BitCast(Cast(Cast(a, DType.Float32), DType.Float64), DType.Int64),
            (a, _) => BitConverter.DoubleToInt64Bits((float)a)),
        Pairs("from float64", (a, _) => Cast(Cast(a, DType.Float64), DType.Int64), (a, _) => Saturated(a)),
        Pairs("from float64 beyond", (a, _) => Cast(Cast(a, DType.Float64) * 2.0, DType.Int64), (a, _) => Saturated(a * 2.0)),
        Pairs("from float32", (a, _) => Cast(Cast(a, DType.Float32), DType.Int64), (a, _) => Saturated((float)a)),
        Pairs("from any bits", (a, b) => Cast(BitCast(Xor(a, b), DType.Float64), DType.Int64),
            (a, b) => Saturated(BitConverter.Int64BitsToDouble(a ^ b))),
        Rows("sum", (a, b) => Sum(Xor(a, b), 1), row => row.Aggregate((x, y) => x + y)),
        Rows("product", (a, b) => Reduce(Op.ReduceProd, Binary(Op.Or, Xor(a, b), Whole(1, a)), 1),
            row => row.Select(x => x | 1).Aggregate((x, y) => x * y)),
        Rows("greatest", (a, b) => Reduce(Op.ReduceMax, Xor(a, b), 1), row => row.Max()),
        Rows("least", (a, b) => Reduce(Op.ReduceMin, Xor(a, b), 1), row => row.Min()),
        Rows("place of the greatest", (a, b) => Cast(Arg(Op.ArgMax, Xor(a, b), 1), DType.Int64),
            row => Array.IndexOf(row, row.Max())),
        Rows("place of the least", (a, b) => Cast(Arg(Op.ArgMin, Xor(a, b), 1), DType.Int64),
            row => Array.IndexOf(row, row.Min())),
        // The same over columns: left is constant along rows, so its columns are all of the values.
        new("sum of columns", (a, _) => Sum(a, 0), () => [.. Enumerable.Repeat(special.Aggregate((x, y) => x + y), n)]),
        new("greatest of columns", (a, _) => Reduce(Op.ReduceMax, a, 0), () => [.. Enumerable.Repeat(long.MaxValue, n)]),
        new("running sum", (a, b) => Scan(Op.CumSum, b, 1),
            () => [.. Enumerable.Range(0, n * n).Select(i => special[..(i % n + 1)].Aggregate((x, y) => x + y))]),
        new("running maximum", (a, b) => Scan(Op.CumMax, a, 0),
            () => [.. Enumerable.Range(0, n * n).Select(i => special[..(i / n + 1)].Max())]),
        new("order", (a, b) => Cast(ArgSort(b, 1), DType.Int64), () =>
            [.. Enumerable.Range(0, n).SelectMany(_ => Enumerable.Range(0, n).OrderBy(i => special[i]).Select(i => (long)i))]),
        new("gather", (a, b) => Gather(b, Cast(Flip(Iota(1, DType.Int64, b.Shape), 1), DType.Int64), 1),
            () => [.. Enumerable.Range(0, n).SelectMany(_ => special.Reverse())]),
        new("scatter", (a, b) => Scatter(Whole(5, b), Flip(Iota(1, DType.Int32, b.Shape), 1), b, 1, ScatterMode.Add),
            () => [.. Enumerable.Range(0, n).SelectMany(_ => special.Reverse().Select(x => x + 5))]),
        new("product of matrices", (a, b) => MatMul(b, Transpose(b)),
            () => [.. Enumerable.Repeat(special.Aggregate(0L, (sum, x) => sum + x * x), n * n)]),
    ];

    static Case Pairs(string name, Func<Node, Node, Node> build, Func<long, long, long> expected) =>
        new(name, build, () => [.. left.Zip(right, expected)]);

    // Of each row of (left xor right).
    static Case Rows(string name, Func<Node, Node, Node> build, Func<long[], long> expected) =>
        new(name, build, () => [.. left.Zip(right, (a, b) => a ^ b).Chunk(n).Select(expected)]);

    static Node Xor(Node a, Node b) => Binary(Op.Xor, a, b);

    static Node Whole(long value, Node like) => Constant(value, DType.Int64, like.Shape);

    static long Divided(long a, long b) => b switch
    {
        0 => 0,
        -1 => -a,
        _ => a / b - (a % b != 0 && a < 0 != b < 0 ? 1 : 0),
    };

    static long Saturated(double x) =>
        double.IsNaN(x) ? 0 : x >= 9223372036854775808.0 ? long.MaxValue : x <= -9223372036854775808.0 ? long.MinValue : (long)x;

    public static TheoryData<OptimizationLevel, Isa> Paths => CpuFuzzTests.Cases;

    [Theory, MemberData(nameof(Paths))]
    public void Values_AreExact(OptimizationLevel level, Isa isa)
    {
        Node a = Parameter(0, DType.Int64, [n, n]), b = Parameter(1, DType.Int64, [n, n]);
        var function = Programs.F([a, b], [.. cases.Select(one => one.Build(a, b))]);
        var backend = CpuProgramTests.Backend(isa, workers: level == OptimizationLevel.O2 ? 3 : 1);
        var program = backend.Compile(function, new(level));
        var inputs = new[] { left, right }.Select(values =>
        {
            var buffer = backend.Allocate(values.Length * sizeof(long));
            values.CopyTo(buffer.Span<long>(values.Length));
            return buffer;
        }).ToArray();
        var outputs = function.Results.Select(result => backend.Allocate(result.Shape.Elements.Value * sizeof(long))).ToArray();
        program.Run(inputs, outputs, []);
        for (int i = 0; i < cases.Length; i++)
        {
            long[] expected = cases[i].Expected(), found = outputs[i].Span<long>(expected.Length).ToArray();
            for (int k = 0; k < expected.Length; k++)
                Assert.True(expected[k] == found[k],
                    $"{cases[i].Name}: element {k} is {found[k]}, expected {expected[k]}, of {left[k]} and {right[k]}");
        }
    }
}
