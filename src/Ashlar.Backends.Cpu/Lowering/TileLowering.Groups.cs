using Ashlar.Backends.Cpu.Vec;
using Ashlar.Graph;
using Ashlar.Tiles;
using Store = Ashlar.Tiles.Store;

namespace Ashlar.Backends.Cpu.Lowering;

// Loops over the domain of stores and reductions.
internal sealed partial class TileLowering
{
    /// <summary>How a group's loops are written.</summary>
    /// <param name="Axis">Place of the vector axis in the group's axes; -1 for scalar code.</param>
    /// <param name="Lanes">Of a vector.</param>
    /// <param name="Unroll">Vectors per iteration.</param>
    /// <param name="CanMask">The last vector may be partial; otherwise the rest is scalar code.</param>
    /// <param name="Cost">Instructions per vector, roughly.</param>
    readonly record struct LoopPlan(int Axis, int Lanes, int Unroll, bool CanMask, int Cost = 0);

    void Group(List<Statement> group)
    {
        var axes = LoopGroup.Axes(group[0]);
        ulong writes = WrittenBy(group);
        if (axes.Length == 0)
        {
            Note("one element");
            NoteStatements(group);
            foreach (var statement in group)
            {
                if (statement is Store store) StorePoint(store, stream: false);
                else StoreOne((Reduce)statement, Identity((Reduce)statement));
                Forget(WrittenBy([statement]));
            }
            return;
        }
        var plan = PlanOf(group, axes);
        ahead = prefetches.GetValueOrDefault(group[0]) ?? [];
        CountUses(group);
        if (plan.Axis >= 0 && group[0] is Reduce { Over.Count: > 0 } first && plan.Axis < first.Domain.Count)
        {
            if (group.Count > 1 && !group.TrueForAll(s => s is Reduce other && other.Domain.Count == first.Domain.Count))
            {
                foreach (var statement in group) Group([statement]);
                return;
            }
            NoteGroup(group, axes, plan);
            Columns(group, axes, plan, writes);
        }
        else
        {
            NoteGroup(group, axes, plan);
            // Points of stores are independent: the vector axis may be any, and goes innermost.
            if (plan.Axis >= 0) axes = [.. axes.Where((_, i) => i != plan.Axis), axes[plan.Axis]];
            List<Accumulator?> accumulators = group.ConvertAll(statement => statement is Reduce reduce
                ? new Accumulator(reduce)
                : null);
            PlanFolds(accumulators, plan);
            Nest(group, axes, 0, plan, writes, accumulators);
            FoldRows(accumulators);
        }
        Forget(writes);
    }

    // Loops from axis `depth` inwards. A reduction starts where its domain ends and is stored when the loops inside are done.
    void Nest(List<Statement> group, DomainAxis[] axes, int depth, LoopPlan plan, ulong writes, List<Accumulator?> accumulators)
    {
        foreach (var accumulator in accumulators)
            if (accumulator?.Reduce.Domain.Count == depth) Start(accumulator, plan);

        if (depth == axes.Length)
        {
            Points(group, accumulators, 0);
        }
        else
        {
            var (variable, extent) = axes[depth];
            var (begin, end) = RangeOf(variable, extent);
            if (depth == axes.Length - 1 && plan.Axis >= 0)
            {
                void Vectors() =>
                    VectorLoop(variable, begin, end, plan, writes,
                        (copy, scalar) => Points(group, accumulators, scalar ? -1 : copy));
                if (group is [Store only] && FactorOfRow(only, variable) is { } factor)
                    f.If(Truth(f.Compare(VecOp.Ne, One(factor), f.Const(VecType.Of(DType.Float32, 1), 1))),
                        () => Within(new(level, f.Block) { IsConditional = true }, [], Vectors));
                else if (group is [Store { Guard: null } store] && Failing(store.Indices) is { } inRange)
                {
                    // The lanes share the indices that are checked: once for the loop.
                    f.If(inRange, () => Within(new(level, f.Block) { IsConditional = true }, [], () =>
                    {
                        checkedStore = store;
                        Vectors();
                        checkedStore = null;
                    }));
                }
                else Vectors();
            }
            else
            {
                f.Loop(begin, end, 1, counter => Within(new(level, f.Block) { Writes = writes }, [(variable, counter)],
                    () => Nest(group, axes, depth + 1, plan, writes, accumulators)), variable.Name);
            }
        }

        foreach (var accumulator in accumulators)
            if (accumulator?.Reduce.Domain.Count == depth)
            {
                if (accumulator.Folded is null) StoreOne(accumulator.Reduce, Finish(accumulator));
                else StoreLanes(accumulator);
            }
    }

    // The store whose indices the code around it has found to be in range.
    Store? checkedStore;

