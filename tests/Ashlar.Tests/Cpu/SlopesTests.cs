using Ashlar.Backends.Cpu.Lowering;
using Ashlar.Graph;
using Ashlar.Kernels;
using Ashlar.Tiles;

namespace Ashlar.Tests.Cpu;

public class SlopesTests
{
    static readonly LoopVariable i = new("i", 8), other = new("j", 8);

    static Node Number(long value) => TileNodes.Number(value);

    [Fact]
    public void Slope_IsKnown_WhereEveryPartMovesOneWay()
    {
        Node at = i.Index(), three = Number(3), next = Nodes.Binary(Op.Add, at, three);
        Assert.Equal(1, Slopes.Of(Nodes.Min(Number(100), Nodes.Binary(Op.Div, Nodes.Binary(Op.Mul, next, three), Number(2))), i));
        Assert.Equal(-1, Slopes.Of(Nodes.Binary(Op.Sub, Number(100), next), i));
        Assert.Equal(0, Slopes.Of(Nodes.Binary(Op.Mul, other.Index(), other.Index()), i));
        Assert.Null(Slopes.Of(Nodes.Binary(Op.Mul, at, at), i));
        Assert.Null(Slopes.Of(Nodes.Max(next, Nodes.Unary(Op.Neg, at)), i));
        Assert.Null(Slopes.Of(Nodes.Binary(Op.Div, at, Number(-2)), i));
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(false, false)]
    public void Queries_RunFromTheLast_WhereTheySeeMoreKeys(bool causal, bool lengthens) =>
        Assert.Equal(lengthens, Lengthens(FlashAttention.Forward(new(8, Causal: causal, QueryTile: 16, KeyTile: 16))));

    [Fact]
    public void Keys_RunFromTheFirst() =>
        Assert.False(Lengthens(FlashAttention.Backward(new(8, Causal: true, QueryTile: 16, KeyTile: 16))));

    static bool Lengthens(Kernel kernel)
    {
        IReadOnlyList<Statement> body = kernel.Program.Body;
        For loop;
        do (loop, body) = ((For)body[0], ((For)body[0]).Body);
        while (body is [For { Kind: LoopKind.Parallel }]);
        return Slopes.Lengthens(body, loop.Variable);
    }
}
