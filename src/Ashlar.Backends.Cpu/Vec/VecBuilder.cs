using System.Numerics;
using System.Reflection;

namespace Ashlar.Backends.Cpu.Vec;

/// <summary>A body that is being written.</summary>
internal sealed class VecBlock
{
    public List<Instruction> Instructions { get; } = [];
}

/// <summary>Writes a <see cref="VecFunction"/>, one instruction after the other.</summary>
/// <remarks>
/// Every method that gives a register gives a new one, set once; <c>Var</c> makes one that <see cref="Assign"/> may set
/// again and again. Scalar arithmetic on constants is done while building. See README.md for an example.
/// </remarks>
internal sealed partial class VecBuilder
{
    readonly string name;
    readonly string[] parameters;
    readonly List<Instruction> constants = [];
    readonly Dictionary<(VecType, long), Reg> constantRegs = [];
    readonly List<Instruction> head = [];
    readonly Reg[] arguments;
    VecBlock block = new();
    int registers;

    /// <param name="name">Shown in dumps, profilers and errors.</param>
    /// <param name="isa">The path the function is for.</param>
    /// <param name="parameters">Names of the parameters, all scalars.</param>
    public VecBuilder(string name, Isa isa, params string[] parameters)
    {
        (this.name, Isa, this.parameters) = (name, isa, parameters);
        arguments = new Reg[parameters.Length];
        for (int i = 0; i < parameters.Length; i++)
        {
            arguments[i] = NewReg(VecType.Scalar, parameters[i]);
            head.Add(new Set(arguments[i], new Parameter(i)));
        }
    }

    /// <summary>A builder with the parameters of <see cref="KernelEntry"/>.</summary>
    public static VecBuilder Kernel(string name, Isa isa) => new(name, isa, "buffers", "sizes", "begin", "end", "scratch");

    /// <summary>The path the function is for.</summary>
    public Isa Isa { get; }

    /// <summary>The parameter at this index.</summary>
    public Reg Argument(int index) => arguments[index];

    /// <summary>Of a kernel: where the part of the grid that this call runs begins.</summary>
    public Reg Begin => arguments[2];

    /// <summary>Of a kernel: where the part of the grid that this call runs ends.</summary>
    public Reg End => arguments[3];

    /// <summary>Of a kernel: memory of this worker.</summary>
    public Reg Scratch => arguments[4];

    /// <summary>Of a kernel: the address of a buffer.</summary>
    public Reg Buffer(int index) => Load(VecType.Scalar, DType.Int64, At(arguments[0], 8 * index));

    /// <summary>Of a kernel: a run-time integer.</summary>
    public Reg Size(int index) => Load(VecType.Scalar, DType.Int64, At(arguments[1], 8 * index));

    /// <summary>How many lanes of this element fill one register of the path.</summary>
    public int LanesOf(Elem elem) => Isa.VectorBytes / new VecType(elem, 1).ElemBytes;

    /// <summary>The finished function, verified.</summary>
    /// <exception cref="KernelException">The function is not well formed.</exception>
    public VecFunction Build()
    {
        var function = new VecFunction(name, Isa, parameters, [.. head, .. constants, .. block.Instructions]);
        VecVerifier.Verify(function);
        return function;
    }

    // Registers and constants.

    Reg NewReg(VecType type, string? name = null, long? known = null) => new(this, registers++, type, name) { Known = known };

    /// <summary>A register without a value yet, to be set by <see cref="Assign"/>.</summary>
    public Reg Var(VecType type, string? name = null) => NewReg(type, name);

    /// <summary>A register that starts with a value and may be set again.</summary>
    public Reg Var(Reg initial, string? name = null)
    {
        var reg = NewReg(initial.Type, name);
        Assign(reg, initial);
        return reg;
    }

    /// <summary>Sets a register made by <c>Var</c>.</summary>
    public void Assign(Reg target, Reg value) => Emit(new Set(target, new Compute(VecOp.Copy, target.Type, value)));

    /// <summary>A scalar constant.</summary>
    public Reg Const(long value) => ConstBits(VecType.Scalar, value);

