using System.Reflection;
using System.Reflection.Emit;

namespace Ashlar.Backends.Cpu.Vec.Emit;

/// <summary>Writes the IL of one function.</summary>
/// <remarks>
/// How this works. A register that is set once and used once, in the same block, becomes an expression on the stack at its use
/// instead of a local: RyuJIT counts references to locals, and past a limit it stops optimising. Until its use such a value is
/// pending; it is put into a local after all before anything that would change it: a register it reads is set, memory it reads
/// is written, or the block opens or closes another. Constants are written again at each use; RyuJIT keeps them in memory
/// operands.
/// </remarks>
internal sealed class IlEmitter
{
    const int MaxDepth = 48;   // of one expression: RyuJIT walks trees recursively

    readonly VecFunction function;
    readonly ILGenerator il;
    readonly int[] sets, uses;
    readonly LocalBuilder?[] locals;
    readonly Operation?[] constants;
    readonly List<Pending> pending = [];
    int blockDepth;

    /// <summary>An operation whose value has not been computed yet.</summary>
    sealed record Pending(Reg Target, Operation Value, int[] Reads, bool ReadsMemory, int Depth, Dictionary<int, Pending> Inner);

    /// <summary>How much was written, to hold against the budget.</summary>
    public Budget Spent { get; private set; } = new(0, 0, 0, 0);

    public IlEmitter(VecFunction function, ILGenerator il, Type[] parameters)
    {
        (this.function, this.il) = (function, il);
        this.parameters = parameters;
        int count = Count(function.Body, null, null) + 1;
        (sets, uses, locals, constants) = (new int[count], new int[count], new LocalBuilder?[count], new Operation?[count]);
        Count(function.Body, sets, uses);
    }

    readonly Type[] parameters;

    /// <summary>Writes everything, the return included.</summary>
    public void Emit()
    {
        Block(function.Body);
        il.Emit(OpCodes.Ret);
        Spent = Spent with { IlBytes = il.ILOffset };
    }

    // Counting.

    static int Count(IReadOnlyList<Instruction> body, int[]? sets, int[]? uses)
    {
        int max = -1;
        foreach (var instruction in body)
        {
            switch (instruction)
            {
                case Set set:
                    Note(set.Target, sets);
                    foreach (var reg in OperandsOf.All(set.Value)) Note(reg, uses);
                    break;
                case Store s:
                    AddressOf(s.At);
                    Note(s.Value, uses);
                    if (s.Mask is not null) Note(s.Mask, uses);
                    break;
                case Scatter s:
                    AddressOf(s.At);
                    Note(s.Value, uses);
                    Note(s.Index, uses);
                    if (s.Mask is not null) Note(s.Mask, uses);
                    break;
                case Prefetch p:
                    AddressOf(p.At);
                    break;
                case Call call:
                    foreach (var reg in call.Arguments) Note(reg, uses);
                    if (call.Result is not null) Note(call.Result, sets);
                    break;
                case Loop loop:
                    Note(loop.Begin, uses);
                    Note(loop.End, uses);
                    Note(loop.End, uses);   // read every time round: never on the stack
                    Note(loop.Counter, sets);
                    Note(loop.Counter, sets);
                    max = Math.Max(max, Count(loop.Body, sets, uses));
                    break;
                case If branch:
                    Note(branch.Condition, uses);
                    max = Math.Max(max, Count(branch.Then, sets, uses));
                    max = Math.Max(max, Count(branch.Else, sets, uses));
                    break;
            }
        }
        return max;

        void Note(Reg reg, int[]? counts)
        {
            max = Math.Max(max, reg.Id);
            if (counts is not null) counts[reg.Id]++;
        }

        void AddressOf(Address at)
        {
            Note(at.Pointer, uses);
            if (at.Offset is not null) Note(at.Offset, uses);
        }
    }

    // Instructions.

    void Block(IReadOnlyList<Instruction> body)
    {
        blockDepth++;
        foreach (var instruction in body) One(instruction);
        Materialise(static (_, _) => true, 0);
        blockDepth--;
    }

