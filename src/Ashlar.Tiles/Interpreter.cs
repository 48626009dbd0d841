using Ashlar.Graph;

namespace Ashlar.Tiles;

/// <summary>Runs tile programs one point after another in double precision: the oracle that kernels are compared with.</summary>
/// <remarks>
/// It also finds what a fast kernel would not notice: an index outside its memory, an element of a tile that is read before it is
/// written, and iterations of a parallel loop that touch one element while one of them writes it. A guarded load whose guard is
/// false evaluates nothing else. Integers are exact up to 2^53.
/// </remarks>
public static class TileInterpreter
{
    /// <summary>Runs the program.</summary>
    /// <param name="program">A program that <see cref="TileVerifier.Check"/> accepts.</param>
    /// <param name="buffers">The elements of each buffer in row-major order; written ones change.</param>
    /// <param name="symbols">The value of each symbol; may be null where there is none.</param>
    /// <param name="roundFloats">Round stored floats to their type, as kernels do. Without it only casts round, as in the graph's
    /// interpreter.</param>
    /// <exception cref="KernelException">The program is not well formed, or it did what the remarks list.</exception>
    public static void Run(TileProgram program, IReadOnlyDictionary<TileBuffer, double[]> buffers,
        Func<Symbol, long>? symbols = null, bool roundFloats = false)
    {
        TileVerifier.Check(program);
        new Interpretation(symbols, roundFloats).Run(program, buffers);
    }

    /// <summary>Runs the program on arrays in the order of its buffers; what it writes to holds nothing at first, and all of it
    /// must be written.</summary>
    /// <exception cref="KernelException">The program is not well formed, did what the remarks list, or left an element of an
    /// output as it was (ASH0583).</exception>
    public static void RunFresh(TileProgram program, IReadOnlyList<Value> buffers, Func<Symbol, long>? symbols = null,
        bool roundFloats = false)
    {
        TileVerifier.Check(program);
        new Interpretation(symbols, roundFloats) { IsFresh = true }.Run(program, Named(program, buffers));
    }

    /// <summary>Runs the program on arrays in the order of its buffers.</summary>
    /// <inheritdoc cref="Run(TileProgram, IReadOnlyDictionary{TileBuffer, double[]}, Func{Symbol, long}, bool)"/>
    public static void Run(TileProgram program, IReadOnlyList<Value> buffers, Func<Symbol, long>? symbols = null,
        bool roundFloats = false)
    {
        Run(program, Named(program, buffers), symbols, roundFloats);
    }

    static Dictionary<TileBuffer, double[]> Named(TileProgram program, IReadOnlyList<Value> buffers) =>
        buffers.Count == program.Buffers.Count
        ? program.Buffers.Zip(buffers).ToDictionary(pair => pair.First, pair => pair.Second.Data)
        : throw new KernelException("ASH0535",
            $"'{program.Name}' takes {program.Buffers.Count} buffers, but got {buffers.Count}.",
            "pass one array per buffer, in order.");
}

/// <summary>One run of a program.</summary>
sealed class Interpretation(Func<Symbol, long>? symbols, bool roundFloats)
{
    readonly Dictionary<Memory, Elements> memories = [];
    readonly Dictionary<LoopVariable, Counter> counters = [];
    readonly Dictionary<Node, Slot> slots = [];
    readonly Grid grid = new();
    Statement statement = null!;   // at work now, for messages
    long now;                      // grows whenever a value may have changed

    /// <summary>What the program writes to holds nothing at first.</summary>
    public bool IsFresh { get; init; }

    // The value of a loop variable while its loop runs.
    sealed class Counter
    {
        public long Value;
        public bool Runs;
    }

    // A node's place: its value at a moment.
    sealed class Slot(Node node)
    {
        public readonly Node Node = node;
        public Slot[] Inputs = [];
        public Counter? Counter;
        public Elements? Elements;
        public double Value;
        public long Moment = -1;
    }

    public void Run(TileProgram program, IReadOnlyDictionary<TileBuffer, double[]> buffers)
    {
        foreach (var buffer in program.Buffers)
        {
            long[] extents = Extents(buffer);
            long count = extents.Aggregate(1L, (product, extent) => product * extent);
            if (!buffers.TryGetValue(buffer, out double[]? data) || data.LongLength != count)
                throw new KernelException("ASH0535",
                    $"'{program.Name}' needs {count} elements for the buffer {buffer}, but got {data?.LongLength.ToString() ?? "none"}.",
                    "pass the elements of every buffer, as many as its shape has.");
            Of(buffer).Use(data, extents, IsFresh && buffer.Written);
        }
        Body(program.Body);
        foreach (var buffer in program.Buffers)
            if (Of(buffer).FirstUnwritten is { } at)
                throw new KernelException("ASH0583",
                    $"'{program.Name}' has not stored to element {at} (row-major) of its output {buffer}.",
                    "store to every element, or give the output initial values: k.Initialize(output, 0).");
    }

