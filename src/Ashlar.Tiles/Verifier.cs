using Ashlar.Graph;

namespace Ashlar.Tiles;

/// <summary>Checks that tile programs are well formed: what the interpreter and every code generator take for granted.</summary>
public static class TileVerifier
{
    /// <summary>Checks scopes, types, ranks, targets and where loops may be parallel.</summary>
    /// <remarks>It does not look at values: indices, uninitialised tiles and conflicts between iterations are the interpreter's
    /// matter.</remarks>
    /// <exception cref="KernelException">ASH0511 to ASH0528: the statement, what was found in it, and the fix.</exception>
    public static void Check(TileProgram program) => new Verification(program).Run();
}

/// <summary>One check of a program.</summary>
sealed class Verification(TileProgram program)
{
    readonly HashSet<LoopVariable> variables = [];
    readonly Dictionary<Tile, bool> tiles = [];   // in scope -> whether made within the grid
    readonly HashSet<TileBuffer> buffers = [];
    readonly Dictionary<string, Symbol> symbols = [];
    bool inGrid;

    public void Run()
    {
        if (!TextParser.IsName(program.Name))
            throw new KernelException("ASH0527", $"'{program.Name}' cannot be the name of a kernel.",
                "use lower-case letters, digits and underscores.");
        foreach (var buffer in program.Buffers)
        {
            if (!buffers.Add(buffer))
                throw new KernelException("ASH0513", $"'{program.Name}' lists the buffer {buffer} twice.",
                    "list each buffer once; an in-place kernel reads and writes one buffer.");
            Symbols(buffer.Shape, buffer);
        }
        Body(program.Body, mayBeParallel: true);
    }

    void Body(ValueList<Statement> body, bool mayBeParallel)
    {
        var outer = tiles.Keys.ToArray();
        foreach (var statement in body) Statement(statement, mayBeParallel);
        foreach (var tile in tiles.Keys.Except(outer).ToArray()) tiles.Remove(tile);
    }

    void Statement(Statement statement, bool mayBeParallel)
    {
        switch (statement)
        {
            case For loop:
                Loop(loop, mayBeParallel);
                break;
            case If branch:
                Expressions(branch, [branch.Condition]);
                Condition(branch, branch.Condition, "condition");
                Body(branch.Body, mayBeParallel: false);
                break;
            case Allocate { Tile: var tile }:
                Symbols(tile.Shape, tile);
                if (!tiles.TryAdd(tile, inGrid))
                    throw Wrong("ASH0512", statement, $"allocates the tile {tile}, which is allocated already.",
                        "allocate each tile once, or make another tile.");
                break;
            case Store store:
                Check(store);
                break;
            case Reduce reduce:
                Check(reduce);
                break;
            case Scan scan:
                Axes(scan, scan.Domain.Span, [scan.Along]);
                Expressions(scan, [.. scan.Indices, scan.Value]);
                Target(scan, scan.Target, scan.Indices);
                if (scan.Op is not (Op.CumSum or Op.CumProd or Op.CumMax))
                    throw Wrong("ASH0519", scan, $"runs {scan.Op}, which is not a running op.", "use CumSum, CumProd or CumMax.");
                OfType(scan, scan.Value, scan.Target.DType);
                OwnElement(scan, scan.Target, scan.Indices, [.. scan.Indices, scan.Value]);
                Leave(scan.Domain.Span, [scan.Along]);
                break;
            case Sort sort:
                Axes(sort, sort.Domain.Span, [sort.Along]);
                Expressions(sort, [.. sort.Indices, sort.Value]);
                Target(sort, sort.Target, sort.Indices);
                if (sort.Target.DType != DType.Int32)
                    throw Wrong("ASH0515", sort, $"puts positions into {sort.Target}.", "make the target i32.");
                OwnElement(sort, sort.Target, null, [.. sort.Indices, sort.Value]);
                Leave(sort.Domain.Span, [sort.Along]);
                break;
            case Dot dot:
                Check(dot);
                break;
            case Whole whole:
                Check(whole);
                break;
            default:
                throw new KernelException("ASH0528", $"'{statement.GetType().Name}' is not a statement that tile programs know.",
                    "build programs from the statements of Ashlar.Tiles.");
        }
    }

