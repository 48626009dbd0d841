using Ashlar.Graph;
using static Ashlar.Graph.Nodes;

namespace Ashlar.Tests.Graph;

public class CheckpointTests
{
    readonly Node x = Parameter(0, DType.Float64, [3]);
    readonly Node w = Parameter(1, DType.Float64, [3]);

    Node Block(Node input) => Unary(Op.Tanh, Exp(input * w) * input);

    [Fact]
    public void Checkpoint_GivesTheSameGradients()
    {
        Value[] at = [Arrays.Row(0.1, -0.4, 0.7), Arrays.Row(1, 2, -1)];
        var plain = Gradients.Of(Sum(Block(x), 0), [x, w]);
        var saved = Gradients.Of(Sum(Checkpoint.Of(Block(x), [x]), 0), [x, w]);
        var expected = Interpreter.Run(new Function([x, w], [.. plain]), at);
        var found = Interpreter.Run(new Function([x, w], [.. saved]), at);
        Arrays.AssertClose(expected[0], found[0], 1e-14);
        Arrays.AssertClose(expected[1], found[1], 1e-14);
    }

    [Fact]
    public void Checkpoint_BackwardDoesNotReachTheInsideOfForward()
    {
        var y = Checkpoint.Of(Block(x), [x]);
        var gradients = Gradients.Of(Sum(y, 0), [x, w]);
        // With the region expanded, as the compiler does, what forward and backward share is what must stay in memory.
        Node[] all = Traversal.Rewrite([y, .. gradients], node => node.Op == Op.Custom ? node.Meaning.Decompose!(node) : null);
        var forward = Traversal.PostOrder([all[0]]).ToHashSet();
        var shared = Traversal.PostOrder(all[1..]).Where(forward.Contains).ToArray();
        Assert.Equal([x, w], shared.Where(node => node.Op != Op.Constant).OrderBy(node => node.Get<ParameterAttributes>().Index));
        Assert.Contains(Traversal.PostOrder(all[1..]), node => node.Op == Op.Exp);
    }

    [Fact]
    public void Region_TakesWhatItReadsAsArguments()
    {
        var h = Exp(x);
        var (function, arguments) = Region.Extract(Unary(Op.Tanh, h * w) + 1, [h]);
        Assert.Equal([h, w], arguments);
        Assert.Equal(2, function.Parameters.Count);
        Assert.DoesNotContain(function.Order(), node => node.Op == Op.Exp);
    }
}