    void One(Instruction instruction)
    {
        switch (instruction)
        {
            case Set set:
                SetReg(set);
                break;
            case Store s:
                Materialise(static (p, s) => p.ReadsMemory && !s.Contains(p.Target), StoreOperands(s));
                StoreValue(s);
                break;
            case Scatter s:
                Materialise(static (p, _) => p.ReadsMemory, 0);
                ScatterLanes(s);
                break;
            case Prefetch p:
                PushAddress(p.At);
                CallMethod(Intrinsics.Find(function.Isa, p.Near ? nameof(Lanes.Prefetch) : nameof(Lanes.PrefetchFar), typeof(void), typeof(nint)));
                break;
            case Fence:
                CallMethod(Intrinsics.Find(function.Isa, nameof(Lanes.Fence), typeof(void)));
                break;
            case Call call:
                Materialise(static (p, _) => p.ReadsMemory, 0);
                CallStatic(call);
                break;
            case Loop loop:
                EmitLoop(loop);
                break;
            case If branch:
                EmitIf(branch);
                break;
        }

        static Reg[] StoreOperands(Store s) => s.Mask is null ? [s.Value] : [s.Value, s.Mask];
    }

    void SetReg(Set set)
    {
        int id = set.Target.Id;
        if (set.Value is Constant && sets[id] == 1)
        {
            constants[id] = set.Value;
            return;
        }
        if (set.Value is Parameter parameter && sets[id] == 1)
        {
            constants[id] = parameter;
            return;
        }
        var value = Suspend(set.Target, set.Value);
        if (sets[id] == 1 && uses[id] == 1 && value.Depth < MaxDepth && !set.IsStatement)
        {
            pending.Add(value);
            return;
        }
        if (uses[id] == 0 && sets[id] == 1) return;   // nobody looks, and operations have no effects
        Materialise(static (p, id) => Array.IndexOf(p.Reads, id) >= 0, id);
        Write(value);
    }

    /// <summary>Takes the pending operands of an operation into it.</summary>
    Pending Suspend(Reg target, Operation operation)
    {
        var reads = new List<int>();
        bool memory = operation is Load or LoadSplat or Gather;
        int depth = 0;
        Dictionary<int, Pending>? inner = null;
        foreach (var reg in OperandsOf.All(operation))
        {
            if (Take(reg) is { } value)
            {
                (inner ??= [])[reg.Id] = value;
                reads.AddRange(value.Reads);
                memory |= value.ReadsMemory;
                depth = Math.Max(depth, value.Depth);
            }
            else if (constants[reg.Id] is null)
            {
                reads.Add(reg.Id);
            }
        }
        return new(target, operation, [.. reads], memory, depth + 1, inner ?? none);
    }

    static readonly Dictionary<int, Pending> none = [];

    Pending? Take(Reg reg)
    {
        for (int i = pending.Count - 1; i >= 0; i--)
        {
            if (pending[i].Target.Id != reg.Id) continue;
            var value = pending[i];
            pending.RemoveAt(i);
            return value;
        }
        return null;
    }

    void Materialise<T>(Func<Pending, T, bool> which, T argument)
    {
        for (int i = 0; i < pending.Count; i++)
        {
            if (!which(pending[i], argument)) continue;
            var value = pending[i];
            pending.RemoveAt(i--);
            Write(value);
        }
    }

    void Write(Pending value)
    {
        PushTree(value);
        Pop(value.Target);
    }

    void Pop(Reg reg)
    {
        var local = locals[reg.Id];
        if (local is null)
        {
            locals[reg.Id] = local = il.DeclareLocal(Intrinsics.Clr(reg.Type));
            Spent = Spent with { Locals = Spent.Locals + 1 };
        }
        il.Emit(OpCodes.Stloc, local);
        Spent = Spent with { References = Spent.References + 1 };
    }

    void Push(Reg reg)
    {
        if (Take(reg) is { } value) PushTree(value);
        else PushPlain(reg);
    }

    void Push(Reg reg, Pending within)
    {
        if (within.Inner.TryGetValue(reg.Id, out var value)) PushTree(value);
        else PushPlain(reg);
    }