    void Body(ValueList<Statement> body)
    {
        foreach (var next in body)
        {
            statement = next;
            now++;
            Execute(next);
        }
    }

    void Execute(Statement next)
    {
        switch (next)
        {
            case For loop: Loop(loop); break;
            case If branch: if (Evaluate(branch.Condition) != 0) Body(branch.Body); break;
            case Allocate { Tile: var tile }: Of(tile).Renew(Extents(tile)); break;
            case Store store: ForEach(store.Domain.Span, () => Point(store)); break;
            case Reduce reduce: ForEach(reduce.Domain.Span, () => Point(reduce)); break;
            case Scan scan: ForEach(scan.Domain.Span, () => Point(scan)); break;
            case Sort sort: ForEach(sort.Domain.Span, () => Point(sort)); break;
            case Whole whole: Run(whole); break;
            case Dot dot: ForEach([dot.Row, dot.Column], () => Point(dot)); break;
        }
    }

    void Loop(For loop)
    {
        long count = Limit(new(loop.Variable, loop.Count));
        bool parallel = loop.Kind == LoopKind.Parallel;
        if (parallel) grid.Enter(loop.Variable, memories.Values);
        for (long i = 0; i < count; i++)
        {
            Set(loop.Variable, i);
            if (parallel) grid.Begin(i);
            Body(loop.Body);
        }
        At(loop.Variable).Runs = false;
        if (parallel) grid.Leave();
    }

    void Point(Store store)
    {
        if (store.Guard is not null && Evaluate(store.Guard) == 0) return;
        double value = Evaluate(store.Value);
        Write(store.Target, store.Indices, store.Mode switch
        {
            StoreMode.Add => Add(store.Target.DType, Read(Of(store.Target), Indices(store.Indices), store.IsAtomic), value),
            StoreMode.Max => Math.Max(Read(Of(store.Target), Indices(store.Indices), store.IsAtomic), value),
            _ => value,
        }, store.IsAtomic);
    }

    void Point(Reduce reduce)
    {
        var target = reduce.Target;
        if (reduce.Op is Op.ArgMax or Op.ArgMin)
        {
            Write(target, reduce.Indices, Best(reduce));
            return;
        }
        double total = reduce.Accumulate ? Read(target, reduce.Indices) : Identity(reduce.Op, target.DType);
        ForEach(reduce.Over.Span, () => total = Combine(reduce.Op, target.DType, total, Evaluate(reduce.Value)));
        Write(target, reduce.Indices, total);
    }

    double Best(Reduce reduce)
    {
        long place = 0, best = -1;
        double value = 0;
        ForEach(reduce.Over.Span, () =>
        {
            double other = Evaluate(reduce.Value);
            // the first of equals, and the first NaN
            bool better = best < 0 || !double.IsNaN(value)
                && (double.IsNaN(other) || (reduce.Op == Op.ArgMax ? other > value : other < value));
            if (better) (best, value) = (place, other);
            place++;
        });
        if (best < 0)
            throw new KernelException("ASH0534",
                $"{reduce.Op} has no element to choose from at {Position()}, in '{TileText.Line(reduce)}'{reduce.At}.",
                "guard the statement with If, or give the axis a least extent of 1.");
        return best;
    }

    void Point(Scan scan)
    {
        long count = Limit(scan.Along);
        double total = Identity(scan.Op, scan.Target.DType);
        for (long i = 0; i < count; i++)
        {
            Set(scan.Along.Variable, scan.Reverse ? count - 1 - i : i);
            total = Combine(scan.Op, scan.Target.DType, total, Evaluate(scan.Value));
            Write(scan.Target, scan.Indices, total);
        }
        At(scan.Along.Variable).Runs = false;
    }

    void Point(Sort sort)
    {
        long count = Limit(sort.Along);
        var keys = new double[count];
        for (long i = 0; i < count; i++)
        {
            Set(sort.Along.Variable, i);
            keys[i] = Evaluate(sort.Value);
        }
        var comparer = Comparer<double>.Create((a, b) =>
        {
            int order = double.IsNaN(a) || double.IsNaN(b) ? double.IsNaN(a).CompareTo(double.IsNaN(b)) : a.CompareTo(b);
            return sort.Descending ? -order : order;
        });
        long place = 0;
        foreach (int i in Enumerable.Range(0, (int)count).OrderBy(i => keys[i], comparer))   // OrderBy is stable
        {
            Set(sort.Along.Variable, place++);
            Write(sort.Target, sort.Indices, i);
        }
        At(sort.Along.Variable).Runs = false;
    }

