using System.Text;
using Ashlar.Backends.Cpu.Matrix;
using Ashlar.Backends.Cpu.Vec;
using Ashlar.Graph;
using Ashlar.Tiles;
using Store = Ashlar.Tiles.Store;

namespace Ashlar.Backends.Cpu.Lowering;

/// <summary>How much a lowering may unroll and fuse: less where the generated code would pass RyuJIT's budget.</summary>
/// <param name="Unroll">Vectors per iteration of an innermost loop, at most.</param>
/// <param name="Fuse">Run neighbouring statements over the same domain as one loop.</param>
internal readonly record struct LoweringOptions(int Unroll, bool Fuse)
{
    /// <summary>From the most to the least code.</summary>
    public static LoweringOptions[] Choices { get; } = [new(4, true), new(1, true), new(1, false)];
}

/// <summary>Turns tile programs into Vec functions.</summary>
/// <remarks>
/// How this works. The outermost parallel loops become one loop over the flat grid. Statements over the same domain run as one
/// loop (<see cref="LoopGroup"/>), the axis along which memory is contiguous innermost and in vectors. Expressions are computed
/// at the outermost <see cref="Level"/> where all they need is known: what a row needs once is computed once. Tiles lie in the
/// worker's scratch memory, tiles of one element in a register.
/// </remarks>
internal sealed partial class TileLowering
{
    readonly TileProgram program;
    readonly Isa isa;
    readonly LoweringOptions options;
    readonly List<Extent> sizes = [];
    readonly List<string> sites = [];
    readonly IntegerRanges ranges = new();
    readonly Dictionary<Memory, int> memoryBits = [];
    readonly Dictionary<LoopVariable, int> variableBits = [];
    readonly Dictionary<Node, (ulong Variables, ulong Memories)> dependences = [];
    readonly Dictionary<Tile, Extent> places = [];
    readonly Dictionary<Tile, Reg> scalars = [];
    Extent scratch = ScratchHeader.Bytes;
    bool scalarTilesInMemory;
    bool streams;
    VecBuilder f = null!;
    Level level = null!;

    TileLowering(TileProgram program, Isa isa, LoweringOptions options, StringBuilder? schedule)
    {
        this.program = program;
        this.isa = isa;
        this.options = options;
        this.schedule = schedule;
    }

    /// <summary>The functions of a program.</summary>
    /// <param name="program">A program that the verifier accepts.</param>
    /// <param name="isa">The path to use.</param>
    /// <param name="options">How much to unroll and fuse; null for the most.</param>
    /// <param name="schedule">Told line by line what was decided; null where nobody asks.</param>
    public static LoweredKernel Lower(TileProgram program, Isa isa, LoweringOptions? options = null,
        StringBuilder? schedule = null) =>
        new TileLowering(program, isa, options ?? LoweringOptions.Choices[0], schedule).Run();

    /// <summary>The functions of a program with machine code: the most unrolled and fused form that RyuJIT optimises.</summary>
    public static (LoweredKernel Kernel, KernelEntry[] Entries) Compile(TileProgram program, Isa isa,
        StringBuilder? schedule = null)
    {
        for (int choice = 0; ; choice++)
        {
            schedule?.Clear();
            var kernel = Lower(program, isa, LoweringOptions.Choices[choice], schedule);
            try
            {
                return (kernel, [.. kernel.Phases.Select(phase => VecCompiler.Compile<KernelEntry>(phase.Function))]);
            }
            catch (KernelException error) when (error.Code == "ASH0551" && choice + 1 < LoweringOptions.Choices.Length)
            {
                continue;   // past the budget: less code
            }
        }
    }

    LoweredKernel Run()
    {
        var phases = new List<LoweredPhase>();
        var runs = Phases();
        scalarTilesInMemory = runs.Count > 1;
        PlanPackings(program.Body, 0);
        foreach (var packing in packings.Values) phases.Add(PackingPhase(packing, phases.Count));
        foreach (var (number, run) in runs.Index()) phases.Add(Phase(run, number));
        return new(program.Name, phases, sizes, scratch, shared, sites) { TileProducts = [.. tileProducts] };
    }

    // A parallel loop is a phase; what stands between parallel loops is one too.
    List<List<Statement>> Phases()
    {
        var runs = new List<List<Statement>>();
        bool open = false;
        foreach (var statement in program.Body)
        {
            bool grid = statement is For { Kind: LoopKind.Parallel };
            if (grid || !open) runs.Add([]);
            runs[^1].Add(statement);
            open = !grid;
        }
        return runs;
    }

