using Ashlar.Graph;

namespace Ashlar.Tiles;

/// <summary>What a kernel's definition is written with: inputs, outputs, grid, tiles and loops.</summary>
/// <remarks>
/// A definition is run to record statements, again for every combination of shapes: it must do the same each time. Values of C#
/// (an
/// <c>if</c> on a config, a <c>for</c> over numbers) specialise the kernel; loops of the kernel are <c>foreach</c> over what
/// <see cref="Serial"/>, <see cref="Pipeline"/> and <see cref="Parallel"/> give, whose body runs once here.
/// </remarks>
public sealed partial class KernelBuilder
{
    // A host loop that never ends makes statements or values without end.
    const int MostSteps = 10_000;

    // What one worker's tiles may take: they should stay in a second-level cache, and an eighth of a gigabyte on 32 workers is no
    // kernel.
    const long MostTileBytes = 4 << 20;

    readonly IReadOnlyList<NodeType>? arguments;
    readonly Dictionary<string, Extent> extents = [];
    readonly List<TileBuffer> inputs = [], outputs = [];
    readonly List<Statement> before = [];    // initial values of outputs
    readonly Stack<Scope> scopes = new();
    readonly Dictionary<(Node Length, Extent Count, int Place), LoopVariable> variables = [];
    readonly Dictionary<Memory, (long Moment, SourceLine? Line)> written = [];
    readonly Dictionary<Tile, KernelTile> tiles = [];
    readonly List<(Tile Tile, SourceLine? Line)> allocated = [];
    int steps, tileCount, loopCount;

    internal KernelBuilder(string name, IReadOnlyList<NodeType>? arguments)
    {
        Name = name;
        this.arguments = arguments;
        scopes.Push(new(null, 0));
    }

    // A body that is being recorded.
    sealed class Scope(Func<ValueList<Statement>, Statement>? close, long start)
    {
        public Func<ValueList<Statement>, Statement>? Close => close;
        public long Start => start;
        public List<Statement> Body { get; } = [];
        public List<(Memory Memory, SourceLine? Line)> OuterReads { get; } = [];   // of values made before the loop
        public bool IsGrid { get; init; }
    }

    /// <summary>The kernel's name.</summary>
    public string Name { get; }

    /// <summary>Grows with every statement: what a value reads must not have changed since it was made.</summary>
    internal long Now { get; private set; }

    /// <summary>True when the trace is over.</summary>
    internal bool IsDone { get; private set; }

    /// <summary>Declares a float32 input, in the order of the call's arguments.</summary>
    /// <param name="name">For text forms and messages.</param>
    /// <param name="shape">The length of each axis: a name that the call binds, or a number.</param>
    public KernelBuffer Input(string name, params ReadOnlySpan<KernelExtent> shape) => Input(name, DType.Float32, shape);

