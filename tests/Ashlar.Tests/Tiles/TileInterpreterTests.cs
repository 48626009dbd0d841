using Ashlar.Graph;
using Ashlar.Tiles;
using static Ashlar.Tests.Tiles.Programs;
using static Ashlar.Tiles.TileNodes;

namespace Ashlar.Tests.Tiles;

public class TileInterpreterTests
{
    static double[] Ramp(int count, double scale = 1) =>
        [.. Enumerable.Range(0, count).Select(i => Math.Sin(i * 1.7 + 0.3) * scale)];

    // Runs on the arrays in the order of the buffers, and gives back the last.
    static double[] Run(TileProgram program, params double[][] data) => Run(program, null, data);

    static double[] Run(TileProgram program, Func<Symbol, long>? symbols, params double[][] data)
    {
        TileInterpreter.Run(program, program.Buffers.Zip(data).ToDictionary(pair => pair.First, pair => pair.Second), symbols);
        return data[^1];
    }

    static void AssertClose(IEnumerable<double> expected, IEnumerable<double> actual) =>
        Assert.Equal(expected.Select(x => Math.Round(x, 10)), actual.Select(x => Math.Round(x, 10)));

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(10)]
    public void Elementwise_ComputesEveryElement_WhenTheLastBlockIsRagged(int n)
    {
        double[] x = Ramp(n);
        var expected = x.Select(v => (v, s: v * v * 0.5 + v)).Select(p => Math.Exp(p.s) / (p.s + 3));
        AssertClose(expected, Run(Elementwise(n), x, new double[n]));
    }

    [Fact]
    public void Elementwise_TakesExtentsFromSymbols()
    {
        var n = new Symbol("N", 1, 100, 2);
        double[] x = Ramp(6);
        var expected = x.Select(v => (v, s: v * v * 0.5 + v)).Select(p => Math.Exp(p.s) / (p.s + 3));
        AssertClose(expected, Run(Elementwise(n), symbol => symbol == n ? 6 : 0, x, new double[6]));
    }

    [Fact]
    public void Softmax_MatchesItsFormula()
    {
        double[] x = Ramp(15, 20);
        double[] y = Run(Softmax(new Symbol("B", 1, 8), 5), _ => 3, x, new double[15]);
        for (int row = 0; row < 3; row++)
        {
            var exponentials = x.AsSpan(row * 5, 5).ToArray().Select(Math.Exp).ToArray();
            AssertClose(exponentials.Select(e => e / exponentials.Sum()), y[(row * 5)..(row * 5 + 5)]);
        }
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(4, 3, 5)]
    [InlineData(9, 7, 11)]
    public void MatMul_MatchesSumsOfProducts_WhenEdgesAreRagged(int m, int n, int k)
    {
        double[] a = Ramp(m * k), b = Ramp(k * n, 2);
        var expected = from i in Enumerable.Range(0, m)
                       from j in Enumerable.Range(0, n)
                       select Enumerable.Range(0, k)
            .Sum(p => a[i * k + p] * b[p * n + j]);
        AssertClose(expected, Run(MatMul(m, n, k), a, b, new double[m * n]));
    }

    [Theory]
    [InlineData(4, 2)]
    [InlineData(10, 3)]
    public void Flash_MatchesCausalAttention(int tokens, int width)
    {
        double[] q = Ramp(tokens * width, 3), k = Ramp(tokens * width, 2), v = Ramp(tokens * width);
        double scale = (float)(1 / Math.Sqrt(width));   // as the program's constant
        var expected = new List<double>();
        for (int row = 0; row < tokens; row++)
        {
            double[] weights = [.. Enumerable.Range(0, row + 1).Select(c =>
                Math.Exp(Enumerable.Range(0, width).Sum(d => q[row * width + d] * k[c * width + d]) * scale))];
            for (int d = 0; d < width; d++) expected.Add(weights.Select((w, c) => w * v[c * width + d]).Sum() / weights.Sum());
        }
        AssertClose(expected, Run(Flash(tokens, width), q, k, v, new double[tokens * width]));
    }

    [Fact]
    public void GatherAdd_SkipsWhatTheGuardExcludes() =>
        Assert.Equal([31, 11, 1, 1, 21], Run(GatherAdd(5, 3), [10, 20, 30], [2, 0, -1, -7, 1], [1, 1, 1, 1, 1]));

    [Theory]
    [InlineData(StoreMode.Set, new double[] { 3, 9, 4 })]
    [InlineData(StoreMode.Add, new double[] { 11, 9, 6 })]
    [InlineData(StoreMode.Max, new double[] { 7, 9, 4 })]
    public void Scatter_LetsRowMajorOrderDecide_WhenIndicesRepeat(StoreMode mode, double[] expected) =>
        Assert.Equal(expected, Run(Scatter(3, 3, mode), [7, 4, 3], [0, 2, 0], [1, 9, 2]));

    [Theory]
    [InlineData(false, new double[] { 1, 3, 6, 4, 9, 15 })]
    [InlineData(true, new double[] { 6, 5, 3, 15, 11, 6 })]
    public void CumSum_RunsAlongItsAxis_InPlace(bool reverse, double[] expected) =>
        Assert.Equal(expected, Run(CumSum(2, 3, reverse), [1, 2, 3, 4, 5, 6]));

    [Theory]
    [InlineData(false, new double[] { 1, 0, 2, 4, 3 })]
    [InlineData(true, new double[] { 3, 4, 0, 2, 1 })]
    public void Sort_IsStable_AndNaNIsGreatest(bool descending, double[] expected) =>
        Assert.Equal(expected, Run(Sort(5, descending), [2, -1, 2, double.NaN, 7], new double[5]));

    [Theory]
    [InlineData(Op.ReduceSum, 10)]
    [InlineData(Op.ReduceProd, -24)]
    [InlineData(Op.ReduceMax, 4)]
    [InlineData(Op.ReduceMin, -1)]
    [InlineData(Op.ArgMax, 3)]
    [InlineData(Op.ArgMin, 1)]
    public void Reduce_GivesEachOpsResult(Op op, double expected)
    {
        TileBuffer x = new("x", DType.Float32, [2, 3], false), y =
            new("y", op is Op.ArgMax or Op.ArgMin ? DType.Int32 : DType.Float32, [], true);
        LoopVariable i = Variable("i", 2), j = Variable("j", 3);
        var program = Program([x, y], new Reduce(op, y, [], x.Load([i.Index(), j.Index()]), [], [.. All(i, j)]));
        Assert.Equal([expected], Run(program, [3, -1, 1, 4, 2, 1], [double.NaN]));
    }

    [Theory]
    [InlineData(Op.ReduceMax, double.NaN)]
    [InlineData(Op.ReduceMin, double.NaN)]
    [InlineData(Op.ArgMax, 1)]
    [InlineData(Op.ArgMin, 1)]
    public void Reduce_LetsNaNWin(Op op, double expected)
    {
        TileBuffer x = new("x", DType.Float32, [4], false), y =
            new("y", op is Op.ArgMax or Op.ArgMin ? DType.Int32 : DType.Float32, [], true);
        var i = Variable("i", 4);
        Assert.Equal([expected], Run(Program([x, y], new Reduce(op, y, [], x.Load([i.Index()]), [], [.. All(i)])),
            [1, double.NaN, 5, double.NaN], [0]));
    }

    [Theory]
    [InlineData(Op.ReduceSum, 0)]
    [InlineData(Op.ReduceProd, 1)]
    [InlineData(Op.ReduceMax, double.NegativeInfinity)]
    [InlineData(Op.ReduceMin, double.PositiveInfinity)]
    public void Reduce_GivesTheIdentity_WhenNothingIsReduced(Op op, double expected)
    {
        TileBuffer x = new("x", DType.Float32, [0], false), y = new("y", DType.Float32, [], true);
        var i = Variable("i", 0);
        Assert.Equal([expected], Run(Program([x, y], new Reduce(op, y, [], x.Load([i.Index()]), [], [.. All(i)])), [], [5]));
    }

    [Fact]
    public void Integers_WrapAndDivideDownward()
    {
        TileBuffer x = new("x", DType.Int32, [3], false), y = new("y", DType.Int32, [3], true);
        var i = Variable("i", 3);
        Node value = x.Load([i.Index()]), minusTwo = value.Like(-2);
        var quotient = Program([x, y], new Store(y, [i.Index()], value / minusTwo, [.. All(i)]));
        Assert.Equal([-4, 3, 0], Run(quotient, [7, -6, 0], new double[3]));
        var square = Program([x, y], new Store(y, [i.Index()], value * value, [.. All(i)]));
        Assert.Equal([unchecked(70_001 * 70_001), 0, 1], Run(square, [70_001, 65_536, -1], new double[3]));
    }

    [Theory]
    [InlineData(DType.Float32, false, 0.1)]
    [InlineData(DType.Float32, true, (double)0.1f)]
    [InlineData(DType.BFloat16, true, 0.10009765625)]
    public void Store_RoundsFloatsOnlyWhenAsked(DType dtype, bool round, double expected)
    {
        TileBuffer x = new("x", dtype, [], false), y = new("y", dtype, [], true);
        double[] result = [0];
        TileInterpreter.Run(Program([x, y], new Store(y, [], x.Load([]), [])), new Dictionary<TileBuffer, double[]>
        {
            [x] = [0.1],
            [y] = result,
        }, null, round);
        Assert.Equal(expected, result[0]);
    }

    [Fact]
    public void Cast_RoundsAndTruncates()
    {
        TileBuffer x = new("x", DType.Float32, [], false), y = new("y", DType.Float32, [2], true);
        Node narrow = Nodes.Cast(Nodes.Cast(x.Load([]), DType.BFloat16), DType.Float32),
            whole = Nodes.Cast(Nodes.Cast(x.Load([]), DType.Int8), DType.Float32);
        Assert.Equal([-1.1015625, -1],
            Run(Program([x, y], new Store(y, [Number(0)], narrow, []), new Store(y, [Number(1)], whole, [])), [-1.1], [0, 0]));
    }

    [Fact]
    public void If_RunsItsBodyOnlyWhereTheConditionHolds()
    {
        var y = new TileBuffer("y", DType.Float32, [4], true);
        var i = Variable("i", 4);
        var odd = Nodes.Binary(Op.Equal, Nodes.Binary(Op.Mod, i.Index(), Number(2)), Number(1));
        var program = Program([y], Serial(i, new If(odd, [new Store(y, [i.Index()], Nodes.Cast(i.Index(), DType.Float32), [])])));
        Assert.Equal([-1, 1, -1, 3], Run(program, [-1, -1, -1, -1]));
    }

    [Fact]
    public void Store_SkipsPointsWhoseGuardIsFalse()
    {
        var y = new TileBuffer("y", DType.Float32, [4], true);
        var i = Variable("i", 6);
        var program =
            Program([y], new Store(y, [i.Index()], F32(1), [.. All(i)], Guard: Nodes.Binary(Op.Less, i.Index(), Number(3))));
        Assert.Equal([1, 1, 1, 0], Run(program, new double[4]));
    }

    [Fact]
    public void Expressions_AreEvaluatedOncePerPoint_HoweverOftenTheyAreShared()
    {
        var y = new TileBuffer("y", DType.Float64, [1], true);
        Node value = y.Load([Number(0)]);
        for (int i = 0; i < 60; i++) value += value;   // 2^60 paths
        Assert.Equal([Math.Pow(2, 60)], Run(Program([y], new Store(y, [Number(0)], value, [])), [1]));
    }

    static KernelException Fails(string code, TileProgram program, params double[][] data)
    {
        var error = Assert.Throws<KernelException>(() => Run(program, data));
        Assert.Equal(code, error.Code);
        return error;
    }

    [Fact]
    public void Load_FailsWithIndexShapeAndStatement_WhenOutOfBounds()
    {
        TileBuffer x = new("x", DType.Float32, [3], false), y = new("y", DType.Float32, [4], true);
        var i = Variable("i", 4);
        var error = Fails("ASH0530", Program([x, y], new Store(y, [i.Index()], x.Load([i.Index()]), [.. All(i)])), new double[3],
            new double[4]);
        Assert.Contains("[3] of x: f32[3]", error.Message);
        Assert.Contains("i=3", error.Message);
        Assert.Contains("y[i] = x[i]", error.Message);
    }

    [Fact]
    public void Bound_FailsWithItsSite_WhenTheIndexIsOutOfRange()
    {
        var error = Fails("ASH0510", GatherAdd(2, 3), [1, 2, 3], [0, 3], [0, 0]);
        Assert.Contains("gather at \"Model.cs\":12 met the index 3", error.Message);
    }

    [Fact]
    public void Tile_FailsWithIndexAndStatement_WhenReadBeforeWritten()
    {
        var y = new TileBuffer("y", DType.Float32, [4], true);
        var tile = new Tile("t", DType.Float32, [4]);
        LoopVariable i = Variable("i", 3), j = Variable("j", 4);
        var error = Fails("ASH0532", Program([y], new Allocate(tile), new Store(tile, [i.Index()], F32(1), [.. All(i)]),
            new Store(y, [j.Index()], tile.Load([j.Index()]), [.. All(j)])), new double[4]);
        Assert.Contains("element [3] of the tile t: f32[4]", error.Message);
        Assert.Contains("y[j] = t[j]", error.Message);
    }

    [Fact]
    public void Tile_HoldsNothingAgain_InTheNextIteration()
    {
        var y = new TileBuffer("y", DType.Float32, [2], true);
        var tile = new Tile("t", DType.Float32, []);
        var i = Variable("i", 2);
        var first = new If(Nodes.Binary(Op.Equal, i.Index(), Number(0)), [new Store(tile, [], F32(1), [])]);
        var error = Fails("ASH0532",
            Program([y], Serial(i, new Allocate(tile), first, new Store(y, [i.Index()], tile.Load([]), []))), new double[2]);
        Assert.Contains("i=1", error.Message);
    }

    [Fact]
    public void Parallel_FailsNamingBothIterations_WhenTheyWriteOneElement()
    {
        var y = new TileBuffer("y", DType.Float32, [2], true);
        LoopVariable i = Variable("i", 2), j = Variable("j", 3);
        var error = Fails("ASH0533", Program([y], Parallel(i, Parallel(j, new Store(y, [i.Index()], F32(1), [])))),
            new double[2]);
        Assert.Contains("i=0 j=1", error.Message);
        Assert.Contains("i=0 j=0", error.Message);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(-1)]
    public void Parallel_FailsNamingBothIterations_WhenOneReadsWhatAnotherWrites(int shift)
    {
        var y = new TileBuffer("y", DType.Float32, [5], true);
        var i = Variable("i", 3);
        var tile = new Tile("t", DType.Float32, []);
        var own = i.Index() + Number(1);
        var error = Fails("ASH0533", Program([y], Parallel(i,
            new Allocate(tile), new Store(tile, [], y.Load([own + Number(shift)]), []), new Store(y, [own], tile.Load([]), []))),
            new double[5]);
        Assert.Contains("i=0", error.Message);
        Assert.Contains("i=1", error.Message);
    }

    [Fact]
    public void Parallel_LoopsInTurn_MayShareElements()
    {
        var y = new TileBuffer("y", DType.Float32, [2], true);
        LoopVariable i = Variable("i", 2), j = Variable("j", 2);
        var program = Program([y],
            Parallel(i, new Store(y, [i.Index()], F32(1), [])),
            Parallel(j, new Store(y, [Number(1) - j.Index()], F32(1), [], StoreMode.Add)));
        Assert.Equal([2, 2], Run(program, new double[2]));
    }

    [Fact]
    public void ArgMax_Fails_WhenThereIsNothingToChooseFrom()
    {
        TileBuffer x = new("x", DType.Float32, [0], false), y = new("y", DType.Int32, [], true);
        var i = Variable("i", 0);
        Fails("ASH0534", Program([x, y], new Reduce(Op.ArgMax, y, [], x.Load([i.Index()]), [], [.. All(i)])), [], [0]);
    }

    [Fact]
    public void Run_Fails_WhenABufferHasAnotherNumberOfElements() =>
        Fails("ASH0535", Sort(4, false), new double[3], new double[4]);

    [Fact]
    public void Domain_Fails_WhenItRunsBeyondItsVariable()
    {
        var y = new TileBuffer("y", DType.Float32, [9], true);
        var i = Variable("i", 4);
        Fails("ASH0536", Program([y], new Store(y, [i.Index()], F32(1), [new(i, Number(5))])), new double[9]);
    }
}
