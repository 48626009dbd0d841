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
        for (int i = begin; i < written.Count; i++)
        {
            if (written[i] is not Store first || !IsHalves(first)) continue;
            int other = Partner(written, i, first);
            if (other < 0) continue;
            var second = (Store)written[other];
            var (low, high) = first.At.Displacement < second.At.Displacement ? (first, second) : (second, first);
            written.RemoveAt(other);
            written.RemoveAt(i);
            int end = written.Count;
            var both = f.LowHalves(low.Value, high.Value);
            var narrowed = written[end];
            written.RemoveAt(end);
            written.InsertRange(other - 1, [narrowed, new Store(low.At, DType.Int32, both)]);
            i--;
        }
    }

    static bool IsHalves(Store store) => store is { Mask: null, Stream: false, Storage.Bytes: 2 }
        && store.Value.Type == new VecType(Elem.I32, Lanes);

    // The store beside it, with nothing in between that reads memory, or sets what the first one reads.
    static int Partner(List<Instruction> written, int at, Store first)
    {
        for (int i = at + 1; i < written.Count; i++)
        {
            switch (written[i])
            {
                case Store other when IsHalves(other) && other.At.Pointer == first.At.Pointer
                    && other.At.Offset == first.At.Offset:
                    long distance = Math.Abs(other.At.Displacement - first.At.Displacement);
                    if (distance == 2 * Lanes) return i;
                    if (distance < 2 * Lanes) return -1;
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
