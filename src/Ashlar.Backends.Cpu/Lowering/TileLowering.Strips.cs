using Ashlar.Backends.Cpu.Vec;
using Ashlar.Graph;
using Ashlar.Tiles;
using Store = Ashlar.Tiles.Store;

namespace Ashlar.Backends.Cpu.Lowering;

// Runs of statements over the same rows, strip by strip.
//
// How this works. Statements one after the other pass a whole tile on, which the first cache does not hold: scores that a dot has
// stored come back from the second cache for the maximum, and once more for the exponential. Where every statement of a run needs
// only its own rows of what the run writes, the run is done for 32 rows, then for the next 32: what one statement stores, the
// next still finds near. A tile that lives within the run gets memory for one strip, the same for all.
internal sealed partial class TileLowering
{
    const long StripRows = Matrix.Tiles.PanelSide;

    /// <summary>The rows that a run is at.</summary>
    /// <param name="Rows">Their axis.</param>
    /// <param name="Begin">The first row.</param>
    /// <param name="End">After the last.</param>
    /// <param name="IsWhole">Every strip has as many rows as any.</param>
    /// <param name="Level">Where both are known.</param>
    /// <param name="Narrowed">Tiles that hold one strip.</param>
    sealed record Strip(LoopVariable Rows, Reg Begin, Reg End, bool IsWhole, Level Level, HashSet<Memory> Narrowed);

    Strip? strip;

    /// <summary>Writes the run that begins at a statement strip by strip; gives its end, or the begin where there is none that
    /// pays.</summary>
    int Strips(IReadOnlyList<Statement> body, int begin)
    {
        if (strip is not null || !options.Fuse) return begin;
        DomainAxis? rows = null;
        foreach (var statement in body.Skip(begin))
        {
            if (statement is Dot dot && OnTiles(dot) is not null)
            {
                rows = dot.Row;
                break;
            }
            if (statement is not (Allocate or Store)) return begin;   // a dot comes first, but for its zeros
        }
        if (rows is not { } axis || axis.Variable.Count.Max <= StripRows) return begin;

        // The longest run; every statement added may forbid a read before it.
        int end = begin;
        for (int next = begin + 1; next <= body.Count && IsByRows(body.Skip(begin).Take(next - begin), axis); next++) end = next;
        var run = body.Skip(begin).Take(end - begin).ToList();
        int dots = run.Count(statement => statement is Dot);
        if (dots == 0 || run.Count(statement => statement is not Allocate) < dots + 2) return begin;

        ulong after = body.Skip(end).Aggregate(0UL, (bits, statement) => bits | Touched(statement));
        var narrowed = run.OfType<Allocate>().Select(allocate => allocate.Tile).Where(tile => tile.Shape.Rank > 0
            && tile.Shape[0] == axis.Variable.Count
            && (after & Bit(tile)) == 0 && run.Any(statement => (WrittenBy([statement]) & Bit(tile)) != 0 || statement is Dot dot
                && dot.Target == tile)).ToHashSet<Memory>();
        var count = One(axis.Extent);
        ulong writes = WrittenBy(run);
        Note($"strips of {StripRows} rows, one after the other through all that follows");
        f.Loop(f.Const(0), count, StripRows, first =>
        {
            var inner = new Level(level, f.Block) { Writes = writes };
            Within(inner, [], () =>
            {
                bool isWhole = count.Known is { } known && known % StripRows == 0;
                strip = new(axis.Variable, first, isWhole ? first + StripRows : f.Binary(VecOp.Min, first + StripRows, count),
                    isWhole, inner, narrowed);
                Noted(() => Body(run));
                strip = null;
            });
        }, "strip");
        Forget(writes);
        return end;
    }

    // Whether each statement reads only its own rows of what the run writes.
    bool IsByRows(IEnumerable<Statement> run, DomainAxis rows)
    {
        ulong written = WrittenBy(run);
        return run.All(Fits);

        bool Fits(Statement statement) => statement switch
        {
            Allocate => true,
            Store { IsAtomic: false, Domain: [var first, ..] } store =>
                first == rows && OwnTarget(store.Target, store.Indices) && LoopGroup.Values(store).All(Own),
            Reduce { Domain: [var first, ..] } reduce =>
                first == rows && OwnTarget(reduce.Target, reduce.Indices) && LoopGroup.Values(reduce).All(Own),
            Dot dot => dot.Row == rows && Own(dot.Left) && (Dependences(dot.Right).Memories & written) == 0
                && OnTiles(dot) is not null && Factors(dot) is not null,
            Tiles.If branch => (Dependences(branch.Condition).Memories & written) == 0 && branch.Body.All(Fits),
            _ => false,
        };

        bool OwnTarget(Memory target, IReadOnlyList<Node> indices) => indices.Count > 0
            && (target is Tile ? indices[0] == rows.Variable.Index()
                && indices.Skip(1).All(index => !IsOfRows(index)) : indices.Any(IsOfRows));

        bool Own(Node value) =>
            Traversal.PostOrder([value]).TrueForAll(node => node.Op != Op.Load || (written & Bit(node.Source())) == 0
            || node.Indices() is [var first, ..] && first == rows.Variable.Index());

        bool IsOfRows(Node index) => (Dependences(index).Variables & Bit(rows.Variable)) != 0;
    }

    // All memories that a statement reads or writes.
    ulong Touched(Statement statement) => statement switch
    {
        For loop => loop.Body.Aggregate(Dependences(loop.Count).Memories, (bits, inner) => bits | Touched(inner)),
        Tiles.If branch => branch.Body.Aggregate(Dependences(branch.Condition).Memories, (bits, inner) => bits | Touched(inner)),
        Dot dot => Bit(dot.Target) | Dependences(dot.Left).Memories | Dependences(dot.Right).Memories,
        Store or Reduce =>
            LoopGroup.Values(statement).Aggregate(WrittenBy([statement]), (bits, value) => bits | Dependences(value).Memories),
        Allocate => 0,
        _ => ulong.MaxValue,
    };

    /// <summary>Where a loop over an axis begins and ends: at the strip's rows, or at all.</summary>
    (Reg Begin, Reg End) RangeOf(LoopVariable variable, Node extent) =>
        strip is { } at && at.Rows == variable ? (at.Begin, at.End) : (f.Const(0), One(extent));
}