    void Loop(For loop, bool mayBeParallel)
    {
        bool parallel = loop.Kind == LoopKind.Parallel;
        if (parallel && !mayBeParallel)
            throw Wrong("ASH0518", loop, "is parallel within other statements.",
                "keep parallel loops outermost: a loop over nothing but the next one, and the work innermost.");
        if (loop.Stages < 1 || loop.Stages > 1 && loop.Kind != LoopKind.Pipelined)
            throw Wrong("ASH0524", loop, $"is {loop.Kind} with {loop.Stages} stages.",
                "give pipelined loops 1 stage or more, others 1.");
        Axes(loop, [new(loop.Variable, loop.Count)], []);
        bool outer = inGrid;
        inGrid |= parallel;
        Body(loop.Body, mayBeParallel: parallel && loop.Body is [For { Kind: LoopKind.Parallel }]);
        inGrid = outer;
        variables.Remove(loop.Variable);
    }

    void Check(Store store)
    {
        Node[] roots = [.. store.Indices, store.Value, .. store.Guard is null ? [] : new[] { store.Guard }];
        Axes(store, store.Domain.Span, []);
        Expressions(store, roots);
        Target(store, store.Target, store.Indices);
        OfType(store, store.Value, store.Target.DType);
        if (store.Guard is not null) Condition(store, store.Guard, "guard");
        if (store.Mode == StoreMode.Add && store.Target.DType == DType.Bool)
            throw Wrong("ASH0515", store, $"adds to {store.Target}.", "use Max for an or, or another element type.");
        if (store.IsAtomic && (store.Mode == StoreMode.Set || store.Target is not TileBuffer))
            throw Wrong("ASH0584", store, "is atomic, but replaces, or writes to a tile, which one iteration has for itself.",
                "make atomic what adds to a buffer or keeps the greater there.");
        OwnElement(store, store.Target, store.Indices, roots);
        Leave(store.Domain.Span, []);
    }

    void Check(Reduce reduce)
    {
        Axes(reduce, reduce.Domain.Span, reduce.Over.Span);
        Expressions(reduce, [.. reduce.Indices, reduce.Value]);
        Target(reduce, reduce.Target, reduce.Indices);
        var dtype = reduce.Value.DType;
        bool picks = reduce.Op is Op.ArgMax or Op.ArgMin, sums = reduce.Op is Op.ReduceSum or Op.ReduceProd;
        if (!picks && !sums && reduce.Op is not (Op.ReduceMax or Op.ReduceMin))
            throw Wrong("ASH0519", reduce, $"reduces by {reduce.Op}, which is not a reduction.",
                "use ReduceSum, ReduceProd, ReduceMax, ReduceMin, ArgMax or ArgMin.");
        if (picks && reduce.Accumulate)
            throw Wrong("ASH0519", reduce, $"accumulates {reduce.Op}, but a position alone does not say what it was compared by.",
                "keep the extreme in a tile of its own and select.");
        if (sums && dtype == DType.Bool)
            throw Wrong("ASH0519", reduce, $"reduces bools by {reduce.Op}.",
                "cast to i32 to count, or use ReduceMax and ReduceMin for any and all.");
        var wanted = picks ? DType.Int32 : sums && dtype is DType.BFloat16 or DType.Float16 ? DType.Float32 : dtype;
        if (reduce.Target.DType != wanted)
            throw Wrong("ASH0515", reduce, $"puts {reduce.Op} of {dtype.Name} into {reduce.Target}.",
                $"make the target {wanted.Name}.");
        Variables(reduce, reduce.Indices, reduce.Over.Span, "its indices");
        OwnElement(reduce, reduce.Target, null, [.. reduce.Indices, reduce.Value]);
        Leave(reduce.Domain.Span, reduce.Over.Span);
    }

    void Check(Whole whole)
    {
        foreach (var buffer in whole.Inputs.Append(whole.Target))
            if (!buffers.Contains(buffer))
                throw Wrong("ASH0513", whole, $"uses the buffer {buffer}, which the kernel does not list.",
                    "list it among the kernel's buffers.");
        if (inGrid)
            throw Wrong("ASH0518", whole, "stands in a parallel loop, but is a kernel by itself.", "take it out of the loop.");
        var node = whole.ToNode();
        if (!whole.Target.Written || whole.Target.DType != node.DType || whole.Target.Shape.Elements != node.Shape.Elements)
            throw Wrong("ASH0515", whole, $"puts {node.DType.Name}{node.Shape} into {whole.Target}.",
                "make the target an output of the op's type.");
    }

