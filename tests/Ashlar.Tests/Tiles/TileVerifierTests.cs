using Ashlar.Graph;
using Ashlar.Tiles;
using static Ashlar.Tests.Tiles.Programs;
using static Ashlar.Tiles.TileNodes;

namespace Ashlar.Tests.Tiles;

public class TileVerifierTests
{
    static readonly TileBuffer x = new("x", DType.Float32, [4], false), y = new("y", DType.Float32, [4], true);
    static readonly Tile tile = new("t", DType.Float32, [4]), square = new("s", DType.Float32, [4, 4]);
    static readonly LoopVariable i = Variable("i", 4), j = Variable("j", 4), k = Variable("k", 4);
    static readonly Symbol n = new("N", 1, 8);

    static readonly Store copy = new(y, [i.Index()], x.Load([i.Index()]), [.. All(i)]);

    static KernelException Fails(string code, params Statement[] body) => Fails(code, Program([x, y], body));

    static KernelException Fails(string code, TileProgram program)
    {
        var error = Assert.Throws<KernelException>(() => TileVerifier.Check(program));
        Assert.True(error.Code == code, $"expected {code}, found: {error.Message}");
        Assert.Contains("Fix: ", error.Message);
        return error;
    }

    [Fact]
    public void Check_AcceptsEverySample()
    {
        foreach (var program in Samples()) TileVerifier.Check(program);
    }

    [Fact]
    public void Check_AcceptsOneVariableInStatementsBesideEachOther() => TileVerifier.Check(Program([x, y], copy, copy));

    [Fact]
    public void Check_NamesKernelAndStatement()
    {
        var error = Fails("ASH0514", copy with { Target = x });
        Assert.Contains("in 'kernel', 'each i < 4 { x[i] = x[i] }' writes to the buffer x: f32[4]", error.Message);
    }

    [Fact]
    public void Variable_MustBeInScope()
    {
        Fails("ASH0511", copy with { Domain = [] });
        Fails("ASH0511", copy, copy with { Domain = [.. All(j)], Indices = [j.Index()] });
        Fails("ASH0511", new Reduce(Op.ReduceSum, y, [j.Index()], x.Load([j.Index()]), [.. All(i)], [.. All(j)]));
    }

    [Fact]
    public void Variable_MustNotBeBoundTwice() => Fails("ASH0511", Serial(i, copy));

    [Fact]
    public void Tile_MustBeAllocated_BeforeUse()
    {
        var use = new Store(tile, [i.Index()], F32(1), [.. All(i)]);
        Fails("ASH0512", use, new Allocate(tile));
        Fails("ASH0512", new Allocate(tile), new Allocate(tile));
        Fails("ASH0512", copy with { Value = tile.Load([i.Index()]) });
    }

    [Fact]
    public void Tile_EndsWithItsBody() =>
        Fails("ASH0512", Serial(j, new Allocate(tile)), new Store(tile, [i.Index()], F32(1), [.. All(i)]));

    [Fact]
    public void Tile_OfTheGrid_MustBeAllocatedWithinIt() =>
        Fails("ASH0525", new Allocate(tile), Parallel(j, new Store(tile, [j.Index()], F32(1), [])));

    [Fact]
    public void Buffer_MustBeListed_Once()
    {
        Fails("ASH0513", Program([y], copy));
        Fails("ASH0513", Program([x, y, x], copy));
        Fails("ASH0513", Program([x], copy));
    }

    [Fact]
    public void Buffer_MustBeWritten_ToBeATarget() => Fails("ASH0514", new Store(x, [i.Index()], F32(0), [.. All(i)]));

    [Fact]
    public void Value_MustHaveTheTargetsType()
    {
        Fails("ASH0515", copy with { Value = i.Index() });
        Fails("ASH0515", new Sort(y, [i.Index()], x.Load([i.Index()]), [], DomainAxis.Whole(i), false));
        Fails("ASH0515", new Reduce(Op.ArgMax, y, [i.Index()], x.Load([j.Index()]), [.. All(i)], [.. All(j)]));
        Fails("ASH0515", new Scan(Op.CumSum, y, [i.Index()], i.Index(), [], DomainAxis.Whole(i), false));
        var flag = new TileBuffer("f", DType.Bool, [4], true);
        Fails("ASH0515",
            Program([flag], new Store(flag, [i.Index()], Nodes.Binary(Op.Less, i.Index(), Number(2)), [.. All(i)],
                StoreMode.Add)));
    }

    [Fact]
    public void Reduce_KeepsSumsOf16BitFloats_InFloat32()
    {
        TileBuffer half = new("h", DType.BFloat16, [4], false), narrow = new("n", DType.BFloat16, [], true),
            wide = new("w", DType.Float32, [], true);
        Reduce Into(Op op, TileBuffer target) => new(op, target, [], half.Load([i.Index()]), [], [.. All(i)]);
        Fails("ASH0515", Program([half, narrow, wide], Into(Op.ReduceSum, narrow)));
        Fails("ASH0515", Program([half, narrow, wide], Into(Op.ReduceMax, wide)));
        TileVerifier.Check(Program([half, narrow, wide], Into(Op.ReduceSum, wide), Into(Op.ReduceMax, narrow)));
    }

