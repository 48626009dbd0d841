using System.Reflection;

namespace Ashlar.Backends.Cpu.Vec;

/// <summary>A typed virtual register: a mutable local of one <see cref="VecFunction"/>.</summary>
/// <remarks>Operators compute with the builder that made the register, so that formulas read as formulas.</remarks>
internal sealed partial class Reg(VecBuilder owner, int id, VecType type, string? name)
{
    public int Id => id;

    public VecType Type => type;

    /// <summary>The builder that made it; null only in hand-made test input.</summary>
    public VecBuilder Owner => owner;

    /// <summary>The value of a scalar that is a constant; otherwise null.</summary>
    public long? Known { get; init; }

    public override string ToString() => name is null ? $"%{id}" : $"%{name}.{id}";
}

/// <summary>A place in memory: <c>Pointer + Offset + Displacement</c>, all in bytes.</summary>
internal readonly record struct Address(Reg Pointer, Reg? Offset = null, long Displacement = 0)
{
    /// <summary>The place <paramref name="bytes"/> further.</summary>
    public static Address operator +(Address at, long bytes) => at with { Displacement = at.Displacement + bytes };

    public override string ToString() =>
        "[" + Pointer + (Offset is null ? "" : $" + {Offset}")
        + (Displacement == 0 ? "" : Displacement < 0 ? $" - {-Displacement}" : $" + {Displacement}") + "]";
}

/// <summary>Something that gives a value.</summary>
internal abstract record Operation(VecType Type);

/// <summary>The same constant in every lane.</summary>
/// <param name="Type">Any vector, or the scalar.</param>
/// <param name="Bits">The bits of one lane: those of the float for F32, in the low half.</param>
internal sealed record Constant(VecType Type, long Bits) : Operation(Type);

/// <summary>The value of a parameter of the function.</summary>
internal sealed record Parameter(int Index) : Operation(VecType.Scalar);

/// <summary>A pure computation on registers.</summary>
/// <param name="Immediate">Shift count of the <c>...By</c> operations; otherwise 0.</param>
internal sealed record Compute(VecOp Op, VecType Type, Reg? A = null, Reg? B = null, Reg? C = null, int Immediate = 0)
    : Operation(Type);

/// <summary>Lanes read from consecutive elements of memory; a scalar reads one integer and sign-extends it (u8, bool:
/// zeros).</summary>
/// <param name="Storage">How the elements lie in memory; converted to <see cref="VecType.ElemOf"/> of it.</param>
/// <param name="Mask">Where a lane is unset, memory is not touched and the lane is 0.</param>
internal sealed record Load(VecType Type, DType Storage, Address At, Reg? Mask = null) : Operation(Type);

/// <summary>One element of memory in every lane.</summary>
internal sealed record LoadSplat(VecType Type, DType Storage, Address At) : Operation(Type);

/// <summary>Lane i is element <c>Index[i]</c> counted from <c>At</c>.</summary>
/// <param name="Type">The type of the register.</param>
/// <param name="Storage">How the elements lie in memory.</param>
/// <param name="At">Where the indices count from.</param>
/// <param name="Index">One per lane.</param>
/// <param name="Mask">Where a lane is unset, memory is not touched and the lane is 0.</param>
internal sealed record Gather(VecType Type, DType Storage, Address At, Reg Index, Reg? Mask = null) : Operation(Type);

/// <summary>One step of a function.</summary>
internal abstract record Instruction;

/// <summary>Gives a register a value.</summary>
/// <param name="IsStatement">Compute it here; otherwise RyuJIT may see it as a part of the expression that uses it.</param>
internal sealed record Set(Reg Target, Operation Value, bool IsStatement = false) : Instruction;

/// <summary>Writes lanes to consecutive elements of memory; a scalar writes one integer, wrapped.</summary>
/// <param name="Mask">Where a lane is unset, memory is not touched.</param>
/// <param name="Stream">Around the caches. The address must be a multiple of the bytes written, which must be a whole
/// register.</param>
internal sealed record Store(Address At, DType Storage, Reg Value, Reg? Mask = null, bool Stream = false) : Instruction;

/// <summary>Lane i goes to element <c>Index[i]</c> counted from <c>At</c>, lane 0 first; lanes unset in the mask go
/// nowhere.</summary>
internal sealed record Scatter(Address At, DType Storage, Reg Value, Reg Index, Reg? Mask = null) : Instruction;

/// <summary>Asks for the cache line at an address, which need not be valid.</summary>
/// <param name="At">Where.</param>
/// <param name="Near">Into all cache levels; false leaves out the first, for what is used later.</param>
internal sealed record Prefetch(Address At, bool Near = true) : Instruction;

/// <summary>Makes streamed stores visible to other threads before later stores.</summary>
internal sealed record Fence : Instruction;

/// <summary>Runs the body with the counter at begin, begin + step, ... while it is below end. End and step are read
/// once.</summary>
internal sealed record Loop(Reg Counter, Reg Begin, Reg End, long Step, IReadOnlyList<Instruction> Body) : Instruction;

/// <summary>Runs one of two bodies: <paramref name="Then"/> where the scalar is not 0.</summary>
internal sealed record If(Reg Condition, IReadOnlyList<Instruction> Then, IReadOnlyList<Instruction> Else) : Instruction;

/// <summary>Calls a static method of long and nint parameters, for what is rare and long, such as sorting a row.</summary>
internal sealed record Call(MethodInfo Method, IReadOnlyList<Reg> Arguments, Reg? Result = null) : Instruction;

/// <summary>A line for the reader of a dump.</summary>
internal sealed record Note(string Text) : Instruction;

/// <summary>A function in the machine form of CPUs: structured code over typed, mutable virtual registers.</summary>
/// <param name="Name">Shown in dumps, profilers and errors.</param>
/// <param name="Isa">The path it is made for: what operations, widths and masks it may use.</param>
/// <param name="Parameters">Names of its parameters, all scalars.</param>
/// <param name="Body">Its instructions.</param>
internal sealed record VecFunction(string Name, Isa Isa, IReadOnlyList<string> Parameters, IReadOnlyList<Instruction> Body)
{
    /// <inheritdoc/>
    public override string ToString() => VecText.Print(this);
}
