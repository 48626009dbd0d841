using Ashlar.Graph;
using static Ashlar.Graph.Nodes;

namespace Ashlar.Tests.Graph;

public class GradientTests
{
    sealed record Case(Func<Node[], Node> Build, long[][] Shapes, double Low = -1, double High = 1);

    static readonly Dictionary<string, Case> cases = new()
    {
        ["neg"] = Of1(x => -x),
        ["abs"] = Of1(x => Unary(Op.Abs, x)),
        ["sign"] = Of1(x => Unary(Op.Sign, x) * x),
        ["exp"] = Of1(Exp),
        ["log"] = Of1(Log, 0.5, 2),
        ["sin"] = Of1(x => Unary(Op.Sin, x)),
        ["cos"] = Of1(x => Unary(Op.Cos, x)),
        ["tanh"] = Of1(x => Unary(Op.Tanh, x)),
        ["erf"] = Of1(x => Unary(Op.Erf, x)),
        ["sqrt"] = Of1(x => Unary(Op.Sqrt, x), 0.5, 2),
        ["rsqrt"] = Of1(Rsqrt, 0.5, 2),
        ["recip"] = Of1(x => Unary(Op.Recip, x), 0.5, 2),
        ["floor"] = Of1(x => Unary(Op.Floor, x) * x, 0.1, 0.9),
        ["round"] = Of1(x => Unary(Op.Round, x) * x, 0.6, 0.9),
        ["barrier"] = Of1(x => Barrier(x * x, Exp(x))),
        ["sigmoid"] = Of1(Sigmoid, -4, 4),
        ["silu"] = Of1(Silu, -4, 4),
        ["gelu"] = Of1(x => Gelu(x), -3, 3),
        ["gelu tanh"] = Of1(x => Gelu(x, approximate: true), -3, 3),
        ["add"] = Of2((a, b) => a + b),
        ["add itself"] = Of1(x => x + x * x),
        ["sub"] = Of2((a, b) => a - b),
        ["mul"] = Of2((a, b) => a * b),
        ["mul itself"] = Of1(x => x * x),
        ["div"] = Of2((a, b) => a / b, 0.5, 2),
        ["pow"] = Of2((a, b) => Binary(Op.Pow, a, b), 0.5, 2),
        ["pow 2"] = Of1(x => Binary(Op.Pow, x, x.Like(2))),
        ["pow 3"] = Of1(x => Binary(Op.Pow, x, x.Like(3))),
        ["pow 1"] = Of1(x => Binary(Op.Pow, x, x.Like(1))),
        ["pow 0"] = Of1(x => Binary(Op.Pow, x, x.Like(0)) + x),
        ["mod"] = Of2((a, b) => Binary(Op.Mod, a + 3, b + 2)),
        ["max"] = Of2(Max),
        ["min"] = Of2(Min),
        ["select"] = Of2((a, b) => Select(Binary(Op.Less, a, b), a * a, b * a)),
        ["swiglu"] = Of2(SwiGlu, -3, 3),
        ["swiglu of one"] = Of1(x => SwiGlu(x, Exp(x))),
        ["reshape"] = new(x => Reshape(x[0] * x[0], [3, 4]), [[2, 6]]),
        ["permute"] = new(x => Permute(x[0] * x[0], 2, 0, 1), [[2, 3, 4]]),
        ["broadcast"] = new(x => Broadcast(x[0] * x[0], [2, 3, 4]), [[2, 1, 4]]),
        ["broadcast 1"] = new(x => Broadcast(x[0] * x[0], [1, 3]), [[1, 1]]),
        ["slice"] = new(x => Slice(x[0] * x[0], [1, 0], [2, 3]), [[4, 3]]),
        ["slice in steps"] = new(x => Slice(x[0] * x[0], [1, 0], [3, 2], [2, 3]), [[7, 5]]),
        ["slice in steps to the end"] = new(x => SliceAxis(x[0] * x[0], 0, 0, 3, 3), [[7, 2]]),
        ["slice one"] = new(x => SliceAxis(x[0] * x[0], 0, 4, 1, 2), [[7]]),
        ["slice none"] = new(x => SliceAxis(x[0] * x[0], 0, 4, 0), [[7, 2]]),
        ["pad"] = new(x => Pad(x[0] * x[0], [1, 0], [2, 1], Reshape(x[1], [])), [[2, 3], [1]]),
        ["flip"] = new(x => Flip(x[0] * x[0], 0, 2), [[2, 3, 2]]),
        ["concat"] = new(x => Concat(1, x[0] * x[0], x[1], x[0]), [[2, 3], [2, 1]]),
        ["window"] = new(x => Window(x[0] * x[0], 1, 3, 2), [[2, 9]]),
        ["window dilated"] = new(x => Window(x[0] * x[0], 0, 3, 1, 2), [[8, 2]]),
        ["fold"] = new(x => Fold(x[0] * x[0], 0, 8, 2), [[3, 4, 2]]),
        ["fold dilated"] = new(x => Fold(x[0] * x[0], 1, 7, 1, 2), [[2, 3, 3]]),
        ["sum"] = new(x => Sum(x[0] * x[0], 0, 2), [[2, 3, 4]]),
        ["sum of none"] = new(x => Sum(x[0] * x[0], 0), [[0, 3]]),
        ["prod"] = new(x => Reduce(Op.ReduceProd, x[0], 0, 2), [[2, 3, 4]]),
        ["prod 1"] = new(x => Reduce(Op.ReduceProd, x[0], 1), [[3, 1]]),
        ["reduce max"] = new(x => Reduce(Op.ReduceMax, x[0] * x[0], 0, 2), [[2, 3, 4]]),
        ["reduce min"] = new(x => Reduce(Op.ReduceMin, x[0] * x[0], 1), [[2, 3, 4]]),
        ["cumsum"] = new(x => Scan(Op.CumSum, x[0] * x[0], 1), [[2, 5, 2]]),
        ["cumsum back"] = new(x => Scan(Op.CumSum, x[0] * x[0], 0, true), [[5, 2]]),
        ["cumprod"] = new(x => Scan(Op.CumProd, x[0], 1), [[2, 5, 2]]),
        ["cumprod back"] = new(x => Scan(Op.CumProd, x[0], 0, true), [[5, 2]]),
        ["cummax"] = new(x => Scan(Op.CumMax, x[0] * x[0], 1), [[2, 7, 2]]),
        ["cummax back"] = new(x => Scan(Op.CumMax, x[0] * x[0], 0, true), [[7, 2]]),
        ["gather"] = new(x => Gather(x[0] * x[0], Indices(x[0], [2, 6, 2], 4, 1), 1), [[2, 4, 2]]),
        ["scatter set"] = new(x => Scattered(x, ScatterMode.Set), [[4, 3], [6, 3]]),
        ["scatter add"] = new(x => Scattered(x, ScatterMode.Add), [[4, 3], [6, 3]]),
        ["scatter max"] = new(x => Scattered(x, ScatterMode.Max), [[4, 3], [6, 3]]),
        ["sorted"] = new(x => Gather(x[0] * x[0], ArgSort(x[0], 0), 0), [[6, 2]]),
        ["matmul"] = new(x => MatMul(x[0], x[1]), [[2, 3, 4], [2, 4, 5]]),
        ["dot"] = new(x => Contract(x[0], x[1], [], [], [0], [0]), [[5], [5]]),
        ["outer"] = new(x => Contract(x[0], x[1], [], [], [], []), [[3], [2]]),
        ["matmul of none"] = new(x => MatMul(x[0], x[1]), [[3, 0], [0, 5]]),
        ["contract"] = new(x => Contract(x[0], x[1], [2, 0], [1, 3], [1, 4], [4, 0]), [[2, 3, 4, 5, 2], [2, 4, 3, 2, 3]]),
        ["contract itself"] = new(x => Contract(x[0], x[0], [], [], [1], [1]), [[3, 4]]),
        ["softmax"] = new(x => Softmax(x[0], 1), [[2, 5, 3]], -3, 3),
        ["softmax 1"] = new(x => Softmax(x[0], 0) * x[0], [[1, 3]]),
        ["log softmax"] = new(x => LogSoftmax(x[0], 0), [[5, 3]], -3, 3),
        ["rms norm"] = new(x => RmsNorm(x[0], x[1], 1e-3), [[2, 3, 5], [5]]),
        ["layer norm"] = new(x => LayerNorm(x[0], x[1], x[2], 1e-3), [[2, 3, 5], [5], [5]]),
        ["cross entropy"] = new(x => CrossEntropy(x[0], Reshape(Indices(x[0], [2, 3], 5, 0), [2, 3])), [[2, 3, 5]], -3, 3),
        ["rope"] = new(x => Rope(x[0], x[1], x[2]), [[2, 3, 2, 4], [3, 2], [3, 2]]),
        ["rope pairs"] = new(x => Rope(x[0], x[1], x[2], interleaved: true), [[3, 2, 4], [3, 2], [3, 2]]),
        ["attention"] = new(x => Attention(x[0], x[1], x[2], 0.7, false), [[1, 3, 4, 2], [1, 5, 2, 2], [1, 5, 2, 3]]),
        ["causal attention"] = new(x => Attention(x[0], x[1], x[2], 0.7, true), [[2, 3, 2, 2], [2, 3, 2, 2], [2, 3, 2, 3]]),
        ["attention with fewer keys"] = new(x =>
            Attention(x[0], x[1], x[2], 0.7, true), [[1, 4, 2, 2], [1, 2, 1, 2], [1, 2, 1, 3]]),
        ["checkpoint"] = new(x => Checkpoint.Of(Exp(x[0] * x[1]) * x[1], [x[0]]), [[3, 2], [3, 2]]),
    };

