using Ashlar.Backends.Cpu.Vec;
using Ashlar.Graph;
using Ashlar.Tiles;
using Store = Ashlar.Tiles.Store;

namespace Ashlar.Backends.Cpu.Lowering;

// Addresses, loads, stores and checked indices.
internal sealed partial class TileLowering
{
    readonly Dictionary<Node, Affine> affines = [];
    readonly Dictionary<Memory, Reg> pointers = [];

    Affine AffineOf(Node index)
    {
        if (!affines.TryGetValue(index, out var affine)) affines[index] = affine = Affine.Of(index);
        return affine;
    }

    /// <summary>The row-major position of an element.</summary>
    Affine Flat(Memory memory, IReadOnlyList<Node> indices)
    {
        var strides = memory.Shape.Strides;
        var flat = Affine.Of(0);
        for (int i = 0; i < indices.Count; i++) flat += AffineOf(indices[i]) * strides[i];
        return flat;
    }

    /// <summary>How a position moves along the vector axis.</summary>
    /// <param name="Stride">Elements from one lane to the next, where that is the same for all.</param>
    /// <param name="Atoms">Terms other than the axis itself that differ between lanes; with them, each lane has its own
    /// index.</param>
    readonly record struct Walk(Extent Stride, List<(Node Atom, Extent Factor)> Atoms)
    {
        public bool IsContiguous => Atoms.Count == 0 && Stride == 1;

        public bool IsFixed => Atoms.Count == 0 && Stride == 0;
    }

    Walk WalkOf(Affine flat, LoopVariable variable)
    {
        var index = variable.Index();
        ulong bit = Bit(variable);
        return new(flat.FactorOf(index),
            [.. flat.Terms.Where(term =>
                term.Atom != index && (Home(term.Atom).Axis is not null || (Dependences(term.Atom).Variables & bit) != 0))]);
    }

    Reg Pointer(Memory memory)
    {
        if (pointers.TryGetValue(memory, out var pointer)) return pointer;
        return pointers[memory] = At(Root(), () =>
            memory is Tile tile
                ? (sharedTiles.Contains(tile)
                    ? f.Load(VecType.Scalar, DType.Int64, VecBuilder.At(f.Scratch, ScratchHeader.SharedAt))
                    : f.Scratch) + SizeOf(places[tile])
                : f.Buffer(program.Buffers.IndexOf((TileBuffer)memory)));
    }

    /// <summary>The address of a position; in a vector that of lane 0, without the terms that each lane has its own of.</summary>
    Address AddressOf(Memory memory, Affine flat)
    {
        int bytes = memory.DType.Bytes;
        var pointer = Pointer(memory);
        long displacement = 0;
        var terms = new List<(Level Home, Reg Value, Extent Factor)>();
        if (flat.Constant.TryGetValue(out long constant)) displacement = constant * bytes;
        else terms.Add((Root(), At(Root(), () => SizeOf(flat.Constant)), 1));
        foreach (var (atom, factor) in flat.Terms)
        {
            var home = Home(atom);
            if (atom.Op == Op.Index)
            {
                var (counter, offset) = level.CounterOf(atom.Variable());
                if (factor.TryGetValue(out long number)) displacement += offset * number * bytes;
                else if (offset != 0) counter = Keep(home, (counter, null, -offset), () => counter + offset);
                terms.Add((home, counter, factor));
            }
            else if (home.Axis is null) terms.Add((home, One(atom), factor));
        }

        // It holds one strip.
        if (strip is { } rows && rows.Narrowed.Contains(memory))
            terms.Add((rows.Level, rows.Begin, memory.Shape.Strides[0] * -1));

        // Outermost terms first: each sum stays at the level where it is known.
        terms.Sort((a, b) => a.Home.Depth.CompareTo(b.Home.Depth));
        for (int i = 0; i < terms.Count; i++)
        {
            var (home, value, factor) = terms[i];
            var product = Product(home, value, factor, bytes);
            if (i == terms.Count - 1 && ReferenceEquals(home, level)) return VecBuilder.At(pointer, product, displacement);
            pointer = SumOf(home, pointer, product);
        }
        return VecBuilder.At(pointer, displacement);
    }

    Level Root()
    {
        var root = level;
        while (root.Outer is not null) root = root.Outer;
        return root;
    }

