using System.Diagnostics;
using System.Runtime.Intrinsics.X86;
using Ashlar.Backends.Cpu.Contractions;
using Ashlar.Backends.Cpu.Weights;

namespace Ashlar.Backends.Cpu.Matrix;

/// <summary>A product on tiles by strips of columns: for large products, for right operands that are packed, and for grouped
/// rows.</summary>
/// <remarks>
/// All workers first pack the left operand, of each inner block all rows side by side. Then each takes strips of columns and goes
/// through the inner blocks of them: a panel of 32 columns stays in the first cache while all rows of a segment, at most 512,
/// come past it from the second. While a block is multiplied, the kernel fetches the next panel of the right operand from memory
/// and the next block of the left one from the last cache, so that neither waits. Each column of a packed right operand is read,
/// and decoded, once per segment.
/// </remarks>
sealed unsafe class StripProduct
{
    readonly MatrixContraction owner;
    readonly Action<int, int> work;
    ContractionCall call;
    StripPlan plan;
    RowGroups groups;
    bool isGrouped;
    long batch;
    long matrixBytes;
    long segments;
    long leftPacks;                                    // units of packing that concern the left operand
    byte* memory;
    Workers? pool;
    ChunkedRange packs, items;

    public StripProduct(MatrixContraction owner)
    {
        this.owner = owner;
        work = Work;
    }

    /// <summary>What a strip's way needs to know.</summary>
    public MatrixContraction Owner => owner;

    /// <summary>The product of this call.</summary>
    public ref readonly ContractionCall Call => ref call;

    /// <summary>How it is cut.</summary>
    public ref readonly StripPlan Plan => ref plan;

    /// <summary>Which rows are where, of a grouped product.</summary>
    public ref readonly RowGroups Groups => ref groups;

    /// <summary>Rows are sorted by groups.</summary>
    public bool IsGrouped => isGrouped;

    /// <summary>Scratch memory, <see cref="StripPlan"/> says what lies where.</summary>
    public byte* Memory => memory;

    /// <summary>Bytes from one matrix of a grouped product to the next.</summary>
    public long MatrixBytes => matrixBytes;

    /// <summary>Computes the product.</summary>
    /// <param name="call">Extents, operands and result; of a grouped product all rows, and the first matrix.</param>
    /// <param name="batch">How many products.</param>
    /// <param name="plan">How they are cut.</param>
    /// <param name="workers">Who may help.</param>
    /// <param name="memory">As many bytes as the plan says.</param>
    public void Run(in ContractionCall call, long batch, in StripPlan plan, Workers workers, byte* memory)
    {
        isGrouped = false;
        Start(call, batch, plan, workers, memory);
    }

    /// <summary>Computes a grouped product: each group of rows by its own matrix.</summary>
    /// <param name="call">All rows, and the first matrix. Not in a batch.</param>
    /// <param name="groups">Which rows go with which matrix.</param>
    /// <param name="matrices">How many matrices there are.</param>
    /// <param name="matrixBytes">From one to the next.</param>
    public void Run(in ContractionCall call, in RowGroups groups, long matrices, long matrixBytes, Workers workers, byte* memory)
    {
        (isGrouped, this.groups, this.matrixBytes) = (true, groups, matrixBytes);
        Start(call, 1, new StripPlan(owner, call, 1, matrices, workers.Count), workers, memory);
    }

    void Start(in ContractionCall call, long batch, in StripPlan plan, Workers workers, byte* memory)
    {
        (this.call, this.batch, this.plan, pool) = (call, batch, plan, workers);
        this.memory = memory;
        var all = (StripSegment*)memory;
        segments = 0;
        if (isGrouped)
        {
            // The most and the fewest rows in turn: few wait for their matrix to come from memory, many for the tile unit.
            groups.SortBySize();
            for (int i = 0; i < groups.Count; i++)
            {
                var group = groups[i % 2 == 0 ? i / 2 : groups.Count - 1 - i / 2];
                Segments(all, 0, group.Matrix, group.First, group.Count);
            }
        }
        else
            for (long product = 0; product < batch; product++) Segments(all, product, 0, 0, call.Rows);
        Debug.Assert(segments <= plan.MostSegments, "segments were counted when memory was asked for");
        long panel = 0, pack = 0, item = 0;
        for (long i = 0; i < segments; i++)
        {
            ref var segment = ref all[i];
            (segment.Panel, segment.FirstPack, segment.FirstItem) = (panel, pack, item);
            panel += segment.Panels;
            pack += MatrixBlocking.Over(segment.Panels, plan.PackPanels) * plan.InnerBlocks;
            item += plan.Cut(ref segment, segments);
        }
        leftPacks = pack;
        if (plan.SharesRight) pack += batch * plan.InnerBlocks * MatrixBlocking.Over(plan.ColumnPanels, StripPlan.PanelsAtOnce);
        packs = new(pack, 1);
        items = new(item, 1);
        workers.Run(plan.Workers, work);
    }

    // Evenly: two segments of 288 rows are better than one of 512 and one of 64.
    void Segments(StripSegment* all, long product, long matrix, long place, long rows)
    {
        long panels = MatrixBlocking.Over(rows, Tiles.PanelSide), blocks = MatrixBlocking.Over(rows, plan.SegmentRows);
        for (long block = 0; block < blocks; block++)
        {
            var (first, end) = EvenRange.Of(panels, (int)block, (int)blocks);
            all[segments++] = new()
            {
                Batch = product,
                Matrix = matrix,
                Place = place + first * Tiles.PanelSide,
                Rows = (int)(Math.Min(rows, end * Tiles.PanelSide) - first * Tiles.PanelSide),
                Panels = (int)(end - first),
            };
        }
    }

    void Work(int worker, int workers)
    {
        long* place = stackalloc long[BatchAxes.Most];
        nint* rows = stackalloc nint[Tiles.PanelSide];
        var all = (StripSegment*)memory;
        TileKernels.Configure();
        try
        {
            var way = new StripItem(this, memory + plan.Own + worker * plan.OwnBytes, place, rows, worker);
            long at = 0;
            while (packs.Take(out long unit, out long end))
                for (; unit < end; unit++)
                {
                    if (unit >= leftPacks)
                    {
                        way.PackRight(unit - leftPacks);
                        continue;
                    }
                    while (at + 1 < segments && all[at + 1].FirstPack <= unit) at++;
                    way.PackLeft(all + at, unit);
                }
            pool!.Sync(workers);
            at = 0;
            while (items.Take(out long item, out long end))
                for (; item < end; item++)
                {
                    while (at + 1 < segments && all[at + 1].FirstItem <= item) at++;
                    way.Run(all + at, item);
                }
        }
        finally
        {
            if (plan.StoresPast || plan.HasEpilogue) Sse.StoreFence();   // an epilogue may store past the caches, too
            TileKernels.Release();
        }
    }
}