    void PushPlain(Reg reg)
    {
        switch (constants[reg.Id])
        {
            case Constant constant:
                PushConstant(constant);
                break;
            case Parameter parameter:
                il.Emit(OpCodes.Ldarg, (short)parameter.Index);
                if (parameters[parameter.Index] != typeof(long)) il.Emit(OpCodes.Conv_I8);
                Spent = Spent with { References = Spent.References + 1 };
                break;
            default:
                il.Emit(OpCodes.Ldloc, locals[reg.Id]!);
                Spent = Spent with { References = Spent.References + 1 };
                break;
        }
    }

    // Control.

    void EmitLoop(Loop loop)
    {
        Materialise(static (p, begin) => p.Target.Id != begin, loop.Begin.Id);
        Push(loop.Begin);
        Pop(loop.Counter);
        var body = il.DefineLabel();
        var test = il.DefineLabel();
        il.Emit(OpCodes.Br, test);
        il.MarkLabel(body);
        Block(loop.Body);
        PushPlain(loop.Counter);
        il.Emit(OpCodes.Ldc_I8, loop.Step);
        il.Emit(OpCodes.Add);
        Pop(loop.Counter);
        il.MarkLabel(test);
        PushPlain(loop.Counter);
        PushPlain(loop.End);
        il.Emit(OpCodes.Blt, body);
    }

    void EmitIf(If branch)
    {
        Materialise(static (p, condition) => p.Target.Id != condition, branch.Condition.Id);
        var otherwise = il.DefineLabel();
        Push(branch.Condition);
        il.Emit(OpCodes.Brfalse, otherwise);
        Block(branch.Then);
        if (branch.Else.Count == 0)
        {
            il.MarkLabel(otherwise);
            return;
        }
        var end = il.DefineLabel();
        il.Emit(OpCodes.Br, end);
        il.MarkLabel(otherwise);
        Block(branch.Else);
        il.MarkLabel(end);
    }

    void CallStatic(Call call)
    {
        var expected = call.Method.GetParameters();
        for (int i = 0; i < expected.Length; i++)
        {
            Push(call.Arguments[i]);
            if (expected[i].ParameterType == typeof(nint)) il.Emit(OpCodes.Conv_I);
        }
        CallMethod(call.Method);
        if (call.Result is not null)
        {
            if (call.Method.ReturnType != typeof(long)) il.Emit(OpCodes.Conv_I8);
            Pop(call.Result);
        }
        else if (call.Method.ReturnType != typeof(void))
        {
            il.Emit(OpCodes.Pop);
        }
    }

    void CallMethod(MethodInfo method)
    {
        il.Emit(OpCodes.Call, method);
        if (method.DeclaringType!.Namespace == typeof(Lanes).Namespace) Spent = Spent with { InlinedCalls = Spent.InlinedCalls + 1 };
    }

    // Values.

    void PushConstant(Constant constant)
    {
        var type = constant.Type;
        switch (type.Elem)
        {
            case Elem.F32: il.Emit(OpCodes.Ldc_R4, BitConverter.UInt32BitsToSingle((uint)constant.Bits)); break;
            case Elem.F64: il.Emit(OpCodes.Ldc_R8, BitConverter.Int64BitsToDouble(constant.Bits)); break;
            case Elem.I32 or Elem.M32: il.Emit(OpCodes.Ldc_I4, (int)constant.Bits); break;
            default: il.Emit(OpCodes.Ldc_I8, constant.Bits); break;
        }
        if (!type.IsScalar) CallMethod(Intrinsics.Find(function.Isa, "Create", Intrinsics.Clr(type), Intrinsics.ClrElem(type.Elem)));
    }

    void PushTree(Pending value)
    {
        switch (value.Value)
        {
            case Constant constant: PushConstant(constant); break;
            case Parameter parameter:
                il.Emit(OpCodes.Ldarg, (short)parameter.Index);
                if (parameters[parameter.Index] != typeof(long)) il.Emit(OpCodes.Conv_I8);
                break;
            case Load load: PushLoad(load, value); break;
            case LoadSplat load: PushLoadSplat(load, value); break;
            case Gather gather: PushGather(gather, value); break;
            case Compute compute:
                if (compute.Type.IsScalar && compute.A!.Type.IsScalar) PushScalar(compute, value);
                else PushVector(compute, value);
                break;
        }
    }

