using Ashlar.Backends.Cpu.Vec;
using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu.Lowering;

// Scans, sorts and small matrix products.
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
                f.Loop(f.Const(0), count, 1, counter => Within(new(level, f.Block) { Writes = writes }, [(variable, counter)], () => Nest(depth + 1)), variable.Name);
                return;
            }
            var whole = count - f.Binary(VecOp.FloorMod, f.Binary(VecOp.Max, count, f.Const(0)), f.Const(plan.Lanes));
            f.Loop(f.Const(0), whole, plan.Lanes, counter => Along((variable, counter)), variable.Name);
            f.Loop(whole, count, 1, counter => Within(new(level, f.Block) { Writes = writes }, [(variable, counter)], () => Along(null)), variable.Name);
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
        return survey.Look([step], [last], 0) is { } plan && survey.Score > 0 ? plan with { CanMask = false, Unroll = 1 } : scalarPlan;
    }

    // The keys of a row go to scratch memory, a C# method sorts their places, and those go where they belong.
    void Sorted(Sort sort)
    {
        ulong writes = Bit(sort.Target);
        var variable = sort.Along.Variable;
        var keys = new Tile("keys", sort.Value.DType.Compute, [variable.Count]);
        var order = new Tile("order", DType.Int32, [2 * variable.Count]);   // the second half is room for merging
        Place(keys);
        Place(order);
        Nest(0);

        void Nest(int depth)
        {
            if (depth < sort.Domain.Count)
            {
                var (outer, extent) = sort.Domain[depth];
                f.Loop(f.Const(0), One(extent), 1, counter => Within(new(level, f.Block) { Writes = writes | Bit(keys) | Bit(order) }, [(outer, counter)], () => Nest(depth + 1)), outer.Name);
                return;
            }
            var at = variable.Index();
            Group([new Tiles.Store(keys, [at], Nodes.Cast(sort.Value, keys.DType), [sort.Along])]);
            f.Call(typeof(RowSort).GetMethod(nameof(RowSort.Sort))!, Pointer(keys), Pointer(order), One(sort.Along.Extent),
                f.Const((long)keys.DType), f.Const(sort.Descending ? 1 : 0));
            Forget(Bit(order));
            Group([new Tiles.Store(sort.Target, sort.Indices, order.Load([at]), [sort.Along])]);
        }
    }

    // Target[i, j] += sum of Left[i, k] * Right[k, j]. Where the right side is contiguous along j: blocks of rows by vectors in registers,
    // k innermost. Where both are contiguous along k: vectors along k, summed at the end.
    void Product(Dot dot)
    {
        ulong writes = Bit(dot.Target);
        LoopVariable i = dot.Row.Variable, j = dot.Column.Variable, k = dot.Inner.Variable;
        Node[] place = [i.Index(), j.Index()];
        var store = new Tiles.Store(dot.Target, [.. place], dot.Target.Load(place), [dot.Row, dot.Column]);
        var survey = new Survey(this, j);
        var over = new Reduce(Op.ReduceSum, dot.Target, [.. place], Factor(dot.Right), [dot.Row, dot.Column], [dot.Inner], Accumulate: true);
        var plan = survey.Look([over], [dot.Row, dot.Column, dot.Inner], 1);
        if (plan is not { } across || survey.Score <= 0)
        {
            // As a reduction along k, in vectors if that axis is contiguous.
            Group([new Reduce(Op.ReduceSum, dot.Target, [.. place], Nodes.Binary(Op.Mul, Factor(dot.Left), Factor(dot.Right)), [dot.Row, dot.Column], [dot.Inner], Accumulate: true)]);
            return;
        }
        _ = store;
        const int rowsAtOnce = 4, vectorsAtOnce = 2;
        int lanes = across.Lanes;
        Reg rows = One(dot.Row.Extent), columns = One(dot.Column.Extent), depth = One(dot.Inner.Extent);
        var wholeRows = rows - f.Binary(VecOp.FloorMod, f.Binary(VecOp.Max, rows, f.Const(0)), f.Const(rowsAtOnce));
        Columns(0, wholeRows, rowsAtOnce);
        Columns(1, rows, 1);

        void Columns(int part, Reg end, int height)
        {
            f.Loop(part == 0 ? f.Const(0) : wholeRows, end, height, row =>
            {
                long step = lanes * vectorsAtOnce;
                var whole = columns - f.Binary(VecOp.FloorMod, f.Binary(VecOp.Max, columns, f.Const(0)), f.Const(step));
                f.Loop(f.Const(0), whole, step, column => Block(row, height, column, vectorsAtOnce, null, scalar: false), j.Name);
                if (across.CanMask) f.Loop(whole, columns, lanes, column => Block(row, height, column, 1, columns - column, scalar: false), j.Name);
                else f.Loop(whole, columns, 1, column => Block(row, height, column, 1, null, scalar: true), j.Name);
            }, i.Name);
        }

        void Block(Reg row, int height, Reg column, int vectors, Reg? rest, bool scalar)
        {
            var type = VecType.Of(dot.Target.DType, scalar ? 1 : lanes);
            var sums = new Reg[height, vectors];
            foreach (ref var sum in System.Runtime.InteropServices.MemoryMarshal.CreateSpan(ref sums[0, 0], sums.Length)) sum = f.Var(f.ConstBits(type, 0), "sum");
            f.Loop(f.Const(0), depth, 1, inner => Within(new(level, f.Block) { Writes = writes }, [(k, inner)], () =>
            {
                var rights = new Reg[vectors];
                EachColumn(column, vectors, rest, scalar, v => rights[v] = f.Convert(Value(Factor(dot.Right)), type.Elem));
                for (int r = 0; r < height; r++)
                {
                    Within(new(level, f.Block) { Writes = writes }, [(i, row)], () =>
                    {
                        level.Counters[i] = (row, r);
                        var left = f.Convert(Value(Factor(dot.Left)), type.Elem);
                        if (!scalar) left = f.Broadcast(left, lanes);
                        for (int v = 0; v < vectors; v++)
                            f.Assign(sums[r, v], type.IsFloat ? f.Fma(left, rights[v], sums[r, v]) : sums[r, v] + left * rights[v]);
                    });
                }
            }), k.Name);
            for (int r = 0; r < height; r++)
            {
                Within(new(level, f.Block) { Writes = writes }, [(i, row)], () =>
                {
                    level.Counters[i] = (row, r);
                    EachColumn(column, vectors, rest, scalar, v =>
                    {
                        var flat = Flat(dot.Target, place);
                        var old = level.Axis is { } axis ? Read(dot.Target, flat, WalkOf(flat, axis.Variable), type, null) : ReadOne(dot.Target, AddressOf(dot.Target, flat));
                        PutValue(dot.Target, flat, old + sums[r, v], null, stream: false);
                    });
                });
            }
        }

        void EachColumn(Reg column, int vectors, Reg? rest, bool scalar, Action<int> body)
        {
            if (scalar) Within(new(level, f.Block) { Writes = writes }, [(j, column)], () => body(0));
            else Copies(j, column, lanes, vectors, writes, rest, body);
        }

        Node Factor(Node node) => Nodes.Cast(node, dot.Target.DType);
    }
}