    /// <summary>A constant in every lane; rounded to the element type.</summary>
    public Reg Const(VecType type, double value) => ConstBits(type, type.Elem switch
    {
        Elem.F32 => BitConverter.SingleToUInt32Bits((float)value),
        Elem.F64 => BitConverter.DoubleToInt64Bits(value),
        Elem.I32 => (int)value,
        _ => (long)value,
    });

    /// <summary>Bits in every lane.</summary>
    public Reg ConstBits(VecType type, long bits)
    {
        if (type.ElemBytes == 4) bits = (uint)bits;
        if (constantRegs.TryGetValue((type, bits), out var reg)) return reg;
        reg = NewReg(type, known: type.IsScalar ? bits : null);
        constants.Add(new Set(reg, new Constant(type, bits)));
        return constantRegs[(type, bits)] = reg;
    }

    Reg Let(Operation value)
    {
        var reg = NewReg(value.Type);
        Emit(new Set(reg, value));
        return reg;
    }

    void Emit(Instruction instruction) => block.Instructions.Add(instruction);

    // Control.

    /// <summary>Runs the body for begin, begin + step, ... below end.</summary>
    public void Loop(Reg begin, Reg end, long step, Action<Reg> body, string? name = null)
    {
        var counter = NewReg(VecType.Scalar, name ?? "i");
        var instructions = Nested(() => body(counter));
        Emit(new Loop(counter, begin, end, step, instructions));
    }

    /// <summary>Runs <paramref name="then"/> where the scalar is not 0, else <paramref name="otherwise"/>.</summary>
    public void If(Reg condition, Action then, Action? otherwise = null)
    {
        if (condition.Known is { } known)
        {
            if (known != 0) then(); else otherwise?.Invoke();
            return;
        }
        var first = Nested(then);
        var second = otherwise is null ? [] : Nested(otherwise);
        Emit(new If(condition, first, second));
    }

    List<Instruction> Nested(Action body)
    {
        var outer = block;
        var inner = block = new();
        body();
        block = outer;
        return inner.Instructions;
    }

    /// <summary>The block that instructions go to now: a body, or the function's own.</summary>
    public VecBlock Block => block;

    /// <summary>Writes instructions at the end of a block around the present one: before the loop that is being written
    /// there.</summary>
    public void Into(VecBlock outer, Action instructions)
    {
        var inner = block;
        block = outer;
        instructions();
        block = inner;
    }

    /// <summary>Calls a static method of long and nint parameters.</summary>
    /// <returns>What it returns; null for void.</returns>
    public Reg? Call(MethodInfo method, params Reg[] arguments)
    {
        var result = method.ReturnType == typeof(void) ? null : NewReg(VecType.Scalar);
        Emit(new Call(method, arguments, result));
        return result;
    }

    /// <summary>A line for the reader of a dump.</summary>
    public void Note(string text) => Emit(new Note(text));

    // Memory.

    /// <summary>The address <c>pointer + displacement</c>.</summary>
    public static Address At(Reg pointer, long displacement = 0) => new(pointer, null, displacement);

    /// <summary>The address <c>pointer + offset + displacement</c>, in bytes.</summary>
    public static Address At(Reg pointer, Reg offset, long displacement = 0) => offset.Known is { } known
        ? new(pointer, null, known + displacement)
        : new(pointer, offset, displacement);

    /// <inheritdoc cref="Vec.Load"/>
    public Reg Load(VecType type, DType storage, Address at, Reg? mask = null) => Let(new Load(type, storage, at, mask));

    /// <inheritdoc cref="Vec.LoadSplat"/>
    public Reg LoadSplat(VecType type, DType storage, Address at) => Let(new LoadSplat(type, storage, at));

    /// <inheritdoc cref="Vec.Gather"/>
    public Reg Gather(VecType type, DType storage, Address at, Reg index, Reg? mask = null) =>
        Let(new Gather(type, storage, at, index, mask));

    /// <inheritdoc cref="Vec.Store"/>
    public void Store(Address at, DType storage, Reg value, Reg? mask = null, bool stream = false) =>
        Emit(new Store(at, storage, value, mask, stream));

