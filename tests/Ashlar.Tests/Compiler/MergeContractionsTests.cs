using Ashlar.Compiler.Passes;
using Ashlar.Graph;
using Ashlar.Tests.Graph;
using static Ashlar.Graph.Nodes;

namespace Ashlar.Tests.Compiler;

public class MergeContractionsTests
{
    static Node MatMul2(Node x, Node w) => Contract(x, w, [], [], [x.Shape.Rank - 1], [0]);

    static Function Projections(Extent rows, int count, Func<Node, Node> after)
    {
        var x = Parameter(0, DType.Float32, [rows, 8]);
        Node[] weights = [.. Enumerable.Range(1, count).Select(i => Parameter(i, DType.Float32, [8, 4 + i]))];
        return new([x, .. weights], [.. weights.Select(w => after(MatMul2(x, w)))]);
    }

    static int Contractions(Function function) => function.Order().Count(node => node.Op == Op.Contract);

    [Fact]
    public void Merge_JoinsQueriesKeysAndValues()
    {
        // what uses them is no epilogue: softmax over rows
        var function = Projections(64, 3, y => Softmax(y, 1));
        var merged = MergeContractions.Run(function);
        Assert.Equal(1, Contractions(merged));
        var arguments = RandomGraphs.Arguments(function, 4);
        Value[] expected = Interpreter.Run(function, arguments), found = Interpreter.Run(merged, arguments);
        for (int i = 0; i < 3; i++) Arrays.AssertClose(expected[i], found[i], 1e-12);
    }

    [Fact]
    public void Merge_Declines_WhenRowsAreFew() =>
        Assert.Equal(3, Contractions(MergeContractions.Run(Projections(1, 3, y => Softmax(y, 1)))));

    [Fact]
    public void Merge_Declines_WhenEpiloguesWouldBeLost()
    {
        Node x = Parameter(0, DType.Float32, [4096, 64]), gate = Parameter(1, DType.Float32, [64, 512]),
            up = Parameter(2, DType.Float32, [64, 512]);
        var function = new Function([x, gate, up], [Softmax(SwiGlu(MatMul2(x, gate), MatMul2(x, up)) * 2, 1)]);
        var expanded = Expansion.Expand(function);
        Assert.Equal(2, Contractions(MergeContractions.Run(expanded)));
    }

    [Fact]
    public void Merge_Declines_WhenWeightsAreComputed()
    {
        Node x = Parameter(0, DType.Float32, [512, 8]), w = Parameter(1, DType.Float32, [8, 4]);
        var function = new Function([x, w], [Softmax(MatMul2(x, w), 1), Softmax(MatMul2(x, Exp(w)), 1)]);
        Assert.Same(function, MergeContractions.Run(function));
    }

    [Fact]
    public void Merge_FollowsOneGroupIntoTheNext()
    {
        Node x = Parameter(0, DType.Float32, [512, 8]);
        Node[] w = [.. Enumerable.Range(1, 4).Select(i => Parameter(i, DType.Float32, [8, 8]))];
        var h = Softmax(MatMul2(x, w[0]), 1) + Softmax(MatMul2(x, w[1]), 0);
        var function = new Function([x, .. w], [Softmax(MatMul2(h, w[2]), 1), Softmax(MatMul2(h, w[3]), 0)]);
        var merged = MergeContractions.Run(function);
        Assert.Equal(2, Contractions(merged));
        var arguments = RandomGraphs.Arguments(function, 4);
        Arrays.AssertClose(Interpreter.Run(function, arguments)[1], Interpreter.Run(merged, arguments)[1], 1e-12);
    }
}
