using Ashlar.Graph;
using Ashlar.Tiles;
using static Ashlar.Tiles.TileNodes;

namespace Ashlar.Tests.Tiles;

/// <summary>Tile programs written by hand, as the fusion pass and people write them.</summary>
static class Programs
{
    public static LoopVariable Variable(string name, Extent count) => new(name, count);

    public static DomainAxis[] All(params LoopVariable[] variables) => Array.ConvertAll(variables, DomainAxis.Whole);

    public static Node F32(double value) => Nodes.Constant(value, DType.Float32, Shape.Scalar);

    public static Node Least(Node a, Node b) => Nodes.Min(a, b);

    public static For Serial(LoopVariable i, params Statement[] body) => new(i, Nodes.Size(i.Count), LoopKind.Serial, [.. body]);

    public static For Parallel(LoopVariable i, params Statement[] body) =>
        new(i, Nodes.Size(i.Count), LoopKind.Parallel, [.. body]);

    public static TileProgram Program(TileBuffer[] buffers, params Statement[] body) => new("kernel", [.. buffers], [.. body]);

    /// <summary>y = gelu-like chain of x, one block of rows per parallel iteration, last block ragged.</summary>
    public static TileProgram Elementwise(Extent n, long block = 4)
    {
        TileBuffer x = new("x", DType.Float32, [n], false), y = new("y", DType.Float32, [n], true);
        long blocks = ((n.TryGetValue(out long length) ? length : n.Max) + block - 1) / block;
        LoopVariable g = Variable("g", blocks), i = Variable("i", block);
        var at = g.Index() * Number(block) + i.Index();
        var value = x.Load([at]);
        var shared = value * value * F32(0.5) + value;
        var rest = Nodes.Size(n) - g.Index() * Number(block);
        return Program([x, y], Parallel(g,
            new Store(y, [at], Nodes.Exp(shared) / (shared + F32(3)), [new(i, Least(Number(block), rest))], Streaming: true)));
    }

    /// <summary>Row softmax: maximum, exponentials into a tile, sum, quotient.</summary>
    public static TileProgram Softmax(Extent rows, long width)
    {
        TileBuffer x = new("x", DType.Float32, [rows, width], false), y = new("y", DType.Float32, [rows, width], true);
        LoopVariable r = Variable("r", rows), c = Variable("c", width);
        Tile most = new("most", DType.Float32, [], TileSpace.Register), sum = new("sum", DType.Float32, [], TileSpace.Register),
            e = new("e", DType.Float32, [width]);
        return Program([x, y], Parallel(r,
            new Allocate(most),
            new Allocate(sum),
            new Allocate(e),
            new Reduce(Op.ReduceMax, most, [], x.Load([r.Index(), c.Index()]), [], [.. All(c)]),
            new Store(e, [c.Index()], Nodes.Exp(x.Load([r.Index(), c.Index()]) - most.Load([])), [.. All(c)]),
            new Reduce(Op.ReduceSum, sum, [], e.Load([c.Index()]), [], [.. All(c)]),
            new Store(y, [r.Index(), c.Index()], e.Load([c.Index()]) / sum.Load([]), [.. All(c)])));
    }

    /// <summary>C = A B over blocks of 4 by 3 and steps of 5, every edge ragged.</summary>
    public static TileProgram MatMul(long m, long n, long k)
    {
        const long tileM = 4, tileN = 3, tileK = 5;
        TileBuffer a = new("a", DType.Float32, [m, k], false), b = new("b", DType.Float32, [k, n], false),
            c = new("c", DType.Float32, [m, n], true);
        LoopVariable bi = Variable("bi", (m + tileM - 1) / tileM), bj = Variable("bj", (n + tileN - 1) / tileN),
            bk = Variable("bk", (k + tileK - 1) / tileK);
        LoopVariable i = Variable("i", tileM), j = Variable("j", tileN), p = Variable("p", tileK);
        Tile sum = new("sum", DType.Float32, [tileM, tileN], TileSpace.Register);
        Node row = bi.Index() * Number(tileM) + i.Index(), column = bj.Index() * Number(tileN) + j.Index(),
            inner = bk.Index() * Number(tileK) + p.Index();
        DomainAxis rows = new(i, Least(Number(tileM), Number(m) - bi.Index() * Number(tileM)));
        DomainAxis columns = new(j, Least(Number(tileN), Number(n) - bj.Index() * Number(tileN)));
        DomainAxis inners = new(p, Least(Number(tileK), Number(k) - bk.Index() * Number(tileK)));
        return Program([a, b, c], Parallel(bi, Parallel(bj,
            new Allocate(sum),
            new Store(sum, [i.Index(), j.Index()], F32(0), [rows, columns]),
            new For(bk, Nodes.Size(bk.Count), LoopKind.Pipelined,
                [new Dot(sum, a.Load([row, inner]), b.Load([inner, column]), rows, columns, inners)], Stages: 2),
            new Store(c, [row, column], sum.Load([i.Index(), j.Index()]), [rows, columns]))));
    }

