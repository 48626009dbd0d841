using System.Collections;
using Ashlar.Graph;

namespace Ashlar.Tiles;

// The grid, loops and branches.
public sealed partial class KernelBuilder
{
    /// <summary>Opens the grid: what follows runs for every tile of the axis, on several workers at once.</summary>
    /// <param name="axis"><c>("N", 64)</c> for tiles of 64, <c>"B"</c> for single elements.</param>
    public KernelRange Grid(LoopAxis axis) => Enter(axis, LoopKind.Parallel, 1, null);

    /// <summary>Opens a grid of two axes, the outer first.</summary>
    public (KernelRange, KernelRange) Grid(LoopAxis first, LoopAxis second) => (Grid(first), Grid(second));

    /// <summary>Opens a grid of three axes, the outermost first.</summary>
    public (KernelRange, KernelRange, KernelRange) Grid(LoopAxis first, LoopAxis second, LoopAxis third) =>
        (Grid(first), Grid(second), Grid(third));

    /// <summary>Opens a grid of four axes, the outermost first.</summary>
    public (KernelRange, KernelRange, KernelRange, KernelRange) Grid(LoopAxis first, LoopAxis second, LoopAxis third,
        LoopAxis fourth) =>
        (Grid(first), Grid(second), Grid(third), Grid(fourth));

    /// <summary>A loop whose iterations run one after another.</summary>
    /// <param name="axis"><c>("K", 32)</c> for tiles of 32, <c>"K"</c> or a number for single elements.</param>
    /// <param name="until">A position (int64) at or after which no iteration begins; null for the whole axis.</param>
    /// <param name="from">A position: tiles that end at or before it are left out; null for the whole axis.</param>
    public IEnumerable<KernelRange> Serial(LoopAxis axis, KernelValue? until = null, KernelValue? from = null) =>
        new Loop(this, axis, LoopKind.Serial, 1, until, from);

    /// <summary>A loop whose iterations run one after another, with the loads of later ones begun early.</summary>
    /// <param name="axis"><c>("K", 32)</c> for tiles of 32, <c>"K"</c> or a number for single elements.</param>
    /// <param name="stages">How many iterations ahead loads begin; at least 1.</param>
    /// <param name="until">A position (int64) at or after which no iteration begins; null for the whole axis.</param>
    /// <param name="from">A position: tiles that end at or before it are left out; null for the whole axis.</param>
    public IEnumerable<KernelRange> Pipeline(LoopAxis axis, int stages = 2, KernelValue? until = null,
        KernelValue? from = null) =>
        new Loop(this, axis, LoopKind.Pipelined, stages, until, from);

    /// <summary>A loop of the grid as a block of its own: two of them run one after the other, each on all workers.</summary>
    /// <param name="axis"><c>("N", 64)</c> for tiles of 64, <c>"N"</c> or a number for single elements.</param>
    public IEnumerable<KernelRange> Parallel(LoopAxis axis) => new Loop(this, axis, LoopKind.Parallel, 1, null, null);

    /// <summary>Statements that run where a condition holds.</summary>
    /// <param name="condition">A bool scalar.</param>
    /// <param name="body">Called once, now.</param>
    public void If(KernelValue condition, Action body)
    {
        var settled = condition.Settled();
        if (settled.Rank != 0 || settled.DType != DType.Bool)
            throw new KernelException("ASH0574", $"k.If is given {settled.Type}{Where()}.",
                "compare scalars: a condition is one bool; Select chooses element by element.");
        var line = SourceLine.Here();
        var node = settled.At([]);
        Now++;
        scopes.Push(new(statements => new If(node, statements) { Origin = line }, Now));
        body();
        Leave();
    }

    KernelRange Enter(LoopAxis axis, LoopKind kind, int stages, KernelValue? until, KernelValue? from = null)
    {
        Count();
        var line = SourceLine.Here();
        var extent = Resolve(axis.Length);
        long tile = Math.Max(axis.Tile, 1);
        bool divides = extent.TryDivide(tile, out var quotient);
        Extent most = divides ? quotient : extent.TryGetValue(out long number) ? (number + tile - 1) / tile : extent;
        var end = Nodes.Size(extent);
        var count = divides ? Nodes.Size(quotient) : Tiles(end);
        if (until is not null) count = Nodes.Min(count, Tiles(Position(until)));
        Node? first = null;
        if (from is not null)
        {
            var at = Position(from);
            first = Nodes.Max(TileNodes.Number(0), tile == 1 ? at : Nodes.Binary(Op.Div, at, TileNodes.Number(tile)));
            count = Nodes.Binary(Op.Sub, count, first);
        }
        var variable = new LoopVariable($"{(kind == LoopKind.Parallel ? "g" : "j")}{loopCount++}", most);
        var index = first is null ? variable.Index() : Nodes.Binary(Op.Add, variable.Index(), first);
        var start = tile == 1 ? index : Nodes.Binary(Op.Mul, index, TileNodes.Number(tile));
        KernelAxis[] axes = axis.Tile == 0 ? [] : [divides ? KernelAxis.Of(tile)
            : new(tile, Nodes.Min(TileNodes.Number(tile), Nodes.Binary(Op.Sub, end, start)))];
        Now++;
        scopes.Push(new(body => new For(variable, count, kind, body, stages) { Origin = line },
            Now)
        { IsGrid = kind == LoopKind.Parallel });
        return new(this, axes, index, start, extent);

        Node Position(KernelValue value)
        {
            var limit = value.Settled();
            if (limit.Rank != 0 || !limit.DType.IsInteger && limit.Number is null)
                throw new KernelException("ASH0587", $"a loop of '{Name}' ends or begins at {limit.Type}{Where()}.",
                    "give one integer: a position of the axis.");
            return limit.Number is null ? Nodes.Cast(limit.At([]), DType.Int64) : limit.As(DType.Int64)(0);
        }

        Node Tiles(Node length) =>
            tile == 1 ? length : length.Constant is { } known ? TileNodes.Number(((long)known + tile - 1) / tile)
            : Nodes.Binary(Op.Div, Nodes.Binary(Op.Add, length, TileNodes.Number(tile - 1)), TileNodes.Number(tile));
    }

    void Leave()
    {
        var scope = scopes.Pop();
        Now++;
        scopes.Peek().Body.Add(scope.Close!([.. scope.Body]));
    }

    /// <summary>A loop of the kernel as a sequence of one element: foreach runs its body once, between the loop's begin and its
    /// end.</summary>
    sealed class Loop(KernelBuilder k, LoopAxis axis, LoopKind kind, int stages, KernelValue? until, KernelValue? from)
        : IEnumerable<KernelRange>
    {
        public IEnumerator<KernelRange> GetEnumerator()
        {
            int depth = k.scopes.Count;
            yield return k.Enter(axis, kind, stages, until, from);
            if (k.scopes.Count != depth + 1)
                throw new KernelException("ASH0580",
                    $"the definition of '{k.Name}' opens a grid within a loop, or leaves a loop in it by break{Where()}.",
                    "open the grid first, and let loops run to their end.");
            k.Leave();
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