    Reg Product(Level home, Reg value, Extent factor, int bytes)
    {
        if (value.Known is { } known && factor.TryGetValue(out long both)) return f.Const(known * both * bytes);
        if (factor.TryGetValue(out long number)) return Keep(home, (value, null, number * bytes), () => value * (number * bytes));
        var scale = At(Root(), () => SizeOf(factor));
        return Keep(home, (value, scale, bytes), () => value * (scale * bytes));
    }

    Reg SumOf(Level home, Reg pointer, Reg product) => Keep(home, (pointer, product, 0), () => pointer + product);

    // One register per sum and level; copies of a loop's body share their loop's.
    Reg Keep(Level home, (Reg, Reg?, long) key, Func<Reg> code)
    {
        if (home.Sums.TryGetValue(key, out var known)) return known;
        return home.Sums[key] = At(home, code);
    }

    // Loads.

    Reg LoadOf(Node node)
    {
        var memory = node.Source();
        if (memory is Tile tile && scalars.TryGetValue(tile, out var scalar))
            return level.Axis is null ? scalar : Spread(node, scalar, Lanes);
        var indices = node.Indices();
        var guard = node.Guard();
        if (guard is not null) indices = Array.ConvertAll(indices, index => GuardBounds(index, guard));
        var flat = Flat(memory, indices);
        return level.Axis is { } axis ? VectorLoad(memory, flat, guard, axis) : OneLoad(memory, flat, guard);
    }

    // Where the guard is false a checked index may be anything: it is checked as 0 below 1.
    static Node GuardBounds(Node index, Node guard) =>
        Traversal.Rewrite([index], node => node is not (Op.Bound, [var at, var extent]) ? null
        : node.With([Nodes.Select(guard, at, at.Like(0)), Nodes.Max(extent, extent.Like(1))]))[0];

    Reg OneLoad(Memory memory, Affine flat, Node? guard)
    {
        if (guard is null) return ReadOne(memory, AddressOf(memory, flat));
        var type = memory.DType is DType.Int64 or DType.Bool ? VecType.Scalar : VecType.Of(memory.DType, 1);
        var result = f.Var(type);
        f.Assign(result, type.IsScalar ? f.Const(0) : f.ConstBits(type, 0));
        f.If(Truth(Value(guard)), () => Within(new(level, f.Block) { IsConditional = true }, [],
            () => f.Assign(result, ReadOne(memory, AddressOf(memory, flat)))));
        return result;
    }

    Reg ReadOne(Memory memory, Address at)
    {
        if (memory.DType is DType.Int64 or DType.Bool) return f.Load(VecType.Scalar, memory.DType, at);
        return f.Load(VecType.Of(memory.DType, 1), memory.DType, at);
    }

    Reg VectorLoad(Memory memory, Affine flat, Node? guard, VectorAxis axis)
    {
        var type = VecType.Of(memory.DType, axis.Lanes);
        var walk = WalkOf(flat, axis.Variable);
        if (guard is not null && Home(guard).Axis is null)
        {
            // One condition for all lanes: a branch.
            var result = f.Var(type);
            f.Assign(result, f.ConstBits(type, 0));
            f.If(Truth(One(guard)), () => Within(new(level, f.Block) { IsConditional = true, Axis = axis }, [],
                () => f.Assign(result, Read(memory, flat, walk, type, null))));
            return AsValue(memory, result);
        }
        var mask = guard is null ? null : MaskOf(Value(guard), type);
        if (mask is not null && walk.IsFixed)
        {
            var result = f.Var(type);
            f.Assign(result, f.ConstBits(type, 0));
            f.If(f.Any(mask), () =>
                f.Assign(result, f.Select(mask, f.LoadSplat(type, memory.DType, AddressOf(memory, flat)), f.ConstBits(type, 0))));
            return AsValue(memory, result);
        }
        return AsValue(memory, Read(memory, flat, walk, type, mask));
    }

    Reg AsValue(Memory memory, Reg loaded) => memory.DType == DType.Bool ? IsNotZero(loaded) : loaded;