    void Run(Whole whole)
    {
        var node = Substitution.Of([whole.ToNode()], symbol => Value(symbol))[0];
        var inputs = whole.Inputs.Select(input => new Value(Of(input).Data, Of(input).Extents)).ToArray();
        var result = node.Meaning.Evaluate!(node, inputs);
        var target = Of(whole.Target);
        for (long at = 0; at < result.Data.LongLength; at++)
        {
            target.Writes(at, grid.Iteration, isAtomic: false);
            target.Data[at] = roundFloats ? Conversion.Round(result.Data[at], node.DType) : result.Data[at];
        }
    }

    void Point(Dot dot)
    {
        Node[] indices = [dot.Row.Variable.Index(), dot.Column.Variable.Index()];
        double total = Read(dot.Target, indices);
        ForEach([dot.Inner],
            () => total = Add(dot.Target.DType, total, Multiply(dot.Target.DType, Evaluate(dot.Left), Evaluate(dot.Right))));
        Write(dot.Target, indices, total);
    }

    // Every point of a domain in row-major order.
    void ForEach(ReadOnlySpan<DomainAxis> axes, Action point)
    {
        if (axes.Length == 0)
        {
            now++;
            point();
            return;
        }
        long count = Limit(axes[0]);
        for (long i = 0; i < count; i++)
        {
            Set(axes[0].Variable, i);
            ForEach(axes[1..], point);
        }
        At(axes[0].Variable).Runs = false;
    }

    long Limit(DomainAxis axis)
    {
        now++;
        long count = (long)Evaluate(axis.Extent), limit = axis.Variable.Count.Evaluate(Value);
        if (count > limit)
            throw new KernelException("ASH0536", $"'{axis.Variable.Name}' would run to {count} at {Position()}, but no value of it may reach {limit}. "
                + $"This is in '{TileText.Line(statement)}'{statement.At}.",
                "give the variable a greater count, or the axis a lesser extent.");
        return Math.Max(count, 0);
    }

    void Set(LoopVariable variable, long value)
    {
        var counter = At(variable);
        (counter.Value, counter.Runs) = (value, true);
        now++;
    }

    double Evaluate(Node node) => Evaluate(Place(node));

    double Evaluate(Slot slot)
    {
        if (slot.Moment == now) return slot.Value;
        var node = slot.Node;
        double value = node.Op switch
        {
            Op.Constant => node.Constant!.Value,
            Op.Size => node.Get<SizeAttributes>().Extent.Evaluate(Value),
            Op.Index => slot.Counter!.Value,
            Op.Load => Load(slot),
            Op.Bound => Bound(slot),
            Op.Cast => Conversion.Cast(Evaluate(slot.Inputs[0]), slot.Inputs[0].Node.DType, node.DType),
            Op.BitCast => Conversion.BitCast(Evaluate(slot.Inputs[0]), slot.Inputs[0].Node.DType, node.DType),
            _ => Element(slot),
        };
        (slot.Value, slot.Moment) = (value, now);
        return value;
    }

    double Element(Slot slot)
    {
        var node = slot.Node;
        if (!node.DType.IsFloat && node.Meaning.Integer is { } integer)
        {
            long exact = integer(Array.ConvertAll(slot.Inputs, input => (long)Evaluate(input)));
            // Logic on bools is bitwise: not 1 is 0.
            return node.DType == DType.Bool ? exact & 1 : Conversion.Wrap(exact, node.DType);
        }
        double value = node.Meaning.Element!(Array.ConvertAll(slot.Inputs, Evaluate));
        return node.DType.IsFloat ? value : Conversion.Wrap((long)value, node.DType);
    }

    double Load(Slot slot)
    {
        int rank = slot.Node.Get<LoadAttributes>().Rank;
        if (slot.Inputs.Length > rank && Evaluate(slot.Inputs[rank]) == 0) return 0;
        var indices = new long[rank];
        for (int axis = 0; axis < rank; axis++) indices[axis] = (long)Evaluate(slot.Inputs[axis]);
        return Read(slot.Elements!, indices);
    }

    double Bound(Slot slot)
    {
        double index = Evaluate(slot.Inputs[0]), extent = Evaluate(slot.Inputs[1]);
        if (index >= 0 && index < extent) return index;
        throw new KernelException("ASH0510",
            $"{slot.Node.Get<BoundAttributes>().Site} met the index {index} at {Position()}, but the axis has {extent} elements.",
            "clamp or check the indices; they count from 0, negative ones do not count from the end.");
    }

    double Read(Memory memory, IReadOnlyList<Node> indices) => Read(Of(memory), Indices(indices));