    LoweredPhase Phase(List<Statement> statements, int number)
    {
        Open(number == 0 ? program.Name : $"{program.Name}_{number}");
        var loops = new List<For>();
        IReadOnlyList<Statement> body = statements;
        while (body is [For { Kind: LoopKind.Parallel } loop])
        {
            loops.Add(loop);
            body = loop.Body;
        }
        NotePhase(number == 0 ? program.Name : $"{program.Name}_{number}", loops, HasDots(body));
        bool usesTiles = UsesTiles(body);
        if (usesTiles) f.Call(typeof(TileKernels).GetMethod(nameof(TileKernels.Configure))!);
        Grid(loops, WrittenBy(body), () => Noted(() => Body(body)), body);
        if (usesTiles) f.Call(typeof(TileKernels).GetMethod(nameof(TileKernels.Release))!);
        if (streams) f.Fence();
        return new(f.Build(), [.. loops.Select(loop => loop.Count)], HasDots(body));
    }

    void Open(string name)
    {
        f = VecBuilder.Kernel(name, isa);
        level = new(null, f.Block);
        scalars.Clear();
        pointers.Clear();
        streams = false;
    }

    static bool HasDots(IEnumerable<Statement> body) => body.Any(statement => statement switch
    {
        For loop => HasDots(loop.Body),
        Tiles.If branch => HasDots(branch.Body),
        Dot => true,
        _ => false,
    });

    // One loop over the flat grid. The variables count up with carries: no division in the loop. A variable with which the loops
    // inside get longer runs from its last value to its first: the longest steps come first, and the workers end together.
    void Grid(List<For> loops, ulong writes, Action body, IReadOnlyList<Statement>? steps = null)
    {
        bool[] descend = [.. loops.Select(loop => steps is not null && Slopes.Lengthens(steps, loop.Variable))];
        Reg[] counts = [.. loops.Select(loop => One(loop.Count))];
        var counters = new Reg[loops.Count];
        if (loops.Count > 1)
        {
            var rest = f.Begin;
            for (int i = loops.Count - 1; i >= 0; i--)
            {
                counters[i] = f.Var(i == 0 ? rest : f.Binary(VecOp.FloorMod, rest, counts[i]), loops[i].Variable.Name);
                if (i > 0) rest = f.Binary(VecOp.FloorDiv, rest, counts[i]);
            }
        }
        f.Loop(f.Begin, f.End, 1, flat =>
        {
            if (loops.Count == 1) counters[0] = flat;
            Within(new(level, f.Block) { Writes = writes },
                [.. loops.Select((loop, i) => (loop.Variable, descend[i] ? counts[i] - 1 - counters[i] : counters[i]))], body);
            if (loops.Count > 1) Advance(counters, counts, loops.Count - 1);
        }, loops.Count == 1 ? loops[0].Variable.Name : "step");
    }

    void Advance(Reg[] counters, Reg[] counts, int axis)
    {
        f.Assign(counters[axis], counters[axis] + 1);
        if (axis == 0) return;
        f.If(counters[axis] >= counts[axis], () =>
        {
            f.Assign(counters[axis], f.Const(0));
            Advance(counters, counts, axis - 1);
        });
    }

    // Writes code at a level inside the present one.
    void Within(Level inner, IEnumerable<(LoopVariable Variable, Reg Counter)> bound, Action code)
    {
        foreach (var (variable, counter) in bound)
        {
            inner.Counters[variable] = (counter, 0);
            inner.Variables |= Bit(variable);
        }
        var outer = level;
        level = inner;
        code();
        level = outer;
    }

    void Body(IReadOnlyList<Statement> body)
    {
        // Memory first: where tiles are allocated between them, statements could not share a loop.
        if (options.Fuse) body = [.. body.OfType<Allocate>(), .. body.Where(statement => statement is not Allocate)];
        PlanPrefetches(body);
        for (int i = 0; i < body.Count;)
        {
            if (Strips(body, i) is var done && done > i)
            {
                i = done;
                continue;
            }
            switch (body[i])
            {
                case Store store when i + 1 < body.Count && body[i + 1] is Dot next && IsCleared(store, next)
                    && ProductOnTiles(next, replaces: true):
                    i += 2;
                    continue;
                case Store or Reduce:
                    int end = GroupEnd(body, i);
                    Group([.. body.Skip(i).Take(end - i)]);
                    i = end;
                    continue;
                case Allocate allocate:
                    Place(allocate.Tile);
                    break;
                case For loop:
                    var count = One(loop.Count);
                    Note($"serial {loop.Variable.Name} < {(schedule is null ? "" : TileText.Line(loop.Count))}");
                    f.Loop(f.Const(0), count, 1, counter =>
                        Within(new(level, f.Block) { Writes = WrittenBy(loop.Body) }, [(loop.Variable, counter)],
                            () => Noted(() => Body(loop.Body))), loop.Variable.Name);
                    Forget(WrittenBy(loop.Body));
                    break;
                case Tiles.If branch:
                    Note($"if {(schedule is null ? "" : TileText.Line(branch.Condition))}");
                    f.If(Truth(One(branch.Condition)),
                        () => Within(new(level, f.Block) { IsConditional = true }, [], () => Noted(() => Body(branch.Body))));
                    Forget(WrittenBy(branch.Body));
                    break;
                case Tiles.Scan scan:
                    Note("running reductions, one row at a time");
                    NoteStatements([scan]);
                    Prefixes(scan);
                    Forget(Bit(scan.Target));
                    break;
                case Sort sort:
                    Note("rows sorted one by one");
                    NoteStatements([sort]);
                    Sorted(sort);
                    Forget(Bit(sort.Target));
                    break;
                case Dot dot:
                    Product(dot);
                    Forget(Bit(dot.Target));
                    break;
                default:
                    throw new KernelException("ASH0561",
                        $"the CPU has no code for the statement '{body[i].GetType().Name}', in the kernel '{program.Name}'.",
                        "write it with stores, reductions, scans, sorts and dots.");
            }
            i++;
        }
    }