    Reg Read(Memory memory, Affine flat, Walk walk, VecType type, Reg? guard)
    {
        if (walk.IsContiguous)
        {
            var mask = Both(guard, LanesWithin(type));
            return f.Load(type, memory.DType, AddressOf(memory, flat), mask);
        }
        if (walk.IsFixed) return f.LoadSplat(type, memory.DType, AddressOf(memory, flat));
        var (at, indices) = Spots(memory, flat, walk);
        return f.Gather(type, memory.DType, at, indices, Both(guard, LanesWithin(type)));   // other lanes may be anywhere
    }

    // The address of lane 0 without its lane-dependent terms, and where each lane is from there. Lanes outside of the loop are at
    // lane 0.
    (Address At, Reg Indices) Spots(Memory memory, Affine flat, Walk walk)
    {
        var axis = level.Axis!;
        bool wide = NeedsWideIndices(walk, axis.Lanes);
        var indexType = new VecType(wide ? Elem.I64 : Elem.I32, axis.Lanes);
        Reg? indices = null;
        if (walk.Stride != 0)
            indices = At(Root(), () => f.Iota(indexType) * (walk.Stride.TryGetValue(out long stride)
                ? f.ConstBits(indexType, stride)
                : f.Splat(indexType, SizeOf(walk.Stride))));
        foreach (var (atom, factor) in walk.Atoms)
        {
            var term = Integers(atom, wide);
            if (factor != 1)
                term *= factor.TryGetValue(out long number)
                    ? f.ConstBits(indexType, number)
                    : f.Splat(indexType, At(Root(), () => SizeOf(factor)));
            indices = indices is null ? term : indices + term;
        }
        if (LanesWithin(indexType) is { } within) indices = f.Select(within, indices!, f.ConstBits(indexType, 0));
        return (AddressOf(memory, flat), indices!);
    }

    bool NeedsWideIndices(Walk walk, int lanes)
    {
        Int128 reach = Reach(walk.Stride, lanes);
        foreach (var (atom, factor) in walk.Atoms)
        {
            if (!IsNarrow(atom)) return true;
            var (least, greatest) = ranges.Of(atom);
            reach += Int128.Max(Int128.Abs(least), Int128.Abs(greatest)) * Reach(factor, 1);
        }
        return reach > int.MaxValue;

        static Int128 Reach(Extent factor, int times) => Int128.Max(Int128.Abs(factor.Min), Int128.Abs(factor.Max)) * times;
    }

    static Reg? Both(Reg? a, Reg? b) => a is null ? b : b is null ? a : a & b;

    /// <summary>The lanes within the loop, as a mask for values of a type; null when all are.</summary>
    Reg? LanesWithin(VecType type)
    {
        if (level.Axis is not { Rest: { } rest }) return null;
        var home = level;
        while (home.IsConditional) home = home.Outer!;
        var mask = type.Mask;
        if (home.Masks.TryGetValue(mask.Elem, out var known)) return known;
        return home.Masks[mask.Elem] = At(home, () => f.FirstLanes(mask, rest));
    }

    // Stores.

    /// <summary>A value as it goes to memory of its type: what the store itself rounds is left to it. A 16-bit float may be its
    /// bits.</summary>
    Reg ForStore(Node value)
    {
        if (BrainBits(value) is { } bits) return bits;
        if (StoredBits(value) is { } stored) return stored;
        if (value.DType is DType.Float16 or DType.BFloat16 && value is (Op.Cast, [var from]) && from.DType != DType.Bool)
            return ToFloat(Value(from), from.DType, value.DType, round: false);
        return InMemory(Value(value), value.DType);
    }

    // A 16-bit float that is only copied: its bits, neither widened nor rounded.
    Reg? StoredBits(Node value)
    {
        if (value is not { Op: Op.Load, DType: DType.Float16 or DType.BFloat16 } || value.Guard() is not null
            || level.Axis is not { } axis || uses.GetValueOrDefault(value) > 1 || !ReferenceEquals(Home(value), level)
            || level.Values.ContainsKey(value)) return null;
        var flat = Flat(value.Source(), value.Indices());
        var type = new VecType(Elem.I32, axis.Lanes);
        return WalkOf(flat, axis.Variable).IsContiguous
            ? f.Load(type, DType.Int16, AddressOf(value.Source(), flat), LanesWithin(type))
            : null;
    }

