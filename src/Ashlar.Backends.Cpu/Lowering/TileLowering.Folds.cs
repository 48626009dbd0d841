using Ashlar.Backends.Cpu.Vec;
using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu.Lowering;

// Sums and extremes of the rows of a strip.
//
// A row's lanes become one number by a chain of eight instructions, each of which waits for the one before: 30 cycles for a row
// whose 256 numbers take 60. So each row of a strip leaves its lanes in memory, and sixteen rows are folded together.
internal sealed partial class TileLowering
{
    readonly List<Extent> foldPlaces = [];   // one per reduction of a group, used by one group after the other

    // Which reductions are folded: those of float32 that give one number for each row of a whole strip.
    void PlanFolds(List<Accumulator?> accumulators, LoopPlan plan)
    {
        if (strip is not { IsWhole: true } at || isa != Isa.Avx512
            || plan is not { Axis: >= 0, Lanes: RowFolds.Rows, CanMask: true }) return;
        int count = 0;
        foreach (var accumulator in accumulators)
        {
            if (accumulator?.Reduce is not
                {
                    Op: Op.ReduceSum or Op.ReduceMax or Op.ReduceMin, Accumulate: false, Value.DType: DType.Float32,
                    Target: Tile { DType: DType.Float32 } target, Domain: [var row], Over.Count: > 0
                } reduce || row.Variable != at.Rows || IsScalar(target)
                || Flat(target, reduce.Indices).Terms.ToList() is not [var (atom, factor)] || atom != row.Variable.Index()
                || factor != 1) continue;
            if (count == foldPlaces.Count)
            {
                foldPlaces.Add(scratch);
                scratch += StripRows * RowFolds.RowBytes;
            }
            accumulator.Folded = foldPlaces[count++];
        }
    }

    void StoreLanes(Accumulator accumulator)
    {
        var row = level.CounterOf(accumulator.Reduce.Domain[0].Variable).Counter;
        var offset = At(level, () => (row - strip!.Begin) * RowFolds.RowBytes);
        f.Store(VecBuilder.At(FoldPlace(accumulator), offset), DType.Float32, InOne(accumulator).Value);
    }

    Reg FoldPlace(Accumulator accumulator) => At(Root(), () => f.Scratch + SizeOf(accumulator.Folded!.Value));

    void FoldRows(List<Accumulator?> accumulators)
    {
        foreach (var accumulator in accumulators)
        {
            if (accumulator?.Folded is null) continue;
            var reduce = accumulator.Reduce;
            var first = Flat(reduce.Target, reduce.Indices).Substitute(atom => Affine.Of(0));
            var to = Pointer(AddressOf(reduce.Target, first)) + strip!.Begin * sizeof(float);
            f.Call(typeof(RowFolds).GetMethod(reduce.Op switch
            {
                Op.ReduceSum => nameof(RowFolds.Sum),
                Op.ReduceMax => nameof(RowFolds.Max),
                _ => nameof(RowFolds.Min),
            })!, FoldPlace(accumulator), to, f.Const(StripRows));
        }
    }
}
