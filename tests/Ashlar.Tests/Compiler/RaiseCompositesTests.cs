using Ashlar.Compiler.Passes;
using Ashlar.Graph;
using Ashlar.Tests.Graph;
using static Ashlar.Graph.Nodes;

namespace Ashlar.Tests.Compiler;

public class RaiseCompositesTests
{
    static readonly Node x = Parameter(0, DType.Float32, [4, 6]);
    static readonly Node w = Parameter(1, DType.Float32, [6]);
    static readonly Node b = Parameter(2, DType.Float32, [6]);

    static Node Keep(Node reduced) => Broadcast(Reshape(reduced, [4, 1]), x.Shape);

    static Node Mean(Node row) => Sum(row, 1) * (1 / 6.0);

    static Node Square(Node y) => Binary(Op.Pow, y, y.Like(2));

    static readonly Dictionary<string, (Node Spelled, Op Op)> forms = new()
    {
        ["softmax"] = (Exp(x - Keep(Reduce(Op.ReduceMax, x, 1))) is var e ? e / Keep(Sum(e, 1)) : x, Op.Softmax),
        ["softmax by reciprocal"] = (Exp(x - Keep(Reduce(Op.ReduceMax, x, 1))) is var f ? f * Keep(Unary(Op.Recip, Sum(f, 1)))
            : x, Op.Softmax),
        ["softmax without the maximum"] = (Exp(x) / Keep(Sum(Exp(x), 1)), Op.Softmax),
        ["softmax over the first axis"] = (Exp(x) / Broadcast(Reshape(Sum(Exp(x), 0), [1, 6]), x.Shape), Op.Softmax),
        ["log softmax"] = (x - Keep(Reduce(Op.ReduceMax, x, 1)) is var low ? low - Keep(Log(Sum(Exp(low), 1))) : x,
            Op.LogSoftmax),
        ["rms norm"] = (x * Keep(Rsqrt(Mean(x * x) + 1e-5)) * Stretch(w, x.Shape), Op.RmsNorm),
        ["rms norm, weight first"] = (Stretch(w,
            x.Shape) * (Keep(Unary(Op.Recip, Unary(Op.Sqrt, Sum(Square(x), 1) / Sum(x, 1).Like(6) + 1e-5))) * x), Op.RmsNorm),
        ["rms norm, mean kept as an axis"] = (x * Broadcast(Rsqrt(Reshape(Sum(x * x, 1), [4, 1]) / Constant(6, DType.Float32,
            [4, 1]) + 1e-5), x.Shape) * Stretch(w, x.Shape), Op.RmsNorm),
        ["layer norm"] = (x - Keep(Mean(x)) is var c
            ? c * Keep(Rsqrt(Mean(c * c) + 1e-5)) * Stretch(w, x.Shape) + Stretch(b, x.Shape) : x, Op.LayerNorm),
        ["sigmoid"] = (x.Like(1) / (Exp(-x) + 1), Op.Sigmoid),
        ["silu"] = (x * (x.Like(1) / (x.Like(1) + Exp(-x))), Op.Silu),
        ["silu as a quotient"] = (x / (Exp(-x) + 1), Op.Silu),
        ["swiglu"] = (Silu(x) * Exp(x), Op.SwiGlu),
        ["swiglu spelled out"] = (Stretch(w, x.Shape) * (x / (Exp(-x) + 1)), Op.SwiGlu),
        ["gelu"] = (x * 0.5 * (Unary(Op.Erf, x * Math.Sqrt(0.5)) + 1), Op.Gelu),
        ["gelu, half last"] = ((Unary(Op.Erf, x / x.Like(Math.Sqrt(2))) + 1) * x * 0.5, Op.Gelu),
        ["gelu by tanh"] = (0.5 * x * (x.Like(1) + Unary(Op.Tanh, 0.7978845608 * (x + 0.044715 * (x * x * x)))), Op.Gelu),
        ["gelu by tanh, pow"] = ((Unary(Op.Tanh, (Binary(Op.Pow, x, x.Like(3)) * 0.044715 + x) * Math.Sqrt(2 / Math.PI))
            + 1) * (0.5 * x), Op.Gelu),
        ["gelu of an expression"] = (Square(x) is var y ? y * 0.5 * (Unary(Op.Erf, y * Math.Sqrt(0.5)) + 1) : x, Op.Gelu),
    };

    public static TheoryData<string> Names => [.. forms.Keys];

    [Theory, MemberData(nameof(Names))]
    public void Raise_FindsTheComposite(string name)
    {
        var (spelled, op) = forms[name];
        var function = new Function([x, w, b], [spelled]);
        var raised = RaiseComposites.Rules.Rewrite(Simplify.Rules.Rewrite(function));
        Assert.Equal(op, raised.Results[0].Op);
        var arguments = RandomGraphs.Arguments(function, 1);
        Arrays.AssertClose(Interpreter.Run(function, arguments)[0], Interpreter.Run(raised, arguments)[0], 1e-6, name);
    }

    [Fact]
    public void Raise_FindsCrossEntropy()
    {
        var targets = Parameter(1, DType.Int32, [4]);
        var loss = -Reshape(Gather(LogSoftmax(x, 1), Reshape(targets, [4, 1]), 1), [4]);
        Assert.Same(CrossEntropy(x, targets),
            Simplify.Rules.Rewrite(RaiseComposites.Rules.Rewrite(new Function([x, targets], [loss]))).Results[0]);
    }

    [Fact]
    public void Raise_LeavesWhatOnlyLooksAlike()
    {
        Node[] others =
        [
            Exp(x) / Keep(Sum(Exp(x + 1), 1)),                                            // another sum
            Exp(x - Keep(Reduce(Op.ReduceMax, x, 1))) / Broadcast(Reshape(Sum(x, 0), [1, 6]), x.Shape),
            x * 0.5 * (Unary(Op.Erf, x * 0.7) + 1),                                       // another width
            x * 0.5 * (Unary(Op.Tanh, x * Math.Sqrt(2 / Math.PI)) + 1),
            x / (Exp(x) + 1),
            x * Keep(Rsqrt(Sum(x * x, 1) * 0.2 + 1e-5)) * Stretch(w, x.Shape),            // not the mean
        ];
        foreach (var other in others)
            Assert.DoesNotContain(RaiseComposites.Rules.Rewrite(Simplify.Rules.Rewrite(new Function([x, w], [other]))).Order(),
                node => node.Op >= Op.Sigmoid && node.Op <= Op.Attention);
    }

    [Fact]
    public void Raise_KeepsTheValuesOfDecomposedRandomGraphs()
    {
        for (int seed = 0; seed < 60; seed++)
        {
            var function = new RandomGraphs(14, Smooth: true).Make(seed);
            var raised = RaiseComposites.Rules.Rewrite(Simplify.Rules.Rewrite(Expansion.Expand(function)));
            var arguments = RandomGraphs.Arguments(function, seed);
            Value[] expected = Interpreter.Run(function, arguments), found = Interpreter.Run(raised, arguments);
            for (int i = 0; i < expected.Length; i++) Arrays.AssertClose(expected[i], found[i], 1e-8, $"seed {seed}");
        }
    }
}