    void PushAddress(Address at, Pending? within = null)
    {
        if (within is null) Push(at.Pointer); else Push(at.Pointer, within);
        if (at.Offset is not null)
        {
            if (within is null) Push(at.Offset); else Push(at.Offset, within);
            il.Emit(OpCodes.Add);
        }
        if (at.Displacement != 0)
        {
            il.Emit(OpCodes.Ldc_I8, at.Displacement);
            il.Emit(OpCodes.Add);
        }
        il.Emit(OpCodes.Conv_I);
    }

    void PushScalar(Compute c, Pending within)
    {
        Push(c.A!, within);
        if (c.B is not null) Push(c.B, within);
        switch (c.Op)
        {
            case VecOp.Copy: break;
            case VecOp.Neg: il.Emit(OpCodes.Neg); break;
            case VecOp.Not: il.Emit(OpCodes.Not); break;
            case VecOp.Add: il.Emit(OpCodes.Add); break;
            case VecOp.Sub: il.Emit(OpCodes.Sub); break;
            case VecOp.Mul: il.Emit(OpCodes.Mul); break;
            case VecOp.And: il.Emit(OpCodes.And); break;
            case VecOp.Or: il.Emit(OpCodes.Or); break;
            case VecOp.Xor: il.Emit(OpCodes.Xor); break;
            case VecOp.Shl: il.Emit(OpCodes.Conv_I4); il.Emit(OpCodes.Shl); break;
            case VecOp.Sar: il.Emit(OpCodes.Conv_I4); il.Emit(OpCodes.Shr); break;
            case VecOp.Shr: il.Emit(OpCodes.Conv_I4); il.Emit(OpCodes.Shr_Un); break;
            case VecOp.Eq: Truth(OpCodes.Ceq, false); break;
            case VecOp.Ne: Truth(OpCodes.Ceq, true); break;
            case VecOp.Lt: Truth(OpCodes.Clt, false); break;
            case VecOp.Ge: Truth(OpCodes.Clt, true); break;
            case VecOp.Gt: Truth(OpCodes.Cgt, false); break;
            case VecOp.Le: Truth(OpCodes.Cgt, true); break;
            default:
                il.Emit(OpCodes.Call, scalarMethods[c.Op]);
                break;
        }

        void Truth(OpCode compare, bool invert)
        {
            il.Emit(compare);
            if (invert)
            {
                il.Emit(OpCodes.Ldc_I4_0);
                il.Emit(OpCodes.Ceq);
            }
            il.Emit(OpCodes.Conv_U8);
        }
    }

    static readonly Dictionary<VecOp, MethodInfo> scalarMethods =
        new[] { VecOp.Div, VecOp.Rem, VecOp.FloorDiv, VecOp.FloorMod, VecOp.Min, VecOp.Max }
            .ToDictionary(op => op, op => typeof(Scalars).GetMethod(op.ToString(), [typeof(long), typeof(long)])!);

    static string MethodName(VecOp op, VecType type) => op switch
    {
        VecOp.Neg => "Negate",
        VecOp.Ceil => "Ceiling",
        VecOp.Trunc => "Truncate",
        VecOp.Not => "OnesComplement",
        VecOp.Sub => "Subtract",
        VecOp.Mul => "Multiply",
        VecOp.Div => "Divide",
        VecOp.Min => type.IsFloat ? "MinNaN" : "Min",
        VecOp.Max => type.IsFloat ? "MaxNaN" : "Max",
        VecOp.MinFast => "MinNative",
        VecOp.MaxFast => "MaxNative",
        VecOp.And => "BitwiseAnd",
        VecOp.Or => "BitwiseOr",
        VecOp.ShlBy => "ShiftLeft",
        VecOp.SarBy => "ShiftRightArithmetic",
        VecOp.ShrBy => "ShiftRightLogical",
        VecOp.Eq or VecOp.Ne => "Equals",
        VecOp.Lt => "LessThan",
        VecOp.Le => "LessThanOrEqual",
        VecOp.Gt => "GreaterThan",
        VecOp.Ge => "GreaterThanOrEqual",
        VecOp.Fma => "FusedMultiplyAdd",
        _ => op.ToString(),
    };