    public static TheoryData<string> Names => [.. cases.Keys];

    [Theory, MemberData(nameof(Names))]
    public void Gradient_MatchesFiniteDifferences(string name)
    {
        var (build, shapes, low, high) = cases[name];
        var random = new Random(name.Length);
        Derivatives.Assert(build, [.. shapes.Select(shape => Arrays.Random(random, shape, low, high))]);
    }

    [Fact]
    public void Gradient_IsTestedForEveryDifferentiableOp()
    {
        var tested = cases.Values.SelectMany(one =>
            Traversal.PostOrder([one.Build([.. one.Shapes.Select((shape, i) => Parameter(i, DType.Float64, shape))])]))
            .Select(node => node.Op).ToHashSet();
        Op[] flat = [Op.Ceil, Op.Trunc, Op.Cast];   // the next test
        Assert.Empty(Meanings.All.Where(row => (row.Gradient ?? (object?)row.Decompose) is not null && !tested.Contains(row.Op))
            .Select(row => row.Op).Except(flat));
    }

    [Theory, InlineData(Op.Ceil, 0), InlineData(Op.Trunc, 0), InlineData(Op.Cast, 1)]
    public void Gradient_OfRounding(Op op, double expected)
    {
        var x = Parameter(0, DType.Float64, [2]);
        var y = op == Op.Cast ? Cast(x, DType.Float32) : Unary(op, x);
        var gradient = Gradients.Of([y], [y.Like(1)], [x])[0];
        Assert.Equal(DType.Float64, gradient.DType);
        Assert.Equal([expected, expected], Run([x], gradient, Arrays.Row(0.3, -1.7)).Data);
    }

