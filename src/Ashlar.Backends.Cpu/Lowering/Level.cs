using Ashlar.Backends.Cpu.Vec;
using Ashlar.Graph;
using Ashlar.Tiles;

namespace Ashlar.Backends.Cpu.Lowering;

/// <summary>The innermost variable of a loop whose body is written in vectors.</summary>
/// <param name="Variable">Lane i of a value belongs to this variable plus i.</param>
/// <param name="Lanes">How many.</param>
/// <param name="Rest">A scalar: how many lanes are within the loop; null when all are.</param>
internal sealed record VectorAxis(LoopVariable Variable, int Lanes, Reg? Rest);

/// <summary>A place where values are computed: the function, a loop's body, a branch, or the part of a body for one
/// vector.</summary>
/// <remarks>
/// A value belongs to the outermost level where all it depends on is known; computed there once, it is kept for every level
/// inside. Levels around the present one are open: what is written to them comes before the loop that is being written.
/// </remarks>
internal sealed class Level(Level? outer, VecBlock block, Dictionary<(Reg, Reg?, long), Reg>? sums = null)
{
    public Level? Outer => outer;

    public VecBlock Block => block;

    /// <summary>Depth from the function, 0.</summary>
    public int Depth { get; } = outer is null ? 0 : outer.Depth + 1;

    /// <summary>The variables bound here: a register, and a constant to add to it.</summary>
    public Dictionary<LoopVariable, (Reg Counter, long Offset)> Counters { get; } = [];

    /// <summary>Bits of the variables bound here.</summary>
    public ulong Variables { get; set; }

    /// <summary>Bits of the memories that are written while this level's loop runs: what is loaded from them changes.</summary>
    public ulong Writes { get; set; }

    /// <summary>True for the body of a branch: loads may be invalid outside.</summary>
    public bool IsConditional { get; init; }

    /// <summary>Set when this level is for one vector of the loop around it.</summary>
    public VectorAxis? Axis { get; init; }

    /// <summary>Values computed here, in the form of this level.</summary>
    public Dictionary<Node, Reg> Values { get; } = [];

    /// <summary>Values of this level as vectors for levels inside.</summary>
    public Dictionary<(Node, VecType), Reg> Spread { get; } = [];

    /// <summary>Parts of addresses: products and sums of registers. The vectors of one loop body share them.</summary>
    public Dictionary<(Reg, Reg?, long), Reg> Sums { get; } = sums ?? [];

    /// <summary>The mask of the lanes within the loop, by width; only where <see cref="VectorAxis.Rest"/> is set.</summary>
    public Dictionary<Elem, Reg> Masks { get; } = [];

    /// <summary>The register and offset of a variable, here or further out.</summary>
    public (Reg Counter, long Offset) CounterOf(LoopVariable variable)
    {
        for (var level = this; level is not null; level = level.Outer)
            if (level.Counters.TryGetValue(variable, out var counter)) return counter;
        throw new InvalidOperationException($"the variable {variable} is not bound here");
    }
}