    void PushVector(Compute c, Pending within)
    {
        if (c.A is not null) Push(c.A, within);
        if (c.B is not null) Push(c.B, within);
        if (c.C is not null) Push(c.C, within);
        VecType type = c.Type, a = c.A?.Type ?? type;
        Type clr = Intrinsics.Clr(type), clrA = Intrinsics.Clr(a);
        switch (c.Op)
        {
            case VecOp.Copy: break;
            case VecOp.ShlBy or VecOp.SarBy or VecOp.ShrBy:
                il.Emit(OpCodes.Ldc_I4, c.Immediate);
                CallMethod(Find(MethodName(c.Op, type), clr, clr, typeof(int)));
                break;
            case >= VecOp.Eq and <= VecOp.Ge:
                CallMethod(Find(MethodName(c.Op, a), clrA, clrA, clrA));
                Reinterpret(clrA, clr);
                if (c.Op == VecOp.Ne) CallMethod(Find("OnesComplement", clr, clr));
                break;
            case VecOp.Select:
                CallMethod(Find("Select", clr, clrA, clr, clr));
                break;
            case VecOp.ToUpperBrain:
                CallMethod(Find(nameof(Avx512Lanes.ToUpperBrain), clr, clrA));
                break;
            case VecOp.LowHalves:
                CallMethod(Find(nameof(Avx512Lanes.LowHalves), clr, clrA, clrA));
                break;
            case VecOp.UpperHalves:
                CallMethod(Find(nameof(Avx512Lanes.UpperHalves), clr, clrA, clrA));
                break;
            case VecOp.Convert:
                if (clr != clrA) CallMethod(Find("To" + ((Elem[])[Elem.F32, Elem.F64, Elem.I32, Elem.I64, Elem.I32, Elem.I64])[(int)type.Elem]
                    + (a.Bits == 128 && type.Bits == 256 ? "Wide" : ""), clr, clrA));
                break;
            case VecOp.Bitcast:
                Reinterpret(clrA, clr);
                break;
            case VecOp.ToHalfBits or VecOp.ToBrainBits or VecOp.FromHalfBits or VecOp.FromBrainBits:
                CallMethod(Find(c.Op switch
                {
                    VecOp.ToHalfBits => nameof(HalfLanes.SingleToHalf),
                    VecOp.ToBrainBits => nameof(HalfLanes.SingleToBFloat),
                    VecOp.FromHalfBits => nameof(HalfLanes.HalfToSingle),
                    _ => nameof(HalfLanes.BFloatToSingle),
                }, clr, clrA));
                break;
            case VecOp.Broadcast:
                CallMethod(Find(type.Bits == 128 ? "Broadcast" : $"Broadcast{type.Bits}", clr, clrA));
                break;
            case VecOp.Splat:
                if (type.ElemBytes == 4) il.Emit(OpCodes.Conv_I4);
                CallMethod(Find("Create", clr, Intrinsics.ClrElem(type.Elem)));
                break;
            case VecOp.ToScalar:
                CallMethod(Find("ToScalar", Intrinsics.ClrElem(a.Elem), clrA));
                il.Emit(OpCodes.Conv_I8);
                break;
            case VecOp.Any or VecOp.All:
                CallMethod(Find("ExtractMostSignificantBits", a.Bits == 512 ? typeof(ulong) : typeof(uint), clrA));
                il.Emit(OpCodes.Conv_U8);
                long all = (1L << a.Lanes) - 1;
                il.Emit(OpCodes.Ldc_I8, all);
                il.Emit(OpCodes.And);
                il.Emit(OpCodes.Ldc_I8, c.Op == VecOp.Any ? 0 : all);
                il.Emit(c.Op == VecOp.Any ? OpCodes.Cgt_Un : OpCodes.Ceq);
                il.Emit(OpCodes.Conv_U8);
                break;
            case VecOp.Lower or VecOp.Upper when a.Bits > 128:
                CallMethod(Find("Get" + c.Op, clr, clrA));
                break;
            case VecOp.Lower: break;   // the upper lanes mean nothing from here on
            case VecOp.Upper:
                CallMethod(Find($"UpperOf{a.Lanes}", clr, clrA));
                break;
            case VecOp.Concat when type.Bits > 128:
                CallMethod(Find("Create", clr, clrA, clrA));
                break;
            case VecOp.Concat:
                CallMethod(Find($"Concat{a.Lanes}", clr, clrA, clrA));
                break;
            case VecOp.Iota:
                il.Emit(OpCodes.Call, clr.GetProperty("Indices")!.GetMethod!);
                break;
            default:
                string name = MethodName(c.Op, type);
                bool perLane = type.IsInteger && c.Op is VecOp.Div;
                if (!perLane && Intrinsics.TryFind(function.Isa, name, clr, clr, c.B is null ? null : clr, c.C is null ? null : clr) is { } method)
                    CallMethod(method);
                else
                    PerLane(c, clr);
                break;
        }
    }