    // Truth is 0 or 1 in memory; an int64 in vectors takes 64-bit lanes.
    Reg InMemory(Reg value, DType dtype)
    {
        if (dtype == DType.Bool)
        {
            if (value.Type.IsScalar) return value;
            var bits = f.Bitcast(f.Convert(value, Elem.M32), Elem.I32) & 1;
            return level.Axis is null ? f.ToScalar(bits) : bits;
        }
        if (dtype == DType.Int64 && !value.Type.IsScalar)
            return level.Axis is null ? f.ToScalar(value) : f.Convert(value, Elem.I64);
        return value;
    }

    /// <summary>A store at one point, or one vector of points.</summary>
    void StorePoint(Store store, bool stream)
    {
        if (store.Guard is { } guard && (level.Axis is null || Home(guard).Axis is null))
        {
            f.If(Truth(One(guard)), () =>
                Within(new(level, f.Block) { IsConditional = true, Axis = level.Axis }, [],
                    () => StoreWhere(store, null, stream)));
            return;
        }
        StoreWhere(store, store.Guard is null ? null : Value(store.Guard), stream);
    }

    void StoreWhere(Store store, Reg? guard, bool stream)
    {
        var flat = Flat(store.Target, store.Indices);
        if (!ReferenceEquals(store, checkedStore) && Failing(store.Indices) is { } inRange)
        {
            // An index out of range is reported and the store left out.
            f.If(inRange, () => Within(new(level, f.Block) { IsConditional = true, Axis = level.Axis }, [],
                () => Put(store, flat, guard, stream)));
            return;
        }
        Put(store, flat, guard, stream);
    }

    void Put(Store store, Affine flat, Reg? guard, bool stream)
    {
        var memory = store.Target;
        if (store.Mode == StoreMode.Set)
        {
            PutValue(memory, flat, ForStore(store.Value), guard, stream);
            return;
        }
        if (store.IsAtomic)
        {
            Combine(store, flat);
            return;
        }
        var value = Value(store.Value);
        if (memory.DType == DType.Int64 && level.Axis is not null) value = f.Convert(value, Elem.I64);
        if (memory.DType == DType.Bool && level.Axis is not null) value = f.Convert(value, Elem.M32);
        Reg old;
        if (memory is Tile tile && scalars.TryGetValue(tile, out var scalar)) old = scalar;
        else if (level.Axis is { } axis)
        {
            var type = VecType.Of(memory.DType, axis.Lanes);
            old = AsValue(memory, Read(memory, flat, WalkOf(flat, axis.Variable), type,
                guard is null ? null : MaskOf(guard, type)));
        }
        else old = ReadOne(memory, AddressOf(memory, flat));
        if (memory.DType == DType.Bool) (old, value) = Alike(old, value);
        var combined = store.Mode == StoreMode.Add
            ? old + value
            : memory.DType == DType.Bool ? old | value : f.Binary(VecOp.Max, old, value);
        PutValue(memory, flat, InMemory(combined, memory.DType), guard, stream);
    }

    // Other workers may combine with the same element: a call per element, in scalar code.
    void Combine(Store store, Affine flat)
    {
        var dtype = store.Target.DType;
        var value = Value(dtype is DType.Float16 or DType.BFloat16 && store.Value is (Op.Cast, [var wide])
            && wide.DType == DType.Float32 ? wide : store.Value);
        if (dtype.IsFloat) value = f.Bitcast(value, value.Type.ElemBytes == 8 ? Elem.I64 : Elem.I32);
        var (pointer, offset, displacement) = AddressOf(store.Target, flat);
        var address = offset is null ? pointer : pointer + offset;
        f.Call(typeof(AtomicStores).GetMethod(nameof(AtomicStores.Combine))!,
            displacement == 0 ? address : address + displacement,
            dtype == DType.Bool ? Truth(value) : ScalarOf(value), f.Const((long)dtype),
            f.Const(store.Mode == StoreMode.Max ? 1 : 0));
    }

    void PutValue(Memory memory, Affine flat, Reg value, Reg? guard, bool stream)
    {
        if (memory is Tile tile && scalars.TryGetValue(tile, out var scalar))
        {
            f.Assign(scalar, value);
            return;
        }
        // Bits of a 16-bit float.
        var storage = memory.DType.IsFloat && value.Type.Elem == Elem.I32 ? DType.Int16 : memory.DType;
        if (level.Axis is not { } axis)
        {
            f.Store(AddressOf(memory, flat), storage, value);
            return;
        }
        var type = VecType.Of(memory.DType, axis.Lanes);
        var walk = WalkOf(flat, axis.Variable);
        var mask = Both(guard is null ? null : MaskOf(guard, type), LanesWithin(type));
        if (walk.IsContiguous)
        {
            bool whole = stream && mask is null && IsAligned(memory, flat, axis);
            streams |= whole;
            f.Store(AddressOf(memory, flat), storage, value, mask, whole);
            return;
        }
        var (at, indices) = Spots(memory, flat, walk);
        f.Scatter(at, storage, value, indices, mask);
    }