    /// <summary>Declares an input, in the order of the call's arguments.</summary>
    /// <param name="name">For text forms and messages.</param>
    /// <param name="dtype">Its element type; a call with another is refused.</param>
    /// <param name="shape">The length of each axis: a name that the call binds, or a number.</param>
    /// <exception cref="KernelException">The call's argument does not fit (ASH0571).</exception>
    public KernelBuffer Input(string name, DType dtype, params ReadOnlySpan<KernelExtent> shape)
    {
        int place = inputs.Count;
        if (arguments is not null && place >= arguments.Count)
            throw new KernelException("ASH0571",
                $"'{Name}' was called with {arguments.Count} tensors, but has the input '{name}' too.",
                "pass one tensor per input, in the order of their declarations.");
        var given = arguments?[place];
        if (given is { } argument)
        {
            if (argument.DType != dtype)
                throw new KernelException("ASH0571",
                    $"the input '{name}' of '{Name}' is {dtype.Name}, but the call passed {argument.DType.Name}{argument.Shape}.",
                    $"cast the tensor: x.Cast(DType.{dtype}).");
            if (argument.Shape.Rank != shape.Length)
                throw new KernelException("ASH0571",
                    $"the input '{name}' of '{Name}' has {shape.Length} axes, but the call passed "
                    + $"{argument.DType.Name}{argument.Shape}.",
                    "reshape the tensor.");
        }
        var own = new Extent[shape.Length];
        for (int axis = 0; axis < own.Length; axis++)
        {
            var declared = shape[axis];
            own[axis] = given is null ? declared.Name is { } symbol && !extents.ContainsKey(symbol)
                ? extents[symbol] = new Symbol(symbol) : Resolve(declared)
                : declared.Name is { } free && !extents.ContainsKey(free) ? extents[free] = given.Value.Shape[axis]
                    : Resolve(declared);
            if (given is { } tensor && tensor.Shape[axis] != own[axis])
                throw new KernelException("ASH0571",
                    $"axis {axis} of the input '{name}' of '{Name}' is {declared} = {own[axis]} long, but the call passed "
                    + $"{tensor.DType.Name}{tensor.Shape}.",
                    "pass tensors whose axes of one name are equally long.");
        }
        var buffer = new TileBuffer(name, dtype, Shape.Create(own), written: false);
        inputs.Add(buffer);
        return new(this, buffer);
    }

    /// <summary>Declares a float32 output, in the order of the call's results.</summary>
    /// <param name="name">For text forms and messages.</param>
    /// <param name="shape">The length of each axis: a name that an input has bound, or a number.</param>
    public KernelBuffer Output(string name, params ReadOnlySpan<KernelExtent> shape) => Output(name, DType.Float32, shape);

    /// <summary>Declares an output, in the order of the call's results. It holds nothing until the kernel stores to it.</summary>
    /// <param name="name">For text forms and messages.</param>
    /// <param name="dtype">Its element type.</param>
    /// <param name="shape">The length of each axis: a name that an input has bound, or a number.</param>
    public KernelBuffer Output(string name, DType dtype, params ReadOnlySpan<KernelExtent> shape)
    {
        var own = new Extent[shape.Length];
        for (int axis = 0; axis < own.Length; axis++) own[axis] = Resolve(shape[axis]);
        var buffer = new TileBuffer(name, dtype, Shape.Create(own), written: true);
        outputs.Add(buffer);
        return new(this, buffer);
    }

    /// <summary>Stores a number to every element of an output before the grid begins: what <see cref="KernelBuffer.Add"/> adds
    /// to.</summary>
    /// <param name="output">The output.</param>
    /// <param name="number">A number of its type.</param>
    public void Initialize(KernelBuffer output, KernelValue number)
    {
        if (number.Number is null || scopes.Count > 1 || scopes.Peek().Body.Count > 0)
            throw new KernelException("ASH0580",
                $"'{Name}' initialises the output {output.Buffer}{Where()} with something else than a number, or after its "
                + "first statement.",
                "initialise outputs with numbers, before the grid and before any statement.");
        var buffer = output.Buffer;
        var axes = buffer.Shape.Select(extent => new LoopVariable($"z{loopCount++}", extent)).ToArray();
        Node[] at = [.. axes.Select(axis => axis.Index())];
        ValueList<Statement> body = [new Store(buffer, [.. at], number.As(buffer.DType)(0),
            axes.Length == 0 ? [] : [DomainAxis.Whole(axes[^1])]) { Origin = SourceLine.Here() }];
        foreach (var axis in axes.SkipLast(1).Reverse()) body = [new For(axis, Nodes.Size(axis.Count), LoopKind.Parallel, body)];
        before.AddRange(body);
        written[buffer] = (Now, null);
    }

    /// <summary>The extent that a name is bound to: a number when the kernel is called with numbers, else symbolic.</summary>
    /// <exception cref="KernelException">No input has it (ASH0572).</exception>
    public Extent Extent(string name) => extents.TryGetValue(name, out var extent) ? extent
        : throw new KernelException("ASH0572", $"'{Name}' uses the extent '{name}'{Where()}, which no input has bound.",
            extents.Count == 0 ? "declare the inputs first."
                : $"name an axis of an input so; known are {string.Join(", ", extents.Keys)}.");

