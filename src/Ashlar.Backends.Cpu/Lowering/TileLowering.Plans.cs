using Ashlar.Backends.Cpu.Vec;
using Ashlar.Graph;
using Ashlar.Tiles;
using Store = Ashlar.Tiles.Store;

namespace Ashlar.Backends.Cpu.Lowering;

// Which axis of a group becomes vectors, how many lanes they have, and how far the loop is unrolled.
internal sealed partial class TileLowering
{
    const int MostSums = 24;

    static readonly LoopPlan scalarPlan = new(-1, 1, 1, false);

    LoopPlan PlanOf(List<Statement> group, DomainAxis[] axes)
    {
        if (group.Exists(statement => statement is Reduce { Over.Count: 0 })) return scalarPlan;   // a store in disguise
        var candidates = new List<int> { axes.Length - 1 };
        if (!group.Exists(statement => statement is Reduce)) candidates.AddRange(Enumerable.Range(0, axes.Length - 1).Reverse());
        else if (group.TrueForAll(statement => statement is Reduce) && ((Reduce)group[0]).Domain.Count is > 0 and var kept
            && group.TrueForAll(statement => ((Reduce)statement).Domain.Count == kept))
            candidates.AddRange(Enumerable.Range(0, kept).Reverse());

        var best = scalarPlan;
        double most = double.NegativeInfinity;
        foreach (int axis in candidates)
        {
            var survey = new Survey(this, axes[axis].Variable);
            if (survey.Look(group, axes, axis) is not { } plan || survey.Score <= most) continue;
            (best, most) = (plan, survey.Score);
        }
        return best;
    }

    /// <summary>What one axis would make of a group in vectors.</summary>
    sealed class Survey(TileLowering lowering, LoopVariable variable)
    {
        readonly ulong bit = lowering.Bit(variable);
        readonly HashSet<Node> seen = [];
        readonly List<(VecType Type, DType Storage)> masked = [];
        int widest = 1, cost;
        double points;
        bool possible = true;

        /// <summary>How well memory is walked along the axis.</summary>
        public double Score { get; private set; }

        public LoopPlan? Look(List<Statement> group, DomainAxis[] axes, int axis)
        {
            bool columns = false;
            int reductions = 0;
            foreach (var statement in group)
            {
                if (statement is Reduce reduce)
                {
                    reductions++;
                    Register(reduce.Value.DType == DType.Bool ? DType.Int32 : reduce.Value.DType, wide: true);
                    Visit(reduce.Value);
                    if (axis >= reduce.Domain.Count) continue;
                    columns = true;
                    Target(reduce.Target, reduce.Indices, null, null);
                }
                else if (statement is Store store)
                {
                    Visit(store.Value);
                    Target(store.Target, store.Indices, store, axis == axes.Length - 1 ? null : axes);
                }
            }
            int lanes = lowering.isa.VectorBytes / Math.Max(widest, 4);
            if (!possible || lanes < 2) return null;
            bool canMask =
                masked.TrueForAll(access => VecVerifier.CanMask(lowering.isa, access.Type.WithLanes(lanes), access.Storage));
            if (mustMask && !canMask) return null;
            if (!canMask && lanes < 4 && mustMask) return null;

            bool isExtremes = group.TrueForAll(statement => statement is Reduce
            {
                Op: Op.ReduceMax or Op.ReduceMin, Value.DType: DType.Float32
            });
            long extent = variable.Count.Max;
            double used = (double)extent / ((extent + lanes - 1) / lanes * lanes);
            Score = points * Math.Max(used, 0.05);
            int unroll = columns
                ? Math.Max(1, 8 / reductions)
                : cost switch
                {
                    // The greatest so far waits eight cycles for each comparison: twice as many side by side.
                    <= 4 when isExtremes => 8,
                    <= 10 => reductions > 0 ? 4 : 2,
                    <= 45 => 4,
                    <= 80 => 2,
                    _ => 1,
                };
            // Sums stay in registers.
            while (unroll > 1 && !columns && reductions * unroll > MostSums) unroll /= 2;
            while (unroll > 1 && (columns && cost * unroll > 160 || unroll * lanes > extent)) unroll /= 2;
            unroll = Math.Min(unroll, columns || isExtremes ? lowering.options.Unroll * 2 : lowering.options.Unroll);
            return new(axis, lanes, unroll, canMask && lanes >= 4, cost);
        }

        bool mustMask;

