using Ashlar.Graph;
using static Ashlar.Graph.Nodes;

namespace Ashlar.Tests.Graph;

public class ShapeRuleTests
{
    static readonly Node f = Parameter(0, DType.Float32, [2, 3]);
    static readonly Node g = Parameter(1, DType.Float32, [3, 2]);
    static readonly Node d = Parameter(2, DType.Float64, [2, 3]);
    static readonly Node i = Parameter(3, DType.Int32, [2, 3]);
    static readonly Node c = Parameter(4, DType.Bool, [2, 3]);
    static readonly Node s = Parameter(5, DType.Float32, [new Symbol("B", 0), 3]);

    // What is built, the code, and words of the message: the op, the types found, the fix.
    static readonly (Func<Node> Build, string Code, string[] Words)[] wrong =
    [
        (() => f + g, "ASH0104", ["Add", "f32[2, 3] and f32[3, 2]", "broadcast or reshape"]),
        (() => f + d, "ASH0202", ["Add", "f32[2, 3] and f64[2, 3]", "cast one input"]),
        (() => Exp(i), "ASH0203", ["Exp", "i32[2, 3]", "cast to f32"]),
        (() => c * c, "ASH0204", ["Mul", "bool[2, 3]", "cast to i32 or f32"]),
        (() => Unary(Op.Not, f), "ASH0208", ["Not", "f32[2, 3]", "cast to an integer type"]),
        (() => Select(i, f, f), "ASH0106", ["Select", "i32[2, 3]", "compare first"]),
        (() => BitCast(f, DType.Int16), "ASH0206", ["BitCast", "f32 into i16", "same size"]),
        (() => RandomBits(f, f, f), "ASH0207", ["RandomBits", "f32[2, 3]", "cast them to i32"]),
        (() => Reshape(f, [4, 2]), "ASH0107", ["Reshape", "[2, 3] (6 elements) into [4, 2] (8 elements)", "make the products"]),
        (() => Permute(f, 1, 1), "ASH0108", ["Permute", "[1, 1] for [2, 3]", "0 to 1 once"]),
        (() => Broadcast(f, [4, 3]), "ASH0109", ["Broadcast", "[2, 3] to [4, 3]", "extent 1"]),
        (() => SliceAxis(f, 1, 2, 2), "ASH0114", ["Slice takes 2 elements from 2", "axis 1, which has 3", "stay within"]),
        (() => Slice(f, [0], [1], [1]), "ASH0113", ["Slice needs 2 starts", "[2, 3]", "one of each per axis"]),
        (() => Pad(f, [1, 0], [0, 0], d), "ASH0115", ["Pad", "f64[2, 3]", "scalar"]),
        (() => Pad(f, [-1, 0], [0, 0], Constant(0, DType.Float32, [])), "ASH0116", ["Pad", "[-1, 0]", "use Slice"]),
        (() => Flip(f, 0, 0), "ASH0129", ["Flip", "0, 0", "each axis once"]),
        (() => Concat(0, f, g), "ASH0117", ["Concat along axis 0", "f32[2, 3] and f32[3, 2]", "must be equal"]),
        (() => Window(f, 1, 4), "ASH0118", ["windows of 4", "axis 1 of [2, 3]", "pad the axis"]),
        (() => Node.Of(Op.Fold, [f], new WindowAttributes(0, 3, 1, 1, 9)), "ASH0119",
            ["Fold", "7 positions and 3 members", "[2, 3]", "Window"]),
        (() => Sum(f, 2), "ASH0103", ["ReduceSum", "axis 2", "f32[2, 3]", "0 to 1"]),
        (() => Reduce(Op.ReduceSum, c, 0), "ASH0204", ["ReduceSum", "bool[2, 3]", "cast"]),
        (() => Sum(f, 1, 1), "ASH0129", ["ReduceSum", "1, 1", "once"]),
        (() => Arg(Op.ArgMax, s, 0), "ASH0120", ["ArgMax", "axis 0", "[B, 3] may have none", "least extent of 1"]),
        (() => Gather(f, f, 0), "ASH0205", ["Gather", "f32[2, 3]", "cast the indices"]),
        (() => Gather(g, i, 0), "ASH0122", ["Gather along axis 0", "f32[3, 2] and i32[2, 3]", "broadcast the indices"]),
        (() => Scatter(f, i, d, 0, ScatterMode.Add), "ASH0121", ["Scatter", "f64[2, 3]", "cast the updates"]),
        (() => Scatter(c, i, c, 0, ScatterMode.Add), "ASH0204", ["Scatter", "bool[2, 3]", "cast"]),
        (() => Contract(f, f, [], [], [1], [0]), "ASH0124", ["Contract", "axis 1 of [2, 3] with axis 0 of [2, 3]", "transpose"]),
        (() => Contract(f, g, [], [], [1], []), "ASH0123",
            ["Contract pairs 1 summed axes", "0 of the right", "as many on each side"]),
        (() => Contract(f, f, [1], [1], [1], [1]), "ASH0129", ["Contract", "1, 1", "once"]),
        (() => Contract(f, g, [], [], [1], [0], DType.Int32), "ASH0209", ["Contract", "cannot give i32", "then cast"]),
        (() => RmsNorm(f, Parameter(6, DType.Float32, [2])), "ASH0102", ["RmsNorm", "f32[2, 3] and f32[2]", "layer's width"]),
        (() => CrossEntropy(f, i), "ASH0126", ["CrossEntropy", "logits [..., V]", "i32[2, 3]", "one row per target"]),
        (() => Softmax(f, 2), "ASH0103", ["Softmax", "axis 2", "0 to 1"]),
        (() => Rope(f, f, f), "ASH0127", ["Rope", "[..., T, H, D]", "split the heads"]),
        (() => Attention(f, f, f, 1, false), "ASH0105", ["Attention", "4 axes", "f32[2, 3]", "reshape"]),
        (() => Node.Of(Op.Add, [f]), "ASH0302", ["Add takes 2 inputs, but got 1", "one node per input"]),
        (() => Node.Of(Op.Concat, []), "ASH0301", ["Concat needs AxisAttributes", "Nodes"]),
        (() => Node.Of(Op.Barrier, []), "ASH0302", ["Barrier takes at least one input", "pass the value"]),
        (() => Node.Of(Op.Custom, [g], new CustomAttributes(new([f], [f]), null, "mine")), "ASH0125",
            ["'mine' takes f32[2, 3], but got f32[3, 2]", "traced with"]),
    ];

    public static TheoryData<int> Cases => [.. Enumerable.Range(0, wrong.Length)];

    [Theory, MemberData(nameof(Cases))]
    public void Rule_NamesOpTypesAndFix(int index)
    {
        var (build, code, words) = wrong[index];
        var error = Assert.ThrowsAny<AshlarException>(build);
        Assert.Equal(code, error.Code);
        Assert.Contains("\nFix: ", error.Message, StringComparison.Ordinal);
        foreach (string word in words) Assert.Contains(word, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Rules_AllowSymbolsWhereExtentsAreEqualPolynomials()
    {
        Symbol b = new("B"), t = new("T", 2);
        var x = Parameter(0, DType.Float32, [b, t, 4]);
        var flat = Reshape(x, [(Extent)b * t * 4]);
        Assert.Equal(x.Shape, Reshape(Reshape(flat, [(Extent)t * b, 4]), x.Shape).Shape);
        Assert.Equal([(Extent)t - 1, (Extent)2], [.. Window(Parameter(1, DType.Float32, [t]), 0, 2).Shape]);
        Assert.Throws<ShapeException>(() => Reshape(x, [b, b, 4]));
    }
}