    void PerLane(Compute c, Type clr)
    {
        var method = Intrinsics.LaneCall(c.Op, c.Type) ?? throw new KernelException("ASH0552",
            $"{function.Isa.Name} cannot do {c.Op} on {c.Type}, in the function '{function.Name}'.", "expand the operation in the builder.");
        if (c.B is null) il.Emit(OpCodes.Dup);
        il.Emit(OpCodes.Ldc_I4, c.Type.Lanes);
        il.Emit(OpCodes.Call, method);
        _ = clr;
    }

    void Reinterpret(Type from, Type to)
    {
        if (from == to) return;
        var elem = to.GetGenericArguments()[0];
        CallMethod(Find("As" + elem.Name, to, from));
    }

    MethodInfo Find(string name, Type result, Type? a = null, Type? b = null, Type? c = null) =>
        Intrinsics.Find(function.Isa, name, result, a, b, c);

    // Memory.

    void PushLoad(Load load, Pending within)
    {
        PushAddress(load.At, within);
        var type = load.Type;
        if (type.IsScalar)
        {
            ReadInteger(load.Storage);
            il.Emit(load.Storage is DType.UInt8 or DType.Bool ? OpCodes.Conv_U8 : OpCodes.Conv_I8);
            return;
        }
        if (load.Mask is not null)
        {
            Push(load.Mask, within);
            var register = Narrow(load.Storage) is null ? Intrinsics.Clr(type) : Intrinsics.Clr(type.With(Elem.I32));
            CallMethod(Find("MaskLoad" + (Narrow(load.Storage) ?? type.Elem.ToString()), register, typeof(nint), Intrinsics.Clr(type.Mask)));
        }
        else
        {
            ReadLanes(type, load.Storage);
        }
        FromHalf(type, load.Storage);
    }

    /// <summary>Turns an address on the stack into lanes; 16-bit floats are still bits.</summary>
    void ReadLanes(VecType type, DType storage)
    {
        var clr = Intrinsics.Clr(type);
        if (Narrow(storage) is { } narrow)
        {
            CallMethod(Find($"Load{narrow}x{type.Lanes}", Intrinsics.Clr(type.With(Elem.I32)), typeof(nint)));
        }
        else if (type.Lanes * type.ElemBytes >= 16)
        {
            CallMethod(Find("Load", clr, typeof(nint)));
        }
        else if (type.Lanes == 1)
        {
            ReadElement(type.Elem);
            CallMethod(Find("CreateScalar", clr, Intrinsics.ClrElem(type.Elem)));
        }
        else
        {
            il.Emit(OpCodes.Ldind_I8);
            var longs = Intrinsics.Clr(type.With(Elem.I64));
            CallMethod(Find("CreateScalar", longs, typeof(long)));
            Reinterpret(longs, clr);
        }
    }