    /// <summary>The extent that a name is bound to, as a value of the kernel (int64).</summary>
    public KernelValue Size(string name)
    {
        var node = Nodes.Size(Extent(name));
        return new(this, [], DType.Int64, _ => node);
    }

    /// <summary>Makes a float32 tile that holds nothing, in memory that stays in a worker's cache.</summary>
    /// <param name="axes">Numbers, or tiles of loops: then the tile ends where theirs do.</param>
    public KernelTile Tile(params ReadOnlySpan<TileAxis> axes) => Make(DType.Float32, axes, TileSpace.Scratch);

    /// <summary>Makes a tile that holds nothing, in memory that stays in a worker's cache.</summary>
    /// <param name="dtype">Its element type.</param>
    /// <param name="axes">Numbers, or tiles of loops: then the tile ends where theirs do.</param>
    public KernelTile Tile(DType dtype, params ReadOnlySpan<TileAxis> axes) => Make(dtype, axes, TileSpace.Scratch);

    /// <summary>Makes a tile for accumulators, in registers as far as they go, and fills it with a number.</summary>
    /// <param name="number">Of any float or integer value; float32 where it has a fraction or is given as one, else
    /// int32.</param>
    /// <param name="axes">Numbers, or tiles of loops: then the tile ends where theirs do.</param>
    public KernelTile Full(KernelValue number, params ReadOnlySpan<TileAxis> axes) => Full(number, number.DType, axes);

    /// <summary>Makes a tile for accumulators, in registers as far as they go, and fills it with a number.</summary>
    /// <param name="number">The value of every element.</param>
    /// <param name="dtype">The element type.</param>
    /// <param name="axes">Numbers, or tiles of loops: then the tile ends where theirs do.</param>
    public KernelTile Full(KernelValue number, DType dtype, params ReadOnlySpan<TileAxis> axes)
    {
        var tile = Make(dtype, axes, TileSpace.Register);
        Fill(tile, number);
        return tile;
    }

    /// <summary>Computes a value into a new tile, in registers as far as they go: once, however often it is used.</summary>
    public KernelTile Keep(KernelValue value) => Put(value, TileSpace.Register);

    /// <summary>Copies a value into a new tile of a worker's cache.</summary>
    public KernelTile Load(KernelValue value) => Put(value, TileSpace.Scratch);

    /// <summary>Copies a value into a tile that may be greater where an edge is ragged; what lies beyond the edge becomes a
    /// number.</summary>
    /// <param name="value">With as many axes as the tile.</param>
    /// <param name="to">At least as large.</param>
    /// <param name="fill">What elements beyond the edge become.</param>
    /// <exception cref="KernelException">The value may be larger than the tile (ASH0573).</exception>
    public void Copy(KernelValue value, KernelTile to, KernelValue? fill = null)
    {
        var from = value.Settled();
        if (from.Rank != to.Rank || !from.Axes.Zip(to.Axes).All(pair => (pair.Second.Count - pair.First.Count).Min >= 0))
            throw new KernelException("ASH0573", $"{from.Type} is copied into the tile {to.Type}{Where()}.",
                "copy into a tile that is at least as large on every axis.");
        bool isWhole = from.Axes.Zip(to.Axes).All(pair => pair.First.Length == pair.Second.Length);
        if (!isWhole) Fill(to, fill ?? 0);
        new Part(this, to, from.Axes).Store(from);
    }