    /// <inheritdoc cref="Vec.Scatter"/>
    public void Scatter(Address at, DType storage, Reg value, Reg index, Reg? mask = null) =>
        Emit(new Scatter(at, storage, value, index, mask));

    /// <inheritdoc cref="Vec.Prefetch"/>
    public void Prefetch(Address at, bool near = true) => Emit(new Prefetch(at, near));

    /// <inheritdoc cref="Vec.Fence"/>
    public void Fence() => Emit(new Fence());

    // Computation.

    /// <summary>One operand, result of the same type.</summary>
    public Reg Unary(VecOp op, Reg a)
    {
        if (a.Known is { } k && op is VecOp.Neg or VecOp.Not or VecOp.Copy)
            return Const(op switch { VecOp.Neg => -a.Known!.Value, VecOp.Not => ~a.Known!.Value, _ => a.Known!.Value });
        return Let(new Compute(op, a.Type, a));
    }

    /// <summary>Two operands of one type, result of that type.</summary>
    public Reg Binary(VecOp op, Reg a, Reg b)
    {
        if (a.Type.IsScalar && FoldScalar(op, a, b) is { } folded) return folded;
        return Let(new Compute(op, a.Type, a, b));
    }

    /// <summary>A mask of the operands' width, or scalar 0 or 1.</summary>
    public Reg Compare(VecOp op, Reg a, Reg b)
    {
        if (a.Known is { } x && b.Known is { } y)
            return Const(op switch
            {
                VecOp.Eq => x == y,
                VecOp.Ne => x != y,
                VecOp.Lt => x < y,
                VecOp.Le => x <= y,
                VecOp.Gt => x > y,
                _ => x >= y,
            } ? 1 : 0);
        return Let(new Compute(op, a.Type.IsScalar ? VecType.Scalar : a.Type.Mask, a, b));
    }

    /// <summary>a * b + c, rounded once.</summary>
    public Reg Fma(Reg a, Reg b, Reg c) => Let(new Compute(VecOp.Fma, a.Type, a, b, c));

    /// <summary>mask ? a : b, lane by lane.</summary>
    public Reg Select(Reg mask, Reg a, Reg b) => Let(new Compute(VecOp.Select, a.Type, mask, a, b));

    /// <summary>Shift of every lane by a constant: <see cref="VecOp.ShlBy"/>, <see cref="VecOp.SarBy"/>,
    /// <see cref="VecOp.ShrBy"/>.</summary>
    public Reg ShiftBy(VecOp op, Reg a, int count) => count == 0 ? a : Let(new Compute(op, a.Type, a, Immediate: count));

    /// <summary>The same values in another element type.</summary>
    public Reg Convert(Reg a, Elem elem) => a.Type.Elem == elem ? a : Let(new Compute(VecOp.Convert, a.Type.With(elem), a));

    /// <summary>Between a float32 and the bits of a 16-bit float in an int32: the <c>...Bits</c> operations.</summary>
    public Reg HalfBits(VecOp op, Reg a)
    {
        if (op == VecOp.FromBrainBits && uppers.TryGetValue(a, out var upper)) return Bitcast(upper & -65536, Elem.F32);
        if (op == VecOp.ToBrainBits && Isa == Isa.Avx512 && a.Type.Lanes == 16)
            return FromUpper(Let(new Compute(VecOp.ToUpperBrain, a.Type.With(Elem.I32), a)));
        return Let(new Compute(op, a.Type.With(op is VecOp.ToHalfBits or VecOp.ToBrainBits ? Elem.I32 : Elem.F32), a));
    }

    // Where bits of a bfloat16 came from that were in the upper half of a lane before: two registers are narrowed to one, and
    // bits become a float32, without the shift down, which then computes nothing that is used.
    readonly Dictionary<Reg, Reg> uppers = [];

    Reg FromUpper(Reg upper)
    {
        var low = ShiftBy(VecOp.ShrBy, upper, 16);
        uppers[low] = upper;
        return low;
    }

