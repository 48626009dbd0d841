using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Compiler.Kernels;

/// <summary>A contraction before blocking: what a matrix engine needs to know, and the tile program it stands for.</summary>
/// <remarks>
/// For every point of batch, rows and columns: <c>result = sum over inner of Left * Right</c>, then the stores. Blocking is the
/// target's business; <see cref="ToProgram"/> writes the form out as a tile program with any tile sizes, which is what the
/// interpreter runs, and <see cref="EpilogueBlock"/> and <see cref="OperandBlock"/> give the elementwise parts as programs over a
/// block.
/// </remarks>
/// <param name="Batch">Variables of the batch axes, outermost first.</param>
/// <param name="Rows">Variables of the left operand's free axes, M in all.</param>
/// <param name="Columns">Variables of the right operand's free axes, N in all.</param>
/// <param name="Inner">Variables of the summed axes, K in all.</param>
/// <param name="Left">Over batch, rows and inner, in a compute type.</param>
/// <param name="Right">Over batch, inner and columns, in the left's type.</param>
/// <param name="Result">Stands for the finished sum in the stores' values: a tile without axes, in the accumulator's
/// type.</param>
/// <param name="Stores">What is done with the result: each value over batch, rows, columns and <paramref name="Result"/>.</param>
public sealed record ContractionForm(
    ValueList<LoopVariable> Batch, ValueList<LoopVariable> Rows, ValueList<LoopVariable> Columns, ValueList<LoopVariable> Inner,
    Node Left, Node Right, Tile Result, ValueList<ContractionStore> Stores)
{
    /// <summary>The type whose values the left operand has, where the graph means a narrower one than it is computed in: an
    /// engine may round to it.</summary>
    public DType LeftType { get; init; } = Left.DType;

    /// <summary>The same for the right operand.</summary>
    public DType RightType { get; init; } = Right.DType;

    /// <summary>The product of the counts of some variables.</summary>
    public static Extent Count(IEnumerable<LoopVariable> variables) =>
        Extent.Product(variables.Select(variable => variable.Count));

    /// <summary>The tile program: one grid step per tile of rows and columns, a serial loop over tiles of the inner
    /// axes.</summary>
    public ValueList<Statement> ToProgram(long rowTile = 64, long columnTile = 64, long innerTile = 128)
    {
        Extent m = Count(Rows), n = Count(Columns), k = Count(Inner);
        var (mBlock, nBlock, kBlock) = (Blocks("mb", m, rowTile), Blocks("nb", n, columnTile), Blocks("kb", k, innerTile));
        var (i, j, l) = (new LoopVariable("i", rowTile), new LoopVariable("j", columnTile), new LoopVariable("l", innerTile));
        var places = new Dictionary<LoopVariable, Node>();
        Place(places, Rows, At(mBlock, rowTile, i));
        Place(places, Columns, At(nBlock, columnTile, j));
        Place(places, Inner, At(kBlock, innerTile, l));
        DomainAxis row = Ragged(i, m, mBlock, rowTile), column = Ragged(j, n, nBlock, columnTile),
            inner = Ragged(l, k, kBlock, innerTile);

        var sum = new Tile("sum", Result.DType, [rowTile, columnTile], TileSpace.Register);
        var operands = Expressions.Substitute([Left, Right], places);
        ValueList<Statement> body =
        [
            new Allocate(sum),
            new Store(sum, [i.Index(), j.Index()], Nodes.Constant(0.0, sum.DType, Shape.Scalar), [row, column]),
            new For(kBlock, Expressions.Tiles(k, innerTile), LoopKind.Pipelined,
                [new Dot(sum, operands[0], operands[1], row, column, inner)], Stages: 2),
            .. Stores.Select(store =>
            {
                var values = Expressions.Substitute([.. store.Indices, store.Value], places);
                return new Store(store.Target, [.. values[..^1]], ReplaceResult(values[^1], sum.Load([i.Index(), j.Index()])),
                    [row, column]);
            }),
        ];
        return Expressions.Grid([.. Batch.Select(variable => (variable, Nodes.Size(variable.Count))),
            (mBlock, Expressions.Tiles(m, rowTile)), (nBlock, Expressions.Tiles(n, columnTile))], body);
    }

    /// <summary>The stores over one block as a program of its own, for an engine that hands over finished sums.</summary>
    /// <remarks>
    /// Symbols of the program: <c>m0</c>, <c>n0</c> first row and column, <c>mc</c>, <c>nc</c> how many, <c>stride</c> elements
    /// from one row of sums to the next, and one per batch variable, by its name. Its first buffer holds the sums, [mc, stride];
    /// the others are the kernel's own, as listed. Its grid is the rows of the block.
    /// </remarks>
    public TileProgram EpilogueBlock()
    {
        var sums = new TileBuffer("sums", Result.DType, [Block.Rows, Block.Stride], written: false);
        var (i, j) = (new LoopVariable("i", Block.Rows), new LoopVariable("j", Block.Columns));
        var places = new Dictionary<LoopVariable, Node>();
        Place(places, Rows, Affine.Of(Block.FirstRow) + Affine.Of(i));
        Place(places, Columns, Affine.Of(Block.FirstColumn) + Affine.Of(j));
        foreach (var variable in Batch) places[variable] = Nodes.Size(Block.Of(variable));
        ValueList<Statement> body = [.. Stores.Select(store =>
        {
            var values = Expressions.Substitute([.. store.Indices, store.Value], places);
            return (Statement)new Store(store.Target, [.. values[..^1]],
                ReplaceResult(values[^1], sums.Load([i.Index(), j.Index()])), [DomainAxis.Whole(j)]);
        })];
        return new("epilogue", [sums, .. BuffersOf(Stores.SelectMany(store => store.Indices.Append(store.Value))),
            .. Stores.Select(store => store.Target)],
            Expressions.Grid([(i, Nodes.Size(i.Count))], body));
    }

    /// <summary>One operand over one block as a program that writes it, [rows or columns of the block, stride], inner axis
    /// last.</summary>
    /// <remarks>
    /// For an operand that is more than a strided array in memory. Symbols as in <see cref="EpilogueBlock"/>: m0 and mc stand for
    /// the operand's free axis (rows of the left, columns of the right), n0 and nc for the inner axis. The written buffer is the
    /// last.
    /// </remarks>
    /// <param name="left">Which operand.</param>
    /// <param name="type">The type of the block; null for the operand's compute type.</param>
    public TileProgram OperandBlock(bool left, DType? type = null)
    {
        var (free, value) = left ? (Rows, Left) : (Columns, Right);
        var block = new TileBuffer("block", type ?? value.DType, [Block.Rows, Block.Stride], written: true);
        var (i, j) = (new LoopVariable("i", Block.Rows), new LoopVariable("j", Block.Columns));
        var places = new Dictionary<LoopVariable, Node>();
        Place(places, free, Affine.Of(Block.FirstRow) + Affine.Of(i));
        Place(places, Inner, Affine.Of(Block.FirstColumn) + Affine.Of(j));
        foreach (var variable in Batch) places[variable] = Nodes.Size(Block.Of(variable));
        var placed = Expressions.Substitute([value], places)[0];
        return new("operand", [.. BuffersOf([value]), block],
            Expressions.Grid([(i, Nodes.Size(i.Count))],
                [new Store(block, [i.Index(), j.Index()], Nodes.Cast(placed, block.DType), [DomainAxis.Whole(j)])]));
    }

    /// <summary>The buffers that expressions read, each once, in the order of first use.</summary>
    public static List<TileBuffer> BuffersOf(IEnumerable<Node> values) =>
        [.. Traversal.PostOrder(values).Where(node => node.Op == Op.Load).Select(node => node.Source())
            .OfType<TileBuffer>().Distinct()];

    Node ReplaceResult(Node value, Node with)
    {
        var result = Result.Load([]);
        return Traversal.Rewrite([value], node => ReferenceEquals(node, result) ? with : null)[0];
    }

    static void Place(Dictionary<LoopVariable, Node> places, ValueList<LoopVariable> variables, Affine position)
    {
        if (variables.Count == 1) { places[variables[0]] = position.ToNode(); return; }
        for (int i = variables.Count - 1; i >= 0; i--)
        {
            // Only the outermost needs no remainder; the position runs to the product of the counts.
            places[variables[i]] = (i == 0 ? position : position.Modulo(variables[i].Count)).ToNode();
            position = position.Divide(variables[i].Count);
        }
    }

    static LoopVariable Blocks(string name, Extent extent, long tile) => new(name, Expressions.MostTiles(extent, tile));

    static Affine At(LoopVariable block, long tile, LoopVariable within) => Affine.Of(block) * tile + Affine.Of(within);

    static DomainAxis Ragged(LoopVariable within, Extent extent, LoopVariable block, long tile) =>
        new(within,
            Nodes.Min(TileNodes.Number(tile),
                Nodes.Binary(Op.Sub, Nodes.Size(extent), Nodes.Binary(Op.Mul, block.Index(), TileNodes.Number(tile)))));
}

/// <summary><c>Target[Indices] = Value</c> at each point of a contraction's batch, rows and columns.</summary>
public sealed record ContractionStore(TileBuffer Target, ValueList<Node> Indices, Node Value);

/// <summary>The symbols of the block programs that a contraction hands out.</summary>
public static class Block
{
    /// <summary>First row of the block.</summary>
    public static Symbol FirstRow { get; } = new("m0", 0);

    /// <summary>First column of the block.</summary>
    public static Symbol FirstColumn { get; } = new("n0", 0);

    /// <summary>Rows in the block.</summary>
    public static Symbol Rows { get; } = new("mc", 0);

    /// <summary>Columns in the block.</summary>
    public static Symbol Columns { get; } = new("nc", 0);

    /// <summary>Elements from one row of the block's own buffer to the next.</summary>
    public static Symbol Stride { get; } = new("stride", 0);

    /// <summary>The value of a batch variable.</summary>
    public static Symbol Of(LoopVariable batch) => new($"batch_{batch.Name}", 0);
}