    double Read(Elements elements, long[] indices, bool isAtomic = false)
    {
        long at = Offset(elements, indices, "read");
        if (!elements.IsWritten(at))
            throw new KernelException("ASH0532", $"element [{string.Join(", ", indices)}] of the {(elements.Memory is Tile ? "tile" : "output")} {elements.Memory} is read before it is written, at {Position()}. "
                + $"This is in '{TileText.Line(statement)}'{statement.At}.",
                "store to it first; a new tile holds nothing, nor does an output.");
        if (!isAtomic && elements.Reads(at, grid.Iteration) is { } other)
            throw Conflict(elements, indices, "reads", other, "writes");
        return elements.Data[at];
    }

    void Write(Memory memory, IReadOnlyList<Node> nodes, double value, bool isAtomic = false)
    {
        var elements = Of(memory);
        var indices = Indices(nodes);
        long at = Offset(elements, indices, "written");
        if (elements.Writes(at, grid.Iteration, isAtomic) is var (other, wrote))
            throw Conflict(elements, indices, "writes", other, wrote ? "writes it too" : "reads");
        elements.Data[at] = !memory.DType.IsFloat ? Conversion.Wrap((long)value, memory.DType)
            : roundFloats ? Conversion.Round(value, memory.DType)
            : value;
        now++;
    }

    KernelException Conflict(Elements elements, long[] indices, string does, int other, string otherDoes) => new("ASH0533",
        $"iteration {grid.Name(grid.Iteration)} of a parallel loop {does} element [{string.Join(", ", indices)}] of {elements.Memory}, which iteration {grid.Name(other)} {otherDoes}. "
        + $"This is in '{TileText.Line(statement)}'{statement.At}.",
        "let each iteration write elements of its own, or make the loop serial.");

    long[] Indices(IReadOnlyList<Node> nodes)
    {
        var indices = new long[nodes.Count];
        for (int i = 0; i < indices.Length; i++) indices[i] = (long)Evaluate(nodes[i]);
        return indices;
    }

    long Offset(Elements elements, long[] indices, string verb)
    {
        long offset = 0;
        for (int axis = 0; axis < indices.Length; axis++)
        {
            long extent = elements.Extents[axis];
            if (indices[axis] < 0 || indices[axis] >= extent)
                throw new KernelException("ASH0530", $"index [{string.Join(", ", indices)}] of {elements.Memory} is {verb} at {Position()}, but its axis {axis} has {extent} elements. "
                    + $"This is in '{TileText.Line(statement)}'{statement.At}.",
                    "shorten the domain, guard the access, or correct the index.");
            offset = offset * extent + indices[axis];
        }
        return offset;
    }

    string Position()
    {
        string values =
            string.Join(", ", counters.Where(pair => pair.Value.Runs).Select(pair => $"{pair.Key.Name}={pair.Value.Value}"));
        return values.Length == 0 ? "the only point" : values;
    }

    static double Combine(Op op, DType dtype, double total, double value) => op switch
    {
        Op.ReduceSum or Op.CumSum => Add(dtype, total, value),
        Op.ReduceProd or Op.CumProd => Multiply(dtype, total, value),
        Op.ReduceMin => Math.Min(total, value),
        _ => Math.Max(total, value),
    };

    static double Identity(Op op, DType dtype) => op switch
    {
        Op.ReduceSum or Op.CumSum => 0,
        Op.ReduceProd or Op.CumProd => 1,
        Op.ReduceMin => Conversion.Range(dtype).Greatest,
        _ => Conversion.Range(dtype).Least,
    };

    static double Add(DType dtype, double a, double b) =>
        dtype.IsFloat ? a + b : Conversion.Wrap(unchecked((long)a + (long)b), dtype);

    static double Multiply(DType dtype, double a, double b) =>
        dtype.IsFloat ? a * b : Conversion.Wrap(unchecked((long)a * (long)b), dtype);

    long Value(Symbol symbol) => symbols is null
        ? throw new KernelException("ASH0535", $"the program needs the value of the symbol '{symbol.Name}', but got none.",
            "pass the values of the symbols.")
        : symbols(symbol);

    long[] Extents(Memory memory) => [.. memory.Shape.Select(extent => extent.Evaluate(Value))];

    Elements Of(Memory memory) => memories.TryGetValue(memory, out var elements) ? elements : memories[memory] = new(memory);

    Counter At(LoopVariable variable) => counters.TryGetValue(variable, out var counter) ? counter : counters[variable] = new();

    Slot Place(Node root)
    {
        if (slots.TryGetValue(root, out var known)) return known;
        foreach (var node in Traversal.PostOrder([root]))
        {
            if (slots.ContainsKey(node)) continue;
            slots[node] = new(node)
            {
                Inputs = [.. node.Inputs.Select(input => slots[input])],
                Counter = node.Op == Op.Index ? At(node.Variable()) : null,
                Elements = node.Op == Op.Load ? Of(node.Source()) : null,
            };
        }
        return slots[root];
    }
}