    [Fact]
    public void Gradient_IsSharedEvenly_WhenMaximaTie()
    {
        var x = Parameter(0, DType.Float64, [4]);
        var gradient = Gradients.Of(Reduce(Op.ReduceMax, x, 0), [x])[0];
        Assert.Equal([0.5, 0, 0.5, 0], Run([x], gradient, Arrays.Row(3, 1, 3, 2)).Data);
    }

    [Theory]
    [InlineData(Op.ReduceProd, 0, 6, 0)]
    [InlineData(Op.CumProd, 3, 8, 2)]   // of 2 + 2*0 + 2*0*3
    public void Gradient_OfProducts_IsRight_WhenAnElementIsZero(Op op, double first, double second, double third)
    {
        var x = Parameter(0, DType.Float64, [3]);
        var y = op == Op.ReduceProd ? Reduce(op, x, 0) : Sum(Scan(op, x, 0), 0);
        double[] expected = op == Op.ReduceProd ? [first, second, third] : [1, second, 0];
        Assert.Equal(expected, Run([x], Gradients.Of(y, [x])[0], Arrays.Row(2, 0, 3)).Data);
    }

    [Fact]
    public void Gradient_OfPow_IsFinite_WhenTheBaseIsZero()
    {
        Node a = Parameter(0, DType.Float64, [3]), b = Parameter(1, DType.Float64, [3]);
        var gradients = Gradients.Of(Sum(Binary(Op.Pow, a, b), 0), [a, b]);
        var results = Interpreter.Run(new Function([a, b], [.. gradients]), [Arrays.Row(0, 0, 0), Arrays.Row(0, 1, 2)]);
        Assert.Equal([0, 1, 0], results[0].Data);
        Assert.Equal([0, 0, 0], results[1].Data);
    }

    [Fact]
    public void Gradient_IsZero_WhenTheLossDoesNotDependOnTheNode()
    {
        Node a = Parameter(0, DType.Float32, [2]), b = Parameter(1, DType.Float32, [3]);
        Assert.Same(b.Like(0), Gradients.Of(Sum(a, 0), [b])[0]);
    }

    [Fact]
    public void Gradient_StopsAtIntegers()
    {
        var x = Parameter(0, DType.Float64, [3]);
        var y = Sum(Cast(Cast(x, DType.Int32), DType.Float64) * x, 0);
        Assert.Equal([1, -2, 0], Run([x], Gradients.Of(y, [x])[0], Arrays.Row(1.5, -2.5, 0.5)).Data);
    }