    /// <summary>One value per element of axes, computed from its indices: <c>k.Map([m, n], (i, j) => ...)</c> for two
    /// axes.</summary>
    /// <param name="axes">Numbers, tiles of loops, or both.</param>
    /// <param name="element">From the index of each axis, counted from 0 within the tile, to the element. Called once.</param>
    public KernelValue Map(ReadOnlySpan<TileAxis> axes, Func<KernelValue[], KernelValue> element)
    {
        var own = Resolve(axes);
        var variables = own.Select(axis => new LoopVariable($"e{loopCount++}", axis.Count)).ToArray();
        var value = element([.. variables.Select(variable =>
            new KernelValue(this, [], DType.Int64, _ => variable.Index()))]).Settled();
        if (value.Rank != 0) throw value.WrongRank("is what Map computes for an element", "one number");
        _ = KernelMath.BuilderOf(value);
        var node = value.Number is null ? value.At([]) : value.As(value.DType)(0);
        return new(this, own, value.DType, i => Traversal.Rewrite([node], other =>
            other.Op == Op.Index && Array.IndexOf(variables, other.Variable()) is >= 0 and var axis ? i[axis] : null)[0],
                [.. value.Reads]);
    }

    /// <summary>One value per element of an axis, computed from its index.</summary>
    public KernelValue Map(TileAxis axis, Func<KernelValue, KernelValue> element) => Map([axis], i => element(i[0]));

    /// <summary>One value per element of two axes, computed from its indices.</summary>
    public KernelValue Map(TileAxis rows, TileAxis columns, Func<KernelValue, KernelValue, KernelValue> element) =>
        Map([rows, columns], i => element(i[0], i[1]));

    // Everything below is what values, tiles and loops are made with.

    internal Extent Resolve(KernelExtent extent) => extent.Name is { } name ? Extent(name) : extent.Extent;

    KernelAxis[] Resolve(ReadOnlySpan<TileAxis> axes)
    {
        var own = new KernelAxis[axes.Length];
        for (int axis = 0; axis < own.Length; axis++) own[axis] = axes[axis].Resolve(this);
        return own;
    }

    internal KernelTile? TileOf(Memory memory) => memory is Tile tile ? tiles.GetValueOrDefault(tile) : null;

    internal bool WasWritten(TileBuffer output) => written.ContainsKey(output);

    internal void Fill(KernelTile tile, KernelValue number) => tile[..] = number;

    internal KernelTile Full(KernelValue number, DType dtype, KernelAxis[] axes)
    {
        var tile = Make(dtype, axes, TileSpace.Register);
        Fill(tile, number);
        return tile;
    }

    KernelTile Make(DType dtype, ReadOnlySpan<TileAxis> axes, TileSpace space) => Make(dtype, Resolve(axes), space);

    KernelTile Make(DType dtype, KernelAxis[] axes, TileSpace space)
    {
        var tile = new Tile($"t{tileCount++}", dtype, Shape.Of(axes.Select(axis => axis.Count)), space);
        var line = SourceLine.Here();
        allocated.Add((tile, line));
        Emit(new Allocate(tile) { Origin = line }, null, []);
        return tiles[tile] = new(this, tile, axes);
    }

    KernelTile Put(KernelValue value, TileSpace space)
    {
        _ = KernelMath.BuilderOf(value);
        if (value is KernelProduct { IsOpen: true }) return (KernelTile)value.Settled();
        var settled = value.Settled();
        var tile = Make(settled.DType, settled.Axes, space);
        tile[..] = settled;
        return tile;
    }

    /// <summary>A factor of a product: itself where it is a part of memory, else a tile.</summary>
    internal KernelValue Plain(KernelValue value)
    {
        var node = value.At([.. value.Axes.Select(axis => TileNodes.Number(0))]);
        while (node is (Op.Cast, [var inner])) node = inner;
        return node.Op == Op.Load ? value : Keep(value);
    }

    internal KernelValue Reduce(Op op, KernelValue x, int[] over)
    {
        Count();
        var from = x.DType.Compute;
        var dtype = op is Op.ArgMax or Op.ArgMin ? DType.Int32 : from;
        if (op is Op.ReduceSum && from == DType.Bool)
            throw new KernelException("ASH0574", $"the sum of {x.Type} is asked for{Where()}.",
                "cast first: Cast(x, DType.Int32) counts.");
        int[] kept = [.. Enumerable.Range(0, x.Rank).Except(over)];
        var target = Make(dtype, [.. kept.Select(axis => x.Axes[axis])], TileSpace.Register);
        var domain = Domain(x.Axes);
        Node[] i = [.. domain.Select(axis => axis.Variable.Index())];
        Emit(new Reduce(op, target.Tile, [.. kept.Select(axis => i[axis])], x.Wide(i), [.. kept.Select(axis => domain[axis])],
            [.. over.Select(axis => domain[axis])]),
            target.Tile, [x.Reads]);
        return target;
    }

