using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Lowering;
using Ashlar.Backends.Cpu.Programs;
using Ashlar.Backends.Cpu.Vec;
using Ashlar.Backends.Cpu.Vec.Emit;
using Ashlar.Graph;
using Ashlar.Runtime;
using Ashlar.Tests.Graph;
using Ashlar.Tiles;

namespace Ashlar.Tests.Cpu;

/// <summary>What the CPU refuses, each by its code.</summary>
public class CpuErrorTests
{
    static readonly LoopVariable i = new("i", 4);
    static readonly TileBuffer output = new("y", DType.Float32, [4], written: true);

    static readonly SortedDictionary<string, Action> mistakes = new()
    {
        ["ASH0552"] = () => Intrinsics.Find(Isa.Portable, "NoSuchInstruction", typeof(int)),
        ["ASH0553"] = () => VecCompiler.Compile<Action>(VecBuilder.Kernel("nothing", Isa.Portable).Build()),
        ["ASH0560"] = () => HostIntegers.Evaluate(Nodes.Unary(Op.Not, TileNodes.Number(3)), _ => 0),
        ["ASH0561"] = () => Libraries.Kernel(GraphErrorTests.UnknownKernel, Isa.Portable, usesTiles: false),
        ["ASH0562"] = () => TileLowering.Compile(SumOf(70), Isa.Portable),
        ["ASH0584"] = () =>
            TileVerifier.Check(Program(new Ashlar.Tiles.Store(output, [i.Index()],
                Nodes.Constant(1.0, DType.Float32, Shape.Scalar), [DomainAxis.Whole(i)])
            { IsAtomic = true })),
        ["ASH0605"] = () => Dumps.Of("no such stage", TextWriter.Null),
        ["ASH0611"] = () => Levels.Parse("O9"),
        ["ASH0620"] = () => MatrixUnit.PathOf(Isa.Portable, DType.BFloat16, DType.BFloat16, "on"),
        ["ASH0622"] = () => _ = new Ashlar.Backends.Cpu.Contractions.Contraction(Isa.Portable, DType.Int8),
    };

    static TileProgram Program(Statement statement) => new("mistake", [output], [statement]);

    static TileProgram SumOf(int count)
    {
        TileBuffer[] inputs =
            [.. Enumerable.Range(0, count).Select(k => new TileBuffer($"x{k}", DType.Float32, [4], written: false))];
        var sum = inputs.Select(input => input.Load([i.Index()])).Aggregate((a, b) => a + b);
        return new("sum", [.. inputs, output], [new Ashlar.Tiles.Store(output, [i.Index()], sum, [DomainAxis.Whole(i)])]);
    }

    public static TheoryData<string> Codes => [.. mistakes.Keys];

    [Theory, MemberData(nameof(Codes))]
    public void Mistake_IsTold_WithItsCode(string code) => GraphErrorTests.AssertTold(code, mistakes[code]);
}