    [Fact]
    public void Gradient_IncludesWhatGoesThroughAnotherParameter()
    {
        var x = Parameter(0, DType.Float64, []);
        var h = x * x;
        var gradients = Gradients.Of(h * x, [x, h]);
        var results = Interpreter.Run(new Function([x], [.. gradients]), [Arrays.Of([], 3)]);
        Assert.Equal([27], results[0].Data);
        Assert.Equal([3], results[1].Data);
    }

    [Fact]
    public void HessianVectorProduct_MatchesTheMatrix()
    {
        // f = x0^2 x1 + x1^3 at (2, 3): the Hessian is [[2 x1, 2 x0], [2 x0, 6 x1]]
        var x = Parameter(0, DType.Float64, [2]);
        Node a = Reshape(SliceAxis(x, 0, 0, 1), []), b = Reshape(SliceAxis(x, 0, 1, 1), []);
        var gradient = Gradients.Of(a * a * b + b * b * b, [x])[0];
        var v = Parameter(1, DType.Float64, [2]);
        var product = Gradients.Jvp([gradient], [x], [v])[0];
        var result = Interpreter.Run(new Function([x, v], [product]), [Arrays.Row(2, 3), Arrays.Row(1, -2)])[0];
        Assert.Equal([6 - 8, 4 - 36], result.Data);
    }

    [Fact]
    public void CustomGradient_ReplacesTheRule()
    {
        var p = Parameter(0, DType.Float64, [2]);
        Node dy = Parameter(0, DType.Float64, [2]), y = Parameter(1, DType.Float64, [2]), x = Parameter(2, DType.Float64, [2]);
        var custom = new CustomAttributes(new([p], [p * p]), new([dy, y, x], [dy * 7 + y * 0]), "square");
        var node = Node.Of(Op.Custom, [p], custom);
        Assert.Equal([7, 7], Run([p], Gradients.Of(Sum(node, 0), [p])[0], Arrays.Row(1, 2)).Data);
    }

    [Fact]
    public void CustomGradient_DifferentiatesItsFunction_WhenItHasNone()
    {
        var p = Parameter(0, DType.Float64, [2]);
        var node = Node.Of(Op.Custom, [p], new CustomAttributes(new([p], [p * p]), null, "square"));
        Assert.Equal([2, 4], Run([p], Gradients.Of(Sum(node, 0), [p])[0], Arrays.Row(1, 2)).Data);
    }

    [Theory]
    [InlineData("ASH0310", "floating-point")]
    [InlineData("ASH0311", "[2]")]
    [InlineData("ASH0312", "BitCast")]
    [InlineData("ASH0313", "seed")]
    public void Gradient_SaysWhatIsWrong(string code, string found)
    {
        Node x = Parameter(0, DType.Float32, [2]), count = Parameter(1, DType.Int32, []);
        var error = Assert.Throws<GraphException>(() => code switch
        {
            "ASH0310" => Gradients.Of(count, [x]),
            "ASH0311" => Gradients.Of(x * x, [x]),
            "ASH0312" => Gradients.Of(Sum(Node.Of(Op.BitCast, [x], new CastAttributes(DType.Float32)), 0), [x]),
            _ => Gradients.Of([x], [], [x]),
        });
        Assert.Equal(code, error.Code);
        Assert.Contains(found, error.Message, StringComparison.Ordinal);
    }

    static Case Of1(Func<Node, Node> f, double low = -1, double high = 1) => new(x => f(x[0]), [[3, 2]], low, high);

    static Case Of2(Func<Node, Node, Node> f, double low = -1, double high = 1) =>
        new(x => f(x[0], x[1]), [[3, 2], [3, 2]], low, high);

    static Value Run(Node[] parameters, Node result, params Value[] at) =>
        Interpreter.Run(new Function([.. parameters], [result]), at)[0];

    // Indices below a limit that repeat, and differ along every axis.
    static Node Indices(Node x, long[] shape, int limit, int axis)
    {
        Assert.True(x.DType.IsFloat);
        var sum = Enumerable.Range(0, shape.Length).Select(i => Iota(i, DType.Int32, shape) * (i == axis ? 3 : 1))
            .Aggregate((a, b) => a + b);
        return Binary(Op.Mod, sum * sum, sum.Like(limit));
    }

    static Node Scattered(Node[] x, ScatterMode mode) => Scatter(x[0] * x[0], Indices(x[0], [6, 3], 4, 0), x[1] * x[1], 0, mode);
}