    /// <summary>The same bits as another element type.</summary>
    public Reg Bitcast(Reg a, Elem elem) => a.Type.Elem == elem ? a : Let(new Compute(VecOp.Bitcast, a.Type.With(elem), a));

    /// <summary>All lanes into one, by Add, Mul, Min, Max, MinFast, MaxFast, And or Or: halves first, so the same tree whatever
    /// the path.</summary>
    public Reg Reduce(VecOp op, Reg a)
    {
        while (a.Type.Lanes > 1) a = Binary(op, Lower(a), Upper(a));
        return a;
    }

    /// <summary>The one lane of <paramref name="a"/> in every lane.</summary>
    public Reg Broadcast(Reg a, int lanes) => lanes == 1 ? a : Let(new Compute(VecOp.Broadcast, a.Type.WithLanes(lanes), a));

    /// <summary>A scalar in every lane of an integer vector.</summary>
    public Reg Splat(VecType type, Reg scalar) =>
        scalar.Known is { } k ? ConstBits(type, k) : Let(new Compute(VecOp.Splat, type, scalar));

    /// <summary>The scalar value of a one-lane integer or mask.</summary>
    public Reg ToScalar(Reg a) => Let(new Compute(VecOp.ToScalar, VecType.Scalar, a));

    /// <summary>1 where any lane of the mask is set.</summary>
    public Reg Any(Reg mask) => Let(new Compute(VecOp.Any, VecType.Scalar, mask));

    /// <summary>1 where every lane of the mask is set.</summary>
    public Reg All(Reg mask) => Let(new Compute(VecOp.All, VecType.Scalar, mask));

    /// <summary>The low halves of sixteen int32 lanes, then those of sixteen others, as 16-bit numbers side by side.</summary>
    public Reg LowHalves(Reg a, Reg b) => uppers.TryGetValue(a, out var upperA) && uppers.TryGetValue(b, out var upperB)
        ? Let(new Compute(VecOp.UpperHalves, a.Type, upperA, upperB))
        : Let(new Compute(VecOp.LowHalves, a.Type, a, b));

    /// <summary>The lower half of the lanes.</summary>
    public Reg Lower(Reg a) => Let(new Compute(VecOp.Lower, a.Type.WithLanes(a.Type.Lanes / 2), a));

    /// <summary>The upper half of the lanes.</summary>
    public Reg Upper(Reg a) => Let(new Compute(VecOp.Upper, a.Type.WithLanes(a.Type.Lanes / 2), a));

    /// <summary>The lanes of one, then those of the other.</summary>
    public Reg Concat(Reg lower, Reg upper) =>
        Let(new Compute(VecOp.Concat, lower.Type.WithLanes(lower.Type.Lanes * 2), lower, upper));

    /// <summary>0, 1, 2, ... of an integer type.</summary>
    public Reg Iota(VecType type) => Let(new Compute(VecOp.Iota, type));

    /// <summary>The mask of the first lanes, as many as the scalar says: all where it is at least the lane count.</summary>
    public Reg FirstLanes(VecType type, Reg count)
    {
        var index = type.With(type.ElemBytes == 4 ? Elem.I32 : Elem.I64);
        return Compare(VecOp.Lt, Iota(index), Splat(index, count));
    }