    internal void Product(KernelTile target, KernelValue left, KernelValue right)
    {
        var axes = Domain([left.Axes[0], right.Axes[1], left.Axes[1]]);
        Node row = axes[0].Variable.Index(), column = axes[1].Variable.Index(), inner = axes[2].Variable.Index();
        Emit(new Dot(target.Tile, left.At([row, inner]), right.At([inner, column]), axes[0], axes[1], axes[2]), target.Tile,
            [left.Reads, right.Reads, target.Reads]);
    }

    /// <summary>The axes of a statement: one variable per axis, the same for equal axes, so that neighbouring statements share
    /// loops.</summary>
    internal DomainAxis[] Domain(KernelAxis[] axes)
    {
        var domain = new DomainAxis[axes.Length];
        for (int place = 0; place < axes.Length; place++)
        {
            var (count, length) = axes[place];
            if (!variables.TryGetValue((length, count, place), out var variable)) variables[(length, count,
                place)] = variable = new($"i{variables.Count}", count);
            domain[place] = new(variable, length);
        }
        return domain;
    }

    /// <summary>Records a statement.</summary>
    /// <param name="statement">The statement.</param>
    /// <param name="target">What it writes to; null where it writes nothing.</param>
    /// <param name="reads">The memories that its values read, with the moment since when they must not have changed.</param>
    internal void Emit(Statement statement, Memory? target, ReadOnlySpan<IEnumerable<(Memory Memory, long Born)>> reads)
    {
        Count();
        var line = statement.Origin ?? SourceLine.Here();
        statement = statement with { Origin = line };
        foreach (var group in reads)
            foreach (var (memory, born) in group)
            {
                if (written.TryGetValue(memory, out var change) && change.Moment > born) throw Stale(memory, change.Line,
                    statement);
                foreach (var scope in scopes)
                    if (scope.Close is not null && !scope.IsGrid && born < scope.Start
                        && memory is not TileBuffer { Written: false }) scope.OuterReads.Add((memory, line));
            }
        Now++;
        if (target is not null)
        {
            foreach (var scope in scopes)
                if (scope.OuterReads.Find(read => read.Memory == target) is { Memory: not null }) throw Stale(target, line,
                    statement);
            written[target] = (Now, line);
        }
        scopes.Peek().Body.Add(statement);
    }

    KernelException Stale(Memory memory, SourceLine? changed, Statement statement) => new("ASH0578",
        $"in '{Name}', the statement '{TileText.Line(statement)}' at {statement.Origin} uses a value that was made of "
        + $"{memory} before {changed} changed it.",
        "values are computed where they are used; keep what must not change in a tile of its own: var old = k.Keep(x).");

    /// <summary>Counts what a trace makes.</summary>
    internal void Count()
    {
        if (IsDone) throw new KernelException("ASH0581", $"the trace of '{Name}' is over, but it is used{Where()}.",
            "keep nothing of a trace outside of the definition.");
        if (++steps > MostSteps)
            throw new KernelException("ASH0577",
                $"the definition of '{Name}' has made {MostSteps} statements and values and goes on{Where()}: a loop of C# "
                + "is unrolled, and this one does not end.",
                "write 'foreach (var i in k.Serial(n))' for a loop of the kernel; its body is traced once.");
    }

