namespace Ashlar.Compiler.Planning;

/// <summary>Offsets of a program's own values in one arena, for given values of its symbols.</summary>
/// <remarks>
/// Values whose lives do not overlap may share bytes. Placed greedily, largest first, each in the smallest gap that is free over
/// its whole life: "greedy by size" of Pisarchyk and Lee 2020, arXiv:2001.03288.
/// </remarks>
/// <param name="Offsets">For each value of the plan its byte offset in the arena; 0 for those that live elsewhere.</param>
/// <param name="ArenaBytes">Bytes of the arena.</param>
/// <param name="PeakBytes">Arena and results that do not take a parameter's memory.</param>
/// <param name="UnplannedBytes">What one buffer per stored value would take.</param>
public sealed record MemoryPlan(long[] Offsets, long ArenaBytes, long PeakBytes, long UnplannedBytes)
{
    // Two cache lines: the adjacent-line prefetcher then never couples two values.
    const long Alignment = 128;

    /// <summary>Places the values of a plan.</summary>
    public static MemoryPlan Of(Plan plan, Func<Symbol, long> symbols)
    {
        var lives = new Dictionary<int, (int First, int Last, long Bytes)>();
        long unplanned = 0, results = 0;
        foreach (var value in plan.Values)
        {
            long bytes = value.Bytes.Evaluate(symbols);
            if (value.Written >= 0) unplanned += bytes;
            if (value.Residence == Residence.Result) results += bytes;
            var home = plan.Home(value);
            if (home.Residence != Residence.Arena) continue;
            var (first, last, size) = lives.GetValueOrDefault(home.Index, (int.MaxValue, -1, 0));
            lives[home.Index] =
                (Math.Min(first, value.Written), Math.Max(last, Math.Max(value.LastRead, value.Written)), Math.Max(size, bytes));
        }

        var offsets = new long[plan.Values.Count];
        var placed = new List<(long Offset, long Bytes, int First, int Last)>();
        long arena = 0;
        foreach (var (index, life) in lives.OrderByDescending(entry => entry.Value.Bytes).ThenBy(entry => entry.Value.First))
        {
            long bytes = (life.Bytes + Alignment - 1) / Alignment * Alignment, end = 0, best = -1, bestGap = long.MaxValue;
            foreach (var other in placed.Where(other => other.First <= life.Last && life.First <= other.Last))
            {
                long gap = other.Offset - end;
                if (gap >= bytes && gap < bestGap) (best, bestGap) = (end, gap);
                end = Math.Max(end, other.Offset + other.Bytes);
            }
            if (best < 0) best = end;
            offsets[index] = best;
            arena = Math.Max(arena, best + bytes);
            int place = placed.FindIndex(other => other.Offset > best);
            placed.Insert(place < 0 ? placed.Count : place, (best, bytes, life.First, life.Last));
        }
        return new(offsets, arena, arena + results, unplanned);
    }
}