    Reg? FoldScalar(VecOp op, Reg a, Reg b)
    {
        if (a.Known is { } x && b.Known is { } y)
            return op switch
            {
                VecOp.Add => Const(x + y),
                VecOp.Sub => Const(x - y),
                VecOp.Mul => Const(x * y),
                VecOp.Min => Const(Math.Min(x, y)),
                VecOp.Max => Const(Math.Max(x, y)),
                VecOp.And => Const(x & y),
                VecOp.Or => Const(x | y),
                VecOp.FloorDiv when y != 0 => Const(Scalars.FloorDiv(x, y)),
                VecOp.FloorMod when y != 0 => Const(Scalars.FloorMod(x, y)),
                _ => null,
            };
        if (a.Known is not null && op is VecOp.Add or VecOp.Mul) (a, b) = (b, a);
        return (op, b.Known) switch
        {
            (VecOp.Add or VecOp.Sub or VecOp.Or or VecOp.Xor, 0) => a,
            (VecOp.Mul or VecOp.FloorDiv or VecOp.Div, 1) => a,
            (VecOp.Mul, 0) => Const(0),
            (VecOp.FloorMod, 1) => Const(0),
            (VecOp.Mul, { } k) when k > 0 && BitOperations.IsPow2(k) =>
                Let(new Compute(VecOp.Shl, a.Type, a, Const(BitOperations.Log2((ulong)k)))),
            (VecOp.FloorDiv, { } k) when k > 0 && BitOperations.IsPow2(k) =>
                Let(new Compute(VecOp.Sar, a.Type, a, Const(BitOperations.Log2((ulong)k)))),
            (VecOp.FloorMod, { } k) when k > 0 && BitOperations.IsPow2(k) => Let(new Compute(VecOp.And, a.Type, a, Const(k - 1))),
            _ => null,
        };
    }
}

/// <summary>A typed virtual register: a mutable local of one <see cref="VecFunction"/>.</summary>
internal sealed partial class Reg
{
    public static Reg operator +(Reg a, Reg b) => a.Owner.Binary(VecOp.Add, a, b);

    public static Reg operator -(Reg a, Reg b) => a.Owner.Binary(VecOp.Sub, a, b);

    public static Reg operator *(Reg a, Reg b) => a.Owner.Binary(VecOp.Mul, a, b);

    public static Reg operator /(Reg a, Reg b) => a.Owner.Binary(VecOp.Div, a, b);

    public static Reg operator &(Reg a, Reg b) => a.Owner.Binary(VecOp.And, a, b);

    public static Reg operator |(Reg a, Reg b) => a.Owner.Binary(VecOp.Or, a, b);

    public static Reg operator ^(Reg a, Reg b) => a.Owner.Binary(VecOp.Xor, a, b);

    public static Reg operator -(Reg a) => a.Owner.Unary(VecOp.Neg, a);

    public static Reg operator ~(Reg a) => a.Owner.Unary(VecOp.Not, a);

    public static Reg operator +(Reg a, double b) => a + a.Like(b);

    public static Reg operator -(Reg a, double b) => a - a.Like(b);

    public static Reg operator *(Reg a, double b) => a * a.Like(b);

    public static Reg operator +(Reg a, long b) => a + a.Like(b);

    public static Reg operator -(Reg a, long b) => a - a.Like(b);

    public static Reg operator *(Reg a, long b) => a * a.Like(b);

    public static Reg operator &(Reg a, long b) => a & a.Owner.ConstBits(a.Type, b);

    public static Reg operator |(Reg a, long b) => a | a.Owner.ConstBits(a.Type, b);

    public static Reg operator ^(Reg a, long b) => a ^ a.Owner.ConstBits(a.Type, b);

    public static Reg operator <<(Reg a, int count) => a.Type.IsScalar
        ? a * (1L << count) : a.Owner.ShiftBy(VecOp.ShlBy, a, count);

    public static Reg operator >>(Reg a, int count) => a.Type.IsScalar
        ? a.Owner.Binary(VecOp.FloorDiv, a, a.Owner.Const(1L << count)) : a.Owner.ShiftBy(VecOp.SarBy, a, count);

    public static Reg operator >>>(Reg a, int count) => a.Owner.ShiftBy(VecOp.ShrBy, a, count);

    public static Reg operator <(Reg a, Reg b) => a.Owner.Compare(VecOp.Lt, a, b);

    public static Reg operator >(Reg a, Reg b) => a.Owner.Compare(VecOp.Gt, a, b);

    public static Reg operator <=(Reg a, Reg b) => a.Owner.Compare(VecOp.Le, a, b);

    public static Reg operator >=(Reg a, Reg b) => a.Owner.Compare(VecOp.Ge, a, b);

    Reg Like(double value) => Owner.Const(Type, value);

    Reg Like(long value) =>
        Type.IsScalar ? Owner.Const(value) : Type.IsFloat ? Owner.Const(Type, value) : Owner.ConstBits(Type, value);
}
