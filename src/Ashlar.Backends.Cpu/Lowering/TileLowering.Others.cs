using Ashlar.Backends.Cpu.Vec;
using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu.Lowering;

// Scans and sorts.
internal sealed partial class TileLowering
{
    // A running total per point of the domain: vectors of neighbouring points where memory is contiguous across the domain.
    void Prefixes(Tiles.Scan scan)
    {
        ulong writes = Bit(scan.Target);
        var axes = scan.Domain.ToArray();
        var plan = axes.Length == 0 ? scalarPlan : ScanPlan(scan, axes[^1]);
        Nest(0);

        void Nest(int depth)
        {
            if (depth == axes.Length)
            {
                Along(null);
                return;
            }
            var (variable, extent) = axes[depth];
            var count = One(extent);
            if (depth < axes.Length - 1 || plan.Axis < 0)
            {
                f.Loop(f.Const(0), count, 1, counter =>
                    Within(new(level, f.Block) { Writes = writes }, [(variable, counter)], () => Nest(depth + 1)), variable.Name);
                return;
            }
            var whole = count - f.Binary(VecOp.FloorMod, f.Binary(VecOp.Max, count, f.Const(0)), f.Const(plan.Lanes));
            f.Loop(f.Const(0), whole, plan.Lanes, counter => Along((variable, counter)), variable.Name);
            f.Loop(whole, count, 1, counter =>
                Within(new(level, f.Block) { Writes = writes }, [(variable, counter)], () => Along(null)), variable.Name);
        }

        void Along((LoopVariable Variable, Reg Counter)? vector)
        {
            int lanes = vector is null ? 1 : plan.Lanes;
            var type = RunningType(scan.Value.DType, lanes);
            var total = f.Var(IdentityOf(scan.Op, type, scan.Value.DType), "total");
            var count = One(scan.Along.Extent);
            f.Loop(f.Const(0), count, 1, step =>
            {
                var at = scan.Reverse ? count - 1 - step : step;
                Within(new(level, f.Block) { Writes = writes }, [(scan.Along.Variable, at)], () =>
                {
                    if (vector is var (variable, counter)) Copies(variable, counter, lanes, 1, writes, null, _ => Step());
                    else Step();
                });
            }, scan.Along.Variable.Name);

            void Step()
            {
                f.Assign(total, Combine(scan.Op, total, RunningValue(scan.Value, type)));
                Reg value = total;
                if (type.IsMask) value = level.Axis is null ? Truth(total) : total;
                else if (scan.Target.DType == DType.Int64 && level.Axis is null) value = f.ToScalar(total);
                PutValue(scan.Target, Flat(scan.Target, scan.Indices), InMemory(value, scan.Target.DType), null, stream: false);
            }
        }
    }

    LoopPlan ScanPlan(Tiles.Scan scan, DomainAxis last)
    {
        // The scan's step is a store of its value over the domain.
        var step = new Tiles.Store(scan.Target, scan.Indices, scan.Value, scan.Domain);
        var survey = new Survey(this, last.Variable);
        return survey.Look([step], [last], 0) is { } plan && survey.Score > 0 ? plan with
        {
            CanMask = false,
            Unroll = 1,
        } : scalarPlan;
    }

    // The keys of a row go to scratch memory, a C# method sorts their places, and those go where they belong.
    void Sorted(Sort sort)
    {
        ulong writes = Bit(sort.Target);
        var variable = sort.Along.Variable;
        var keys = new Tile("keys", sort.Value.DType.Compute, [variable.Count]);
        var order = new Tile("order", DType.Int32, [variable.Count]);
        var room = new Tile("room", DType.Int64, [2 * variable.Count + RowSort.RoomBeyondKeys]);
        Place(keys);
        Place(order);
        Place(room);
        Nest(0);

        void Nest(int depth)
        {
            if (depth < sort.Domain.Count)
            {
                var (outer, extent) = sort.Domain[depth];
                f.Loop(f.Const(0), One(extent), 1,
                    counter => Within(new(level, f.Block) { Writes = writes | Bit(keys) | Bit(order) }, [(outer, counter)],
                        () => Nest(depth + 1)), outer.Name);
                return;
            }
            var at = variable.Index();
            Group([new Tiles.Store(keys, [at], Nodes.Cast(sort.Value, keys.DType), [sort.Along])]);
            f.Call(typeof(RowSort).GetMethod(nameof(RowSort.Sort))!, Pointer(keys), Pointer(order), Pointer(room),
                One(sort.Along.Extent), f.Const((long)keys.DType), f.Const(sort.Descending ? 1 : 0));
            Forget(Bit(order));
            Group([new Tiles.Store(sort.Target, sort.Indices, order.Load([at]), [sort.Along])]);
        }
    }
}
