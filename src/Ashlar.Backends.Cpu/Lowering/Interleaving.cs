using Ashlar.Backends.Cpu.Vec;
using Ashlar.Backends.Cpu.Vec.Emit;

namespace Ashlar.Backends.Cpu.Lowering;

/// <summary>Merges the unrolled copies of a loop's body, a few instructions of each in turn.</summary>
/// <remarks>
/// An exponential is a chain of twenty instructions that wait four cycles for each other. The processor looks about a hundred
/// waiting instructions ahead, three such chains one after the other, and needs eight at once to be busy. Chains that are
/// woven together are all within its sight. RyuJIT keeps the order of statements but joins a value to the statement after it,
/// so the chains are cut into statements here (<see cref="Set.IsStatement"/>), and those of other copies stand between.
/// </remarks>
static class Interleaving
{
    const int Links = 4;   // instructions of a chain to a statement

    /// <summary>Merges what was written from some place on.</summary>
    /// <param name="written">The instructions of a block.</param>
    /// <param name="begins">Where each copy's instructions begin; the last copy's go to the end.</param>
    public static void Merge(List<Instruction> written, IReadOnlyList<int> begins)
    {
        int begin = begins[0], copies = begins.Count;
        if (copies < 2 || written.Skip(begin).Any(instruction => instruction is not (Set or Store or Prefetch or Note))) return;
        var slices = begins.Select((at, copy) =>
            written.GetRange(at, (copy + 1 < copies ? begins[copy + 1] : written.Count) - at)).ToArray();

        // Where each register that the copies set is set, and how often that is still to come.
        var owner = new Dictionary<int, int>();
        var missing = new Dictionary<int, int>();
        for (int copy = 0; copy < copies; copy++)
            foreach (var set in slices[copy].OfType<Set>())
            {
                if (!owner.TryAdd(set.Target.Id, copy) && owner[set.Target.Id] != copy) return;   // a chain through all copies
                missing[set.Target.Id] = missing.GetValueOrDefault(set.Target.Id) + 1;
            }

        for (int copy = 0; copy < copies; copy++)
            // It reads what was there before.
            if (slices[copy].SelectMany(OperandsOf.All).Any(reg => owner.TryGetValue(reg.Id, out int other) && other > copy))
                return;

        var merged = new List<Instruction>(written.Count - begin);
        var next = new int[copies];
        var depths = new Dictionary<int, int>();
        while (merged.Count < written.Count - begin)
            for (int copy = 0; copy < copies; copy++)
                if (next[copy] < slices[copy].Count && IsReady(slices[copy][next[copy]], copy)) Take(copy);
        written.RemoveRange(begin, written.Count - begin);
        written.AddRange(merged);

        // What another copy computes for this one comes first.
        bool IsReady(Instruction instruction, int copy) =>
            OperandsOf.All(instruction).All(reg => !owner.TryGetValue(reg.Id, out int other) || other == copy
                || missing[reg.Id] == 0);

        void Take(int copy)
        {
            var instruction = slices[copy][next[copy]++];
            if (instruction is Set set)
            {
                missing[set.Target.Id]--;
                int depth = 1 + OperandsOf.All(set.Value).Select(reg => depths.GetValueOrDefault(reg.Id)).DefaultIfEmpty().Max();
                if (set.Value is Compute && !set.Target.Type.IsScalar && depth >= Links)
                {
                    instruction = set with { IsStatement = true };
                    depth = 0;
                }
                depths[set.Target.Id] = depth;
            }
            merged.Add(instruction);
        }
    }
}
