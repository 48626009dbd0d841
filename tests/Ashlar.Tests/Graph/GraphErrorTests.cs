using Ashlar.Graph;
using Ashlar.Tiles;
using static Ashlar.Graph.Nodes;

namespace Ashlar.Tests.Graph;

/// <summary>Mistakes that the other tests of graphs do not make: each is told by its code, and how to mend it.</summary>
public class GraphErrorTests
{
    static readonly Symbol batch = new("B", 3, 64);

    static Node P(int index, params Extent[] extents) => Parameter(index, DType.Float32, Shape.Of(extents));

    sealed class Doubling : BackendKernel
    {
        public override string Name => "doubling";

        public override string Text => "doubling f32[2]";

        public override IReadOnlyList<NodeType> Inputs { get; } = [new(DType.Float32, [2])];

        public override IReadOnlyList<NodeType> Outputs { get; } = [new(DType.Float32, [2])];

        public override Value[] Evaluate(IReadOnlyList<Value> inputs) =>
            [new(Array.ConvertAll(inputs[0].Data, x => 2 * x), inputs[0].Extents)];

        public override GraphKernel Substitute(Func<Symbol, Extent> values) => this;
    }

    /// <summary>A kernel that no backend knows.</summary>
    internal static BackendKernel UnknownKernel { get; } = new Doubling();

    static readonly SortedDictionary<string, Action> mistakes = new()
    {
        ["ASH0101"] = () => Shape.Of([(Extent)(-1)]),
        ["ASH0111"] = () => _ = Extent.Of(batch).Value,
        ["ASH0112"] = () => Window(P(0, batch), 0, 3, stride: 2),
        ["ASH0128"] = () => Nodes.Attention(P(0, 2, 5, 4, 6), P(1, 2, 7, 3, 6), P(2, 2, 7, 3, 6), 1, causal: false),
        ["ASH0131"] = () => Gradients.Of([Exp(P(0, 2))], [P(1, 3)], [P(0, 2)]),
        ["ASH0303"] = () =>
            Node.Of(Op.Custom, [P(0, 2)], new CustomAttributes(new([P(0, 2)], [Exp(P(0, 2)), -P(0, 2)]), null, "pair")),
        ["ASH0306"] = () =>
            Interpreter.Run(new Function([P(0, batch * (Extent)2)], [Exp(P(0, batch * (Extent)2))]), [Value.Zeros([6])]),
        ["ASH0307"] = () => Interpreter.Run(Exp(P(0, 2))),
        ["ASH0324"] = () => GraphText.Print(new([], [Index])),
        ["ASH0336"] = () => Verifier.Check(new([], [Index])),
        ["ASH0501"] = () =>
            new TileBuffer("x", DType.Float32, [4], written: false).Load([Constant(1.0, DType.Float32, Shape.Scalar)]),
        ["ASH0586"] = () => Node.Of(Op.Kernel, [P(0, 3)], new KernelAttributes(UnknownKernel, 0)),
    };

    static Node Index => new LoopVariable("i", 5).Index();

    public static TheoryData<string> Codes => [.. mistakes.Keys];

    [Theory, MemberData(nameof(Codes))]
    public void Mistake_IsTold_WithItsCode(string code) => AssertTold(code, mistakes[code]);

    /// <summary>Fails unless a mistake is an error of this code that says how to mend it.</summary>
    internal static void AssertTold(string code, Action mistake)
    {
        var error = Assert.ThrowsAny<AshlarException>(mistake);
        Assert.Equal(code, error.Code);
        Assert.Contains("Fix: ", error.Message, StringComparison.Ordinal);
    }
}