    [Fact]
    public void Indices_MustBeOneI64PerAxis()
    {
        Fails("ASH0516", copy with { Indices = [i.Index(), i.Index()] });
        Fails("ASH0516", copy with { Indices = [Nodes.Cast(i.Index(), DType.Int32)] });
        Fails("ASH0516", copy with { Value = Node.Of(Op.Load, [i.Index(), i.Index()], new LoadAttributes(x, DType.Float32, 2)) });
    }

    [Fact]
    public void Extent_MustBeAnI64Scalar_ThatReadsNoMemory()
    {
        Fails("ASH0517", copy with { Domain = [new(i, Nodes.Cast(Number(4), DType.Int32))] });
        Fails("ASH0517", copy with { Domain = [new(i, Nodes.Cast(x.Load([Number(0)]), DType.Int64))] });
    }

    [Fact]
    public void Parallel_MustBeOutermost()
    {
        Fails("ASH0518", Serial(j, Parallel(k, copy)));
        Fails("ASH0518", Parallel(j, Parallel(k, copy), copy));
        Fails("ASH0518", new If(Nodes.Binary(Op.Less, Number(1), Nodes.Size(n)), [Parallel(k, copy)]));
        TileVerifier.Check(Program([x, y], Parallel(j, Parallel(k, copy)), Parallel(j, copy)));
    }

    [Fact]
    public void Reduce_MustHaveAReduction()
    {
        var reduce = new Reduce(Op.Add, y, [i.Index()], x.Load([j.Index()]), [.. All(i)], [.. All(j)]);
        Fails("ASH0519", reduce);
        Fails("ASH0519", reduce with { Op = Op.ArgMax, Accumulate = true });
        Fails("ASH0519", reduce with { Value = Nodes.Binary(Op.Less, x.Load([j.Index()]), F32(1)), Op = Op.ReduceSum });
        Fails("ASH0519", new Scan(Op.ReduceSum, y, [i.Index()], x.Load([i.Index()]), [], DomainAxis.Whole(i), false));
    }

    [Fact]
    public void Expression_MustBeElementwiseScalars()
    {
        Fails("ASH0520", copy with { Value = Nodes.Parameter(0, DType.Float32, Shape.Scalar) });
        Fails("ASH0520", copy with { Value = Nodes.Exp(Nodes.Constant(1.0, DType.Float32, [4])) });
        Fails("ASH0520", copy with { Value = Node.Of(Op.Load, [i.Index()], new LoadAttributes("x", DType.Float32, 1)) });
    }

    [Fact]
    public void Target_MustBeReadOnlyWhereItIsWritten()
    {
        TileVerifier.Check(Program([x, y], copy with { Value = y.Load([i.Index()]) }));
        Fails("ASH0521", copy with { Value = y.Load([i.Index() + Number(1)]) });
        Fails("ASH0521", new Reduce(Op.ReduceSum, y, [i.Index()], y.Load([j.Index()]), [.. All(i)], [.. All(j)]));
        Fails("ASH0521", new Scan(Op.CumSum, y, [i.Index()], y.Load([Number(3) - i.Index()]), [], DomainAxis.Whole(i), false));
        var keys = new TileBuffer("keys", DType.Int32, [4], true);
        Fails("ASH0521", Program([keys], new Sort(keys, [i.Index()], keys.Load([i.Index()]), [], DomainAxis.Whole(i), false)));
    }

    [Fact]
    public void Condition_MustBeBool()
    {
        Fails("ASH0522", new If(Number(1), [copy]));
        Fails("ASH0522", copy with { Guard = i.Index() });
    }

    [Fact]
    public void Dot_MustHaveMatrixOperandsOfSupportedTypes()
    {
        var axes = All(i, j, k);
        Node left = x.Load([k.Index()]), right = x.Load([j.Index()]);
        Dot Dot(Tile target, Node a, Node b) => new(target, a, b, axes[0], axes[1], axes[2]);
        TileVerifier.Check(Program([x, y], new Allocate(square), Dot(square, left, right)));
        Fails("ASH0523", new Allocate(tile), Dot(tile, left, right));
        Fails("ASH0523", new Allocate(square), Dot(square, left, Nodes.Cast(right, DType.Float64)));
        Fails("ASH0523", new Allocate(square), Dot(square, Nodes.Cast(left, DType.Int32), Nodes.Cast(right, DType.Int32)));
        var whole = new Tile("w", DType.Int32, [4, 4]);
        TileVerifier.Check(Program([x, y], new Allocate(whole),
            Dot(whole, Nodes.Cast(left, DType.UInt8), Nodes.Cast(right, DType.UInt8))));
        Fails("ASH0511", new Allocate(square), Dot(square, right, right));
        Fails("ASH0521", new Allocate(square), Dot(square, square.Load([i.Index(), k.Index()]), right));
    }

    [Fact]
    public void Stages_AreForPipelinedLoops()
    {
        Fails("ASH0524", Serial(j, copy) with { Stages = 2 });
        Fails("ASH0524", Serial(j, copy) with { Kind = LoopKind.Pipelined, Stages = 0 });
    }

    [Fact]
    public void Symbols_MustNotShareAName() =>
        Fails("ASH0526", Program([new("a", DType.Float32, [n], false), new("b", DType.Float32, [n with { Max = 9 }], false)]));

    [Fact]
    public void Name_MustBeAName() => Fails("ASH0527", Program([x, y], copy) with { Name = "a b" });

    sealed record Unknown : Statement;

    [Fact]
    public void Statement_MustBeKnown() => Fails("ASH0528", new Unknown());
}