    // Whether every vector of a contiguous walk begins at a multiple of its size: buffers do, and so must what is added.
    bool IsAligned(Memory memory, Affine flat, VectorAxis axis)
    {
        int bytes = memory.DType.Bytes, whole = bytes * axis.Lanes;
        if (memory is not TileBuffer || whole is not (16 or 32 or 64) || flat.Constant.MultipleOf * bytes % whole != 0)
            return false;
        return flat.Terms.All(term => term.Atom.Op == Op.Index && term.Atom.Variable() == axis.Variable
            || term.Factor.MultipleOf * bytes % whole == 0);
    }

    // Checked indices.

    // The index, or 0 where it is out of range, which is noted in the scratch header.
    Reg Checked(Node node)
    {
        Node index = node.Inputs[0], extent = node.Inputs[1];
        if (level.Axis is null)
        {
            Reg at = ScalarOf(Value(index)), limit = ScalarOf(Value(extent));
            var fits = InRange(at, limit);
            var result = at & -fits;
            f.If(fits ^ 1, () => Note(node, at, limit));
            return index.DType == DType.Int64 ? result : f.Splat(new(Elem.I32, 1), result);
        }
        bool wide = index.DType == DType.Int64 && !(IsNarrow(index) && IsNarrow(extent));
        Reg lanes = Integers(index, wide), below = Integers(extent, wide), zero = f.ConstBits(lanes.Type, 0);
        var inside = (lanes >= zero) & (lanes < below);
        var outside = LanesWithin(lanes.Type) is { } within ? ~inside & within : ~inside;
        f.If(f.Any(outside), () =>
        {
            // Any index that is out of range will do for the message: the greatest in magnitude is as good as the first.
            var bad = f.Select(outside, lanes, zero);
            Reg least = f.Reduce(VecOp.Min, bad), greatest = f.Reduce(VecOp.Max, bad);
            var worst = f.ToScalar(f.Select(least < f.ConstBits(least.Type, 0), least, greatest));
            Note(node, worst, One(extent) is { Type.IsScalar: true } scalar ? scalar : ScalarOf(One(extent)));
        });
        return f.Select(inside, lanes, zero);
    }

    static Reg InRange(Reg at, Reg limit) => (at >= at.Owner.Const(0)) & (at < limit);

    Reg ScalarOf(Reg value) => value.Type.IsScalar ? value : f.ToScalar(value);

    void Note(Node bound, Reg index, Reg extent)
    {
        string site = bound.Get<BoundAttributes>().Site;
        int place = sites.IndexOf(site);
        if (place < 0)
        {
            place = sites.Count;
            sites.Add(site);
        }
        f.Store(VecBuilder.At(f.Scratch), DType.Int64, f.Const(place + 1));
        f.Store(VecBuilder.At(f.Scratch, 8), DType.Int64, index);
        f.Store(VecBuilder.At(f.Scratch, 16), DType.Int64, extent);
    }

    static bool IsChecked(IReadOnlyList<Node> indices) => Traversal.PostOrder(indices).Exists(node => node.Op == Op.Bound);

    // 1 where every checked index among these is in range; null where none is checked, or every axis has an element to stand in.
    Reg? Failing(IReadOnlyList<Node> indices)
    {
        Reg? all = null;
        foreach (var node in Traversal.PostOrder(indices))
        {
            if (node.Op != Op.Bound) continue;
            if (Home(node).Axis is not null)
                throw new InvalidOperationException("stores to checked indices that differ between lanes are scalar code");
            Reg at = ScalarOf(One(node.Inputs[0])), limit = ScalarOf(One(node.Inputs[1]));
            One(node);   // reports
            var fits = InRange(at, limit);
            all = all is null ? fits : all & fits;
        }
        return all;
    }
}
