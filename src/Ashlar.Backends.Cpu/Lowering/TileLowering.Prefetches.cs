using Ashlar.Backends.Cpu.Vec;
using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu.Lowering;

// Asking for memory early. The processor's own prefetchers stop at the end of each page and know nothing of a row's next pass.
internal sealed partial class TileLowering
{
    // Arrays below this are in a cache anyway.
    const long LargeBytes = 1 << 20;

    // How far a single pass asks ahead: a whole iteration of the grid, since within one it may walk through several pages side by
    // side and a fixed distance would meet what it has read already; in long iterations some lines.
    const long LongestPartBytes = 64 << 10;
    const long BytesAhead = 2048;

    // Rows up to this fit the second-level cache twice.
    const long LongestRowBytes = 256 << 10;

    /// <summary>What the loop of a group asks for: the element it is at, and bytes to add.</summary>
    readonly record struct Ahead(Memory Memory, Affine Flat, long Bytes);

    readonly Dictionary<Statement, List<Ahead>> prefetches = new(ReferenceEqualityComparer.Instance);
    List<Ahead> ahead = [];

    // One pass over a large array asks a little ahead. Where a row is passed over several times, the pass with the most
    // arithmetic asks for the next row, so that memory works while it computes and the next row's first pass finds it in cache.
    void PlanPrefetches(IReadOnlyList<Statement> body)
    {
        var groups = new List<(List<Statement> Statements, DomainAxis[] Axes, LoopPlan Plan)>();
        for (int i = 0; i < body.Count;)
        {
            int end = body[i] is Tiles.Store or Reduce ? GroupEnd(body, i) : i + 1;
            var axes = LoopGroup.Axes(body[i]);
            if (axes.Length > 0)
            {
                List<Statement> group = [.. body.Skip(i).Take(end - i)];
                var plan = PlanOf(group, axes);
                if (plan.Axis == axes.Length - 1) groups.Add((group, axes, plan));
            }
            i = end;
        }

        var seen = new HashSet<Memory>();
        for (int i = 0; i < groups.Count; i++)
        {
            var variable = groups[i].Axes[^1].Variable;
            foreach (var load in Traversal.PostOrder(groups[i].Statements.SelectMany(LoopGroup.Values))
                .Where(node => node.Op == Op.Load))
            {
                if (load.Source() is not TileBuffer buffer || load.Guard() is not null
                    || buffer.Shape.Elements.Max * buffer.DType.Bytes < LargeBytes || !seen.Add(buffer)) continue;
                var flat = Flat(buffer, load.Indices());
                if (flat.FactorOf(variable.Index()) != 1 || flat.Terms.Any(term => term.Atom.Op != Op.Index)) continue;
                int heaviest = Enumerable.Range(i, groups.Count - i).Skip(1).Where(k => groups[k].Axes[^1].Variable == variable)
                    .OrderByDescending(k => groups[k].Plan.Cost).FirstOrDefault(-1);
                long row = NextRow(flat, groups[i].Axes, buffer.DType.Bytes) * buffer.DType.Bytes;
                if (heaviest >= 0 && row is > 0 and <= LongestRowBytes)
                    Ask(groups[heaviest].Statements[0], new(buffer, flat, row));
                else Ask(groups[i].Statements[0], new(buffer, flat, row is > 0 and <= LongestPartBytes ? row : BytesAhead));
            }
        }

        void Ask(Statement group, Ahead what)
        {
            if (!prefetches.TryGetValue(group, out var list)) prefetches[group] = list = [];
            list.Add(what);
        }
    }

    // Elements from one iteration of the innermost loop that moves along the array to the next, or to a later one where an
    // iteration reads little; 0 where no loop moves along it.
    long NextRow(Affine flat, DomainAxis[] axes, int bytes)
    {
        for (var at = level; at is not null; at = at.Outer)
        {
            long least = 0;
            foreach (var (atom, factor) in flat.Terms)
            {
                if (!at.Counters.ContainsKey(atom.Variable()) || !factor.TryGetValue(out long number) || number <= 0) continue;
                least = least == 0 ? number : Math.Min(least, number);
            }
            if (least == 0) continue;
            long read = axes.Where(axis => flat.FactorOf(axis.Variable.Index()) != 0).Aggregate((long)bytes, (product, axis) =>
                product * axis.Variable.Count.Max);
            return read is > 0 and < BytesAhead ? least * ((BytesAhead + read - 1) / read) : least;
        }
        return 0;
    }

    // Once per cache line.
    void Prefetch(VectorAxis axis, int copy)
    {
        foreach (var (memory, flat, bytes) in ahead)
        {
            if ((long)copy * axis.Lanes * memory.DType.Bytes % 64 == 0) f.Prefetch(AddressOf(memory, flat) + bytes);
        }
    }
}