    /// <summary>FlashAttention forward for one head (Dao et al. 2022): keys in blocks, running maximum and sum, causal.</summary>
    public static TileProgram Flash(long tokens, long width)
    {
        const long block = 4;
        TileBuffer q = new("q", DType.Float32, [tokens, width], false), k = new("k", DType.Float32, [tokens, width], false);
        TileBuffer v = new("v", DType.Float32, [tokens, width], false), o = new("o", DType.Float32, [tokens, width], true);
        long blocks = (tokens + block - 1) / block;
        LoopVariable g = Variable("g", blocks), step = Variable("step", blocks), r = Variable("r", block),
            c = Variable("c", block), d = Variable("d", width);
        Tile s = new("s", DType.Float32, [block, block], TileSpace.Register),
            acc = new("acc", DType.Float32, [block, width], TileSpace.Register);
        Tile most = new("most", DType.Float32, [block]), before = new("before", DType.Float32, [block]),
            sum = new("sum", DType.Float32, [block]);
        Node row = g.Index() * Number(block) + r.Index(), column = step.Index() * Number(block) + c.Index();
        DomainAxis rows = new(r, Least(Number(block), Number(tokens) - g.Index() * Number(block)));
        DomainAxis columns = new(c, Least(Number(block), Number(tokens) - step.Index() * Number(block)));
        DomainAxis widths = DomainAxis.Whole(d);
        Node score = s.Load([r.Index(), c.Index()]);
        Node shrink = Nodes.Exp(before.Load([r.Index()]) - most.Load([r.Index()]));
        return Program([q, k, v, o], Parallel(g,
            new Allocate(s), new Allocate(acc), new Allocate(most), new Allocate(before), new Allocate(sum),
            new Store(acc, [r.Index(), d.Index()], F32(0), [rows, widths]),
            new Store(most, [r.Index()], F32(double.NegativeInfinity), [rows]),
            new Store(sum, [r.Index()], F32(0), [rows]),
            new For(step, g.Index() + Number(1), LoopKind.Pipelined,
            [
                new Store(s, [r.Index(), c.Index()], F32(0), [rows, columns]),
                new Dot(s, q.Load([row, d.Index()]), k.Load([column, d.Index()]), rows, columns, widths),
                new Store(s, [r.Index(), c.Index()],
                    Nodes.Select(Nodes.Binary(Op.LessEqual, column, row), score * F32(1 / Math.Sqrt(width)),
                        F32(double.NegativeInfinity)), [rows, columns]),
                new Store(before, [r.Index()], most.Load([r.Index()]), [rows]),
                new Reduce(Op.ReduceMax, most, [r.Index()], score, [rows], [columns], Accumulate: true),
                new Store(s, [r.Index(), c.Index()], Nodes.Exp(score - most.Load([r.Index()])), [rows, columns]),
                new Store(sum, [r.Index()], sum.Load([r.Index()]) * shrink, [rows]),
                new Reduce(Op.ReduceSum, sum, [r.Index()], score, [rows], [columns], Accumulate: true),
                new Store(acc, [r.Index(), d.Index()], acc.Load([r.Index(), d.Index()]) * shrink, [rows, widths]),
                new Dot(acc, score, v.Load([column, d.Index()]), rows, widths, columns),
            ], Stages: 2),
            new Store(o, [row, d.Index()], acc.Load([r.Index(), d.Index()]) / sum.Load([r.Index()]), [rows, widths])));
    }

    /// <summary>y[i] += table[indices[i]] where indices[i] is not negative.</summary>
    public static TileProgram GatherAdd(long count, long rows)
    {
        TileBuffer table = new("table", DType.Float32, [rows], false), indices = new("indices", DType.Int32, [count], false),
            y = new("y", DType.Float32, [count], true);
        var i = Variable("i", count);
        var index = indices.Load([i.Index()]);
        var use = Nodes.Binary(Op.LessEqual, index.Like(0), index);
        var at = Bound(Nodes.Cast(index, DType.Int64), Number(rows), "gather at \"Model.cs\":12");
        return Program([table, indices, y], new Store(y, [i.Index()], table.Load([at], use), [.. All(i)], StoreMode.Add));
    }

    /// <summary>y[indices[i]] is replaced by, added to, or raised to x[i].</summary>
    public static TileProgram Scatter(long count, long rows, StoreMode mode)
    {
        TileBuffer x = new("x", DType.Float32, [count], false), indices = new("indices", DType.Int64, [count], false),
            y = new("y", DType.Float32, [rows], true);
        var i = Variable("i", count);
        var at = Bound(indices.Load([i.Index()]), Number(rows), "scatter");
        return Program([x, indices, y], new Store(y, [at], x.Load([i.Index()]), [.. All(i)], mode));
    }

    /// <summary>A running sum along the last axis, in place.</summary>
    public static TileProgram CumSum(long rows, long width, bool reverse)
    {
        var x = new TileBuffer("x", DType.Float32, [rows, width], true);
        LoopVariable r = Variable("r", rows), c = Variable("c", width);
        return Program([x], new Scan(Op.CumSum, x, [r.Index(), c.Index()], x.Load([r.Index(), c.Index()]), [.. All(r)],
            DomainAxis.Whole(c), reverse));
    }

    public static TileProgram Sort(long width, bool descending)
    {
        TileBuffer x = new("x", DType.Float32, [width], false), y = new("y", DType.Int32, [width], true);
        var i = Variable("i", width);
        return Program([x, y], new Sort(y, [i.Index()], x.Load([i.Index()]), [], DomainAxis.Whole(i), descending));
    }

    /// <summary>One of each, for tests of the text form.</summary>
    public static IEnumerable<TileProgram> Samples() =>
    [
        Elementwise(10), Elementwise(new Symbol("N", 1, 100, 2)), Softmax(new Symbol("B", 1, 8), 5), MatMul(9, 7, 11),
        Flash(10, 3), GatherAdd(5, 3),
        Scatter(4, 3, StoreMode.Set), Scatter(4, 3, StoreMode.Max), CumSum(2, 3, true), Sort(4, true), Sort(4, false),
    ];
}