    void PushLoadSplat(LoadSplat load, Pending within)
    {
        var type = load.Type;
        PushAddress(load.At, within);
        if (Narrow(load.Storage) is not null)
        {
            var one = type.WithLanes(1);
            ReadLanes(one, load.Storage);
            FromHalf(one, load.Storage);
            if (type.Lanes > 1) CallMethod(Find(type.Bits == 128 ? "Broadcast" : $"Broadcast{type.Bits}", Intrinsics.Clr(type), Intrinsics.Clr(one)));
            return;
        }
        ReadElement(type.Elem);
        CallMethod(Find(type.Lanes == 1 ? "CreateScalar" : "Create", Intrinsics.Clr(type), Intrinsics.ClrElem(type.Elem)));
    }

    void PushGather(Gather gather, Pending within)
    {
        var type = gather.Type;
        PushAddress(gather.At, within);
        Push(gather.Index, within);
        var indices = Intrinsics.Clr(gather.Index.Type);
        var register = type.With(Narrow(gather.Storage) is null ? type.Elem : Elem.I32);
        if (gather.Mask is { } mask)
        {
            Push(mask, within);
            var maskType = Intrinsics.Clr(mask.Type);
            if (Narrow(gather.Storage) is null && Intrinsics.TryFind(function.Isa, $"GatherWhere{type.Elem}", Intrinsics.Clr(type), typeof(nint), indices, maskType) is { } masked) CallMethod(masked);
            else
            {
                il.Emit(OpCodes.Ldc_I4, type.Lanes);
                il.Emit(OpCodes.Ldc_I4, gather.Index.Type.ElemBytes == 8 ? 1 : 0);
                il.Emit(OpCodes.Ldc_I4, (int)gather.Storage);
                il.Emit(OpCodes.Call, Intrinsics.Generic(nameof(LaneCalls.GatherWhere), Intrinsics.Clr(register), indices, maskType));
            }
        }
        else if (type.Lanes == 1)
        {
            CallMethod(Find("ToScalar", Intrinsics.ClrElem(gather.Index.Type.Elem), indices));
            il.Emit(OpCodes.Conv_I);
            il.Emit(OpCodes.Ldc_I4, gather.Storage.Bytes);
            il.Emit(OpCodes.Mul);
            il.Emit(OpCodes.Add);
            ReadLanes(type, gather.Storage);
        }
        else if (type.Lanes > 2 && Narrow(gather.Storage) is null
            && Intrinsics.TryFind(function.Isa, $"Gather{type.Elem}", Intrinsics.Clr(type), typeof(nint), indices) is { } method)
        {
            CallMethod(method);
        }
        else
        {
            il.Emit(OpCodes.Ldc_I4, type.Lanes);
            il.Emit(OpCodes.Ldc_I4, gather.Index.Type.ElemBytes == 8 ? 1 : 0);
            il.Emit(OpCodes.Ldc_I4, (int)gather.Storage);
            il.Emit(OpCodes.Call, Intrinsics.Generic(nameof(LaneCalls.Gather), Intrinsics.Clr(register), indices));
        }
        FromHalf(type, gather.Storage);
    }