    void Check(Dot dot)
    {
        Axes(dot, [dot.Row, dot.Column], [dot.Inner]);
        Expressions(dot, [dot.Left, dot.Right]);
        if (dot.Target.Shape.Rank != 2)
            throw Wrong("ASH0523", dot, $"accumulates into {dot.Target}.", "give the target two axes: rows and columns.");
        Node[] indices = [dot.Row.Variable.Index(), dot.Column.Variable.Index()];
        Target(dot, dot.Target, indices);
        if (dot.Left.DType != dot.Right.DType)
            throw Wrong("ASH0523", dot, $"multiplies {dot.Left.DType.Name} by {dot.Right.DType.Name}.",
                "cast one side to the other's type.");
        DType? sum = dot.Left.DType switch
        {
            DType.Float64 => DType.Float64,
            DType.Float32 or DType.Float16 or DType.BFloat16 => DType.Float32,
            DType.Int8 or DType.UInt8 or DType.Int16 => DType.Int32,
            _ => null,
        };
        if (sum != dot.Target.DType)
            throw Wrong("ASH0523", dot, $"sums products of {dot.Left.DType.Name} in {dot.Target}.",
                sum is { } right ? $"make the target {right.Name}." : "use Reduce: matrix units know floats, i8, u8 and i16.");
        Variables(dot, [dot.Left], [dot.Column], "its left side");
        Variables(dot, [dot.Right], [dot.Row], "its right side");
        OwnElement(dot, dot.Target, null, [dot.Left, dot.Right]);
        Leave([dot.Row, dot.Column], [dot.Inner]);
    }

    // Brings the axes into scope, each after its extent was checked.
    void Axes(Statement statement, ReadOnlySpan<DomainAxis> domain, ReadOnlySpan<DomainAxis> more)
    {
        foreach (var axis in (DomainAxis[])[.. domain, .. more])
        {
            var (variable, extent) = axis;
            Expressions(statement, [extent]);
            if (extent.DType != DType.Int64)
                throw Wrong("ASH0517", statement, $"lets '{variable}' run to an extent of {extent.DType.Name}.",
                    "use an i64 scalar.");
            if (Traversal.PostOrder([extent]).Find(node => node.Op == Op.Load) is { } load)
                throw Wrong("ASH0517", statement, $"reads the extent of '{variable}' from {load.Source()}.",
                    "make extents of sizes, numbers and outer loop variables.");
            Symbols([variable.Count], variable);
            if (!variables.Add(variable))
                throw Wrong("ASH0511", statement, $"binds the variable '{variable}', which a loop around it has bound.",
                    "use another variable.");
        }
    }

    void Leave(ReadOnlySpan<DomainAxis> domain, ReadOnlySpan<DomainAxis> more)
    {
        foreach (var axis in domain) variables.Remove(axis.Variable);
        foreach (var axis in more) variables.Remove(axis.Variable);
    }

    void Expressions(Statement statement, ReadOnlySpan<Node> roots)
    {
        foreach (var node in Traversal.PostOrder(roots.ToArray()))
        {
            switch (node.Op)
            {
                case Op.Index:
                    if (node.Attributes is not IndexAttributes { Variable: LoopVariable variable }
                        || !variables.Contains(variable))
                        throw Wrong("ASH0511", statement,
                            $"uses the variable '{node.Get<IndexAttributes>().Variable}' outside of the loop that binds it.",
                            "use variables of the loops around the statement and of its domain.");
                    break;
                case Op.Load:
                    Load(statement, node);
                    break;
                case Op.Size:
                    Symbols([node.Get<SizeAttributes>().Extent], statement);
                    break;
                case Op.Constant or Op.Bound or >= Op.Neg and <= Op.RandomBits:
                    break;
                default:
                    throw Wrong("ASH0520", statement, $"computes {node}, which is not an op of tile expressions.",
                        "use elementwise ops over loop variables, sizes, loads and constants.");
            }
            if (node.Shape.Rank != 0)
                throw Wrong("ASH0520", statement, $"computes {node}, which is not one number.",
                    "give every node of an expression the scalar shape.");
        }
    }

