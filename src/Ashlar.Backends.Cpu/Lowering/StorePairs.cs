using Ashlar.Backends.Cpu.Vec;
using Ashlar.Backends.Cpu.Vec.Emit;

namespace Ashlar.Backends.Cpu.Lowering;

/// <summary>Joins two stores of 16-bit numbers that lie side by side to one of a whole register.</summary>
/// <remarks>To narrow a register and to store the half takes three instructions; two registers into one and a store take two
/// for both.</remarks>
static class StorePairs
{
    const int Lanes = 16;

    /// <summary>Joins what was written from some place on.</summary>
    public static void Join(VecBuilder f, int begin)
    {
        if (f.Isa != Isa.Avx512) return;
        var written = f.Block.Instructions;
        HashSet<Reg> narrowed = [];
        for (int i = begin; i < written.Count; i++)
        {
            if (written[i] is not Store first || !IsHalves(first)) continue;
            int other = Partner(written, i, first, IsSecond(written, begin, first));
            if (other < 0) continue;
            var second = (Store)written[other];
            var (low, high) = first.At.Displacement < second.At.Displacement ? (first, second) : (second, first);
            written.RemoveAt(other);
            written.RemoveAt(i);
            int end = written.Count;
            var both = f.LowHalves(low.Value, high.Value);
            var join = written[end];
            written.RemoveAt(end);
            written.InsertRange(other - 1, [join, new Store(low.At, DType.Int32, both)]);
            narrowed.UnionWith([low.Value, high.Value]);
            i--;
        }
        DropUnused(written, begin, narrowed);
    }

    // Bits that were shifted down for a store alone: what joins two stores takes them where they were.
    static void DropUnused(List<Instruction> written, int begin, HashSet<Reg> narrowed)
    {
        if (written.Skip(begin).Any(instruction => instruction is not (Set or Store or Prefetch or Note))) return;
        narrowed.ExceptWith(written.Skip(begin).SelectMany(OperandsOf.All));
        for (int i = written.Count - 1; i >= begin; i--)
            if (written[i] is Set { Value: Compute { Op: VecOp.ShrBy } } set && narrowed.Contains(set.Target))
                written.RemoveAt(i);
    }

    // Whether a store is the second of its pair: pairs are counted from the first of all stores of the place, so that four side
    // by side make two.
    static bool IsSecond(List<Instruction> written, int begin, Store store)
    {
        long least = written.Skip(begin).OfType<Store>().Where(other => IsHalves(other) && IsBeside(other, store))
            .Min(other => other.At.Displacement);
        return (store.At.Displacement - least) / (2 * Lanes) % 2 == 1;
    }

    static bool IsBeside(Store a, Store b) => a.At.Pointer == b.At.Pointer && a.At.Offset == b.At.Offset;

    static bool IsHalves(Store store) => store is { Mask: null, Stream: false, Storage.Bytes: 2 }
        && store.Value.Type == new VecType(Elem.I32, Lanes);

    // The store beside it, with nothing in between that reads memory, or sets what the first one reads.
    static int Partner(List<Instruction> written, int at, Store first, bool isSecond)
    {
        for (int i = at + 1; i < written.Count; i++)
        {
            switch (written[i])
            {
                case Store other when IsHalves(other) && IsBeside(other, first):
                    long distance = other.At.Displacement - first.At.Displacement;
                    if (distance == (isSecond ? -2 * Lanes : 2 * Lanes)) return i;
                    if (Math.Abs(distance) < 2 * Lanes) return -1;
                    break;
                case Set { Value: Compute or Constant } set when !OperandsOf.All(first).Contains(set.Target):
                case Prefetch or Note:
                    break;
                default:
                    return -1;
            }
        }
        return -1;
    }
}