    void StoreValue(Store store)
    {
        var type = store.Value.Type;
        if (type.IsScalar)
        {
            PushAddress(store.At);
            Push(store.Value);
            il.Emit(store.Storage.Bytes switch { 1 => OpCodes.Stind_I1, 2 => OpCodes.Stind_I2, 4 => OpCodes.Stind_I4, _ => OpCodes.Stind_I8 });
            return;
        }
        string? narrow = Narrow(store.Storage)?.Replace('U', 'I');   // the low bits, whatever the sign
        var register = narrow is null ? Intrinsics.Clr(type) : Intrinsics.Clr(type.With(Elem.I32));
        bool direct = narrow is null && store.Mask is null && type.Lanes * type.ElemBytes < 16;
        if (direct) PushAddress(store.At);
        Push(store.Value);
        ToHalf(type, store.Storage);
        if (direct)
        {
            var whole = type.Lanes == 1 ? type : type.With(Elem.I64);
            if (type.Lanes > 1) Reinterpret(register, Intrinsics.Clr(whole));
            CallMethod(Find("ToScalar", Intrinsics.ClrElem(whole.Elem), Intrinsics.Clr(whole)));
            il.Emit(whole.Elem switch
            {
                Elem.F32 => OpCodes.Stind_R4,
                Elem.F64 => OpCodes.Stind_R8,
                Elem.I32 or Elem.M32 => OpCodes.Stind_I4,
                _ => OpCodes.Stind_I8,
            });
            return;
        }
        PushAddress(store.At);
        if (store.Mask is not null)
        {
            Push(store.Mask);
            CallMethod(Find("MaskStore" + (narrow ?? type.Elem.ToString()), typeof(void), register, typeof(nint), Intrinsics.Clr(type.Mask)));
        }
        else if (narrow is not null)
        {
            CallMethod(Find($"{(store.Stream ? "Stream" : "Store")}{narrow}x{type.Lanes}", typeof(void), register, typeof(nint)));
        }
        else
        {
            CallMethod(Find(store.Stream ? "StoreAlignedNonTemporal" : "Store", typeof(void), register, typeof(nint)));
        }
    }

    void ScatterLanes(Scatter scatter)
    {
        var type = scatter.Value.Type;
        var register = Intrinsics.Clr(Narrow(scatter.Storage) is null ? type : type.With(Elem.I32));
        Push(scatter.Value);
        ToHalf(type, scatter.Storage);
        PushAddress(scatter.At);
        Push(scatter.Index);
        if (scatter.Mask is not null) Push(scatter.Mask);
        else PushConstant(new Constant(type.Mask, -1));
        il.Emit(OpCodes.Ldc_I4, type.Lanes);
        il.Emit(OpCodes.Ldc_I4, scatter.Index.Type.ElemBytes == 8 ? 1 : 0);
        il.Emit(OpCodes.Ldc_I4, (int)scatter.Storage);
        il.Emit(OpCodes.Call, Intrinsics.Generic(nameof(LaneCalls.Scatter), register, Intrinsics.Clr(scatter.Index.Type), Intrinsics.Clr(type.Mask)));
    }

    /// <summary>How a storage type narrower than its register is read: its bits as integers; null where it is as wide.</summary>
    static string? Narrow(DType storage) => storage switch
    {
        DType.Bool or DType.UInt8 => "U8",
        DType.Int8 => "I8",
        DType.Int16 => "I16",
        DType.Float16 or DType.BFloat16 => "U16",
        _ => null,
    };

    void FromHalf(VecType type, DType storage)
    {
        if (storage is not (DType.Float16 or DType.BFloat16)) return;
        CallMethod(Find(storage == DType.Float16 ? nameof(HalfLanes.HalfToSingle) : nameof(HalfLanes.BFloatToSingle),
            Intrinsics.Clr(type), Intrinsics.Clr(type.With(Elem.I32))));
    }

    void ToHalf(VecType type, DType storage)
    {
        if (storage is not (DType.Float16 or DType.BFloat16)) return;
        CallMethod(Find(storage == DType.Float16 ? nameof(HalfLanes.SingleToHalf) : nameof(HalfLanes.SingleToBFloat),
            Intrinsics.Clr(type.With(Elem.I32)), Intrinsics.Clr(type)));
    }

    void ReadElement(Elem elem) => il.Emit(elem switch
    {
        Elem.F32 => OpCodes.Ldind_R4,
        Elem.F64 => OpCodes.Ldind_R8,
        Elem.I32 or Elem.M32 => OpCodes.Ldind_I4,
        _ => OpCodes.Ldind_I8,
    });

    void ReadInteger(DType storage) => il.Emit(storage switch
    {
        DType.Bool or DType.UInt8 => OpCodes.Ldind_U1,
        DType.Int8 => OpCodes.Ldind_I1,
        DType.Int16 => OpCodes.Ldind_I2,
        DType.Int32 => OpCodes.Ldind_I4,
        _ => OpCodes.Ldind_I8,
    });
}