    void Load(Statement statement, Node load)
    {
        if (load.Get<LoadAttributes>().Source is not Memory memory)
            throw Wrong("ASH0520", statement, $"loads from a {load.Get<LoadAttributes>().Source.GetType().Name}.",
                "load from buffers and tiles; TileNodes.Load builds the node.");
        Known(statement, memory);
        int rank = load.Get<LoadAttributes>().Rank;
        if (rank != memory.Shape.Rank || load.DType != memory.DType)
            throw Wrong("ASH0516", statement, $"reads {memory} as {load.DType.Name} with {rank} indices.",
                $"give one i64 index per axis: {memory.Shape.Rank}.");
    }

    void Target(Statement statement, Memory target, IReadOnlyList<Node> indices)
    {
        Known(statement, target);
        if (target is TileBuffer { Written: false })
            throw Wrong("ASH0514", statement, $"writes to the buffer {target}, which is declared as read only.",
                "declare the buffer as written.");
        if (indices.Count != target.Shape.Rank || indices.Any(index => index.DType != DType.Int64))
            throw Wrong("ASH0516", statement,
                $"writes to {target} with the indices ({string.Join(", ", indices.Select(index => index.DType.Name))}).",
                $"give one i64 index per axis: {target.Shape.Rank}.");
    }

    void Known(Statement statement, Memory memory)
    {
        if (memory is TileBuffer buffer && !buffers.Contains(buffer))
            throw Wrong("ASH0513", statement, $"uses the buffer {buffer}, which '{program.Name}' does not list.",
                "add it to the program's buffers.");
        if (memory is not Tile tile) return;
        if (!tiles.TryGetValue(tile, out bool madeInGrid))
            throw Wrong("ASH0512", statement, $"uses the tile {tile} where it is not allocated.",
                "allocate it earlier in this body or in one around it.");
        if (inGrid && !madeInGrid)
            throw Wrong("ASH0525", statement, $"uses the tile {tile} in a parallel loop, but it is allocated outside.",
                "allocate it within the loop, or use a buffer.");
    }

    void OfType(Statement statement, Node value, DType dtype)
    {
        if (value.DType != dtype)
            throw Wrong("ASH0515", statement, $"puts a value of {value.DType.Name} where {dtype.Name} is kept.",
                $"cast the value to {dtype.Name}.");
    }

    void Condition(Statement statement, Node condition, string what)
    {
        if (condition.DType != DType.Bool)
            throw Wrong("ASH0522", statement, $"has a {what} of {condition.DType.Name}.",
                "compare: a condition is a bool scalar.");
    }

    // A statement's own target: elementwise updates may read the element they write, nothing else.
    void OwnElement(Statement statement, Memory target, IReadOnlyList<Node>? allowed, ReadOnlySpan<Node> roots)
    {
        foreach (var node in Traversal.PostOrder(roots.ToArray()))
            if (node.Op == Op.Load && ReferenceEquals(node.Source(), target)
                && (allowed is null || !node.Indices().SequenceEqual(allowed)))
                throw Wrong("ASH0521", statement, $"reads {target} elsewhere than where it writes: {TileText.Line(node)}.",
                    allowed is null
                        ? "put the values read into another tile first."
                        : "read the target at the indices of the store, or use another tile.");
    }

    void Variables(Statement statement, IReadOnlyList<Node> roots, ReadOnlySpan<DomainAxis> forbidden, string where)
    {
        foreach (var node in Traversal.PostOrder(roots))
            foreach (var axis in forbidden)
                if (node.Op == Op.Index && node.Variable() == axis.Variable)
                    throw Wrong("ASH0511", statement, $"uses the variable '{axis.Variable}' in {where}, where it has no value.",
                        "use only the variables that the statement documents there.");
    }

    void Symbols(IEnumerable<Extent> extents, object where)
    {
        foreach (var extent in extents)
        {
            if (extent.IsConstant) continue;
            foreach (var symbol in extent.Symbols)
                if (!symbols.TryAdd(symbol.Name, symbol) && symbols[symbol.Name] != symbol)
                    throw new KernelException("ASH0526",
                        $"'{program.Name}' has two symbols called '{symbol.Name}' with other bounds; one is in '{(where is Statement statement ? TileText.Line(statement) : where)}'.", "use one symbol, or two names.");
        }
    }

    KernelException Wrong(string code, Statement statement, string problem, string fix) =>
        new(code, $"in '{program.Name}', '{TileText.Line(statement)}'{statement.At} {problem}", fix);
}
