using Ashlar.Backends.Cpu;
using Ashlar.Backends.Cpu.Lowering;
using Ashlar.Graph;
using Ashlar.Tests.Tiles;
using Ashlar.Tiles;
using static Ashlar.Tests.Tiles.Programs;
using static Ashlar.Tiles.TileNodes;

namespace Ashlar.Tests.Cpu;

public class TileLoweringTests
{
    public static TheoryData<string> Paths => VecRun.Paths;

    static readonly int[] lengths = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 200];

    [Theory, MemberData(nameof(Paths))]
    public void Elementwise_MatchesInterpreter(string path)
    {
        foreach (int n in lengths)
        {
            LoweringRun.AssertSame(Elementwise(n, 1000), VecRun.Parse(path), n);
            LoweringRun.AssertSame(Elementwise(n, 48), VecRun.Parse(path), n);
        }
        foreach (int n in new[] { 2, 10, 64, 98, 100 })
            LoweringRun.AssertSame(Elementwise(new Symbol("N", 1, 100, 2), 32), VecRun.Parse(path), n, _ => n);
    }

    [Theory, MemberData(nameof(Paths))]
    public void Softmax_MatchesInterpreter(string path)
    {
        foreach (int width in lengths) LoweringRun.AssertSame(Softmax(3, width), VecRun.Parse(path), width);
        foreach (int rows in new[] { 1, 8 })
            LoweringRun.AssertSame(Softmax(new Symbol("B", 1, 8), 37), VecRun.Parse(path), rows, _ => rows);
    }

    [Theory, MemberData(nameof(Paths))]
    public void MatMul_MatchesInterpreter(string path)
    {
        foreach (var (m, n, k) in new[] { (9, 7, 11), (1, 1, 1), (4, 3, 5), (8, 6, 10), (13, 20, 3) })
            LoweringRun.AssertSame(MatMul(m, n, k), VecRun.Parse(path), m);
    }

    [Theory, MemberData(nameof(Paths))]
    public void Flash_MatchesInterpreter(string path)
    {
        foreach (var (tokens, width) in new[] { (10, 3), (4, 8), (9, 16), (17, 33) })
            LoweringRun.AssertSame(Flash(tokens, width), VecRun.Parse(path), tokens);
    }

    [Theory, MemberData(nameof(Paths))]
    public void GatherAndScatter_MatchInterpreter(string path)
    {
        foreach (int n in lengths)
        {
            LoweringRun.AssertSame(GatherAdd(n, 6), VecRun.Parse(path), n);
            foreach (var mode in new[] { StoreMode.Set, StoreMode.Add, StoreMode.Max })
                LoweringRun.AssertSame(Scatter(n, 6, mode), VecRun.Parse(path), n,
                    fill: (buffer, random) => buffer.DType.IsFloat ? random.NextDouble() : random.Next(6));
        }
    }

    [Theory, MemberData(nameof(Paths))]
    public void ScansAndSorts_MatchInterpreter(string path)
    {
        foreach (int n in lengths)
        {
            LoweringRun.AssertSame(CumSum(3, n, false), VecRun.Parse(path), n);
            LoweringRun.AssertSame(CumSum(3, n, true), VecRun.Parse(path), n);
            foreach (bool descending in new[] { false, true })
            {
                LoweringRun.AssertSame(Sort(n, descending), VecRun.Parse(path), n);
                // Few keys, so that stability shows, and NaN.
                LoweringRun.AssertSame(Sort(n, descending), VecRun.Parse(path), n,
                    fill: (_, random) => random.Next(5) is 0 ? double.NaN : random.Next(4));
            }
        }
    }

    [Theory, MemberData(nameof(Paths))]
    public void LongSorts_MatchInterpreter_ForEveryType(string path)
    {
        double[] special = [0, -0.0, double.NaN, double.PositiveInfinity, double.NegativeInfinity, 1e-42, -1e-42];
        foreach (var dtype in DTypes.All)
            foreach (bool descending in new[] { false, true })
            {
                TileBuffer x = new("x", dtype, [2, 700], false), y = new("y", DType.Int32, [2, 700], true);
                LoopVariable r = Variable("r", 2), i = Variable("i", 700);
                var sort = new Sort(y, [r.Index(), i.Index()], x.Load([r.Index(), i.Index()]), [DomainAxis.Whole(r)],
                    DomainAxis.Whole(i), descending);
                LoweringRun.AssertSame(Program([x, y], sort), VecRun.Parse(path), fill: (_, random) => !dtype.IsFloat
                    ? random.Next(dtype == DType.Bool ? 2 : 256) - (dtype is DType.Bool or DType.UInt8 ? 0 : 128)
                    : random.Next(4) == 0 ? special[random.Next(special.Length)] : random.NextDouble() * 1e3 - 500);
            }
    }

    [Theory, MemberData(nameof(Paths))]
    public void Places_MatchInterpreter_WhereNothingIsBetterThanTheIdentity(string path)
    {
        double[] values = [double.NegativeInfinity, double.PositiveInfinity, double.NaN];
        foreach (int n in new[] { 1, 5, 16, 17, 64, 70, 130 })
            foreach (var op in new[] { Op.ArgMax, Op.ArgMin })
                foreach (double most in values)
                    LoweringRun.AssertSame(Rows(op, DType.Float32, n), VecRun.Parse(path), n, fill: (_, random) =>
                        random.Next(n) > 0 ? most : values[random.Next(3)]);
    }

    [Theory, MemberData(nameof(Paths))]
    public void Scan_RunsInVectors_AcrossTheOtherAxis(string path)
    {
        foreach (int n in new[] { 1, 7, 16, 33 })
            foreach (var (op, dtype) in new[] { (Op.CumSum, DType.Float32), (Op.CumMax, DType.Int64), (Op.CumProd, DType.Int32),
                (Op.CumMax, DType.BFloat16) })
            {
                TileBuffer x = new("x", dtype, [5, n], false), y = new("y", dtype, [5, n], true);
                LoopVariable k = Variable("k", 5), c = Variable("c", n);
                Node[] at = [k.Index(), c.Index()];
                LoweringRun.AssertSame(Program([x, y],
                    new Scan(op, y, [.. at], x.Load(at), [.. All(c)], DomainAxis.Whole(k), false)), VecRun.Parse(path), n);
            }
    }

    static readonly DType[] numbers = [.. DTypes.All.Where(dtype => dtype != DType.Bool)];

    [Theory, MemberData(nameof(Paths))]
    public void RowReductions_MatchInterpreter_ForEveryType(string path)
    {
        foreach (int n in new[] { 1, 3, 16, 17, 64, 65, 150 })
            foreach (var dtype in DTypes.All)
                foreach (var op in new[] { Op.ReduceSum, Op.ReduceProd, Op.ReduceMax, Op.ReduceMin, Op.ArgMax, Op.ArgMin })
                {
                    if (dtype == DType.Bool && op is Op.ReduceSum or Op.ReduceProd) continue;
                    if (op == Op.ReduceProd && n > 20 && dtype.IsFloat) continue;   // overflows
                    foreach (bool nan in new[] { false, true })
                    {
                        if (nan && !dtype.IsFloat) continue;
                        LoweringRun.AssertSame(Rows(op, dtype, n), VecRun.Parse(path), n,
                            fill: (_, random) => nan && random.Next(n) == 0 ? double.NaN : Small(dtype, random));
                    }
                }
    }

    static double Small(DType dtype, Random random) => dtype == DType.Bool
        ? random.Next(2)
        : dtype == DType.UInt8 ? random.Next(6) : random.Next(-3, 4) * (dtype.IsFloat ? 0.25 : 1);

    static DType Sum(Op op, DType dtype) => op is Op.ArgMax or Op.ArgMin ? DType.Int32 : op is Op.ReduceSum or Op.ReduceProd
        && dtype is DType.BFloat16 or DType.Float16 ? DType.Float32 : dtype;

    // [4, n] -> [4], once into a buffer and once through a tile.
    static TileProgram Rows(Op op, DType dtype, long n)
    {
        TileBuffer x = new("x", dtype, [4, n], false), y = new("y", Sum(op, dtype), [4], true),
            z = new("z", Sum(op, dtype), [4], true);
        var tile = new Tile("t", Sum(op, dtype), []);
        LoopVariable r = Variable("r", 4), c = Variable("c", n);
        var value = x.Load([r.Index(), c.Index()]);
        return Program([x, y, z], Parallel(r,
            new Allocate(tile),
            new Reduce(op, y, [r.Index()], value, [], [.. All(c)]),
            new Reduce(op, tile, [], value, [], [.. All(c)]),
            new Ashlar.Tiles.Store(z, [r.Index()], tile.Load([]), [])));
    }

    [Theory, MemberData(nameof(Paths))]
    public void ColumnReductions_MatchInterpreter_ForEveryType(string path)
    {
        foreach (int n in new[] { 1, 3, 16, 17, 130, 300 })
            foreach (var dtype in DTypes.All)
                foreach (var op in new[] { Op.ReduceSum, Op.ReduceMax, Op.ReduceMin, Op.ArgMax, Op.ArgMin })
                {
                    if (dtype == DType.Bool && op == Op.ReduceSum) continue;
                    foreach (bool accumulate in new[] { false, true })
                    {
                        if (accumulate && op is Op.ArgMax or Op.ArgMin) continue;
                        TileBuffer x = new("x", dtype, [7, n], false), y = new("y", Sum(op, dtype), [n], true);
                        LoopVariable r = Variable("r", 7), c = Variable("c", n);
                        LoweringRun.AssertSame(Program([x, y],
                            new Reduce(op, y, [c.Index()], x.Load([r.Index(), c.Index()]), [.. All(c)], [.. All(r)], accumulate)),
                            VecRun.Parse(path), n, fill: (_, random) => Small(dtype, random));
                    }
                }
    }

    [Theory, MemberData(nameof(Paths))]
    public void Casts_MatchInterpreter_BetweenEveryPairOfTypes(string path)
    {
        double[] special = [0, 1, -1, 0.5, 1.5, 2.5, -2.5, 3.9, -3.9, 127, 128, 255, 256, 300, -129, 32767, 40000, 65504, 65520,
            70000, 1e6, 16777217, 2147483647, 3e9, -3e9, 1e19, -1e19,
            double.NaN, double.PositiveInfinity, double.NegativeInfinity, 1e-8, 6e-8, 1.0000001, 1.00390625, 1.001953125,
            257.0000001, 1e-40];
        int n = special.Length;
        foreach (var from in DTypes.All)
            foreach (var to in DTypes.All)
            {
                TileBuffer x = new("x", from, [n], false), y = new("y", to, [n], true), z = new("z", from.Compute, [n], true);
                var i = Variable("i", n);
                var cast = Nodes.Cast(x.Load([i.Index()]), to);
                var program = Program([x, y, z],
                    new Ashlar.Tiles.Store(y, [i.Index()], cast, [.. All(i)]),
                    // Rounds in registers.
                    new Ashlar.Tiles.Store(z, [i.Index()], Nodes.Cast(Nodes.Cast(cast, to.Compute), from.Compute), [.. All(i)]));
                int k = 0;
                LoweringRun.AssertSame(program, VecRun.Parse(path), fill: (buffer, _) =>
                    buffer != x ? 0 : special[k++] is var v
                        && from.IsFloat
                        ? v
                        : from == DType.Bool
                        ? (v > 0 ? 1 : 0)
                        : double.IsNaN(v)
                        ? 5
                        : Math.Clamp(Math.Truncate(v), Conversion.Range(from).Least,
                            Math.Min(Conversion.Range(from).Greatest, 1L << 53)),
                    tolerance: 0);
            }
    }

    public static TheoryData<string, DType> PathsAndTypes
    {
        get
        {
            var data = new TheoryData<string, DType>();
            foreach (var isa in Isa.Available)
                foreach (var dtype in DTypes.All) data.Add(isa.Name, dtype);
            return data;
        }
    }

    // Several ops go into one program, as vectors and as scalar code: each has loads, a value and a store of its own, and .NET
    // compiles a fourth of the methods.
    [Theory, MemberData(nameof(PathsAndTypes))]
    public void ElementwiseOps_MatchInterpreter(string path, DType dtype)
    {
        const int Together = 4;
        Op[] unary = [Op.Neg, Op.Abs, Op.Sign, Op.Exp, Op.Log, Op.Sin, Op.Cos, Op.Tanh, Op.Erf, Op.Sqrt, Op.Rsqrt, Op.Recip,
            Op.Floor, Op.Ceil, Op.Round, Op.Trunc, Op.Not];
        Op[] binary = [Op.Add, Op.Sub, Op.Mul, Op.Div, Op.Pow, Op.Mod, Op.Max, Op.Min, Op.And, Op.Or, Op.Xor, Op.Shl, Op.Shr,
            Op.Less, Op.LessEqual, Op.Equal, Op.NotEqual];
        int ran = 0;
        foreach (var ops in unary.Concat(binary).Where(Takes).Chunk(Together))
        {
            var buffers = new List<TileBuffer>();
            var statements = new List<Statement>();
            foreach (var op in ops)
            {
                TileBuffer a = new($"a_{op}", dtype, [45], false), b = new($"b_{op}", dtype, [45], false);
                var i = Variable($"i_{op}", 45);
                Node value = Value(op, a.Load([i.Index()]), b.Load([i.Index()])),
                    scalar = Value(op, a.Load([Number(3)]), b.Load([Number(3)]));
                TileBuffer c = new($"c_{op}", value.DType, [45], true), one = new($"one_{op}", value.DType, [], true);
                buffers.AddRange([a, b, c, one]);
                statements.Add(new Ashlar.Tiles.Store(c, [i.Index()], value, [.. All(i)]));
                statements.Add(new Ashlar.Tiles.Store(one, [], scalar, []));
                ran++;
            }
            LoweringRun.AssertSame(Program([.. buffers], [.. statements]), VecRun.Parse(path), (int)ops[0]);
        }
        Assert.InRange(ran, dtype == DType.Bool ? 8 : 15, 32);

        Node Value(Op op, Node x, Node y) => unary.Contains(op) ? Nodes.Unary(op, x) : Nodes.Binary(op, x, y);

        bool Takes(Op op)
        {
            var x = Nodes.Parameter(0, dtype, Shape.Scalar);
            try { return Value(op, x, x) is not null; }
            catch (DTypeException) { return false; }
        }
    }

    [Theory, MemberData(nameof(Paths))]
    public void RandomBits_MatchInterpreter(string path)
    {
        TileBuffer seed = new("seed", DType.Int32, [2], false), y = new("y", DType.Int32, [3, 21], true);
        LoopVariable r = Variable("r", 3), c = Variable("c", 21);
        var counter = Nodes.Cast(r.Index() * Number(21) + c.Index(), DType.Int32);
        var bits = Nodes.RandomBits(seed.Load([Number(0)]), seed.Load([Number(1)]), counter);
        LoweringRun.AssertSame(Program([seed, y], new Ashlar.Tiles.Store(y, [r.Index(), c.Index()], bits, [.. All(r, c)])),
            VecRun.Parse(path));
    }

    [Theory, MemberData(nameof(Paths))]
    public void TransposeAndStrides_MatchInterpreter(string path)
    {
        foreach (var dtype in new[] { DType.Float32, DType.Float64, DType.Int64, DType.UInt8, DType.BFloat16, DType.Bool })
            foreach (int n in new[] { 1, 5, 16, 33 })
            {
                TileBuffer x = new("x", dtype, [n, 6], false), y = new("y", dtype, [6, n], true),
                    z = new("z", dtype, [6, 2 * n], true);
                LoopVariable i = Variable("i", 6), j = Variable("j", n);
                var value = x.Load([j.Index(), i.Index()]);
                LoweringRun.AssertSame(Program([x, y, z],
                    new Ashlar.Tiles.Store(y, [i.Index(), j.Index()], value, [.. All(i, j)]),
                    new Ashlar.Tiles.Store(z, [i.Index(), j.Index() * Number(2) + Number(1)], value, [.. All(i, j)])),
                    VecRun.Parse(path), n);
            }
    }

    [Theory, MemberData(nameof(Paths))]
    public void GuardedStoresAndLoads_StayInside(string path)
    {
        // y[i] = x[i - 2] inside, else -1; a shift whose first and last loads would be outside of the buffer.
        foreach (var dtype in new[] { DType.Float32, DType.Float64, DType.BFloat16, DType.Int8, DType.Int64 })
            foreach (int n in lengths)
            {
                TileBuffer x = new("x", dtype, [n], false), y = new("y", dtype, [n + 4], true), z = new("z", dtype, [n], true);
                var i = Variable("i", n + 4);
                var at = i.Index() - Number(2);
                var inside =
                    Nodes.Binary(Op.And, Nodes.Binary(Op.LessEqual, Number(0), at), Nodes.Binary(Op.Less, at, Number(n)));
                LoweringRun.AssertSame(Program([x, y, z],
                    new Ashlar.Tiles.Store(y, [i.Index()],
                        Nodes.Select(inside, x.Load([at], inside), Nodes.Constant(1, dtype, Shape.Scalar)), [.. All(i)]),
                    new Ashlar.Tiles.Store(z, [at], x.Load([at], inside), [.. All(i)], Guard: inside)), VecRun.Parse(path), n);
            }
    }

    [Theory, MemberData(nameof(Paths))]
    public void IndexOutOfRange_IsReported(string path)
    {
        foreach (int width in new[] { 1, 3, 40 })
            foreach (int bad in new[] { -1, 6, int.MaxValue, int.MinValue })
            {
                var program = GatherRows(5, 6, width);
                double[][] buffers = [new double[6 * width], [0, 1, bad, 3, 4], new double[5 * width]];
                var error = Assert.Throws<KernelException>(() => LoweringRun.Run(program, VecRun.Parse(path), buffers));
                Assert.Equal("ASH0510", error.Code);
                Assert.Contains($"the index {bad},", error.Message);
                Assert.Contains("rows of the table", error.Message);
            }
    }

    [Theory, MemberData(nameof(Paths))]
    public void LaneIndexOutOfRange_IsReported(string path)
    {
        foreach (int bad in new[] { -1, 3 })
        {
            var program = GatherAdd(20, 3);
            double[][] buffers = [new double[3], [.. Enumerable.Repeat(1.0, 20)], new double[20]];
            buffers[1][13] = bad;
            if (bad < 0) LoweringRun.Run(program, VecRun.Parse(path), buffers);   // guarded: allowed
            else Assert.Throws<KernelException>(() => LoweringRun.Run(program, VecRun.Parse(path), buffers));
        }
    }

    static TileProgram GatherRows(long count, long rows, long width)
    {
        TileBuffer table = new("table", DType.Float32, [rows, width], false),
            indices = new("indices", DType.Int32, [count], false), y = new("y", DType.Float32, [count, width], true);
        LoopVariable r = Variable("r", count), c = Variable("c", width);
        var at = Bound(Nodes.Cast(indices.Load([r.Index()]), DType.Int64), Number(rows), "rows of the table");
        return Program([table, indices, y],
            Parallel(r, new Ashlar.Tiles.Store(y, [r.Index(), c.Index()], table.Load([at, c.Index()]), [.. All(c)])));
    }

    [Theory, MemberData(nameof(Paths))]
    public void EmbeddingGradient_AddsRowsInOrder(string path)
    {
        TileBuffer g = new("g", DType.Float32, [30, 19], false), indices = new("indices", DType.Int64, [30], false),
            y = new("y", DType.Float32, [6, 19], true);
        LoopVariable u = Variable("u", 30), c = Variable("c", 19);
        var at = Bound(indices.Load([u.Index()]), Number(6), "scatter");
        LoweringRun.AssertSame(Program([g, indices, y], new Ashlar.Tiles.Store(y, [at, c.Index()], g.Load([u.Index(), c.Index()]),
            [.. All(u, c)], StoreMode.Add)),
            VecRun.Parse(path), fill: (buffer, random) => buffer.DType.IsFloat ? random.NextDouble() : random.Next(6));
    }

    [Theory, MemberData(nameof(Paths))]
    public void EveryChoiceOfUnrolling_GivesTheSame(string path)
    {
        foreach (var options in LoweringOptions.Choices)
            foreach (int width in new[] { 5, 64, 100 })
                LoweringRun.AssertSame(Softmax(3, width), VecRun.Parse(path), width, options: options);
    }
}