    // What a whole row of a tile is multiplied with in its place: where that is 1, as the factors of an online softmax mostly
    // are, the row stays as it is.
    Node? FactorOfRow(Store store, LoopVariable variable)
    {
        if (store is not
            {
                Target: Tile { DType: DType.Float32 } tile, Mode: StoreMode.Set, Guard: null,
                Value: (Op.Mul, [var left, var right])
            }) return null;
        var place = tile.Load([.. store.Indices]);
        var factor = ReferenceEquals(left, place) ? right : ReferenceEquals(right, place) ? left : null;
        return factor is { Op: Op.Load } && factor.Guard() is null && (Dependences(factor).Variables & Bit(variable)) == 0
            ? factor
            : null;
    }

    // The statements of a group at one point, or one vector of points. Everything is computed before anything is stored: a buffer
    // may be written over another that is read at the same place.
    void Points(List<Statement> group, List<Accumulator?> accumulators, int copy)
    {
        var stores = new List<Action>();
        for (int i = 0; i < group.Count; i++)
        {
            if (group[i] is not Store store)
            {
                Accumulate(accumulators[i]!, copy);
                continue;
            }
            if (store.Mode == StoreMode.Set && store.Guard is null && !IsChecked(store.Indices))
            {
                var value = Forward(store, ForStore(store.Value), group.Skip(i + 1));
                // As bits two stores side by side become one.
                if (isa == Isa.Avx512 && store.Target.DType == DType.BFloat16 && value.Type == new VecType(Elem.F32, 16))
                    value = f.HalfBits(VecOp.ToBrainBits, value);
                stores.Add(() => PutValue(store.Target, Flat(store.Target, store.Indices), value, null, store.Streaming));
            }
            else
            {
                foreach (var earlier in stores) earlier();
                stores.Clear();
                StorePoint(store, store.Streaming);
                ForgetHere(Bit(store.Target));
            }
        }
        foreach (var store in stores) store();
        if (level.Axis is { Rest: null } axis) Prefetch(axis, copy);
    }

    // What was stored is known: a later statement of the loop need not load it. Returns what is to be stored: of a 16-bit float
    // that is used again the bits, so that it is rounded once.
    Reg Forward(Store store, Reg stored, IEnumerable<Statement> later)
    {
        ForgetHere(Bit(store.Target));
        bool isHalf = store.Target.DType is DType.Float16 or DType.BFloat16;
        if (store.Target.DType.Compute != store.Target.DType && !isHalf) return stored;
        var load = store.Target.Load([.. store.Indices]);
        if (!Traversal.PostOrder(later.SelectMany(LoopGroup.Values)).Contains(load)) return stored;
        Reg value;
        if (isHalf)
        {
            var (to, from) = store.Target.DType == DType.Float16
                ? (VecOp.ToHalfBits, VecOp.FromHalfBits)
                : (VecOp.ToBrainBits, VecOp.FromBrainBits);
            if (stored.Type.Elem != Elem.I32) stored = f.HalfBits(to, stored);
            value = f.HalfBits(from, stored);
        }
        else
        {
            value = Value(store.Value);
            if (store.Value.DType == DType.Int64 && level.Axis is not null) value = f.Convert(value, Elem.I64);
        }
        Home(load).Values[load] = value;
        return stored;
    }

    void ForgetHere(ulong memories)
    {
        foreach (var node in level.Values.Keys.Where(node => (Dependences(node).Memories & memories) != 0).ToList())
            level.Values.Remove(node);
    }

    /// <summary>A loop in vectors, then what is left: one partial vector at a time, or one element at a time.</summary>
    /// <param name="body">Writes the code of one vector or point, told which of the unrolled copies it is and whether it is
    /// scalar.</param>
    void VectorLoop(LoopVariable variable, Reg begin, Reg end, LoopPlan plan, ulong writes, Action<int, bool> body)
    {
        long step = (long)plan.Lanes * plan.Unroll;
        var count = LengthOf(variable, begin, end);
        var whole = WholeEnd(begin, end, count, step);
        if (count is not { } few || few >= step)
            f.Loop(begin, whole, step, counter =>
                Copies(variable, counter, plan.Lanes, plan.Unroll, writes, null, copy => body(copy, false)), variable.Name);
        if (count is { } known && known % step == 0) return;

        if (plan.CanMask)
        {
            bool fits = count is { } all && all % step % plan.Lanes == 0;
            f.Loop(whole, end, plan.Lanes, counter => Copies(variable, counter, plan.Lanes, 1, writes,
                fits ? null : end - counter, copy => body(copy, false)), variable.Name);
            return;
        }
        if (plan.Unroll > 1)
        {
            var vectors = WholeEnd(begin, end, count, plan.Lanes);
            f.Loop(whole, vectors, plan.Lanes,
                counter => Copies(variable, counter, plan.Lanes, 1, writes, null, copy => body(copy, false)), variable.Name);
            whole = vectors;
        }
        f.Loop(whole, end, 1, counter =>
            Within(new(level, f.Block) { Writes = writes }, [(variable, counter)], () => body(0, true)), variable.Name);
    }

