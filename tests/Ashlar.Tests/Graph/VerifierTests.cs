using Ashlar.Graph;
using static Ashlar.Graph.Nodes;

namespace Ashlar.Tests.Graph;

public class VerifierTests
{
    static readonly Node x = Parameter(0, DType.Float32, [2]);

    [Fact]
    public void Verifier_AcceptsRandomGraphsAndTheirGradients()
    {
        for (int seed = 0; seed < 60; seed++)
        {
            var function = new RandomGraphs(Symbolic: seed % 2 == 0).Make(seed);
            Verifier.Check(function, closed: true);
            Node[] floats = [.. function.Results.Where(node => node.DType.IsFloat)];
            Node[] parameters = [.. function.Parameters.Where(node => node.DType.IsFloat)];
            var gradients = Gradients.Of(floats, [.. floats.Select(node => node.Like(1))], parameters);
            Verifier.Check(new(function.Parameters, [.. gradients]), closed: true);
        }
    }

    public static TheoryData<string, Function, bool> Bad => new()
    {
        { "ASH0330", new([Exp(x)], [x]), false },
        { "ASH0330", new([Parameter(1, DType.Float32, [2])], [x]), false },
        { "ASH0330", new([x, x], [x]), false },
        { "ASH0331", new([x], [x + Parameter(0, DType.Float32, [2], "another")]), false },
        { "ASH0332", new([x], [new Node(Op.Exp, [x], null, DType.Float32, [3], 1)]), false },
        { "ASH0332", new([x], [new Node(Op.Add, [x], null, DType.Float32, [2], 1)]), false },
        { "ASH0333", new([x], [Node.Of(Op.Buffer, [], new BufferAttributes(new object(), DType.Float32, [2]))]), true },
        { "ASH0334", new([x], [Size(new Symbol("B", 1, 5)) + Size(new Symbol("B", 1, 6))]), false },
        { "ASH0337", new([x], [new Node(Op.Exp, [x], null, DType.Float32, [2], Exp(x).GetHashCode())]), false },
        { "ASH0338", new([x], [Node.Of(Op.Custom, [x], new CustomAttributes(new([x], [x]), new([x], [x]), "f"))]), false },
        { "ASH0331", new([x],
            [Node.Of(Op.Custom, [x], new CustomAttributes(new([x], [x + Parameter(3, DType.Float32, [2])]), null, "f"))]),
            false },
    };

    [Theory, MemberData(nameof(Bad), DisableDiscoveryEnumeration = true)]
    public void Verifier_Rejects(string code, Function function, bool closed) =>
        Assert.Equal(code, Assert.Throws<GraphException>(() => Verifier.Check(function, closed)).Code);

    [Fact]
    public void Verifier_WantsSymbolsThatARunCanLearn()
    {
        Symbol b = new("B");
        var learned = Parameter(0, DType.Float32, [b]);
        var hidden = Parameter(0, DType.Float32, [(Extent)b * 2]);
        Verifier.Check(new([learned], [learned]), bound: true);
        Verifier.Check(new([hidden], [hidden]));
        Assert.Equal("ASH0335", Assert.Throws<GraphException>(() => Verifier.Check(new([hidden], [hidden]), bound: true)).Code);
    }
}
