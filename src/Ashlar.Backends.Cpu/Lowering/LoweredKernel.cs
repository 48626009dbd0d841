using Ashlar.Backends.Cpu.Matrix;
using Ashlar.Backends.Cpu.Vec;
using Ashlar.Graph;

namespace Ashlar.Backends.Cpu.Lowering;

/// <summary>A tile program as Vec functions, with what running them needs.</summary>
/// <remarks>
/// To run: evaluate <see cref="Sizes"/> into an array; for each phase in order, cut 0 .. <see cref="LoweredPhase.Grid"/> into
/// parts, call the function once per part on any worker (parts of one phase at once), and wait for all before the next phase.
/// Every worker brings <see cref="ScratchBytes"/> bytes of its own, aligned to 64. Where <see cref="Sites"/> is not empty, the
/// first 8 bytes of every worker's scratch must be 0 before the first phase; where <see cref="SharedBytes"/> is not 0, its
/// <see cref="ScratchHeader.Shared"/> must be the address of so many; see <see cref="ScratchHeader"/> for what is there
/// afterwards.
/// </remarks>
/// <param name="Name">The program's name.</param>
/// <param name="Phases">In order, with a barrier between two.</param>
/// <param name="Sizes">The run-time integers that the functions take, over the program's symbols.</param>
/// <param name="ScratchBytes">Memory each worker needs, header included.</param>
/// <param name="SharedBytes">Memory that all workers of a launch share, 0 for none; aligned to 64.</param>
/// <param name="Sites">The checked indices of the program.</param>
internal sealed record LoweredKernel(string Name, IReadOnlyList<LoweredPhase> Phases, IReadOnlyList<Extent> Sizes,
    Extent ScratchBytes, Extent SharedBytes, IReadOnlyList<string> Sites)
{
    /// <summary>The products of the tile unit that the functions call, and whether each adds to its sums.</summary>
    public IReadOnlyList<(TileProduct Product, bool Adds)> TileProducts { get; init; } = [];

    /// <summary>The error that a worker's scratch tells of; null where every index was in range.</summary>
    public KernelException? ErrorOf(in ScratchHeader header) => header.Site == 0 ? null : new("ASH0510",
        $"{Sites[(int)header.Site - 1]} met the index {header.Index}, but the axis has {header.Extent} elements. This is in the kernel '{Name}'.",
        "clamp or check the indices; they count from 0, negative ones do not count from the end.");
}

/// <summary>One parallel nest of a program, or a run of statements between two.</summary>
/// <param name="Function">With the parameters of <see cref="KernelEntry"/>.</param>
/// <param name="Counts">The grid: counts of its loops, outermost first; int64 scalars over sizes. Empty: one iteration.</param>
/// <param name="HasLongSteps">An iteration multiplies tiles: workers take them one by one.</param>
internal sealed record LoweredPhase(VecFunction Function, IReadOnlyList<Node> Counts, bool HasLongSteps = false)
{
    /// <summary>How many iterations there are, for these values of the symbols.</summary>
    public long Grid(Func<Symbol, long> values)
    {
        long product = 1;
        foreach (var count in Counts) product = checked(product * Math.Max(HostIntegers.Evaluate(count, values), 0));
        return product;
    }
}

/// <summary>What lies at the beginning of a worker's scratch memory.</summary>
/// <param name="Site">1 + the place in <see cref="LoweredKernel.Sites"/> of an index that was out of range; 0 for none.</param>
/// <param name="Index">That index.</param>
/// <param name="Extent">What it had to be below.</param>
/// <param name="Shared">The address of the memory that all workers share.</param>
internal readonly record struct ScratchHeader(long Site, long Index, long Extent, long Shared = 0)
{
    /// <summary>Where <see cref="Shared"/> lies.</summary>
    public const int SharedAt = 24;

    /// <summary>Bytes of the header with its padding.</summary>
    public const int Bytes = 64;
}

/// <summary>Evaluates int64 scalars over sizes and numbers on the host.</summary>
internal static class HostIntegers
{
    /// <summary>The value of an expression without loop variables and loads.</summary>
    public static long Evaluate(Node node, Func<Symbol, long> values)
    {
        long Input(int i) => Evaluate(node.Inputs[i], values);
        return node.Op switch
        {
            Op.Constant => node.Get<ConstantAttributes>().Integer,
            Op.Size => node.Get<SizeAttributes>().Extent.Evaluate(values),
            Op.Neg => -Input(0),
            Op.Add => Input(0) + Input(1),
            Op.Sub => Input(0) - Input(1),
            Op.Mul => Input(0) * Input(1),
            Op.Div => Scalars.FloorDiv(Input(0), Input(1)),
            Op.Mod => Scalars.FloorMod(Input(0), Input(1)),
            Op.Min => Math.Min(Input(0), Input(1)),
            Op.Max => Math.Max(Input(0), Input(1)),
            Op.Select => Input(0) != 0 ? Input(1) : Input(2),
            Op.Less => Input(0) < Input(1) ? 1 : 0,
            Op.LessEqual => Input(0) <= Input(1) ? 1 : 0,
            Op.Equal => Input(0) == Input(1) ? 1 : 0,
            Op.NotEqual => Input(0) != Input(1) ? 1 : 0,
            Op.And => Input(0) & Input(1),
            Op.Or => Input(0) | Input(1),
            _ =>
                throw new KernelException("ASH0560",
                    $"the number of iterations of a parallel loop uses {node.Meaning.Name}, which cannot be evaluated before the kernel runs.",
                "make counts of grid loops from sizes and integer arithmetic."),
        };
    }
}