        bool Varies(Node node) => (lowering.Dependences(node).Variables & bit) != 0;

        void Register(DType dtype, bool wide) => widest = Math.Max(widest, dtype switch
        {
            DType.Float64 => 8,
            DType.Int64 => wide ? 8 : 4,
            _ => 4,
        });

        void Target(Memory memory, ValueList<Node> indices, Store? store, DomainAxis[]? reordered)
        {
            var flat = lowering.Flat(memory, indices);
            var stride = flat.FactorOf(variable.Index());
            if (store is { IsAtomic: true }) possible = false;
            // Lanes that may meet at one element, and checked indices per lane, are scalar code.
            if (stride == 0 || flat.Terms.Any(term => term.Atom.Op != Op.Index && Varies(term.Atom))) possible = false;
            if (reordered is not null
                && !reordered.All(axis => axis.Variable.Count == 1 || flat.FactorOf(axis.Variable.Index()) != 0)) possible =
                    false;
            bool contiguous = stride == 1;
            Register(memory.DType, wide: true);
            points += contiguous ? 4 : -6;
            cost++;
            var type = VecType.Of(memory.DType, 1);
            if (contiguous) masked.Add((type, memory.DType));
            if (store?.Guard is { } guard && Varies(guard))
            {
                Visit(guard);
                mustMask |= contiguous;
            }
            if (store is { Mode: not StoreMode.Set } && !contiguous) points -= 4;
        }

        void Visit(Node node)
        {
            if (!seen.Add(node)) return;
            if (!Varies(node))
            {
                if (node.DType == DType.Int64 && !lowering.IsNarrow(node)) widest = 8;
                return;
            }
            switch (node.Op)
            {
                case Op.Load:
                    Load(node);
                    return;
                case Op.Cast when node.Inputs[0].DType == DType.Int64
                    && node.DType is DType.Int32 or DType.Int16 or DType.Int8 or DType.UInt8 && IsModular(node.Inputs[0]):
                    Register(node.DType, wide: false);
                    Modular(node.Inputs[0]);
                    return;
                case Op.Cast when node.DType is DType.Float16 or DType.BFloat16 or DType.Float32
                    && node.Inputs[0].DType == DType.Int64 && !lowering.IsNarrow(node.Inputs[0]):
                    widest = 8;
                    break;
            }
            if (node.DType != DType.Bool) Register(node.DType, !lowering.IsNarrowOrOther(node));
            cost += Weight(node.Op);
            foreach (var input in node.Inputs) Visit(input);
        }

        void Modular(Node node)
        {
            if (!Varies(node) || !seen.Add(node)) return;
            cost++;
            if (node.Op == Op.Cast) Visit(node.Inputs[0]);
            else foreach (var input in node.Inputs) Modular(input);
        }

        void Load(Node node)
        {
            var memory = node.Source();
            Node[] indices = node.Indices();
            if (node.Guard() is { } guard)
            {
                indices = Array.ConvertAll(indices, index => GuardBounds(index, guard));
                if (Varies(guard)) Visit(guard);
            }
            var flat = lowering.Flat(memory, indices);
            Register(memory.DType, wide: true);
            cost++;
            var stride = flat.FactorOf(variable.Index());
            var atoms = flat.Terms.Where(term => term.Atom.Op != Op.Index && Varies(term.Atom)).ToList();
            bool guarded = node.Guard() is { } condition && Varies(condition);
            if (atoms.Count == 0 && stride == 1)
            {
                points += 4;
                masked.Add((VecType.Of(memory.DType, 1), memory.DType));
                mustMask |= guarded;
                return;
            }
            if (atoms.Count == 0 && stride == 0)
            {
                points += 3;
                return;
            }
            points -= 4;
            cost += 8;
            if (guarded) possible = false;   // lanes outside of the guard have no address to stand in for theirs
            foreach (var (atom, _) in atoms) Visit(atom);
            if (lowering.NeedsWideIndices(new(stride, atoms), 16)) widest = 8;
        }

        static int Weight(Op op) => op switch
        {
            Op.Exp => 13,
            Op.Log or Op.Tanh => 20,
            Op.Sin or Op.Cos or Op.Erf => 27,
            Op.Pow => 60,
            Op.Div or Op.Mod or Op.Sqrt or Op.Rsqrt or Op.Recip => 3,
            Op.RandomBits => 110,
            _ => 1,
        };
    }

    bool IsNarrowOrOther(Node node) => node.DType != DType.Int64 || IsNarrow(node);
}