    // Where the last whole step of a loop ends.
    Reg WholeEnd(Reg begin, Reg end, long? count, long step)
    {
        if (count is { } number) return begin + (number - number % step);
        var length = begin.Known == 0 ? end : end - begin;
        return end - f.Binary(VecOp.FloorMod, f.Binary(VecOp.Max, length, f.Const(0)), f.Const(step));
    }

    // How many, where that is a number.
    long? LengthOf(LoopVariable variable, Reg begin, Reg end) =>
        end.Known is { } last && begin.Known is { } first ? last - first : strip is { IsWhole: true } at
            && at.Rows == variable ? StripRows : null;

    void Copies(LoopVariable variable, Reg counter, int lanes, int copies, ulong writes, Reg? rest, Action<int> body)
    {
        var sums = new Dictionary<(Reg, Reg?, long), Reg>();
        var outer = level;
        var begins = new int[copies];
        for (int copy = 0; copy < copies; copy++)
        {
            begins[copy] = f.Block.Instructions.Count;
            level = new(outer, f.Block, sums) { Axis = new(variable, lanes, rest), Writes = writes, Variables = Bit(variable) };
            level.Counters[variable] = (counter, (long)copy * lanes);
            body(copy);
        }
        level = outer;
        Interleaving.Merge(f.Block.Instructions, begins);
        StorePairs.Join(f, begins[0]);
    }

    // Reductions over outer axes of an array: sums for a block of neighbouring elements in registers, the reduced axes as inner
    // loops.
    void Columns(List<Statement> group, DomainAxis[] axes, LoopPlan plan, ulong writes)
    {
        var reduces = group.ConvertAll(statement => (Reduce)statement);
        int kept = reduces[0].Domain.Count;
        var outer = axes.Where((_, i) => i < kept && i != plan.Axis).ToArray();
        var variable = axes[plan.Axis].Variable;
        Outer(0);

        void Outer(int depth)
        {
            var (next, bound) = depth < outer.Length ? outer[depth] : axes[plan.Axis];
            var (begin, count) = RangeOf(next, bound);
            if (depth < outer.Length)
            {
                f.Loop(begin, count, 1, counter =>
                    Within(new(level, f.Block) { Writes = writes }, [(next, counter)], () => Outer(depth + 1)), next.Name);
                return;
            }
            long step = (long)plan.Lanes * plan.Unroll;
            long? length = LengthOf(next, begin, count);
            var whole = WholeEnd(begin, count, length, step);
            if (length is not { } few || few >= step)
                f.Loop(begin, whole, step, counter => Block(counter, plan.Unroll, null), variable.Name);
            if (length is { } known && known % step == 0) return;
            if (plan.CanMask)
            {
                f.Loop(whole, count, plan.Lanes, counter => Block(counter, 1, count - counter), variable.Name);
                return;
            }
            var vectors = WholeEnd(begin, count, length, plan.Lanes);
            if (plan.Unroll > 1) f.Loop(whole, vectors, plan.Lanes, counter => Block(counter, 1, null), variable.Name);
            f.Loop(plan.Unroll > 1 ? vectors : whole, count, 1, counter =>
                Within(new(level, f.Block) { Writes = writes }, [(variable, counter)], () =>
            {
                var accumulators = reduces.ConvertAll(reduce => new Accumulator(reduce));
                foreach (var accumulator in accumulators) Start(accumulator, plan with { Axis = -1 });
                Inner(kept, () =>
                {
                    foreach (var accumulator in accumulators) Accumulate(accumulator, 0);
                });
                foreach (var accumulator in accumulators) StoreOne(accumulator.Reduce, Finish(accumulator));
            }), variable.Name);
        }

        // One block: the copies of the vector level are opened anew inside the reduced loops, so their levels nest as code does.
        void Block(Reg counter, int copies, Reg? rest)
        {
            var accumulators =
                reduces.ConvertAll(reduce => Enumerable.Range(0, copies).Select(_ => StartVector(reduce, plan.Lanes)).ToArray());
            Inner(kept, () => Copies(variable, counter, plan.Lanes, copies, writes, rest, copy =>
            {
                for (int i = 0; i < reduces.Count; i++) AccumulateVector(reduces[i], accumulators[i][copy]);
            }));
            Copies(variable, counter, plan.Lanes, copies, writes, rest, copy =>
            {
                for (int i = 0; i < reduces.Count; i++) StoreVector(reduces[i], accumulators[i][copy]);
            });
        }

        void Inner(int depth, Action body)
        {
            if (depth == axes.Length)
            {
                body();
                return;
            }
            var (next, bound) = axes[depth];
            f.Loop(f.Const(0), One(bound), 1, counter =>
                Within(new(level, f.Block) { Writes = writes }, [(next, counter)], () => Inner(depth + 1, body)), next.Name);
        }
    }
}