    /// <summary>The program that was recorded.</summary>
    internal TileProgram Finish()
    {
        if (arguments is not null && inputs.Count < arguments.Count)
            throw new KernelException("ASH0571",
                $"'{Name}' was called with {arguments.Count} tensors, but has {inputs.Count} inputs.",
                "pass one tensor per input.");
        while (scopes.Count > 1)
        {
            if (!scopes.Peek().IsGrid)
                throw new KernelException("ASH0580", $"the definition of '{Name}' leaves a loop by break or return.",
                    "let the loop run to its end; k.If skips statements, and k.Serial takes an end: until.");
            Leave();
        }
        IsDone = true;
        long bytes = allocated.Sum(made => Math.Max(0, Bytes(made.Tile)));
        if (bytes > MostTileBytes)
        {
            var (tile, line) = allocated.MaxBy(made => Bytes(made.Tile));
            throw new KernelException("ASH0579",
                $"the tiles of '{Name}' take {bytes} bytes, but a worker has room for {MostTileBytes}. The greatest is "
                + $"{tile} with {Bytes(tile)} bytes, made at {line}.",
                "make the tiles smaller, or loop over parts of the axis.");
        }
        ValueList<Statement> body = [.. scopes.Peek().Body];
        var streamed = outputs.Where(output => output.Shape.Elements.TryGetValue(out long count)
            && count * output.DType.Bytes >= Store.StreamedBytes).ToHashSet<Memory>();
        ValueList<Statement> first = Streamed([.. before], streamed);
        streamed.RemoveWhere(output => IsReadIn(body, output));
        var program = new TileProgram(Name, [.. inputs, .. outputs], [.. first, .. Streamed(body, streamed)]);
        TileVerifier.Check(program);
        return program;

        static long Bytes(Tile tile) => tile.Shape.Elements.TryGetValue(out long count) ? count * tile.DType.Bytes : 0;
    }

    // Large outputs bypass the caches, unless the kernel reads or changes them again.
    static ValueList<Statement> Streamed(ValueList<Statement> body, HashSet<Memory> targets) => targets.Count == 0
        ? body
        : body.Select(statement => statement switch
        {
            For loop => loop with { Body = Streamed(loop.Body, targets) },
            If branch => branch with { Body = Streamed(branch.Body, targets) },
            Store { Mode: StoreMode.Set } store when targets.Contains(store.Target) => store with { Streaming = true },
            _ => statement,
        }).ToValueList();

    static bool IsReadIn(ValueList<Statement> body, Memory output)
    {
        return body.Any(statement => statement switch
        {
            For loop => IsReadIn(loop.Body, output),
            If branch => IsReadIn(branch.Body, output),
            Store store => store.Target == output && store.Mode != StoreMode.Set
                || Loads([.. store.Indices, store.Value, .. store.Guard is null ? [] : (Node[])[store.Guard]]),
            Reduce reduce => Loads([.. reduce.Indices, reduce.Value]),
            Dot dot => Loads([dot.Left, dot.Right]),
            _ => false,
        });

        bool Loads(Node[] values) =>
            Traversal.PostOrder(values).Exists(node => node.Op == Op.Load && ReferenceEquals(node.Source(), output));
    }

    /// <summary>Where the author's line is, for messages: " at File.cs:12".</summary>
    internal static string Where() => SourceLine.Here() is { } line ? $" at {line}" : "";

    // A corner of a tile, as large as a value.
    readonly struct Part(KernelBuilder k, KernelTile tile, KernelAxis[] axes)
    {
        public void Store(KernelValue value)
        {
            var domain = k.Domain(axes);
            Node[] i = [.. domain.Select(axis => axis.Variable.Index())];
            var node = value.DType == tile.DType ? value.At(i) : value.DType.Compute == tile.DType.Compute
                ? Nodes.Cast(value.At(i), tile.DType)
                : throw new KernelException("ASH0574",
                    $"{value.Type} is copied into the tile {tile.Type}{Where()}: their types do not mix.",
                    $"cast the value: Cast(x, DType.{tile.DType}).");
            k.Emit(new Store(tile.Tile, [.. i], node, [.. domain]), tile.Tile, [value.Reads]);
        }
    }
}