    int GroupEnd(IReadOnlyList<Statement> body, int begin) => options.Fuse ? LoopGroup.End(body, begin) : begin + 1;

    // Bookkeeping of what depends on what.

    ulong Bit(LoopVariable variable)
    {
        if (!variableBits.TryGetValue(variable, out int bit)) variableBits[variable] = bit = variableBits.Count;
        return Bit(bit, "loop variables");
    }

    ulong Bit(Memory memory)
    {
        if (!memoryBits.TryGetValue(memory, out int bit)) memoryBits[memory] = bit = memoryBits.Count;
        return Bit(bit, "buffers and tiles");
    }

    ulong Bit(int bit, string what) => bit < 64 ? 1UL << bit : throw new KernelException("ASH0562",
        $"the kernel '{program.Name}' has more than 64 {what}.", "split the kernel in two.");

    ulong WrittenBy(IEnumerable<Statement> body) => body.Aggregate(0UL, (bits, statement) => bits | statement switch
    {
        For loop => WrittenBy(loop.Body),
        Tiles.If branch => WrittenBy(branch.Body),
        Store store => Bit(store.Target),
        Reduce reduce => Bit(reduce.Target),
        Tiles.Scan scan => Bit(scan.Target),
        Sort sort => Bit(sort.Target),
        Dot dot => Bit(dot.Target),
        _ => 0,
    });

    /// <summary>The variables an expression depends on and the memories it reads.</summary>
    (ulong Variables, ulong Memories) Dependences(Node node)
    {
        if (dependences.TryGetValue(node, out var found)) return found;
        if (node.Op == Op.Index) found.Variables |= Bit(node.Variable());
        if (node.Op == Op.Load) found.Memories |= Bit(node.Source());
        foreach (var input in node.Inputs)
        {
            var (variables, memories) = Dependences(input);
            found = (found.Variables | variables, found.Memories | memories);
        }
        return dependences[node] = found;
    }

    // Values computed from a memory are stale once it is written.
    void Forget(ulong memories)
    {
        for (var at = level; at is not null; at = at.Outer)
        {
            foreach (var node in at.Values.Keys.Where(node => (Dependences(node).Memories & memories) != 0).ToList())
                at.Values.Remove(node);
            foreach (var key in at.Spread.Keys.Where(key => (Dependences(key.Item1).Memories & memories) != 0).ToList())
                at.Spread.Remove(key);
        }
    }

    /// <summary>The outermost level, seen from the present one, where a value can be computed, or is already.</summary>
    Level Home(Node node) => Home(node, level);

    Level Home(Node node, Level at)
    {
        var (variables, memories) = Dependences(node);
        while (at.Outer is not null && (variables & at.Variables) == 0 && (memories & at.Writes) == 0)
        {
            if (at.IsConditional && memories != 0)
            {
                // What is loaded in a branch may be invalid outside, unless it has been loaded there.
                var outside = Home(node, at.Outer);
                return outside.Values.ContainsKey(node) ? outside : at;
            }
            at = at.Outer;
        }
        return at;
    }

    // Tiles.

    bool IsScalar(Memory memory) =>
        memory is Tile { Shape.Rank: 0 } && memory.DType.Compute == memory.DType && !scalarTilesInMemory;

    void Place(Tile tile)
    {
        if (IsScalar(tile))
        {
            var reg = f.Var(tile.DType == DType.Int64
                ? VecType.Scalar
                : tile.DType == DType.Bool ? VecType.Scalar : VecType.Of(tile.DType, 1), tile.Name);
            f.Assign(reg, reg.Type.IsScalar ? f.Const(0) : f.ConstBits(reg.Type, 0));
            scalars[tile] = reg;
            return;
        }
        places[tile] = scratch;
        Extent elements = strip?.Narrowed.Contains(tile) == true ? tile.Shape[1..].Elements * StripRows : tile.Shape.Elements;
        Extent bytes = elements * tile.DType.Bytes;
        // One vector of room behind every tile, and 64-byte alignment where the size is a number.
        scratch += bytes.TryGetValue(out long number) ? (number + 127) / 64 * 64 : bytes + 64;
    }
}
